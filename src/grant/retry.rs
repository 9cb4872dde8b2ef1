//! Retries within one time budget.

use crate::clock::Clock;
use crate::error::Error;
use backon::{BackoffBuilder, ExponentialBuilder};
use std::time::{Duration, Instant};

/// The maximum number of attempts, including the first.
const ATTEMPTS: usize = 3;
const FIRST_DELAY: Duration = Duration::from_millis(200);
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// Longer budgets are capped, so that adding a budget to a point in time cannot overflow.
const LONGEST_BUDGET: Duration = Duration::from_secs(24 * 60 * 60);

/// The time limit for all attempts and the delays between them.
///
/// Network time is measured with the system's clock, even if another clock is injected. A sleep
/// counts as the requested duration. A test clock that returns from a sleep immediately therefore
/// uses up the budget as the system's clock does.
#[derive(Debug)]
pub(super) struct Budget<'a> {
    clock: &'a dyn Clock,
    total: Duration,
    started: Instant,
    actual_sleep: Duration,
    requested_sleep: Duration,
}

impl<'a> Budget<'a> {
    pub(super) fn new(clock: &'a dyn Clock, total: Duration) -> Self {
        let total = total.min(LONGEST_BUDGET);
        Self { clock, total, started: Instant::now(), actual_sleep: Duration::ZERO, requested_sleep: Duration::ZERO }
    }

    pub(super) fn total(&self) -> Duration {
        self.total
    }

    pub(super) fn remaining(&self) -> Duration {
        let working = self.started.elapsed().saturating_sub(self.actual_sleep);
        self.total.saturating_sub(working).saturating_sub(self.requested_sleep)
    }

    fn sleep(&mut self, duration: Duration) {
        let before = Instant::now();
        self.clock.sleep(duration);
        self.actual_sleep += before.elapsed();
        self.requested_sleep += duration;
    }
}

/// Runs `attempt` until it succeeds, fails with an error that a retry cannot fix, or the budget
/// does not allow another attempt. Returns the error of the last attempt, with the number of all.
pub(super) fn with_budget<T>(budget: &mut Budget<'_>, mut attempt: impl FnMut(usize, &Budget<'_>) -> Result<T, Error>) -> Result<T, Error> {
    let mut delays = ExponentialBuilder::new()
        .with_min_delay(FIRST_DELAY)
        .with_factor(2.0)
        .with_max_delay(LONGEST_DELAY)
        .with_max_times(ATTEMPTS - 1)
        .with_jitter()
        .build();

    let mut number = 1;
    loop {
        let error = match attempt(number, budget) {
            Ok(value) => return Ok(value),
            Err(error) => error.with_attempts(u32::try_from(number).unwrap_or(u32::MAX)),
        };
        if !is_retryable(&error) {
            return Err(error);
        }
        // The jittered delay is added to the server's Retry-After, so that the clients of one
        // outage do not retry simultaneously.
        match delays.next().map(|delay| delay.saturating_add(error.retry_after().unwrap_or_default())) {
            Some(delay) if delay < budget.remaining() => budget.sleep(delay),
            _ => return Err(error),
        }
        number += 1;
    }
}

/// Whether a retry can succeed: after a failure of the network or the server, and not after a
/// refusal (item 23). A proxy that cannot reach the server answers with 5xx. Every other status of a
/// proxy is a refusal, and repeated log-ins with a wrong password can lock an account.
fn is_retryable(error: &Error) -> bool {
    match error {
        Error::Network { .. } => true,
        Error::Server { http_status, .. } => matches!(http_status, 408 | 500..=599),
        Error::Proxy { proxy_status: Some(500..=599), .. } => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::clock::{ManualClock, SystemClock};
    use crate::error::Exchange;

    fn network() -> Error {
        Error::Network {
            server: "https://a.example".into(),
            problem: "connection refused".into(),
            reached: false,
            advice: String::new(),
            source: None,
            exchange: Exchange::default(),
        }
    }

    fn proxy(proxy_status: Option<u16>) -> Error {
        Error::Proxy {
            server: String::new(),
            proxy: Box::default(),
            proxy_status,
            answer: Box::default(),
            has_login: true,
            advice: Box::default(),
            exchange: Exchange::default(),
        }
    }

    fn server(http_status: u16, retry_after: Option<Duration>) -> Error {
        Error::Server {
            server: "https://a.example".into(),
            description: String::new(),
            http_status,
            retry_after,
            exchange: Exchange::default(),
        }
    }

    fn attempts_and_sleep(budget: Duration, errors: impl Fn(usize) -> Option<Error>) -> (usize, Duration, Result<(), Error>) {
        let clock = ManualClock::new(1_000);
        let mut budget = Budget::new(&clock, budget);
        let mut attempts = 0;

        let outcome = with_budget(&mut budget, |number, _| {
            attempts += 1;
            assert_eq!(number, attempts);
            errors(number).map_or(Ok(()), Err)
        });

        (attempts, Duration::from_millis(clock.now().wall_ms - 1_000), outcome)
    }

    #[test]
    fn item_23_failures_of_the_server_or_the_way_are_tried_three_times() {
        for error in [network(), server(500, None), server(503, None), server(408, None), proxy(Some(502))] {
            let (attempts, slept, outcome) = attempts_and_sleep(Duration::from_secs(60), |_| Some(error.clone()));

            assert_eq!(attempts, 3, "{error}");
            assert_eq!(outcome.unwrap_err().to_string(), error.to_string());
            // 200 ms and 400 ms, each with up to 100% jitter. Rounding to whole milliseconds may
            // lose 1 ms each.
            assert!(slept >= Duration::from_millis(598) && slept <= Duration::from_millis(1_200), "{slept:?}");
        }
    }

    #[test]
    fn item_23_what_was_refused_is_never_sent_again() {
        let refusals = [
            Error::CredentialRejected {
                server: String::new(),
                client: Box::default(),
                code: "invalid_client".into(),
                description: String::new(),
                http_status: 401,
                advice: Box::default(),
                exchange: Exchange::default(),
            },
            Error::RateLimited {
                server: String::new(),
                description: String::new(),
                http_status: 429,
                retry_after: Duration::from_secs(1),
                exchange: Exchange::default(),
            },
            Error::TokenLimit {
                server: String::new(),
                description: String::new(),
                http_status: 403,
                retry_after: Duration::from_secs(1),
                exchange: Exchange::default(),
            },
            proxy(Some(302)),
            proxy(Some(403)),
            proxy(Some(407)),
            proxy(None),
            Error::Tls {
                server: String::new(),
                problem: String::new(),
                advice: String::new(),
                source: None,
                exchange: Exchange::default(),
            },
            Error::Protocol { server: String::new(), problem: String::new(), http_status: None, exchange: Exchange::default() },
            Error::Refused { problem: String::new(), hint: String::new(), http_status: Some(302), exchange: Exchange::default() },
            server(400, None),
        ];
        for error in refusals {
            let (attempts, slept, outcome) = attempts_and_sleep(Duration::from_secs(60), |_| Some(error.clone()));

            assert_eq!((attempts, slept), (1, Duration::ZERO), "{error}");
            assert!(outcome.is_err());
        }
    }

    #[test]
    fn r28_the_error_has_the_number_of_all_attempts_whatever_each_of_them_met() {
        let (rejected, limited) = (
            Error::CredentialRejected {
                server: String::new(),
                client: Box::default(),
                code: "invalid_client".into(),
                description: String::new(),
                http_status: 401,
                advice: Box::default(),
                exchange: Exchange::new(1, Some("invalid_client")),
            },
            Error::RateLimited {
                server: String::new(),
                description: String::new(),
                http_status: 429,
                retry_after: Duration::from_secs(1),
                exchange: Exchange::new(1, None),
            },
        );
        let mixes: [(&[Error], u32, Option<&str>); 5] = [
            (&[network()], 3, None),
            (&[server(503, None), network(), server(500, None)], 3, None),
            (std::slice::from_ref(&rejected), 1, Some("invalid_client")),
            (&[network(), rejected.clone()], 2, Some("invalid_client")),
            (&[server(500, None), server(408, None), limited], 3, None),
        ];
        for (errors, attempts, code) in mixes {
            let (made, _, outcome) =
                attempts_and_sleep(Duration::from_secs(60), |number| Some(errors[(number - 1).min(errors.len() - 1)].clone()));

            let error = outcome.unwrap_err();
            assert_eq!((error.attempts(), made), (attempts, attempts as usize), "{error}");
            assert_eq!(error.oauth_code(), code, "{error}");
        }
    }

    #[test]
    fn the_result_of_a_successful_second_attempt_is_returned() {
        let (attempts, _, outcome) = attempts_and_sleep(Duration::from_secs(60), |number| (number == 1).then(network));

        assert_eq!(attempts, 2);
        assert!(outcome.is_ok());
    }

    #[test]
    fn item_23_a_retry_after_that_fits_is_waited_for() {
        let delay = Duration::from_secs(20);
        let (attempts, slept, outcome) =
            attempts_and_sleep(Duration::from_secs(60), |number| (number == 1).then(|| server(503, Some(delay))));

        assert_eq!(attempts, 2);
        assert!(slept >= delay && slept <= delay + Duration::from_secs(1), "{slept:?}");
        assert!(outcome.is_ok());
    }

    #[test]
    fn i26_a_wait_that_does_not_fit_is_not_begun() {
        let (attempts, slept, outcome) = attempts_and_sleep(Duration::from_secs(10), |_| Some(server(503, Some(Duration::from_secs(20)))));

        assert_eq!((attempts, slept), (1, Duration::ZERO));
        assert_eq!(outcome.unwrap_err().retry_after(), Some(Duration::from_secs(20)));
    }

    #[test]
    fn i26_sleep_on_a_clock_of_ones_own_uses_the_budget_up() {
        let clock = ManualClock::new(0);
        let mut budget = Budget::new(&clock, Duration::from_secs(1_000));

        budget.sleep(Duration::from_secs(900));

        assert!(budget.remaining() <= Duration::from_secs(100), "{:?}", budget.remaining());
        assert!(budget.remaining() > Duration::from_secs(40), "{:?}", budget.remaining());
    }

    #[test]
    fn i26_sleep_on_the_systems_clock_counts_once() {
        let total = Duration::from_secs(1_000);
        let started = Instant::now();
        let mut budget = Budget::new(&SystemClock, total);

        budget.sleep(Duration::from_millis(50));

        let remaining = budget.remaining();
        assert!(remaining <= total - Duration::from_millis(50), "{remaining:?}");
        assert!(remaining + started.elapsed() >= total, "{remaining:?}");
    }

    #[test]
    fn an_unlimited_budget_is_capped_at_one_day() {
        let clock = ManualClock::new(0);

        assert_eq!(Budget::new(&clock, Duration::MAX).total(), LONGEST_BUDGET);
    }
}
