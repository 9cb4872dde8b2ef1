//! Test doubles for clients: a scripted authorization server, credentials, and a store in memory.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use tokenwell::clock::{Clock, ManualClock, Moment};
use tokenwell::grant::{Credential, Credentials, Grant, GrantedLifetime, Minted};
use tokenwell::secret::Secret;
use tokenwell::store::{NoStore, Record, SlotKey, Store, StoreError, StoreLock};
use tokenwell::{Client, ClientParts, Error};

pub const START_MS: u64 = 1_800_000_000_000;
pub const HOUR: Duration = Duration::from_secs(3600);
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// A gate that blocks callers while it is shut.
#[derive(Debug)]
pub struct Gate(Mutex<bool>, Condvar);

impl Gate {
    fn new() -> Self {
        Self(Mutex::new(true), Condvar::new())
    }

    pub fn shut(&self) {
        *self.0.lock().unwrap() = false;
    }

    pub fn open(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }

    fn pass(&self) {
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

/// A store in memory that a test can break.
#[derive(Debug, Default)]
pub struct FakeStore {
    records: Mutex<Vec<(String, Record)>>,
    pub broken: Mutex<bool>,
    pub locked_by_another: Mutex<bool>,
    /// The time that each caller of `lock` was prepared to wait.
    pub patience: Mutex<Vec<Duration>>,
    /// The time that `lock` takes to return, independent of the time that the caller would wait.
    pub slowness: Mutex<Duration>,
}

impl FakeStore {
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
        let name = Self::name(key);
        Ok(self.records.lock().unwrap().iter().find(|(known, _)| *known == name).map(|(_, record)| record.clone()).unwrap_or_default())
    }

    fn save(&self, key: &SlotKey, record: &Record) -> Result<(), StoreError> {
        self.check()?;
        let name = Self::name(key);
        let mut records = self.records.lock().unwrap();
        records.retain(|(known, _)| *known != name);
        records.push((name, record.clone()));
        Ok(())
    }

    fn lock(&self, _key: &SlotKey, patience: Duration) -> Result<Option<Box<dyn StoreLock>>, StoreError> {
        self.check()?;
        self.patience.lock().unwrap().push(patience);
        std::thread::sleep(*self.slowness.lock().unwrap());
        if *self.locked_by_another.lock().unwrap() { Ok(None) } else { Ok(Some(Box::new(FakeLock))) }
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
    }
}

pub fn unavailable() -> Error {
    Error::Server { server: "https://server".into(), description: String::new(), http_status: 503, retry_after: None }
}
