//! The token on the requests of HTTP clients: `tokenwell::tower` and `tokenwell::reqwest`, with the
//! emulator as the API.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod examples;
#[path = "../support/mod.rs"]
mod parts;
mod reqwest;
mod support;
mod tower;
