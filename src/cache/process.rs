//! What one process has beside the token itself: everything with a lock in it.

use super::failure::Failure;
use super::flight::SingleFlight;
use super::need::Landed;
use crate::error::Error;
use crate::platform;
use crate::secret::Secret;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many tokens are remembered that a resource server turned down. More than a few at a time means that something else is wrong.
const TURNED_DOWN: usize = 8;

/// How often a rejected secret is compared with what is configured now.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Everything with a lock in it, stamped with the process that made it.
///
/// After a fork the child must not touch a lock that another thread of its parent may have held: it leaves this state
/// behind, never dropped, and begins with a new one. The current token is plain data and stays.
#[derive(Debug)]
pub(super) struct ProcessState {
    pub(super) pid: u32,
    pub(super) refresh: SingleFlight<Result<Landed, Error>>,
    pub(super) revocation: SingleFlight<Result<(), Error>>,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
pub(super) struct Memory {
    failure: Option<Failure>,
    looked_for_replacement: Option<Instant>,
    turned_down: VecDeque<Secret>,
    pub(super) waits_for_the_lock_since: Option<Instant>,
    last_warning: String,
}

impl ProcessState {
    pub(super) fn new() -> Self {
        Self { pid: std::process::id(), refresh: SingleFlight::new(), revocation: SingleFlight::new(), memory: Mutex::default() }
    }

    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One line in the log for each new thing that is wrong, and not one for each time that it is met.
    pub(super) fn warn(&self, warning: String) {
        if self.memory().is_new(&warning) {
            tracing::warn!("{warning}");
        }
    }

    /// As [`ProcessState::warn`], of what a caller is told as well where it has no other token: with a target of its own, for logs that need not have it
    /// twice.
    pub(super) fn warn_of_refusal(&self, warning: String) {
        if self.memory().is_new(&warning) {
            tracing::warn!(target: "tokenwell::refusal", "{warning}");
        }
    }

    /// What was warned of is over: it is worth a line when it happens again.
    pub(super) fn forget_warnings(&self) {
        self.memory().last_warning.clear();
    }
}

impl Memory {
    fn is_new(&mut self, warning: &str) -> bool {
        let new = self.last_warning != warning;
        if new {
            warning.clone_into(&mut self.last_warning);
        }
        new
    }

    pub(super) fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    pub(super) fn set_failure(&mut self, failure: Option<Failure>) {
        self.failure = failure;
        self.looked_for_replacement = None;
    }

    /// The failure whose rejected pair is worth comparing with what is configured now; the look-up itself must not happen under this lock.
    pub(super) fn worth_another_look(&mut self) -> Option<Failure> {
        let failure = self.failure.as_ref().filter(|failure| failure.rejected().is_some())?;
        if self.looked_for_replacement.is_some_and(|looked| looked.elapsed() < LOOK_AGAIN_AFTER) {
            return None;
        }
        self.looked_for_replacement = Some(Instant::now());
        Some(failure.clone())
    }

    pub(super) fn turn_down(&mut self, value: &str) {
        if !self.was_turned_down(value) {
            self.turned_down.truncate(TURNED_DOWN - 1);
            self.turned_down.push_front(Secret::from(value));
        }
    }

    pub(super) fn was_turned_down(&self, value: &str) -> bool {
        self.turned_down.iter().any(|known| known.expose() == value)
    }
}

/// Runs `work` on a short-lived thread to which no signal is delivered; gives it back where no thread can be had.
pub(super) fn apart<W: FnOnce() + Send + 'static>(work: W) -> Result<(), W> {
    let work = Arc::new(Mutex::new(Some(work)));
    let theirs = Arc::clone(&work);
    let take = |work: &Mutex<Option<W>>| work.lock().unwrap_or_else(PoisonError::into_inner).take();
    let started = platform::spawn_without_signals(std::thread::Builder::new().name("tokenwell".to_owned()), move || {
        if let Some(work) = take(&theirs) {
            work();
        }
    });
    match started {
        Ok(_) => Ok(()),
        Err(_) => take(&work).map_or(Ok(()), Err),
    }
}

/// Runs `work` apart, or on the calling thread where no other can be had.
pub(super) fn here_unless_apart(work: impl FnOnce() + Send + 'static) {
    if let Err(work) = apart(work) {
        work();
    }
}

/// A panic in a refresh must end the wait of everybody who joined it.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Error::internal("a refresh panicked")))
}
