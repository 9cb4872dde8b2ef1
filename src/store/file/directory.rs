//! The store's directory, opened and checked, and the operations in it.

use super::super::{StoreError, seal};
use super::inspection::find_problem;
use crate::error::printable_path;
use crate::platform::{self, Directory, Kind};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The suffix of a file that is being written. A writer that is killed before the rename leaves
/// such a file.
pub(super) const TEMPORARY_SUFFIX: &str = ".temp";

/// An open directory that this user owns and that is private, or whose owner and mode are not
/// checked by configuration.
#[derive(Debug)]
pub(super) struct StoreDirectory {
    directory: Directory,
    path: PathBuf,
    allow_unsafe: bool,
}

impl StoreDirectory {
    /// Opens the directory at `path`. Returns `None` if it does not exist.
    pub(super) fn open(path: &Path, allow_unsafe: bool) -> Result<Option<Self>, StoreError> {
        let directory = match Directory::open(path) {
            Ok(directory) => directory,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(open_error(path, error)),
        };
        let attributes = directory.attributes().map_err(|error| open_error(path, error))?;
        if let Some(problem) = find_problem(&printable_path(path), &attributes, Kind::Directory, allow_unsafe) {
            return Err(refused(path, &problem));
        }
        Ok(Some(Self { directory, path: path.to_owned(), allow_unsafe }))
    }

    /// Opens the directory at `path`, and creates it if it does not exist.
    pub(super) fn open_or_create(path: &Path, allow_unsafe: bool) -> Result<Self, StoreError> {
        if let Some(store_directory) = Self::open(path, allow_unsafe)? {
            return Ok(store_directory);
        }
        if let Some((parent, owner)) = platform::foreign_parent(path).filter(|_| !allow_unsafe) {
            return Err(refused(
                path,
                &format!(
                    "does not exist and is not created: this process runs as root, and {} belongs to another user ({owner}), whose programs \
                 could not use it. Run the program as that user, or set TOKENWELL_CACHE_DIR to a directory of root",
                    printable_path(&parent)
                ),
            ));
        }
        Directory::create(path)
            .map_err(|error| StoreError::because(format_args!("cannot create the directory {}", printable_path(path)), error))?;
        Self::open(path, allow_unsafe)?
            .ok_or_else(|| StoreError::new(format!("the directory {} was removed right after its creation", printable_path(path))))
    }

    /// Returns the content of the file `name`, or `None` if it does not exist or is longer than
    /// `max_size` bytes.
    pub(super) fn read(&self, name: &str, max_size: usize) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(file) = self.open_file(name)? else { return Ok(None) };
        let failed = |error| StoreError::because(format_args!("cannot read {}", printable_path(&self.path.join(name))), error);
        let length = platform::attributes(&file).map_err(failed)?.length;
        let Some(length) = usize::try_from(length).ok().filter(|length| *length <= max_size) else { return Ok(None) };
        let mut bytes = Vec::with_capacity(length + 1);
        file.take(max_size as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
        Ok((bytes.len() <= max_size).then_some(bytes))
    }

    /// Replaces the content of the file `name` with `bytes`: a reader sees all of the old content
    /// or all of the new.
    ///
    /// Nothing is flushed to the disk. After a power failure the file may be torn, which the seal
    /// detects. One token request is cheaper than a flush at every save.
    pub(super) fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        // An existing file that does not have the expected type, owner or mode is left for the user
        // to examine.
        self.open_file(name)?;
        let path = self.path.join(name);
        let temporary = format!("{name}.{}{TEMPORARY_SUFFIX}", seal::random_name()?);
        let failed = |error| StoreError::because(format_args!("cannot write {}", printable_path(&path)), error);
        let mut file = self.directory.create_file(&temporary).map_err(failed)?;
        let replaced = file.write_all(bytes).and_then(|()| self.directory.rename(&temporary, name));
        replaced.map_err(|error| {
            // If this fails too, a later save removes the file.
            let _ = self.directory.remove(&temporary);
            failed(error)
        })
    }

    /// Returns the names of the files in the directory.
    pub(super) fn names(&self) -> Result<Vec<String>, StoreError> {
        self.directory.names().map_err(|error| StoreError::because(format_args!("cannot read {}", printable_path(&self.path)), error))
    }

    /// Calls `visit` with about `count` of these names, from `position` on. Returns the position behind
    /// them, or `None` at the end of the directory.
    pub(super) fn visit_names(&self, position: u64, count: usize, visit: &mut dyn FnMut(&str)) -> io::Result<Option<u64>> {
        self.directory.visit_names(position, count, visit)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn allows_unsafe(&self) -> bool {
        self.allow_unsafe
    }

    /// Returns the size of the file `name` and the time of its last write, or `None` if it does not
    /// exist.
    pub(super) fn size_and_time(&self, name: &str) -> Result<Option<(u64, Option<SystemTime>)>, StoreError> {
        let Some(file) = self.open_file(name)? else { return Ok(None) };
        let found = platform::attributes(&file).map_err(|error| open_error(&self.path.join(name), error))?;
        Ok(Some((found.length, found.modified)))
    }

    /// Returns the identity of the file `name`, as in its attributes, or `None` if it does not exist.
    pub(super) fn identity_of(&self, name: &str) -> Result<Option<(u64, u64)>, StoreError> {
        match self.directory.identity_of(name) {
            Ok(identity) => Ok(Some(identity)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(open_error(&self.path.join(name), error)),
        }
    }

    /// Removes the file `name`. Returns whether it existed.
    pub(super) fn remove(&self, name: &str) -> Result<bool, StoreError> {
        match self.directory.remove(name) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StoreError::because(format_args!("cannot remove {}", printable_path(&self.path.join(name))), error)),
        }
    }

    /// Opens the file `name` for reading and writing, and creates it if it does not exist.
    pub(super) fn open_or_create_file(&self, name: &str) -> Result<File, StoreError> {
        let opened = self.directory.open_or_create_file(name);
        self.checked(opened, name)
    }

    /// Opens the file `name`. Returns `None` if it does not exist.
    pub(super) fn open_file(&self, name: &str) -> Result<Option<File>, StoreError> {
        match self.directory.open_file(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => self.checked(opened, name).map(Some),
        }
    }

    /// Returns the opened file if it may be used. The check applies to the open file and not to the
    /// path, so the file cannot be exchanged in between.
    fn checked(&self, opened: io::Result<File>, name: &str) -> Result<File, StoreError> {
        let path = self.path.join(name);
        let file = opened.map_err(|error| open_error(&path, error))?;
        let attributes = platform::attributes(&file).map_err(|error| open_error(&path, error))?;
        match find_problem(&printable_path(&path), &attributes, Kind::File, self.allow_unsafe) {
            None => Ok(file),
            Some(problem) => Err(refused(&path, &problem)),
        }
    }
}

fn refused(path: &Path, problem: &str) -> StoreError {
    StoreError::new(format!("{} {problem}", printable_path(path)))
}

/// Systems return different errors for a link that is not followed, so this checks the path again.
/// The result only selects the message.
fn open_error(path: &Path, error: io::Error) -> StoreError {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => {
            refused(path, "is a symbolic link, which is not followed. Remove it, or set TOKENWELL_CACHE_DIR to its target")
        }
        _ => StoreError::because(format_args!("cannot open {}", printable_path(path)), error),
    }
}
