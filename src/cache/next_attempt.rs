//! When a get of a due token may next try to start a refresh. Read before any lock is acquired.

use crate::clock::Moment;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// For how long gets do not check a pending refresh. It ends earlier if the refresh does: a token
/// replaces the whole snapshot, and a failure calls [`NextAttempt::allow`].
const PENDING: Duration = Duration::from_millis(100);

/// The longest time for which gets do not check a cooldown, which can be lifted before it ends.
const SUPPRESSED: Duration = Duration::from_secs(1);

/// The time before which no get of a due token tries to start a refresh: one is pending, or none may
/// be started. Such a get takes no lock and is as fast as the get of a fresh token.
///
/// A time in milliseconds of the monotonic clock in the upper 63 bits. The lowest bit says that a
/// cooldown is in effect.
#[derive(Debug, Default)]
pub(crate) struct NextAttempt(AtomicU64);

/// Why no refresh is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// A refresh is pending.
    Pending,
    /// A cooldown is in effect, or no thread could be created.
    Suppressed,
}

impl NextAttempt {
    /// Returns why no refresh is started now, or `None` if one may be started.
    pub(crate) fn hold(&self, now: Moment) -> Option<Hold> {
        let value = self.0.load(Ordering::Relaxed);
        let kind = if value & 1 == 1 { Hold::Suppressed } else { Hold::Pending };
        (now.monotonic_ms < value >> 1).then_some(kind)
    }

    /// Gets that come soon after `now` do not try to start a refresh: one is pending.
    pub(crate) fn set_pending(&self, now: Moment) {
        self.set(now.after(PENDING), 0);
    }

    /// Gets that come within `duration` after `now`, or within a second, do not try to start a
    /// refresh: it is suppressed for `duration`.
    pub(crate) fn set_suppressed(&self, now: Moment, duration: Duration) {
        self.set(now.after(duration.min(SUPPRESSED)), 1);
    }

    /// The pending refresh failed: the next get may start another one.
    pub(crate) fn allow(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    // Relaxed: no other memory depends on it, and a get that reads an old value only takes the locks.
    fn set(&self, until: Moment, kind: u64) {
        self.0.store(until.monotonic_ms.min(u64::MAX >> 1) << 1 | kind, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment { wall_ms: 1_800_000_000_000, monotonic_ms: 5_000_000 };

    fn at(ms: u64) -> Moment {
        START.after(Duration::from_millis(ms))
    }

    #[test]
    fn r19_the_next_attempt_is_at_the_end_of_the_cooldown_or_after_a_second() {
        let next = NextAttempt::default();
        assert_eq!(next.hold(START), None);

        next.set_suppressed(START, Duration::from_millis(300));
        assert_eq!((next.hold(at(299)), next.hold(at(300))), (Some(Hold::Suppressed), None));

        next.set_suppressed(START, Duration::from_secs(3600));
        assert_eq!((next.hold(at(999)), next.hold(at(1000))), (Some(Hold::Suppressed), None));

        next.set_pending(START);
        assert_eq!((next.hold(at(99)), next.hold(at(100))), (Some(Hold::Pending), None));
        next.allow();
        assert_eq!(next.hold(START), None);
    }

    #[test]
    fn a_clock_at_its_end_does_not_overflow() {
        let next = NextAttempt::default();
        let end = Moment { wall_ms: u64::MAX, monotonic_ms: u64::MAX };

        next.set_suppressed(end, Duration::from_secs(1));

        assert_eq!(next.hold(end), None);
    }
}
