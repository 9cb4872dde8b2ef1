//! Hides the differences between operating systems: each function here exists on all of them.
//!
//! May depend on: clock (for `Moment`).
//!
//! Start reading anywhere: the files do not depend on each other.
//! - `clocks` reads the clocks.
//! - `threads` starts threads.
//! - `files` opens and creates files.
//! - `folders` finds the user's directories for settings and caches.
//! - `exposure` checks which files other users can access.
//! - `directory` is an open directory that cannot be replaced by another one.

mod clocks;
mod directory;
mod exposure;
mod files;
mod folders;
mod threads;

pub(crate) use clocks::now;
pub(crate) use directory::{Attributes, Directory, Kind, attributes};
pub(crate) use exposure::{Exposure, exposure, make_private_command, quoted};
pub(crate) use files::open_nonblocking;
#[cfg(feature = "cli")]
pub(crate) use files::{create_private_dir, create_private_file, sync_dir};
pub(crate) use folders::{cache_dir, config_dir, go_config_dir};
pub(crate) use threads::spawn_without_signals;
