//! Operations: calls of a client that wait for a result without a thread of their own, for event
//! loops in other languages.
//!
//! May depend on: client, cache and api_request (the pending calls), platform, token, error. Start reading at
//! [`Operation`]; `dispatcher` has the threads, which exist only while an operation is pending.

mod dispatcher;
mod queue;

pub(crate) use dispatcher::{Dispatcher, in_callback, on_dispatcher_thread};
pub(crate) use queue::Queue;

use crate::api_request::{ApiResponse, PendingRequest};
use crate::cache::{ActiveWork, PendingGet, PendingRemoval, PendingRevocation};
use crate::error::{AWAITING_API, Error};
use crate::token::Token;
use arc_swap::ArcSwapOption;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// How the end of an operation is announced.
///
/// Dropping it announces nothing: that is right only in a forked child.
pub(crate) trait Completion: Send + Sized + 'static {
    /// The place of the process's dispatcher.
    fn dispatcher() -> &'static ArcSwapOption<Dispatcher<Self>>;

    /// Announces the end without running code of the program, or returns false: then
    /// [`Completion::run`] is called on a thread for callbacks. Called under the lock of the
    /// operation: must not block.
    fn announce(&self, operation: &Arc<Operation<Self>>) -> bool;

    /// Returns whether it runs code of the program.
    fn is_callback(&self) -> bool;

    /// Returns whether the end is announced at all. If not, the operation needs no thread: those that
    /// wait for it continue it.
    fn is_announced(&self) -> bool;

    /// Runs the callback of the program, and releases its data.
    fn run(self, operation: &Arc<Operation<Self>>);

    /// Releases the data of the program without a callback.
    fn discard(self);
}

/// A call that was begun: a get, an invalidation, a revocation or a request. Its result, once there is one, can
/// be read any number of times.
#[derive(Debug)]
pub(crate) struct Operation<C: Completion> {
    dispatcher: Arc<Dispatcher<C>>,
    /// When it began and when its deadline passes, on the dispatcher's clock.
    began_ms: u64,
    deadline_ms: u64,
    state: Mutex<State<C>>,
    ended: Condvar,
}

/// The call that an operation waits for.
#[derive(Debug)]
pub(crate) enum Work {
    Get(PendingGet),
    Removal(PendingRemoval),
    Revocation(PendingRevocation),
    Request(PendingRequest),
}

/// What a call that has succeeded returns.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Nothing,
    Token(Token),
    Response(Arc<ApiResponse>),
}

/// The value, or the error. Boxed, because most operations
/// have no error and there may be very many operations.
type Outcome = Result<Value, Box<Error>>;

struct State<C> {
    phase: Phase<C>,
    /// Whether the dispatcher continues it. Otherwise one of the threads that wait for it does.
    is_dispatched: bool,
    /// Whether a thread waits for the end.
    awaited: bool,
    /// Wakes the one of the threads that wait which continues the work.
    driver: Option<Arc<Alarm>>,
    /// Whether the end is not announced because the operation was canceled.
    canceled: bool,
}

enum Phase<C> {
    Pending {
        work: Work,
        completion: C,
        active: Option<ActiveWork>,
    },
    /// The result is known, and its announcement was not begun.
    Unannounced {
        outcome: Outcome,
        completion: C,
        active: Option<ActiveWork>,
    },
    Ended(Outcome),
    /// Between two phases. Seen by no other thread, because the lock is held.
    Changing,
}

impl<C: Completion> Operation<C> {
    /// Begins to wait for `work`. Its completion is announced once, unless the operation is canceled,
    /// and never by this thread. `active` lasts until the announcement is over; without one it ends
    /// now, because nothing runs for the operation.
    ///
    /// # Errors
    /// No thread can be created. The completion is dropped.
    pub(crate) fn begin(work: Work, completion: C, active: ActiveWork, max_wait: Duration) -> Result<Arc<Self>, Error> {
        let dispatcher = Dispatcher::<C>::of_this_process();
        let began_ms = dispatcher.now_ms();
        let deadline_ms = began_ms.saturating_add(u64::try_from(max_wait.as_millis()).unwrap_or(u64::MAX));
        let is_dispatched = completion.is_announced();
        let active = Some(active).filter(|_| is_dispatched);
        let phase = Phase::Pending { work, completion, active };
        let state = Mutex::new(State { phase, is_dispatched, awaited: false, driver: None, canceled: false });
        let operation = Arc::new(Self { dispatcher, began_ms, deadline_ms, state, ended: Condvar::new() });
        if is_dispatched {
            // Its thread polls the operation for the first time.
            operation.dispatcher.add(&operation)?;
        }
        Ok(operation)
    }

    /// Waits until the operation ends, at most for `max_wait`. Returns `None` if it is still pending.
    pub(crate) fn wait(&self, max_wait: Duration) -> Option<Result<Value, Error>> {
        if !self.dispatcher.is_of_this_process() {
            return Some(Err(Error::Closed));
        }
        let deadline = Instant::now().checked_add(max_wait);
        let mut state = self.lock();
        loop {
            if let Phase::Ended(outcome) | Phase::Unannounced { outcome, .. } = &state.phase {
                return Some(outcome.clone().map_err(|error| *error));
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let is_last_look = left.is_some_and(|left| left.is_zero());
            if !state.is_dispatched && state.driver.is_none() {
                state = self.drive(state, left);
                if is_last_look && matches!(state.phase, Phase::Pending { .. }) {
                    return None;
                }
                continue;
            }
            if is_last_look {
                return None;
            }
            state.awaited = true;
            state = match left {
                Some(left) => self.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.ended.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Continues the work on the thread of a caller, which waits at most for `left`, and ends the
    /// operation if its work or its time is over.
    fn drive<'a>(&'a self, mut state: MutexGuard<'a, State<C>>, left: Option<Duration>) -> MutexGuard<'a, State<C>> {
        let Phase::Pending { work, .. } = &mut state.phase else { return state };
        let alarm = Arc::new(Alarm::default());
        let time_left = self.time_left();
        let poll = || work.poll(&Waker::from(Arc::clone(&alarm)), time_left);
        let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(poll));
        let own_time = work.time_for_save().unwrap_or(time_left);
        let result = match polled {
            Ok(Poll::Ready(result)) => {
                work.join_thread();
                result
            }
            Ok(Poll::Pending) if own_time.is_zero() => self.at_deadline(work),
            Ok(Poll::Pending) => {
                let pause = left.map_or(own_time, |left| left.min(own_time));
                if pause.is_zero() {
                    return state;
                }
                state.driver = Some(Arc::clone(&alarm));
                drop(state);
                alarm.wait(pause);
                state = self.lock();
                state.driver = None;
                if state.awaited {
                    // This thread may stop waiting, and another one then continues the work.
                    self.ended.notify_all();
                }
                return state;
            }
            Err(_) => Err(Error::internal("an operation panicked")),
        };
        let ended = std::mem::replace(&mut state.phase, Phase::Changing);
        self.set_phase(&mut state, Phase::Ended(result.map_err(Box::new)));
        drop(state);
        // It may own the last reference to a client.
        drop(ended);
        self.lock()
    }

    fn time_left(&self) -> Duration {
        Duration::from_millis(self.deadline_ms.saturating_sub(self.dispatcher.now_ms()))
    }

    /// Returns the result of work that is not waited for any longer.
    fn at_deadline(&self, work: &mut Work) -> Result<Value, Error> {
        let waited = Duration::from_millis(self.dispatcher.now_ms().saturating_sub(self.began_ms));
        match work {
            Work::Get(get) => get.at_deadline(waited).map(Value::Token),
            // The token is not the current one any more, and the removal continues, as after a call that blocks.
            Work::Removal(_) => Ok(Value::Nothing),
            Work::Revocation(_) => Err(Error::Deadline { waited, blocked_by: String::new() }),
            Work::Request(_) => Err(Error::Deadline { waited, blocked_by: AWAITING_API.to_owned() }),
        }
    }

    /// Ends the operation without a result, if it has none yet. Returns true if nothing will be
    /// announced, and false if the announcement has begun. Never blocks.
    pub(crate) fn cancel(&self) -> bool {
        if !self.dispatcher.is_of_this_process() {
            return true;
        }
        let mut state = self.lock();
        let (completion, active) = match std::mem::replace(&mut state.phase, Phase::Changing) {
            Phase::Pending { work, completion, active } => {
                state.canceled = true;
                self.set_phase(&mut state, Phase::Ended(Err(Box::new(Error::Canceled))));
                let is_dispatched = state.is_dispatched;
                drop(state);
                drop(work);
                if is_dispatched {
                    self.dispatcher.remove();
                }
                (completion, active)
            }
            Phase::Unannounced { outcome, completion, active } => {
                (state.phase, state.canceled) = (Phase::Ended(outcome), true);
                drop(state);
                (completion, active)
            }
            other => {
                state.phase = other;
                return state.canceled;
            }
        };
        self.dispatcher.discard(completion, active);
        true
    }

    /// Begins the announcement: returns the completion, which nobody else gets. `None` if the
    /// operation was canceled.
    pub(crate) fn take_completion(&self) -> Option<(C, Option<ActiveWork>)> {
        let mut state = self.lock();
        match std::mem::replace(&mut state.phase, Phase::Changing) {
            Phase::Unannounced { outcome, completion, active } => {
                state.phase = Phase::Ended(outcome);
                Some((completion, active))
            }
            other => {
                state.phase = other;
                None
            }
        }
    }

    /// Calls `step`. A panic in it ends this operation with an error, and no other one.
    fn end_if_it_panics(self: &Arc<Self>, step: impl FnOnce(&Arc<Self>)) {
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| step(self))).is_err() {
            let state = self.lock();
            self.complete(state, Err(Error::internal("an operation panicked")));
        }
    }

    /// Continues the work. Called by the dispatcher after the work has woken it.
    fn proceed(self: &Arc<Self>) {
        let mut state = self.lock();
        let Phase::Pending { work, .. } = &mut state.phase else { return };
        let result = work.poll(&Waker::from(Arc::clone(self)), self.time_left());
        let time_for_save = work.time_for_save();
        match (result, time_for_save) {
            (Poll::Ready(result), _) => self.complete(state, result),
            (Poll::Pending, Some(limit)) => {
                drop(state);
                self.dispatcher.expire_after(limit, self);
            }
            (Poll::Pending, None) => {}
        }
    }

    /// Ends the operation because its deadline has passed, or its time to wait for the save.
    fn expire(self: &Arc<Self>) {
        let mut state = self.lock();
        let Phase::Pending { work, .. } = &mut state.phase else { return };
        let result = self.at_deadline(work);
        self.complete(state, result);
    }

    /// Does nothing if `state` is not pending.
    fn complete(self: &Arc<Self>, mut state: MutexGuard<'_, State<C>>, result: Result<Value, Error>) {
        let (work, completion, active) = match std::mem::replace(&mut state.phase, Phase::Changing) {
            Phase::Pending { work, completion, active } => (work, completion, active),
            other => {
                state.phase = other;
                return;
            }
        };
        let announced = completion.announce(self);
        // Nothing of the library runs for an announcement that waits in a queue.
        let active = active.filter(|_| !announced);
        self.set_phase(&mut state, Phase::Unannounced { outcome: result.map_err(Box::new), completion, active });
        drop(state);
        drop(work);
        self.dispatcher.remove();
        if !announced {
            self.dispatcher.call(self);
        }
    }

    /// Returns whether the operation has no result yet, as far as can be seen without waiting for a
    /// thread that changes it.
    fn is_pending(&self) -> bool {
        match self.state.try_lock() {
            Ok(state) => matches!(state.phase, Phase::Pending { .. }),
            Err(TryLockError::Poisoned(state)) => matches!(state.get_ref().phase, Phase::Pending { .. }),
            Err(TryLockError::WouldBlock) => true,
        }
    }

    fn set_phase(&self, state: &mut MutexGuard<'_, State<C>>, phase: Phase<C>) {
        state.phase = phase;
        if state.awaited {
            self.ended.notify_all();
        }
        if let Some(driver) = &state.driver {
            driver.ring();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Completion> Wake for Operation<C> {
    fn wake(self: Arc<Self>) {
        self.dispatcher.wake(&self);
    }
}

/// Wakes the thread that continues an operation. It has a lock of its own, which is held for nothing
/// else, because a waker may be called while another operation is locked.
#[derive(Default)]
struct Alarm {
    rang: Mutex<bool>,
    changed: Condvar,
}

impl Alarm {
    fn wait(&self, max_wait: Duration) {
        let rang = self.rang.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_timeout_while(rang, max_wait, |rang| !*rang));
    }

    fn ring(&self) {
        *self.rang.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}

impl<C: Completion> Drop for Operation<C> {
    fn drop(&mut self) {
        if !self.dispatcher.is_of_this_process() {
            // It belongs to threads of the parent, which may have held its locks.
            let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
            std::mem::forget(std::mem::replace(&mut state.phase, Phase::Changing));
        }
    }
}

impl Work {
    fn poll(&mut self, waker: &Waker, time_left: Duration) -> Poll<Result<Value, Error>> {
        match self {
            Self::Get(get) => get.poll_result(waker, time_left).map(|result| result.map(Value::Token)),
            Self::Removal(removal) => removal.poll_result(waker).map(|result| result.map(|()| Value::Nothing)),
            Self::Revocation(revocation) => revocation.poll_result(waker).map(|result| result.map(|()| Value::Nothing)),
            Self::Request(request) => request.poll_result(waker).map(|result| result.map(Value::Response)),
        }
    }

    /// Returns for how long the work continues to wait, if its result is known and only a save is
    /// missing.
    fn time_for_save(&self) -> Option<Duration> {
        match self {
            Self::Get(get) => get.time_for_save(),
            Self::Removal(_) | Self::Revocation(_) | Self::Request(_) => None,
        }
    }

    /// Waits until the thread that the work started is gone, if it has nothing left to do.
    fn join_thread(&mut self) {
        if let Self::Get(get) = self {
            get.join_thread();
        }
    }
}

impl<C> fmt::Debug for State<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.phase {
            Phase::Pending { .. } => "pending",
            Phase::Unannounced { .. } => "unannounced",
            Phase::Ended(_) => "ended",
            Phase::Changing => "changing",
        })
    }
}
