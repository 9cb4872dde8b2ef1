//! One shared cache of OAuth 2.0 bearer tokens for MongoDB Atlas Service Accounts, and for any other RFC 6749 server.
//!
//! A [`Client`] trades a client id and secret for an access token (the client credentials grant), keeps it, hands it to any number of
//! threads without a lock, refreshes it before it ends, and remembers when the server said "not now".
//!
//! ```no_run
//! use tokenwell::{Client, Config, TokenOptions};
//!
//! # fn main() -> Result<(), tokenwell::Error> {
//! let client = Client::new(Config::from_environment()?)?;
//! let token = client.token(&TokenOptions::default())?;
//! println!("a token that ends at {:?}", token.expires_at());
//! # Ok(()) }
//! ```
//!
//! The same core serves C through `include/tokenwell.h` (feature `capi`), and through it Python, Go and Node.
//! `docs/architecture.md` tells how it is built.

pub mod admin;
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
mod platform;
pub mod secret;
pub mod store;
mod token;

pub use cache::{AtHand, Stats};
pub use client::{Client, ClientParts, TokenOptions};
pub use config::Config;
pub use error::{Error, Status};
pub use token::Token;
