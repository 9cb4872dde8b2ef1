//! What lies in the directory, whether it works, and how it is cleared: for people, not for the cache.

use super::super::StoreError;
use super::place::Place;
use super::{FileStore, lock};
use crate::error::printable_path;
use std::time::{Duration, Instant, SystemTime};

/// As long as a record with a token of Atlas, about.
const TRIAL: [u8; 2048] = [0; 2048];

/// One record of the store, as far as anybody can tell who does not have its secret.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecordFile {
    /// Its file in the store's directory.
    pub name: String,
    /// In bytes.
    pub size: u64,
    /// When it was last written, where the file system knows.
    pub written: Option<SystemTime>,
}

impl FileStore {
    /// The records in the directory; none where there is no directory.
    ///
    /// # Errors
    /// The directory cannot be read, or is not ours or not private.
    pub fn records(&self) -> Result<Vec<RecordFile>, StoreError> {
        let Some(place) = Place::open(&self.directory, self.allow_unsafe)? else { return Ok(Vec::new()) };
        let mut records = Vec::new();
        for name in place.names()?.into_iter().filter(|name| is_record(name)) {
            // One that has been removed since, or is not to be trusted, is no record.
            if let Ok(Some((size, written))) = place.size_and_time(&name) {
                records.push(RecordFile { name, size, written });
            }
        }
        records.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(records)
    }

    /// Removes every record, and says how many there were. The tokens in them live on at the server. Locks stay: whoever waits for one must not wait for
    /// a file that is gone. Files that are not ours stay too.
    ///
    /// # Errors
    /// The directory cannot be read, or is not ours or not private; a record cannot be removed.
    pub fn clear(&self) -> Result<usize, StoreError> {
        let Some(place) = Place::open(&self.directory, self.allow_unsafe)? else { return Ok(0) };
        place.remove_leftovers();
        let mut count = 0;
        for name in place.names()?.iter().filter(|name| is_record(name)) {
            count += usize::from(place.remove(name)?);
        }
        Ok(count)
    }
}

impl FileStore {
    /// Writes a file as a save would, and removes it. Makes the directory if there is none, as the first save does.
    ///
    /// # Errors
    /// Whatever a save would fail of: the directory is refused, the disk is full or may not be written.
    pub fn try_out(&self) -> Result<(), StoreError> {
        let place = Place::open_or_create(&self.directory, self.allow_unsafe)?;
        // One of the store's own names: should it be left behind, nobody takes it for a token, and it goes with the others.
        let name = format!("{:032x}.token", fastrand::u128(..));
        place.replace(&name, &TRIAL)?;
        place.remove(&name)?;
        Ok(())
    }

    /// The lock files that others hold, now and after `patience` again: those of processes that are getting a token, or were stopped while they did.
    ///
    /// # Errors
    /// The directory cannot be read, or is not ours or not private; a lock file is refused.
    pub fn locks_held_for(&self, patience: Duration) -> Result<Vec<String>, StoreError> {
        let Some(place) = Place::open(&self.directory, self.allow_unsafe)? else { return Ok(Vec::new()) };
        let names = place.names()?.into_iter().filter(|name| is_one_of(name, ".lock"));
        let held = self.held(names, Duration::ZERO)?;
        // Waiting for the first is waiting for all.
        let held = self.held(held.into_iter(), patience)?;
        Ok(held.iter().map(|name| printable_path(&self.directory.join(name))).collect())
    }

    fn held(&self, names: impl Iterator<Item = String>, patience: Duration) -> Result<Vec<String>, StoreError> {
        let begun = Instant::now();
        let mut held = Vec::new();
        for name in names {
            let left = patience.saturating_sub(begun.elapsed());
            if lock::acquire(&self.directory, self.allow_unsafe, &name, left)?.is_none() {
                held.push(name);
            }
        }
        Ok(held)
    }
}

/// Whether `name` is one that the store gives: the directory may be one in which others keep things too.
fn is_record(name: &str) -> bool {
    is_one_of(name, ".token")
}

fn is_one_of(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|slot| slot.len() == 32 && slot.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
}

#[cfg(test)]
mod tests {
    use super::is_record;

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
