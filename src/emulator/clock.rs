//! The emulator's clock: the system clock until it is set or advanced, then a fixed time until it
//! runs again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds per hour.
pub(super) const HOUR_MS: u64 = 3_600_000;

/// The last time that a `Date` header can express: the end of the year 9999.
const LAST_DATE_S: u64 = 253_402_300_799;

#[derive(Clone, Copy, Debug)]
pub(super) enum Clock {
    /// Runs with this distance from the system clock, in milliseconds.
    Running {
        ahead_ms: i128,
    },
    Stopped {
        now_ms: u64,
    },
}

impl Default for Clock {
    fn default() -> Self {
        Self::Running { ahead_ms: 0 }
    }
}

impl Clock {
    pub(super) fn now_ms(&self) -> u64 {
        match *self {
            Self::Running { ahead_ms } => clamped(i128::from(system_ms()).saturating_add(ahead_ms)),
            Self::Stopped { now_ms } => now_ms,
        }
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(self, Self::Running { .. })
    }

    /// Stops the clock `ms` milliseconds later than it is now, or earlier.
    pub(super) fn advance(&mut self, ms: i128) {
        self.set(clamped(i128::from(self.now_ms()).saturating_add(ms)));
    }

    pub(super) fn set(&mut self, now_ms: u64) {
        *self = Self::Stopped { now_ms };
    }

    /// Lets the clock run from its present time.
    pub(super) fn run(&mut self) {
        *self = Self::Running { ahead_ms: i128::from(self.now_ms()) - i128::from(system_ms()) };
    }

    /// Stops the clock at its present time.
    pub(super) fn stop(&mut self) {
        self.set(self.now_ms());
    }

    /// The value of a `Date` header.
    pub(super) fn http_date(&self) -> String {
        httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs((self.now_ms() / 1000).min(LAST_DATE_S)))
    }
}

fn clamped(ms: i128) -> u64 {
    u64::try_from(ms.max(0)).unwrap_or(u64::MAX)
}

/// The time of the system clock.
pub(super) fn system_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| u64::try_from(passed.as_millis()).unwrap_or(u64::MAX))
}

/// Formats a time as the Admin API does: `2026-01-31T23:59:59Z`.
pub(super) fn iso8601(ms: u64) -> String {
    let seconds = ms / 1000;
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Returns year, month and day of the Gregorian calendar, `days` days after 1970-01-01.
fn civil(days: u64) -> (u64, u64, u64) {
    let leap = |year: u64| u64::from((year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400));
    // 400 years are always 146 097 days. Skipping them bounds the loop below, however far in the
    // future a test sets the clock.
    let mut year = 1970 + days / 146_097 * 400;
    let mut rest = days % 146_097;
    while rest >= 365 + leap(year) {
        rest -= 365 + leap(year);
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + leap(year), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if rest < length {
            break;
        }
        rest -= length;
        month += 1;
    }
    (year, month, rest + 1)
}

#[cfg(test)]
mod tests {
    use super::{Clock, iso8601};

    #[test]
    fn a_date_stays_within_the_years_that_the_header_can_express() {
        assert_eq!(Clock::Stopped { now_ms: 1_767_225_599_999 }.http_date(), "Wed, 31 Dec 2025 23:59:59 GMT");
        assert_eq!(Clock::Stopped { now_ms: u64::MAX }.http_date(), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    #[test]
    fn a_clock_that_was_set_runs_from_there() {
        let mut clock = Clock::default();
        clock.set(5_000);
        clock.run();
        assert!((5_000..60_000).contains(&clock.now_ms()) && clock.is_running());
        clock.advance(-10_000_000);
        assert_eq!((clock.now_ms(), clock.is_running()), (0, false));
    }

    #[test]
    fn times_are_formatted_as_calendar_dates() {
        assert_eq!(iso8601(0), "1970-01-01T00:00:00Z");
        assert_eq!(iso8601(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(iso8601(1_767_225_599_999), "2025-12-31T23:59:59Z");
        assert_eq!(iso8601(4_107_542_400_000), "2100-03-01T00:00:00Z");
        assert_eq!(iso8601(13_574_563_200_000), "2400-02-29T00:00:00Z");
    }
}
