//! Which settings select the slot of the shared cache, tested from the settings of a `Client` to
//! the files.
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

/// A change of one setting, or of two that depend on each other. An empty value removes the
/// setting.
type Change = Vec<(&'static str, String)>;

/// Two servers that issue a token for every request, and a token cache.
struct Setup {
    servers: [Emulator; 2],
    directory: TempDir,
}

impl Setup {
    fn new() -> Self {
        let server = |token: &str| {
            let emulator = Emulator::start(EmulatorOptions { rate_limit: None, ..EmulatorOptions::default() }).unwrap();
            let body = json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600});
            let faults = [TOKEN_PATH, "/api/oauth/token"].map(|path| json!({"path": path, "status": 200, "body": body}));
            emulator.set_faults(json!(faults)).unwrap();
            emulator
        };
        Self { servers: [server("token-of-the-first"), server("token-of-the-second")], directory: tempfile::tempdir().unwrap() }
    }

    fn token_url(&self, server: usize) -> String {
        self.servers[server].base_url().to_owned() + TOKEN_PATH
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, content: &str) -> String {
        let path = self.directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        self.path(name)
    }

    /// Gets a token with a new client, which has no state other than the cache.
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
        let config_directory = self.path("config");
        let mut builder = Config::builder().environment(move |name| (name == "XDG_CONFIG_HOME").then(|| config_directory.clone().into()));
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

    /// Returns the number of token requests and records after a get with the original settings,
    /// then with the change, then with each of them once more.
    fn requests_and_records(&self, change: &Change) -> [(u64, usize); 4] {
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

/// The changes that select another token.
fn changes_that_matter(setup: &Setup) -> Vec<Change> {
    vec![
        one("client_id", "another id"),
        one("client_id", "The id"),
        one("client_secret", "another secret"),
        one("client_secret", "the secret "),
        vec![("client_secret", String::new()), ("client_secret_file", setup.write("another-secret", "another secret"))],
        one("token_url", setup.token_url(1)),
        one("token_url", setup.token_url(0) + "?tenant=another"),
        one("token_url", setup.token_url(0).replace("127.0.0.1", "localhost")),
        vec![("token_url", String::new()), ("base_url", setup.servers[0].base_url().to_owned())],
        vec![("token_url", String::new()), ("base_url", setup.servers[1].base_url().to_owned())],
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
        // The same strings in other settings.
        vec![("scope", "urn:the:resource".to_owned()), ("resource", "read:".to_owned())],
        vec![("audience", String::new()), ("resource", "urn:the:audience".to_owned())],
    ]
}

/// The changes that select the same token.
fn changes_that_do_not_matter(setup: &Setup) -> Vec<Change> {
    let with_tls = Emulator::start(EmulatorOptions { certificate: Some(Certificate::Loopback), ..EmulatorOptions::default() }).unwrap();
    setup.write("config/tokenwell/config.toml", "[another]\ntimeout_ms = 12345\n");
    let in_a_second = setup.servers[0].now_ms() + 1000;
    vec![
        Change::new(),
        one("timeout_ms", "12345"),
        one("ca_file", setup.write("authority.pem", with_tls.ca_pem().unwrap())),
        one("ca_file", "system"),
        one("ca_pem", with_tls.ca_pem().unwrap()),
        one("proxy", "http://proxy.invalid:1"),
        one("no_proxy", "127.0.0.1"),
        one("environment", "on"),
        one("revocation_url", setup.servers[1].base_url().to_owned() + "/revoke"),
        vec![("client_secret", String::new()), ("client_secret_file", setup.write("the-secret", SECRET))],
        one("profile", "another"),
        one("cache", "on"),
        one("cache_unsafe", "on"),
        one("cache_dir", setup.path("cache") + "/./"),
        one("manual_clock_ms", in_a_second.to_string()),
    ]
}

#[test]
fn i16_each_setting_that_matters_selects_a_separate_token_and_file() {
    for number in 0..changes_that_matter(&Setup::new()).len() {
        let setup = Setup::new();
        let change = changes_that_matter(&setup).swap_remove(number);

        assert_eq!(setup.requests_and_records(&change), [(1, 1), (2, 2), (2, 2), (2, 2)], "{change:?}");
    }
}

#[test]
fn i16_a_setting_that_does_not_matter_finds_the_cached_token() {
    for number in 0..changes_that_do_not_matter(&Setup::new()).len() {
        let setup = Setup::new();
        let change = changes_that_do_not_matter(&setup).swap_remove(number);

        assert_eq!(setup.requests_and_records(&change), [(1, 1); 4], "{change:?}");
    }
}

#[test]
fn i16_many_slots_in_one_directory_are_separate() {
    let setup = Setup::new();
    setup.get(&Change::new());
    // A secret selects the same slot from a setting and from a file.
    let changes: Vec<Change> =
        changes_that_matter(&setup).into_iter().filter(|change| change.iter().all(|(name, _)| *name != "client_secret_file")).collect();
    changes.iter().for_each(|change| setup.get(change));
    let (requests, records) = (setup.requests(), setup.records());

    changes.iter().for_each(|change| setup.get(change));

    assert_eq!((requests, records), (changes.len() as u64 + 1, changes.len() + 1));
    assert_eq!((setup.requests(), setup.records()), (requests, records), "the second time each client finds its own token");
}

#[test]
fn i16_every_setting_is_in_one_of_the_lists() {
    let setup = Setup::new();
    let tried: BTreeSet<&str> =
        changes_that_matter(&setup).iter().chain(&changes_that_do_not_matter(&setup)).flatten().map(|(name, _)| *name).collect();

    let all: BTreeSet<&str> = settings().map(|setting| setting.name()).collect();

    assert_eq!(tried, all);
}
