//! Listing, testing and clearing of the directory, for the command line and not for the cache.

use super::super::StoreError;
use super::directory::StoreDirectory;
use super::{FileStore, cleanup, is_lock, is_record, lock};
use crate::error::printable_path;
use std::time::{Duration, Instant, SystemTime};

/// About as long as a record with an Atlas token.
const TEST_RECORD: [u8; 2048] = [0; 2048];

/// The properties of a record that are visible without its secret.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecordFile {
    /// The name of its file in the store's directory.
    pub name: String,
    /// The size in bytes.
    pub size: u64,
    /// The time of the last write, if the file system records it.
    pub written: Option<SystemTime>,
}

impl FileStore {
    /// Returns the records in the directory; an empty list if the directory does not exist.
    ///
    /// # Errors
    /// The directory cannot be read, belongs to another user, or is not private.
    pub fn records(&self) -> Result<Vec<RecordFile>, StoreError> {
        let Some(store_directory) = StoreDirectory::open(&self.directory, self.allow_unsafe)? else { return Ok(Vec::new()) };
        let mut records = Vec::new();
        for name in store_directory.names()?.into_iter().filter(|name| is_record(name)) {
            // Skips a record that was removed in the meantime or is refused.
            if let Ok(Some((size, written))) = store_directory.size_and_time(&name) {
                records.push(RecordFile { name, size, written });
            }
        }
        records.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(records)
    }

    /// Removes all records and returns their number. The tokens remain valid at the server. Lock
    /// files are kept, because a process must not wait for the lock of a removed file. Files of
    /// other programs are kept too.
    ///
    /// # Errors
    /// The directory cannot be read, belongs to another user, or is not private; a record cannot be
    /// removed.
    pub fn clear(&self) -> Result<usize, StoreError> {
        let Some(store_directory) = StoreDirectory::open(&self.directory, self.allow_unsafe)? else { return Ok(0) };
        let mut count = 0;
        for name in store_directory.names()? {
            if is_record(&name) {
                count += usize::from(store_directory.remove(&name)?);
            } else if !is_lock(&name) {
                let _ = cleanup::remove_if_unused(&store_directory, &name, Duration::MAX);
            }
        }
        Ok(count)
    }

    /// Removes the files of all slots that were not used for `age`: the records, and the lock files,
    /// unless a process holds the lock. Returns the number of files. Files of other programs are kept, and
    /// so are the files that are refused or whose time is in the future.
    ///
    /// # Errors
    /// The directory cannot be read, belongs to another user, or is not private; a file cannot be
    /// removed, or its lock not be acquired.
    pub fn clear_unused(&self, age: Duration) -> Result<usize, StoreError> {
        let Some(store_directory) = StoreDirectory::open(&self.directory, self.allow_unsafe)? else { return Ok(0) };
        store_directory.names()?.iter().map(|name| cleanup::remove_if_unused(&store_directory, name, age)).sum()
    }
}

impl FileStore {
    /// Writes a file as a save does, and removes it. Creates the directory if it does not exist, as
    /// the first save does.
    ///
    /// # Errors
    /// The errors of a save: the directory is refused, the disk is full or read-only.
    pub fn check_writable(&self) -> Result<(), StoreError> {
        self.refuse_missing_parent()?;
        let store_directory = StoreDirectory::open_or_create(&self.directory, self.allow_unsafe)?;
        // A name in the store's format: if the file is not removed here, it is never read as a
        // token, and `clear` removes it.
        let name = format!("{:032x}.token", fastrand::u128(..));
        store_directory.replace(&name, &TEST_RECORD)?;
        store_directory.remove(&name)?;
        Ok(())
    }

    /// Returns the paths of the lock files that other processes hold, both now and after
    /// `max_wait`. Such a process is getting a token, or was stopped while it did. Does not change the
    /// times of the files, which tell whether a slot is still used.
    ///
    /// # Errors
    /// The directory cannot be read, belongs to another user, or is not private; a lock file is
    /// refused.
    pub fn locks_held_for(&self, max_wait: Duration) -> Result<Vec<String>, StoreError> {
        let Some(store_directory) = StoreDirectory::open(&self.directory, self.allow_unsafe)? else { return Ok(Vec::new()) };
        let names = store_directory.names()?.into_iter().filter(|name| is_lock(name));
        let held = self.held(names, Duration::ZERO)?;
        // The wait for the first lock counts for all of them.
        let held = self.held(held.into_iter(), max_wait)?;
        Ok(held.iter().map(|name| printable_path(&self.directory.join(name))).collect())
    }

    fn held(&self, names: impl Iterator<Item = String>, max_wait: Duration) -> Result<Vec<String>, StoreError> {
        let started = Instant::now();
        let mut held = Vec::new();
        for name in names {
            let left = max_wait.saturating_sub(started.elapsed());
            if lock::acquire_unmarked(&self.directory, self.allow_unsafe, &name, left)?.is_none() {
                held.push(name);
            }
        }
        Ok(held)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_check_of_the_locks_does_not_keep_dead_slots_young() {
        let around = tempfile::tempdir().unwrap();
        let store = FileStore::open(around.path().join("cache"), false);
        let name = format!("{:032x}.lock", 1);
        drop(lock::acquire(&store.directory, false, &name, Duration::ZERO).unwrap());
        let file = std::fs::File::options().write(true).open(store.directory.join(&name)).unwrap();
        let old = SystemTime::now() - Duration::from_secs(31 * 24 * 60 * 60);
        file.set_times(std::fs::FileTimes::new().set_accessed(old).set_modified(old)).unwrap();
        let times = || file.metadata().map(|found| (found.accessed().unwrap(), found.modified().unwrap())).unwrap();
        let before = times();

        assert!(store.locks_held_for(Duration::ZERO).unwrap().is_empty());

        assert_eq!(times(), before);
    }

    #[test]
    fn only_the_stores_own_names_are_records() {
        assert!(is_record("8434730c7ec7ce40b2200094bfe2053c.token"));
        for name in [
            "8434730c7ec7ce40b2200094bfe2053c.lock",
            "8434730c7ec7ce40b2200094bfe2053c",
            "8434730C7EC7CE40B2200094BFE2053C.token",
            "8434730c7ec7ce40b2200094bfe2053.token",
            "my.token",
            ".token",
            "8434730c7ec7ce40b2200094bfe2053c.token.0123456789abcdef.temp",
        ] {
            assert!(!is_record(name), "{name}");
        }
    }
}
