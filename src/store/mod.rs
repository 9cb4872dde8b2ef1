//! Stores that share tokens and cooldowns between processes.
//!
//! May depend on: error, secret, platform. Independent of HTTP and the C ABI. Start reading at
//! [`Store`]; [`FileStore`] shares through sealed files, [`NoStore`] shares nothing.

mod encoding;
mod file;
mod none;
mod record;
mod seal;
mod timeout;

pub use file::{FileStore, RecordFile};
pub use none::NoStore;
pub use record::{Record, StoredCooldown, StoredProxyRejection, StoredToken, UnknownMembers};
pub(crate) use timeout::TimeoutStore;

use crate::error::os_reason;
use crate::secret::Secret;
use std::fmt;
use std::io;
use std::time::Duration;

/// A store that all processes of a host can read, with one record for each [`SlotKey`].
///
/// Every method may block and may be called from any thread. A store that fails never prevents a
/// get: the cache logs one warning and continues without it.
pub trait Store: Send + Sync + fmt::Debug {
    /// Returns the location of the records, for messages: for example a path, never a secret.
    fn location(&self) -> String;

    /// Returns whether other processes can read what is saved here.
    fn is_shared(&self) -> bool {
        true
    }

    /// Returns the record of `key`. A record that is torn, foreign, of another version or cannot be
    /// decrypted is an empty record, not an error.
    ///
    /// # Errors
    /// The store cannot be used: permissions are refused, or an input or output error occurred.
    fn load(&self, key: &SlotKey) -> Result<Record, StoreError>;

    /// Replaces the whole record of `key`: readers see the old one or the new one.
    ///
    /// # Errors
    /// The store cannot be used; the old record is intact.
    fn save(&self, key: &SlotKey, record: &Record) -> Result<(), StoreError>;

    /// Acquires the lock of `key`, the exclusive right to send a token request for it. Waits at
    /// most `max_wait`. The lock is held until the guard is dropped. Returns `Ok(None)` if another
    /// holder still has it.
    ///
    /// # Errors
    /// The store cannot be used.
    fn lock(&self, key: &SlotKey, max_wait: Duration) -> Result<Option<Box<dyn StoreLock>>, StoreError>;
}

/// The lock of one key, released on drop.
pub trait StoreLock: Send + fmt::Debug {}

/// The inputs of a token request. Two requests share a token only if all of these are equal.
#[derive(Clone, Debug)]
pub struct SlotKey {
    /// The inputs that are not secret, in a fixed order: token endpoint, client id, authentication
    /// method, scope, audience and resource.
    pub identity: Vec<(&'static str, String)>,
    /// The client secret, from which the name and the key of the record are derived.
    pub secret: Secret,
}

/// The reason why a store could not be used.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
pub struct StoreError {
    /// What failed, and the path. Never contains a secret.
    pub problem: String,
    /// The underlying error.
    #[source]
    pub source: Option<io::Error>,
}

impl StoreError {
    fn new(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), source: None }
    }

    /// Creates the error of `what`, which failed with `source`. The problem includes the source,
    /// because the cache logs only the problem.
    fn because(what: impl fmt::Display, source: io::Error) -> Self {
        Self { problem: format!("{what} ({})", os_reason(&source)), source: Some(source) }
    }
}
