//! From when to when a token is good, as numbers of two clocks.
//!
//! May depend on: clock. Start reading at [`Lifetime`]; what its moments mean for a caller is the cache's to judge.

use crate::clock::Moment;
use std::time::Duration;

/// The longest time before its end at which a token is refreshed.
const LONGEST_MARGIN: Duration = Duration::from_secs(600);

/// The three moments of a token, each on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetime {
    /// Just before the request for it was sent, so that time on the wire counts against the token and not for it.
    pub(crate) obtained: Moment,
    pub(crate) refresh: Moment,
    pub(crate) expires: Moment,
}

impl Lifetime {
    /// Of a token that was asked for at `sent` and lives for `lifetime`. `jitter`, from 0 to 1, spreads the refreshes of many processes.
    pub(crate) fn granted(sent: Moment, lifetime: Duration, jitter: f64) -> Self {
        let margin = LONGEST_MARGIN.min(lifetime / 5);
        let earlier = (margin / 10).mul_f64(jitter.clamp(0.0, 1.0));
        Self { obtained: sent, refresh: sent.after(lifetime.saturating_sub(margin).saturating_sub(earlier)), expires: sent.after(lifetime) }
    }

    /// Of a token that another process shared, of which only wall-clock times are known. `None` where these cannot be true: the wall clock reads
    /// earlier than the request for the token was sent.
    pub(crate) fn recalled(now: Moment, obtained_at_ms: u64, refresh_at_ms: u64, expires_at_ms: u64) -> Option<Self> {
        if now.wall_ms < obtained_at_ms || !(obtained_at_ms..=expires_at_ms).contains(&refresh_at_ms) {
            return None;
        }
        let at = |wall_ms: u64| Moment {
            wall_ms,
            monotonic_ms: now
                .monotonic_ms
                .saturating_add(wall_ms.saturating_sub(now.wall_ms))
                .saturating_sub(now.wall_ms.saturating_sub(wall_ms)),
        };
        Some(Self { obtained: at(obtained_at_ms), refresh: at(refresh_at_ms), expires: at(expires_at_ms) })
    }

    /// From the request to the end.
    pub(crate) fn total(&self) -> Duration {
        Duration::from_millis(self.expires.wall_ms.saturating_sub(self.obtained.wall_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment { wall_ms: 1_800_000_000_000, monotonic_ms: 5_000_000 };
    const HOUR: Duration = Duration::from_secs(3600);

    fn at(seconds: f64) -> Moment {
        START.after(Duration::from_secs_f64(seconds))
    }

    #[test]
    fn an_atlas_token_is_refreshed_between_49_and_50_minutes() {
        let latest = Lifetime::granted(START, HOUR, 0.0);
        let earliest = Lifetime::granted(START, HOUR, 1.0);

        assert_eq!(START.until(latest.refresh), Duration::from_secs(50 * 60));
        assert_eq!(START.until(earliest.refresh), Duration::from_secs(49 * 60));
    }

    #[test]
    fn i33_a_shared_token_from_the_future_is_a_miss() {
        let obtained = START.wall_ms + 1;

        assert_eq!(Lifetime::recalled(START, obtained, obtained + 10, obtained + 20), None);
    }

    #[test]
    fn a_shared_token_keeps_its_wall_times_and_gains_monotonic_ones() {
        let recalled = Lifetime::recalled(at(60.0), START.wall_ms, START.wall_ms + 3_000_000, START.wall_ms + 3_600_000);

        assert_eq!(recalled, Some(Lifetime::granted(START, HOUR, 0.0)));
    }

    #[test]
    fn a_shared_token_with_impossible_times_is_a_miss() {
        let begin = START.wall_ms - 1000;

        assert_eq!(Lifetime::recalled(START, begin, begin - 1, begin + 10), None);
        assert_eq!(Lifetime::recalled(START, begin, begin + 11, begin + 10), None);
    }
}
