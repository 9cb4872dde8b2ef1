//! The times of a token: obtained, due for refresh and expired, on two clocks.
//!
//! May depend on: clock. Start reading at [`Lifetime`]; the cache decides what these times mean for
//! a caller.

use crate::clock::Moment;
use std::time::Duration;

/// The longest time before its expiry at which a token is refreshed.
const MAX_REFRESH_MARGIN: Duration = Duration::from_secs(600);

/// The three times of a token, each on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetime {
    /// Just before the token request was sent, so that the duration of the request shortens the
    /// lifetime and never lengthens it.
    pub(crate) obtained_at: Moment,
    pub(crate) refresh_at: Moment,
    pub(crate) expires_at: Moment,
    /// How long the token request took: this much of the lifetime had passed when the token arrived.
    request_time: Duration,
    /// Whether the server stated when the token expires. Otherwise the times are an assumption.
    pub(crate) is_stated: bool,
}

impl Lifetime {
    /// Creates the times of a token that was requested at `sent` and is valid for `lifetime`.
    /// `jitter`, from 0 to 1, spreads the refreshes of many processes.
    pub(crate) fn granted(sent: Moment, lifetime: Duration, jitter: f64) -> Self {
        let margin = MAX_REFRESH_MARGIN.min(lifetime / 5);
        let earlier = (margin / 10).mul_f64(jitter.clamp(0.0, 1.0));
        Self {
            obtained_at: sent,
            refresh_at: sent.after(lifetime.saturating_sub(margin).saturating_sub(earlier)),
            expires_at: sent.after(lifetime),
            request_time: Duration::ZERO,
            is_stated: true,
        }
    }

    /// Returns the same times for a token whose lifetime the server did not state.
    pub(crate) fn assumed(self) -> Self {
        Self { is_stated: false, ..self }
    }

    /// Returns the same times for a token whose request took `request_time`.
    pub(crate) fn with_request_time(self, request_time: Duration) -> Self {
        Self { request_time, ..self }
    }

    /// Creates the times of a token that another process stored, with wall-clock times only.
    /// Returns `None` if they are impossible: the wall clock reads earlier than the token request
    /// was sent, or the times are out of order.
    pub(crate) fn from_stored(now: Moment, obtained_at_ms: u64, refresh_at_ms: u64, expires_at_ms: u64) -> Option<Self> {
        if now.wall_ms < obtained_at_ms || !(obtained_at_ms..=expires_at_ms).contains(&refresh_at_ms) {
            return None;
        }
        let at = |wall_ms: u64| Moment {
            wall_ms,
            monotonic_ms: now
                .monotonic_ms
                .saturating_add(wall_ms.saturating_sub(now.wall_ms))
                .saturating_sub(now.wall_ms.saturating_sub(wall_ms)),
        };
        Some(Self {
            obtained_at: at(obtained_at_ms),
            refresh_at: at(refresh_at_ms),
            expires_at: at(expires_at_ms),
            request_time: Duration::ZERO,
            is_stated: true,
        })
    }

    /// Returns the time from the token request to the expiry.
    pub(crate) fn total(&self) -> Duration {
        Duration::from_millis(self.expires_at.wall_ms.saturating_sub(self.obtained_at.wall_ms))
    }

    /// Returns the remaining lifetime that the token had when it arrived.
    pub(crate) fn left_on_arrival(&self) -> Duration {
        self.total().saturating_sub(self.request_time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment { wall_ms: 1_800_000_000_000, monotonic_ms: 5_000_000 };
    const HOUR: Duration = Duration::from_secs(3600);

    fn at(seconds: f64) -> Moment {
        START.after(Duration::from_secs_f64(seconds))
    }

    #[test]
    fn an_atlas_token_is_refreshed_between_49_and_50_minutes() {
        let latest = Lifetime::granted(START, HOUR, 0.0);
        let earliest = Lifetime::granted(START, HOUR, 1.0);

        assert_eq!(START.until(latest.refresh_at), Duration::from_secs(50 * 60));
        assert_eq!(START.until(earliest.refresh_at), Duration::from_secs(49 * 60));
    }

    #[test]
    fn i33_a_shared_token_from_the_future_is_a_miss() {
        let obtained = START.wall_ms + 1;

        assert_eq!(Lifetime::from_stored(START, obtained, obtained + 10, obtained + 20), None);
    }

    #[test]
    fn a_shared_token_keeps_its_wall_times_and_gains_monotonic_ones() {
        let restored = Lifetime::from_stored(at(60.0), START.wall_ms, START.wall_ms + 3_000_000, START.wall_ms + 3_600_000);

        assert_eq!(restored, Some(Lifetime::granted(START, HOUR, 0.0)));
    }

    #[test]
    fn a_shared_token_with_impossible_times_is_a_miss() {
        let begin = START.wall_ms - 1000;

        assert_eq!(Lifetime::from_stored(START, begin, begin - 1, begin + 10), None);
        assert_eq!(Lifetime::from_stored(START, begin, begin + 11, begin + 10), None);
    }
}
