//! What differs between operating systems, behind functions that every one of them has.
//!
//! May depend on: clock (for `Moment`). Start reading anywhere: the files know nothing of each other. `clocks`, `threads`, `files`, `folders` say where things are and
//! how they are made; `exposure` says who else can get at them; `directory` is an open folder that nobody can swap for another.

mod clocks;
mod directory;
mod exposure;
mod files;
mod folders;
mod threads;

pub(crate) use clocks::now;
pub(crate) use directory::{Attributes, Directory, Kind, attributes};
pub(crate) use exposure::{Exposure, closing_command, exposure, quoted};
pub(crate) use files::open_without_waiting;
#[cfg(feature = "cli")]
pub(crate) use files::{create_private_file, create_private_folder, settle_folder};
pub(crate) use folders::{cache_folder, settings_folder, settings_folder_of_go};
pub(crate) use threads::spawn_without_signals;
