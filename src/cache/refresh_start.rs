//! Starts refreshes, joins those that are pending, and gives each caller its result.

use super::flight::{Entry, Flight};
use super::freshness::Freshness;
use super::process::{ProcessState, Refusal, catch_panic, spawn_detached};
use super::refresh_request::{RefreshOutcome, RefreshRequest, Resolution, min_ttl_exceeds_lifetime};
use super::slot::Slot;
use crate::error::{Error, duration_text};
use crate::token::Token;
use std::cell::Cell;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// A refresh that takes longer than this multiple of its timeout is considered hung, in an
/// operation without a timeout: a file system that does not respond.
const HUNG_AFTER_TIMEOUTS: u32 = 3;

/// A caller that joined a refresh with a shorter deadline starts another one if it has more time left
/// than this.
const MIN_TIME_FOR_REFRESH: Duration = Duration::from_millis(100);

pub(super) type RefreshFlight = Arc<Flight<Result<RefreshOutcome, Error>>>;

/// The result for a caller that is not served by the fast path.
pub(super) enum Lookup {
    Answer(Result<Token, Error>),
    /// A refresh that another caller started is pending.
    Joined(RefreshFlight),
    /// This caller started a refresh, on this thread if one was created.
    Started(RefreshFlight, Option<JoinHandle<()>>),
}

/// Whether a refresh answers a caller that has waited for it with its own deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The caller started it: its deadline is that of the refresh.
    Starter,
    /// The caller joined it, and can wait for as long as this in addition.
    Joiner { time_left: Duration },
}

/// What a caller does if no thread can be created.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WithoutThread {
    /// It does the work itself.
    Run,
    /// It must not block, so it fails.
    Fail,
}

/// The result of an attempt to refresh a due token in the background.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum BackgroundRefresh {
    /// A newer token exists, or a refresh is pending.
    Started,
    /// No refresh was started, and none will be for this duration: a cooldown is in effect, or no
    /// thread could be created. The cooldown may be about to be checked.
    Suppressed(Duration),
}

impl Slot {
    pub(super) fn answer_or_join(self: &Arc<Self>, request: &RefreshRequest, max_wait: Duration, without_thread: WithoutThread) -> Lookup {
        if let Err(closed) = self.refuse_if_closed() {
            return Lookup::Answer(Err(closed));
        }
        let process = self.process();
        loop {
            match process.refresh.enter(|| self.answer_without_refresh(&process, request)) {
                Entry::Answered(answer) => return Lookup::Answer(answer),
                Entry::Joined(flight) if flight.age() > self.parts.timeout.saturating_mul(HUNG_AFTER_TIMEOUTS) => {
                    process.refresh.complete(&flight, Err(refresh_hung(flight.age())));
                }
                Entry::Joined(flight) => return Lookup::Joined(flight),
                Entry::Started(flight) => return self.start_refresh(&process, flight, request, max_wait, without_thread),
            }
        }
    }

    fn start_refresh(
        self: &Arc<Self>,
        process: &ProcessState,
        flight: RefreshFlight,
        request: &RefreshRequest,
        max_wait: Duration,
        without_thread: WithoutThread,
    ) -> Lookup {
        match spawn_detached(self.refresh_task(process, &flight, request.clone(), max_wait)) {
            Ok(thread) => return Lookup::Started(flight, thread),
            Err(task) if without_thread == WithoutThread::Run => task(),
            Err(_) => {
                let error = cannot_create_thread();
                process.refresh.complete(&flight, Err(error.clone()));
                flight.end();
                return Lookup::Answer(Err(error));
            }
        }
        Lookup::Started(flight, None)
    }

    /// Starts a refresh unless one is pending, has just completed, or is suppressed by a cooldown.
    pub(super) fn refresh_in_background(self: &Arc<Self>) -> BackgroundRefresh {
        let process = self.process();
        let mut suppressed_for = None;
        let already_handled = || {
            let now = self.parts.clock.now();
            let due = self.current.token().is_some_and(|token| token.lifetime().freshness(now, Duration::ZERO) == Freshness::Due);
            if !due {
                return Some(BackgroundRefresh::Started);
            }
            let refusal = process.memory().refusal(now)?;
            suppressed_for = refusal.error.retry_after();
            suppressed_for.filter(|_| !refusal.check_is_due).map(BackgroundRefresh::Suppressed)
        };
        match process.refresh.enter(already_handled) {
            Entry::Answered(refresh) => refresh,
            Entry::Joined(_) => BackgroundRefresh::Started,
            Entry::Started(flight) => {
                // This caller has a valid token, so it does not perform the refresh itself. If no
                // thread can be created, the next caller may be able to.
                match self.start_refresh(&process, flight, &RefreshRequest::not_due(), self.parts.timeout, WithoutThread::Fail) {
                    Lookup::Started(..) | Lookup::Joined(_) => {
                        suppressed_for.map_or(BackgroundRefresh::Started, BackgroundRefresh::Suppressed)
                    }
                    Lookup::Answer(_) => BackgroundRefresh::Suppressed(Duration::ZERO),
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
                return Some(Err(min_ttl_exceeds_lifetime(request.min_ttl, token.lifetime())));
            }
        }
        let Refusal { error, check_is_due: false } = process.memory().refusal(now)? else { return None };
        self.counts.cooldown_answers.add_one();
        Some(Err(error))
    }

    /// Returns the result of a refresh for a caller that took `part` in it.
    pub(super) fn resolve(&self, outcome: Result<RefreshOutcome, Error>, request: RefreshRequest, part: Part) -> Resolution {
        let now = self.parts.clock.now();
        match outcome {
            Ok(outcome) => request.resolve(outcome, now),
            Err(Error::Closed) => Resolution::Done(Err(Error::Closed)),
            Err(error) => {
                if let Some(token) = self.current.token().filter(|token| request.is_satisfied_by(token, now)) {
                    self.counts.stale_served.add_one();
                    return Resolution::Done(Ok(token));
                }
                match (&error, part) {
                    // The refresh had the deadline of the caller that started it. This one has more time.
                    (Error::Deadline { .. }, Part::Joiner { time_left }) if time_left > MIN_TIME_FOR_REFRESH => Resolution::Retry(request),
                    _ => Resolution::Done(Err(error)),
                }
            }
        }
    }

    /// Returns the closure that performs one refresh. `max_wait` is the remaining time of the
    /// caller that started it.
    fn refresh_task(
        self: &Arc<Self>,
        process: &ProcessState,
        flight: &RefreshFlight,
        request: RefreshRequest,
        max_wait: Duration,
    ) -> impl FnOnce() + Send + 'static {
        let (slot, flight, active) = (Arc::clone(self), Arc::clone(flight), process.activity.begin());
        move || {
            let answered = Cell::new(false);
            let answer = |result: Result<RefreshOutcome, Error>| {
                answered.set(true);
                if result.is_err() {
                    slot.current.allow_attempt();
                }
                slot.process().refresh.complete(&flight, result);
            };
            let ended = catch_panic(|| {
                slot.refresh(request, max_wait, &answer);
                Ok(())
            });
            if let (Err(error), false) = (ended, answered.get()) {
                answer(Err(slot.remember_local_fault(error)));
            }
            drop(active);
            flight.end();
        }
    }
}

fn refresh_hung(age: Duration) -> Error {
    Error::NotConfigured {
        problem: format!("the refresh has not finished after {}: reading the client secret or the CA file is blocked", duration_text(age)),
        hint: "Check that the file systems of these files respond, or move the files to a file system that does.".to_owned(),
    }
}

pub(crate) fn cannot_create_thread() -> Error {
    Error::NotConfigured {
        problem: "cannot create a thread: a limit of this process or of the system is reached".to_owned(),
        hint: "Raise the limit (`ulimit -u`, or the pids limit of the container), or run fewer threads.".to_owned(),
    }
}
