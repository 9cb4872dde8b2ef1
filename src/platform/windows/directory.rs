//! A directory that is accessed by its path. Access lists protect a user's cache directory from other
//! users.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::platform::{Attributes, Kind};

/// A directory. Owners, modes and link counts are not known here, so they always pass the checks.
#[derive(Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    /// Opens the directory at `path`.
    ///
    /// Symbolic links in its parents are followed.
    ///
    /// # Errors
    ///
    /// Fails if `path` itself is a symbolic link.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        if !fs::symlink_metadata(path)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self(path.to_owned()))
    }

    /// Creates a directory and its missing parents.
    pub(crate) fn create(path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    pub(crate) fn attributes(&self) -> io::Result<Attributes> {
        Ok(attributes_of(&fs::symlink_metadata(&self.0)?))
    }

    /// Opens a file of this directory for reading. Fails if it is a symbolic link.
    pub(crate) fn open_file(&self, name: &str) -> io::Result<File> {
        self.reject_symlink(name)?;
        OpenOptions::new().read(true).open(self.0.join(name))
    }

    /// Opens a file of this directory for reading and writing, and creates it if it does not exist.
    /// Fails if it is a symbolic link.
    pub(crate) fn open_or_create_file(&self, name: &str) -> io::Result<File> {
        match self.reject_symlink(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => OpenOptions::new().read(true).write(true).create(true).truncate(false).open(self.0.join(name)),
        }
    }

    /// Creates a file in this directory. Fails if it exists already.
    pub(crate) fn create_file(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).open(self.0.join(name))
    }

    /// Renames the file `from` to `to`. An existing file `to` is replaced.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.0.join(from), self.0.join(to))
    }

    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.0.join(name))
    }

    /// Returns the identity of the file `name`, as [`attributes`] reports it.
    pub(crate) fn identity_of(&self, name: &str) -> io::Result<(u64, u64)> {
        Ok(attributes_of(&fs::symlink_metadata(self.0.join(name))?).identity)
    }

    /// Returns the names in this directory, except those that are not valid Unicode.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn reject_symlink(&self, name: &str) -> io::Result<()> {
        if fs::symlink_metadata(self.0.join(name))?.is_symlink() {
            return Err(io::Error::other("a symbolic link"));
        }
        Ok(())
    }
}

/// Returns the attributes of an open file.
pub(crate) fn attributes(file: &File) -> io::Result<Attributes> {
    Ok(attributes_of(&file.metadata()?))
}

fn attributes_of(metadata: &fs::Metadata) -> Attributes {
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
        link_count: 1,
        identity: (0, 0),
        length: metadata.len(),
        modified: metadata.modified().ok(),
    }
}
