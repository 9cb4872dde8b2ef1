//! The wait of a refresh for the lock of its slot, and the signs of life of a refresh that holds it.

use super::jitter;
use super::refresh_request::{Origin, RefreshOutcome, RefreshRequest};
use super::slot::Slot;
use crate::credential::Credential;
use crate::error::Error;
use crate::platform;
use crate::store::{Attempt, Contender, Holder, LockWaiter, Record, SlotKey, Store, StoreError, StoreLock, WhichLock};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The interval at which the holder of a lock shows that it is not stopped.
const SIGN_OF_LIFE_INTERVAL: Duration = Duration::from_millis(500);

/// How long the release of a lock waits for its last sign of life to end: a file system that does
/// not respond may keep it.
const LAST_SIGN_TIMEOUT: Duration = Duration::from_millis(200);

/// The interval between two attempts with a store that does not report changes.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// The minimum caller deadline from which the patience with a holder that is not stopped is
/// computed.
const MIN_WAIT_BASE: Duration = Duration::from_secs(5);

/// The time that must be left for a request next to that of a holder that is not stopped, if the
/// time that a request takes is not known.
const TIME_FOR_SECOND_REQUEST: Duration = Duration::from_secs(5);

/// How much earlier than the deadline of a caller the record is read for the last time, where
/// changes are not reported.
const LAST_LOOK: Duration = Duration::from_millis(30);

/// How much earlier than the timeout of a refresh its token request ends: the caller that waits
/// exactly that long receives the error of the request, and not only the message that its deadline is
/// exceeded.
fn margin(timeout: Duration) -> Duration {
    (timeout / 40).clamp(Duration::from_millis(20), Duration::from_millis(250)).min(timeout / 2)
}

/// The times of one refresh.
#[derive(Debug)]
pub(super) struct RefreshTimes {
    started: Instant,
    /// The end of the time of the caller that started the refresh, since the start.
    caller: Duration,
    /// The end of the token request, since the start.
    request_end: Duration,
    /// The end of the refresh, since the start.
    end: Duration,
    /// How large a part of the time the others have patience with a holder that is not stopped: a
    /// bit more than half, and different in each process.
    patience: f64,
    /// Since when a living process holds the lock, as far as this refresh has seen it.
    held_since: Option<Duration>,
    /// The longest time for which a living process has held the lock. Its request has taken at least
    /// as long.
    longest_hold: Duration,
    /// A store of a test may claim to have waited.
    waited: Duration,
}

impl RefreshTimes {
    /// `max_wait` is the remaining time of the caller that started the refresh.
    pub(super) fn new(timeout: Duration, max_wait: Duration) -> Self {
        let (request_end, end) = (timeout.saturating_sub(margin(timeout)), timeout);
        let caller = max_wait.saturating_sub(LAST_LOOK.min(max_wait / 2)).min(end);
        let patience = 0.55 + 0.15 * jitter::fraction();
        Self {
            started: Instant::now(),
            caller,
            request_end,
            end,
            patience,
            held_since: None,
            longest_hold: Duration::ZERO,
            waited: Duration::ZERO,
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed().max(self.waited)
    }

    /// Returns the time that is left for a token request.
    pub(super) fn left(&self) -> Duration {
        self.request_end.saturating_sub(self.elapsed())
    }

    fn is_over(&self) -> bool {
        self.elapsed() >= self.end
    }

    /// Returns the end of the time of the caller that started the refresh, or that of the refresh if
    /// that caller has given up already: others may have joined it.
    fn current_end(&self) -> Duration {
        if self.elapsed() < self.caller { self.caller } else { self.end }
    }

    fn left_for_caller(&self) -> Duration {
        self.current_end().saturating_sub(self.elapsed())
    }

    /// Returns whether the time that is left suffices for a request that takes as long as the last
    /// one. If that is not known, it must be a tenth of the whole time. With the main lock, it must
    /// also be as long as a living process has held it before, without success.
    fn suffice_for_request(&self, record: &Record, which: WhichLock) -> bool {
        let longest_hold = if which == WhichLock::Main { self.longest_hold } else { Duration::ZERO };
        self.left_for_caller() >= last_mint(record).unwrap_or((self.current_end() / 10).max(longest_hold))
    }

    /// Notes the result of an attempt to acquire the lock.
    fn note_attempt(&mut self, attempt: &Attempt) {
        let now = self.elapsed();
        if let Some(since) = self.held_since.filter(|_| !attempt.holder.is_silent) {
            self.longest_hold = self.longest_hold.max(now.saturating_sub(since));
        }
        let is_held = attempt.lock.is_none() && !attempt.holder.is_silent;
        let since = attempt.holder.held_for.map(|held_for| now.saturating_sub(held_for));
        self.held_since = if is_held { since.or(self.held_since).or(Some(now)) } else { None };
    }

    /// Returns whether the time that is left suffices for a request next to that of a holder that is
    /// not stopped: its request takes longer than the last one, so another one may do so too.
    fn suffice_for_second_request(&self, record: &Record) -> bool {
        let needed = last_mint(record).map_or(TIME_FOR_SECOND_REQUEST, |last| (last * 2).max(Duration::from_secs(1)));
        self.left_for_caller() >= needed
    }

    /// Returns the time until the patience with a holder that is not stopped ends: if it cannot reach
    /// the server, the others are not bound to it.
    fn patience_left(&self, holder: &Holder) -> Duration {
        let waited = self.elapsed().min(holder.held_for.unwrap_or(Duration::MAX));
        self.current_end().max(MIN_WAIT_BASE).min(self.end).mul_f64(self.patience).saturating_sub(waited)
    }
}

fn last_mint(record: &Record) -> Option<Duration> {
    record.last_mint_ms.map(Duration::from_millis)
}

/// The result of the wait for the lock.
pub(super) enum LockWait {
    /// Send a token request: with the lock, or without it if the store cannot be used. The record is
    /// the last one that was read.
    Proceed(Option<HeldLock>, Box<Record>),
    /// Use the result that another process stored.
    Answered(Result<RefreshOutcome, Error>),
}

/// What remains of a wait. It is dropped after the callers have their result: to stop watching files
/// takes 10 ms and more on Linux.
pub(super) type Remains = Option<Box<dyn Contender>>;

impl Slot {
    /// Waits for the lock, and reads the record whenever it changes: the holder may have stored a
    /// usable token, and other processes may take the lock in turn. Reads the record once more before
    /// it returns with the lock, and before the time of the caller is over.
    ///
    /// While the holder is alive, no request is sent, unless it takes unusually long and enough time
    /// is left. If the holder seems to be stopped, one of the processes that wait acquires a reserve
    /// lock.
    pub(super) fn wait_for_lock_or_answer(
        &self,
        key: &SlotKey,
        request: &RefreshRequest,
        credential: &Credential,
        times: &mut RefreshTimes,
    ) -> (LockWait, Remains) {
        let mut contender = self.ok_or_warn(self.contender(key));
        let waited = match &mut contender {
            Some(contender) => self.contend(contender.as_mut(), key, request, credential, times),
            None => LockWait::Proceed(None, Box::new(self.load_record(key).unwrap_or_default())),
        };
        // While a request is sent under a reserve lock, the holder of the main lock is still what a
        // caller waits for in the end.
        if !matches!(waited, LockWait::Proceed(_, _)) {
            self.process().memory().waiting_for_lock_since = None;
        }
        (waited, contender)
    }

    fn contend(
        &self,
        contender: &mut dyn Contender,
        key: &SlotKey,
        request: &RefreshRequest,
        credential: &Credential,
        times: &mut RefreshTimes,
    ) -> LockWait {
        let waiter = contender.waiter();
        let (mut which, mut is_first) = (WhichLock::Main, true);
        loop {
            let Some(attempt) = self.ok_or_warn(contender.attempt(which)) else {
                return LockWait::Proceed(None, Box::new(self.load_record(key).unwrap_or_default()));
            };
            times.note_attempt(&attempt);
            let record = self.ok_or_warn(attempt.record).unwrap_or_default();
            if let Some(answer) = self.answer_from_record(&record, request, credential, Origin::StoredDuringRefresh) {
                return LockWait::Answered(answer);
            }
            let in_time = is_first || times.suffice_for_request(&record, which);
            if let (Some(lock), true) = (attempt.lock, in_time) {
                match which {
                    WhichLock::Main => self.process().memory().waiting_for_lock_since = None,
                    WhichLock::MainOrReserve => self.process().warn(format!("{}; continuing without the lock", self.blocked_on())),
                }
                return LockWait::Proceed(Some(HeldLock::new(lock)), Box::new(record));
            }
            // A lock that was acquired too late for a request is released here.
            self.note_holder(&attempt.holder, is_first);
            if times.is_over() {
                return LockWait::Answered(Err(Error::Deadline { waited: times.elapsed(), blocked_by: self.blocked_on() }));
            }
            is_first = false;
            let too_long = times.patience_left(&attempt.holder).is_zero() && times.suffice_for_second_request(&record);
            let stopped = attempt.holder.is_silent && in_time;
            let next = if stopped || too_long { WhichLock::MainOrReserve } else { WhichLock::Main };
            if next == WhichLock::MainOrReserve && which == WhichLock::Main {
                which = next;
                continue;
            }
            which = next;
            let wait = match times.patience_left(&attempt.holder) {
                Duration::ZERO => times.left_for_caller(),
                patience => times.left_for_caller().min(patience),
            };
            times.waited = times.elapsed() + waiter.wait(wait.max(Duration::from_millis(1)));
        }
    }

    /// Returns the error for a caller that has waited for its whole deadline, while the refresh still
    /// waits for another process, for a connection or for the server.
    pub(super) fn deadline_error(&self, waited: Duration) -> Error {
        let blocked_by = self.blocked_on();
        if blocked_by.is_empty()
            && let Some(error) = self.parts.grant.no_connection_yet(waited)
        {
            return error;
        }
        Error::Deadline { waited, blocked_by }
    }

    /// Remembers since when another process holds the lock, for messages.
    fn note_holder(&self, holder: &Holder, is_first: bool) {
        if is_first {
            tracing::debug!(cache = self.parts.store.location(), "waiting for another process that is getting a token");
        }
        let now = Instant::now();
        let since = holder.held_for.and_then(|held_for| now.checked_sub(held_for));
        let process = self.process();
        let mut memory = process.memory();
        // The clock may have been set, so that the time is unusable.
        memory.waiting_for_lock_since = since.or(memory.waiting_for_lock_since).or(Some(now));
    }

    fn contender(&self, key: &SlotKey) -> Result<Box<dyn Contender>, StoreError> {
        Ok(match self.parts.store.contend(key)? {
            Some(contender) => contender,
            None => Box::new(PollingContender { store: Arc::clone(&self.parts.store), key: key.clone() }),
        })
    }
}

/// A contender for a store that does not report changes.
#[derive(Debug)]
struct PollingContender {
    store: Arc<dyn Store>,
    key: SlotKey,
}

impl Contender for PollingContender {
    fn attempt(&mut self, which: WhichLock) -> Result<Attempt, StoreError> {
        let _ = which;
        let lock = self.store.lock(&self.key, Duration::ZERO)?;
        Ok(Attempt { lock, record: self.store.load(&self.key), holder: Holder::default() })
    }

    fn waiter(&self) -> Arc<dyn LockWaiter> {
        Arc::new(Pause)
    }
}

#[derive(Debug)]
struct Pause;

impl LockWaiter for Pause {
    fn wait(&self, max_wait: Duration) -> Duration {
        let pause = POLL_INTERVAL.mul_f64(0.8 + jitter::fraction() * 0.4).min(max_wait);
        std::thread::sleep(pause);
        pause
    }
}

/// A lock whose holder shows that it is not stopped, until it is dropped.
#[derive(Debug)]
pub(super) struct HeldLock {
    // Dropped in this order: a sign of life after the release would be that of another holder.
    signs: Option<SignsOfLife>,
    _lock: Box<dyn StoreLock>,
}

impl HeldLock {
    pub(super) fn new(lock: Box<dyn StoreLock>) -> Self {
        Self { signs: lock.sign_of_life().and_then(SignsOfLife::start), _lock: lock }
    }

    /// Gives one more sign of life and ends the thread for them: the answer of the server has come, and
    /// what is left takes a short time.
    pub(super) fn give_last_sign(&mut self) {
        if let Some(SignsOfLife { stop: Some(stop), .. }) = &self.signs {
            // Fails if the thread has ended, which nothing else can end.
            let _ = stop.send(());
        }
        self.signs = None;
    }
}

/// A thread that gives signs of life while this refresh waits for the server.
#[derive(Debug)]
struct SignsOfLife {
    stop: Option<Sender<()>>,
    stopped: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl SignsOfLife {
    /// Returns `None` if no thread can be created. Others then consider this process stopped.
    fn start(mut sign: Box<dyn FnMut() + Send>) -> Option<Self> {
        let (stop, until_stop) = channel::<()>();
        let (at_end, stopped) = channel::<()>();
        let thread = std::thread::Builder::new().name("tokenwell-lock".to_owned());
        let started = platform::spawn_without_signals(thread, move || {
            loop {
                match until_stop.recv_timeout(SIGN_OF_LIFE_INTERVAL) {
                    Err(RecvTimeoutError::Timeout) => sign(),
                    Ok(()) => break sign(),
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            drop(at_end);
        });
        started.ok().map(|thread| Self { stop: Some(stop), stopped, thread: Some(thread) })
    }
}

impl Drop for SignsOfLife {
    fn drop(&mut self) {
        self.stop = None;
        if self.stopped.recv_timeout(LAST_SIGN_TIMEOUT) == Err(RecvTimeoutError::Disconnected) {
            // It has ended, or is about to: no call leaves a thread behind.
            let _ = self.thread.take().map(JoinHandle::join);
        }
    }
}
