//! Profiles in files: precedence, format, permissions and messages.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod any_file;
mod atlas_cli;
#[cfg(feature = "cli")]
mod command;
mod keyring;
mod line_ends;
mod mistakes;
mod order;
mod our_file;
#[cfg(unix)]
mod permissions;
#[cfg(feature = "cli")]
mod renaming;
mod support;
mod unknown_profiles;
#[cfg(feature = "cli")]
mod writing;
