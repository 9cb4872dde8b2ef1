//! Counts the work of a client that is in progress, so that a host can wait for its end.

use super::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::sync::PoisonError;
use std::time::Instant;

/// The work in progress: refreshes with their saves, removals, revocations, requests and operations.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    count: Mutex<usize>,
    none_left: Condvar,
}

/// One piece of work, in progress until this is dropped.
#[derive(Debug)]
pub(crate) struct ActiveWork(Arc<Activity>);

impl Activity {
    pub(crate) fn begin(self: &Arc<Self>) -> ActiveWork {
        *self.lock() += 1;
        ActiveWork(Arc::clone(self))
    }

    /// Blocks until nothing is in progress or `deadline` passes. `None` waits indefinitely. Returns
    /// whether nothing is in progress.
    pub(crate) fn wait_for_none(&self, deadline: Option<Instant>) -> bool {
        let mut count = self.lock();
        while *count > 0 {
            count = match deadline {
                None => self.none_left.wait(count).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return false;
                    }
                    self.none_left.wait_timeout(count, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ActiveWork {
    fn drop(&mut self) {
        let mut count = self.0.lock();
        *count -= 1;
        if *count == 0 {
            self.0.none_left.notify_all();
        }
    }
}
