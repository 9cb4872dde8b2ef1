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
//! - `privilege` tells whether the environment can be trusted, `variables` converts variables that
//!   are passed as bytes.
//! - `authorities` reads the certificate authorities of the system.
//! - `unix` and `windows` contain the parts that differ completely. Unsafe code is allowed in their
//!   `sys` files.

mod authorities;
mod clocks;
mod directory;
mod exposure;
mod files;
mod folders;
mod privilege;
mod process;
mod threads;
#[cfg(unix)]
mod unix;
mod variables;
#[cfg(windows)]
mod windows;

#[cfg(not(any(unix, windows)))]
compile_error!("tokenwell supports Unix and Windows");

pub(crate) use authorities::system_authorities;
pub(crate) use clocks::now;
pub(crate) use directory::{Attributes, Directory, Kind, attributes};
pub(crate) use exposure::{Exposure, exposure, make_private_command, quoted};
pub(crate) use files::open_nonblocking;
#[cfg(feature = "cli")]
pub(crate) use files::{create_private_dir, create_private_file, sync_dir};
pub(crate) use folders::{cache_dir, config_dir, go_config_dir};
pub(crate) use privilege::is_privileged;
pub(crate) use process::ProcessId;
pub(crate) use threads::spawn_without_signals;
pub(crate) use variables::{os_string, variable_key};
