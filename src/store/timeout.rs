//! A wrapper that makes calls to a store that does not respond fail in time.

use super::{Attempt, Contender, LockWaiter, Record, SlotKey, Store, StoreError, StoreLock, WhichLock};
use crate::error::duration_text;
use crate::platform::{self, ProcessId};
use arc_swap::ArcSwap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The longest time that a file system or a server may take to respond.
const LIMIT: Duration = Duration::from_secs(2);

/// Runs each call of a store on a short-lived thread and waits at most [`LIMIT`] for it: a network
/// file system that does not respond must not prevent a get. While a call is stuck, no other one is
/// started.
///
/// The wait for a lock is no call: it uses no file and runs on the thread of the caller, with no
/// thread of its own.
#[derive(Debug)]
pub(crate) struct TimeoutStore {
    inner: Arc<dyn Store>,
    calls: Arc<TimedCalls>,
}

/// Runs calls and counts those that are stuck.
#[derive(Debug)]
struct TimedCalls {
    limit: Duration,
    current: ArcSwap<Calls>,
}

/// The calls of one process. A forked child counts its own: it has none of the threads that would
/// decrement the count of its parent.
#[derive(Debug)]
struct Calls {
    process: ProcessId,
    stuck: AtomicUsize,
}

impl Calls {
    fn new() -> Self {
        Self { process: ProcessId::current(), stuck: AtomicUsize::new(0) }
    }
}

/// The state of one call. The caller and the thread agree on it with one atomic exchange.
const RUNNING: u8 = 0;
const RETURNED: u8 = 1;
const ABANDONED: u8 = 2;

impl TimeoutStore {
    /// Wraps `inner`. `budget` is the timeout of a whole refresh; a stuck store must leave enough
    /// of it for the token request.
    pub(crate) fn new(inner: Arc<dyn Store>, budget: Duration) -> Self {
        Self { inner, calls: Arc::new(TimedCalls { limit: LIMIT.min(budget / 4), current: ArcSwap::from_pointee(Calls::new()) }) }
    }

    fn run<T: Send + 'static>(
        &self,
        extra_time: Duration,
        call: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.inner);
        self.calls.run(extra_time, move || call(&*inner))
    }
}

impl TimedCalls {
    /// Returns the calls of this process.
    fn current(&self) -> Arc<Calls> {
        loop {
            let calls = self.current.load_full();
            if calls.process == ProcessId::current() {
                return calls;
            }
            self.current.compare_and_swap(&calls, Arc::new(Calls::new()));
        }
    }

    /// Runs `call`, which waits for `extra_time` in addition to the time that the store needs.
    fn run<T: Send + 'static>(
        &self,
        extra_time: Duration,
        call: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let limit = extra_time.saturating_add(self.limit);
        let calls = self.current();
        if calls.stuck.load(Ordering::SeqCst) > 0 {
            return Err(no_response(limit));
        }
        // Capacity one, so that the thread can always send its result and exit, even if no caller
        // waits for it.
        let (sender, result) = sync_channel(1);
        let state = Arc::new(AtomicU8::new(RUNNING));
        let (calls_in_thread, thread_state) = (Arc::clone(&calls), Arc::clone(&state));
        let thread = std::thread::Builder::new().name("tokenwell-store".to_owned());
        let thread = platform::spawn_without_signals(thread, move || {
            let outcome = catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err(StoreError::new("the operation panicked")));
            if thread_state.swap(RETURNED, Ordering::SeqCst) == ABANDONED {
                calls_in_thread.stuck.fetch_sub(1, Ordering::SeqCst);
            }
            // Fails if no caller waits for the result; a lock in it is released as it is dropped.
            let _ = sender.send(outcome);
        })
        .map_err(|error| StoreError::because("cannot create a thread for the operation", error))?;
        match result.recv_timeout(limit) {
            Ok(outcome) => {
                // It has nothing left to do. Some programs check that a call leaves no thread behind.
                let _ = thread.join();
                return outcome;
            }
            Err(RecvTimeoutError::Disconnected) => return Err(StoreError::new("the operation did not end")),
            Err(RecvTimeoutError::Timeout) => {}
        }
        calls.stuck.fetch_add(1, Ordering::SeqCst);
        if state.compare_exchange(RUNNING, ABANDONED, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            calls.stuck.fetch_sub(1, Ordering::SeqCst);
        }
        Err(no_response(limit))
    }
}

impl Store for TimeoutStore {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }

    fn load(&self, key: &SlotKey) -> Result<Record, StoreError> {
        let key = key.clone();
        self.run(Duration::ZERO, move |store| store.load(&key))
    }

    fn save(&self, key: &SlotKey, record: &Record) -> Result<(), StoreError> {
        let (key, record) = (key.clone(), record.clone());
        self.run(Duration::ZERO, move |store| store.save(&key, &record))
    }

    fn lock(&self, key: &SlotKey, max_wait: Duration) -> Result<Option<Box<dyn StoreLock>>, StoreError> {
        let key = key.clone();
        self.run(max_wait, move |store| store.lock(&key, max_wait))
    }

    fn contend(&self, key: &SlotKey) -> Result<Option<Box<dyn Contender>>, StoreError> {
        // Accesses no file.
        let Some(contender) = self.inner.contend(key)? else { return Ok(None) };
        let (calls, waiter) = (Arc::clone(&self.calls), contender.waiter());
        Ok(Some(Box::new(TimedContender { calls, waiter, contender: Arc::new(Mutex::new(contender)) })))
    }
}

/// A contender whose attempts are calls of the store. Its waits are not.
#[derive(Debug)]
struct TimedContender {
    calls: Arc<TimedCalls>,
    waiter: Arc<dyn LockWaiter>,
    /// A call that is stuck keeps it locked. No other call is started meanwhile.
    contender: Arc<Mutex<Box<dyn Contender>>>,
}

impl Contender for TimedContender {
    fn attempt(&mut self, which: WhichLock) -> Result<Attempt, StoreError> {
        let contender = Arc::clone(&self.contender);
        self.calls.run(Duration::ZERO, move || contender.lock().unwrap_or_else(PoisonError::into_inner).attempt(which))
    }

    fn waiter(&self) -> Arc<dyn LockWaiter> {
        Arc::clone(&self.waiter)
    }
}

fn no_response(limit: Duration) -> StoreError {
    StoreError::new(format!("no response within {}", duration_text(limit)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use crate::store::Holder;
    use std::sync::Condvar;
    use std::time::Instant;

    /// A store that does not respond until it is released.
    #[derive(Debug, Default)]
    struct StuckStore {
        released: Released,
        calls: AtomicUsize,
    }

    impl Store for StuckStore {
        fn location(&self) -> String {
            "remote".to_owned()
        }

        fn load(&self, _key: &SlotKey) -> Result<Record, StoreError> {
            self.calls.fetch_add(1, Ordering::SeqCst);
            wait_for(&self.released);
            Ok(Record::default())
        }

        fn save(&self, _key: &SlotKey, _record: &Record) -> Result<(), StoreError> {
            self.calls.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }

        fn lock(&self, _key: &SlotKey, _patience: Duration) -> Result<Option<Box<dyn StoreLock>>, StoreError> {
            Ok(None)
        }

        fn contend(&self, _key: &SlotKey) -> Result<Option<Box<dyn Contender>>, StoreError> {
            Ok(Some(Box::new(StuckContender(self.released.clone()))))
        }
    }

    type Released = Arc<(Mutex<bool>, Condvar)>;

    fn wait_for(released: &Released) {
        let mut is_released = released.0.lock().unwrap();
        while !*is_released {
            is_released = released.1.wait(is_released).unwrap();
        }
    }

    /// A contender whose attempts do not return until the store is released.
    #[derive(Debug)]
    struct StuckContender(Released);

    impl Contender for StuckContender {
        fn attempt(&mut self, _which: WhichLock) -> Result<Attempt, StoreError> {
            wait_for(&self.0);
            Ok(Attempt { lock: None, record: Ok(Record::default()), holder: Holder::default() })
        }

        fn waiter(&self) -> Arc<dyn LockWaiter> {
            Arc::new(Hours)
        }
    }

    #[derive(Debug)]
    struct Hours;

    impl LockWaiter for Hours {
        fn wait(&self, max_wait: Duration) -> Duration {
            max_wait
        }
    }

    /// Far longer than anything here takes on a busy machine.
    const LONG_ENOUGH: Duration = Duration::from_secs(60);

    #[test]
    fn a_stuck_store_fails_in_time_and_is_not_called_until_it_responds() {
        let stuck = Arc::new(StuckStore::default());
        let timed = |limit| Arc::new(TimedCalls { limit, current: ArcSwap::from_pointee(Calls::new()) });
        let mut store = TimeoutStore { inner: Arc::clone(&stuck) as Arc<_>, calls: timed(Duration::from_millis(20)) };
        let key = SlotKey { identity: Vec::new(), secret: Secret::from("secret") };

        assert!(store.load(&key).is_err());
        // The stuck call is abandoned soon; the calls below must succeed, and a busy machine needs
        // time to start a thread.
        let patient = timed(LONG_ENOUGH);
        patient.current.store(store.calls.current());
        store.calls = patient;
        assert!(store.save(&key, &Record::default()).is_err(), "no call is started while one is stuck");

        *stuck.released.0.lock().unwrap() = true;
        stuck.released.1.notify_all();
        let started = Instant::now();
        while store.calls.current().stuck.load(Ordering::SeqCst) > 0 {
            assert!(started.elapsed() < LONG_ENOUGH, "the released call still counts as stuck");
            std::thread::yield_now();
        }
        assert_eq!(stuck.calls.load(Ordering::SeqCst), 1, "only the load has reached the store");
        assert!(store.save(&key, &Record::default()).is_ok());
        assert_eq!(stuck.calls.load(Ordering::SeqCst), 2, "the save has reached the store");
    }

    #[test]
    fn r20_an_attempt_that_is_stuck_fails_in_time_and_a_long_wait_is_no_call() {
        let stuck = Arc::new(StuckStore::default());
        let calls = TimedCalls { limit: Duration::from_millis(20), current: ArcSwap::from_pointee(Calls::new()) };
        let store = TimeoutStore { inner: Arc::clone(&stuck) as Arc<_>, calls: Arc::new(calls) };
        let key = SlotKey { identity: Vec::new(), secret: Secret::from("secret") };
        let mut contender = store.contend(&key).unwrap().unwrap();

        assert_eq!(contender.waiter().wait(Duration::from_secs(3600)), Duration::from_secs(3600));
        assert_eq!(store.calls.current().stuck.load(Ordering::SeqCst), 0);
        assert!(contender.attempt(WhichLock::Main).is_err());
        assert!(store.save(&key, &Record::default()).is_err(), "no call is started while one is stuck");

        *stuck.released.0.lock().unwrap() = true;
        stuck.released.1.notify_all();
    }

    #[test]
    fn r29_calls_that_are_stuck_in_the_parent_do_not_count_in_a_forked_child() {
        let stuck = Arc::new(StuckStore::default());
        let store = TimeoutStore::new(stuck, LONG_ENOUGH);
        let key = SlotKey { identity: Vec::new(), secret: Secret::from("secret") };
        // What a child finds: the calls of another process.
        let parent = Calls { process: ProcessId::other_than_current(), stuck: AtomicUsize::new(1) };
        store.calls.current.store(Arc::new(parent));

        assert!(store.save(&key, &Record::default()).is_ok());
        assert_eq!(store.calls.current().stuck.load(Ordering::SeqCst), 0);
    }
}
