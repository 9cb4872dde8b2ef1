//! Options and environment to one configuration: which values are accepted, which source wins, and what the messages say.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[cfg(not(any(windows, target_os = "macos")))]
mod cache_folder;
mod contradictions;
mod defaults;
mod environment;
mod page;
mod secrecy;
mod secret_files;
mod support;
mod values;
