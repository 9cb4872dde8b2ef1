//! Files that are usable but have insecure permissions.

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
    /// Returns the file at `path` if `too_much` is true for its permissions. A file that cannot be
    /// inspected is ignored here: reading it reports the error.
    pub(super) fn of(path: &Path, too_much: impl Fn(Exposure) -> bool) -> Option<Self> {
        let exposure = platform::exposure(&std::fs::metadata(path).ok()?);
        let problem = match (exposure.readable, exposure.writable) {
            (true, true) => "is readable and writable by other users",
            (true, false) => "is readable by other users",
            _ => "is writable by other users",
        };
        let path = std::path::absolute(path).unwrap_or(path.to_owned());
        too_much(exposure).then(|| Self { path: printable(&path.to_string_lossy(), 1000), problem })
    }

    /// Returns its absolute path, made printable.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the end of a sentence that begins with the path: "is readable by other users".
    #[must_use]
    pub fn problem(&self) -> &'static str {
        self.problem
    }

    /// Returns the command that removes the permissions of other users.
    #[must_use]
    pub fn closing_command(&self) -> String {
        platform::make_private_command(&self.path, "600")
    }
}
