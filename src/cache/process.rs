//! The state of one process except the current token: everything that contains a lock.

use super::cooldown::Cooldown;
use super::flight::{Flight, SingleFlight};
use super::refresh_request::RefreshOutcome;
use crate::error::Error;
use crate::platform::{self, ProcessId};
use crate::secret::Secret;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// The number of tokens rejected by a resource server that are remembered. More than a few at a
/// time indicate a different problem.
const MAX_REJECTED_TOKENS: usize = 8;

/// The interval at which a rejected credential is compared with the configured one.
const CREDENTIAL_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Everything that contains a lock, with the process that created it.
///
/// After a fork the child must not use a lock that another thread of its parent may have held. It
/// replaces this state with a new one and never drops the old one. The current token is plain data
/// and is kept.
#[derive(Debug)]
pub(super) struct ProcessState {
    pub(super) process: ProcessId,
    pub(super) refresh: SingleFlight<Result<RefreshOutcome, Error>>,
    pub(super) revocation: SingleFlight<Result<(), Error>>,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
pub(super) struct Memory {
    cooldown: Option<Cooldown>,
    credential_checked_at: Option<Instant>,
    rejected_tokens: VecDeque<Secret>,
    pub(super) waiting_for_lock_since: Option<Instant>,
    /// The last refresh that was started. It may still be writing to the store.
    pub(super) last_refresh: Option<Weak<Flight<Result<RefreshOutcome, Error>>>>,
    last_warning: String,
}

impl ProcessState {
    pub(super) fn new() -> Self {
        Self { process: ProcessId::current(), refresh: SingleFlight::new(), revocation: SingleFlight::new(), memory: Mutex::default() }
    }

    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs `warning` unless it equals the last one, so that a repeated problem is logged once.
    pub(super) fn warn(&self, warning: String) {
        if self.memory().is_new(&warning) {
            tracing::warn!("{warning}");
        }
    }

    /// Like [`ProcessState::warn`], for an error that a caller without another token also receives.
    /// The separate target lets a log omit the duplicate.
    pub(super) fn warn_refusal(&self, warning: String) {
        if self.memory().is_new(&warning) {
            tracing::warn!(target: "tokenwell::refusal", "{warning}");
        }
    }

    /// Clears the last warning after the problem is solved, so that the problem is logged if it
    /// occurs again.
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

    pub(super) fn cooldown(&self) -> Option<&Cooldown> {
        self.cooldown.as_ref()
    }

    pub(super) fn set_cooldown(&mut self, cooldown: Option<Cooldown>) {
        self.cooldown = cooldown;
        self.credential_checked_at = None;
    }

    /// Returns the cooldown if its rejected credential must be compared with the configured one
    /// now. The caller must read the credential after it releases this lock.
    pub(super) fn cooldown_to_recheck(&mut self) -> Option<Cooldown> {
        let cooldown = self.cooldown.as_ref().filter(|cooldown| cooldown.rejected().is_some())?;
        if self.credential_checked_at.is_some_and(|checked| checked.elapsed() < CREDENTIAL_CHECK_INTERVAL) {
            return None;
        }
        self.credential_checked_at = Some(Instant::now());
        Some(cooldown.clone())
    }

    pub(super) fn remember_rejected_token(&mut self, value: &str) {
        if !self.is_rejected_token(value) {
            self.rejected_tokens.truncate(MAX_REJECTED_TOKENS - 1);
            self.rejected_tokens.push_front(Secret::from(value));
        }
    }

    pub(super) fn is_rejected_token(&self, value: &str) -> bool {
        self.rejected_tokens.iter().any(|known| known.expose() == value)
    }
}

/// Runs `work` on a short-lived thread on which all signals are blocked. Returns `work` if the
/// thread cannot be created.
pub(super) fn spawn_detached<W: FnOnce() + Send + 'static>(work: W) -> Result<(), W> {
    let work = Arc::new(Mutex::new(Some(work)));
    let work_in_thread = Arc::clone(&work);
    let take = |work: &Mutex<Option<W>>| work.lock().unwrap_or_else(PoisonError::into_inner).take();
    let started = platform::spawn_without_signals(std::thread::Builder::new().name("tokenwell".to_owned()), move || {
        if let Some(work) = take(&work_in_thread) {
            work();
        }
    });
    match started {
        Ok(_) => Ok(()),
        Err(_) => take(&work).map_or(Ok(()), Err),
    }
}

/// Runs `work` on a separate thread, or on the calling thread if a thread cannot be created.
pub(super) fn spawn_or_run_inline(work: impl FnOnce() + Send + 'static) {
    if let Err(work) = spawn_detached(work) {
        work();
    }
}

/// Converts a panic into an error, so that the callers that joined the refresh do not wait
/// indefinitely.
pub(super) fn catch_panic<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Error::internal("a refresh panicked")))
}
