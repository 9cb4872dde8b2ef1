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
pub use record::{Record, RejectedTokens, StoredCooldown, StoredMethods, StoredProxyRejection, StoredToken, UnknownMembers};
#[cfg(feature = "cli")]
pub use seal::VERSION as FORMAT_VERSION;
pub(crate) use timeout::TimeoutStore;

use crate::error::os_reason;
use crate::secret::Secret;
use std::fmt;
use std::io;
use std::sync::Arc;
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

    /// Prepares to wait for the lock of `key` and to read the record meanwhile. Returns `None` if
    /// the store cannot report changes: then [`Store::lock`] and [`Store::load`] are called at
    /// intervals.
    ///
    /// # Errors
    /// The store cannot be used.
    fn contend(&self, _key: &SlotKey) -> Result<Option<Box<dyn Contender>>, StoreError> {
        Ok(None)
    }
}

/// The lock of one key, released on drop.
pub trait StoreLock: Send + fmt::Debug {
    /// Returns what the holder must call twice a second to show that it is not stopped, or `None` if
    /// nobody checks that. It may be called after the lock is released.
    fn sign_of_life(&self) -> Option<Box<dyn FnMut() + Send>> {
        None
    }
}

/// One process that wants the lock of one key, and what it needs to know when to try again.
pub trait Contender: Send + fmt::Debug {
    /// Tries to acquire the lock without waiting, and reads the record afterwards.
    ///
    /// # Errors
    /// The store cannot be used.
    fn attempt(&mut self, which: WhichLock) -> Result<Attempt, StoreError>;

    /// Returns what waits for the next attempt.
    fn waiter(&self) -> Arc<dyn LockWaiter>;
}

/// The locks that an attempt may acquire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhichLock {
    /// The lock of the key.
    Main,
    /// A reserve lock too, because the holder of the main lock is stopped or takes too long. Only
    /// one process holds it, so that the server does not receive a request from each.
    MainOrReserve,
}

/// The result of an attempt to acquire a lock.
#[derive(Debug)]
pub struct Attempt {
    /// The lock, if it was acquired.
    pub lock: Option<Box<dyn StoreLock>>,
    /// The record as it was after that.
    pub record: Result<Record, StoreError>,
    /// What is known about the other process if it holds the lock.
    pub holder: Holder,
}

/// The process that holds a lock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Holder {
    /// For how long it holds the lock, if that is known.
    pub held_for: Option<Duration>,
    /// Whether it has shown no sign of life for a while: it may be stopped.
    pub is_silent: bool,
}

/// Waits for a lock without using the store, so that a store that does not respond cannot block it.
pub trait LockWaiter: Send + Sync + fmt::Debug {
    /// Blocks until an attempt is worthwhile: the lock may be free, the record has changed, or the
    /// holder has fallen silent. Waits at most `max_wait`. Returns the time that it waited.
    fn wait(&self, max_wait: Duration) -> Duration;
}

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
