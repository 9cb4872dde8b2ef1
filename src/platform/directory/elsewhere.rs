//! A directory by its path, for systems on which access lists keep a user's cache directory from others.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::{Attributes, Kind};

/// A directory. Owners, modes and link counts are not known here and count as right.
#[derive(Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    /// Opens the directory at `path`. A link in its place is an error; links further up are followed.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        if !fs::symlink_metadata(path)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self(path.to_owned()))
    }

    /// Makes a directory, and those above it that are missing.
    pub(crate) fn create(path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    pub(crate) fn attributes(&self) -> io::Result<Attributes> {
        Ok(of(&fs::symlink_metadata(&self.0)?))
    }

    /// Opens a file of this directory for reading. A link is an error.
    pub(crate) fn open_file(&self, name: &str) -> io::Result<File> {
        self.refuse_link(name)?;
        OpenOptions::new().read(true).open(self.0.join(name))
    }

    /// Opens a file of this directory for reading and writing, and makes it where it is missing. A link is an error.
    pub(crate) fn open_or_create_file(&self, name: &str) -> io::Result<File> {
        match self.refuse_link(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => OpenOptions::new().read(true).write(true).create(true).truncate(false).open(self.0.join(name)),
        }
    }

    /// Makes a file in this directory, which must not exist.
    pub(crate) fn create_file(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).open(self.0.join(name))
    }

    /// Gives the file `from` the name `to`, in place of the file that had it.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.0.join(from), self.0.join(to))
    }

    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.0.join(name))
    }

    /// The names in this directory, but for those that are not Unicode.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn refuse_link(&self, name: &str) -> io::Result<()> {
        if fs::symlink_metadata(self.0.join(name))?.is_symlink() {
            return Err(io::Error::other("a symbolic link"));
        }
        Ok(())
    }
}

/// What the system says of an opened file.
pub(crate) fn attributes(file: &File) -> io::Result<Attributes> {
    Ok(of(&file.metadata()?))
}

fn of(metadata: &fs::Metadata) -> Attributes {
    let kind = if metadata.is_file() {
        Kind::File
    } else if metadata.is_dir() {
        Kind::Directory
    } else {
        Kind::Other("neither a file nor a directory")
    };
    Attributes {
        kind,
        foreign_owner: None,
        open_to_others: None,
        names: 1,
        identity: (0, 0),
        length: metadata.len(),
        modified: metadata.modified().ok(),
    }
}
