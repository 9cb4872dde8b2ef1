//! The store that shares nothing.

use super::{Record, SlotKey, Store, StoreError, StoreLock};
use std::time::Duration;

/// The store that shares nothing: every process requests its own token.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoStore;

#[derive(Debug)]
struct NoLock;

impl StoreLock for NoLock {}

impl Store for NoStore {
    fn location(&self) -> String {
        "none".to_owned()
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn load(&self, _key: &SlotKey) -> Result<Record, StoreError> {
        Ok(Record::default())
    }

    fn save(&self, _key: &SlotKey, _record: &Record) -> Result<(), StoreError> {
        Ok(())
    }

    fn lock(&self, _key: &SlotKey, _patience: Duration) -> Result<Option<Box<dyn StoreLock>>, StoreError> {
        Ok(Some(Box::new(NoLock)))
    }
}
