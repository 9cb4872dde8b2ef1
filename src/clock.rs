//! Time, injected: the system's own clocks, or one that moves only when it is told to.
//!
//! May depend on: platform. Start reading at [`Clock`].

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One reading of both clocks.
///
/// A token is dead when either clock says so: the monotonic one cannot be set back, the wall clock goes on while the machine sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds since the Unix epoch.
    pub wall_ms: u64,
    /// Milliseconds since some fixed point of this boot.
    pub monotonic_ms: u64,
}

impl Moment {
    /// The moment `duration` later on both clocks.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self { wall_ms: self.wall_ms.saturating_add(ms), monotonic_ms: self.monotonic_ms.saturating_add(ms) }
    }

    /// How long it is from `self` until `later`, by the clock that says less; zero when either says it is past.
    #[must_use]
    pub fn until(self, later: Self) -> Duration {
        let wall = later.wall_ms.saturating_sub(self.wall_ms);
        let monotonic = later.monotonic_ms.saturating_sub(self.monotonic_ms);
        Duration::from_millis(wall.min(monotonic))
    }

    /// The wall clock's reading as the standard library's type.
    #[must_use]
    pub fn system_time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.wall_ms)
    }
}

/// Where the library reads the time and how it waits between attempts.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time now, to within the few milliseconds of the cheapest clock that the platform has.
    fn now(&self) -> Moment;

    /// Returns once `duration` has passed on this clock.
    fn sleep(&self, duration: Duration);
}

/// The operating system's clocks.
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

/// A clock for tests: it stands still until [`ManualClock::advance`] moves it, and a sleep moves it at once.
#[derive(Debug)]
pub struct ManualClock {
    wall_ms: AtomicU64,
    monotonic_ms: AtomicU64,
}

impl ManualClock {
    /// A clock that reads `wall_ms` milliseconds since the Unix epoch.
    #[must_use]
    pub fn new(wall_ms: u64) -> Self {
        Self { wall_ms: AtomicU64::new(wall_ms), monotonic_ms: AtomicU64::new(1_000_000) }
    }

    /// Lets `duration` pass on both clocks, which stop at the last moment that they can show.
    pub fn advance(&self, duration: Duration) {
        let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        move_on(&self.wall_ms, ms);
        move_on(&self.monotonic_ms, ms);
    }

    /// Sets the wall clock alone, as an administrator or NTP would; no time passes on the monotonic clock.
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

/// Adding alone would wrap: a clock that is moved far enough would go back.
fn move_on(reading: &AtomicU64, ms: u64) {
    // The new reading is there always, so this cannot fail.
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
