//! Durations for people.

use std::time::Duration;

const UNITS: [(u64, &str); 5] = [(365 * 86_400, "years"), (86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];

/// Returns `duration` in its two largest units: `1 h 2 min`. A duration below 10 s has tenths of a
/// second, one below a second has milliseconds.
#[must_use]
pub fn duration_text(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    if duration.subsec_nanos() != 0 && milliseconds < 1000 {
        return format!("{milliseconds} ms");
    }
    let tenths = duration.as_secs_f64() * 10.0;
    if milliseconds < 10_000 {
        return format!("{} s", tenths.round() / 10.0);
    }
    let seconds = duration.as_secs().saturating_add(u64::from(duration.subsec_millis() >= 500));
    let largest = UNITS.iter().position(|(size, _)| seconds >= *size).unwrap_or(UNITS.len() - 1);
    let mut left = seconds;
    let mut parts = Vec::new();
    for (size, unit) in UNITS.iter().skip(largest).take(2) {
        let count = left / size;
        left %= size;
        if count > 0 {
            let unit = if *unit == "years" && count == 1 { "year" } else { unit };
            parts.push(format!("{count} {unit}"));
        }
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_in_units_that_people_use() {
        let cases = [
            (0, "0 s"),
            (7, "7 ms"),
            (1000, "1 s"),
            (2499, "2.5 s"),
            (9999, "10 s"),
            (59_400, "59 s"),
            (60_000, "1 min"),
            (90_500, "1 min 31 s"),
            (3_600_000, "1 h"),
            (3_740_000, "1 h 2 min"),
            (7_205_000, "2 h"),
            (90_000_000, "1 d 1 h"),
            (849_063_289_000, "26 years 337 d"),
            (31_536_000_000, "1 year"),
        ];

        for (milliseconds, expected) in cases {
            assert_eq!(duration_text(Duration::from_millis(milliseconds)), expected);
        }
        assert_eq!(duration_text(Duration::from_nanos(1)), "0 ms");
        assert!(duration_text(Duration::MAX).ends_with(" d"), "{}", duration_text(Duration::MAX));
    }
}
