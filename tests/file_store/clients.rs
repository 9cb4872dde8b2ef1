//! Whole clients with one directory, each with its own store, like separate processes.

use crate::child;
use crate::parts::{Bench as Parts, FakeServer, FixedCredentials, START_MS, client_of, rate_limited};
use crate::support::{Bench, set_mode};
use std::path::Path;
use std::sync::Arc;
use tokenwell::clock::ManualClock;
use tokenwell::store::FileStore;
use tokenwell::{Client, Status, TokenOptions};

fn any() -> TokenOptions {
    TokenOptions::default()
}

struct SharedDirectory {
    bench: Bench,
    parts: Parts,
}

impl SharedDirectory {
    fn new() -> Self {
        let bench = Bench::new();
        let clock = Arc::new(ManualClock::new(START_MS));
        let server = FakeServer::new();
        let client = Self::client_in(&bench, &clock, &server);
        Self { bench, parts: Parts { client, clock, server } }
    }

    fn client_in(bench: &Bench, clock: &Arc<ManualClock>, server: &Arc<FakeServer>) -> Client {
        client_of(clock, server, Arc::new(FileStore::open(bench.directory(), false)), Box::new(FixedCredentials))
    }

    fn another_client(&self) -> Client {
        Self::client_in(&self.bench, &self.parts.clock, &self.parts.server)
    }
}

#[test]
fn i15_many_cold_clients_make_one_request() {
    let shared = SharedDirectory::new();

    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| assert_eq!(shared.another_client().token(&any()).unwrap().value(), "token-1"));
        }
    });

    assert_eq!(shared.parts.server.requests(), 1);
}

#[test]
fn an_invalidated_token_is_not_used_by_later_clients() {
    let shared = SharedDirectory::new();
    let token = shared.parts.client.token(&any()).unwrap();

    shared.parts.client.invalidate(token.value()).unwrap();

    assert_eq!(shared.another_client().token(&any()).unwrap().value(), "token-2");
}

#[test]
fn a_refusal_applies_to_later_clients() {
    let shared = SharedDirectory::new();
    shared.parts.server.then_fail(rate_limited(30));
    shared.parts.client.token(&any()).unwrap_err();

    let error = shared.another_client().token(&any()).unwrap_err();

    assert_eq!((error.status(), error.http_status()), (Status::RateLimited, Some(429)));
    assert_eq!(shared.parts.server.requests(), 1);
}

#[test]
fn i10_a_refused_cache_costs_nobody_the_token() {
    let shared = SharedDirectory::new();
    shared.parts.client.token(&any()).unwrap();
    set_mode(&shared.bench.directory(), 0o755);

    let token = shared.another_client().token(&any()).unwrap();

    assert_eq!(token.value(), "token-2");
}

/// The store still contains the token, because it could not be written.
#[test]
fn r29_a_forked_child_does_not_use_a_token_that_its_parent_knows_to_be_rejected() {
    assert_eq!(child::outcome(&mut child::command("reject_and_fork", Path::new("/"), "")), "token-2");
}
