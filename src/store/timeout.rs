//! A wrapper that makes calls to a store that does not respond fail in time.

use super::{Record, SlotKey, Store, StoreError, StoreLock};
use crate::platform::{self, ProcessId};
use arc_swap::ArcSwap;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

/// The longest time that a file system or a server may take to respond.
const LIMIT: Duration = Duration::from_secs(2);

/// Runs each call of a store on a short-lived thread and waits at most [`LIMIT`] for it: a network
/// file system that does not respond must not prevent a get. While a call is stuck, no other one is
/// started.
#[derive(Debug)]
pub(crate) struct TimeoutStore {
    inner: Arc<dyn Store>,
    limit: Duration,
    calls: ArcSwap<Calls>,
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
        Self { inner, limit: LIMIT.min(budget / 4), calls: ArcSwap::from_pointee(Calls::new()) }
    }

    /// Returns the calls of this process.
    fn calls(&self) -> Arc<Calls> {
        loop {
            let calls = self.calls.load_full();
            if calls.process == ProcessId::current() {
                return calls;
            }
            self.calls.compare_and_swap(&calls, Arc::new(Calls::new()));
        }
    }

    fn run<T: Send + 'static>(
        &self,
        limit: Duration,
        call: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let calls = self.calls();
        if calls.stuck.load(Ordering::SeqCst) > 0 {
            return Err(no_response(limit));
        }
        // Capacity one, so that the thread can always send its result and exit, even if no caller
        // waits for it.
        let (sender, result) = sync_channel(1);
        let state = Arc::new(AtomicU8::new(RUNNING));
        let (inner, calls_in_thread, thread_state) = (Arc::clone(&self.inner), Arc::clone(&calls), Arc::clone(&state));
        let thread = std::thread::Builder::new().name("tokenwell-store".to_owned());
        platform::spawn_without_signals(thread, move || {
            let outcome = call(&*inner);
            if thread_state.swap(RETURNED, Ordering::SeqCst) == ABANDONED {
                calls_in_thread.stuck.fetch_sub(1, Ordering::SeqCst);
            }
            // Fails if no caller waits for the result; a lock in it is released as it is dropped.
            let _ = sender.send(outcome);
        })
        .map_err(|error| StoreError::because("cannot create a thread for the operation", error))?;
        match result.recv_timeout(limit) {
            Ok(outcome) => return outcome,
            Err(RecvTimeoutError::Disconnected) => return Err(StoreError::new("the operation panicked")),
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
        self.run(self.limit, move |store| store.load(&key))
    }

    fn save(&self, key: &SlotKey, record: &Record) -> Result<(), StoreError> {
        let (key, record) = (key.clone(), record.clone());
        self.run(self.limit, move |store| store.save(&key, &record))
    }

    fn lock(&self, key: &SlotKey, max_wait: Duration) -> Result<Option<Box<dyn StoreLock>>, StoreError> {
        let key = key.clone();
        self.run(max_wait.saturating_add(self.limit), move |store| store.lock(&key, max_wait))
    }
}

fn no_response(limit: Duration) -> StoreError {
    StoreError::new(format!("no response within {:.1} s", limit.as_secs_f64()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use std::sync::{Condvar, Mutex};
    use std::time::Instant;

    /// A store that does not respond until it is released.
    #[derive(Debug, Default)]
    struct StuckStore {
        released: (Mutex<bool>, Condvar),
        calls: AtomicUsize,
    }

    impl Store for StuckStore {
        fn location(&self) -> String {
            "remote".to_owned()
        }

        fn load(&self, _key: &SlotKey) -> Result<Record, StoreError> {
            self.calls.fetch_add(1, Ordering::SeqCst);
            let mut released = self.released.0.lock().unwrap();
            while !*released {
                released = self.released.1.wait(released).unwrap();
            }
            Ok(Record::default())
        }

        fn save(&self, _key: &SlotKey, _record: &Record) -> Result<(), StoreError> {
            self.calls.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }

        fn lock(&self, _key: &SlotKey, _patience: Duration) -> Result<Option<Box<dyn StoreLock>>, StoreError> {
            Ok(None)
        }
    }

    /// Far longer than anything here takes on a busy machine.
    const LONG_ENOUGH: Duration = Duration::from_secs(60);

    #[test]
    fn a_stuck_store_fails_in_time_and_is_not_called_until_it_responds() {
        let stuck = Arc::new(StuckStore::default());
        let mut store = TimeoutStore {
            inner: Arc::clone(&stuck) as Arc<_>,
            limit: Duration::from_millis(20),
            calls: ArcSwap::from_pointee(Calls::new()),
        };
        let key = SlotKey { identity: Vec::new(), secret: Secret::from("secret") };

        assert!(store.load(&key).is_err());
        // The stuck call is abandoned soon; the calls below must succeed, and a busy machine needs
        // time to start a thread.
        store.limit = LONG_ENOUGH;
        assert!(store.save(&key, &Record::default()).is_err(), "no call is started while one is stuck");

        *stuck.released.0.lock().unwrap() = true;
        stuck.released.1.notify_all();
        let started = Instant::now();
        while store.calls().stuck.load(Ordering::SeqCst) > 0 {
            assert!(started.elapsed() < LONG_ENOUGH, "the released call still counts as stuck");
            std::thread::yield_now();
        }
        assert_eq!(stuck.calls.load(Ordering::SeqCst), 1, "only the load has reached the store");
        assert!(store.save(&key, &Record::default()).is_ok());
        assert_eq!(stuck.calls.load(Ordering::SeqCst), 2, "the save has reached the store");
    }

    #[test]
    fn r29_calls_that_are_stuck_in_the_parent_do_not_count_in_a_forked_child() {
        let stuck = Arc::new(StuckStore::default());
        let store = TimeoutStore::new(stuck, LONG_ENOUGH);
        let key = SlotKey { identity: Vec::new(), secret: Secret::from("secret") };
        // What a child finds: the calls of another process.
        let parent = Calls { process: ProcessId::other_than_current(), stuck: AtomicUsize::new(1) };
        store.calls.store(Arc::new(parent));

        assert!(store.save(&key, &Record::default()).is_ok());
        assert_eq!(store.calls().stuck.load(Ordering::SeqCst), 0);
    }
}
