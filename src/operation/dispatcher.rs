//! The threads of pending operations. They exist only while an operation is pending or a callback
//! runs.
//!
//! One thread, the dispatcher's, continues operations whose work has woken them and ends those whose
//! deadline has passed. It never runs code of the program. Callbacks run one after another on a
//! second thread. If a callback takes longer than [`MAX_CALLBACK_TIME`] while others wait, another
//! thread continues with the others.

use super::{Completion, Operation};
use crate::cache::{ActiveWork, cannot_create_thread};
use crate::error::Error;
use crate::logging::as_client;
use crate::platform::{self, ProcessId};
use std::cell::Cell;
use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

/// How long a callback may take before another thread runs the callbacks that wait.
const MAX_CALLBACK_TIME: Duration = Duration::from_millis(200);

/// The most threads that run callbacks. If so many callbacks do not return, the others wait.
const MAX_CALLBACK_THREADS: usize = 64;

/// Entries of ended operations are removed once more operations than this have ended, and than a
/// quarter of the number of entries: half of the entries may be theirs then.
const MIN_ENDED: usize = 64;

/// The threads of the operations of one process.
pub(crate) struct Dispatcher<C: Completion> {
    process: ProcessId,
    started: Instant,
    state: Mutex<State<C>>,
    changed: Condvar,
}

struct State<C: Completion> {
    /// Whether the dispatcher's thread runs.
    running: bool,
    /// The number of pending operations.
    pending: usize,
    /// Operations to continue.
    woken: Vec<Arc<Operation<C>>>,
    /// Operations with a deadline, the next one first. Some have ended already.
    deadlines: BinaryHeap<Reverse<ByDeadline<C>>>,
    removals: Removals,
    calls: VecDeque<Call<C>>,
    callback_threads: Vec<CallbackThread>,
    next_thread: u64,
}

/// Decides when entries of ended operations are removed.
///
/// It counts operations and not entries, of which an operation has two while it waits for a save.
/// So however many entries are left each time, the time for all removals is proportional to the
/// number of operations.
#[derive(Default)]
struct Removals {
    /// The operations that have ended since the last removal.
    ended: usize,
}

/// A thread that runs callbacks.
#[derive(Clone, Copy)]
struct CallbackThread {
    id: u64,
    /// When its present callback began.
    began: Instant,
}

/// Code of the program to run.
enum Call<C: Completion> {
    Complete(Arc<Operation<C>>),
    Discard(C, Option<ActiveWork>),
}

/// An operation, and when it waits no longer, on the dispatcher's clock.
struct ByDeadline<C: Completion> {
    deadline_ms: u64,
    operation: Arc<Operation<C>>,
}

thread_local! {
    /// The process in which the thread runs a callback: not a child that the callback forks.
    static IN_CALLBACK: Cell<Option<ProcessId>> = const { Cell::new(None) };
    /// Whether this is the dispatcher's thread.
    static IS_DISPATCHER: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether the calling thread is the dispatcher's, which must not run code of the program.
pub(crate) fn on_dispatcher_thread() -> bool {
    IS_DISPATCHER.with(Cell::get)
}

/// Returns whether the calling thread runs a callback of the program. Such a thread must not block:
/// other callbacks wait for it.
pub(crate) fn in_callback() -> bool {
    IN_CALLBACK.with(Cell::get).is_some_and(|process| process == ProcessId::current())
}

impl<C: Completion> Dispatcher<C> {
    /// Returns the dispatcher of this process. A forked child finds that of its parent, leaves it
    /// unchanged and creates its own.
    pub(crate) fn of_this_process() -> Arc<Self> {
        loop {
            let known = C::dispatcher().load_full();
            if let Some(known) = &known
                && known.is_of_this_process()
            {
                return Arc::clone(known);
            }
            C::dispatcher().compare_and_swap(&known, Some(Arc::new(Self::new())));
            // Dropping it would access locks and operations of threads of the parent.
            std::mem::forget(known);
        }
    }

    fn new() -> Self {
        let state = State {
            running: false,
            pending: 0,
            woken: Vec::new(),
            deadlines: BinaryHeap::new(),
            removals: Removals::default(),
            calls: VecDeque::new(),
            callback_threads: Vec::new(),
            next_thread: 0,
        };
        Self { process: ProcessId::current(), started: Instant::now(), state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(super) fn is_of_this_process(&self) -> bool {
        self.process == ProcessId::current()
    }

    /// Milliseconds since the dispatcher was created.
    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Adds a pending operation and polls it for the first time.
    ///
    /// # Errors
    /// No thread can be created. The operation is not added.
    pub(super) fn add(self: &Arc<Self>, operation: &Arc<Operation<C>>) -> Result<(), Error> {
        let mut state = self.lock();
        self.ensure_thread(&mut state)?;
        state.pending += 1;
        if operation.deadline_ms != u64::MAX {
            state.deadlines.push(Reverse(ByDeadline { deadline_ms: operation.deadline_ms, operation: Arc::clone(operation) }));
        }
        // The thread computes the next deadline again, too.
        self.push_woken(&mut state, operation);
        Ok(())
    }

    /// Ends a pending operation after `duration`, unless it ends before that. Called by the
    /// dispatcher's thread only, which computes the next deadline afterwards.
    pub(super) fn expire_after(&self, duration: Duration, operation: &Arc<Operation<C>>) {
        let deadline_ms = self.now_ms().saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
        self.lock().deadlines.push(Reverse(ByDeadline { deadline_ms, operation: Arc::clone(operation) }));
    }

    /// Notes that an operation is no longer pending.
    pub(super) fn remove(&self) {
        let stale = {
            let mut state = self.lock();
            state.pending -= 1;
            if state.pending == 0 {
                self.changed.notify_one();
            }
            let entries = state.deadlines.len();
            if state.removals.is_due_after_end(entries) || state.pending == 0 { state.take_stale_entries() } else { Vec::new() }
        };
        drop(stale);
    }

    /// Continues an operation soon, on the dispatcher's thread.
    pub(super) fn wake(&self, operation: &Arc<Operation<C>>) {
        let mut state = self.lock();
        // Without its thread no operation is pending, and this one has ended.
        if state.running {
            self.push_woken(&mut state, operation);
        }
    }

    /// Runs the callback of an operation that has ended.
    pub(super) fn call(self: &Arc<Self>, operation: &Arc<Operation<C>>) {
        self.push_call(Call::Complete(Arc::clone(operation)));
    }

    /// Releases the data of a callback that never comes.
    pub(crate) fn discard(self: &Arc<Self>, completion: C, active: Option<ActiveWork>) {
        if !completion.is_callback() {
            return;
        }
        self.push_call(Call::Discard(completion, active));
    }

    fn push_call(self: &Arc<Self>, call: Call<C>) {
        let mut state = self.lock();
        state.calls.push_back(call);
        if self.ensure_thread(&mut state).is_ok() {
            self.changed.notify_one();
            return;
        }
        drop(state);
        // No thread can be created, so the program's code runs here.
        self.run_calls(None);
    }

    fn push_woken(&self, state: &mut State<C>, operation: &Arc<Operation<C>>) {
        state.woken.push(Arc::clone(operation));
        if state.woken.len() == 1 {
            self.changed.notify_one();
        }
    }

    /// Starts the dispatcher's thread unless it runs. It works for all clients, so its log lines have
    /// the number of none.
    fn ensure_thread(self: &Arc<Self>, state: &mut State<C>) -> Result<(), Error> {
        if state.running {
            return Ok(());
        }
        let dispatcher = Arc::clone(self);
        platform::spawn_without_signals(Builder::new().name("tokenwell-wait".to_owned()), move || as_client(None, || dispatcher.run()))
            .map_err(|_| cannot_create_thread())?;
        state.running = true;
        Ok(())
    }

    /// The dispatcher's thread.
    fn run(self: Arc<Self>) {
        IS_DISPATCHER.with(|is_dispatcher| is_dispatcher.set(true));
        let mut state = self.lock();
        loop {
            // First, so that a program that never stops beginning operations gets its callbacks.
            if !state.calls.is_empty() && state.needs_callback_thread() && self.start_callback_thread(&mut state).is_err() {
                drop(state);
                self.run_calls(None);
                state = self.lock();
                continue;
            }
            let woken = std::mem::take(&mut state.woken);
            let expired = state.take_expired(self.now_ms());
            if !woken.is_empty() || !expired.is_empty() {
                drop(state);
                for operation in woken {
                    operation.end_if_it_panics(Operation::proceed);
                }
                for operation in expired {
                    operation.end_if_it_panics(Operation::expire);
                }
                state = self.lock();
                continue;
            }
            if state.pending == 0 && state.calls.is_empty() {
                state.running = false;
                // After very many operations these are large.
                state.woken.shrink_to_fit();
                state.calls.shrink_to_fit();
                // An entry may be left of an operation that another thread had locked as it ended.
                let stale = std::mem::take(&mut state.deadlines);
                drop(state);
                drop(stale);
                return;
            }
            state = self.wait(state);
        }
    }

    /// Waits until something changes, a deadline passes or a callback has taken too long.
    fn wait<'a>(&'a self, state: MutexGuard<'a, State<C>>) -> MutexGuard<'a, State<C>> {
        let next_deadline =
            state.deadlines.peek().map(|Reverse(next)| Duration::from_millis(next.deadline_ms.saturating_sub(self.now_ms())));
        let next_check = if state.calls.is_empty() { None } else { state.time_to_next_check() };
        match next_deadline.into_iter().chain(next_check).min() {
            // A full millisecond more: the clock counts whole ones.
            Some(wait) => self.changed.wait_timeout(state, wait + Duration::from_millis(1)).unwrap_or_else(PoisonError::into_inner).0,
            None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
        }
    }

    fn start_callback_thread(self: &Arc<Self>, state: &mut State<C>) -> std::io::Result<()> {
        let id = state.next_thread;
        let dispatcher = Arc::clone(self);
        platform::spawn_without_signals(Builder::new().name("tokenwell-call".to_owned()), move || dispatcher.run_calls(Some(id)))?;
        state.next_thread += 1;
        state.callback_threads.push(CallbackThread { id, began: Instant::now() });
        Ok(())
    }

    /// Runs the program's code that waits, on the thread `id` for callbacks or, without an id, on a
    /// thread that has other work.
    fn run_calls(&self, id: Option<u64>) {
        let before = IN_CALLBACK.with(|process| process.replace(Some(self.process)));
        let mut state = self.lock();
        while let Some(call) = state.calls.pop_front() {
            if let Some(thread) = state.callback_threads.iter_mut().find(|thread| Some(thread.id) == id) {
                thread.began = Instant::now();
            }
            drop(state);
            // A panic of a callback in Rust must not end the others.
            let _ = catch_unwind(AssertUnwindSafe(|| call.run()));
            if !self.is_of_this_process() {
                // The callback has forked and this is the child: the rest belongs to its parent.
                return;
            }
            state = self.lock();
        }
        state.callback_threads.retain(|thread| Some(thread.id) != id);
        self.changed.notify_one();
        drop(state);
        IN_CALLBACK.with(|process| process.set(before));
    }

    fn lock(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Removals {
    /// Counts an operation that has ended, and returns whether the entries are inspected now.
    fn is_due_after_end(&mut self, entries: usize) -> bool {
        self.ended += 1;
        let is_due = self.ended > MIN_ENDED && self.ended > entries / 4;
        if is_due {
            self.ended = 0;
        }
        is_due
    }
}

impl<C: Completion> State<C> {
    fn take_expired(&mut self, now_ms: u64) -> Vec<Arc<Operation<C>>> {
        let mut expired = Vec::new();
        while self.deadlines.peek().is_some_and(|Reverse(next)| next.deadline_ms <= now_ms) {
            expired.extend(self.deadlines.pop().map(|Reverse(next)| next.operation));
        }
        expired
    }

    /// Removes the entries of operations that have ended.
    fn take_stale_entries(&mut self) -> Vec<Arc<Operation<C>>> {
        let (kept, stale): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.deadlines).into_iter().partition(|Reverse(each)| each.operation.is_pending());
        self.deadlines = kept.into();
        stale.into_iter().map(|Reverse(each)| each.operation).collect()
    }

    fn needs_callback_thread(&self) -> bool {
        self.callback_threads.len() < MAX_CALLBACK_THREADS
            && self.callback_threads.iter().all(|thread| thread.began.elapsed() >= MAX_CALLBACK_TIME)
    }

    /// The time until every callback has taken too long. `None` if no further thread would be started
    /// then.
    fn time_to_next_check(&self) -> Option<Duration> {
        if self.callback_threads.len() >= MAX_CALLBACK_THREADS {
            return None;
        }
        self.callback_threads.iter().map(|thread| MAX_CALLBACK_TIME.saturating_sub(thread.began.elapsed())).max()
    }
}

impl<C: Completion> Call<C> {
    fn run(self) {
        let process = ProcessId::current();
        let active = match self {
            Self::Complete(operation) => {
                let Some((completion, active)) = operation.take_completion() else { return };
                completion.run(&operation);
                active
            }
            Self::Discard(completion, active) => {
                completion.discard();
                active
            }
        };
        if process != ProcessId::current() {
            // In a child that the callback has forked. Dropping it would access a lock of the parent.
            std::mem::forget(active);
        }
    }
}

impl<C: Completion> Ord for ByDeadline<C> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.deadline_ms.cmp(&other.deadline_ms)
    }
}

impl<C: Completion> PartialOrd for ByDeadline<C> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<C: Completion> PartialEq for ByDeadline<C> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<C: Completion> Eq for ByDeadline<C> {}

impl<C: Completion> fmt::Debug for Dispatcher<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher").field("process", &self.process).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removing_the_entries_of_ended_operations_takes_linear_time_with_any_number_of_entries_each() {
        const OPERATIONS: usize = 100_000;
        for entries_each in [0, 1, 2] {
            let mut removals = Removals::default();
            let (mut entries, mut inspected) = (OPERATIONS * entries_each, 0);
            for pending in (0..OPERATIONS).rev() {
                if removals.is_due_after_end(entries) {
                    inspected += entries;
                    entries = pending * entries_each;
                }
            }
            assert!(inspected <= 4 * OPERATIONS, "{entries_each} entries each: {inspected} were inspected");
        }
    }

    #[test]
    fn the_entries_of_ended_operations_do_not_accumulate_while_others_begin() {
        const PENDING: usize = 1_000;
        for entries_each in [1, 2] {
            let mut removals = Removals::default();
            let mut entries = PENDING * entries_each;
            let mut most = 0;
            for _ in 0..100 * PENDING {
                if removals.is_due_after_end(entries) {
                    entries = (PENDING - 1) * entries_each;
                }
                entries += entries_each;
                most = most.max(entries);
            }
            assert!(most <= 3 * PENDING * entries_each, "{entries_each} entries each: {most}");
        }
    }

    /// An announcement that is only written to a queue, without the queue.
    struct Nobody;

    impl Completion for Nobody {
        fn dispatcher() -> &'static arc_swap::ArcSwapOption<Dispatcher<Self>> {
            static DISPATCHER: arc_swap::ArcSwapOption<Dispatcher<Nobody>> = arc_swap::ArcSwapOption::const_empty();
            &DISPATCHER
        }

        fn announce(&self, _: &Arc<Operation<Self>>) -> bool {
            true
        }

        fn is_callback(&self) -> bool {
            false
        }

        fn is_announced(&self) -> bool {
            true
        }

        fn run(self, _: &Arc<Operation<Self>>) {}

        fn discard(self) {}
    }

    #[test]
    fn the_thread_leaves_no_reference_to_an_operation_that_has_ended() {
        let dispatcher = Arc::new(Dispatcher::<Nobody>::new());
        let state = super::super::State {
            phase: super::super::Phase::Ended(Ok(super::super::Value::Nothing)),
            is_dispatched: true,
            awaited: false,
            driver: None,
            canceled: true,
        };
        let operation = Arc::new(Operation {
            dispatcher: Arc::clone(&dispatcher),
            began_ms: 0,
            deadline_ms: u64::MAX,
            state: Mutex::new(state),
            ended: Condvar::new(),
        });
        // It was canceled while the thread began to wait for its save.
        dispatcher.expire_after(Duration::from_secs(3600), &operation);

        assert!(std::thread::spawn(move || dispatcher.run()).join().is_ok());

        assert_eq!(Arc::strong_count(&operation), 1);
    }
}
