//! How often one address may ask for one client id.

use super::settings::RateLimit;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

#[derive(Debug, Default)]
pub(super) struct Limits {
    /// When the requests were answered that still count, oldest first.
    answered: HashMap<(IpAddr, String), VecDeque<u64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Answer { remaining: u64 },
    Refuse { retry_after_s: u64 },
}

impl Limits {
    /// Counts a request unless it is over the limit: refused requests do not make the wait longer.
    pub(super) fn ask(&mut self, address: IpAddr, client_id: &str, limit: RateLimit, now_ms: u64) -> Verdict {
        let window_ms = limit.window_s.saturating_mul(1000);
        let answered = self.answered.entry((address, client_id.to_owned())).or_default();
        // A moment after now is from before the clock was set back.
        answered.retain(|&then| then <= now_ms && now_ms - then < window_ms);

        let count = answered.len() as u64;
        if count >= limit.requests {
            let oldest = answered.front().copied().unwrap_or(now_ms);
            let wait_ms = (oldest + window_ms).saturating_sub(now_ms);
            return Verdict::Refuse { retry_after_s: wait_ms.div_ceil(1000).max(1) };
        }
        answered.push_back(now_ms);
        Verdict::Answer { remaining: limit.requests - count - 1 }
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
    fn a_place_is_free_again_when_the_oldest_request_leaves_the_window() {
        let mut limits = Limits::default();

        assert_eq!(limits.ask(HERE, "a", TWO_A_MINUTE, 0), Verdict::Answer { remaining: 1 });
        assert_eq!(limits.ask(HERE, "a", TWO_A_MINUTE, 10_000), Verdict::Answer { remaining: 0 });
        assert_eq!(limits.ask(HERE, "a", TWO_A_MINUTE, 20_500), Verdict::Refuse { retry_after_s: 40 });
        assert_eq!(limits.ask(HERE, "a", TWO_A_MINUTE, 60_000), Verdict::Answer { remaining: 0 });
    }

    #[test]
    fn addresses_and_client_ids_are_counted_apart() {
        let mut limits = Limits::default();
        let elsewhere = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
        for _ in 0..2 {
            limits.ask(HERE, "a", TWO_A_MINUTE, 0);
        }

        assert_eq!(limits.ask(HERE, "a", TWO_A_MINUTE, 0), Verdict::Refuse { retry_after_s: 60 });
        assert_eq!(limits.ask(HERE, "b", TWO_A_MINUTE, 0), Verdict::Answer { remaining: 1 });
        assert_eq!(limits.ask(elsewhere, "a", TWO_A_MINUTE, 0), Verdict::Answer { remaining: 1 });
    }
}
