//! Test doubles for clients: a scripted authorization server, credentials, and a store in memory.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use tokenwell::clock::{Clock, ManualClock, Moment};
use tokenwell::error::Exchange;
use tokenwell::grant::{Credential, Credentials, Grant, GrantedLifetime, Minted};
use tokenwell::secret::Secret;
use tokenwell::store::{Attempt, Contender, Holder, LockWaiter, NoStore, Record, SlotKey, Store, StoreError, StoreLock, WhichLock};
use tokenwell::{Client, ClientParts, Error};

pub const START_MS: u64 = 1_800_000_000_000;
pub const HOUR: Duration = Duration::from_secs(3600);
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// A gate that blocks callers while it is shut.
#[derive(Debug)]
pub struct Gate(Mutex<bool>, Condvar);

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    pub fn new() -> Self {
        Self(Mutex::new(true), Condvar::new())
    }

    pub fn shut(&self) {
        *self.0.lock().unwrap() = false;
    }

    pub fn open(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }

    pub fn pass(&self) {
        let mut open = self.0.lock().unwrap();
        while !*open {
            open = self.1.wait(open).unwrap();
        }
    }
}

type Answer = Box<dyn FnOnce() -> Result<Minted, Error> + Send>;

/// An authorization server. It returns the answers of its script, then numbered tokens with a
/// lifetime of an hour.
pub struct FakeServer {
    script: Mutex<VecDeque<Answer>>,
    pub revocation: Mutex<Option<Error>>,
    requests: AtomicUsize,
    tokens: AtomicUsize,
    revoked: Mutex<Vec<String>>,
    pub gate: Gate,
    /// Blocks each revocation while it is shut.
    pub revocation_gate: Gate,
    arrived: (Mutex<usize>, Condvar),
}

impl std::fmt::Debug for FakeServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeServer")
    }
}

impl FakeServer {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            script: Mutex::default(),
            revocation: Mutex::default(),
            requests: AtomicUsize::new(0),
            tokens: AtomicUsize::new(0),
            revoked: Mutex::default(),
            gate: Gate::new(),
            revocation_gate: Gate::new(),
            arrived: (Mutex::new(0), Condvar::new()),
        })
    }

    pub fn then(&self, answer: impl FnOnce() -> Result<Minted, Error> + Send + 'static) {
        self.script.lock().unwrap().push_back(Box::new(answer));
    }

    pub fn then_fail(&self, error: Error) {
        self.then(move || Err(error));
    }

    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    pub fn revoked(&self) -> Vec<String> {
        self.revoked.lock().unwrap().clone()
    }

    /// Waits until `count` token requests have arrived in total.
    pub fn wait_for_requests(&self, count: usize) {
        let mut arrived = self.arrived.0.lock().unwrap();
        while *arrived < count {
            let (next, timeout) = self.arrived.1.wait_timeout(arrived, Duration::from_secs(60)).unwrap();
            assert!(!timeout.timed_out(), "received {} token requests, expected {count}", *next);
            arrived = next;
        }
    }
}

pub fn minted(value: &str, lifetime: GrantedLifetime) -> Minted {
    Minted { value: Secret::from(value), scope: None, lifetime }
}

impl Grant for FakeServer {
    fn mint(&self, _credential: &Credential, _budget: Duration) -> Result<Minted, Error> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        *self.arrived.0.lock().unwrap() += 1;
        self.arrived.1.notify_all();
        self.gate.pass();
        let scripted = self.script.lock().unwrap().pop_front();
        match scripted {
            Some(answer) => answer(),
            None => {
                let number = self.tokens.fetch_add(1, Ordering::SeqCst) + 1;
                Ok(minted(&format!("token-{number}"), GrantedLifetime::Stated(HOUR)))
            }
        }
    }

    fn revoke(&self, _credential: &Credential, token: &Secret, _budget: Duration) -> Result<(), Error> {
        self.revocation_gate.pass();
        self.revoked.lock().unwrap().push(token.expose().to_owned());
        self.revocation.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

#[derive(Debug)]
pub struct FixedCredentials;

impl Credentials for FixedCredentials {
    fn current(&self) -> Result<Credential, Error> {
        Ok(Credential { client_id: "id".into(), client_secret: Secret::from("secret"), origin: String::new() })
    }

    fn reload(&self, _rejected: &Credential) -> Result<Option<Credential>, Error> {
        Ok(None)
    }
}

/// Credentials that can be read once, for the first token. Later reads fail.
#[derive(Debug, Default)]
pub struct BreakingCredentials(AtomicUsize);

impl Credentials for BreakingCredentials {
    fn current(&self) -> Result<Credential, Error> {
        if self.0.fetch_add(1, Ordering::SeqCst) == 0 {
            return FixedCredentials.current();
        }
        Err(Error::NotConfigured { problem: "the secret file does not exist".into(), hint: "Restore it.".into() })
    }

    fn reload(&self, _rejected: &Credential) -> Result<Option<Credential>, Error> {
        self.current().map(Some)
    }
}

/// Credentials whose secret a test can change, like the rotation of a secret file.
#[derive(Debug)]
pub struct RotatingCredentials(pub Arc<Mutex<String>>);

impl Credentials for RotatingCredentials {
    fn current(&self) -> Result<Credential, Error> {
        Ok(Credential { client_id: "id".into(), client_secret: Secret::from(self.0.lock().unwrap().as_str()), origin: String::new() })
    }

    fn reload(&self, rejected: &Credential) -> Result<Option<Credential>, Error> {
        let now = self.current()?;
        Ok((now.client_secret.expose() != rejected.client_secret.expose()).then_some(now))
    }
}

/// What happens at a moment that a test chooses.
pub struct Event(Box<dyn FnOnce() + Send>);

impl Event {
    pub fn new(happens: impl FnOnce() + Send + 'static) -> Self {
        Self(Box::new(happens))
    }
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Event")
    }
}

/// A store in memory that a test can break. Its clones are the same store.
#[derive(Clone, Debug, Default)]
pub struct FakeStore(Arc<FakeStoreState>);

impl std::ops::Deref for FakeStore {
    type Target = FakeStoreState;

    fn deref(&self) -> &FakeStoreState {
        &self.0
    }
}

#[derive(Debug, Default)]
pub struct FakeStoreState {
    records: Mutex<Vec<(String, Record)>>,
    pub broken: Mutex<bool>,
    pub locked_by_another: Mutex<bool>,
    /// Whether the other process shows that it is not stopped.
    pub holder_is_alive: Mutex<bool>,
    /// The times that callers waited for the lock. Nothing really waits.
    pub patience: Mutex<Vec<Duration>>,
    /// What happens during a wait.
    pub during_wait: Mutex<Option<Event>>,
    /// The time that an attempt to acquire the lock really takes.
    pub slowness: Mutex<Duration>,
    /// The locks that were acquired.
    pub acquired: Mutex<Vec<WhichLock>>,
    /// Blocks each save while it is shut.
    pub save_gate: Gate,
}

impl FakeStoreState {
    fn name(key: &SlotKey) -> String {
        format!("{:?} {}", key.identity, key.secret.expose())
    }

    fn check(&self) -> Result<(), StoreError> {
        if *self.broken.lock().unwrap() { Err(StoreError { problem: "the disk is on fire".into(), source: None }) } else { Ok(()) }
    }

    pub fn only_record(&self) -> Record {
        let records = self.records.lock().unwrap();
        assert_eq!(records.len(), 1, "one record");
        records[0].1.clone()
    }

    /// Removes all records, as `tokenwell cache clear` does.
    pub fn clear(&self) {
        self.records.lock().unwrap().clear();
    }

    pub fn change(&self, change: impl FnOnce(&mut Record)) {
        change(&mut self.records.lock().unwrap()[0].1);
    }
}

#[derive(Debug)]
struct FakeLock;
impl StoreLock for FakeLock {}

impl Store for FakeStore {
    fn location(&self) -> String {
        "memory".into()
    }

    fn load(&self, key: &SlotKey) -> Result<Record, StoreError> {
        self.check()?;
        let name = FakeStoreState::name(key);
        Ok(self.records.lock().unwrap().iter().find(|(known, _)| *known == name).map(|(_, record)| record.clone()).unwrap_or_default())
    }

    fn save(&self, key: &SlotKey, record: &Record) -> Result<(), StoreError> {
        self.save_gate.pass();
        self.check()?;
        let name = FakeStoreState::name(key);
        let mut records = self.records.lock().unwrap();
        records.retain(|(known, _)| *known != name);
        records.push((name, record.clone()));
        Ok(())
    }

    fn lock(&self, _key: &SlotKey, _patience: Duration) -> Result<Option<Box<dyn StoreLock>>, StoreError> {
        self.check()?;
        if *self.locked_by_another.lock().unwrap() { Ok(None) } else { Ok(Some(Box::new(FakeLock))) }
    }

    fn contend(&self, key: &SlotKey) -> Result<Option<Box<dyn Contender>>, StoreError> {
        self.check()?;
        let waiter = Arc::new(FakeWaiter { store: self.clone(), waited: Mutex::default() });
        Ok(Some(Box::new(FakeContender { store: self.clone(), key: key.clone(), waiter })))
    }
}

#[derive(Debug)]
struct FakeContender {
    store: FakeStore,
    key: SlotKey,
    waiter: Arc<FakeWaiter>,
}

impl Contender for FakeContender {
    fn attempt(&mut self, which: WhichLock) -> Result<Attempt, StoreError> {
        std::thread::sleep(*self.store.slowness.lock().unwrap());
        let waited = *self.waiter.waited.lock().unwrap();
        let holder = Holder { held_for: None, is_silent: !*self.store.holder_is_alive.lock().unwrap() && waited >= FAKE_SILENCE };
        let lock = if *self.store.locked_by_another.lock().unwrap() && which == WhichLock::Main {
            None
        } else {
            self.store.acquired.lock().unwrap().push(which);
            Some(Box::new(FakeLock) as Box<dyn StoreLock>)
        };
        Ok(Attempt { lock, record: self.store.load(&self.key), holder })
    }

    fn waiter(&self) -> Arc<dyn LockWaiter> {
        Arc::clone(&self.waiter) as Arc<_>
    }
}

/// The time after which the holder of a lock in a [`FakeStore`] falls silent.
const FAKE_SILENCE: Duration = Duration::from_millis(1500);

/// Waits in no time.
#[derive(Debug)]
struct FakeWaiter {
    store: FakeStore,
    waited: Mutex<Duration>,
}

impl LockWaiter for FakeWaiter {
    fn wait(&self, max_wait: Duration) -> Duration {
        let event = self.store.during_wait.lock().unwrap().take();
        if let Some(Event(happens)) = event {
            happens();
        }
        let mut waited = self.waited.lock().unwrap();
        let wait = if *waited < FAKE_SILENCE { max_wait.min(FAKE_SILENCE - *waited) } else { max_wait };
        *waited += wait;
        self.store.patience.lock().unwrap().push(wait);
        wait
    }
}

/// A stopped clock that counts how often it is read.
#[derive(Debug)]
pub struct CountingClock {
    clock: Arc<ManualClock>,
    readings: AtomicUsize,
}

impl CountingClock {
    pub fn new(clock: &Arc<ManualClock>) -> Arc<Self> {
        Arc::new(Self { clock: Arc::clone(clock), readings: AtomicUsize::new(0) })
    }

    pub fn readings(&self) -> usize {
        self.readings.load(Ordering::SeqCst)
    }
}

impl Clock for CountingClock {
    fn now(&self) -> Moment {
        self.readings.fetch_add(1, Ordering::SeqCst);
        self.clock.now()
    }

    fn sleep(&self, duration: Duration) {
        self.clock.sleep(duration);
    }
}

/// A client with fake parts, and these parts.
pub struct Bench {
    pub client: Client,
    pub clock: Arc<ManualClock>,
    pub server: Arc<FakeServer>,
}

pub fn bench() -> Bench {
    bench_with_store(Arc::new(NoStore))
}

pub fn bench_with_store(store: Arc<dyn Store>) -> Bench {
    let clock = Arc::new(ManualClock::new(START_MS));
    let server = FakeServer::new();
    let client = client_of(&clock, &server, store, Box::new(FixedCredentials));
    Bench { client, clock, server }
}

pub fn client_of(clock: &Arc<ManualClock>, server: &Arc<FakeServer>, store: Arc<dyn Store>, credentials: Box<dyn Credentials>) -> Client {
    patient_client_of(TIMEOUT, clock, server, store, credentials)
}

pub fn patient_client_of(
    timeout: Duration,
    clock: &Arc<ManualClock>,
    server: &Arc<FakeServer>,
    store: Arc<dyn Store>,
    credentials: Box<dyn Credentials>,
) -> Client {
    Client::from_parts(ClientParts {
        identity: vec![("client_id", "id".into())],
        timeout,
        credentials,
        clock: Arc::clone(clock) as Arc<_>,
        store,
        grant: Arc::clone(server) as Arc<_>,
    })
}

pub fn rate_limited(seconds: u64) -> Error {
    Error::RateLimited {
        server: "https://server".into(),
        description: String::new(),
        http_status: 429,
        retry_after: Duration::from_secs(seconds),
        exchange: Exchange::default(),
    }
}

pub fn rejected() -> Error {
    Error::CredentialRejected {
        server: "https://server".into(),
        client: Box::default(),
        code: "invalid_client".into(),
        description: "Invalid credentials provided.".into(),
        http_status: 401,
        advice: Box::default(),
        exchange: Exchange::default(),
    }
}

pub fn unavailable() -> Error {
    Error::Server {
        server: "https://server".into(),
        description: String::new(),
        http_status: 503,
        retry_after: None,
        exchange: Exchange::default(),
    }
}
