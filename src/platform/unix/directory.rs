//! A directory that is opened once, so that it cannot be replaced by another one between two
//! operations.

use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag, open, openat, renameat};
use nix::sys::stat::{Mode, fstatat};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};
use std::fs::{DirBuilder, File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::Path;

use crate::platform::{Attributes, Kind};

const PRIVATE_FILE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);

/// An open directory. All operations act on this directory, even if its path is renamed or
/// replaced.
#[derive(Debug)]
pub(crate) struct Directory(File);

impl Directory {
    /// Opens the directory at `path`.
    ///
    /// Symbolic links in its parents are followed.
    ///
    /// # Errors
    ///
    /// Fails if `path` itself is a symbolic link.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        retry_on_eintr(|| open(path, flags, Mode::empty())).map(|opened| Self(File::from(opened)))
    }

    /// Creates a directory and its missing parents. Mode 0700 is set at creation, so other users
    /// can never enter it.
    pub(crate) fn create(path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    pub(crate) fn attributes(&self) -> io::Result<Attributes> {
        attributes(&self.0)
    }

    /// Opens a file of this directory for reading. Does not block, even if the file is a named
    /// pipe. Fails if it is a symbolic link.
    pub(crate) fn open_file(&self, name: &str) -> io::Result<File> {
        self.open_at(name, OFlag::O_RDONLY)
    }

    /// Opens a file of this directory for reading and writing, and creates it if it does not exist.
    /// Fails if it is a symbolic link.
    pub(crate) fn open_or_create_file(&self, name: &str) -> io::Result<File> {
        self.open_at(name, OFlag::O_RDWR | OFlag::O_CREAT)
    }

    /// Creates a file in this directory. Mode 0600 is set at creation, so other users can never
    /// open it. Fails if the file exists already.
    pub(crate) fn create_file(&self, name: &str) -> io::Result<File> {
        self.open_at(name, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL)
    }

    /// Renames the file `from` to `to`. An existing file `to` is replaced.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        retry_on_eintr(|| renameat(&self.0, from, &self.0, to))
    }

    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        retry_on_eintr(|| unlinkat(&self.0, name, UnlinkatFlags::NoRemoveDir))
    }

    /// Returns the device and inode number of the file `name`, without opening it: other processes
    /// may watch who closes it.
    pub(crate) fn identity_of(&self, name: &str) -> io::Result<(u64, u64)> {
        let found = retry_on_eintr(|| fstatat(&self.0, name, AtFlags::AT_SYMLINK_NOFOLLOW))?;
        // The width of the fields depends on the system.
        #[allow(clippy::useless_conversion, clippy::unnecessary_fallible_conversions)]
        Ok((u64::try_from(found.st_dev).unwrap_or_default(), u64::from(found.st_ino)))
    }

    /// Returns the names in this directory, except those that are not valid UTF-8.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let mut listing = Dir::openat(&self.0, ".", OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
        let mut names = Vec::new();
        for entry in listing.iter() {
            if let Ok(name) = entry?.file_name().to_str() {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// Calls `visit` with the names from `position` on, except those that are not valid UTF-8. Returns
    /// the position behind them, or `None` at the end of the directory.
    ///
    /// Stops after `count` names and the rest of what the system returned with them, at most about a
    /// thousand. A position that is not valid any more is not an error: the names begin elsewhere.
    #[cfg(target_os = "linux")]
    pub(crate) fn visit_names(&self, position: u64, count: usize, visit: &mut dyn FnMut(&str)) -> io::Result<Option<u64>> {
        use nix::unistd::{Whence, lseek64};

        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let opened = File::from(retry_on_eintr(|| openat(&self.0, ".", flags, Mode::empty()))?);
        lseek64(&opened, i64::try_from(position).unwrap_or(0), Whence::SeekSet)?;
        // Shares its position with the descriptor that is listed. The position changes whenever the
        // system returns more names.
        let reader = opened.try_clone()?;
        let mut listing = Dir::from_fd(OwnedFd::from(opened))?;
        let (mut visited, mut end_of_batch) = (0, position);
        for entry in listing.iter() {
            let entry = entry?;
            let here = u64::try_from(lseek64(&reader, 0, Whence::SeekCur)?).unwrap_or(0);
            if here != end_of_batch {
                if visited >= count {
                    return Ok(Some(end_of_batch));
                }
                end_of_batch = here;
            }
            visited += 1;
            if let Ok(name) = entry.file_name().to_str() {
                visit(name);
            }
        }
        Ok(None)
    }

    fn open_at(&self, name: &str, flags: OFlag) -> io::Result<File> {
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        retry_on_eintr(|| openat(&self.0, name, flags, PRIVATE_FILE)).map(|opened: OwnedFd| File::from(opened))
    }
}

/// Returns the attributes of an open file.
pub(crate) fn attributes(file: &File) -> io::Result<Attributes> {
    let metadata = retry_on_eintr(|| file.metadata())?;
    Ok(Attributes {
        kind: kind(&metadata),
        foreign_owner: (metadata.uid() != geteuid().as_raw()).then(|| metadata.uid()),
        open_to_others: (metadata.mode() & 0o077 != 0).then(|| metadata.mode() & 0o7777),
        link_count: metadata.nlink(),
        identity: (metadata.dev(), metadata.ino()),
        length: metadata.len(),
        modified: metadata.modified().ok(),
    })
}

fn kind(metadata: &Metadata) -> Kind {
    let kind = metadata.file_type();
    if kind.is_file() {
        Kind::File
    } else if kind.is_dir() {
        Kind::Directory
    } else if kind.is_fifo() {
        Kind::Other("a named pipe")
    } else if kind.is_socket() {
        Kind::Other("a socket")
    } else {
        Kind::Other("a device")
    }
}

/// Retries a call that fails with `EINTR`. A signal can interrupt calls on slow file systems; the
/// cache must still work then.
fn retry_on_eintr<T, E: Into<io::Error>>(mut call: impl FnMut() -> Result<T, E>) -> io::Result<T> {
    loop {
        match call().map_err(Into::into) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
