//! Where processes share tokens and the memory of failures.
//!
//! May depend on: error, secret, platform. Knows nothing of HTTP or of the C ABI.
//! Start reading at [`Store`]; [`FileStore`] shares through sealed files, [`NoStore`] shares nothing.

mod encoding;
mod file;
mod none;
mod record;
mod seal;
mod time_boxed;

pub use file::{FileStore, RecordFile};
pub use none::NoStore;
pub use record::{Record, StoredCooldown, StoredToken, UnknownMembers};
pub(crate) use time_boxed::TimeBoxed;

use crate::secret::Secret;
use std::fmt;
use std::io;
use std::time::Duration;

/// One place that all processes of a host can read: one record for each [`SlotKey`].
///
/// Every method may block and may be called from any thread. A store that fails costs nobody the token: the cache warns once
/// and goes on without it.
pub trait Store: Send + Sync + fmt::Debug {
    /// Where the records are, for messages: a path, never a secret.
    fn location(&self) -> String;

    /// Whether other processes see what is saved here.
    fn is_shared(&self) -> bool {
        true
    }

    /// The record of `key`. A record that is torn, foreign, of another version or cannot be opened is an empty record, not an error.
    ///
    /// # Errors
    /// The store cannot be used: refused permissions, input or output errors.
    fn load(&self, key: &SlotKey) -> Result<Record, StoreError>;

    /// Replaces the record of `key` as a whole: readers see the old one or the new one.
    ///
    /// # Errors
    /// The store cannot be used; the old record is intact.
    fn save(&self, key: &SlotKey, record: &Record) -> Result<(), StoreError>;

    /// Waits at most `patience` for the exclusive right to mint for `key` and holds it until the guard is dropped.
    /// `Ok(None)`: somebody else still holds it.
    ///
    /// # Errors
    /// The store cannot be used.
    fn lock(&self, key: &SlotKey, patience: Duration) -> Result<Option<Box<dyn StoreLock>>, StoreError>;
}

/// The exclusive right to mint for one key, given back on drop.
pub trait StoreLock: Send + fmt::Debug {}

/// Everything that two requests must share before they may share a token.
#[derive(Clone, Debug)]
pub struct SlotKey {
    /// The inputs that are not secret, in a fixed order: token endpoint, client id, authentication method, scope, audience and resource.
    pub identity: Vec<(&'static str, String)>,
    /// The client secret that seals and names the record.
    pub secret: Secret,
}

/// Why a store could not be used.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
pub struct StoreError {
    /// What failed, at which path. Never holds a secret.
    pub problem: String,
    /// The reason beneath.
    #[source]
    pub source: Option<io::Error>,
}

impl StoreError {
    fn new(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), source: None }
    }

    /// `what` could not be done because of `source`, which is told too: the cache logs only the problem.
    fn because(what: impl fmt::Display, source: io::Error) -> Self {
        Self { problem: format!("{what}: {source}"), source: Some(source) }
    }
}
