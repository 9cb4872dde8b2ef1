//! The slot of one token: how one get is answered, from the fast path to the refresh.

use super::flight::{Entry, Flight};
use super::freshness::Freshness;
use super::process::{Memory, ProcessState, catch_panic, spawn_detached, spawn_or_run_inline};
use super::refresh_request::{Exclude, KnownToken, RefreshOutcome, RefreshRequest, Resolution, min_ttl_exceeds_lifetime};
use super::snapshot::Current;
use super::stats::{Counts, Stats};
use crate::clock::{Clock, Moment};
use crate::credential::{Credentials, refuse_inside_secret_callback};
use crate::error::{AWAITING_SECRET, Error};
use crate::grant::Grant;
use crate::logging;
use crate::platform::ProcessId;
use crate::store::Store;
use crate::token::Token;
use arc_swap::ArcSwap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

/// A refresh that takes longer than this multiple of its timeout is considered hung, in an
/// operation without a timeout: a file system that does not respond.
const HUNG_AFTER_TIMEOUTS: u32 = 3;

/// The options of one get.
#[derive(Clone, Debug, Default)]
pub(crate) struct GetOptions {
    /// The required remaining lifetime. The default minimum applies in addition.
    pub(crate) min_ttl: Duration,
    /// Reject the token that is current at the time of the call.
    pub(crate) force_refresh: bool,
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

type RefreshFlight = Arc<Flight<Result<RefreshOutcome, Error>>>;

/// The result for a caller that is not served by the fast path.
enum Lookup {
    Answer(Result<Token, Error>),
    Pending(RefreshFlight),
}

/// The result of an attempt to refresh a due token in the background.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BackgroundRefresh {
    /// A newer token exists, or a refresh is pending.
    Started,
    /// No refresh was started: a cooldown is in effect, or no thread could be created.
    Suppressed,
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
        self.logged(|| self.get_by_refresh(options, max_wait))
    }

    fn get_by_refresh(self: &Arc<Self>, options: &GetOptions, max_wait: Duration) -> Result<Token, Error> {
        self.refuse_inside_callback()?;
        let started = Instant::now();
        let deadline = started.checked_add(max_wait);
        let mut request = self.refresh_request(options);
        loop {
            let flight = match self.answer_or_join(&request, max_wait.saturating_sub(started.elapsed())) {
                Lookup::Answer(answer) => return answer,
                Lookup::Pending(flight) => flight,
            };
            self.counts.waits.add_one();
            let Some(outcome) = flight.wait(deadline) else {
                // The pending refresh may have published a usable token from the store before it
                // requests a newer one.
                let valid = self.current.token().filter(|token| request.is_satisfied_by(token, self.now()));
                return valid.ok_or_else(|| Error::Deadline { waited: started.elapsed(), blocked_by: self.blocked_on() });
            };
            request = match self.resolve(outcome, request) {
                Resolution::Done(answer) => return answer,
                Resolution::Retry(request) => request,
            };
        }
    }

    /// Like [`Slot::get`], for callers that must not block. Dropping the future does not affect the
    /// refresh.
    pub(crate) async fn get_async(self: &Arc<Self>, options: &GetOptions) -> Result<Token, Error> {
        if let Some(token) = self.from_memory(options) {
            return Ok(token);
        }
        self.refuse_inside_callback()?;
        let mut request = self.refresh_request(options);
        loop {
            let flight = match self.logged(|| self.answer_or_join(&request, self.parts.timeout)) {
                Lookup::Answer(answer) => return answer,
                Lookup::Pending(flight) => flight,
            };
            self.counts.waits.add_one();
            let outcome = poll_fn(|context| flight.poll(context.waker())).await;
            request = match self.resolve(outcome, request) {
                Resolution::Done(answer) => return answer,
                Resolution::Retry(request) => request,
            };
        }
    }

    /// Waits until no refresh is pending, for at most `max_wait`.
    pub(crate) fn wait_for_refresh(&self, max_wait: Duration) {
        if let Some(flight) = self.process().refresh.pending() {
            // The result is for the callers that requested the token.
            let _ = flight.wait(Instant::now().checked_add(max_wait));
        }
    }

    /// Closes the slot: later calls and waiting callers receive [`Error::Closed`].
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let process = self.process();
        {
            let memory = process.memory();
            self.publish(None, &memory);
        }
        process.refresh.abandon(Err(Error::Closed));
        process.revocation.abandon(Err(Error::Closed));
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
    fn from_memory(self: &Arc<Self>, options: &GetOptions) -> Option<Token> {
        if options.force_refresh {
            return None;
        }
        let snapshot = self.current.load();
        let token = snapshot.as_ref()?.token();
        match token.lifetime().freshness(self.parts.clock.now(), options.min_ttl) {
            Freshness::Fresh => {}
            Freshness::Due => {
                if self.logged(|| self.refresh_in_background()) == BackgroundRefresh::Suppressed {
                    self.counts.stale_served.add_one();
                }
            }
            Freshness::Unusable => return None,
        }
        self.current.count_hit();
        Some(token.clone())
    }

    fn refresh_request(&self, options: &GetOptions) -> RefreshRequest {
        let exclude = match (options.force_refresh, self.current.token()) {
            (false, _) => Exclude::Nothing,
            (true, Some(token)) => Exclude::UpTo(KnownToken::of(&token)),
            (true, None) => Exclude::Stored,
        };
        RefreshRequest { min_ttl: options.min_ttl, exclude, reject_due: false }
    }

    fn answer_or_join(self: &Arc<Self>, request: &RefreshRequest, max_wait: Duration) -> Lookup {
        if let Err(closed) = self.refuse_if_closed() {
            return Lookup::Answer(Err(closed));
        }
        let process = self.process();
        self.clear_rejection_of_replaced_secret(&process);
        loop {
            match process.refresh.enter(|| self.answer_without_refresh(&process, request)) {
                Entry::Answered(answer) => return Lookup::Answer(answer),
                Entry::Joined(flight) if flight.age() > self.parts.timeout.saturating_mul(HUNG_AFTER_TIMEOUTS) => {
                    process.refresh.complete(&flight, Err(refresh_hung(flight.age())));
                }
                Entry::Joined(flight) => return Lookup::Pending(flight),
                Entry::Started(flight) => {
                    self.counts.refreshes.add_one();
                    spawn_or_run_inline(self.refresh_task(&flight, request.clone(), max_wait));
                    return Lookup::Pending(flight);
                }
            }
        }
    }

    /// Starts a refresh unless one is pending, has just completed, or is suppressed by a cooldown.
    fn refresh_in_background(self: &Arc<Self>) -> BackgroundRefresh {
        let process = self.process();
        self.clear_rejection_of_replaced_secret(&process);
        let already_handled = || {
            let now = self.parts.clock.now();
            let due = self.current.token().is_some_and(|token| token.lifetime().freshness(now, Duration::ZERO) == Freshness::Due);
            if !due {
                return Some(BackgroundRefresh::Started);
            }
            process.memory().cooldown().and_then(|cooldown| cooldown.active_error(now)).map(|_| BackgroundRefresh::Suppressed)
        };
        match process.refresh.enter(already_handled) {
            Entry::Answered(refresh) => refresh,
            Entry::Joined(_) => BackgroundRefresh::Started,
            Entry::Started(flight) => {
                self.counts.refreshes.add_one();
                match spawn_detached(self.refresh_task(&flight, RefreshRequest::not_due(), self.parts.timeout)) {
                    Ok(()) => BackgroundRefresh::Started,
                    // This caller has a valid token, so it does not perform the refresh itself. The
                    // next caller may be able to create a thread.
                    Err(_) => {
                        process.refresh.complete(&flight, Err(cannot_create_thread()));
                        BackgroundRefresh::Suppressed
                    }
                }
            }
        }
    }

    fn answer_without_refresh(&self, process: &ProcessState, request: &RefreshRequest) -> Option<Result<Token, Error>> {
        // Checked under the lock of the flight: `close` abandons the pending flight after it sets
        // the flag, so a caller that finds no pending flight must not start one any more.
        if let Err(closed) = self.refuse_if_closed() {
            return Some(Err(closed));
        }
        let now = self.parts.clock.now();
        if let Some(token) = self.current.token() {
            if request.is_satisfied_by(&token, now) {
                self.current.count_hit();
                return Some(Ok(token));
            }
            if request.exceeds_lifetime_of(&token, now) {
                return Some(Err(min_ttl_exceeds_lifetime(request.min_ttl, token.lifetime().total())));
            }
        }
        let error = process.memory().cooldown()?.active_error(now)?;
        self.counts.cooldown_answers.add_one();
        Some(Err(error))
    }

    /// Clears a cooldown after a rejection if the configured credential is no longer the rejected
    /// one. Reads the credential outside all locks, because the secret may be in a file.
    pub(super) fn clear_rejection_of_replaced_secret(&self, process: &ProcessState) {
        let Some(cooldown) = process.memory().cooldown_to_recheck() else { return };
        let replaced = cooldown.rejected().is_some_and(|rejected| self.parts.credentials.is_replaced(rejected));
        if replaced {
            process.memory().set_cooldown(None);
        }
    }

    fn resolve(&self, outcome: Result<RefreshOutcome, Error>, request: RefreshRequest) -> Resolution {
        let now = self.parts.clock.now();
        match outcome {
            Ok(outcome) => request.resolve(outcome, now),
            Err(Error::Closed) => Resolution::Done(Err(Error::Closed)),
            Err(error) => {
                let valid = self.current.token().filter(|token| request.is_satisfied_by(token, now));
                Resolution::Done(valid.inspect(|_| self.counts.stale_served.add_one()).ok_or(error))
            }
        }
    }

    /// Returns the closure that performs one refresh. `max_wait` is the remaining time of the
    /// caller that started it.
    fn refresh_task(
        self: &Arc<Self>,
        flight: &RefreshFlight,
        request: RefreshRequest,
        max_wait: Duration,
    ) -> impl FnOnce() + Send + 'static {
        let (slot, flight) = (Arc::clone(self), Arc::clone(flight));
        move || {
            let result = catch_panic(|| slot.refresh(request, max_wait)).map_err(|error| slot.remember_local_fault(error));
            slot.process().refresh.complete(&flight, result);
        }
    }

    /// Describes what the pending refresh is waiting for, for the deadline error. Empty if it waits
    /// for the server.
    fn blocked_on(&self) -> String {
        let waiting = self.process().memory().waiting_for_lock_since;
        match waiting {
            Some(since) => self.lock_held_message(since.elapsed()),
            None if self.parts.credentials.is_awaited() => AWAITING_SECRET.to_owned(),
            None => String::new(),
        }
    }

    pub(super) fn lock_held_message(&self, duration: Duration) -> String {
        format!(
            "another process has held the lock of the token cache at {} for {:.1} s",
            self.parts.store.location(),
            duration.as_secs_f64()
        )
    }

    /// Makes `token` the current one, unless the client is closed. The guard proves that the caller
    /// is the only writer.
    pub(super) fn publish(&self, token: Option<&Token>, _memory: &MutexGuard<'_, Memory>) -> bool {
        let open = !self.closed.load(Ordering::SeqCst);
        if open || token.is_none() {
            self.current.replace(token, token.map_or_else(|| self.next_generation(), Token::generation));
        }
        open
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
            self.process.compare_and_swap(&state, Arc::new(ProcessState::new()));
            // Dropping it would access locks and wake tasks that belong to threads of the parent.
            std::mem::forget(state);
        }
    }
}

fn refresh_hung(age: Duration) -> Error {
    Error::NotConfigured {
        problem: format!("the refresh has not finished after {} s: reading the client secret or the CA file is blocked", age.as_secs()),
        hint: "Check that the file systems of these files respond, or move the files to a file system that does.".to_owned(),
    }
}

fn cannot_create_thread() -> Error {
    Error::NotConfigured {
        problem: "cannot create a thread for the refresh: a limit of this process or of the system is reached".to_owned(),
        hint: "Raise the limit (`ulimit -u`, or the pids limit of the container), or run fewer threads.".to_owned(),
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let state = self.process.load_full();
        if state.process != ProcessId::current() {
            std::mem::forget(state);
        }
    }
}
