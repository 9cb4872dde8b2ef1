//! An emulator, a client of its account, and a clock whose pauses advance the emulator too.

use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokenwell::admin::AdminApi;
use tokenwell::admin::service_accounts::{Level, NewServiceAccount, ServiceAccounts};
use tokenwell::clock::{Clock, ManualClock, Moment};
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_ORG_ID, DEFAULT_PROJECT_ID, Emulator, EmulatorOptions};
use tokenwell::{Client, Config};

pub const ACCOUNTS: &str = "/api/atlas/v2/orgs/0e0000000000000000000001/serviceAccounts";

pub struct Bench {
    pub emulator: Arc<Emulator>,
    pub client: Client,
    pub clock: Arc<SharedClock>,
    api: AdminApi,
}

/// A pause takes no real time, and the same time passes for the emulator.
#[derive(Debug)]
pub struct SharedClock {
    emulator: Arc<Emulator>,
    own: ManualClock,
}

impl SharedClock {
    /// The time that pauses have taken.
    pub fn slept(&self) -> Duration {
        Duration::from_millis(self.own.now().wall_ms)
    }
}

impl Clock for SharedClock {
    fn now(&self) -> Moment {
        self.own.now()
    }

    fn sleep(&self, duration: Duration) {
        self.own.sleep(duration);
        self.emulator.advance_clock(u64::try_from(duration.as_millis()).unwrap());
    }
}

impl Bench {
    pub fn new() -> Self {
        let emulator = Arc::new(Emulator::start(EmulatorOptions { rate_limit: None, ..EmulatorOptions::default() }).unwrap());
        // Its clock is stopped, so that no test depends on the second in which it runs.
        emulator.advance_clock(0);
        let config = config(&emulator, DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET);
        let (api, client) = (AdminApi::new(&config).unwrap(), Client::new(config).unwrap());
        let clock = Arc::new(SharedClock { emulator: Arc::clone(&emulator), own: ManualClock::new(0) });
        Self { emulator, client, clock, api }
    }

    pub fn of_organization(&self) -> ServiceAccounts<'_> {
        self.at(Level::organization(DEFAULT_ORG_ID).unwrap())
    }

    pub fn of_project(&self) -> ServiceAccounts<'_> {
        self.at(Level::project(DEFAULT_PROJECT_ID).unwrap())
    }

    fn at(&self, level: Level) -> ServiceAccounts<'_> {
        ServiceAccounts::new(&self.api, &self.client, level).clock(Arc::clone(&self.clock) as Arc<dyn Clock>)
    }

    pub fn faults(&self, faults: Value) {
        self.emulator.set_faults(faults).unwrap();
    }

    /// How many requests with this method there were, of those whose path contains `path`.
    pub fn requests(&self, method: &str, path: &str) -> usize {
        self.emulator.requests().requests.iter().filter(|request| request.method == method && request.path.contains(path)).count()
    }

    /// Whether a token is issued for the credential.
    pub fn is_valid(&self, client_id: &str, secret: &str) -> bool {
        let client = Client::new(config(&self.emulator, client_id, secret)).unwrap();
        client.token(&tokenwell::TokenOptions::default()).is_ok()
    }
}

fn config(emulator: &Emulator, client_id: &str, secret: &str) -> Config {
    let mut builder = Config::builder();
    for (name, value) in [("client_id", client_id), ("client_secret", secret), ("base_url", emulator.base_url()), ("cache", "off")] {
        builder.set(name, value.as_bytes()).unwrap();
    }
    builder.build().unwrap()
}

pub fn account(name: &str, role: &str) -> NewServiceAccount {
    NewServiceAccount {
        name: name.to_owned(),
        description: "made by a test".to_owned(),
        roles: vec![role.to_owned()],
        secret_expires_after_hours: 720,
    }
}

/// A page of accounts from `first` on, as the API describes them.
pub fn page(first: usize, count: usize, total: usize, next: Option<&str>) -> Value {
    let results: Vec<_> = (first..first + count).map(|number| json!({ "clientId": client_id(number), "name": "n" })).collect();
    let mut links = vec![json!({ "rel": "self", "href": ACCOUNTS })];
    links.extend(next.map(|href| json!({ "rel": "next", "href": href })));
    json!({ "results": results, "totalCount": total, "links": links })
}

pub fn client_id(number: usize) -> String {
    format!("mdb_sa_id_{number:024x}")
}
