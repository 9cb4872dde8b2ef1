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
//! - `process` identifies this process among its forks.
//! - `unix` and `windows` contain the parts that differ completely. Unsafe code is allowed in their
//!   `sys` files.

mod clocks;
mod directory;
mod exposure;
mod files;
mod folders;
mod process;
mod threads;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(not(any(unix, windows)))]
compile_error!("tokenwell supports Unix and Windows");

pub(crate) use clocks::now;
pub(crate) use directory::{Attributes, Directory, Kind, attributes, foreign_parent};
pub(crate) use exposure::{Exposure, exposure, make_private_command, quoted};
pub(crate) use files::open_nonblocking;
#[cfg(feature = "cli")]
pub(crate) use files::{create_private_dir, create_private_file, sync_dir};
pub(crate) use folders::{cache_dir, config_dir, go_config_dir};
pub(crate) use process::ProcessId;
pub(crate) use threads::spawn_without_signals;
