//! When to look again. Nothing here waits: all of it is tested without a clock.

use std::time::Duration;

/// Servers whose tokens live for seconds only are not asked without a pause.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest pause after failures in a row, unless the server wants a longer one.
const LONGEST: Duration = Duration::from_secs(60);
/// A timer does not run while a machine is suspended, so no single one may be long.
const PART: Duration = Duration::from_secs(30);

/// How long to wait, after what happened.
#[derive(Debug, Default)]
pub(super) struct Pace {
    failures: u32,
}

impl Pace {
    /// After a token that need not be refreshed for `fresh_for` and ends in `left`.
    pub(super) fn after_token(&mut self, fresh_for: Duration, left: Duration) -> Duration {
        self.failures = 0;
        match (fresh_for.is_zero(), left.is_zero()) {
            (false, _) => fresh_for.max(SHORTEST),
            // Due already: another process got it some time ago.
            (true, false) => (left / 2).clamp(SHORTEST, LONGEST),
            // The server said that it must not be kept at all: there is no good moment.
            (true, true) => LONGEST,
        }
    }

    /// After a failure: for as long as the server asked, else 1, 2, 4 … 60 s.
    pub(super) fn after_failure(&mut self, retry_after: Option<Duration>) -> Duration {
        let backoff = LONGEST.min(SHORTEST * 2_u32.pow(self.failures.min(6)));
        self.failures = self.failures.saturating_add(1);
        retry_after.map_or(backoff, |asked| asked.max(SHORTEST))
    }
}

/// `pause` in parts of which none is long.
pub(super) fn parts(pause: Duration) -> impl Iterator<Item = Duration> {
    let mut left = pause;
    std::iter::from_fn(move || {
        let part = left.min(PART);
        left -= part;
        (!part.is_zero()).then_some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_token_is_looked_at_again_when_it_is_due() {
        let mut pace = Pace::default();

        assert_eq!(pace.after_token(seconds(2_970), seconds(3_600)), seconds(2_970));
        assert_eq!(pace.after_token(Duration::from_millis(10), seconds(2)), seconds(1));
    }

    #[test]
    fn a_token_that_is_due_already_is_replaced_long_before_it_ends() {
        let mut pace = Pace::default();

        assert_eq!(pace.after_token(Duration::ZERO, seconds(600)), seconds(60));
        assert_eq!(pace.after_token(Duration::ZERO, seconds(6)), seconds(3));
        assert_eq!(pace.after_token(Duration::ZERO, Duration::from_millis(1)), seconds(1));
    }

    #[test]
    fn a_token_that_must_not_be_kept_is_not_asked_for_all_the_time() {
        assert_eq!(Pace::default().after_token(Duration::ZERO, Duration::ZERO), seconds(60));
    }

    #[test]
    fn failures_in_a_row_lengthen_the_pause_to_a_minute() {
        let mut pace = Pace::default();

        let pauses: Vec<_> = (0..9).map(|_| pace.after_failure(None).as_secs()).collect();

        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn a_token_ends_a_row_of_failures() {
        let mut pace = Pace::default();
        pace.after_failure(None);
        pace.after_failure(None);

        pace.after_token(seconds(100), seconds(120));

        assert_eq!(pace.after_failure(None), seconds(1));
    }

    #[test]
    fn what_the_server_asked_for_wins_but_never_makes_it_a_busy_loop() {
        let mut pace = Pace::default();

        assert_eq!(pace.after_failure(Some(seconds(600))), seconds(600));
        assert_eq!(pace.after_failure(Some(Duration::ZERO)), seconds(1));
    }

    #[test]
    fn a_pause_is_cut_into_parts_that_add_up_to_it() {
        let cut: Vec<_> = parts(seconds(70)).collect();

        assert_eq!(cut, [seconds(30), seconds(30), seconds(10)]);
        assert_eq!(parts(Duration::ZERO).count(), 0);
    }
}
