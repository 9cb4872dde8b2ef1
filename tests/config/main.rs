//! Options and environment: accepted values, precedence and messages.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[cfg(not(any(windows, target_os = "macos")))]
mod cache_folder;
mod contradictions;
mod defaults;
mod environment;
mod page;
mod sealed;
mod secrecy;
mod secret_files;
mod support;
mod values;
