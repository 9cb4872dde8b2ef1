//! `file:PATH`: the secret in a private file.

use crate::failure::Failure;
use crate::output;
use crate::sink::file::SinkFile;
use crate::wiped::Wiped;
use std::fs;
use std::path::{Path, PathBuf};
use tokenwell::Status;
use tokenwell::error::printable_path;
use zeroize::Zeroizing;

/// The most links from the given path to the file.
const MOST_LINKS: u32 = 16;

pub(super) struct PrivateFile {
    shown: String,
    path: PathBuf,
    file: SinkFile,
}

/// The file with the owner and the mode of the one that it replaces.
#[cfg(unix)]
fn like_existing(file: SinkFile, path: &Path, shown: &str) -> Result<SinkFile, Failure> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    let Ok(found) = fs::symlink_metadata(path) else { return Ok(file) };
    let mode = found.permissions().mode() & 0o7777;
    if mode & !0o600 != 0 {
        return Err(Failure::new(
            Status::Refused,
            format!("--to: `{shown}` has the mode {mode:04o}, which allows more than its owner to read and write it"),
            format!("Make it private with `chmod 600 {shown}`, or use another file."),
        ));
    }
    Ok(SinkFile::at(path, mode)?.with_owner(found.uid(), found.gid()))
}

/// Permissions are inherited from the directory.
#[cfg(not(unix))]
fn like_existing(file: SinkFile, _path: &Path, _shown: &str) -> Result<SinkFile, Failure> {
    Ok(file)
}

impl PrivateFile {
    /// Checks that the file can be written. One that exists is replaced only if `may_replace`, and keeps its
    /// owner and its mode.
    pub(super) fn prepare(given: &Path, may_replace: bool) -> Result<Self, Failure> {
        let shown = printable_path(given);
        let path = file_of_links(given)?;
        let file = SinkFile::at(&path, 0o600)?;
        if file.exists() && !may_replace {
            return Err(Failure::new(
                Status::Refused,
                format!("--to: `{shown}` exists"),
                "It may have the secret of another account. Remove it, or use another name.",
            ));
        }
        let file = like_existing(file, &path, &shown)?;
        file.check_writable()?;
        Ok(Self { shown, path, file })
    }

    pub(super) fn store(&mut self, secret: &str) -> Result<String, Failure> {
        self.file.replace(Wiped::of(&[secret, "\n"]).as_bytes())?;
        self.file.sync_directory()?;
        let shown = &self.shown;
        let read = fs::read(&self.path).map(Zeroizing::new);
        if !read.is_ok_and(|read| read.strip_suffix(b"\n") == Some(secret.as_bytes())) {
            return Err(Failure::new(
                Status::CannotWrite,
                format!("`{shown}` was written, but cannot be read back"),
                "Check the file system.",
            ));
        }
        output::message(&format!("stored the secret in {shown}"));
        Ok(format!("in {shown}"))
    }
}

/// The file to which symbolic links lead, which need not exist. The file is replaced and the links stay.
fn file_of_links(given: &Path) -> Result<PathBuf, Failure> {
    let refused = |problem: &str| {
        Failure::new(Status::Refused, format!("--to: `{}` {problem}", printable_path(given)), "Use the name of the file itself.")
    };
    let mut path = given.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(next) = fs::read_link(&path) else { return Ok(path) };
        if !is_own_link(&path) {
            return Err(refused("is a symbolic link of another user"));
        }
        // An absolute link replaces the whole path.
        path = path.parent().unwrap_or(Path::new("")).join(next);
    }
    Err(refused("leads through too many symbolic links"))
}

/// Whether this user or root has created the link: another user could lead the secret to any file.
#[cfg(unix)]
fn is_own_link(link: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    let owner = fs::symlink_metadata(link).map(|found| found.uid());
    owner.is_ok_and(|owner| owner == 0 || owner == nix::unistd::geteuid().as_raw())
}

#[cfg(not(unix))]
fn is_own_link(_link: &Path) -> bool {
    true
}
