//! What lies in the directory, and how it is cleared: for people, not for the cache.

use super::super::StoreError;
use super::FileStore;
use super::place::Place;
use std::time::SystemTime;

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

/// Whether `name` is one that the store gives: the directory may be one in which others keep things too.
fn is_record(name: &str) -> bool {
    name.strip_suffix(".token").is_some_and(|slot| slot.len() == 32 && slot.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
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
