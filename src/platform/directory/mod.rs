//! A folder that is used by names within it, and what the system says of those.

#[cfg(not(unix))]
mod elsewhere;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
pub(crate) use elsewhere::{Directory, attributes};
#[cfg(unix)]
pub(crate) use unix::{Directory, attributes};

use std::time::SystemTime;

/// What the system says of an opened file or directory.
#[derive(Clone, Debug)]
pub(crate) struct Attributes {
    pub(crate) kind: Kind,
    /// The user it belongs to, where that is not the one this process acts as.
    pub(crate) foreign_owner: Option<u32>,
    /// Its mode, where that lets others than its owner in.
    pub(crate) open_to_others: Option<u32>,
    /// How many names it has; none once another file took its place.
    pub(crate) names: u64,
    /// What tells it from any other file, where the system tells.
    pub(crate) identity: (u64, u64),
    pub(crate) length: u64,
    /// When it was last written, where the system tells.
    pub(crate) modified: Option<SystemTime>,
}

/// What it is that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    /// Something else, in words.
    Other(&'static str),
}
