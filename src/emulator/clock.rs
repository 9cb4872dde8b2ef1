//! The emulator's clock: the system clock until it is set or advanced, then a fixed time.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds per hour.
pub(super) const HOUR_MS: u64 = 3_600_000;

#[derive(Debug, Default)]
pub(super) struct Clock {
    fixed_ms: Option<u64>,
}

impl Clock {
    pub(super) fn now_ms(&self) -> u64 {
        self.fixed_ms.unwrap_or_else(system_ms)
    }

    pub(super) fn advance(&mut self, ms: u64) {
        self.fixed_ms = Some(self.now_ms().saturating_add(ms));
    }

    pub(super) fn set(&mut self, now_ms: u64) {
        self.fixed_ms = Some(now_ms);
    }
}

fn system_ms() -> u64 {
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
    use super::iso8601;

    #[test]
    fn times_are_formatted_as_calendar_dates() {
        assert_eq!(iso8601(0), "1970-01-01T00:00:00Z");
        assert_eq!(iso8601(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(iso8601(1_767_225_599_999), "2025-12-31T23:59:59Z");
        assert_eq!(iso8601(4_107_542_400_000), "2100-03-01T00:00:00Z");
        assert_eq!(iso8601(13_574_563_200_000), "2400-02-29T00:00:00Z");
    }
}
