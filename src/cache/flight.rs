//! Single flight: whatever the number of callers, one of them starts the work and all of them get its result.
//!
//! Model-checked over every interleaving by `tests/single_flight_model`.

use super::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::sync::PoisonError;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

/// At most one flight at a time.
#[derive(Debug)]
pub(crate) struct SingleFlight<T> {
    current: Mutex<Option<Arc<Flight<T>>>>,
}

/// What became of a caller that entered.
#[derive(Debug)]
pub(crate) enum Entry<T, A> {
    /// No flight was needed.
    Answered(A),
    /// A flight was in progress; wait for it.
    Joined(Arc<Flight<T>>),
    /// This caller must make the flight land: by doing the work, or by seeing that somebody does.
    Started(Arc<Flight<T>>),
}

impl<T: Clone> SingleFlight<T> {
    pub(crate) fn new() -> Self {
        Self { current: Mutex::new(None) }
    }

    /// Joins the flight in progress; without one, takes what `answer` finds; without that, starts a flight.
    ///
    /// `answer` runs under the lock. A flight publishes what it brought before it lands, so a caller that comes just too late to
    /// join finds it here and does not start a second flight.
    pub(crate) fn enter<A>(&self, answer: impl FnOnce() -> Option<A>) -> Entry<T, A> {
        let mut current = locked(&self.current);
        if let Some(flight) = &*current {
            return Entry::Joined(Arc::clone(flight));
        }
        if let Some(answer) = answer() {
            return Entry::Answered(answer);
        }
        let flight = Arc::new(Flight::new());
        *current = Some(Arc::clone(&flight));
        Entry::Started(flight)
    }

    /// The flight in progress, if there is one.
    pub(crate) fn current(&self) -> Option<Arc<Flight<T>>> {
        locked(&self.current).clone()
    }

    /// Ends `flight` with `result`, which all who joined it receive. Only the first result of a flight counts.
    pub(crate) fn land(&self, flight: &Arc<Flight<T>>, result: T) {
        {
            let mut current = locked(&self.current);
            if current.as_ref().is_some_and(|running| Arc::ptr_eq(running, flight)) {
                *current = None;
            }
        }
        flight.complete(result);
    }

    /// Ends the flight in progress, if there is one, with `result`. Whoever does its work may go on; nobody waits for it any more.
    pub(crate) fn abandon(&self, result: T) {
        let running = locked(&self.current).take();
        if let Some(flight) = running {
            flight.complete(result);
        }
    }
}

/// One piece of work that many wait for.
#[derive(Debug)]
pub(crate) struct Flight<T> {
    started: Instant,
    state: Mutex<State<T>>,
    landed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    result: Option<T>,
    wakers: Vec<Waker>,
}

impl<T: Clone> Flight<T> {
    fn new() -> Self {
        Self { started: Instant::now(), state: Mutex::new(State { result: None, wakers: Vec::new() }), landed: Condvar::new() }
    }

    /// For how long it has been under way.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Blocks until the flight lands, or until `deadline`; `None` is "for as long as it takes".
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> Option<T> {
        let mut state = locked(&self.state);
        loop {
            if let Some(result) = &state.result {
                return Some(result.clone());
            }
            state = match deadline {
                None => self.landed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    self.landed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// The result if the flight has landed; else `waker` is called once it does.
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

    fn complete(&self, result: T) {
        let wakers = {
            let mut state = locked(&self.state);
            if state.result.is_some() {
                return;
            }
            state.result = Some(result);
            std::mem::take(&mut state.wakers)
        };
        self.landed.notify_all();
        for waker in wakers {
            waker.wake();
        }
    }
}

/// No code that can panic runs under these locks with broken state behind it, so a poisoned one is still good.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
