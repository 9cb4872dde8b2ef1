//! Single flight: one of any number of concurrent callers starts the work, and all of them receive
//! its result.
//!
//! `tests/single_flight_model` checks this file under every interleaving of its threads.

use super::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::sync::PoisonError;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

/// Allows at most one flight at a time.
#[derive(Debug)]
pub(crate) struct SingleFlight<T> {
    pending: Mutex<Option<Arc<Flight<T>>>>,
}

/// The result of [`SingleFlight::enter`].
#[derive(Debug)]
pub(crate) enum Entry<T, A> {
    /// No flight was needed.
    Answered(A),
    /// A flight is pending; wait for it.
    Joined(Arc<Flight<T>>),
    /// This caller must ensure that the flight completes: it does the work or starts a thread that
    /// does.
    Started(Arc<Flight<T>>),
}

impl<T: Clone> SingleFlight<T> {
    pub(crate) fn new() -> Self {
        Self { pending: Mutex::new(None) }
    }

    /// Joins the pending flight. Without one, returns what `answer` returns. If that is `None`,
    /// starts a flight.
    ///
    /// `answer` runs under the lock. A flight publishes its result before it completes, so a caller
    /// that arrives too late to join finds the result here and does not start a second flight.
    pub(crate) fn enter<A>(&self, answer: impl FnOnce() -> Option<A>) -> Entry<T, A> {
        let mut pending = locked(&self.pending);
        if let Some(flight) = &*pending {
            return Entry::Joined(Arc::clone(flight));
        }
        if let Some(answer) = answer() {
            return Entry::Answered(answer);
        }
        let flight = Arc::new(Flight::new());
        *pending = Some(Arc::clone(&flight));
        Entry::Started(flight)
    }

    /// Completes `flight` with `result`, which all callers that joined it receive. Only the first
    /// result of a flight counts.
    pub(crate) fn complete(&self, flight: &Arc<Flight<T>>, result: T) {
        {
            let mut pending = locked(&self.pending);
            if pending.as_ref().is_some_and(|pending| Arc::ptr_eq(pending, flight)) {
                *pending = None;
            }
        }
        flight.set_result(result);
    }

    /// Completes the pending flight, if there is one, with `result`. The thread that does the work
    /// may continue, but no caller waits for it.
    pub(crate) fn abandon(&self, result: T) {
        let pending = locked(&self.pending).take();
        if let Some(flight) = pending {
            flight.set_result(result);
        }
    }
}

/// One piece of work that any number of callers wait for.
#[derive(Debug)]
pub(crate) struct Flight<T> {
    started: Instant,
    state: Mutex<State<T>>,
    completed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    result: Option<T>,
    /// Whether the work has ended: it may continue after the result is known.
    ended: bool,
    wakers: Vec<Waker>,
}

impl<T: Clone> Flight<T> {
    fn new() -> Self {
        Self {
            started: Instant::now(),
            state: Mutex::new(State { result: None, ended: false, wakers: Vec::new() }),
            completed: Condvar::new(),
        }
    }

    /// Returns the time since the flight started.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Blocks until the flight completes or `deadline` passes. `None` waits indefinitely.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> Option<T> {
        let mut state = locked(&self.state);
        loop {
            if let Some(result) = &state.result {
                return Some(result.clone());
            }
            state = match deadline {
                None => self.completed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    self.completed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Marks the work as ended.
    pub(crate) fn end(&self) {
        locked(&self.state).ended = true;
        self.completed.notify_all();
    }

    /// Blocks until the work has ended, but at most for `max_wait`.
    pub(crate) fn wait_for_end(&self, max_wait: Duration) {
        let started = Instant::now();
        let mut state = locked(&self.state);
        loop {
            let left = max_wait.saturating_sub(started.elapsed());
            if state.ended || left.is_zero() {
                return;
            }
            state = self.completed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Returns the result if the flight has completed. Otherwise registers `waker`, which is called
    /// on completion.
    pub(crate) fn poll(&self, waker: &Waker) -> Poll<T> {
        let mut state = locked(&self.state);
        match &state.result {
            Some(result) => Poll::Ready(result.clone()),
            None => {
                if !state.wakers.iter().any(|known| known.will_wake(waker)) {
                    state.wakers.push(waker.clone());
                }
                Poll::Pending
            }
        }
    }

    fn set_result(&self, result: T) {
        let wakers = {
            let mut state = locked(&self.state);
            if state.result.is_some() {
                return;
            }
            state.result = Some(result);
            std::mem::take(&mut state.wakers)
        };
        self.completed.notify_all();
        for waker in wakers {
            waker.wake();
        }
    }
}

/// Ignores poisoning: no code that can panic leaves inconsistent state under these locks.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
