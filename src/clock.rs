//! Injected time: the system clocks, or a clock that only tests advance.
//!
//! May depend on: platform. Start reading at [`Clock`].

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One reading of both clocks.
///
/// A token has expired as soon as either clock shows it: the monotonic clock cannot be set back,
/// and the wall clock continues while the machine sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds since the Unix epoch.
    pub wall_ms: u64,
    /// Milliseconds since a fixed point of this boot.
    pub monotonic_ms: u64,
}

impl Moment {
    /// Returns the moment `duration` later on both clocks.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self { wall_ms: self.wall_ms.saturating_add(ms), monotonic_ms: self.monotonic_ms.saturating_add(ms) }
    }

    /// Returns the duration from `self` to `later` by the clock that shows the shorter one, or zero
    /// if either clock shows that `later` is past.
    #[must_use]
    pub fn until(self, later: Self) -> Duration {
        let wall = later.wall_ms.saturating_sub(self.wall_ms);
        let monotonic = later.monotonic_ms.saturating_sub(self.monotonic_ms);
        Duration::from_millis(wall.min(monotonic))
    }

    /// Returns the wall-clock time as the standard library's type.
    #[must_use]
    pub fn system_time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.wall_ms)
    }
}

/// The source of the time, and of the waits between attempts.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Returns the current time, accurate to the few milliseconds of the cheapest clock of the
    /// platform.
    fn now(&self) -> Moment;

    /// Returns after `duration` has passed on this clock.
    fn sleep(&self, duration: Duration);
}

/// The clocks of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        crate::platform::now()
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

/// A clock for tests: only [`ManualClock::advance`] and a sleep advance it, and a sleep returns
/// immediately.
#[derive(Debug)]
pub struct ManualClock {
    wall_ms: AtomicU64,
    monotonic_ms: AtomicU64,
}

impl ManualClock {
    /// Creates a clock that reads `wall_ms` milliseconds since the Unix epoch.
    #[must_use]
    pub fn new(wall_ms: u64) -> Self {
        Self { wall_ms: AtomicU64::new(wall_ms), monotonic_ms: AtomicU64::new(1_000_000) }
    }

    /// Advances both clocks by `duration`. They stop at their largest value.
    pub fn advance(&self, duration: Duration) {
        let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        saturating_advance(&self.wall_ms, ms);
        saturating_advance(&self.monotonic_ms, ms);
    }

    /// Sets the wall clock alone, as an administrator or NTP does; the monotonic clock is
    /// unchanged.
    pub fn set_wall(&self, wall_ms: u64) {
        self.wall_ms.store(wall_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        Moment { wall_ms: self.wall_ms.load(Ordering::SeqCst), monotonic_ms: self.monotonic_ms.load(Ordering::SeqCst) }
    }

    fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }
}

/// Saturates, because a plain addition would wrap and set the clock back.
fn saturating_advance(reading: &AtomicU64, ms: u64) {
    // The closure always returns a value, so this cannot fail.
    let _ = reading.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |now| Some(now.saturating_add(ms)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i33_a_manual_clock_never_goes_back_however_far_it_is_moved() {
        let clock = ManualClock::new(1_800_000_000_000);

        for step in [Duration::from_millis(7), Duration::from_millis(u64::MAX), Duration::from_secs(1), Duration::MAX] {
            let before = clock.now();
            clock.advance(step);

            let after = clock.now();
            assert_eq!(after, before.after(step), "{step:?}");
            assert!(after.wall_ms >= before.wall_ms && after.monotonic_ms >= before.monotonic_ms, "{step:?}: {before:?} {after:?}");
        }
        assert_eq!(clock.now(), Moment { wall_ms: u64::MAX, monotonic_ms: u64::MAX });
    }
}
