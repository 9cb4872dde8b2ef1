//! The slot of one token: how one get is answered, from the fast path to the refresh.

#[cfg(feature = "capi")]
use super::activity::ActiveWork;
use super::freshness::Freshness;
use super::next_attempt::{Hold, NextAttempt};
use super::pending_get::{AwaitSave, Begun};
#[cfg(feature = "capi")]
use super::process::Watcher;
use super::process::{Memory, ProcessState};
use super::refresh_request::{Exclude, RefreshRequest, Resolution};
use super::refresh_start::{BackgroundRefresh, Lookup, Part, RefreshFlight, WithoutThread};
use super::snapshot::Current;
use super::stats::{Counts, Stats};
use crate::clock::{Clock, Moment};
use crate::credential::{Credentials, refuse_inside_secret_callback};
use crate::error::{AWAITING_SECRET, Error, duration_text};
use crate::grant::Grant;
use crate::logging;
use crate::platform::ProcessId;
use crate::store::Store;
use crate::token::Token;
use arc_swap::ArcSwap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The longest time that a get waits for the save after its result is known, so that a program that
/// exits immediately leaves its token to others. A slow disk delays it no longer than
/// this, or than a quarter of its remaining time if that is less.
const MAX_WAIT_FOR_SAVE: Duration = Duration::from_millis(200);

/// The options of one get.
#[derive(Clone, Debug, Default)]
pub(crate) struct GetOptions {
    /// The required remaining lifetime. The default minimum applies in addition.
    pub(crate) min_ttl: Duration,
    /// Reject the token that is current at the time of the call.
    pub(crate) force_refresh: bool,
    /// Return only a token that is in memory, and start nothing.
    pub(crate) cached_only: bool,
}

/// The components of a slot.
#[derive(Debug)]
pub(crate) struct SlotParts {
    /// Distinguishes this slot from others; see
    /// [`SlotKey::identity`](crate::store::SlotKey::identity).
    pub(crate) identity: Vec<(&'static str, String)>,
    /// The number of the client, for its log lines.
    pub(crate) client_number: u64,
    pub(crate) credentials: Box<dyn Credentials>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) grant: Arc<dyn Grant>,
    /// The time that one refresh may take.
    pub(crate) timeout: Duration,
}

/// The slot of one token.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(super) parts: SlotParts,
    pub(super) current: Current,
    pub(super) counts: Counts,
    closed: AtomicBool,
    process: ArcSwap<ProcessState>,
}

impl Slot {
    pub(crate) fn new(parts: SlotParts) -> Self {
        Self {
            parts,
            current: Current::default(),
            counts: Counts::default(),
            closed: AtomicBool::new(false),
            process: ArcSwap::from_pointee(ProcessState::new()),
        }
    }

    /// Returns a token that satisfies `options`. Waits at most `max_wait` for a refresh.
    pub(crate) fn get(self: &Arc<Self>, options: &GetOptions, max_wait: Duration) -> Result<Token, Error> {
        if let Some(token) = self.from_memory(options) {
            return Ok(token);
        }
        if options.cached_only {
            return Err(self.not_cached());
        }
        self.logged(|| self.get_by_refresh(options, max_wait))
    }

    fn get_by_refresh(self: &Arc<Self>, options: &GetOptions, max_wait: Duration) -> Result<Token, Error> {
        self.refuse_inside_callback()?;
        let started = Instant::now();
        let deadline = started.checked_add(max_wait);
        let mut request = self.refresh_request(options);
        loop {
            let (flight, thread, starter) =
                match self.answer_or_join(&request, max_wait.saturating_sub(started.elapsed()), WithoutThread::Run) {
                    Lookup::Answer(answer) => return answer,
                    Lookup::Joined(flight) => (flight, None, false),
                    Lookup::Started(flight, thread) => (flight, thread, true),
                };
            self.counts.waits.add_one();
            let Some(outcome) = flight.wait(deadline) else { return self.at_deadline(&request, started.elapsed()) };
            let time_left = max_wait.saturating_sub(started.elapsed());
            let part = if starter { Part::Starter } else { Part::Joiner { time_left } };
            request = match self.resolve(outcome, request, part) {
                Resolution::Done(answer) => {
                    if awaits_save(&answer) {
                        wait_for_save(&flight, thread, time_left);
                    }
                    return answer;
                }
                Resolution::Retry(request) => request,
            };
        }
    }

    /// Like [`Slot::get`], for callers that must not block. Dropping the future does not affect the
    /// refresh.
    pub(crate) async fn get_async(self: &Arc<Self>, options: &GetOptions) -> Result<Token, Error> {
        let (began, timeout) = (Instant::now(), self.parts.timeout);
        match self.begin_get(options, timeout, AwaitSave::No)? {
            Begun::Ready(token) => Ok(token),
            Begun::Pending(mut pending) => {
                poll_fn(|context| pending.poll_result(context.waker(), timeout.saturating_sub(began.elapsed()))).await
            }
        }
    }

    /// Waits until no refresh, save, removal, revocation or operation is in progress, for at most
    /// `max_wait`. Returns whether none is.
    ///
    /// Returns false immediately inside the secret callback of this client, which is part of a refresh.
    pub(crate) fn drain(&self, max_wait: Duration) -> bool {
        if self.refuse_inside_callback().is_err() {
            return false;
        }
        self.process().activity.wait_for_none(Instant::now().checked_add(max_wait))
    }

    /// Counts one more piece of work that [`Slot::drain`] waits for.
    #[cfg(feature = "capi")]
    pub(crate) fn begin_work(&self) -> ActiveWork {
        self.process().activity.begin()
    }

    /// Returns the result for a caller whose deadline passes, after it waited for `waited`.
    pub(super) fn at_deadline(&self, request: &RefreshRequest, waited: Duration) -> Result<Token, Error> {
        let now = self.now();
        // The pending refresh may have published a usable token from the store before it requests a
        // newer one.
        if let Some(token) = self.current.token().filter(|token| request.is_satisfied_by(token, now)) {
            return Ok(token);
        }
        // The pending refresh may only be reading the secret, to find out if a remembered refusal
        // is still in effect.
        let remembered = self.process().memory().cooldown().and_then(|cooldown| cooldown.active_error(now));
        Err(remembered.unwrap_or_else(|| self.deadline_error(waited)))
    }

    /// Closes the slot: later calls and waiting callers receive [`Error::Closed`].
    pub(crate) fn close(&self) {
        if self.closed.swap(true, Ordering::SeqCst) {
            return;
        }
        let process = self.process();
        {
            let memory = process.memory();
            self.publish(None, &memory);
        }
        process.refresh.abandon(Err(Error::Closed));
        process.revocation.abandon(Err(Error::Closed));
        process.removals.abandon();
        #[cfg(feature = "capi")]
        process.requests.abandon();
    }

    pub(crate) fn stats(&self) -> Stats {
        self.counts.read(self.current.hits())
    }

    pub(crate) fn generation(&self) -> &AtomicU64 {
        self.current.generation()
    }

    /// Returns for how long a copy of `token` may be used without another call, while the
    /// generation is unchanged.
    pub(crate) fn fresh_for(&self, token: &Token) -> Duration {
        if token.generation() != self.current.generation().load(Ordering::Acquire) {
            return Duration::ZERO;
        }
        self.parts.clock.now().until(token.lifetime().refresh_at)
    }

    pub(crate) fn refuse_if_closed(&self) -> Result<(), Error> {
        if self.closed.load(Ordering::SeqCst) { Err(Error::Closed) } else { Ok(()) }
    }

    pub(crate) fn client_number(&self) -> u64 {
        self.parts.client_number
    }

    /// Runs `work` with the number of this client in its log lines.
    pub(crate) fn logged<T>(&self, work: impl FnOnce() -> T) -> T {
        logging::as_client(Some(self.parts.client_number), work)
    }

    /// The part of the fast path that starts nothing and waits for nothing: returns the current token
    /// if it is not due.
    #[cfg(feature = "capi")]
    pub(crate) fn fresh_from_memory(&self, options: &GetOptions) -> Option<Token> {
        let snapshot = self.current.load();
        let token = snapshot.as_ref()?.token();
        let fresh = !options.force_refresh && token.lifetime().freshness(self.parts.clock.now(), options.min_ttl) == Freshness::Fresh;
        fresh.then(|| {
            self.current.count_hit();
            token.clone()
        })
    }

    /// Refuses a call that would wait for the secret callback in which it is made.
    pub(super) fn refuse_inside_callback(&self) -> Result<(), Error> {
        refuse_inside_secret_callback(self.parts.client_number)
    }

    /// The fast path: no lock, no allocation, no system call except for the clock.
    pub(super) fn from_memory(self: &Arc<Self>, options: &GetOptions) -> Option<Token> {
        if options.force_refresh {
            return None;
        }
        let snapshot = self.current.load();
        let snapshot = snapshot.as_ref()?;
        let token = snapshot.token();
        let now = self.parts.clock.now();
        match token.lifetime().freshness(now, options.min_ttl) {
            Freshness::Fresh => {}
            Freshness::Due if options.cached_only => {}
            Freshness::Due => self.serve_due(snapshot.next_attempt(), now),
            Freshness::Unusable => return None,
        }
        self.current.count_hit();
        Some(token.clone())
    }

    /// Starts a refresh of the due token, unless it is known that none can be started now.
    #[cold]
    fn serve_due(self: &Arc<Self>, next_attempt: &NextAttempt, now: Moment) {
        let hold = next_attempt.hold(now).unwrap_or_else(|| match self.logged(|| self.refresh_in_background()) {
            BackgroundRefresh::Started => {
                next_attempt.set_pending(now);
                Hold::Pending
            }
            BackgroundRefresh::Suppressed(duration) => {
                next_attempt.set_suppressed(now, duration);
                Hold::Suppressed
            }
        });
        if hold == Hold::Suppressed {
            self.counts.stale_served.add_one();
        }
    }

    pub(super) fn refresh_request(&self, options: &GetOptions) -> RefreshRequest {
        let exclude = match (options.force_refresh, self.current.token()) {
            (false, _) => Exclude::Nothing,
            (true, Some(token)) => Exclude::UpTo(token),
            (true, None) => Exclude::Stored,
        };
        RefreshRequest { min_ttl: options.min_ttl, exclude }
    }

    pub(super) fn not_cached(&self) -> Error {
        self.refuse_if_closed().err().unwrap_or(Error::NotCached)
    }

    /// Describes what the pending refresh is waiting for, for the deadline error. Empty if it waits
    /// for the server.
    pub(super) fn blocked_on(&self) -> String {
        let waiting = self.process().memory().waiting_for_lock_since;
        match waiting {
            Some(since) => self.lock_held_message(since.elapsed()),
            None if self.parts.credentials.is_awaited() => AWAITING_SECRET.to_owned(),
            None => String::new(),
        }
    }

    pub(super) fn lock_held_message(&self, duration: Duration) -> String {
        format!("another process has held the lock of the token cache at {} for {}", self.parts.store.location(), duration_text(duration))
    }

    /// Makes `token` the current one, unless the client is closed. The guard proves that the caller
    /// is the only writer.
    pub(super) fn publish(&self, token: Option<&Token>, memory: &MutexGuard<'_, Memory>) -> bool {
        let open = !self.closed.load(Ordering::SeqCst);
        if open || token.is_none() {
            self.current.replace(token, token.map_or_else(|| self.next_generation(), Token::generation));
            memory.tell_watchers();
        }
        open
    }

    /// Calls `watcher` whenever the generation changes, until it is removed or the process forks.
    #[cfg(feature = "capi")]
    pub(crate) fn watch(&self, watcher: Arc<dyn Watcher>) -> Result<(), Error> {
        let process = self.process();
        let mut memory = process.memory();
        // Under the lock, so that a close in another thread is not missed.
        self.refuse_if_closed()?;
        memory.add_watcher(watcher);
        Ok(())
    }

    /// Removes the watchers for which `matches` returns true.
    #[cfg(feature = "capi")]
    pub(crate) fn unwatch(&self, matches: impl Fn(&dyn Watcher) -> bool) {
        self.process().memory().remove_watchers(matches);
    }

    pub(super) fn next_generation(&self) -> u64 {
        self.current.generation().load(Ordering::Acquire) + 1
    }

    pub(super) fn now(&self) -> Moment {
        self.parts.clock.now()
    }

    /// Returns the state of this process. A forked child finds the state of its parent, leaves it
    /// unchanged and creates a new one.
    pub(super) fn process(&self) -> Arc<ProcessState> {
        loop {
            let state = self.process.load_full();
            if state.process == ProcessId::current() {
                return state;
            }
            self.process.compare_and_swap(&state, Arc::new(state.of_forked_child()));
            // Dropping it would access locks and wake tasks that belong to threads of the parent.
            std::mem::forget(state);
        }
    }
}

/// Waits until the save is done, and the thread that this caller started is gone: for a short time
/// only.
fn wait_for_save(flight: &RefreshFlight, thread: Option<JoinHandle<()>>, time_left: Duration) {
    let ended = flight.wait_for_end(Instant::now().checked_add(max_wait_for_save(time_left)));
    if let Some(thread) = thread.filter(|_| ended) {
        // It has nothing left to do. A panic was reported to the callers already.
        let _ = thread.join();
    }
}

/// Returns whether a get with this result waits for the save. If the client was closed, the work may
/// be waiting for the server still.
pub(super) fn awaits_save(result: &Result<Token, Error>) -> bool {
    !matches!(result, Err(Error::Closed))
}

/// Returns how long a get waits for the save that has `time_left` until its deadline.
pub(super) fn max_wait_for_save(time_left: Duration) -> Duration {
    MAX_WAIT_FOR_SAVE.min(time_left / 4)
}

impl Drop for Slot {
    fn drop(&mut self) {
        let state = self.process.load_full();
        if state.process != ProcessId::current() {
            std::mem::forget(state);
        }
    }
}
