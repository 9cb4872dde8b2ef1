//! What processes share about one slot.

use crate::error::Error;
use crate::secret::Secret;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What processes share about one slot.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The newest token, if there is one.
    pub token: Option<StoredToken>,
    /// The newest refusal, if it is in effect.
    pub cooldown: Option<StoredCooldown>,
    /// How long the last successful token request took, in milliseconds.
    pub last_mint_ms: Option<u64>,
    /// New tokens that a resource server rejected in a row.
    pub rejected_tokens: Option<RejectedTokens>,
    /// The newest log-in that a proxy rejected. It concerns only processes that send the same one.
    pub proxy_rejection: Option<Box<StoredProxyRejection>>,
    /// What is known about the authentication methods of the server, if a second one was sent.
    pub methods_tried: Option<StoredMethods>,
    /// Members of the record that only a later version knows.
    pub unknown: UnknownMembers,
    /// A refusal of a kind that only a later version knows.
    pub(super) unknown_cooldown: Option<Box<RawValue>>,
}

impl Record {
    /// Returns the record after a token request that returned `token`: no refusal is in effect any
    /// more.
    ///
    /// Members that only a later version knows are kept, except those of the earlier token.
    #[must_use]
    pub fn with_new_token(self, token: StoredToken) -> Self {
        // The old token was not rejected while it was new: new tokens are not rejected in a row.
        let was_accepted = |old: &StoredToken| token.obtained_at_ms.saturating_sub(old.obtained_at_ms) >= RejectedTokens::NEW_FOR_MS;
        let rejected_tokens = if self.token.as_ref().is_some_and(was_accepted) { None } else { self.rejected_tokens };
        Self { token: Some(token), cooldown: None, unknown_cooldown: None, rejected_tokens, ..self }
    }

    /// Returns the record after a token request that took `duration`.
    #[must_use]
    pub fn with_last_mint(self, duration: Duration) -> Self {
        Self { last_mint_ms: u64::try_from(duration.as_millis()).ok(), ..self }
    }

    /// Returns the record after a refusal. A valid token in it remains usable.
    #[must_use]
    pub fn with_cooldown(self, cooldown: StoredCooldown) -> Self {
        Self { cooldown: Some(cooldown), unknown_cooldown: None, ..self }
    }

    /// Returns the record with what is known about the authentication methods, if anything is.
    #[must_use]
    pub fn with_methods_tried(self, tried: Option<StoredMethods>) -> Self {
        Self { methods_tried: tried.or(self.methods_tried), ..self }
    }

    /// Returns the record after a proxy rejected a log-in.
    #[must_use]
    pub fn with_proxy_rejection(self, rejection: StoredProxyRejection) -> Self {
        Self { proxy_rejection: Some(Box::new(rejection)), ..self }
    }

    /// Returns the record without its token, which was rejected or revoked.
    #[must_use]
    pub fn without_token(self) -> Self {
        Self { token: None, ..self }
    }

    /// Returns whether the record contains a refusal, also one that is over. A record that was removed
    /// contains none.
    pub(crate) fn has_refusal(&self) -> bool {
        let paused = |rejected: &RejectedTokens| rejected.until_ms > rejected.since_ms;
        self.cooldown.is_some()
            || self.unknown_cooldown.is_some()
            || self.proxy_rejection.is_some()
            || self.rejected_tokens.as_ref().is_some_and(paused)
    }
}

/// A token as it is shared: with wall-clock times only, because the monotonic clock has no meaning
/// after a reboot.
#[derive(Clone, Debug)]
pub struct StoredToken {
    /// The access token.
    pub value: Secret,
    /// The scope that the server granted, if its reply named one (RFC 6749 section 5.1).
    pub scope: Option<String>,
    /// When the token request was sent: milliseconds since the Unix epoch.
    pub obtained_at_ms: u64,
    /// When the token expires: milliseconds since the Unix epoch.
    pub expires_at_ms: u64,
    /// When to refresh it: milliseconds since the Unix epoch.
    pub refresh_at_ms: u64,
    /// Members of the token's description that only a later version knows.
    pub unknown: UnknownMembers,
}

/// A refusal by the server that is in effect for every process: no token request may be sent until it
/// ends.
#[derive(Clone, Debug)]
pub struct StoredCooldown {
    /// The error that the server's answer became; never itself a [`Error::Cooldown`].
    pub error: Error,
    /// When the refusal was received: milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// Until when no token request may be sent: milliseconds since the Unix epoch.
    pub until_ms: u64,
    /// How many refreshes in a row have failed.
    pub failures: u32,
    /// Members of the refusal that only a later version knows.
    pub unknown: UnknownMembers,
}

/// New tokens that a resource server rejected in a row. After more than one, no token request may be sent
/// for a while: its answer would be rejected too.
#[derive(Clone, Debug)]
pub struct RejectedTokens {
    /// When the last of them was rejected: milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// Until when no token request may be sent; equal to `since_ms` after the first rejection.
    pub until_ms: u64,
    /// How many new tokens in a row were rejected.
    pub count: u32,
    /// The digest of the last of them, so that the processes that used it count it once.
    pub last: String,
    /// Members that only a later version knows.
    pub unknown: UnknownMembers,
}

impl RejectedTokens {
    /// For how long a token counts as new. A token that is rejected later was accepted before.
    pub(crate) const NEW_FOR_MS: u64 = 60_000;

    /// Identifies a token among the few that are rejected in a row.
    pub(crate) fn digest(token: &str) -> String {
        let digest = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
        digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A log-in that a proxy rejected. It is separate from the cooldown, because processes that use
/// another proxy or none may send token requests.
#[derive(Clone, Debug)]
pub struct StoredProxyRejection {
    /// What identifies the proxy, the user and the password, without revealing them.
    pub login: String,
    /// When the log-in was rejected: milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// Until when it may not be sent again: milliseconds since the Unix epoch.
    pub until_ms: u64,
}

/// The authentication methods that were sent to the server (`auth_method=auto`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMethods {
    /// The name of the method that the server accepted. `None` if it accepted none.
    pub accepted: Option<String>,
    /// The name of the method that the server rejected, if it has not answered the other one yet. `None`
    /// if it rejected both, or accepted one.
    pub rejected: Option<String>,
    /// When they were sent: milliseconds since the Unix epoch.
    pub tried_at_ms: u64,
}

/// Members of a JSON object that this version does not know. They are kept byte for byte, so that old
/// and new versions can share one cache.
///
/// They are never secret: a later version stores secrets outside the JSON, as this one stores the
/// token.
#[derive(Clone, Default)]
pub struct UnknownMembers(pub(super) BTreeMap<String, Box<RawValue>>);

impl UnknownMembers {
    /// The names of the members, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl fmt::Debug for UnknownMembers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
