//! Times as the API writes them.

/// Milliseconds since the Unix epoch of a time in the form of RFC 3339 in UTC: `2026-11-28T02:00:00Z`,
/// with or without a fraction of a second. `None` for every other form.
#[must_use]
pub fn milliseconds(time: &str) -> Option<u64> {
    let (date, rest) = time.strip_suffix('Z')?.split_once('T')?;
    let (clock, fraction) = rest.split_once('.').unwrap_or((rest, "0"));
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let is_valid =
        (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    let is_fraction = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if !is_valid || !is_fraction {
        return None;
    }
    let thousandths: u64 = format!("{:0<3}", &fraction[..fraction.len().min(3)]).parse().ok()?;
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some(seconds * 1000 + thousandths)
}

fn numbers(text: &str, separator: char, lengths: [usize; 3]) -> Option<[u64; 3]> {
    let mut parts = text.split(separator);
    let mut found = [0; 3];
    for (number, length) in found.iter_mut().zip(lengths) {
        let part = parts.next()?;
        *number = part.parse().ok().filter(|_| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit()))?;
    }
    parts.next().is_none().then_some(found)
}

/// Days since 1970-01-01 of a date of the Gregorian calendar, from 1970 on.
fn days(year: u64, month: u64, day: u64) -> u64 {
    // Years begin in March, so that a leap day is the last day of a year.
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::milliseconds;

    #[test]
    fn times_of_the_api_are_read() {
        assert_eq!(milliseconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(milliseconds("2024-02-29T12:00:00Z"), Some(1_709_208_000_000));
        assert_eq!(milliseconds("2026-11-28T02:00:01.5Z"), Some(1_795_831_201_500));
        assert_eq!(milliseconds("2000-03-01T00:00:00.123456Z"), Some(951_868_800_123));
        for wrong in [
            "",
            "Z",
            "2026-11-28",
            "2026-11-28T02:00:01",
            "2026-13-28T02:00:01Z",
            "2026-11-28T2:00:01Z",
            "2026-11-28T02:00:01.Z",
            "x026-11-28T02:00:01Z",
        ] {
            assert_eq!(milliseconds(wrong), None, "{wrong}");
        }
    }
}
