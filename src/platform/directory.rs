//! An open directory whose files are accessed by name, and the attributes of files and directories.

#[cfg(unix)]
pub(crate) use super::unix::directory::{Directory, attributes};
#[cfg(windows)]
pub(crate) use super::windows::directory::{Directory, attributes};

use std::path::{Path, PathBuf};
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

/// Returns the nearest existing parent of `path` and its owner, if this process is root and should not
/// create anything in it: it belongs to another user, who could not use what root creates there.
///
/// A directory in which every user may create files, such as `/tmp`, is no reason.
#[cfg(unix)]
pub(crate) fn foreign_parent(path: &Path) -> Option<(PathBuf, u32)> {
    use std::os::unix::fs::MetadataExt;

    let (parent, metadata) = path.ancestors().skip(1).find_map(|parent| Some((parent, std::fs::metadata(parent).ok()?)))?;
    let this_user = nix::unistd::geteuid().as_raw();
    is_foreign_to_root(metadata.uid(), metadata.mode(), this_user).then(|| (parent.to_owned(), metadata.uid()))
}

#[cfg(unix)]
fn is_foreign_to_root(owner: u32, mode: u32, this_user: u32) -> bool {
    this_user == 0 && owner != 0 && mode & 0o002 == 0
}

/// Returns `None`: an administrator's files inherit the access list of the directory.
#[cfg(not(unix))]
pub(crate) fn foreign_parent(_path: &Path) -> Option<(PathBuf, u32)> {
    None
}

/// Systems on which a position in a directory cannot be kept: it is the number of names before it.
#[cfg(not(target_os = "linux"))]
impl Directory {
    /// Calls `visit` with the names from `position` on, with `count` of them. Returns the position
    /// behind them, or `None` at the end of the directory.
    pub(crate) fn visit_names(&self, position: u64, count: usize, visit: &mut dyn FnMut(&str)) -> std::io::Result<Option<u64>> {
        let names = self.names()?;
        let from = usize::try_from(position).unwrap_or(usize::MAX).min(names.len());
        let to = from.saturating_add(count).min(names.len());
        names[from..to].iter().for_each(|name| visit(name));
        Ok((to < names.len()).then_some(to as u64))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::is_foreign_to_root;

    #[test]
    fn only_root_is_kept_from_the_directories_of_others() {
        for (owner, mode, this_user, foreign) in [
            (1000, 0o755, 0, true),
            (1000, 0o700, 0, true),
            (0, 0o755, 0, false),
            (1000, 0o1777, 0, false),
            (1001, 0o755, 1000, false),
            (1000, 0o755, 1000, false),
        ] {
            assert_eq!(is_foreign_to_root(owner, mode, this_user), foreign, "{owner} {mode:o} {this_user}");
        }
    }
}
