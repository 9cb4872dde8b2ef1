//! The requirements of a caller for a refresh, and the outcome of a refresh.

use super::freshness::Freshness;
use crate::clock::Moment;
use crate::error::Error;
use crate::lifetime::Lifetime;
use crate::secret::Secret;
use crate::store::StoredToken;
use crate::token::Token;
use std::sync::Arc;
use std::time::Duration;

/// The requirements that the token of a refresh must satisfy.
#[derive(Clone, Debug)]
pub(super) struct RefreshRequest {
    pub(super) min_ttl: Duration,
    pub(super) exclude: Exclude,
}

/// The tokens that do not satisfy a request.
#[derive(Clone, Debug)]
pub(super) enum Exclude {
    /// Any token satisfies the request.
    Nothing,
    /// A token that is already due for a refresh.
    Due,
    /// This token of the process and all older ones. It is shared, not copied, because very many
    /// callers may wait for a newer one.
    UpTo(Token),
    /// This token of the store and all older ones.
    UpToStored(Arc<KnownToken>),
    /// The token that the store contains when the refresh begins: the caller forces a new token in
    /// a process that has none yet.
    Stored,
}

/// A token of the store that does not satisfy a request.
#[derive(Clone, Debug)]
pub(super) struct KnownToken {
    value: Secret,
    /// `None` if its times are impossible. In this case no token is considered older.
    obtained_at: Option<Moment>,
}

/// The token that a refresh obtained.
#[derive(Clone, Debug)]
pub(super) struct RefreshOutcome {
    pub(super) token: Token,
    pub(super) origin: Origin,
}

/// The source of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The server, in response to this refresh. Another request could not return a better token.
    Minted,
    /// The server, which forbids caching: the token is only for the callers that waited for it.
    Uncacheable,
    /// The store.
    Stored,
    /// The store, where another process wrote it during this refresh.
    StoredDuringRefresh,
}

/// The result of a refresh for one caller.
pub(super) enum Resolution {
    Done(Result<Token, Error>),
    /// The outcome does not satisfy this caller, only the one that started the refresh: refresh
    /// again with this request.
    Retry(RefreshRequest),
}

impl Exclude {
    pub(super) fn up_to_stored(token: &StoredToken, now: Moment) -> Self {
        let lifetime = Lifetime::from_stored(now, token.obtained_at_ms, token.refresh_at_ms, token.expires_at_ms);
        let known = KnownToken { value: token.value.clone(), obtained_at: lifetime.map(|lifetime| lifetime.obtained_at) };
        Self::UpToStored(Arc::new(known))
    }

    fn allows(&self, token: &Token) -> bool {
        match self {
            Self::Nothing | Self::Due => true,
            Self::UpTo(known) => precedes(known.value(), Some(known.lifetime().obtained_at), token),
            Self::UpToStored(known) => precedes(known.value.expose(), known.obtained_at, token),
            Self::Stored => false,
        }
    }
}

/// Returns whether `token` is another one than `known` and not older. Setting the wall clock can make
/// a newer token look older, but only by one of the two clocks.
fn precedes(known: &str, obtained_at: Option<Moment>, token: &Token) -> bool {
    let later = token.lifetime().obtained_at;
    token.value() != known && obtained_at.is_none_or(|known| later.wall_ms >= known.wall_ms || later.monotonic_ms >= known.monotonic_ms)
}

impl RefreshRequest {
    /// Creates a request for any token that is not due.
    pub(super) fn not_due() -> Self {
        Self { min_ttl: Duration::ZERO, exclude: Exclude::Due }
    }

    /// Returns whether `token` proves that no token of this server has a remaining lifetime of
    /// `min_ttl`. A total lifetime equal to `min_ttl` is too short, because some of it has passed
    /// when the token arrives.
    ///
    /// How much has passed then depends on the server. The last token request shows it, except to a
    /// caller that forces another one.
    pub(super) fn exceeds_lifetime_of(&self, token: &Token, now: Moment) -> bool {
        let lifetime = token.lifetime();
        let left_too_short = lifetime.left_on_arrival() < self.min_ttl && matches!(self.exclude, Exclude::Nothing);
        (lifetime.total() <= self.min_ttl || left_too_short) && lifetime.freshness(now, Duration::ZERO) != Freshness::Unusable
    }

    /// Returns whether a token that is already due for a refresh does not satisfy this request.
    pub(super) fn rejects_due(&self) -> bool {
        matches!(self.exclude, Exclude::Due)
    }

    pub(super) fn is_satisfied_by(&self, token: &Token, now: Moment) -> bool {
        let is_usable = match token.lifetime().freshness(now, self.min_ttl) {
            Freshness::Fresh => true,
            Freshness::Due => !self.rejects_due(),
            Freshness::Unusable => false,
        };
        is_usable && self.exclude.allows(token)
    }

    /// Returns the result of `outcome` for this request. A token that the server has just issued is
    /// final: some servers return the same token until it expires, others issue only tokens with a
    /// shorter lifetime than requested.
    pub(super) fn resolve(mut self, outcome: RefreshOutcome, now: Moment) -> Resolution {
        let lifetime = *outcome.token.lifetime();
        let unusable = lifetime.freshness(now, self.min_ttl) == Freshness::Unusable;
        match outcome.origin {
            Origin::Uncacheable if self.min_ttl.is_zero() => Resolution::Done(Ok(outcome.token)),
            Origin::Minted | Origin::Uncacheable if unusable && self.min_ttl > now.until(lifetime.expires_at) => {
                Resolution::Done(Err(min_ttl_exceeds_lifetime(self.min_ttl, &lifetime)))
            }
            Origin::Minted if !unusable => Resolution::Done(Ok(outcome.token)),
            Origin::Minted | Origin::Uncacheable => Resolution::Retry(self),
            Origin::Stored | Origin::StoredDuringRefresh => {
                if matches!(self.exclude, Exclude::Stored) {
                    let stored_during = outcome.origin == Origin::StoredDuringRefresh;
                    self.exclude = if stored_during { Exclude::Nothing } else { Exclude::UpTo(outcome.token.clone()) };
                }
                if self.is_satisfied_by(&outcome.token, now) { Resolution::Done(Ok(outcome.token)) } else { Resolution::Retry(self) }
            }
        }
    }
}

/// The error of a caller that requires a remaining lifetime of `min_ttl`, which the last token, with
/// `lifetime`, did not have when it arrived.
pub(super) fn min_ttl_exceeds_lifetime(min_ttl: Duration, lifetime: &Lifetime) -> Error {
    let (total, left) = (lifetime.total(), lifetime.left_on_arrival());
    let last = if left < total { format!(" (the last one: {})", exact_text(left)) } else { String::new() };
    // Another request may take a little longer.
    let hint = match left.saturating_sub(Duration::from_millis(1)).as_secs() {
        0 => "Request less than the lifetime, and leave time for the token request itself.".to_owned(),
        most => format!(
            "Request at most {}, or less if the server is slow: the token request takes part of the lifetime.",
            in_seconds_too(Duration::from_secs(most))
        ),
    };
    Error::invalid(
        "min_ttl",
        format!(
            "{} was requested, but this server's tokens are issued for {} and have less than that left when they arrive{last}",
            exact_text(min_ttl),
            exact_text(total)
        ),
        hint,
    )
}

/// A duration without rounding: one that is a moment too short must not look long enough.
fn exact_text(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    if milliseconds < 1000 {
        return format!("{milliseconds} ms");
    }
    let (minutes, milliseconds) = (milliseconds / 60_000, milliseconds % 60_000);
    let decimals = format!("{:03}", milliseconds % 1000);
    let seconds = format!("{}.{decimals}", milliseconds / 1000);
    let seconds = seconds.trim_end_matches('0').trim_end_matches('.');
    let parts = [(minutes / 1440, "d"), (minutes % 1440 / 60, "h"), (minutes % 60, "min")];
    let mut parts: Vec<_> = parts.into_iter().filter(|(count, _)| *count != 0).map(|(count, unit)| format!("{count} {unit}")).collect();
    if milliseconds != 0 {
        parts.push(format!("{seconds} s"));
    }
    parts.join(" ")
}

/// Whole seconds, also in larger units if there are any: `59 min 59 s (3599 s)`.
fn in_seconds_too(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 { format!("{seconds} s") } else { format!("{} ({seconds} s)", exact_text(duration)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_names_what_was_requested_and_the_most_that_can_be() {
        let start = Moment { wall_ms: 1_800_000_000_000, monotonic_ms: 0 };
        let hour = Lifetime::granted(start, Duration::from_secs(3600), 0.0);
        let message = |min_ttl: u64, lifetime: &Lifetime| {
            let error = min_ttl_exceeds_lifetime(Duration::from_millis(min_ttl), lifetime);
            format!("{error}. {}", error.hint())
        };

        let slow = message(3_599_990, &hour.with_request_time(Duration::from_millis(50)));
        assert!(slow.contains("59 min 59.99 s was requested"), "{slow}");
        assert!(slow.contains("issued for 1 h and have less than that left when they arrive (the last one: 59 min 59.95 s)"), "{slow}");
        assert!(slow.contains("at most 59 min 59 s (3599 s)"), "{slow}");

        let short = message(900, &Lifetime::granted(start, Duration::from_millis(800), 0.0));
        assert!(short.contains("900 ms was requested") && short.contains("issued for 800 ms and have"), "{short}");
        assert!(!short.contains("at most"), "{short}");
    }

    #[test]
    fn no_duration_is_rounded() {
        for (milliseconds, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1000, "1 s"),
            (10_000, "10 s"),
            (10_500, "10.5 s"),
            (60_000, "1 min"),
            (3_600_001, "1 h 0.001 s"),
            (3_661_000, "1 h 1 min 1 s"),
            (172_800_000, "2 d"),
        ] {
            assert_eq!(exact_text(Duration::from_millis(milliseconds)), text);
        }
        assert_eq!(in_seconds_too(Duration::from_secs(59)), "59 s");
        assert_eq!(in_seconds_too(Duration::from_secs(60)), "1 min (60 s)");
    }
}
