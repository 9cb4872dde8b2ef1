//! Single flight: one of any number of concurrent callers starts the work, and all of them receive
//! its result.
//!
//! `tests/single_flight_model` checks this file under every interleaving of its threads.

use super::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::panic::{AssertUnwindSafe, catch_unwind};
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
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    result: Option<T>,
    /// Whether the work is over. It may continue after its result is known, for example with a
    /// save.
    ended: bool,
    waiters: Waiters,
}

/// The place of one waker in a flight. It is used with one flight only.
#[derive(Debug)]
pub(crate) struct Registration(u32);

impl Registration {
    /// A waker that was not registered yet.
    pub(crate) const NONE: Self = Self(u32::MAX);

    /// As small as possible: there may be very many callers. More than `u32::MAX` have no memory.
    fn at(index: usize) -> Self {
        u32::try_from(index).map_or(Self::NONE, Self)
    }

    fn index(&self) -> usize {
        if self.0 == u32::MAX { NO_ENTRY } else { self.0 as usize }
    }
}

impl<T: Clone> Flight<T> {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            state: Mutex::new(State { result: None, ended: false, waiters: Waiters::default() }),
            changed: Condvar::new(),
        }
    }

    /// Returns the time since the flight started.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Blocks until the result is known or `deadline` passes. `None` waits indefinitely.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> Option<T> {
        self.wait_for(deadline, |state| state.result.clone())
    }

    /// Blocks until the work is over or `deadline` passes. Returns whether it is over.
    pub(crate) fn wait_for_end(&self, deadline: Option<Instant>) -> bool {
        self.wait_for(deadline, |state| state.ended.then_some(())).is_some()
    }

    fn wait_for<R>(&self, deadline: Option<Instant>, look: impl Fn(&State<T>) -> Option<R>) -> Option<R> {
        let mut state = locked(&self.state);
        loop {
            if let Some(found) = look(&state) {
                return Some(found);
            }
            state = match deadline {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Returns the result if it is known. Otherwise registers `waker`, which is called when it is.
    /// A later call with the same `registration` replaces the waker.
    pub(crate) fn poll(&self, waker: &Waker, registration: &mut Registration) -> Poll<T> {
        self.poll_for(waker, registration, |state| state.result.clone())
    }

    /// Like [`Flight::poll`], for a caller that knows the result and waits for the end of the work.
    pub(crate) fn poll_end(&self, waker: &Waker, registration: &mut Registration) -> Poll<()> {
        self.poll_for(waker, registration, |state| state.ended.then_some(()))
    }

    fn poll_for<R>(&self, waker: &Waker, registration: &mut Registration, look: impl Fn(&State<T>) -> Option<R>) -> Poll<R> {
        let replaced = {
            let mut state = locked(&self.state);
            if let Some(found) = look(&state) {
                return Poll::Ready(found);
            }
            state.waiters.register(waker, registration)
        };
        // Outside the lock: it may own a caller's data, with another waker of this flight.
        drop(replaced);
        Poll::Pending
    }

    /// Returns whether the work is over.
    #[cfg(feature = "capi")]
    pub(crate) fn has_ended(&self) -> bool {
        locked(&self.state).ended
    }

    /// Returns whether the result is known.
    #[cfg(feature = "capi")]
    pub(crate) fn has_result(&self) -> bool {
        locked(&self.state).result.is_some()
    }

    /// Removes the waker of a caller that stops waiting.
    pub(crate) fn forget(&self, registration: &mut Registration) {
        // Dropped outside the lock: it may own a caller's data.
        let forgotten = locked(&self.state).waiters.remove(registration);
        drop(forgotten);
    }

    /// Returns the number of places for wakers, used or vacant.
    #[cfg(test)]
    pub(crate) fn places(&self) -> usize {
        locked(&self.state).waiters.entries.len()
    }

    /// Marks the work as over: its thread does nothing any more.
    pub(crate) fn end(&self) {
        let waiters = {
            let mut state = locked(&self.state);
            state.ended = true;
            state.waiters.take()
        };
        self.changed.notify_all();
        wake_all(waiters);
    }

    /// Sets the result, which all callers receive. Only the first result of a flight counts.
    pub(crate) fn set_result(&self, result: T) {
        let waiters = {
            let mut state = locked(&self.state);
            if state.result.is_some() {
                return;
            }
            state.result = Some(result);
            state.waiters.take()
        };
        self.changed.notify_all();
        wake_all(waiters);
    }
}

/// The wakers of a flight, in entries that are used again. Each operation takes the same time with
/// any number of them.
#[derive(Debug)]
struct Waiters {
    entries: Vec<Waiter>,
    first_vacant: usize,
    /// The number of entries that were taken. A registration counts them too, so that none of a
    /// caller that was woken is that of another caller, which waits for the end.
    taken: usize,
}

/// One entry, as small as a waker.
#[derive(Debug)]
enum Waiter {
    Waiting(Waker),
    /// Vacant, with the index of the next vacant entry.
    Vacant(usize),
}

const NO_ENTRY: usize = usize::MAX;

impl Default for Waiters {
    fn default() -> Self {
        Self { entries: Vec::new(), first_vacant: NO_ENTRY, taken: 0 }
    }
}

impl Waiters {
    /// Returns the waker that `waker` replaces, if any.
    fn register(&mut self, waker: &Waker, registration: &mut Registration) -> Option<Waker> {
        if let Some(Waiter::Waiting(known)) = self.entry(registration) {
            return (!known.will_wake(waker)).then(|| std::mem::replace(known, waker.clone()));
        }
        let entry = Waiter::Waiting(waker.clone());
        let index = match self.entries.get(self.first_vacant) {
            Some(Waiter::Vacant(next)) => {
                let index = std::mem::replace(&mut self.first_vacant, *next);
                self.entries[index] = entry;
                index
            }
            _ => {
                self.entries.push(entry);
                self.entries.len() - 1
            }
        };
        *registration = Registration::at(self.taken + index);
        None
    }

    fn remove(&mut self, registration: &mut Registration) -> Option<Waiter> {
        let registration = std::mem::replace(registration, Registration::NONE);
        let vacant = Waiter::Vacant(self.first_vacant);
        let entry = self.entry(&registration).filter(|entry| matches!(entry, Waiter::Waiting(_)))?;
        let removed = std::mem::replace(entry, vacant);
        self.first_vacant = registration.index() - self.taken;
        Some(removed)
    }

    fn entry(&mut self, registration: &Registration) -> Option<&mut Waiter> {
        self.entries.get_mut(registration.index().checked_sub(self.taken)?)
    }

    /// Removes all entries, whose registrations become invalid.
    fn take(&mut self) -> Vec<Waiter> {
        self.first_vacant = NO_ENTRY;
        self.taken += self.entries.len();
        std::mem::take(&mut self.entries)
    }
}

fn wake_all(waiters: Vec<Waiter>) {
    for waiter in waiters {
        if let Waiter::Waiting(waker) = waiter {
            // A waker that panics must not leave the others asleep.
            let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
        }
    }
}

/// Ignores poisoning: no code that can panic leaves inconsistent state under these locks.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
