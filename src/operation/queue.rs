//! A completion queue: the ends of operations and the changes of clients, in the order in which they
//! happened, with a descriptor for event loops.

use super::{Completion, Operation};
use crate::cache::Watcher;
use crate::error::{Error, os_reason};
use crate::platform::{Event, ProcessId};
use arc_swap::ArcSwap;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// A queue that any number of threads read.
pub(crate) struct Queue<C: Completion>(ArcSwap<OfProcess<C>>);

/// The queue of one process. A forked child begins with an empty one.
struct OfProcess<C: Completion> {
    process: ProcessId,
    state: Mutex<State<C>>,
    changed: Condvar,
}

struct State<C: Completion> {
    entries: VecDeque<Entry<C>>,
    closed: bool,
    /// In a forked child it is created when the descriptor is requested.
    event: Option<Event>,
}

enum Entry<C: Completion> {
    Ended(u64, Arc<Operation<C>>),
    Changed(Arc<Change<C>>),
}

/// What a reader takes from a queue: a tag, and the operation that has ended. Without an operation
/// a client has changed.
pub(crate) struct Taken<C: Completion> {
    pub(crate) tag: u64,
    pub(crate) operation: Option<(Arc<Operation<C>>, C)>,
}

/// Writes to a queue that a client has changed: one entry at a time.
struct Change<C: Completion> {
    queue: Weak<Queue<C>>,
    tag: u64,
    waits: AtomicBool,
    this: Weak<Self>,
}

impl<C: Completion> Queue<C> {
    pub(crate) fn new() -> Result<Arc<Self>, Error> {
        let event = Event::new().map_err(|error| no_descriptor(&error))?;
        Ok(Arc::new(Self(ArcSwap::from_pointee(OfProcess::new(Some(event), false)))))
    }

    /// Refuses work whose end would never be seen.
    pub(crate) fn refuse_if_closed(&self) -> Result<(), Error> {
        if self.of_this_process().lock().closed { Err(Error::QueueClosed) } else { Ok(()) }
    }

    /// Returns a descriptor that is readable while the queue has entries or is closed; -1 on Windows.
    pub(crate) fn descriptor(&self) -> Result<i32, Error> {
        let queue = self.of_this_process();
        let mut state = queue.lock();
        if state.event.is_none() {
            let event = Event::new().map_err(|error| no_descriptor(&error))?;
            if state.closed || !state.entries.is_empty() {
                event.set();
            }
            state.event = Some(event);
        }
        Ok(state.event.as_ref().map_or(-1, Event::descriptor))
    }

    pub(crate) fn push(&self, tag: u64, operation: &Arc<Operation<C>>) {
        self.push_entry(Entry::Ended(tag, Arc::clone(operation)));
    }

    /// Returns the next entry, or `None` if there is none.
    ///
    /// # Errors
    /// [`Error::QueueClosed`].
    pub(crate) fn take(&self) -> Result<Option<Taken<C>>, Error> {
        let queue = self.of_this_process();
        loop {
            let entry = {
                let mut state = queue.lock();
                if state.closed {
                    return Err(Error::QueueClosed);
                }
                let entry = state.entries.pop_front();
                if let (Some(_), true, Some(event)) = (&entry, state.entries.is_empty(), &state.event) {
                    event.clear();
                }
                entry
            };
            match entry {
                None => return Ok(None),
                Some(Entry::Changed(change)) => {
                    // A swap, so that this reader sees what every change that was merged into the entry has written.
                    change.waits.swap(false, Ordering::SeqCst);
                    return Ok(Some(Taken { tag: change.tag, operation: None }));
                }
                Some(Entry::Ended(tag, operation)) => {
                    // Nothing if the operation was canceled while it waited here.
                    if let Some((completion, _)) = operation.take_completion() {
                        return Ok(Some(Taken { tag, operation: Some((operation, completion)) }));
                    }
                }
            }
        }
    }

    /// Waits until there is an entry, at most for `max_wait`. Returns whether there is one.
    ///
    /// # Errors
    /// [`Error::QueueClosed`].
    pub(crate) fn wait(&self, max_wait: Duration) -> Result<bool, Error> {
        let queue = self.of_this_process();
        let deadline = Instant::now().checked_add(max_wait);
        let mut state = queue.lock();
        loop {
            if state.closed {
                return Err(Error::QueueClosed);
            }
            if !state.entries.is_empty() {
                return Ok(true);
            }
            state = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return Ok(false),
                Some(left) => queue.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => queue.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Drops all entries and wakes all readers. The descriptor stays readable.
    pub(crate) fn close(&self) {
        let queue = self.of_this_process();
        let entries = {
            let mut state = queue.lock();
            if let (false, true, Some(event)) = (state.closed, state.entries.is_empty(), &state.event) {
                event.set();
            }
            state.closed = true;
            std::mem::take(&mut state.entries)
        };
        queue.changed.notify_all();
        drop(entries);
    }

    /// Closes the queue and its descriptor, also if an operation still refers to the queue.
    pub(crate) fn release(&self) {
        self.close();
        // Closed as this returns, outside the lock.
        let _closed = self.of_this_process().lock().event.take();
    }

    /// Returns what writes an entry with `tag` to this queue whenever a client changes.
    pub(crate) fn watcher(self: &Arc<Self>, tag: u64) -> Arc<dyn Watcher> {
        Arc::new_cyclic(|this| Change { queue: Arc::downgrade(self), tag, waits: AtomicBool::new(false), this: Weak::clone(this) })
    }

    /// Identifies the queue among others: see [`Watcher::target`].
    pub(crate) fn identity(self: &Arc<Self>) -> usize {
        Arc::as_ptr(self).addr()
    }

    fn push_entry(&self, entry: Entry<C>) {
        let queue = self.of_this_process();
        let mut state = queue.lock();
        if state.closed {
            return;
        }
        if let (true, Some(event)) = (state.entries.is_empty(), &state.event) {
            event.set();
        }
        state.entries.push_back(entry);
        queue.changed.notify_one();
    }

    /// Returns the queue of this process. A forked child finds that of its parent, leaves it
    /// unchanged and creates its own.
    fn of_this_process(&self) -> Arc<OfProcess<C>> {
        loop {
            let queue = self.0.load_full();
            if queue.process == ProcessId::current() {
                return queue;
            }
            self.0.compare_and_swap(&queue, Arc::new(OfProcess::new(None, false)));
            // Dropping it would access operations of threads of the parent.
            std::mem::forget(queue);
        }
    }
}

impl<C: Completion> OfProcess<C> {
    fn new(event: Option<Event>, closed: bool) -> Self {
        let state = State { entries: VecDeque::new(), closed, event };
        Self { process: ProcessId::current(), state: Mutex::new(state), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Completion> Watcher for Change<C> {
    fn changed(&self) {
        let (Some(queue), Some(this)) = (self.queue.upgrade(), self.this.upgrade()) else { return };
        if !self.waits.swap(true, Ordering::SeqCst) {
            queue.push_entry(Entry::Changed(this));
        }
    }

    fn target(&self) -> usize {
        self.queue.as_ptr().addr()
    }

    fn is_gone(&self) -> bool {
        self.queue.strong_count() == 0
    }
}

impl<C: Completion> Drop for Queue<C> {
    fn drop(&mut self) {
        let queue = self.0.load_full();
        if queue.process != ProcessId::current() {
            std::mem::forget(queue);
        }
    }
}

impl<C: Completion> fmt::Debug for Queue<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

impl<C: Completion> fmt::Debug for Change<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change").field("tag", &self.tag).finish_non_exhaustive()
    }
}

fn no_descriptor(error: &io::Error) -> Error {
    Error::NotConfigured {
        problem: format!("cannot create a descriptor for the queue: {}", os_reason(error)),
        hint: "Close descriptors that are not used, or raise the limit (`ulimit -n`).".to_owned(),
    }
}
