//! The file store: one sealed file for each slot, in a directory that belongs to one user.
//!
//! May depend on: the store's record and seal, error, platform. Start reading at [`FileStore`]; `place` opens it and its files safely,
//! `inspection` says which are refused, `lock` lets one process at a time mint, `housekeeping` lists and clears. Where the directory is, config says.
//!
//! `docs/token-cache.md` is the whole story for those who use it.

mod housekeeping;
mod inspection;
mod lock;
mod place;

pub use housekeeping::RecordFile;

use super::seal::Seal;
use super::{Record, SlotKey, Store, StoreError, StoreLock};
use crate::error::printable_path;
use place::Place;
use std::path::PathBuf;
use std::time::Duration;

/// No record is larger: tokens may have a mebibyte, and what is said of them much less.
const LARGEST: usize = 2 * 1024 * 1024;

/// Shares tokens between all processes of one user on one host, through sealed files in one directory.
///
/// ```
/// use tokenwell::secret::Secret;
/// use tokenwell::store::{FileStore, SlotKey, Store};
///
/// # fn main() -> Result<(), tokenwell::store::StoreError> {
/// # let directory = std::env::temp_dir().join("nothing-is-here");
/// let store = FileStore::open(directory, false);
/// let key = SlotKey { identity: vec![("client_id", "id".to_owned())], secret: Secret::from("secret") };
///
/// assert!(store.load(&key)?.token.is_none());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct FileStore {
    directory: PathBuf,
    /// Take files and directories whatever their owner and mode.
    allow_unsafe: bool,
}

impl FileStore {
    /// The store in `directory`. Touches nothing: the directory is made, with those above it that are missing, by the first save or lock.
    ///
    /// `allow_unsafe` is for file systems that show owners or modes that are not the real ones, as some containers have them: neither is then
    /// looked at. Links and all that is not a regular file are refused all the same.
    #[must_use]
    pub fn open(directory: PathBuf, allow_unsafe: bool) -> Self {
        // A slash at the end of a path would make the system follow a link that is its last part.
        Self { directory: directory.components().collect(), allow_unsafe }
    }
}

impl Store for FileStore {
    fn location(&self) -> String {
        printable_path(&self.directory)
    }

    fn load(&self, key: &SlotKey) -> Result<Record, StoreError> {
        let seal = Seal::of(key)?;
        let Some(place) = Place::open(&self.directory, self.allow_unsafe)? else { return Ok(Record::default()) };
        let bytes = place.read(&record_name(&seal), LARGEST)?;
        Ok(bytes.and_then(|bytes| seal.open(bytes)).unwrap_or_default())
    }

    fn save(&self, key: &SlotKey, record: &Record) -> Result<(), StoreError> {
        let seal = Seal::of(key)?;
        let bytes = seal.seal(record)?;
        if bytes.len() > LARGEST {
            return Err(StoreError::new(format!(
                "the record is {} bytes long, and the token cache accepts at most {LARGEST} bytes",
                bytes.len()
            )));
        }
        let place = Place::open_or_create(&self.directory, self.allow_unsafe)?;
        place.remove_leftovers();
        place.replace(&record_name(&seal), &bytes)
    }

    fn lock(&self, key: &SlotKey, patience: Duration) -> Result<Option<Box<dyn StoreLock>>, StoreError> {
        let name = format!("{}.lock", Seal::of(key)?.name());
        let lock = lock::acquire(&self.directory, self.allow_unsafe, &name, patience)?;
        Ok(lock.map(|lock| Box::new(lock) as Box<dyn StoreLock>))
    }
}

fn record_name(seal: &Seal) -> String {
    format!("{}.token", seal.name())
}
