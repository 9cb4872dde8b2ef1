//! Tests of docs/emulator.md, by subject.
//!
//! The tests use plain sockets, so that they verify the bytes that a client in any language
//! receives.
#![cfg(all(feature = "emulator", feature = "cli"))]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod accounts;
mod admin;
mod background;
mod client;
mod command;
mod control;
mod delays;
mod faults;
mod generic;
mod guard;
mod journal;
mod limits;
mod mistakes;
mod one_command;
mod organizations;
mod places;
mod process;
mod refusals;
mod reset;
mod rows;
mod seed;
mod tls;
mod tokens;
