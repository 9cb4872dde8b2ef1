//! Profiles in files: which one is used for what, what a file may look like and who may write to it, and what the messages say.
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
mod support;
mod unknown_profiles;
#[cfg(feature = "cli")]
mod writing;
