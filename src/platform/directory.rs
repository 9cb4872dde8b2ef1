//! An open directory whose files are accessed by name, and the attributes of files and directories.

#[cfg(unix)]
pub(crate) use super::unix::directory::{Directory, attributes};
#[cfg(windows)]
pub(crate) use super::windows::directory::{Directory, attributes};

use std::time::SystemTime;

/// The attributes of an open file or directory.
#[derive(Clone, Debug)]
pub(crate) struct Attributes {
    pub(crate) kind: Kind,
    /// The user id of the owner, if it is not the effective user of this process.
    pub(crate) foreign_owner: Option<u32>,
    /// The mode, if it gives access to users other than the owner.
    pub(crate) open_to_others: Option<u32>,
    /// The number of hard links; 0 if the file was removed or replaced after it was opened.
    pub(crate) link_count: u64,
    /// The device and inode number, which identify the file; (0, 0) where they are not known.
    pub(crate) identity: (u64, u64),
    pub(crate) length: u64,
    /// The time of the last write, if it is known.
    pub(crate) modified: Option<SystemTime>,
}

/// The kind of an open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    /// Another kind, with its description for messages, such as "a socket".
    Other(&'static str),
}
