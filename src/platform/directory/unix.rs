//! A directory that is opened once, so that nobody can put another one in its place between two steps.

use nix::dir::Dir;
use nix::fcntl::{OFlag, open, openat, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};
use std::fs::{DirBuilder, File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::Path;

use super::{Attributes, Kind};

const PRIVATE_FILE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);

/// An open directory. What is done through it is done in this very directory, whatever becomes of its path.
#[derive(Debug)]
pub(crate) struct Directory(File);

impl Directory {
    /// Opens the directory at `path`. A link in its place is an error; links further up are followed.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        uninterrupted(|| open(path, flags, Mode::empty())).map(|opened| Self(File::from(opened)))
    }

    /// Makes a directory, and those above it that are missing, that nobody else can enter from its first moment on.
    pub(crate) fn create(path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    pub(crate) fn attributes(&self) -> io::Result<Attributes> {
        attributes(&self.0)
    }

    /// Opens a file of this directory for reading, at once even where it is a named pipe. A link is an error.
    pub(crate) fn open_file(&self, name: &str) -> io::Result<File> {
        self.open_at(name, OFlag::O_RDONLY)
    }

    /// Opens a file of this directory for reading and writing, and makes it where it is missing. A link is an error.
    pub(crate) fn open_or_create_file(&self, name: &str) -> io::Result<File> {
        self.open_at(name, OFlag::O_RDWR | OFlag::O_CREAT)
    }

    /// Makes a file in this directory, which must not exist, that nobody else can open from its first moment on.
    pub(crate) fn create_file(&self, name: &str) -> io::Result<File> {
        self.open_at(name, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL)
    }

    /// Gives the file `from` the name `to`, in place of the file that had it.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        uninterrupted(|| renameat(&self.0, from, &self.0, to))
    }

    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        uninterrupted(|| unlinkat(&self.0, name, UnlinkatFlags::NoRemoveDir))
    }

    /// The names in this directory, but for those that are not UTF-8.
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

    fn open_at(&self, name: &str, flags: OFlag) -> io::Result<File> {
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        uninterrupted(|| openat(&self.0, name, flags, PRIVATE_FILE)).map(|opened: OwnedFd| File::from(opened))
    }
}

/// What the system says of an opened file.
pub(crate) fn attributes(file: &File) -> io::Result<Attributes> {
    let metadata = uninterrupted(|| file.metadata())?;
    Ok(Attributes {
        kind: kind(&metadata),
        foreign_owner: (metadata.uid() != geteuid().as_raw()).then(|| metadata.uid()),
        open_to_others: (metadata.mode() & 0o077 != 0).then(|| metadata.mode() & 0o7777),
        names: metadata.nlink(),
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

/// Slow file systems may be interrupted by a signal; that is no reason to go without the cache.
fn uninterrupted<T, E: Into<io::Error>>(mut call: impl FnMut() -> Result<T, E>) -> io::Result<T> {
    loop {
        match call().map_err(Into::into) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
