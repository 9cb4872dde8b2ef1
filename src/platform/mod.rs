//! Hides the differences between operating systems: each function here exists on all of them.
//!
//! May depend on: clock (for `Moment`), logging (a new thread inherits the client of its log lines),
//! error (for paths in messages).
//!
//! Start reading anywhere: the files do not depend on each other.
//! - `access` explains why a file cannot be opened.
//! - `changes` reports changes of files.
//! - `clocks` reads the clocks.
//! - `threads` starts threads, and protects calls on threads of the program from signals and
//!   cancellation.
//! - `files` opens and creates files.
//! - `folders` finds the user's directories for settings and caches.
//! - `exposure` checks which files other users can access.
//! - `directory` is an open directory that cannot be replaced by another one.
//! - `process` identifies this process among its forks.
//! - `privilege` tells whether the environment can be trusted, `variables` converts variables that
//!   are passed as bytes, and finds one in the environment that this process was started with.
//! - `authorities` reads the certificate authorities of the system.
//! - `unix` and `windows` contain the parts that differ completely. Unsafe code is allowed in their
//!   `sys` files.

mod access;
mod authorities;
mod changes;
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

pub(crate) use access::denied_by;
pub(crate) use authorities::system_authorities;
pub(crate) use changes::{Change, Changes, WatchId};
pub(crate) use clocks::now;
pub(crate) use directory::{Attributes, Directory, Kind, attributes, foreign_parent};
pub(crate) use exposure::{Exposure, exposure, make_private_command, quoted};
pub(crate) use files::open_nonblocking;
#[cfg(feature = "cli")]
pub(crate) use files::{create_private_dir, create_private_file, sync_dir};
pub(crate) use folders::{cache_dir, config_dir, go_config_dir};
pub(crate) use privilege::is_privileged;
pub(crate) use process::ProcessId;
#[cfg(feature = "capi")]
pub(crate) use process::run_in_forked_children;
#[cfg(feature = "capi")]
pub(crate) use threads::CancellationDisabled;
pub(crate) use threads::{spawn_without_signals, without_sigpipe};
#[cfg(all(unix, feature = "capi"))]
pub(crate) use unix::event::Event;
pub(crate) use variables::{is_started_with, os_string, variable_key};
#[cfg(all(windows, feature = "capi"))]
pub(crate) use windows::event::Event;
