//! What a caller needs of a refresh, and what a refresh brought.

use super::freshness::Freshness;
use crate::clock::Moment;
use crate::error::Error;
use crate::lifetime::Lifetime;
use crate::secret::Secret;
use crate::store::StoredToken;
use crate::token::Token;
use std::time::Duration;

/// What a refresh must bring to be worth it.
#[derive(Clone, Debug)]
pub(super) struct Need {
    pub(super) min_ttl: Duration,
    pub(super) other: Other,
    /// A token that is due itself will not do.
    pub(super) fresh: bool,
}

/// Whether the token must be another one than one that is known.
#[derive(Clone, Debug)]
pub(super) enum Other {
    /// Any token will do.
    Any,
    /// Not this one, and none from before it.
    Than(Known),
    /// Not the one that the store holds when the refresh begins: this process knows none yet, and the caller wants a new one all the same.
    ThanTheStored,
}

/// A token that will not do.
#[derive(Clone, Debug)]
pub(super) struct Known {
    value: Secret,
    /// `None` where its times cannot be true, and nothing can be said to be older than it.
    obtained: Option<Moment>,
}

/// What a refresh brought.
#[derive(Clone, Debug)]
pub(super) struct Landed {
    pub(super) token: Token,
    pub(super) origin: Origin,
}

/// Where the token of a refresh came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The server, just now. Asking again could bring nothing better.
    Minted,
    /// The server, which said that it must not be kept: it is for those who waited for it.
    Unkept,
    /// The store.
    Stored,
    /// The store, into which another process put it while this refresh was under way.
    StoredSince,
}

/// What a flight's outcome is for one caller.
pub(super) enum Settled {
    Answer(Result<Token, Error>),
    /// It landed for somebody with a smaller need: ask again, with this one.
    Again(Need),
}

impl Known {
    pub(super) fn of(token: &Token) -> Self {
        Self { value: Secret::from(token.value()), obtained: Some(token.lifetime().obtained) }
    }

    pub(super) fn of_stored(token: &StoredToken, now: Moment) -> Self {
        let lifetime = Lifetime::recalled(now, token.obtained_at_ms, token.refresh_at_ms, token.expires_at_ms);
        Self { value: token.value.clone(), obtained: lifetime.map(|lifetime| lifetime.obtained) }
    }

    /// Whether `token` is another one, and not from before it. A wall clock that was set in between makes the newer one look older, but only by one of
    /// the two clocks.
    fn is_followed_by(&self, token: &Token) -> bool {
        let later = token.lifetime().obtained;
        token.value() != self.value.expose()
            && self.obtained.is_none_or(|known| later.wall_ms >= known.wall_ms || later.monotonic_ms >= known.monotonic_ms)
    }
}

impl Need {
    /// A token that is not due, whichever it is.
    pub(super) fn fresh() -> Self {
        Self { min_ttl: Duration::ZERO, other: Other::Any, fresh: true }
    }

    /// Whether `token` shows that this server's tokens never live for as long as is asked: another one could not either. One that lives for just as long
    /// has lived for a moment when it arrives.
    pub(super) fn is_beyond(&self, token: &Token, now: Moment) -> bool {
        token.lifetime().total() <= self.min_ttl && token.lifetime().freshness(now, Duration::ZERO) != Freshness::Dead
    }

    pub(super) fn is_met_by(&self, token: &Token, now: Moment) -> bool {
        let good_enough = match token.lifetime().freshness(now, self.min_ttl) {
            Freshness::Fresh => true,
            Freshness::Due => !self.fresh,
            Freshness::Dead => false,
        };
        good_enough
            && match &self.other {
                Other::Any => true,
                Other::Than(known) => known.is_followed_by(token),
                Other::ThanTheStored => false,
            }
    }

    /// The answer that `landed` is for this need. A token fresh from the server is final: some servers give out the same token until it ends,
    /// others give out none that live for as long as was asked.
    pub(super) fn settle(mut self, landed: Landed, now: Moment) -> Settled {
        let lifetime = *landed.token.lifetime();
        let dead = lifetime.freshness(now, self.min_ttl) == Freshness::Dead;
        match landed.origin {
            Origin::Unkept if self.min_ttl.is_zero() => Settled::Answer(Ok(landed.token)),
            Origin::Minted | Origin::Unkept if dead && self.min_ttl > now.until(lifetime.expires) => {
                Settled::Answer(Err(asks_for_too_long_a_life(self.min_ttl, lifetime.total())))
            }
            Origin::Minted if !dead => Settled::Answer(Ok(landed.token)),
            Origin::Minted | Origin::Unkept => Settled::Again(self),
            Origin::Stored | Origin::StoredSince => {
                if matches!(self.other, Other::ThanTheStored) {
                    let since = landed.origin == Origin::StoredSince;
                    self.other = if since { Other::Any } else { Other::Than(Known::of(&landed.token)) };
                }
                if self.is_met_by(&landed.token, now) { Settled::Answer(Ok(landed.token)) } else { Settled::Again(self) }
            }
        }
    }
}

pub(super) fn asks_for_too_long_a_life(min_ttl: Duration, total: Duration) -> Error {
    Error::invalid(
        "min_ttl",
        format!(
            "a remaining lifetime of {} s was requested, but the tokens of this server are valid for {} s",
            min_ttl.as_secs(),
            total.as_secs()
        ),
        "Request less than the lifetime of a token, and leave time for the token request itself.",
    )
}
