//! When a token is fresh, due or dead. Pure functions of two clock readings.

use crate::clock::Moment;
use std::time::Duration;

/// The longest time before its end at which a token is refreshed.
const LONGEST_MARGIN: Duration = Duration::from_secs(600);
/// What must remain of a long-lived token for it to be handed out.
const LONGEST_FLOOR: Duration = Duration::from_secs(60);
/// The lifetime of a token whose server named none.
pub(crate) const UNSTATED_LIFETIME: Duration = Duration::from_secs(300);

/// The three moments of a token, each on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetime {
    /// Just before the request for it was sent, so that time on the wire counts against the token and not for it.
    pub(crate) obtained: Moment,
    pub(crate) refresh: Moment,
    pub(crate) expires: Moment,
}

/// How good a token is for one caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Hand it out.
    Fresh,
    /// Hand it out, and refresh it behind the caller's back.
    Due,
    /// Not good enough, or over.
    Dead,
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

    /// How good the token is at `now` for a caller that needs it to live for `min_ttl` more.
    pub(crate) fn freshness(&self, now: Moment, min_ttl: Duration) -> Freshness {
        let remaining = now.until(self.expires);
        if remaining.is_zero() || remaining < self.floor().max(min_ttl) {
            Freshness::Dead
        } else if now.until(self.refresh).is_zero() {
            Freshness::Due
        } else {
            Freshness::Fresh
        }
    }

    fn floor(&self) -> Duration {
        LONGEST_FLOOR.min(self.total() / 10)
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
    fn the_table_of_freshness() {
        use Freshness::{Dead, Due, Fresh};
        let cases: &[(&str, f64, f64, f64, Freshness)] = &[
            // what it shows, lifetime s, age s, min_ttl s, verdict
            ("new", 3600.0, 0.0, 0.0, Fresh),
            ("just before it is due", 3600.0, 2999.999, 0.0, Fresh),
            ("due", 3600.0, 3000.0, 0.0, Due),
            ("due until the floor", 3600.0, 3540.0, 0.0, Due),
            ("under the floor of 60 s", 3600.0, 3540.001, 0.0, Dead),
            ("over", 3600.0, 3600.0, 0.0, Dead),
            ("long over", 3600.0, 1e7, 0.0, Dead),
            ("min_ttl that is left", 3600.0, 1800.0, 1800.0, Fresh),
            ("min_ttl that is not left", 3600.0, 1800.001, 1800.0, Dead),
            ("min_ttl below the floor does not lower it", 3600.0, 3541.0, 1.0, Dead),
            ("short-lived: floor is a tenth", 10.0, 8.9, 0.0, Due),
            ("short-lived: under a tenth", 10.0, 9.1, 0.0, Dead),
            ("short-lived: due at four fifths", 10.0, 8.0, 0.0, Due),
            ("short-lived: fresh before", 10.0, 7.9, 0.0, Fresh),
            ("zero lifetime is never good", 0.0, 0.0, 0.0, Dead),
        ];

        for &(name, lifetime, age, min_ttl, verdict) in cases {
            let token = Lifetime::granted(START, Duration::from_secs_f64(lifetime), 0.0);
            assert_eq!(token.freshness(at(age), Duration::from_secs_f64(min_ttl)), verdict, "{name}");
        }
    }

    #[test]
    fn i33_either_clock_can_end_a_token() {
        let token = Lifetime::granted(START, HOUR, 0.0);
        let slept = Moment { wall_ms: START.wall_ms + 3_600_000, ..START };
        let set_back = Moment { wall_ms: START.wall_ms - 3_600_000, monotonic_ms: START.monotonic_ms + 3_600_000 };

        assert_eq!(token.freshness(slept, Duration::ZERO), Freshness::Dead);
        assert_eq!(token.freshness(set_back, Duration::ZERO), Freshness::Dead);
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

    #[test]
    fn absurd_lifetimes_do_not_overflow() {
        let token = Lifetime::granted(START, Duration::MAX, 0.5);

        assert_eq!(token.freshness(START, Duration::ZERO), Freshness::Fresh);
    }
}
