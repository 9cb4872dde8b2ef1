//! Requests that a program sends with a token of a client: each is work on a thread, which ends when its
//! client is closed or nobody waits for it any more. Of very many requests, most wait for a thread.

use super::flight::{Flight, Registration};
use super::process::{ProcessState, catch_panic, spawn_detached};
use super::refresh_start::cannot_create_thread;
use super::slot::Slot;
use crate::error::Error;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Instant;

/// How many requests of a client are sent at the same time. Each is a thread and a connection.
const MOST_THREADS: usize = 32;

/// The requests of a client that are in progress.
#[derive(Default)]
pub(super) struct Requests {
    pending: Mutex<BTreeMap<usize, Arc<dyn EndsWithClient>>>,
    queue: Mutex<Queue>,
}

/// The requests that wait for a thread, and the threads. A thread ends when none waits.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<(usize, Task)>,
    threads: usize,
}

type Task = Box<dyn FnOnce() + Send>;

/// What is told that its client was closed.
trait EndsWithClient: Send + Sync {
    fn client_closed(&self);
}

/// A request in progress. Its result is set once: by the work itself, by the close of the client, or by the
/// caller that stops waiting. That ends the request.
#[derive(Debug)]
pub(crate) struct RequestFlight<T>(Flight<Result<T, Error>>);

/// A request whose response a caller waits for. Dropping it ends the request.
#[derive(Debug)]
pub(crate) struct PendingWork<T: Clone> {
    flight: Arc<RequestFlight<T>>,
    registration: Registration,
}

impl Slot {
    /// Begins `work`, on a thread of its own or after another request has ended. The work should stop when
    /// [`RequestFlight::poll_stopped`] is ready. If no thread can be created, it fails, or does the work here
    /// if the caller `may_block`.
    pub(crate) fn begin_request<T: Clone + Send + Sync + 'static>(
        self: &Arc<Self>,
        may_block: bool,
        work: impl FnOnce(&Arc<RequestFlight<T>>) -> Result<T, Error> + Send + 'static,
    ) -> Result<PendingWork<T>, Error> {
        self.refuse_if_closed()?;
        self.refuse_inside_callback()?;
        let process = self.process();
        let flight = Arc::new(RequestFlight(Flight::new()));
        let key = Arc::as_ptr(&flight).addr();
        process.requests.pending().insert(key, Arc::clone(&flight) as Arc<dyn EndsWithClient>);
        // `close` sets its flag before it ends the requests, so either it finds this one, or this finds the flag.
        if let Err(closed) = self.refuse_if_closed() {
            process.requests.remove(key);
            return Err(closed);
        }
        let (slot, active, in_thread) = (Arc::clone(self), process.activity.begin(), Arc::clone(&flight));
        let of_process = Arc::clone(&process);
        let task = Box::new(move || {
            // Closed or canceled while it waited for a thread.
            if !in_thread.0.has_result() {
                let result = slot.logged(|| catch_panic(|| work(&in_thread)));
                in_thread.0.set_result(result);
            }
            of_process.requests.remove(key);
            drop(active);
        });
        if let Err(task) = start(&process, key, task) {
            if !may_block {
                process.requests.remove(key);
                return Err(cannot_create_thread());
            }
            task();
        }
        Ok(PendingWork { flight, registration: Registration::NONE })
    }
}

/// Starts a thread for the task, or lets it wait for one. Returns the task if there is no thread that could
/// do it, and none can be created.
fn start(process: &Arc<ProcessState>, key: usize, task: Task) -> Result<(), Task> {
    {
        let mut queue = process.requests.queue();
        queue.waiting.push_back((key, task));
        if queue.threads >= MOST_THREADS {
            return Ok(());
        }
        queue.threads += 1;
    }
    let in_thread = Arc::clone(process);
    if spawn_detached(move || {
        while let Some(task) = in_thread.requests.next_task() {
            task()
        }
    })
    .is_ok()
    {
        return Ok(());
    }
    let mut queue = process.requests.queue();
    queue.threads -= 1;
    if queue.threads > 0 {
        return Ok(());
    }
    let position = queue.waiting.iter().position(|(waiting, _)| *waiting == key);
    position.and_then(|position| queue.waiting.remove(position)).map_or(Ok(()), |(_, task)| Err(task))
}

/// How the thread of a request stops early.
pub(crate) struct Stopped(Registration);

impl Stopped {
    pub(crate) const fn new() -> Self {
        Self(Registration::NONE)
    }
}

impl<T: Clone> RequestFlight<T> {
    /// Ready with the result that another thread has set: nobody waits for the work any more.
    pub(crate) fn poll_stopped(&self, waker: &Waker, stopped: &mut Stopped) -> Poll<Result<T, Error>> {
        self.0.poll(waker, &mut stopped.0)
    }
}

impl<T: Clone + Send + Sync> EndsWithClient for RequestFlight<T> {
    fn client_closed(&self) {
        self.0.set_result(Err(Error::Closed));
    }
}

impl<T: Clone> PendingWork<T> {
    /// Returns the result if it is known. Otherwise registers `waker`, which is called when this should be
    /// polled again.
    pub(crate) fn poll_result(&mut self, waker: &Waker) -> Poll<Result<T, Error>> {
        let result = self.flight.0.poll(waker, &mut self.registration);
        if result.is_ready() {
            self.registration = Registration::NONE;
        }
        result
    }

    /// Blocks until the result is known or `deadline` passes. `None` waits indefinitely.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> Option<Result<T, Error>> {
        self.flight.0.wait(deadline)
    }
}

impl<T: Clone> Drop for PendingWork<T> {
    fn drop(&mut self) {
        self.flight.0.forget(&mut self.registration);
        self.flight.0.set_result(Err(Error::Canceled));
    }
}

impl Requests {
    /// Ends all requests of a client that was closed.
    pub(super) fn abandon(&self) {
        let pending: Vec<_> = self.pending().values().map(Arc::clone).collect();
        for request in pending {
            request.client_closed();
        }
    }

    fn remove(&self, key: usize) {
        let removed = self.pending().remove(&key);
        drop(removed);
    }

    /// The request that has waited longest. Without one, the thread that asks counts no longer.
    fn next_task(&self) -> Option<Task> {
        let mut queue = self.queue();
        let next = queue.waiting.pop_front();
        if next.is_none() {
            queue.threads -= 1;
        }
        next.map(|(_, task)| task)
    }

    fn pending(&self) -> MutexGuard<'_, BTreeMap<usize, Arc<dyn EndsWithClient>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").finish_non_exhaustive()
    }
}
