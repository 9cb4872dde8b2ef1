//! Settings that can be changed at run time: `POST /_emulator/settings`.

use super::EmulatorOptions;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// A maximum number of requests per time window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// The number of requests accepted within the window.
    pub requests: u64,
    /// The length of the window in seconds.
    pub window_s: u64,
    /// The format of the error reply.
    #[serde(default)]
    pub shape: RateLimitShape,
    /// Whether the error reply has a `Retry-After` header.
    #[serde(default = "yes")]
    pub retry_after: bool,
}

impl Default for RateLimit {
    /// Ten requests per minute.
    fn default() -> Self {
        Self { requests: 10, window_s: 60, shape: RateLimitShape::default(), retry_after: true }
    }
}

/// The format of a rate limit error. Atlas uses both for token requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RateLimitShape {
    /// `{"error":"rate_limited","error_description":…}`
    #[default]
    OAuth,
    /// `{"error":429,"errorCode":"RATE_LIMITED",…}`
    Api,
}

/// Each use of a secret within this time is remembered.
const MAX_LATE_S: u64 = 7 * 24 * 3600;

fn yes() -> bool {
    true
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Settings {
    pub(super) token_lifetime_s: u64,
    /// Sent unchanged instead of the lifetime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires_in: Option<Value>,
    pub(super) omit_expires_in: bool,
    pub(super) token_cap: u64,
    pub(super) rate_limit: Option<RateLimit>,
    pub(super) api_rate_limit: Option<RateLimit>,
    /// The scope that `/generic/oauth/token` grants instead of the requested one.
    pub(super) granted_scope: Option<String>,
    pub(super) deleted_secret_ends_tokens: bool,
    /// Delays after which a change takes effect, in seconds.
    pub(super) new_secret_valid_after_s: u64,
    pub(super) deleted_secret_valid_for_s: u64,
    pub(super) visible_after_s: u64,
    pub(super) last_used_late_s: u64,
    /// Rejects every n-th token request that is valid.
    pub(super) reject_every_nth_token_request: Option<u64>,
    /// Rejects versions of the Admin API that are newer than those the emulator knows.
    pub(super) strict_api_version: bool,
    /// Whether 401 is the status of requests that roles or access list do not allow.
    pub(super) forbidden_as_401: bool,
}

impl Settings {
    pub(super) fn initial(options: &EmulatorOptions) -> Self {
        Self {
            token_lifetime_s: options.token_lifetime_s,
            expires_in: None,
            omit_expires_in: false,
            token_cap: options.token_cap,
            rate_limit: options.rate_limit,
            api_rate_limit: Some(RateLimit { requests: 1200, ..RateLimit::default() }),
            granted_scope: None,
            deleted_secret_ends_tokens: false,
            new_secret_valid_after_s: 0,
            deleted_secret_valid_for_s: 0,
            visible_after_s: 0,
            last_used_late_s: 0,
            reject_every_nth_token_request: None,
            strict_api_version: false,
            forbidden_as_401: false,
        }
    }

    /// The status of a request that roles or access list do not allow. Atlas sends both.
    pub(super) fn forbidden_status(&self) -> u16 {
        if self.forbidden_as_401 { 401 } else { 403 }
    }

    /// Returns these settings with `changes` applied, or a description of the invalid change.
    pub(super) fn changed(&self, changes: Value) -> Result<Self, String> {
        let changes: Changes = serde_json::from_value(changes).map_err(|error| error.to_string())?;
        for limit in [changes.rate_limit.flatten(), changes.api_rate_limit.flatten()].into_iter().flatten() {
            if limit.requests == 0 || limit.window_s == 0 {
                return Err("requests and window_s of a rate limit must be at least 1; use null for no limit".to_owned());
            }
        }
        if changes.reject_every_nth_token_request == Some(Some(0)) {
            return Err("reject_every_nth_token_request must be at least 1; use null for none".to_owned());
        }
        if changes.last_used_late_s.is_some_and(|seconds| seconds > MAX_LATE_S) {
            return Err(format!("last_used_late_s must be at most {MAX_LATE_S}, which is a week"));
        }
        let kept = self.clone();
        Ok(Self {
            token_lifetime_s: changes.token_lifetime_s.unwrap_or(kept.token_lifetime_s),
            expires_in: changes.expires_in.or(kept.expires_in),
            omit_expires_in: changes.omit_expires_in.unwrap_or(kept.omit_expires_in),
            token_cap: changes.token_cap.unwrap_or(kept.token_cap),
            rate_limit: changes.rate_limit.unwrap_or(kept.rate_limit),
            api_rate_limit: changes.api_rate_limit.unwrap_or(kept.api_rate_limit),
            granted_scope: changes.granted_scope.unwrap_or(kept.granted_scope),
            deleted_secret_ends_tokens: changes.deleted_secret_ends_tokens.unwrap_or(kept.deleted_secret_ends_tokens),
            new_secret_valid_after_s: changes.new_secret_valid_after_s.unwrap_or(kept.new_secret_valid_after_s),
            deleted_secret_valid_for_s: changes.deleted_secret_valid_for_s.unwrap_or(kept.deleted_secret_valid_for_s),
            visible_after_s: changes.visible_after_s.unwrap_or(kept.visible_after_s),
            last_used_late_s: changes.last_used_late_s.unwrap_or(kept.last_used_late_s),
            reject_every_nth_token_request: changes.reject_every_nth_token_request.unwrap_or(kept.reject_every_nth_token_request),
            strict_api_version: changes.strict_api_version.unwrap_or(kept.strict_api_version),
            forbidden_as_401: changes.forbidden_as_401.unwrap_or(kept.forbidden_as_401),
        })
    }
}

/// The fields of a settings change. An outer `None` means that the field is absent. Where null is a
/// valid value, an inner `None` represents it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Changes {
    token_lifetime_s: Option<u64>,
    #[serde(default, deserialize_with = "named")]
    expires_in: Option<Value>,
    omit_expires_in: Option<bool>,
    token_cap: Option<u64>,
    #[serde(default, deserialize_with = "named")]
    rate_limit: Option<Option<RateLimit>>,
    #[serde(default, deserialize_with = "named")]
    api_rate_limit: Option<Option<RateLimit>>,
    #[serde(default, deserialize_with = "named")]
    granted_scope: Option<Option<String>>,
    deleted_secret_ends_tokens: Option<bool>,
    new_secret_valid_after_s: Option<u64>,
    deleted_secret_valid_for_s: Option<u64>,
    visible_after_s: Option<u64>,
    last_used_late_s: Option<u64>,
    #[serde(default, deserialize_with = "named")]
    reject_every_nth_token_request: Option<Option<u64>>,
    strict_api_version: Option<bool>,
    forbidden_as_401: Option<bool>,
}

/// Distinguishes `null` from an absent field, which serde's `Option` does not.
pub(super) fn named<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
