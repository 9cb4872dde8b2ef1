//! Computes the pauses between attempts. Nothing here waits, so the tests need no clock.

use std::time::Duration;

/// The shortest pause, for servers whose tokens are valid for only a few seconds.
const MIN_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause after consecutive failures, unless the server requests a longer one.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// The longest single wait: a timer does not run while the machine is suspended.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// The pause after each attempt.
#[derive(Debug, Default)]
pub(super) struct Pace {
    failures: u32,
}

impl Pace {
    /// The pause after a token that is due for refresh in `fresh_for` and expires in `left`.
    pub(super) fn after_token(&mut self, fresh_for: Duration, left: Duration) -> Duration {
        self.failures = 0;
        match (fresh_for.is_zero(), left.is_zero()) {
            (false, _) => fresh_for.max(MIN_PAUSE),
            // Already due: another process got it some time ago.
            (true, false) => (left / 2).clamp(MIN_PAUSE, MAX_PAUSE),
            // The server issued a token that must not be cached, so no pause fits.
            (true, true) => MAX_PAUSE,
        }
    }

    /// The pause after a failure: as requested by the server, otherwise 1, 2, 4 … 60 s.
    pub(super) fn after_failure(&mut self, retry_after: Option<Duration>) -> Duration {
        let backoff = MAX_PAUSE.min(MIN_PAUSE * 2_u32.pow(self.failures.min(6)));
        self.failures = self.failures.saturating_add(1);
        retry_after.map_or(backoff, |requested| requested.max(MIN_PAUSE))
    }
}

/// Splits `pause` into waits of at most [`MAX_WAIT`].
pub(super) fn parts(pause: Duration) -> impl Iterator<Item = Duration> {
    let mut left = pause;
    std::iter::from_fn(move || {
        let part = left.min(MAX_WAIT);
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
    fn a_token_is_refreshed_when_it_is_due() {
        let mut pace = Pace::default();

        assert_eq!(pace.after_token(seconds(2_970), seconds(3_600)), seconds(2_970));
        assert_eq!(pace.after_token(Duration::from_millis(10), seconds(2)), seconds(1));
    }

    #[test]
    fn a_token_that_is_already_due_is_replaced_before_it_expires() {
        let mut pace = Pace::default();

        assert_eq!(pace.after_token(Duration::ZERO, seconds(600)), seconds(60));
        assert_eq!(pace.after_token(Duration::ZERO, seconds(6)), seconds(3));
        assert_eq!(pace.after_token(Duration::ZERO, Duration::from_millis(1)), seconds(1));
    }

    #[test]
    fn a_token_that_must_not_be_cached_is_not_requested_continuously() {
        assert_eq!(Pace::default().after_token(Duration::ZERO, Duration::ZERO), seconds(60));
    }

    #[test]
    fn consecutive_failures_lengthen_the_pause_to_a_minute() {
        let mut pace = Pace::default();

        let pauses: Vec<_> = (0..9).map(|_| pace.after_failure(None).as_secs()).collect();

        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn a_token_resets_the_pause_after_failures() {
        let mut pace = Pace::default();
        pace.after_failure(None);
        pace.after_failure(None);

        pace.after_token(seconds(100), seconds(120));

        assert_eq!(pace.after_failure(None), seconds(1));
    }

    #[test]
    fn retry_after_is_applied_but_never_causes_a_busy_loop() {
        let mut pace = Pace::default();

        assert_eq!(pace.after_failure(Some(seconds(600))), seconds(600));
        assert_eq!(pace.after_failure(Some(Duration::ZERO)), seconds(1));
    }

    #[test]
    fn a_pause_is_split_into_parts_that_add_up_to_it() {
        let waits: Vec<_> = parts(seconds(70)).collect();

        assert_eq!(waits, [seconds(30), seconds(30), seconds(10)]);
        assert_eq!(parts(Duration::ZERO).count(), 0);
    }
}
