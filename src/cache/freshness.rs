//! Decides whether a token is fresh, due or unusable. Pure functions of two clock readings.

use crate::clock::Moment;
use crate::lifetime::Lifetime;
use std::time::Duration;

/// The longest remaining lifetime that a token needs in order to be returned.
const MAX_FLOOR: Duration = Duration::from_secs(60);
/// The assumed lifetime of a token if the server did not state one.
pub(crate) const DEFAULT_LIFETIME: Duration = Duration::from_secs(300);

/// The state of a token from the view of one caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Return it.
    Fresh,
    /// Return it, and refresh it in the background.
    Due,
    /// Expired, or its remaining lifetime is too short for the caller.
    Unusable,
}

impl Lifetime {
    /// Returns the state of the token at `now` for a caller that requires a remaining lifetime of
    /// `min_ttl`.
    pub(crate) fn freshness(&self, now: Moment, min_ttl: Duration) -> Freshness {
        let remaining = now.until(self.expires_at);
        if remaining.is_zero() || remaining < self.floor().max(min_ttl) {
            Freshness::Unusable
        } else if now.until(self.refresh_at).is_zero() {
            Freshness::Due
        } else {
            Freshness::Fresh
        }
    }

    fn floor(&self) -> Duration {
        MAX_FLOOR.min(self.total() / 10)
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
    fn the_table_of_freshness() {
        use Freshness::{Due, Fresh, Unusable};
        let cases: &[(&str, f64, f64, f64, Freshness)] = &[
            // name, lifetime s, age s, min_ttl s, expected
            ("new", 3600.0, 0.0, 0.0, Fresh),
            ("just before it is due", 3600.0, 2999.999, 0.0, Fresh),
            ("due", 3600.0, 3000.0, 0.0, Due),
            ("due until the floor", 3600.0, 3540.0, 0.0, Due),
            ("below the floor of 60 s", 3600.0, 3540.001, 0.0, Unusable),
            ("expired", 3600.0, 3600.0, 0.0, Unusable),
            ("expired long ago", 3600.0, 1e7, 0.0, Unusable),
            ("min_ttl equal to the remaining lifetime", 3600.0, 1800.0, 1800.0, Fresh),
            ("min_ttl above the remaining lifetime", 3600.0, 1800.001, 1800.0, Unusable),
            ("min_ttl below the floor does not lower it", 3600.0, 3541.0, 1.0, Unusable),
            ("short-lived: floor is a tenth", 10.0, 8.9, 0.0, Due),
            ("short-lived: below a tenth", 10.0, 9.1, 0.0, Unusable),
            ("short-lived: due at four fifths", 10.0, 8.0, 0.0, Due),
            ("short-lived: fresh before four fifths", 10.0, 7.9, 0.0, Fresh),
            ("zero lifetime is never usable", 0.0, 0.0, 0.0, Unusable),
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

        assert_eq!(token.freshness(slept, Duration::ZERO), Freshness::Unusable);
        assert_eq!(token.freshness(set_back, Duration::ZERO), Freshness::Unusable);
    }

    #[test]
    fn absurd_lifetimes_do_not_overflow() {
        let token = Lifetime::granted(START, Duration::MAX, 0.5);

        assert_eq!(token.freshness(START, Duration::ZERO), Freshness::Fresh);
    }
}
