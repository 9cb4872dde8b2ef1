//! What processes share about one slot.

use crate::error::Error;
use crate::secret::Secret;

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
