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
    /// Reject a token that is already due for a refresh.
    pub(super) reject_due: bool,
}

/// The known tokens that do not satisfy a request.
#[derive(Clone, Debug)]
pub(super) enum Exclude {
    /// Any token satisfies the request.
    Nothing,
    /// This token and all older ones. Shared, because many callers may wait with one request.
    UpTo(Arc<KnownToken>),
    /// The token that the store contains when the refresh begins: the caller forces a new token in
    /// a process that has none yet.
    Stored,
}

/// A token that does not satisfy a request.
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
    pub(super) fn up_to(token: KnownToken) -> Self {
        Self::UpTo(Arc::new(token))
    }
}

impl KnownToken {
    pub(super) fn of(token: &Token) -> Self {
        Self { value: Secret::from(token.value()), obtained_at: Some(token.lifetime().obtained_at) }
    }

    pub(super) fn of_stored(token: &StoredToken, now: Moment) -> Self {
        let lifetime = Lifetime::from_stored(now, token.obtained_at_ms, token.refresh_at_ms, token.expires_at_ms);
        Self { value: token.value.clone(), obtained_at: lifetime.map(|lifetime| lifetime.obtained_at) }
    }

    /// Returns whether `token` is a different token and not older. Setting the wall clock can make
    /// a newer token look older, but only by one of the two clocks.
    fn precedes(&self, token: &Token) -> bool {
        let later = token.lifetime().obtained_at;
        token.value() != self.value.expose()
            && self.obtained_at.is_none_or(|known| later.wall_ms >= known.wall_ms || later.monotonic_ms >= known.monotonic_ms)
    }
}

impl RefreshRequest {
    /// Creates a request for any token that is not due.
    pub(super) fn not_due() -> Self {
        Self { min_ttl: Duration::ZERO, exclude: Exclude::Nothing, reject_due: true }
    }

    /// Returns whether `token` proves that no token of this server has a remaining lifetime of
    /// `min_ttl`. A total lifetime equal to `min_ttl` is too short, because some of it has passed
    /// when the token arrives.
    pub(super) fn exceeds_lifetime_of(&self, token: &Token, now: Moment) -> bool {
        token.lifetime().total() <= self.min_ttl && token.lifetime().freshness(now, Duration::ZERO) != Freshness::Unusable
    }

    pub(super) fn is_satisfied_by(&self, token: &Token, now: Moment) -> bool {
        let is_usable = match token.lifetime().freshness(now, self.min_ttl) {
            Freshness::Fresh => true,
            Freshness::Due => !self.reject_due,
            Freshness::Unusable => false,
        };
        is_usable
            && match &self.exclude {
                Exclude::Nothing => true,
                Exclude::UpTo(known) => known.precedes(token),
                Exclude::Stored => false,
            }
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
                Resolution::Done(Err(min_ttl_exceeds_lifetime(self.min_ttl, lifetime.total())))
            }
            Origin::Minted if !unusable => Resolution::Done(Ok(outcome.token)),
            Origin::Minted | Origin::Uncacheable => Resolution::Retry(self),
            Origin::Stored | Origin::StoredDuringRefresh => {
                if matches!(self.exclude, Exclude::Stored) {
                    let stored_during = outcome.origin == Origin::StoredDuringRefresh;
                    self.exclude = if stored_during { Exclude::Nothing } else { Exclude::up_to(KnownToken::of(&outcome.token)) };
                }
                if self.is_satisfied_by(&outcome.token, now) { Resolution::Done(Ok(outcome.token)) } else { Resolution::Retry(self) }
            }
        }
    }
}

pub(super) fn min_ttl_exceeds_lifetime(min_ttl: Duration, total: Duration) -> Error {
    Error::invalid(
        "min_ttl",
        format!(
            "{} s was requested, but no token of this server can be valid for that long: its tokens have a lifetime of {} s",
            min_ttl.as_secs(),
            total.as_secs()
        ),
        "Request less than the lifetime, and leave time for the token request itself.",
    )
}
