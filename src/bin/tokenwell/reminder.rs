//! Warnings that are repeated once a day at most. A loop of commands without a token cache would
//! otherwise print the same warning a hundred times.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const INTERVAL: Duration = Duration::from_secs(86_400);

/// Whether `warning` was not shown within the last day; then it counts as shown now. The time is that
/// of an empty file in the user's private directory `XDG_RUNTIME_DIR`. Without this directory nothing
/// can be remembered, and the warning is always due.
pub(crate) fn is_due(warning: &str) -> bool {
    directory().is_none_or(|directory| is_due_in(&directory, warning, SystemTime::now()))
}

fn directory() -> Option<PathBuf> {
    std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute())
}

fn is_due_in(directory: &Path, warning: &str, now: SystemTime) -> bool {
    let marker = directory.join(format!("tokenwell-warning-{:016x}", hash(warning)));
    let shown = std::fs::symlink_metadata(&marker).and_then(|metadata| metadata.modified());
    let distance = |shown: SystemTime| now.duration_since(shown).unwrap_or_else(|future| future.duration());
    // A time far in the future was written before the clock was corrected.
    if shown.is_ok_and(|shown| distance(shown) < INTERVAL) {
        return false;
    }
    // A new file has the current time. If it cannot be written, the next command warns again.
    let _ = std::fs::remove_file(&marker);
    let _ = std::fs::OpenOptions::new().write(true).create_new(true).open(&marker);
    true
}

/// FNV-1a: the same in every version and process, which the hashes of std are not.
fn hash(warning: &str) -> u64 {
    warning.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_same_warning_is_due_once_a_day_and_another_one_immediately() {
        let directory = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let due = |warning: &str, now| is_due_in(directory.path(), warning, now);

        assert!(due("no cache", now) && !due("no cache", now));
        assert!(due("another", now));
        assert!(!due("no cache", now + INTERVAL / 2));
        assert!(due("no cache", now + INTERVAL * 2));
    }

    #[test]
    fn a_directory_that_does_not_exist_remembers_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing");

        assert!(is_due_in(&missing, "no cache", SystemTime::now()) && is_due_in(&missing, "no cache", SystemTime::now()));
    }
}
