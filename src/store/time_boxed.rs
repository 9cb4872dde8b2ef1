//! A store that may hang, made into one that fails in time.

use super::{Record, SlotKey, Store, StoreError, StoreLock};
use crate::platform;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

/// How long a file system or a server may take to answer.
const LIMIT: Duration = Duration::from_secs(2);

/// Runs each call of a store on a short-lived thread and waits for it no longer than [`LIMIT`]: a network file system that is gone must not take the tokens
/// with it. While a call hangs no other is begun.
#[derive(Debug)]
pub(crate) struct TimeBoxed {
    inner: Arc<dyn Store>,
    limit: Duration,
    hanging: Arc<AtomicUsize>,
    /// The process whose calls are counted: a forked child has none of the threads that would lower the count.
    pid: AtomicU32,
}

/// The life of one call; the caller and the thread agree on it by one exchange.
const RUNS: u8 = 0;
const RETURNED: u8 = 1;
const GIVEN_UP: u8 = 2;

impl TimeBoxed {
    /// `budget` is the time of a whole refresh, of which a store that hangs must leave enough for the request.
    pub(crate) fn new(inner: Arc<dyn Store>, budget: Duration) -> Self {
        Self { inner, limit: LIMIT.min(budget / 4), hanging: Arc::default(), pid: AtomicU32::new(std::process::id()) }
    }

    fn within<T: Send + 'static>(
        &self,
        limit: Duration,
        call: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self.pid.swap(std::process::id(), Ordering::SeqCst) != std::process::id() {
            self.hanging.store(0, Ordering::SeqCst);
        }
        if self.hanging.load(Ordering::SeqCst) > 0 {
            return Err(hangs(limit));
        }
        // One place, so that the thread can always leave its result, and go, even when nobody waits any more.
        let (leave, result) = sync_channel(1);
        let life = Arc::new(AtomicU8::new(RUNS));
        let (inner, hanging, their_life) = (Arc::clone(&self.inner), Arc::clone(&self.hanging), Arc::clone(&life));
        let thread = std::thread::Builder::new().name("tokenwell-store".to_owned());
        platform::spawn_without_signals(thread, move || {
            let outcome = call(&*inner);
            if their_life.swap(RETURNED, Ordering::SeqCst) == GIVEN_UP {
                hanging.fetch_sub(1, Ordering::SeqCst);
            }
            // Nobody waits for it any more if this fails; a lock in it is released as it is dropped.
            let _ = leave.send(outcome);
        })
        .map_err(|error| StoreError::because("cannot create a thread for the operation", error))?;
        match result.recv_timeout(limit) {
            Ok(outcome) => return outcome,
            Err(RecvTimeoutError::Disconnected) => return Err(StoreError::new("the operation panicked")),
            Err(RecvTimeoutError::Timeout) => {}
        }
        self.hanging.fetch_add(1, Ordering::SeqCst);
        if life.compare_exchange(RUNS, GIVEN_UP, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            self.hanging.fetch_sub(1, Ordering::SeqCst);
        }
        Err(hangs(limit))
    }
}

impl Store for TimeBoxed {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }

    fn load(&self, key: &SlotKey) -> Result<Record, StoreError> {
        let key = key.clone();
        self.within(self.limit, move |store| store.load(&key))
    }

    fn save(&self, key: &SlotKey, record: &Record) -> Result<(), StoreError> {
        let (key, record) = (key.clone(), record.clone());
        self.within(self.limit, move |store| store.save(&key, &record))
    }

    fn lock(&self, key: &SlotKey, patience: Duration) -> Result<Option<Box<dyn StoreLock>>, StoreError> {
        let key = key.clone();
        self.within(patience.saturating_add(self.limit), move |store| store.lock(&key, patience))
    }
}

fn hangs(limit: Duration) -> StoreError {
    StoreError::new(format!("no response within {:.1} s", limit.as_secs_f64()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use std::sync::{Condvar, Mutex};
    use std::time::Instant;

    /// A store that does not answer until it is let go.
    #[derive(Debug, Default)]
    struct Hanging {
        let_go: (Mutex<bool>, Condvar),
        calls: AtomicUsize,
    }

    impl Store for Hanging {
        fn location(&self) -> String {
            "far away".to_owned()
        }

        fn load(&self, _key: &SlotKey) -> Result<Record, StoreError> {
            self.calls.fetch_add(1, Ordering::SeqCst);
            let mut let_go = self.let_go.0.lock().unwrap();
            while !*let_go {
                let_go = self.let_go.1.wait(let_go).unwrap();
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

    /// Far more than anything here takes on a busy machine.
    const LONG_ENOUGH: Duration = Duration::from_secs(60);

    #[test]
    fn a_store_that_hangs_fails_in_time_and_is_left_alone_until_it_answers() {
        let hanging = Arc::new(Hanging::default());
        let mut store = TimeBoxed {
            inner: Arc::clone(&hanging) as Arc<_>,
            limit: Duration::from_millis(20),
            hanging: Arc::default(),
            pid: AtomicU32::new(std::process::id()),
        };
        let key = SlotKey { identity: Vec::new(), secret: Secret::from("secret") };

        assert!(store.load(&key).is_err());
        // What hangs for good is given up soon; what must succeed below has as long as a busy machine takes to start a thread.
        store.limit = LONG_ENOUGH;
        assert!(store.save(&key, &Record::default()).is_err(), "it is left alone while it hangs");

        *hanging.let_go.0.lock().unwrap() = true;
        hanging.let_go.1.notify_all();
        let begun = Instant::now();
        while store.hanging.load(Ordering::SeqCst) > 0 {
            assert!(begun.elapsed() < LONG_ENOUGH, "it was let go, and still counts as hanging");
            std::thread::yield_now();
        }
        assert_eq!(hanging.calls.load(Ordering::SeqCst), 1, "the load alone has reached it");
        assert!(store.save(&key, &Record::default()).is_ok());
        assert_eq!(hanging.calls.load(Ordering::SeqCst), 2, "the save has reached it");
    }
}
