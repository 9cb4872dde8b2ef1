//! The file store: one sealed file for each slot, in a directory that belongs to one user.
//!
//! May depend on: the store's record and seal, error, platform. Start reading at [`FileStore`].
//! `directory` opens the directory and its files safely, `inspection` decides which are refused,
//! `lock` is the lock of a slot, `lock_reports` tells who waits for it when to try again,
//! `housekeeping` lists and clears the records, `cleanup` removes files that are not used any more.
//! The configuration chooses the directory.
//!
//! `docs/token-cache.md` is the documentation for users.

mod cleanup;
mod directory;
mod housekeeping;
mod inspection;
mod lock;
mod lock_reports;

pub use housekeeping::RecordFile;

use super::seal::Seal;
use super::{Attempt, Contender, LockWaiter, Record, SlotKey, Store, StoreError, StoreLock, WhichLock};
use crate::error::printable_path;
use directory::StoreDirectory;
use lock::LockFiles;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The maximum size of a record: a token may be one mebibyte long, and its description is much
/// shorter.
const MAX_RECORD_SIZE: usize = 2 * 1024 * 1024;

/// Shares tokens between all processes of one user on one host, through sealed files in one
/// directory.
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
    /// Accept files and directories regardless of owner and mode.
    allow_unsafe: bool,
    /// Never created, although the store is below it.
    never_created: Option<PathBuf>,
}

impl FileStore {
    /// Creates a store in `directory`. Accesses no files: the first save or lock creates the
    /// directory, with its missing parents.
    ///
    /// `allow_unsafe` skips the checks of owner and mode. It is for file systems that report wrong
    /// ones, as in some containers. Links and everything that is not a regular file are refused in
    /// any case.
    #[must_use]
    pub fn open(directory: PathBuf, allow_unsafe: bool) -> Self {
        // With a slash at the end of the path, the system would follow a link that is its last
        // part.
        Self { directory: directory.components().collect(), allow_unsafe, never_created: None }
    }

    /// Returns the store that is not used while `parent` does not exist, instead of creating it. For a
    /// home directory: a home that is missing is a mistake, or not mounted.
    #[must_use]
    pub fn below(self, parent: Option<&Path>) -> Self {
        Self { never_created: parent.map(Path::to_owned), ..self }
    }

    fn refuse_missing_parent(&self) -> Result<(), StoreError> {
        let Some(missing) = self.never_created.as_deref().filter(|parent| !parent.is_dir()) else { return Ok(()) };
        Err(StoreError::new(format!(
            "{} cannot be created: the directory {} does not exist. Create it, set HOME to a directory that \
             exists, or set TOKENWELL_CACHE_DIR to a directory that only you can access",
            printable_path(&self.directory),
            printable_path(missing)
        )))
    }
}

impl Store for FileStore {
    fn location(&self) -> String {
        printable_path(&self.directory)
    }

    fn load(&self, key: &SlotKey) -> Result<Record, StoreError> {
        let seal = Seal::for_slot(key)?;
        let Some(store_directory) = StoreDirectory::open(&self.directory, self.allow_unsafe)? else { return Ok(Record::default()) };
        let bytes = store_directory.read(&record_name(&seal), MAX_RECORD_SIZE)?;
        Ok(bytes.and_then(|bytes| seal.open(bytes)).unwrap_or_default())
    }

    fn save(&self, key: &SlotKey, record: &Record) -> Result<(), StoreError> {
        let seal = Seal::for_slot(key)?;
        let bytes = seal.seal(record)?;
        if bytes.len() > MAX_RECORD_SIZE {
            return Err(StoreError::new(format!(
                "the record is {} bytes long, and the token cache accepts at most {MAX_RECORD_SIZE} bytes",
                bytes.len()
            )));
        }
        self.refuse_missing_parent()?;
        let store_directory = StoreDirectory::open_or_create(&self.directory, self.allow_unsafe)?;
        store_directory.replace(&record_name(&seal), &bytes)?;
        // After the record, which other processes wait for. Its own errors are not those of the save.
        let _ = cleanup::step_if_due(&store_directory);
        Ok(())
    }

    fn lock(&self, key: &SlotKey, max_wait: Duration) -> Result<Option<Box<dyn StoreLock>>, StoreError> {
        self.refuse_missing_parent()?;
        let name = format!("{}.lock", Seal::for_slot(key)?.name());
        let lock = lock::acquire(&self.directory, self.allow_unsafe, &name, max_wait)?;
        Ok(lock.map(|lock| Box::new(lock) as Box<dyn StoreLock>))
    }

    fn contend(&self, key: &SlotKey) -> Result<Option<Box<dyn Contender>>, StoreError> {
        let seal = Seal::for_slot(key)?;
        let files = LockFiles::new(&self.directory, self.allow_unsafe, &format!("{}.lock", seal.name()), record_name(&seal));
        Ok(Some(Box::new(FileContender { store: self.clone(), key: key.clone(), files })))
    }
}

/// A process that wants the lock of a slot in the directory.
#[derive(Debug)]
struct FileContender {
    store: FileStore,
    key: SlotKey,
    files: LockFiles,
}

impl Contender for FileContender {
    fn attempt(&mut self, which: WhichLock) -> Result<Attempt, StoreError> {
        self.store.refuse_missing_parent()?;
        let mut lock = self.files.try_lock(which)?;
        if lock.is_none() {
            // The lock may have been released before the process starts to watch.
            self.files.watch();
            lock = self.files.try_lock(which)?;
        }
        let lock = lock.map(|lock| Box::new(lock) as Box<dyn StoreLock>);
        Ok(Attempt { lock, record: self.store.load(&self.key), holder: self.files.holder() })
    }

    fn waiter(&self) -> Arc<dyn LockWaiter> {
        self.files.reports()
    }
}

fn record_name(seal: &Seal) -> String {
    format!("{}.token", seal.name())
}

/// Returns whether `name` is the name of a record. The directory may contain files of other
/// programs.
fn is_record(name: &str) -> bool {
    is_slot_with(name, |suffix| suffix == "token")
}

/// Returns whether `name` is the name of a lock file.
fn is_lock(name: &str) -> bool {
    is_slot_with(name, |suffix| suffix == "lock" || suffix.strip_prefix("reserve-").is_some_and(|rest| rest.ends_with(".lock")))
}

fn is_slot_with(name: &str, is_suffix: impl FnOnce(&str) -> bool) -> bool {
    let is_slot = |slot: &str| slot.len() == 32 && slot.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    name.split_once('.').is_some_and(|(slot, suffix)| is_slot(slot) && is_suffix(suffix))
}
