//! The file store: what it stores, who can read it, and which faults it survives.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod child;
mod clients;
mod damage;
#[cfg(target_os = "linux")]
mod faults;
mod format;
mod lock;
#[path = "../support/mod.rs"]
mod parts;
mod permissions;
#[cfg(target_os = "linux")]
mod races;
mod sharing;
mod support;
