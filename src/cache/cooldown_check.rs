//! What lifts a cooldown before it ends: its record was removed, or another secret is configured.
//!
//! The check reads files, so it runs on the thread of a refresh, at most once a second.

use super::cooldown::Cooldown;
use super::slot::Slot;
use crate::clock::Moment;
use crate::error::Error;
use std::time::{Duration, Instant};

/// The shortest time between two checks of one cooldown.
const INTERVAL: Duration = Duration::from_secs(1);

/// When a cooldown was last checked.
#[derive(Debug, Default)]
pub(super) struct CheckInterval(Option<(Instant, Moment)>);

impl CheckInterval {
    /// Returns whether a check is due, and records that it is made. A second on either the injected or
    /// the real clock is sufficient, so that a check is also made if a test stops the injected clock.
    pub(super) fn is_due(&mut self, now: Moment) -> bool {
        let is_recent = |(checked, at): (Instant, Moment)| {
            checked.elapsed() < INTERVAL && Duration::from_millis(now.monotonic_ms.saturating_sub(at.monotonic_ms)) < INTERVAL
        };
        if self.0.is_some_and(is_recent) {
            return false;
        }
        self.0 = Some((Instant::now(), now));
        true
    }
}

impl Slot {
    /// Returns the error of the cooldown that is in effect, after a check that nothing lifted it. A
    /// refresh begins with this check.
    pub(super) fn check_cooldown(&self) -> Option<Error> {
        let process = self.process();
        let cooldown = process.memory().cooldown().cloned()?;
        let error = cooldown.active_error(self.now())?;
        if self.is_lifted(&cooldown) {
            tracing::debug!(cache = self.parts.store.location(), "a remembered refusal was removed, or another secret is configured");
            process.memory().set_cooldown(None);
            return None;
        }
        Some(error)
    }

    /// A secret or a record that cannot be read lifts nothing.
    fn is_lifted(&self, cooldown: &Cooldown) -> bool {
        let Some(credential) = cooldown.credential() else { return false };
        if self.parts.credentials.is_replaced(credential) {
            return true;
        }
        cooldown.is_shared() && self.load_record(&self.key(credential)).is_some_and(|record| !record.has_refusal())
    }
}
