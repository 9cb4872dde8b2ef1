//! Files that work, and that other users can get at.

use crate::error::printable;
use crate::platform::{self, Exposure};
use std::path::Path;

/// A file that other users can read or write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExposedFile {
    path: String,
    problem: &'static str,
}

impl ExposedFile {
    /// The file at `path`, if others can do with it what is `too_much`. One that cannot be looked at is for its readers to complain about.
    pub(super) fn of(path: &Path, too_much: impl Fn(Exposure) -> bool) -> Option<Self> {
        let exposure = platform::exposure(&std::fs::metadata(path).ok()?);
        let problem = match (exposure.readable, exposure.writable) {
            (true, true) => "may be read and written by other users",
            (true, false) => "may be read by other users",
            _ => "may be written by other users",
        };
        let path = std::path::absolute(path).unwrap_or(path.to_owned());
        too_much(exposure).then(|| Self { path: printable(&path.to_string_lossy(), 1000), problem })
    }

    /// Its absolute path, made printable.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What others can do, as the end of a sentence that begins with the path: "may be read by other users".
    #[must_use]
    pub fn problem(&self) -> &'static str {
        self.problem
    }

    /// The command that makes it private.
    #[must_use]
    pub fn closing_command(&self) -> String {
        platform::make_private_command(&self.path, "600")
    }
}
