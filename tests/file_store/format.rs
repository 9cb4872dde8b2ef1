//! The format on disk, compared with a record of another implementation: `format_1/make.py`.

use crate::parts::{FakeServer, START_MS, TIMEOUT};
use crate::support::{Bench, SECRET, set_mode, slot, token_in};
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use tokenwell::clock::ManualClock;
use tokenwell::grant::{Credential, Credentials};
use tokenwell::secret::Secret;
use tokenwell::store::{Record, Store};
use tokenwell::{Client, ClientParts, Error, TokenOptions};

#[test]
fn a_record_of_format_1_is_read() {
    let bench = Bench::with("some token");
    let name = "8434730c7ec7ce40b2200094bfe2053c.token";
    assert_eq!(bench.file("token").file_name().unwrap(), name);

    fs::write(bench.directory().join(name), include_bytes!("format_1/8434730c7ec7ce40b2200094bfe2053c.token")).unwrap();
    set_mode(&bench.directory().join(name), 0o600);

    let record = bench.store.load(&slot()).unwrap();
    assert_eq!(token_in(&record).as_deref(), Some("a token of format 1"));
    let token = record.token.unwrap();
    assert_eq!((token.obtained_at_ms, token.refresh_at_ms, token.expires_at_ms), (1_800_000_000_000, 1_800_003_000_000, 1_800_003_600_000));
    assert_eq!(token.scope.as_deref(), Some("read write"));
    let cooldown = record.cooldown.unwrap();
    assert_eq!((cooldown.since_ms, cooldown.until_ms, cooldown.failures), (1_800_003_000_000, 1_800_003_030_000, 1));
    assert_eq!((cooldown.error.http_status(), cooldown.error.retry_after()), (Some(429), Some(Duration::from_secs(30))));
}

/// The record of a later version, which holds a token that is about to expire.
const OF_A_LATER_VERSION: &[u8] = include_bytes!("format_1/later.token");
const ITS_MEMBERS: [&str; 1] = ["moon"];

#[derive(Debug)]
struct TheSecret;

impl Credentials for TheSecret {
    fn current(&self) -> Result<Credential, Error> {
        Ok(Credential { client_id: "id".into(), client_secret: Secret::from(SECRET), origin: String::new() })
    }

    fn reload(&self, _rejected: &Credential) -> Result<Option<Credential>, Error> {
        Ok(None)
    }
}

/// A client that finds the record of a later version in its cache.
fn beside_a_later_version(bench: &Bench) -> (Client, Arc<FakeServer>) {
    bench.save("replaced by the record of the later version");
    fs::write(bench.file("token"), OF_A_LATER_VERSION).unwrap();
    let server = FakeServer::new();
    let client = Client::from_parts(ClientParts {
        identity: slot().identity,
        timeout: TIMEOUT,
        credentials: Box::new(TheSecret),
        clock: Arc::new(ManualClock::new(START_MS)),
        store: Arc::new(bench.store.clone()),
        grant: Arc::clone(&server) as Arc<_>,
    });
    (client, server)
}

fn unknown_members(record: &Record) -> Vec<&str> {
    record.unknown.names().collect()
}

#[test]
fn members_of_a_later_version_outlive_a_new_token_an_invalidation_and_a_refusal() {
    let bench = Bench::new();
    let (client, server) = beside_a_later_version(&bench);
    let hour = TokenOptions::default().min_ttl(Duration::from_secs(60));
    let record = || bench.store.load(&slot()).unwrap();
    assert_eq!(token_in(&record()).as_deref(), Some("a token of format 1"));
    // A value that this version does not understand, until it has one of its own.
    assert_eq!(unknown_members(&record()), ["last_mint_ms", "moon"]);
    assert_eq!(record().token.unwrap().unknown.names().collect::<Vec<_>>(), ["issuer"]);
    let tried = || record().methods_tried.map(|tried| (tried.accepted, tried.tried_at_ms));
    let known = Some((Some("client_secret_post".to_owned()), 1_799_999_000_000));
    assert_eq!(tried(), known);

    let token = client.token(&hour).unwrap();
    assert_eq!(token_in(&record()).as_deref(), Some(token.value()));
    assert_eq!(unknown_members(&record()), ITS_MEMBERS, "after a new token");
    assert_eq!(record().token.unwrap().unknown.names().count(), 0, "they described the old token");

    client.invalidate(token.value()).unwrap();
    assert_eq!((token_in(&record()), unknown_members(&record())), (None, ITS_MEMBERS.to_vec()), "after an invalidation");

    server.then_fail(crate::parts::rate_limited(30));
    client.token(&hour).unwrap_err();
    assert!(record().cooldown.is_some());
    assert_eq!(unknown_members(&record()), ITS_MEMBERS, "after a refusal");
    assert_eq!(tried(), known, "the method of the server does not change with its tokens");
}
