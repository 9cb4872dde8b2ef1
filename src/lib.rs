//! A shared cache of OAuth 2.0 bearer tokens for MongoDB Atlas Service Accounts and any other RFC
//! 6749 server.
//!
//! A [`Client`] exchanges a client id and secret for an access token (the client credentials grant)
//! and caches it. It returns the token to any number of threads without a lock, refreshes it before
//! it expires, and remembers refusals of the server.
//!
//! ```no_run
//! use tokenwell::{Client, Config, TokenOptions};
//!
//! # fn main() -> Result<(), tokenwell::Error> {
//! let client = Client::new(Config::from_environment()?)?;
//! let token = client.token(&TokenOptions::default())?;
//! println!("the token expires at {:?}", token.expires_at());
//! # Ok(()) }
//! ```
//!
//! # Features
//!
//! No feature is on by default.
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `reqwest` | [`reqwest::Auth`]: requests of `reqwest` with the token, and one repetition after a 401 |
//! | `tower` | [`tower::AuthLayer`]: the same for a service of `tower`, such as the client of hyper-util |
//! | `emulator` | [`emulator::Emulator`]: Atlas on this host, for tests |
//! | `keyring` | secrets from the keyring of the operating system |
//! | `cli` | the command: `cargo install tokenwell --features cli,emulator` |
//! | `capi` | the functions of `include/tokenwell.h`. It adds nothing for a Rust program |
//!
//! # Other languages
//!
//! C programs use the same core through `include/tokenwell.h` (feature `capi`), and Python, Go and
//! Node use it through the C ABI. `docs/architecture.md` describes the design.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(not(target_has_atomic = "64"))]
compile_error!("tokenwell needs a target with 64-bit atomic operations: choose another one, such as armv7 instead of armv5te");

pub mod admin;
#[cfg(any(feature = "reqwest", feature = "tower"))]
mod api_auth;
#[cfg(feature = "capi")]
mod api_request;
pub mod atlas;
mod cache;
mod client;
pub mod clock;
pub mod config;
mod credential;
#[cfg(feature = "emulator")]
pub mod emulator;
pub mod error;
#[cfg(feature = "capi")]
mod ffi;
pub mod grant;
mod lifetime;
pub mod logging;
#[cfg(feature = "capi")]
mod operation;
mod platform;
pub mod secret;
pub mod store;
mod token;

#[cfg(feature = "reqwest")]
pub use api_auth::reqwest;
#[cfg(feature = "tower")]
pub use api_auth::tower;
pub use cache::{CachedState, Stats};
pub use client::{Client, ClientParts, TokenOptions};
pub use config::Config;
pub use error::{Error, Status};
pub use token::Token;
