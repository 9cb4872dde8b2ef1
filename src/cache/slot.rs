//! The place of one token: how one get is answered, from the fast path down to the refresh.

use super::failure::Failure;
use super::flight::{Entry, Flight, SingleFlight};
use super::freshness::{Freshness, Lifetime, UNSTATED_LIFETIME};
use super::jitter;
use super::snapshot::Current;
use super::stats::{Counts, Stats};
use crate::clock::{Clock, Moment};
use crate::error::Error;
use crate::grant::{Credential, Credentials, Grant, GrantedLifetime, Minted};
use crate::platform;
use crate::secret::Secret;
use crate::store::{Record, SlotKey, Store, StoreError, StoreLock, StoredToken};
use crate::token::Token;
use arc_swap::ArcSwap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What one caller asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Want {
    /// How long the token must live from now; the default floor holds beneath it.
    pub(crate) min_ttl: Duration,
    /// Not the token that is current now.
    pub(crate) force_refresh: bool,
}

/// What is known without asking the server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AtHand {
    /// A token that is still alive, however little of its life is left.
    pub token: Option<Token>,
    /// The refusal that still stands: an [`Error::Cooldown`].
    pub cooldown: Option<Error>,
    /// Where processes share tokens, as the store words it: a path, say.
    pub store: String,
}

/// What a slot is made of.
#[derive(Debug)]
pub(crate) struct SlotParts {
    /// What tells this slot from others; see [`SlotKey::identity`].
    pub(crate) identity: Vec<(&'static str, String)>,
    pub(crate) credentials: Box<dyn Credentials>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) grant: Arc<dyn Grant>,
    /// The time that one refresh may take.
    pub(crate) budget: Duration,
}

/// The place of one token.
#[derive(Debug)]
pub(crate) struct Slot {
    parts: SlotParts,
    current: Current,
    closed: AtomicBool,
    counts: Counts,
    process: ArcSwap<ProcessState>,
}

/// Everything with a lock in it, stamped with the process that made it.
///
/// After a fork the child must not touch a lock that another thread of its parent may have held: it leaves this state
/// behind, never dropped, and begins with a new one. The current token is plain data and stays.
#[derive(Debug)]
struct ProcessState {
    pid: u32,
    refresh: SingleFlight<Result<Landed, Error>>,
    revocation: SingleFlight<Result<(), Error>>,
    memory: Mutex<Memory>,
    store_warned: AtomicBool,
}

#[derive(Debug, Default)]
struct Memory {
    failure: Option<Failure>,
    /// The last token that a resource server turned down: not to be taken from the store again.
    turned_down: Option<Secret>,
}

/// What a refresh brought.
#[derive(Clone, Debug)]
struct Landed {
    token: Token,
    /// It is new from the server, so a longer life cannot be had.
    minted: bool,
    /// Its server said that it must not be kept: it is for those who waited for it.
    uncached: bool,
}

/// What a refresh must bring to be worth it.
#[derive(Clone, Debug)]
struct Need {
    min_ttl: Duration,
    /// A token that will not do, because it is known already.
    other_than: Option<Token>,
    /// A token that is due itself will not do.
    fresh: bool,
}

/// What happens behind a caller who was handed a token that is due.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    /// A newer token is there or on its way.
    Cared,
    /// The last refresh failed, and it is too early for another.
    Refused,
}

type RefreshFlight = Arc<Flight<Result<Landed, Error>>>;

impl Slot {
    pub(crate) fn new(parts: SlotParts) -> Self {
        Self {
            parts,
            current: Current::default(),
            closed: AtomicBool::new(false),
            counts: Counts::default(),
            process: ArcSwap::from_pointee(ProcessState::new()),
        }
    }

    /// A token that satisfies `want`, waiting no longer than `patience` for a refresh.
    pub(crate) fn get(self: &Arc<Self>, want: &Want, patience: Duration) -> Result<Token, Error> {
        if let Some(token) = self.from_memory(want) {
            return Ok(token);
        }
        let begun = Instant::now();
        let deadline = begun.checked_add(patience);
        let need = self.need(want);
        loop {
            let flight = match self.enter(&need) {
                Ok(answer) => return answer,
                Err(flight) => flight,
            };
            self.counts.waits.add_one();
            let Some(outcome) = flight.wait(deadline) else {
                return Err(Error::Deadline { waited: begun.elapsed() });
            };
            if let Some(answer) = self.settle(outcome, &need) {
                return answer;
            }
        }
    }

    /// As [`Slot::get`], for callers that must not block. Dropping the future never spoils the refresh for others.
    pub(crate) async fn get_async(self: &Arc<Self>, want: &Want) -> Result<Token, Error> {
        if let Some(token) = self.from_memory(want) {
            return Ok(token);
        }
        let need = self.need(want);
        loop {
            let flight = match self.enter(&need) {
                Ok(answer) => return answer,
                Err(flight) => flight,
            };
            self.counts.waits.add_one();
            let outcome = poll_fn(|context| flight.poll(context.waker())).await;
            if let Some(answer) = self.settle(outcome, &need) {
                return answer;
            }
        }
    }

    /// What memory and the store know, without a request.
    pub(crate) fn at_hand(&self) -> Result<AtHand, Error> {
        self.refuse_if_closed()?;
        let credential = self.parts.credentials.current()?;
        let process = self.process();
        let now = self.parts.clock.now();
        let record = self.tried(&process, self.parts.store.load(&self.key(&credential))).unwrap_or_default();
        let standing = self.standing_failure(&process, now);
        let cooldown = standing.or_else(|| Failure::recall(&record.cooldown?, &credential, now)?.standing(now));

        let alive = |token: &Token| !now.until(token.lifetime().expires).is_zero();
        let memory = process.memory();
        if self.current.token().filter(alive).is_none()
            && let Some(token) = record.token.and_then(|stored| self.recalled(&stored, &memory, now)).filter(alive)
        {
            self.publish(Some(&token), &memory);
        }
        Ok(AtHand { token: self.current.token().filter(alive), cooldown, store: self.parts.store.location() })
    }

    /// Drops the current token, here and in the store, if it is the very one whose text is `value`.
    pub(crate) fn invalidate(&self, value: &str) -> Result<bool, Error> {
        self.refuse_if_closed()?;
        let process = self.process();
        let dropped = {
            let mut memory = process.memory();
            memory.turned_down = Some(Secret::from(value));
            let ours = self.current.token().is_some_and(|token| token.value() == value);
            if ours {
                self.publish(None, &memory);
            }
            ours
        };
        let shared = self.forget_in_store(value);
        if dropped || shared {
            self.counts.invalidations.add_one();
        }
        Ok(dropped || shared)
    }

    /// Asks the server to end the current token and drops it whatever the answer (RFC 7009).
    pub(crate) fn revoke(self: &Arc<Self>, patience: Duration) -> Result<(), Error> {
        self.refuse_if_closed()?;
        let begun = Instant::now();
        let deadline = begun.checked_add(patience);
        let process = self.process();
        loop {
            let nothing_to_revoke = || self.current.token().is_none().then_some(());
            let (flight, mine) = match process.revocation.enter(nothing_to_revoke) {
                Entry::Answered(()) => return Ok(()),
                Entry::Joined(flight) => (flight, false),
                Entry::Started(flight) => {
                    let (slot, landing) = (Arc::clone(self), Arc::clone(&flight));
                    run_apart(move || {
                        let result = guarded(|| slot.revoke_current());
                        slot.process().revocation.land(&landing, result);
                    });
                    (flight, true)
                }
            };
            let Some(result) = flight.wait(deadline) else {
                return Err(Error::Deadline { waited: begun.elapsed() });
            };
            // A revocation that was under way may have been that of an earlier token.
            if mine || self.closed.load(Ordering::SeqCst) || (result.is_err() && nothing_to_revoke().is_some()) {
                return result;
            }
        }
    }

    /// Hands out nothing from now on; callers that wait get [`Error::Closed`].
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let process = self.process();
        {
            let memory = process.memory();
            self.publish(None, &memory);
        }
        process.refresh.abandon(Err(Error::Closed));
        process.revocation.abandon(Err(Error::Closed));
    }

    pub(crate) fn stats(&self) -> Stats {
        self.counts.read(self.current.hits())
    }

    pub(crate) fn generation(&self) -> &AtomicU64 {
        self.current.generation()
    }

    /// For how long from now a copy of `token` may be handed out without a look in here, while the generation stays.
    pub(crate) fn fresh_for(&self, token: &Token) -> Duration {
        if token.generation() != self.current.generation().load(Ordering::Acquire) {
            return Duration::ZERO;
        }
        self.parts.clock.now().until(token.lifetime().refresh)
    }

    pub(crate) fn refuse_if_closed(&self) -> Result<(), Error> {
        if self.closed.load(Ordering::SeqCst) { Err(Error::Closed) } else { Ok(()) }
    }

    /// The fast path: no lock, no allocation, no system call but for the clock.
    fn from_memory(self: &Arc<Self>, want: &Want) -> Option<Token> {
        if want.force_refresh {
            return None;
        }
        let snapshot = self.current.load();
        let token = snapshot.as_ref()?.token();
        match token.lifetime().freshness(self.parts.clock.now(), want.min_ttl) {
            Freshness::Fresh => {}
            Freshness::Due => {
                if self.refresh_behind() == Behind::Refused {
                    self.counts.stale_served.add_one();
                }
            }
            Freshness::Dead => return None,
        }
        self.current.count_hit();
        Some(token.clone())
    }

    fn need(&self, want: &Want) -> Need {
        Need { min_ttl: want.min_ttl, other_than: want.force_refresh.then(|| self.current.token()).flatten(), fresh: false }
    }

    /// The answer if there is one without waiting; else the flight to wait for.
    fn enter(self: &Arc<Self>, need: &Need) -> Result<Result<Token, Error>, RefreshFlight> {
        if let Err(closed) = self.refuse_if_closed() {
            return Ok(Err(closed));
        }
        let process = self.process();
        match process.refresh.enter(|| self.answer_without_flight(&process, need)) {
            Entry::Answered(answer) => Ok(answer),
            Entry::Joined(flight) => Err(flight),
            Entry::Started(flight) => {
                self.launch(&flight, need.clone());
                Err(flight)
            }
        }
    }

    /// Starts one refresh unless one is under way, has just been made, or would be refused because an earlier one failed.
    fn refresh_behind(self: &Arc<Self>) -> Behind {
        let process = self.process();
        let settled = || {
            let now = self.parts.clock.now();
            let due = self.current.token().is_some_and(|token| token.lifetime().freshness(now, Duration::ZERO) == Freshness::Due);
            if !due {
                return Some(Behind::Cared);
            }
            self.standing_failure(&process, now).map(|_| Behind::Refused)
        };
        match process.refresh.enter(settled) {
            Entry::Answered(behind) => behind,
            Entry::Joined(_) => Behind::Cared,
            Entry::Started(flight) => {
                self.launch(&flight, Need { min_ttl: Duration::ZERO, other_than: None, fresh: true });
                Behind::Cared
            }
        }
    }

    fn answer_without_flight(&self, process: &ProcessState, need: &Need) -> Option<Result<Token, Error>> {
        let now = self.parts.clock.now();
        let token = self.current.token();
        if let Some(token) = token.as_ref().filter(|token| need.is_met_by(token, now)) {
            self.current.count_hit();
            return Some(Ok(token.clone()));
        }
        if let Some(total) = token.map(|token| token.lifetime().total()).filter(|total| *total < need.min_ttl) {
            return Some(Err(asks_for_too_long_a_life(need.min_ttl, total)));
        }
        let failure = self.standing_failure(process, now)?;
        self.counts.cooldown_answers.add_one();
        Some(Err(failure))
    }

    /// The remembered failure if it still stands. A rejection stands only for the pair that was rejected.
    fn standing_failure(&self, process: &ProcessState, now: Moment) -> Option<Error> {
        let mut memory = process.memory();
        let standing = memory.failure.as_ref()?.standing(now)?;
        let replaced =
            memory.failure.as_ref()?.rejected().is_some_and(|rejected| matches!(self.parts.credentials.reload(rejected), Ok(Some(_))));
        if replaced {
            memory.failure = None;
            return None;
        }
        Some(standing)
    }

    /// The answer that `outcome` is for one caller; `None` where it landed for somebody with a smaller need.
    fn settle(&self, outcome: Result<Landed, Error>, need: &Need) -> Option<Result<Token, Error>> {
        let now = self.parts.clock.now();
        match outcome {
            Ok(landed) if landed.minted => Some(landed.answer(need, now)),
            Ok(landed) => need.is_met_by(&landed.token, now).then_some(Ok(landed.token)),
            Err(Error::Closed) => Some(Err(Error::Closed)),
            Err(error) => {
                let live = self.current.token().filter(|token| need.is_met_by(token, now));
                Some(live.inspect(|_| self.counts.stale_served.add_one()).ok_or(error))
            }
        }
    }

    /// Runs the refresh on a thread of its own, or on this one where no thread can be had.
    fn launch(self: &Arc<Self>, flight: &RefreshFlight, need: Need) {
        self.counts.refreshes.add_one();
        let (slot, flight) = (Arc::clone(self), Arc::clone(flight));
        run_apart(move || {
            let result = guarded(|| slot.refresh(&need));
            slot.process().refresh.land(&flight, result);
        });
    }

    /// Read the store, take the key's lock, read the store again, mint, write the store, publish.
    fn refresh(&self, need: &Need) -> Result<Landed, Error> {
        let credential = self.parts.credentials.current()?;
        match self.refresh_with(need, &credential) {
            Err(rejection @ Error::CredentialRejected { .. }) => match self.parts.credentials.reload(&credential) {
                Ok(Some(rotated)) => self.refresh_with(need, &rotated),
                _ => Err(rejection),
            },
            result => result,
        }
    }

    fn refresh_with(&self, need: &Need, credential: &Credential) -> Result<Landed, Error> {
        let key = self.key(credential);
        if let Some(answer) = self.answer_from_store(&key, need, credential) {
            return answer;
        }
        let _lock = self.lock(&key);
        if let Some(answer) = self.answer_from_store(&key, need, credential) {
            return answer;
        }
        let sent = self.parts.clock.now();
        match self.parts.grant.mint(credential, self.parts.budget) {
            Ok(minted) => self.keep(&key, minted, sent),
            Err(error) => Err(self.remember(&key, credential, error)),
        }
    }

    /// What another process has left there: a token that will do, or a refusal that still stands.
    fn answer_from_store(&self, key: &SlotKey, need: &Need, credential: &Credential) -> Option<Result<Landed, Error>> {
        let now = self.parts.clock.now();
        let process = self.process();
        let record = self.tried(&process, self.parts.store.load(key))?;
        if let Some(token) = record.token.and_then(|stored| self.adopt(&process, &stored, need, now)) {
            return Some(Ok(Landed { token, minted: false, uncached: false }));
        }
        let failure = Failure::recall(&record.cooldown?, credential, now)?;
        let standing = failure.standing(now)?;
        process.memory().failure = Some(failure);
        self.counts.cooldown_answers.add_one();
        Some(Err(standing))
    }

    fn adopt(&self, process: &ProcessState, stored: &StoredToken, need: &Need, now: Moment) -> Option<Token> {
        let mut memory = process.memory();
        let token = self.recalled(stored, &memory, now)?;
        if !need.is_met_by(&token, now) {
            return None;
        }
        memory.failure = None;
        if self.publish(Some(&token), &memory) { Some(token) } else { None }
    }

    /// The token that another process has left, unless its times cannot be true or a resource server has turned it down.
    fn recalled(&self, stored: &StoredToken, memory: &Memory, now: Moment) -> Option<Token> {
        if memory.turned_down.as_ref().is_some_and(|value| value.expose() == stored.value.expose()) {
            return None;
        }
        let lifetime = Lifetime::recalled(now, stored.obtained_at_ms, stored.refresh_at_ms, stored.expires_at_ms)?;
        Some(Token::new(stored.value.expose(), stored.scope.clone(), lifetime, self.next_generation()))
    }

    fn keep(&self, key: &SlotKey, minted: Minted, sent: Moment) -> Result<Landed, Error> {
        self.counts.mints.add_one();
        let (lifetime, uncached, shared) = match minted.lifetime {
            GrantedLifetime::Stated(lifetime) => (lifetime, false, true),
            GrantedLifetime::Unstated => (UNSTATED_LIFETIME, false, false),
            GrantedLifetime::DoNotCache => (Duration::ZERO, true, false),
        };
        let lifetime = Lifetime::granted(sent, lifetime, jitter::fraction());
        let process = self.process();
        if shared {
            let token = StoredToken {
                value: minted.value.clone(),
                scope: minted.scope.clone(),
                obtained_at_ms: lifetime.obtained.wall_ms,
                expires_at_ms: lifetime.expires.wall_ms,
                refresh_at_ms: lifetime.refresh.wall_ms,
            };
            self.tried(&process, self.parts.store.save(key, &Record { token: Some(token), cooldown: None }));
        }
        let mut memory = process.memory();
        memory.failure = None;
        let generation = if uncached { Token::NO_GENERATION } else { self.next_generation() };
        let token = Token::new(minted.value.expose(), minted.scope, lifetime, generation);
        if !uncached && !self.publish(Some(&token), &memory) {
            return Err(Error::Closed);
        }
        Ok(Landed { token, minted: true, uncached })
    }

    /// Remembers `error`, here and in the store, and returns it as callers shall see it.
    fn remember(&self, key: &SlotKey, credential: &Credential, error: Error) -> Error {
        self.counts.mint_failures.add_one();
        let process = self.process();
        let before = process.memory().failure.as_ref().map_or(0, Failure::failures);
        let Some(failure) = Failure::remember(&error, credential, self.parts.clock.now(), before.saturating_add(1)) else {
            return error;
        };
        tracing::warn!(status = failure.error().status().name(), "{}", failure.error());
        if let Some(record) = self.tried(&process, self.parts.store.load(key)) {
            let record = Record { cooldown: Some(failure.to_stored()), ..record };
            self.tried(&process, self.parts.store.save(key, &record));
        }
        let error = failure.error();
        process.memory().failure = Some(failure);
        error
    }

    fn lock(&self, key: &SlotKey) -> Option<Box<dyn StoreLock>> {
        let process = self.process();
        let patience = self.parts.budget / 2;
        let lock = self.tried(&process, self.parts.store.lock(key, patience))?;
        if lock.is_none() {
            process
                .warn_once(|| format!("another process has held the token cache's lock for {} s; going on without it", patience.as_secs()));
        }
        lock
    }

    fn forget_in_store(&self, value: &str) -> bool {
        const PATIENCE: Duration = Duration::from_secs(1);
        let Ok(credential) = self.parts.credentials.current() else { return false };
        let key = self.key(&credential);
        let process = self.process();
        let holds = |record: &Record| record.token.as_ref().is_some_and(|token| token.value.expose() == value);
        if !self.tried(&process, self.parts.store.load(&key)).is_some_and(|record| holds(&record)) {
            return false;
        }
        // Whoever holds the lock is about to write a newer token over this one.
        let Some(Some(_lock)) = self.tried(&process, self.parts.store.lock(&key, PATIENCE)) else { return false };
        let Some(record) = self.tried(&process, self.parts.store.load(&key)).filter(holds) else { return false };
        self.tried(&process, self.parts.store.save(&key, &Record { token: None, ..record })).is_some()
    }

    fn revoke_current(&self) -> Result<(), Error> {
        let Some(token) = self.current.token() else { return Ok(()) };
        let credential = self.parts.credentials.current()?;
        self.invalidate(token.value())?;
        self.parts.grant.revoke(&credential, &Secret::from(token.value()), self.parts.budget)
    }

    fn key(&self, credential: &Credential) -> SlotKey {
        SlotKey { identity: self.parts.identity.clone(), secret: credential.client_secret.clone() }
    }

    /// Makes `token` the current one, unless the client was closed. The guard shows that the caller is the only one who writes.
    fn publish(&self, token: Option<&Token>, _writing: &MutexGuard<'_, Memory>) -> bool {
        let open = !self.closed.load(Ordering::SeqCst);
        if open || token.is_none() {
            self.current.replace(token, token.map_or_else(|| self.next_generation(), Token::generation));
        }
        open
    }

    fn next_generation(&self) -> u64 {
        self.current.generation().load(Ordering::Acquire) + 1
    }

    /// A store that fails costs nobody the token: one warning, and on without it.
    fn tried<T>(&self, process: &ProcessState, result: Result<T, StoreError>) -> Option<T> {
        result
            .map_err(|error| process.warn_once(|| format!("the token cache at {} is not used: {error}", self.parts.store.location())))
            .ok()
    }

    /// The state of this process. A forked child finds its parent's here, leaves it as it is and makes its own.
    fn process(&self) -> Arc<ProcessState> {
        loop {
            let state = self.process.load_full();
            if state.pid == std::process::id() {
                return state;
            }
            self.process.compare_and_swap(&state, Arc::new(ProcessState::new()));
            // Dropping it would touch locks and wake tasks that belong to threads of the parent.
            std::mem::forget(state);
        }
    }
}

impl Landed {
    /// The answer that a token fresh from the server is. Asking again could bring nothing better, so it is final: some servers
    /// give out the same token until it ends, others give out none that live for as long as was asked.
    fn answer(self, need: &Need, now: Moment) -> Result<Token, Error> {
        let lifetime = *self.token.lifetime();
        if lifetime.freshness(now, need.min_ttl) != Freshness::Dead || (self.uncached && need.min_ttl.is_zero()) {
            return Ok(self.token);
        }
        if need.min_ttl > now.until(lifetime.expires) {
            return Err(asks_for_too_long_a_life(need.min_ttl, lifetime.total()));
        }
        Err(Error::Network {
            server: "the authorization server".to_owned(),
            problem: format!("its reply took so long that the token in it, which lived for {} s, was over", lifetime.total().as_secs()),
            source: None,
        })
    }
}

impl Need {
    fn is_met_by(&self, token: &Token, now: Moment) -> bool {
        let good_enough = match token.lifetime().freshness(now, self.min_ttl) {
            Freshness::Fresh => true,
            Freshness::Due => !self.fresh,
            Freshness::Dead => false,
        };
        good_enough && self.other_than.as_ref().is_none_or(|known| known.value() != token.value())
    }
}

impl ProcessState {
    fn new() -> Self {
        Self {
            pid: std::process::id(),
            refresh: SingleFlight::new(),
            revocation: SingleFlight::new(),
            memory: Mutex::default(),
            store_warned: AtomicBool::new(false),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn warn_once(&self, warning: impl FnOnce() -> String) {
        if !self.store_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!("{}", warning());
        }
    }
}

fn asks_for_too_long_a_life(min_ttl: Duration, total: Duration) -> Error {
    Error::invalid(
        "min_ttl",
        format!("a life of {} s was asked for, and this server's tokens live for {} s", min_ttl.as_secs(), total.as_secs()),
        "Ask for less than the lifetime, and leave room for the time that the request takes.",
    )
}

/// Runs `work` on a short-lived thread to which no signal is delivered; on the calling thread where none can be had.
fn run_apart(work: impl FnOnce() + Send + 'static) {
    let work = Arc::new(Mutex::new(Some(work)));
    let theirs = Arc::clone(&work);
    let take = |work: &Mutex<Option<_>>| work.lock().unwrap_or_else(PoisonError::into_inner).take();
    let started = platform::spawn_without_signals(std::thread::Builder::new().name("tokenwell".to_owned()), move || {
        if let Some(work) = take(&theirs) {
            work();
        }
    });
    if started.is_err()
        && let Some(work) = take(&work)
    {
        work();
    }
}

/// A panic in a refresh must end the wait of everybody who joined it.
fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Error::internal("a refresh panicked")))
}

impl Drop for Slot {
    fn drop(&mut self) {
        let state = self.process.load_full();
        if state.pid != std::process::id() {
            std::mem::forget(state);
        }
    }
}
