//! The state of one process except the current token: everything that contains a lock.

use super::activity::Activity;
use super::cooldown::Cooldown;
use super::cooldown_check::CheckInterval;
use super::flight::SingleFlight;
use super::invalidation::Removals;
use super::refresh_request::RefreshOutcome;
use super::rejected_tokens::RejectedList;
#[cfg(feature = "capi")]
use super::requests::Requests;
use crate::clock::Moment;
use crate::error::Error;
use crate::platform::{self, ProcessId};
use crate::secret::Secret;
use crate::store::RejectedTokens;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
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
    /// Returns the token that was revoked.
    pub(super) revocation: SingleFlight<Result<Secret, Error>>,
    pub(super) removals: Removals,
    #[cfg(feature = "capi")]
    pub(super) requests: Requests,
    pub(super) activity: Arc<Activity>,
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
    watchers: Vec<Arc<dyn Watcher>>,
}

/// Is told that the generation of a client has changed.
pub(crate) trait Watcher: Send + Sync + fmt::Debug {
    /// Called under the memory lock of the slot: must not block and must not call the client.
    fn changed(&self);

    /// Returns the queue that it writes to, to find it again.
    #[cfg(feature = "capi")]
    fn target(&self) -> usize;

    /// Returns whether the queue was freed.
    #[cfg(feature = "capi")]
    fn is_gone(&self) -> bool;
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
        Self {
            process: ProcessId::current(),
            refresh: SingleFlight::new(),
            revocation: SingleFlight::new(),
            removals: Removals::default(),
            #[cfg(feature = "capi")]
            requests: Requests::default(),
            activity: Arc::default(),
            memory: Mutex::new(Memory { rejected_tokens: Arc::clone(&rejected_tokens), ..Memory::default() }),
            rejected_tokens,
        }
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

    /// Adds a watcher, instead of one of the same queue.
    #[cfg(feature = "capi")]
    pub(super) fn add_watcher(&mut self, watcher: Arc<dyn Watcher>) {
        self.watchers.retain(|known| !known.is_gone() && known.target() != watcher.target());
        self.watchers.push(watcher);
    }

    #[cfg(feature = "capi")]
    pub(super) fn remove_watchers(&mut self, matches: impl Fn(&dyn Watcher) -> bool) {
        self.watchers.retain(|watcher| !matches(watcher.as_ref()));
    }

    pub(super) fn tell_watchers(&self) {
        for watcher in &self.watchers {
            watcher.changed();
        }
    }

    /// Notes that processes share `cooldown`, unless another one replaced it meanwhile.
    pub(super) fn mark_cooldown_saved(&mut self, cooldown: &Cooldown) {
        if self.cooldown.as_ref().is_some_and(|current| current.is_same(cooldown)) {
            self.cooldown = self.cooldown.take().map(Cooldown::saved);
        }
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

/// Runs `work` on a short-lived thread on which all signals are blocked. Returns the thread, or
/// `work` if the thread cannot be created.
pub(super) fn spawn_detached<W: FnOnce() + Send + 'static>(work: W) -> Result<Option<JoinHandle<()>>, W> {
    let work = Arc::new(Mutex::new(Some(work)));
    let work_in_thread = Arc::clone(&work);
    let take = |work: &Mutex<Option<W>>| work.lock().unwrap_or_else(PoisonError::into_inner).take();
    let started = platform::spawn_without_signals(std::thread::Builder::new().name("tokenwell".to_owned()), move || {
        if let Some(work) = take(&work_in_thread) {
            work();
        }
    });
    match started {
        Ok(thread) => Ok(Some(thread)),
        Err(_) => take(&work).map_or(Ok(None), Err),
    }
}

/// Converts a panic into an error, so that the callers that joined the refresh do not wait
/// indefinitely.
pub(super) fn catch_panic<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Error::internal("a refresh panicked")))
}
