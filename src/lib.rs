//! tokenwell: one shared cache of OAuth 2.0 bearer tokens.
#![warn(missing_docs)]

pub mod atlas;
pub mod clock;
pub mod config;
#[cfg(feature = "emulator")]
pub mod emulator;
pub mod error;
pub mod grant;
mod platform;
pub mod secret;
pub mod store;
