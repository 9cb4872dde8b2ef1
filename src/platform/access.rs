//! Explains why the system does not let this process open a file.

use std::path::Path;

/// Returns who owns the file, or the directory above it that may not be searched, and who this
/// process is, as the end of a sentence; `None` if the system does not say.
#[cfg(unix)]
pub(crate) fn denied_by(path: &Path) -> Option<Denial> {
    use crate::error::printable_path;
    use std::os::unix::fs::MetadataExt;

    // A file cannot be examined if a directory above it may not be searched. The deepest path that
    // can be examined is then that directory.
    let (found, metadata) = path.ancestors().find_map(|path| Some((path, std::fs::metadata(path).ok()?)))?;
    let user = nix::unistd::geteuid().as_raw();
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    let subject = if found == path { "it".to_owned() } else { format!("the directory {}", printable_path(found)) };
    Some(Denial {
        explanation: format!("{subject} belongs to user {owner} and has mode {mode:04o}, and this process runs as user {user}"),
        path: printable_path(found),
        user: user.to_string(),
    })
}

/// Outside Unix, the reason is in access lists, which have no short form.
#[cfg(not(unix))]
pub(crate) fn denied_by(_path: &Path) -> Option<Denial> {
    None
}

/// The result of [`denied_by`].
pub(crate) struct Denial {
    /// "it belongs to user 0 and has mode 0600, and this process runs as user 1000".
    pub(crate) explanation: String,
    /// The file or directory that may not be opened, for messages.
    pub(crate) path: String,
    /// The user of this process.
    pub(crate) user: String,
}
