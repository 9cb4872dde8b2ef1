//! Computes the pauses between attempts. Nothing here waits, so the tests need no clock.

use std::time::Duration;

/// The shortest pause, so that no mistake of a server or a clock causes a busy loop.
const MIN_PAUSE: Duration = Duration::from_millis(100);
/// The pause after the first failure, unless the cache or the server requests another one.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
/// The longest pause after consecutive failures, unless the server requests a longer one.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// The longest single wait: a timer does not run while the machine is suspended, and does not notice
/// a clock that is set.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// The clock of the cache may be one timer tick late: at the requested time a cooldown may not be
/// over yet.
const CLOCK_TICK: Duration = Duration::from_millis(10);

/// The pause after each attempt.
#[derive(Debug, Default)]
pub(super) struct Pace {
    failures: u32,
    /// The remaining lifetime at which a token must be replaced.
    reserve: Duration,
}

impl Pace {
    /// Remembers that getting and writing a token took `duration`, and that it expires in `left`.
    /// The next one must be written before that, even if the first attempt fails. If that would take
    /// too large a part of the remaining lifetime, there is only time for one attempt, which may take
    /// half as long again.
    pub(super) fn renewed(&mut self, duration: Duration, left: Duration) {
        self.failures = 0;
        let retry = if left < FIRST_BACKOFF * 4 { Duration::ZERO } else { FIRST_BACKOFF + CLOCK_TICK };
        self.reserve = (duration * 3 + retry).min(left / 2).max(duration + duration / 2);
    }

    /// The time until a token is replaced that is due for a refresh in `fresh_for` and expires in
    /// `left`. It is replaced when it is due, or earlier if a slow server would answer too late.
    pub(super) fn until_renewal(&self, fresh_for: Duration, left: Duration) -> Duration {
        fresh_for.min(left.saturating_sub(self.reserve))
    }

    /// The pause before a token is replaced that has to be replaced as soon as it is written. A token
    /// that is due on arrival shows that something else is wrong, unless the server is slow.
    pub(super) fn if_already_due(fresh_for: Duration, left: Duration) -> Duration {
        if fresh_for.is_zero() { (left / 10).clamp(MIN_PAUSE, MAX_PAUSE) } else { MIN_PAUSE }
    }

    /// The pause after a failure: as requested by the cache or the server, otherwise 1, 2, 4 … 60 s
    /// and at most half of the remaining lifetime of the written token.
    pub(super) fn after_failure(&mut self, requested: Option<Duration>, left: Duration) -> Duration {
        let backoff = MAX_PAUSE.min(FIRST_BACKOFF * 2_u32.pow(self.failures.min(6)));
        self.failures = self.failures.saturating_add(1);
        let within_lifetime = if left.is_zero() { backoff } else { backoff.min(left / 2) };
        requested.map_or(within_lifetime, |requested| requested + CLOCK_TICK).max(MIN_PAUSE)
    }
}

/// The next of the waits that add up to `pause`, none longer than `interval`.
pub(super) fn next_wait(pause: Duration, interval: Duration) -> Duration {
    pause.min(MAX_WAIT).min(interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Simulates a sink for two minutes: tokens live for `lifetime`, each attempt takes `renewal`, and
    /// `failures` attempts fail before each success. Returns the number of token requests and the
    /// time without a valid token in the file after the first one.
    fn simulate(lifetime: Duration, renewal: Duration, failures: u32) -> (u32, Duration) {
        let end = seconds(120);
        let mut pace = Pace::default();
        let (mut now, mut requests, mut dead) = (Duration::ZERO, 0, Duration::ZERO);
        let mut expires: Option<Duration> = None;
        while now < end {
            for _ in 0..failures {
                requests += 1;
                now += renewal;
                // The cooldown of the cache after the first failure.
                now += pace.after_failure(Some(seconds(1)), expires.unwrap_or_default().saturating_sub(now));
            }
            let issued = now;
            now += renewal;
            requests += 1;
            if let Some(expires) = expires {
                dead += now.saturating_sub(expires);
            }
            let expiry = issued + lifetime;
            pace.renewed(renewal, expiry.saturating_sub(now));
            // As the cache computes it, without jitter.
            let refresh_at = expiry - (lifetime / 5).min(seconds(600));
            let (fresh_for, left) = (refresh_at.saturating_sub(now), expiry.saturating_sub(now));
            now += match pace.until_renewal(fresh_for, left) {
                Duration::ZERO => Pace::if_already_due(fresh_for, left),
                until => until,
            };
            expires = Some(expiry);
        }
        (requests, dead)
    }

    #[test]
    fn the_file_is_never_dead_while_the_server_answers() {
        let cases = [
            // lifetime s, renewal ms, token requests in two minutes
            (3600, 100, 1..=1),
            (60, 100, 3..=3),
            (20, 100, 8..=8),
            (5, 10, 30..=31),
            (5, 100, 31..=33),
            (5, 900, 34..=48),
            (5, 1500, 34..=48),
            (5, 2400, 45..=60),
            (2, 100, 75..=78),
            (1, 100, 150..=175),
        ];
        for (lifetime, renewal, expected) in cases {
            let (requests, dead) = simulate(seconds(lifetime), millis(renewal), 0);

            assert_eq!(dead, Duration::ZERO, "{lifetime} s, {renewal} ms");
            assert!(expected.contains(&requests), "{lifetime} s, {renewal} ms: {requests} token requests");
        }
    }

    #[test]
    fn one_failed_request_does_not_leave_a_dead_file() {
        for (lifetime, renewal) in [(3600, 100), (60, 1000), (20, 500), (10, 500), (5, 100), (5, 10)] {
            let (_, dead) = simulate(seconds(lifetime), millis(renewal), 1);

            assert_eq!(dead, Duration::ZERO, "{lifetime} s, {renewal} ms");
        }
    }

    #[test]
    fn a_token_is_refreshed_when_it_is_due() {
        let mut pace = Pace::default();
        pace.renewed(millis(100), seconds(3_600));

        assert_eq!(pace.until_renewal(seconds(2_970), seconds(3_600)), seconds(2_970));
        assert_eq!(pace.until_renewal(millis(10), seconds(5)), millis(10));
        assert_eq!(pace.until_renewal(Duration::ZERO, seconds(600)), Duration::ZERO);
    }

    #[test]
    fn a_token_of_a_slow_server_is_refreshed_before_it_is_due() {
        let mut pace = Pace::default();
        pace.renewed(seconds(1), seconds(4));

        assert_eq!(pace.until_renewal(seconds(3), seconds(4)), seconds(2));
        pace.renewed(seconds(2), seconds(3));
        assert_eq!(pace.until_renewal(seconds(2), seconds(3)), Duration::ZERO);
    }

    #[test]
    fn a_token_that_was_already_due_is_replaced_before_it_expires() {
        assert_eq!(Pace::if_already_due(Duration::ZERO, seconds(3_600)), seconds(60));
        assert_eq!(Pace::if_already_due(Duration::ZERO, seconds(6)), millis(600));
        assert_eq!(Pace::if_already_due(Duration::ZERO, Duration::ZERO), millis(100));
        assert_eq!(Pace::if_already_due(seconds(1), seconds(6)), millis(100));
    }

    #[test]
    fn consecutive_failures_lengthen_the_pause_to_a_minute() {
        let mut pace = Pace::default();

        let pauses: Vec<_> = (0..9).map(|_| pace.after_failure(None, Duration::ZERO).as_secs()).collect();

        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn an_attempt_comes_before_the_written_token_expires() {
        let mut pace = Pace::default();

        assert_eq!(pace.after_failure(None, seconds(600)), seconds(1));
        assert_eq!(pace.after_failure(None, seconds(1)), millis(500));
        assert_eq!(pace.after_failure(None, millis(20)), millis(100));
    }

    #[test]
    fn a_token_resets_the_pause_after_failures() {
        let mut pace = Pace::default();
        pace.after_failure(None, Duration::ZERO);
        pace.after_failure(None, Duration::ZERO);

        pace.renewed(seconds(1), seconds(4));

        assert_eq!(pace.after_failure(None, Duration::ZERO), seconds(1));
    }

    #[test]
    fn a_requested_pause_is_applied_but_never_causes_a_busy_loop() {
        let mut pace = Pace::default();

        assert_eq!(pace.after_failure(Some(seconds(600)), seconds(10)), millis(600_010));
        assert_eq!(pace.after_failure(Some(Duration::ZERO), seconds(10)), millis(100));
    }

    #[test]
    fn a_long_pause_is_waited_for_in_parts() {
        assert_eq!(next_wait(seconds(70), Duration::MAX), seconds(5));
        assert_eq!(next_wait(seconds(3), Duration::MAX), seconds(3));
        assert_eq!(next_wait(seconds(70), seconds(1)), seconds(1));
    }
}
