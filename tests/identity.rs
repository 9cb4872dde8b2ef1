//! Which settings tell one slot of the shared cache from another, from the settings of a `Client` to the files.
#![cfg(all(unix, feature = "emulator"))]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;
use tokenwell::config::{Config, settings};
use tokenwell::emulator::{Certificate, Emulator, EmulatorOptions};
use tokenwell::{Client, TokenOptions};

const TOKEN_PATH: &str = "/generic/oauth/token";
const SECRET: &str = "the secret";

/// A change of one setting, or of two that only go together. An empty value: without the setting.
type Change = Vec<(&'static str, String)>;

/// Two servers that give a token to everybody, and a token cache.
struct House {
    servers: [Emulator; 2],
    folder: TempDir,
}

impl House {
    fn new() -> Self {
        let server = |token: &str| {
            let emulator = Emulator::start(EmulatorOptions { rate_limit: None, ..EmulatorOptions::default() }).unwrap();
            let body = json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600});
            let faults = [TOKEN_PATH, "/api/oauth/token"].map(|path| json!({"path": path, "status": 200, "body": body}));
            emulator.set_faults(json!(faults)).unwrap();
            emulator
        };
        Self { servers: [server("token-of-the-first"), server("token-of-the-second")], folder: tempfile::tempdir().unwrap() }
    }

    fn token_url(&self, server: usize) -> String {
        self.servers[server].base_url().to_owned() + TOKEN_PATH
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        self.path(name)
    }

    /// Gets a token with a new client, which knows nothing but what is in the cache.
    fn get(&self, change: &Change) {
        let mut values = BTreeMap::from([
            ("token_url", self.token_url(0)),
            ("client_id", "the id".to_owned()),
            ("client_secret", SECRET.to_owned()),
            ("auth_method", "client_secret_basic".to_owned()),
            ("scope", "read".to_owned()),
            ("audience", "the audience".to_owned()),
            ("resource", "urn:the:resource".to_owned()),
            ("cache_dir", self.path("cache")),
        ]);
        values.extend(change.iter().cloned());
        let config_folder = self.path("config");
        let mut builder = Config::builder().environment(move |name| (name == "XDG_CONFIG_HOME").then(|| config_folder.clone().into()));
        for (name, value) in values.iter().filter(|(_, value)| !value.is_empty()) {
            builder.set(name, value.as_bytes()).unwrap();
        }
        Client::new(builder.build().unwrap()).unwrap().token(&TokenOptions::default()).unwrap();
    }

    fn requests(&self) -> u64 {
        self.servers.iter().map(|server| server.counters().token_requests).sum()
    }

    fn records(&self) -> usize {
        let names = fs::read_dir(self.path("cache")).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_str().unwrap().ends_with(".token")).count()
    }

    /// How many token requests and records a first client makes, then one that is changed, then both once more.
    fn traces_of(&self, change: &Change) -> [(u64, usize); 4] {
        let start = self.requests();
        [&Change::new(), change, &Change::new(), change].map(|change| {
            self.get(change);
            (self.requests() - start, self.records())
        })
    }
}

fn one(name: &'static str, value: impl Into<String>) -> Change {
    vec![(name, value.into())]
}

/// With each of these changes it is another token that is asked for.
fn changes_that_matter(house: &House) -> Vec<Change> {
    vec![
        one("client_id", "another id"),
        one("client_id", "The id"),
        one("client_secret", "another secret"),
        one("client_secret", "the secret "),
        vec![("client_secret", String::new()), ("client_secret_file", house.write("another-secret", "another secret"))],
        one("token_url", house.token_url(1)),
        one("token_url", house.token_url(0) + "?tenant=another"),
        one("token_url", house.token_url(0).replace("127.0.0.1", "localhost")),
        vec![("token_url", String::new()), ("base_url", house.servers[0].base_url().to_owned())],
        vec![("token_url", String::new()), ("base_url", house.servers[1].base_url().to_owned())],
        one("auth_method", "client_secret_basic_raw"),
        one("auth_method", "client_secret_post"),
        one("scope", "write"),
        one("scope", "read write"),
        one("scope", "Read"),
        one("scope", ""),
        one("audience", "another audience"),
        one("audience", ""),
        one("resource", "urn:another:resource"),
        one("resource", ""),
        // The same texts in another place.
        vec![("scope", "urn:the:resource".to_owned()), ("resource", "read:".to_owned())],
        vec![("audience", String::new()), ("resource", "urn:the:audience".to_owned())],
    ]
}

/// With each of these it is the same token.
fn changes_that_do_not_matter(house: &House) -> Vec<Change> {
    let with_tls = Emulator::start(EmulatorOptions { certificate: Some(Certificate::Loopback), ..EmulatorOptions::default() }).unwrap();
    house.write("config/tokenwell/config.toml", "[another]\ntimeout_ms = 12345\n");
    let in_a_second = house.servers[0].now_ms() + 1000;
    vec![
        Change::new(),
        one("timeout_ms", "12345"),
        one("ca_file", house.write("authority.pem", with_tls.ca_pem().unwrap())),
        one("revocation_url", house.servers[1].base_url().to_owned() + "/revoke"),
        vec![("client_secret", String::new()), ("client_secret_file", house.write("the-secret", SECRET))],
        one("profile", "another"),
        one("cache", "on"),
        one("cache_unsafe", "on"),
        one("cache_dir", house.path("cache") + "/./"),
        one("manual_clock_ms", in_a_second.to_string()),
    ]
}

#[test]
fn i16_each_setting_that_matters_leads_to_a_token_and_a_file_of_its_own() {
    for number in 0..changes_that_matter(&House::new()).len() {
        let house = House::new();
        let change = changes_that_matter(&house).swap_remove(number);

        assert_eq!(house.traces_of(&change), [(1, 1), (2, 2), (2, 2), (2, 2)], "{change:?}");
    }
}

#[test]
fn i16_a_setting_that_does_not_matter_finds_the_token_that_is_there() {
    for number in 0..changes_that_do_not_matter(&House::new()).len() {
        let house = House::new();
        let change = changes_that_do_not_matter(&house).swap_remove(number);

        assert_eq!(house.traces_of(&change), [(1, 1); 4], "{change:?}");
    }
}

#[test]
fn i16_many_neighbours_in_one_folder_never_meet() {
    let house = House::new();
    house.get(&Change::new());
    // A secret is the same wherever it comes from.
    let changes: Vec<Change> =
        changes_that_matter(&house).into_iter().filter(|change| change.iter().all(|(name, _)| *name != "client_secret_file")).collect();
    changes.iter().for_each(|change| house.get(change));
    let (requests, records) = (house.requests(), house.records());

    changes.iter().for_each(|change| house.get(change));

    assert_eq!((requests, records), (changes.len() as u64 + 1, changes.len() + 1));
    assert_eq!((house.requests(), house.records()), (requests, records), "the second time each finds its own");
}

#[test]
fn i16_of_every_setting_it_is_known_whether_it_matters() {
    let house = House::new();
    let tried: BTreeSet<&str> =
        changes_that_matter(&house).iter().chain(&changes_that_do_not_matter(&house)).flatten().map(|(name, _)| *name).collect();

    let all: BTreeSet<&str> = settings().map(|setting| setting.name()).collect();

    assert_eq!(tried, all);
}
