//! The store's directory, opened and found to be safe, and what is done in it.

use super::super::{StoreError, seal};
use super::inspection::fault;
use crate::error::printable_path;
use crate::platform::{self, Directory, Kind};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What a writer leaves that was killed before it could rename its file.
const UNFINISHED: &str = ".temp";
/// No writer that lives takes so long. One that was stopped for longer finds its file gone, says so, and has harmed nothing.
const LEFT_BEHIND: Duration = Duration::from_secs(10 * 60);

/// An open directory that is ours and private, or whose owner and mode we were told not to look at.
#[derive(Debug)]
pub(super) struct Place {
    directory: Directory,
    path: PathBuf,
    allow_unsafe: bool,
}

impl Place {
    /// The directory at `path`; `None` where there is none.
    pub(super) fn open(path: &Path, allow_unsafe: bool) -> Result<Option<Self>, StoreError> {
        let directory = match Directory::open(path) {
            Ok(directory) => directory,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(not_opened(path, error)),
        };
        let attributes = directory.attributes().map_err(|error| not_opened(path, error))?;
        if let Some(fault) = fault(&printable_path(path), &attributes, Kind::Directory, allow_unsafe) {
            return Err(refused(path, &fault));
        }
        Ok(Some(Self { directory, path: path.to_owned(), allow_unsafe }))
    }

    /// The directory at `path`, which is made where there is none.
    pub(super) fn open_or_create(path: &Path, allow_unsafe: bool) -> Result<Self, StoreError> {
        if let Some(place) = Self::open(path, allow_unsafe)? {
            return Ok(place);
        }
        Directory::create(path)
            .map_err(|error| StoreError::because(format_args!("cannot create the directory {}", printable_path(path)), error))?;
        Self::open(path, allow_unsafe)?
            .ok_or_else(|| StoreError::new(format!("the directory {} was removed right after its creation", printable_path(path))))
    }

    /// What the file `name` holds; `None` where there is none, or where it holds more than `most` bytes.
    pub(super) fn read(&self, name: &str, most: usize) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(file) = self.open_file(name)? else { return Ok(None) };
        let failed = |error| StoreError::because(format_args!("cannot read {}", printable_path(&self.path.join(name))), error);
        let length = platform::attributes(&file).map_err(failed)?.length;
        let Some(length) = usize::try_from(length).ok().filter(|length| *length <= most) else { return Ok(None) };
        let mut bytes = Vec::with_capacity(length + 1);
        file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
        Ok((bytes.len() <= most).then_some(bytes))
    }

    /// Makes `bytes` the content of the file `name`: whoever reads it finds all of the old or all of the new.
    ///
    /// Nothing is flushed to the disk. After a power failure the file may be torn, which the seal tells from a record: one token request is
    /// cheaper than a wait for the disk at every one.
    pub(super) fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        // Something in its place that is not as we make it is for the user to look at and not for us to remove.
        self.open_file(name)?;
        let path = self.path.join(name);
        let unfinished = format!("{name}.{}{UNFINISHED}", seal::random_name()?);
        let failed = |error| StoreError::because(format_args!("cannot write {}", printable_path(&path)), error);
        let mut file = self.directory.create_file(&unfinished).map_err(failed)?;
        let replaced = file.write_all(bytes).and_then(|()| self.directory.rename(&unfinished, name));
        replaced.map_err(|error| {
            // Where not even this can be done, a later save will do it.
            let _ = self.directory.remove(&unfinished);
            failed(error)
        })
    }

    /// The names of the files in it.
    pub(super) fn names(&self) -> Result<Vec<String>, StoreError> {
        self.directory.names().map_err(|error| StoreError::because(format_args!("cannot read {}", printable_path(&self.path)), error))
    }

    /// How large the file `name` is and when it was last written; `None` where there is none.
    pub(super) fn size_and_time(&self, name: &str) -> Result<Option<(u64, Option<SystemTime>)>, StoreError> {
        let Some(file) = self.open_file(name)? else { return Ok(None) };
        let found = platform::attributes(&file).map_err(|error| not_opened(&self.path.join(name), error))?;
        Ok(Some((found.length, found.modified)))
    }

    /// Removes the file `name`; whether it was there.
    pub(super) fn remove(&self, name: &str) -> Result<bool, StoreError> {
        match self.directory.remove(name) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StoreError::because(format_args!("cannot remove {}", printable_path(&self.path.join(name))), error)),
        }
    }

    /// Opens the file `name` for reading and writing, and makes it where it is missing.
    pub(super) fn open_or_create_file(&self, name: &str) -> Result<File, StoreError> {
        let opened = self.directory.open_or_create_file(name);
        self.inspected(opened, name)
    }

    /// Opens the file `name`; `None` where there is none.
    pub(super) fn open_file(&self, name: &str) -> Result<Option<File>, StoreError> {
        match self.directory.open_file(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => self.inspected(opened, name).map(Some),
        }
    }

    /// Removes what writers left behind that were killed long ago. To fail here costs nobody anything.
    pub(super) fn remove_leftovers(&self) {
        let names = self.directory.names().unwrap_or_default();
        for name in names.iter().filter(|name| is_unfinished(name)) {
            if self.is_left_behind(name) {
                let _ = self.directory.remove(name);
            }
        }
    }

    fn is_left_behind(&self, name: &str) -> bool {
        let Ok(Some(file)) = self.open_file(name) else { return false };
        let age = platform::attributes(&file).ok().and_then(|found| SystemTime::now().duration_since(found.modified?).ok());
        age.is_some_and(|age| age > LEFT_BEHIND)
    }

    /// The file that was opened, if it may be used: it is the opened one that is looked at, so nobody can put another in its place.
    fn inspected(&self, opened: io::Result<File>, name: &str) -> Result<File, StoreError> {
        let path = self.path.join(name);
        let file = opened.map_err(|error| not_opened(&path, error))?;
        let attributes = platform::attributes(&file).map_err(|error| not_opened(&path, error))?;
        match fault(&printable_path(&path), &attributes, Kind::File, self.allow_unsafe) {
            None => Ok(file),
            Some(fault) => Err(refused(&path, &fault)),
        }
    }
}

/// Whether `name` is one that [`Place::replace`] gives: the directory may be one in which others keep things too.
fn is_unfinished(name: &str) -> bool {
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let parts = name.strip_suffix(UNFINISHED).and_then(|name| name.split_once(".token."));
    parts.is_some_and(|(slot, random)| digits(slot, 32) && digits(random, 16))
}

fn refused(path: &Path, fault: &str) -> StoreError {
    StoreError::new(format!("refused for safety: {} {fault}", printable_path(path)))
}

/// Systems disagree on the error for a link that is not followed, so a second look finds the words for it. It decides nothing.
fn not_opened(path: &Path, error: io::Error) -> StoreError {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => {
            refused(path, "is a symbolic link, which is not followed: remove it, or set TOKENWELL_CACHE_DIR to its target")
        }
        _ => StoreError::because(format_args!("cannot open {}", printable_path(path)), error),
    }
}
