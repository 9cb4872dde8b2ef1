//! Reads the system's clocks.

use crate::clock::Moment;

#[cfg(target_os = "linux")]
pub(crate) fn now() -> Moment {
    use nix::time::{ClockId, clock_gettime};

    // A coarse clock costs a few nanoseconds to read and is at most one timer tick (4 ms) late.
    // That is precise enough: a returned token is valid for at least 60 s or a tenth of its
    // lifetime, whichever is less.
    // The conversions are needed on 32-bit systems, where the fields are 32 bits wide.
    #[allow(clippy::useless_conversion)]
    let read = |id| clock_gettime(id).map_or(0, |time| milliseconds(time.tv_sec().into(), time.tv_nsec().into()));
    Moment { wall_ms: read(ClockId::CLOCK_REALTIME_COARSE), monotonic_ms: read(ClockId::CLOCK_MONOTONIC_COARSE) }
}

#[cfg(target_os = "linux")]
fn milliseconds(seconds: i64, nanoseconds: i64) -> u64 {
    u64::try_from(seconds).unwrap_or(0) * 1000 + u64::try_from(nanoseconds).unwrap_or(0) / 1_000_000
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn now() -> Moment {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    Moment { wall_ms: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis), monotonic_ms: monotonic_ms() }
}

#[cfg(windows)]
fn monotonic_ms() -> u64 {
    super::windows::sys::milliseconds_since_start()
}

#[cfg(not(any(target_os = "linux", windows)))]
fn monotonic_ms() -> u64 {
    use std::sync::OnceLock;
    use std::time::Instant;

    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(u64::MAX)
}
