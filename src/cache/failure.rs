//! What is remembered of a failed refresh: for how long nobody asks again.

use super::jitter;
use crate::clock::Moment;
use crate::credential::Credential;
use crate::error::Error;
use crate::grant;
use crate::store::{StoredCooldown, UnknownMembers};
use std::time::Duration;

/// After `invalid_client` and its like: long enough not to run into a lock-out, short enough for somebody who is mending it.
const AFTER_REJECTION: Duration = Duration::from_secs(30);
/// After an error that says nothing of the server, such as a missing file: as short as it may be without a refresh for each get.
const AFTER_A_FAULT_HERE: Duration = Duration::from_secs(1);
/// A row of failures is over when nobody has asked for so long after the end of its last pause.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);
/// The longest pause between attempts at a server that fails or cannot be reached.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Whether `error` says nothing of the server: a file that is missing, a fault of our own.
pub(crate) fn is_a_fault_here(error: &Error) -> bool {
    matches!(error, Error::NotConfigured { .. } | Error::InvalidArgument { .. } | Error::Internal { .. })
}

/// The last refresh failed, and this is how long that stands.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    error: Error,
    since: Moment,
    until: Moment,
    failures: u32,
    /// The pair that the server rejected; another one may be tried at once.
    rejected: Option<Credential>,
}

impl Failure {
    /// What to remember of `error`, the last of `failures` in a row; `None` for errors that need no pause.
    pub(crate) fn remember(error: &Error, credential: Option<&Credential>, now: Moment, failures: u32) -> Option<Self> {
        let pause = pause_after(error, failures, jitter::fraction())?;
        Some(Self {
            error: with_retry_after(error.clone(), pause),
            since: now,
            until: now.after(pause),
            failures,
            rejected: credential.filter(|_| matches!(error, Error::CredentialRejected { .. })).cloned(),
        })
    }

    /// What another process shared. `None` where its times cannot be true or are over.
    pub(crate) fn recall(stored: &StoredCooldown, credential: &Credential, now: Moment) -> Option<Self> {
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
            rejected: matches!(stored.error, Error::CredentialRejected { .. }).then(|| credential.clone()),
        })
    }

    /// How many failures in a row another process has met, if the last of them is recent: the pause after the next one grows from there, although
    /// this process has not seen them.
    pub(crate) fn failures_of(stored: &StoredCooldown, now: Moment) -> u32 {
        let age = now.wall_ms.saturating_sub(stored.until_ms);
        if age <= milliseconds(FORGOTTEN_AFTER) { stored.failures } else { 0 }
    }

    /// As other processes may read it; `None` where it says nothing to them. A connection that was never made, a proxy that is wrong, an authority that is
    /// not trusted: that is this process's own surroundings.
    pub(crate) fn to_stored(&self) -> Option<StoredCooldown> {
        let of_the_server = matches!(
            self.error,
            Error::RateLimited { .. }
                | Error::TokenLimit { .. }
                | Error::CredentialRejected { .. }
                | Error::Server { .. }
                | Error::Network { reached: true, .. }
                | Error::Protocol { .. }
                | Error::Refused { .. }
        );
        of_the_server.then(|| StoredCooldown {
            error: self.error.clone(),
            since_ms: self.since.wall_ms,
            until_ms: self.until.wall_ms,
            failures: self.failures,
            unknown: UnknownMembers::default(),
        })
    }

    /// The error as the caller whose request it was sees it.
    pub(crate) fn error(&self) -> Error {
        self.error.clone()
    }

    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    pub(crate) fn rejected(&self) -> Option<&Credential> {
        self.rejected.as_ref()
    }

    /// The error for callers that come while it stands; `None` once either clock says that it is over.
    pub(crate) fn standing(&self, now: Moment) -> Option<Error> {
        let ends_in = now.until(self.until);
        // A wall clock that was set back must not make a cooldown longer than it was meant to be; the monotonic one ends it.
        if ends_in.is_zero() {
            return None;
        }
        Some(Error::Cooldown { original: Box::new(self.error.clone()), age: self.since.until(now), ends_in })
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn pause_after(error: &Error, failures: u32, jitter: f64) -> Option<Duration> {
    let spread = |pause: Duration| whole_milliseconds(pause + (pause / 10).mul_f64(jitter));
    let backoff = || LONGEST_PAUSE.min(Duration::from_secs(1 << failures.saturating_sub(1).min(6)));
    match error {
        Error::RateLimited { retry_after, .. } | Error::TokenLimit { retry_after, .. } => Some(spread(*retry_after)),
        Error::CredentialRejected { .. } => Some(AFTER_REJECTION),
        Error::Server { retry_after, .. } => Some(backoff().max(retry_after.unwrap_or_default())),
        _ if is_a_fault_here(error) => Some(AFTER_A_FAULT_HERE),
        Error::Network { .. } | Error::Tls { .. } | Error::Protocol { .. } | Error::Refused { .. } => Some(backoff()),
        _ => None,
    }
}

/// The clocks count milliseconds, and what the caller is told must not be less than what is kept.
fn whole_milliseconds(pause: Duration) -> Duration {
    Duration::from_millis(u64::try_from(pause.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX))
}

/// The caller is told when the next request will really be sent, which is a little later than the server's own figure.
fn with_retry_after(error: Error, pause: Duration) -> Error {
    match error {
        Error::RateLimited { server, description, http_status, .. } => {
            Error::RateLimited { server, description, http_status, retry_after: pause }
        }
        Error::TokenLimit { server, description, http_status, .. } => {
            Error::TokenLimit { server, description, http_status, retry_after: pause }
        }
        Error::Server { server, description, http_status, .. } => {
            Error::Server { server, description, http_status, retry_after: Some(pause) }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(retry_after: Option<u64>) -> Error {
        Error::Server {
            server: String::new(),
            description: String::new(),
            http_status: 503,
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    fn limited(seconds: u64) -> Error {
        Error::RateLimited {
            server: String::new(),
            description: String::new(),
            http_status: 429,
            retry_after: Duration::from_secs(seconds),
        }
    }

    #[test]
    fn failures_of_the_server_double_the_pause_up_to_a_minute() {
        let pauses: Vec<u64> =
            (1..=9).map(|failures| pause_after(&server(None), failures, 1.0).map_or(0, |pause| pause.as_secs())).collect();

        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn a_servers_own_pause_counts_where_it_is_longer() {
        assert_eq!(pause_after(&server(Some(20)), 1, 0.0), Some(Duration::from_secs(20)));
        assert_eq!(pause_after(&server(Some(20)), 7, 0.0), Some(Duration::from_secs(60)));
    }

    #[test]
    fn retry_after_is_never_shortened_and_lengthened_by_a_tenth_at_most() {
        assert_eq!(pause_after(&limited(30), 1, 0.0), Some(Duration::from_secs(30)));
        assert_eq!(pause_after(&limited(30), 5, 1.0), Some(Duration::from_secs(33)));
    }

    #[test]
    fn the_end_of_the_client_is_not_remembered() {
        assert_eq!(pause_after(&Error::Closed, 1, 0.0), None);
    }
}
