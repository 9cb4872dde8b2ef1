//! Tokens that a resource server rejected: they are not used again, and new ones that are rejected in
//! a row become a cooldown.
//!
//! Without this cooldown, a program that replaces its token after each 401 would request tokens until
//! the account has no more left, if the API answers 401 to all of them.

use super::cooldown::Cooldown;
use super::slot::Slot;
use crate::clock::Moment;
use crate::credential::Credential;
use crate::secret::Secret;
use crate::store::{Record, RejectedTokens, UnknownMembers};
use arc_swap::ArcSwap;
use std::time::Duration;

/// The number of tokens rejected by a resource server that are remembered. More than a few at a
/// time indicate a different problem.
const MAX_REJECTED_TOKENS: usize = 8;

/// The number of new tokens in a row whose rejection starts a cooldown. One may have been revoked just
/// after it was issued.
const TOLERATED: u32 = 1;

/// The first cooldown, and the longest one. It doubles as long as every new token is rejected.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const MAX_PAUSE: Duration = Duration::from_secs(600);

/// Rejections are not in a row if this time passed between the end of the cooldown after one and the
/// next one.
const FORGOTTEN_AFTER_MS: u64 = 600_000;

/// The values of the last rejected tokens.
///
/// Plain data without a lock, like the current token, because a forked child must not use the
/// tokens that its parent knows to be rejected, and must not use a lock of its parent.
#[derive(Debug, Default)]
pub(super) struct RejectedList(ArcSwap<Vec<Secret>>);

impl RejectedList {
    pub(super) fn remember(&self, value: &str) {
        self.0.rcu(|known| {
            let others = known.iter().filter(|known| known.expose() != value).take(MAX_REJECTED_TOKENS - 1).cloned();
            std::iter::once(Secret::from(value)).chain(others).collect::<Vec<_>>()
        });
    }

    pub(super) fn contains(&self, value: &str) -> bool {
        self.0.load().iter().any(|known| known.expose() == value)
    }
}

/// What the rejection of a token changes in the count of rejections in a row.
#[derive(Debug)]
pub(super) enum Change {
    /// Nothing: this rejection is counted already, or the token is older than the last rejected one.
    None,
    /// The token was accepted for a while, so no new tokens are rejected in a row.
    Clear,
    /// One more new token was rejected.
    Count(RejectedTokens),
}

impl Change {
    /// The change by the rejection of `token` at `now`, which was obtained at `obtained_at_ms`.
    pub(super) fn by(before: Option<&RejectedTokens>, token: &str, obtained_at_ms: u64, now: Moment) -> Self {
        let digest = RejectedTokens::digest(token);
        if before.is_some_and(|before| before.last == digest || obtained_at_ms < before.since_ms) {
            return Self::None;
        }
        if now.wall_ms.saturating_sub(obtained_at_ms) >= RejectedTokens::NEW_FOR_MS {
            return if before.is_some() { Self::Clear } else { Self::None };
        }
        let recent = before.filter(|before| now.wall_ms.saturating_sub(before.until_ms) < FORGOTTEN_AFTER_MS);
        let count = recent.map_or(1, |before| before.count.saturating_add(1));
        Self::Count(RejectedTokens {
            since_ms: now.wall_ms,
            until_ms: now.after(pause_after(count)).wall_ms,
            count,
            last: digest,
            unknown: before.map_or_else(UnknownMembers::default, |before| before.unknown.clone()),
        })
    }

    /// Makes the change. Returns whether there is one.
    fn apply(self, rejected: &mut Option<RejectedTokens>) -> bool {
        match self {
            Self::None => return false,
            Self::Clear => *rejected = None,
            Self::Count(count) => *rejected = Some(count),
        }
        true
    }
}

fn pause_after(count: u32) -> Duration {
    match count.checked_sub(TOLERATED + 1) {
        None => Duration::ZERO,
        Some(doublings) => MAX_PAUSE.min(FIRST_PAUSE * (1 << doublings.min(10))),
    }
}

impl Slot {
    /// Counts the rejection of a token in `record`. It was obtained at `obtained_at_ms`; `None` if only
    /// the record may tell. Returns whether `record` changed.
    pub(super) fn count_rejection(&self, record: &mut Record, value: &str, obtained_at_ms: Option<u64>) -> bool {
        let stored = record.token.as_ref().filter(|token| token.value.expose() == value).map(|token| token.obtained_at_ms);
        let Some(obtained_at_ms) = obtained_at_ms.or(stored) else { return false };
        Change::by(record.rejected_tokens.as_ref(), value, obtained_at_ms, self.now()).apply(&mut record.rejected_tokens)
    }

    /// Counts the rejection where no record is shared, or where it cannot be used.
    pub(super) fn count_rejection_here(&self, value: &str, obtained_at_ms: Option<u64>, credential: Option<&Credential>) {
        let Some(obtained_at_ms) = obtained_at_ms else { return };
        let mut rejected = self.process().memory().rejected_in_a_row.clone();
        if Change::by(rejected.as_ref(), value, obtained_at_ms, self.now()).apply(&mut rejected) {
            self.remember_rejections(rejected, credential, false);
        }
    }

    /// Remembers the rejections in a row. If there are several, no token is requested for a while.
    pub(super) fn remember_rejections(&self, rejected: Option<RejectedTokens>, credential: Option<&Credential>, shared: bool) {
        let (process, now) = (self.process(), self.now());
        let cooldown =
            rejected.as_ref().and_then(|rejected| Cooldown::of_rejected_tokens(rejected, self.server(), credential, shared, now));
        let mut memory = process.memory();
        memory.rejected_in_a_row = rejected;
        let Some(cooldown) = cooldown.filter(|new| memory.cooldown().is_none_or(|known| known.ends_before(new, now))) else { return };
        let error = cooldown.error();
        memory.set_cooldown(Some(cooldown));
        drop(memory);
        process.warn_refusal(format!("no new token is requested: {error}"));
    }

    /// The origin of the token endpoint, for messages.
    pub(super) fn server(&self) -> String {
        let endpoint = self.parts.identity.iter().find(|(name, _)| *name == "token_endpoint").map(|(_, url)| url.as_str());
        let origin = |url: &str| {
            let (scheme, rest) = url.split_once("://")?;
            Some(format!("{scheme}://{}", rest.split('/').next()?))
        };
        endpoint.and_then(origin).unwrap_or_else(|| "the authorization server".to_owned())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const START: Moment = Moment { wall_ms: 1_800_000_000_000, monotonic_ms: 5_000_000 };

    fn at(seconds: u64) -> Moment {
        START.after(Duration::from_secs(seconds))
    }

    /// A token, the second in which it was obtained and the one in which it was rejected.
    type Rejected = (&'static str, u64, u64);
    /// A name, the rejected tokens, and the resulting count with the seconds of the pause.
    type Case = (&'static str, &'static [Rejected], Option<(u32, u64)>);

    fn rejections(tokens: &[Rejected]) -> Option<RejectedTokens> {
        let mut rejected = None;
        for (token, obtained, now) in tokens {
            Change::by(rejected.as_ref(), token, at(*obtained).wall_ms, at(*now)).apply(&mut rejected);
        }
        rejected
    }

    fn count_and_pause(tokens: &[Rejected]) -> Option<(u32, u64)> {
        rejections(tokens).map(|rejected| (rejected.count, (rejected.until_ms - rejected.since_ms) / 1000))
    }

    #[test]
    fn r7_the_table_of_rejections() {
        let table: &[Case] = &[
            ("one new token", &[("a", 0, 1)], Some((1, 0))),
            ("two in a row", &[("a", 0, 1), ("b", 1, 2)], Some((2, 60))),
            ("three", &[("a", 0, 1), ("b", 1, 2), ("c", 62, 63)], Some((3, 120))),
            ("the longest pause", &[("a", 0, 1), ("b", 1, 2), ("c", 3, 4), ("d", 5, 6), ("e", 7, 8), ("f", 9, 10)], Some((6, 600))),
            ("the same token twice", &[("a", 0, 1), ("a", 0, 2)], Some((1, 0))),
            ("an older one that another process still had", &[("a", 0, 1), ("b", 1, 2), ("a", 0, 3)], Some((2, 60))),
            ("just not new any more", &[("a", 0, 60)], None),
            ("still new", &[("a", 0, 59)], Some((1, 0))),
            ("one that was accepted for a minute ends the row", &[("a", 0, 1), ("b", 1, 61)], None),
            ("long after the last one", &[("a", 0, 1), ("b", 700, 701)], Some((1, 0))),
            ("not so long after the end of the last pause", &[("a", 0, 1), ("b", 1, 2), ("c", 600, 601)], Some((3, 120))),
        ];

        for (name, tokens, expected) in table {
            assert_eq!(count_and_pause(tokens), *expected, "{name}");
        }
    }

    #[test]
    fn the_last_rejected_tokens_are_known() {
        let list = RejectedList::default();

        for token in 0..20 {
            list.remember(&token.to_string());
            list.remember(&token.to_string());
        }

        assert!((12..20).all(|token| list.contains(&token.to_string())));
        assert!(!list.contains("11") && !list.contains(""));
    }
}
