//! After a refusal no request is sent during the cooldown, and every caller receives the reason and
//! the remaining time.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{
    BreakingCredentials, CountingClock, FakeServer, FakeStore, FixedCredentials, RotatingCredentials, START_MS, TIMEOUT, bench,
    bench_with_store, client_of, rate_limited, rejected, unavailable,
};
use tokenwell::clock::ManualClock;
use tokenwell::error::Exchange;
use tokenwell::grant::{Credential, Credentials};
use tokenwell::store::NoStore;
use tokenwell::{Client, ClientParts, Error, Status, TokenOptions};

fn any() -> TokenOptions {
    TokenOptions::default()
}

#[test]
fn after_a_429_no_request_is_sent_before_retry_after() {
    let bench = bench();
    bench.server.then_fail(rate_limited(30));

    let first = bench.client.token(&any()).unwrap_err();
    bench.clock.advance(Duration::from_secs(10));
    let second = bench.client.token(&any()).unwrap_err();
    let forced = bench.client.token(&any().force_refresh(true)).unwrap_err();

    let reported = first.retry_after().unwrap();
    assert!((30.0..=33.0).contains(&reported.as_secs_f64()), "{reported:?}");
    for error in [&second, &forced] {
        assert_eq!((error.status(), error.http_status()), (Status::RateLimited, Some(429)));
        assert_eq!(error.retry_after(), Some(reported - Duration::from_secs(10)));
    }
    assert!(second.to_string().contains("10 s ago"), "{second}");
    assert_eq!(bench.server.requests(), 1);
    assert_eq!(bench.client.stats().cooldown_answers, 2);
}

#[test]
fn a_caller_that_waits_for_retry_after_gets_a_token() {
    let bench = bench();
    bench.server.then_fail(rate_limited(30));

    let error = bench.client.token(&any()).unwrap_err();
    bench.clock.advance(error.retry_after().unwrap());

    assert_eq!(bench.client.token(&any()).unwrap().value(), "token-1");
}

#[test]
fn a_wall_clock_set_back_does_not_lengthen_a_cooldown() {
    let bench = bench();
    bench.server.then_fail(rate_limited(30));
    bench.client.token(&any()).unwrap_err();

    bench.clock.advance(Duration::from_secs(33));
    bench.clock.set_wall(START_MS - 3_600_000);

    assert_eq!(bench.client.token(&any()).unwrap().value(), "token-1");
}

#[test]
fn a_rejected_client_is_remembered_for_thirty_seconds() {
    let bench = bench();
    bench.server.then_fail(rejected());

    bench.client.token(&any()).unwrap_err();
    bench.clock.advance(Duration::from_millis(29_999));
    let error = bench.client.token(&any()).unwrap_err();
    bench.clock.advance(Duration::from_millis(1));

    assert_eq!(error.status(), Status::CredentialRejected);
    assert_eq!(bench.client.token(&any()).unwrap().value(), "token-1");
}

#[test]
fn consecutive_failures_lengthen_the_pause_and_a_success_resets_it() {
    let bench = bench();
    for _ in 0..3 {
        bench.server.then_fail(unavailable());
    }
    for pause in [1, 2, 4] {
        bench.client.token(&any()).unwrap_err();
        bench.clock.advance(Duration::from_millis(pause * 1000 - 1));
        assert!(matches!(bench.client.token(&any()), Err(Error::Cooldown { .. })), "{pause} s");
        bench.clock.advance(Duration::from_millis(1));
    }
    bench.client.token(&any()).unwrap();

    bench.server.then_fail(unavailable());
    bench.client.token(&any().force_refresh(true)).unwrap_err();
    bench.clock.advance(Duration::from_secs(1));

    assert_eq!(bench.client.token(&any().force_refresh(true)).unwrap().value(), "token-2");
}

#[test]
fn a_valid_token_is_returned_during_a_cooldown() {
    let bench = bench();
    let live = bench.client.token(&any()).unwrap();
    bench.server.then_fail(rate_limited(300));
    bench.client.token(&any().force_refresh(true)).unwrap_err();

    assert_eq!(bench.client.token(&any()).unwrap().value(), live.value());
}

#[test]
fn another_secret_is_used_immediately_after_a_rejection() {
    let secret = Arc::new(Mutex::new("old".to_owned()));
    let clock = Arc::new(ManualClock::new(START_MS));
    let server = FakeServer::new();
    let client = client_of(&clock, &server, Arc::new(NoStore), Box::new(RotatingCredentials(Arc::clone(&secret))));
    server.then_fail(rejected());
    client.token(&any()).unwrap_err();

    *secret.lock().unwrap() = "new".to_owned();

    assert_eq!(client.token(&any()).unwrap().value(), "token-1");
}

#[test]
fn a_secret_that_changes_during_the_refresh_is_used_in_the_same_get() {
    let secret = Arc::new(Mutex::new("old".to_owned()));
    let clock = Arc::new(ManualClock::new(START_MS));
    let server = FakeServer::new();
    let client = client_of(&clock, &server, Arc::new(NoStore), Box::new(RotatingCredentials(Arc::clone(&secret))));
    server.then(move || {
        *secret.lock().unwrap() = "new".to_owned();
        Err(rejected())
    });

    assert_eq!(client.token(&any()).unwrap().value(), "token-1");
    assert_eq!(server.requests(), 2);
}

#[test]
fn an_unreadable_secret_does_not_start_a_refresh_for_each_get() {
    let clock = Arc::new(ManualClock::new(START_MS));
    let server = FakeServer::new();
    let client = client_of(&clock, &server, Arc::new(NoStore), Box::new(BreakingCredentials::default()));
    let live = client.token(&any()).unwrap();
    clock.advance(Duration::from_secs(51 * 60));

    for _ in 0..1000 {
        assert_eq!(client.token(&any()).unwrap().value(), live.value());
    }
    while client.stats().mint_failures == 0 {
        std::thread::yield_now();
    }
    for _ in 0..1000 {
        assert_eq!(client.token(&any()).unwrap().value(), live.value());
    }

    assert_eq!(client.stats().refreshes, 2, "the first token's and one that failed");
}

#[test]
fn the_pause_after_a_server_failure_is_reported() {
    let bench = bench();
    for _ in 0..2 {
        bench.server.then_fail(unavailable());
    }

    let first = bench.client.token(&any()).unwrap_err();
    bench.clock.advance(first.retry_after().unwrap());
    let second = bench.client.token(&any()).unwrap_err();
    bench.clock.advance(second.retry_after().unwrap());

    assert_eq!((first.retry_after(), second.retry_after()), (Some(Duration::from_secs(1)), Some(Duration::from_secs(2))));
    assert_eq!(bench.client.token(&any()).unwrap().value(), "token-1");
}

#[test]
fn a_local_fault_is_counted_once_and_not_shared() {
    let store = Arc::new(FakeStore::default());
    let bench = bench_with_store(Arc::clone(&store) as Arc<_>);
    bench.client.token(&any()).unwrap();
    bench.server.then_fail(Error::NotConfigured { problem: "the CA file is gone".into(), hint: "Bring it back.".into() });

    bench.client.token(&any().force_refresh(true)).unwrap_err();

    assert_eq!(bench.client.stats().mint_failures, 1);
    assert!(store.only_record().cooldown.is_none());
}

/// Like a secret file that is writable by other users.
#[derive(Debug, Default)]
struct RefusedCredentials(Arc<AtomicUsize>);

impl Credentials for RefusedCredentials {
    fn current(&self) -> Result<Credential, Error> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Err(Error::Refused {
            problem: "others may write it".into(),
            hint: "Close it.".into(),
            http_status: None,
            exchange: Exchange::default(),
        })
    }

    fn reload(&self, _rejected: &Credential) -> Result<Option<Credential>, Error> {
        self.current().map(Some)
    }
}

#[test]
fn a_refused_secret_file_is_not_read_for_each_get() {
    let (clock, server, reads) = (Arc::new(ManualClock::new(START_MS)), FakeServer::new(), Arc::new(AtomicUsize::new(0)));
    let client = client_of(&clock, &server, Arc::new(NoStore), Box::new(RefusedCredentials(Arc::clone(&reads))));

    for _ in 0..3 {
        assert_eq!(client.token(&any()).unwrap_err().status(), Status::Refused);
    }
    assert_eq!((reads.load(Ordering::SeqCst), client.stats().mint_failures), (1, 1));

    clock.advance(Duration::from_secs(1));
    client.token(&any()).unwrap_err();
    assert_eq!(reads.load(Ordering::SeqCst), 2);
}

/// The clock is read once in the fast path, and again under each lock behind it.
#[test]
fn r19_gets_of_a_due_token_take_no_lock_while_refreshes_fail() {
    let (clock, server) = (Arc::new(ManualClock::new(START_MS)), FakeServer::new());
    let counting = CountingClock::new(&clock);
    let client = Client::from_parts(ClientParts {
        identity: vec![("client_id", "id".into())],
        timeout: TIMEOUT,
        credentials: Box::new(FixedCredentials),
        clock: Arc::clone(&counting) as Arc<_>,
        store: Arc::new(NoStore),
        grant: Arc::clone(&server) as Arc<_>,
    });
    client.token(&any()).unwrap();
    clock.advance(Duration::from_secs(51 * 60));
    server.then_fail(rate_limited(300));
    client.token(&any()).unwrap();
    client.drain(TIMEOUT);
    clock.advance(Duration::from_secs(1));
    client.token(&any()).unwrap();
    client.drain(TIMEOUT);

    clock.advance(Duration::from_millis(500));
    client.token(&any()).unwrap();
    let (readings, stale) = (counting.readings(), client.stats().stale_served);
    for _ in 0..1000 {
        client.token(&any()).unwrap();
    }

    assert_eq!(counting.readings() - readings, 1000);
    assert_eq!(client.stats().stale_served - stale, 1000);
    assert_eq!(server.requests(), 2);
}

#[test]
fn r19_gets_of_a_due_token_take_no_lock_while_the_refresh_is_pending() {
    let (clock, server) = (Arc::new(ManualClock::new(START_MS)), FakeServer::new());
    let counting = CountingClock::new(&clock);
    let client = Client::from_parts(ClientParts {
        identity: vec![("client_id", "id".into())],
        timeout: TIMEOUT,
        credentials: Box::new(FixedCredentials),
        clock: Arc::clone(&counting) as Arc<_>,
        store: Arc::new(NoStore),
        grant: Arc::clone(&server) as Arc<_>,
    });
    client.token(&any()).unwrap();
    clock.advance(Duration::from_secs(51 * 60));
    server.gate.shut();
    client.token(&any()).unwrap();
    server.wait_for_requests(2);

    let readings = counting.readings();
    for _ in 0..1000 {
        assert_eq!(client.token(&any()).unwrap().value(), "token-1");
    }

    assert_eq!(counting.readings() - readings, 1000);
    assert_eq!(client.stats().stale_served, 0);
    server.gate.open();
    client.drain(TIMEOUT);
    assert_eq!(client.token(&any()).unwrap().value(), "token-2");
}

/// Credentials that count how often, and on which thread, they are read.
#[derive(Debug)]
struct WatchedCredentials {
    reads: Arc<Mutex<Vec<std::thread::ThreadId>>>,
}

impl Credentials for WatchedCredentials {
    fn current(&self) -> Result<Credential, Error> {
        self.reads.lock().unwrap().push(std::thread::current().id());
        FixedCredentials.current()
    }

    fn reload(&self, _rejected: &Credential) -> Result<Option<Credential>, Error> {
        self.current().map(|_| None)
    }
}

#[test]
fn r23_a_cooldown_is_checked_once_a_second_and_never_on_the_thread_of_a_caller() {
    let reads = Arc::new(Mutex::new(Vec::new()));
    let (clock, server) = (Arc::new(ManualClock::new(START_MS)), FakeServer::new());
    let client = client_of(&clock, &server, Arc::new(NoStore), Box::new(WatchedCredentials { reads: Arc::clone(&reads) }));
    server.then_fail(rejected());
    client.token(&any()).unwrap_err();
    reads.lock().unwrap().clear();

    for _ in 0..3 {
        for _ in 0..50 {
            assert!(matches!(client.token(&any()), Err(Error::Cooldown { .. })));
            assert!(matches!(client.token(&any().force_refresh(true)), Err(Error::Cooldown { .. })));
        }
        clock.advance(Duration::from_secs(1));
    }

    let reads = reads.lock().unwrap();
    // A busy machine may take longer than a second for a round.
    assert!(reads.len() >= 3 && reads.len() < 20, "{} reads", reads.len());
    assert!(!reads.contains(&std::thread::current().id()));
    assert_eq!((server.requests(), client.stats().cooldown_answers, client.stats().refreshes), (1, 300, 1));
}

#[test]
fn r23_another_secret_lifts_every_cooldown() {
    for error in [rate_limited(3600), unavailable()] {
        let secret = Arc::new(Mutex::new("old".to_owned()));
        let (clock, server) = (Arc::new(ManualClock::new(START_MS)), FakeServer::new());
        let client = client_of(&clock, &server, Arc::new(NoStore), Box::new(RotatingCredentials(Arc::clone(&secret))));
        server.then_fail(error);
        client.token(&any()).unwrap_err();

        *secret.lock().unwrap() = "new".to_owned();

        assert_eq!(client.token(&any()).unwrap().value(), "token-1");
    }
}
