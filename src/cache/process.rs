//! The state of one process except the current token: everything that contains a lock.

use super::cooldown::Cooldown;
use super::cooldown_check::CheckInterval;
use super::flight::SingleFlight;
use super::refresh_request::RefreshOutcome;
use super::rejected_tokens::RejectedList;
use crate::clock::Moment;
use crate::error::Error;
use crate::platform::{self, ProcessId};
use crate::store::RejectedTokens;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Everything that contains a lock, with the process that created it.
///
/// After a fork the child must not use a lock that another thread of its parent may have held. It
/// replaces this state with a new one and never drops the old one. The current token and the list of
/// rejected tokens are plain data and are kept.
#[derive(Debug)]
pub(super) struct ProcessState {
    pub(super) process: ProcessId,
    pub(super) refresh: SingleFlight<Result<RefreshOutcome, Error>>,
    pub(super) revocation: SingleFlight<Result<(), Error>>,
    rejected_tokens: Arc<RejectedList>,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
pub(super) struct Memory {
    cooldown: Option<Cooldown>,
    check: CheckInterval,
    rejected_tokens: Arc<RejectedList>,
    /// The rejections in a row, where no shared record counts them.
    pub(super) rejected_in_a_row: Option<RejectedTokens>,
    pub(super) waiting_for_lock_since: Option<Instant>,
    last_warning: String,
}

/// A cooldown that is in effect.
pub(super) struct Refusal {
    pub(super) error: Error,
    /// The caller must start a refresh all the same, which begins with a check whether the cooldown was
    /// lifted ([`Slot::check_cooldown`]). At most once a second.
    ///
    /// [`Slot::check_cooldown`]: super::slot::Slot::check_cooldown
    pub(super) check_is_due: bool,
}

impl ProcessState {
    pub(super) fn new() -> Self {
        Self::with(Arc::default())
    }

    /// Returns the state of this process, whose parent left this one behind.
    pub(super) fn of_forked_child(&self) -> Self {
        Self::with(Arc::clone(&self.rejected_tokens))
    }

    fn with(rejected_tokens: Arc<RejectedList>) -> Self {
        let memory = Mutex::new(Memory { rejected_tokens: Arc::clone(&rejected_tokens), ..Memory::default() });
        let process = ProcessId::current();
        Self { process, refresh: SingleFlight::new(), revocation: SingleFlight::new(), rejected_tokens, memory }
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
        self.check = CheckInterval::default();
    }

    /// Returns the cooldown that is in effect, or `None` if a refresh may be started.
    pub(super) fn refusal(&mut self, now: Moment) -> Option<Refusal> {
        let cooldown = self.cooldown.as_ref()?;
        let error = cooldown.active_error(now)?;
        Some(Refusal { error, check_is_due: cooldown.can_be_lifted() && self.check.is_due(now) })
    }

    pub(super) fn remember_rejected_token(&mut self, value: &str) {
        self.rejected_tokens.remember(value);
    }

    pub(super) fn is_rejected_token(&self, value: &str) -> bool {
        self.rejected_tokens.contains(value)
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
