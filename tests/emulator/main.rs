//! Proof of docs/emulator.md, by subject.
//!
//! The emulator is spoken to over plain sockets: what is tested is the bytes that a client of any language meets.
#![cfg(all(feature = "emulator", feature = "cli"))]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod accounts;
mod admin;
mod client;
mod command;
mod control;
mod faults;
mod generic;
mod limits;
mod tls;
mod tokens;
