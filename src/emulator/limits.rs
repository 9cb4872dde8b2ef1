//! Rate limits per client address and client id.

use super::settings::RateLimit;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

/// The number of counts from which those without accepted requests in the window are removed.
const SWEEP_ABOVE: usize = 10_000;
const LONGEST_ID: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Limits {
    /// The times of the accepted requests that are still in the window, oldest first.
    accepted: HashMap<(IpAddr, String), VecDeque<u64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Accept { remaining: u64 },
    Reject { retry_after_s: u64 },
}

impl Limits {
    /// Checks a request against the limit and counts it if it is accepted. Rejected requests are
    /// not counted, so they do not extend the wait.
    pub(super) fn check(&mut self, address: IpAddr, client_id: &str, limit: RateLimit, now_ms: u64) -> Verdict {
        let window_ms = limit.window_s.saturating_mul(1000);
        if self.accepted.len() >= SWEEP_ABOVE {
            self.accepted.retain(|_, times| times.back().is_some_and(|&then| then <= now_ms && now_ms - then < window_ms));
        }
        // A request may name any client id. Beyond the maximum, those that are new share one count.
        let key = (address, client_id.chars().take(LONGEST_ID).collect::<String>());
        let is_kept = self.accepted.len() < SWEEP_ABOVE || self.accepted.contains_key(&key);
        let accepted = self.accepted.entry(if is_kept { key } else { (address, String::new()) }).or_default();
        // A time in the future was recorded before the clock was set back.
        accepted.retain(|&then| then <= now_ms && now_ms - then < window_ms);

        let count = accepted.len() as u64;
        if count >= limit.requests {
            let oldest = accepted.front().copied().unwrap_or(now_ms);
            let wait_ms = oldest.saturating_add(window_ms).saturating_sub(now_ms);
            return Verdict::Reject { retry_after_s: wait_ms.div_ceil(1000).max(1) };
        }
        accepted.push_back(now_ms);
        Verdict::Accept { remaining: limit.requests - count - 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::{Limits, Verdict};
    use crate::emulator::RateLimit;
    use std::net::{IpAddr, Ipv4Addr};

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const TWO_A_MINUTE: RateLimit =
        RateLimit { requests: 2, window_s: 60, shape: crate::emulator::RateLimitShape::OAuth, retry_after: true };

    #[test]
    fn a_request_is_accepted_again_when_the_oldest_one_leaves_the_window() {
        let mut limits = Limits::default();

        assert_eq!(limits.check(HERE, "a", TWO_A_MINUTE, 0), Verdict::Accept { remaining: 1 });
        assert_eq!(limits.check(HERE, "a", TWO_A_MINUTE, 10_000), Verdict::Accept { remaining: 0 });
        assert_eq!(limits.check(HERE, "a", TWO_A_MINUTE, 20_500), Verdict::Reject { retry_after_s: 40 });
        assert_eq!(limits.check(HERE, "a", TWO_A_MINUTE, 60_000), Verdict::Accept { remaining: 0 });
    }

    #[test]
    fn addresses_and_client_ids_are_counted_separately() {
        let mut limits = Limits::default();
        let elsewhere = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
        for _ in 0..2 {
            limits.check(HERE, "a", TWO_A_MINUTE, 0);
        }

        assert_eq!(limits.check(HERE, "a", TWO_A_MINUTE, 0), Verdict::Reject { retry_after_s: 60 });
        assert_eq!(limits.check(HERE, "b", TWO_A_MINUTE, 0), Verdict::Accept { remaining: 1 });
        assert_eq!(limits.check(elsewhere, "a", TWO_A_MINUTE, 0), Verdict::Accept { remaining: 1 });
    }
}
