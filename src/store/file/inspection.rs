//! Checks of files and directories: which are refused, and what the user can do.

use crate::platform::{Attributes, Kind, make_private_command};

/// Returns why `found`, opened at `path`, is not a private `expected`, as the end of a sentence
/// that begins with the path, and what to do. Returns `None` if it may be used.
///
/// The kind and the number of hard links are always checked, owner and mode unless `allow_unsafe`.
pub(super) fn find_problem(path: &str, found: &Attributes, expected: Kind, allow_unsafe: bool) -> Option<String> {
    const OVERRIDE: &str = "If the file system reports wrong owners and modes, TOKENWELL_CACHE_UNSAFE=1 skips this check";
    if found.kind != expected {
        return Some(format!("is {}, not {}. Remove it", describe(found.kind), describe(expected)));
    }
    // No link at all means that the file was replaced after it was opened. Its content is still
    // good.
    if expected == Kind::File && found.link_count > 1 {
        return Some(format!("has {} hard links. Remove it", found.link_count));
    }
    if allow_unsafe {
        return None;
    }
    if let Some(owner) = found.foreign_owner {
        return Some(format!("belongs to another user ({owner}). Set TOKENWELL_CACHE_DIR to a directory that you own. {OVERRIDE}"));
    }
    if let Some(mode) = found.open_to_others {
        let close = make_private_command(path, if expected == Kind::Directory { "0700" } else { "0600" });
        return Some(format!(
            "is accessible to other users (mode {mode:04o}). Make it private ({close}), or set TOKENWELL_CACHE_DIR to a new \
             directory below it, which tokenwell creates as a private one. {OVERRIDE}"
        ));
    }
    None
}

fn describe(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "a regular file",
        Kind::Directory => "a directory",
        Kind::Other(description) => description,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn private(kind: Kind) -> Attributes {
        Attributes { kind, foreign_owner: None, open_to_others: None, link_count: 1, identity: (1, 2), length: 9, modified: None }
    }

    fn with(kind: Kind, change: impl FnOnce(&mut Attributes)) -> Attributes {
        let mut attributes = private(kind);
        change(&mut attributes);
        attributes
    }

    #[test]
    fn i10_private_files_and_directories_are_taken() {
        assert_eq!(find_problem("/f", &private(Kind::File), Kind::File, false), None);
        assert_eq!(find_problem("/f", &with(Kind::Directory, |found| found.link_count = 5), Kind::Directory, false), None);
        assert_eq!(find_problem("/f", &with(Kind::File, |found| found.link_count = 0), Kind::File, false), None);
    }

    #[test]
    fn i10_each_fault_is_named_with_its_way_out() {
        let table = [
            (with(Kind::File, |found| found.foreign_owner = Some(65_534)), "another user (65534)", "TOKENWELL_CACHE_UNSAFE=1"),
            (with(Kind::File, |found| found.open_to_others = Some(0o604)), "mode 0604", "chmod 0600 /f"),
            (with(Kind::File, |found| found.link_count = 2), "2 hard links", "Remove it"),
            (private(Kind::Directory), "is a directory", "Remove it"),
            (private(Kind::Other("a device")), "is a device", "Remove it"),
        ];

        for (found, what, remedy) in table {
            let problem = find_problem("/f", &found, Kind::File, false).unwrap_or_default();
            assert!(problem.contains(what) && problem.contains(remedy), "{found:?}: {problem:?}");
        }
    }

    #[test]
    fn the_override_is_for_owner_and_mode_alone() {
        assert_eq!(find_problem("/f", &with(Kind::File, |found| found.foreign_owner = Some(1)), Kind::File, true), None);
        assert_eq!(find_problem("/f", &with(Kind::File, |found| found.open_to_others = Some(0o666)), Kind::File, true), None);
        assert!(find_problem("/f", &with(Kind::File, |found| found.link_count = 2), Kind::File, true).is_some());
        assert!(find_problem("/f", &private(Kind::Other("a named pipe")), Kind::File, true).is_some());
    }
}
