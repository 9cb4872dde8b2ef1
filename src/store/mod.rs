//! Where processes share tokens and the memory of failures.
//!
//! May depend on: error, secret, clock. Knows nothing of HTTP or of the C ABI.
//! Start reading at [`Store`]; [`NoStore`] is the one that shares nothing.

use crate::error::Error;
use crate::secret::Secret;
use std::fmt;
use std::time::Duration;

/// One place that all processes of a host can read: one record for each [`SlotKey`].
///
/// Every method may block and may be called from any thread. A store that fails costs nobody the token: the cache warns once
/// and goes on without it.
pub trait Store: Send + Sync + fmt::Debug {
    /// Where the records are, for messages: a path, never a secret.
    fn location(&self) -> String;

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
pub trait StoreLock: fmt::Debug {}

/// Everything that two requests must share before they may share a token.
#[derive(Clone, Debug)]
pub struct SlotKey {
    /// The inputs that are not secret, in a fixed order: token endpoint, client id, authentication method, scope, audience and resource.
    pub identity: Vec<(&'static str, String)>,
    /// The client secret that seals and names the record.
    pub secret: Secret,
}

/// What processes share about one slot.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The newest token, if there is one.
    pub token: Option<StoredToken>,
    /// The newest refusal, if it still stands.
    pub cooldown: Option<StoredCooldown>,
}

/// A token as it is shared: with wall-clock times only, because the monotonic clock means nothing to another boot.
#[derive(Clone, Debug)]
pub struct StoredToken {
    /// The token itself.
    pub value: Secret,
    /// The scope that the server granted, where it said so.
    pub scope: Option<String>,
    /// When the request for it was sent: milliseconds since the Unix epoch.
    pub obtained_at_ms: u64,
    /// When it ends: milliseconds since the Unix epoch.
    pub expires_at_ms: u64,
    /// When to refresh it: milliseconds since the Unix epoch.
    pub refresh_at_ms: u64,
}

/// "Do not ask before": a refusal by the server that holds for every process.
#[derive(Clone, Debug)]
pub struct StoredCooldown {
    /// The error that the server's answer became; never itself a [`Error::Cooldown`].
    pub error: Error,
    /// When the refusal came: milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// Until when no request may be sent: milliseconds since the Unix epoch.
    pub until_ms: u64,
    /// How many refreshes in a row have failed.
    pub failures: u32,
}

/// Why a store could not be used.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
pub struct StoreError {
    /// What failed, at which path. Never holds a secret.
    pub problem: String,
    /// The reason beneath.
    #[source]
    pub source: Option<std::io::Error>,
}

/// The store that shares nothing: every process for itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoStore;

#[derive(Debug)]
struct NoLock;

impl StoreLock for NoLock {}

impl Store for NoStore {
    fn location(&self) -> String {
        "none".to_owned()
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
