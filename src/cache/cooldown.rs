//! The cooldown after a failed refresh: for how long no token request is sent.

use super::jitter;
use crate::clock::Moment;
use crate::credential::Credential;
use crate::error::Error;
use crate::grant::{self, ProxyLogin};
use crate::store::{Record, RejectedTokens, StoredCooldown, StoredProxyRejection, UnknownMembers};
use std::time::Duration;

/// The pause after `invalid_client` and similar errors: long enough not to cause a lockout, short
/// enough for a user who is correcting the credential.
const REJECTION_PAUSE: Duration = Duration::from_secs(30);
/// The pause after an error that does not come from the server, such as a missing file: just long
/// enough that not every get starts a refresh.
const LOCAL_FAULT_PAUSE: Duration = Duration::from_secs(1);
/// The failure count restarts if no failure occurred for this long after the end of the last
/// cooldown.
const FAILURES_FORGOTTEN_AFTER: Duration = Duration::from_secs(600);
/// The longest pause between attempts if the server fails or is unreachable.
const MAX_BACKOFF: Duration = Duration::from_secs(60);

/// Returns whether the cause of `error` is local, such as a missing file or a bug in this library,
/// and not the server.
pub(crate) fn is_local_fault(error: &Error) -> bool {
    matches!(error, Error::NotConfigured { .. } | Error::InvalidArgument { .. } | Error::Internal { .. })
}

/// A failed refresh and the time until the next one is allowed.
#[derive(Clone, Debug)]
pub(crate) struct Cooldown {
    error: Error,
    since: Moment,
    until: Moment,
    failures: u32,
    /// The credential that was used. Another credential may be used immediately. `None` if the failure
    /// does not depend on it.
    credential: Option<Credential>,
    /// Whether the shared record has this refusal. It ends when the record is removed.
    shared: bool,
}

impl Cooldown {
    /// Creates the cooldown after `error`, the last of `failures` in a row. Returns `None` for
    /// errors that need no pause.
    pub(crate) fn new(error: &Error, credential: Option<&Credential>, now: Moment, failures: u32) -> Option<Self> {
        let pause = pause_after(error, failures, jitter::fraction())?;
        Some(Self {
            error: with_retry_after(error.clone(), pause),
            since: now,
            until: now.after(pause),
            failures,
            credential: credential.cloned(),
            shared: false,
        })
    }

    /// Creates the cooldown that another process stored. Returns `None` if it is over or its times
    /// are impossible.
    pub(crate) fn from_stored(stored: &StoredCooldown, credential: &Credential, now: Moment) -> Option<Self> {
        if now.wall_ms < stored.since_ms || now.wall_ms >= stored.until_ms {
            return None;
        }
        let age = now.wall_ms - stored.since_ms;
        let left = stored.until_ms - now.wall_ms;
        Some(Self {
            error: grant::with_client(stored.error.clone(), credential),
            since: Moment { wall_ms: stored.since_ms, monotonic_ms: now.monotonic_ms.saturating_sub(age) },
            until: now.after(Duration::from_millis(left)),
            failures: stored.failures,
            credential: Some(credential.clone()),
            shared: true,
        })
    }

    /// Creates the cooldown after `rejected`, new tokens of `server` that were rejected in a row. Returns
    /// `None` if it is over or its times are impossible, or if there was only one.
    pub(crate) fn of_rejected_tokens(
        rejected: &RejectedTokens,
        server: String,
        credential: Option<&Credential>,
        shared: bool,
        now: Moment,
    ) -> Option<Self> {
        if now.wall_ms < rejected.since_ms || now.wall_ms >= rejected.until_ms {
            return None;
        }
        let age = now.wall_ms - rejected.since_ms;
        Some(Self {
            error: Error::TokensRejected { server, count: rejected.count },
            since: Moment { wall_ms: rejected.since_ms, monotonic_ms: now.monotonic_ms.saturating_sub(age) },
            until: now.after(Duration::from_millis(rejected.until_ms - now.wall_ms)),
            // They say nothing about the authorization server, so its next failure is the first one.
            failures: 0,
            credential: credential.cloned(),
            shared,
        })
    }

    /// Returns the cooldown that `record` contains; the longer one if there are two.
    pub(crate) fn in_record(record: &Record, server: impl FnOnce() -> String, credential: &Credential, now: Moment) -> Option<Self> {
        let refusal = record.cooldown.as_ref().and_then(|stored| Self::from_stored(stored, credential, now));
        let rejected = record.rejected_tokens.as_ref();
        let rejected = rejected.and_then(|rejected| Self::of_rejected_tokens(rejected, server(), Some(credential), true, now));
        match (refusal, rejected) {
            (Some(refusal), Some(rejected)) => Some(if refusal.ends_before(&rejected, now) { rejected } else { refusal }),
            (refusal, rejected) => refusal.or(rejected),
        }
    }

    /// Returns whether `other` was created by the same failure.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.since, self.until) == (other.since, other.until)
    }

    /// Returns the same cooldown after it was saved in the shared record.
    pub(crate) fn saved(self) -> Self {
        Self { shared: true, ..self }
    }

    /// Creates the cooldown after another process's log-in to the proxy was rejected. Returns `None`
    /// if this process sends another log-in, or if the cooldown is over.
    pub(crate) fn from_stored_proxy_rejection(
        stored: &StoredProxyRejection,
        login: &ProxyLogin,
        credential: &Credential,
        now: Moment,
    ) -> Option<Self> {
        if stored.login != login.id || now.wall_ms < stored.since_ms || now.wall_ms >= stored.until_ms {
            return None;
        }
        let age = now.wall_ms - stored.since_ms;
        Some(Self {
            error: login.rejection.clone(),
            since: Moment { wall_ms: stored.since_ms, monotonic_ms: now.monotonic_ms.saturating_sub(age) },
            until: now.after(Duration::from_millis(stored.until_ms - now.wall_ms)),
            failures: 1,
            credential: Some(credential.clone()),
            shared: true,
        })
    }

    /// Returns the rejection of `login` by the proxy, in the form that other processes read.
    pub(crate) fn to_stored_proxy_rejection(&self, login: ProxyLogin) -> Option<StoredProxyRejection> {
        let (since_ms, until_ms) = (self.since.wall_ms, self.until.wall_ms);
        is_rejected_login(&self.error).then_some(StoredProxyRejection { login: login.id, since_ms, until_ms })
    }

    /// Returns the number of consecutive failures that another process stored, or 0 if the last one
    /// is not recent. The pause after the next failure grows from this number, although this
    /// process has not seen these failures.
    pub(crate) fn recent_failures(stored: &StoredCooldown, now: Moment) -> u32 {
        let age = now.wall_ms.saturating_sub(stored.until_ms);
        if age <= as_millis_u64(FAILURES_FORGOTTEN_AFTER) { stored.failures } else { 0 }
    }

    /// Returns whether `error` concerns other processes too. An error that concerns only this process
    /// and its environment does not: a connection that was never established, a wrong proxy, an
    /// untrusted certificate authority, a timeout that is too short for the server.
    pub(crate) fn concerns_others(error: &Error) -> bool {
        let is_of_server = matches!(
            error,
            Error::RateLimited { .. }
                | Error::TokenLimit { .. }
                | Error::CredentialRejected { .. }
                | Error::Server { .. }
                | Error::Network { reached: true, .. }
                | Error::Protocol { .. }
                | Error::Refused { .. }
        );
        is_of_server && !is_denial_without_oauth_error(error) && !error.is_own_timeout()
    }

    /// Returns the form that other processes read. Returns `None` for an error that is not shared.
    pub(crate) fn to_stored(&self) -> Option<StoredCooldown> {
        Self::concerns_others(&self.error).then(|| StoredCooldown {
            error: self.error.clone(),
            since_ms: self.since.wall_ms,
            until_ms: self.until.wall_ms,
            failures: self.failures,
            unknown: UnknownMembers::default(),
        })
    }

    /// Returns the error for the caller whose request failed.
    pub(crate) fn error(&self) -> Error {
        self.error.clone()
    }

    /// Returns the number of consecutive failures from which the pause after `error` grows. Failures
    /// that are not shared do not lengthen the pause of other processes.
    pub(crate) fn failures_before(&self, error: &Error) -> u32 {
        if Self::concerns_others(error) && !Self::concerns_others(&self.error) { 0 } else { self.failures }
    }

    pub(crate) fn credential(&self) -> Option<&Credential> {
        self.credential.as_ref()
    }

    /// Returns whether it is in the shared record.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared
    }

    /// Returns whether anything can end this cooldown early.
    pub(crate) fn can_be_lifted(&self) -> bool {
        self.credential.is_some()
    }

    pub(crate) fn ends_before(&self, other: &Self, now: Moment) -> bool {
        now.until(self.until) < now.until(other.until)
    }

    /// Returns the error for callers during the cooldown, or `None` once either clock shows that it
    /// is over.
    pub(crate) fn active_error(&self, now: Moment) -> Option<Error> {
        let ends_in = now.until(self.until);
        // The monotonic clock ends the cooldown too, so a wall clock that is set back does not
        // lengthen it.
        if ends_in.is_zero() {
            return None;
        }
        Some(Error::Cooldown { original: Box::new(self.error.clone()), age: self.since.until(now), ends_in })
    }
}

/// Whether a proxy rejected the log-in.
fn is_rejected_login(error: &Error) -> bool {
    matches!(error, Error::Proxy { proxy_status: Some(407), .. })
}

/// Whether the response was a 401 or 403 that a web filter or an access list may have sent instead of
/// the server. Other processes may not be affected.
fn is_denial_without_oauth_error(error: &Error) -> bool {
    matches!(error, Error::Protocol { http_status: Some(401 | 403), .. })
}

fn as_millis_u64(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn pause_after(error: &Error, failures: u32, jitter: f64) -> Option<Duration> {
    let spread = |pause: Duration| round_up_to_ms(pause + (pause / 10).mul_f64(jitter));
    let backoff = || MAX_BACKOFF.min(Duration::from_secs(1 << failures.saturating_sub(1).min(6)));
    match error {
        Error::RateLimited { retry_after, .. } | Error::TokenLimit { retry_after, .. } => Some(spread(*retry_after)),
        Error::CredentialRejected { .. } => Some(REJECTION_PAUSE),
        // Repeated log-ins can lock an account. A denial may be about the credential, too.
        _ if is_rejected_login(error) || is_denial_without_oauth_error(error) => Some(REJECTION_PAUSE),
        Error::Server { retry_after, .. } => Some(backoff().max(retry_after.unwrap_or_default())),
        _ if is_local_fault(error) => Some(LOCAL_FAULT_PAUSE),
        Error::Network { .. } | Error::Proxy { .. } | Error::Tls { .. } | Error::Protocol { .. } | Error::Refused { .. } => Some(backoff()),
        _ => None,
    }
}

/// The clocks count milliseconds. Rounding up ensures that the reported pause is not shorter than
/// the real one.
fn round_up_to_ms(pause: Duration) -> Duration {
    Duration::from_millis(u64::try_from(pause.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX))
}

/// Replaces the server's retry time with the real one, which is slightly longer.
fn with_retry_after(mut error: Error, pause: Duration) -> Error {
    match &mut error {
        Error::RateLimited { retry_after, .. } | Error::TokenLimit { retry_after, .. } => *retry_after = pause,
        Error::Server { retry_after, .. } => *retry_after = Some(pause),
        _ => {}
    }
    error
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use crate::error::Exchange;

    fn server(retry_after: Option<u64>) -> Error {
        Error::Server {
            server: String::new(),
            description: String::new(),
            http_status: 503,
            retry_after: retry_after.map(Duration::from_secs),
            exchange: Exchange::default(),
        }
    }

    fn limited(seconds: u64) -> Error {
        Error::RateLimited {
            server: String::new(),
            description: String::new(),
            http_status: 429,
            retry_after: Duration::from_secs(seconds),
            exchange: Exchange::default(),
        }
    }

    #[test]
    fn server_failures_double_the_pause_up_to_a_minute() {
        let pauses: Vec<u64> =
            (1..=9).map(|failures| pause_after(&server(None), failures, 1.0).map_or(0, |pause| pause.as_secs())).collect();

        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn the_longer_of_retry_after_and_backoff_applies() {
        assert_eq!(pause_after(&server(Some(20)), 1, 0.0), Some(Duration::from_secs(20)));
        assert_eq!(pause_after(&server(Some(20)), 7, 0.0), Some(Duration::from_secs(60)));
    }

    #[test]
    fn retry_after_is_never_shortened_and_lengthened_by_a_tenth_at_most() {
        assert_eq!(pause_after(&limited(30), 1, 0.0), Some(Duration::from_secs(30)));
        assert_eq!(pause_after(&limited(30), 5, 1.0), Some(Duration::from_secs(33)));
    }

    fn network(reached: bool, source: Option<crate::error::Cause>) -> Error {
        Error::Network {
            server: String::new(),
            problem: String::new(),
            reached,
            advice: String::new(),
            source,
            exchange: crate::error::Exchange::default(),
        }
    }

    fn cooldown(error: &Error, failures: u32) -> Cooldown {
        Cooldown::new(error, None, Moment { wall_ms: 1, monotonic_ms: 1 }, failures).expect("a pause")
    }

    #[test]
    fn r1_the_end_of_ones_own_time_is_not_shared() {
        let own = network(true, Some(std::sync::Arc::new(crate::error::TimeIsOver)));

        assert!(cooldown(&own, 1).to_stored().is_none());
        assert!(cooldown(&network(true, None), 1).to_stored().is_some());
    }

    #[test]
    fn r1_failures_that_are_not_shared_do_not_lengthen_the_pause_of_others() {
        let own = network(true, Some(std::sync::Arc::new(crate::error::TimeIsOver)));
        let unreached = network(false, None);

        for local in [&own, &unreached] {
            assert_eq!(cooldown(local, 5).failures_before(&server(None)), 0);
            assert_eq!(cooldown(local, 5).failures_before(local), 5);
        }
        assert_eq!(cooldown(&server(None), 5).failures_before(&server(None)), 5);
        assert_eq!(cooldown(&server(None), 5).failures_before(&own), 5);
    }

    #[test]
    fn a_closed_client_starts_no_cooldown() {
        assert_eq!(pause_after(&Error::Closed, 1, 0.0), None);
    }
}
