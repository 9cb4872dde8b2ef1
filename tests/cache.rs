//! One get: which tokens are cached, which are refreshed in the background, and when a new request
//! is sent.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use support::{FakeServer, FixedCredentials, Gate, HOUR, START_MS, bench, client_of, minted, rejected, unavailable};
use tokenwell::clock::ManualClock;
use tokenwell::grant::{Credential, Credentials, GrantedLifetime};
use tokenwell::store::NoStore;
use tokenwell::{Client, Error, Status, TokenOptions};

fn any() -> TokenOptions {
    TokenOptions::default()
}

#[test]
fn a_token_is_kept_until_it_is_due() {
    let bench = bench();

    let first = bench.client.token(&any()).unwrap();
    bench.clock.advance(Duration::from_secs(49 * 60 - 1));
    let second = bench.client.token(&any()).unwrap();

    assert_eq!(first.value(), second.value());
    assert_eq!(bench.server.requests(), 1);
    assert_eq!(bench.client.stats().hits, 1);
}

#[test]
fn ten_thousand_gets_across_three_expiries_make_four_requests() {
    let bench = bench();

    for get in 0..10_000 {
        if get % 2_500 == 0 && get > 0 {
            bench.clock.advance(HOUR);
        }
        bench.client.token(&any()).unwrap();
    }

    assert_eq!(bench.server.requests(), 4);
}

#[test]
fn a_due_token_is_returned_while_its_refresh_is_pending() {
    let bench = bench();
    let first = bench.client.token(&any()).unwrap();
    bench.clock.advance(Duration::from_secs(51 * 60));
    bench.server.gate.shut();

    let during = bench.client.token(&any()).unwrap();
    bench.server.wait_for_requests(2);
    let still = bench.client.token(&any()).unwrap();

    assert_eq!(during.value(), first.value());
    assert_eq!(still.value(), first.value());
    assert_eq!(bench.server.requests(), 2, "one refresh in the background for all callers");

    bench.server.gate.open();
    let generation = first.generation();
    while bench.client.generation().load(Ordering::Acquire) == generation {
        std::thread::yield_now();
    }
    assert_eq!(bench.client.token(&any()).unwrap().value(), "token-2");
}

#[test]
fn a_valid_token_survives_a_failed_refresh() {
    let bench = bench();
    let first = bench.client.token(&any()).unwrap();
    bench.clock.advance(Duration::from_secs(51 * 60));
    bench.server.then_fail(unavailable());

    let during = bench.client.token(&any()).unwrap();
    while bench.client.stats().mint_failures == 0 {
        std::thread::yield_now();
    }
    let after = bench.client.token(&any()).unwrap();

    assert_eq!((during.value(), after.value()), (first.value(), first.value()));
}

#[test]
fn an_expired_token_is_never_returned() {
    let bench = bench();
    bench.client.token(&any()).unwrap();
    bench.clock.advance(HOUR);
    bench.server.then_fail(unavailable());

    let error = bench.client.token(&any()).unwrap_err();

    assert_eq!(error.status(), Status::Server);
}

#[test]
fn i33_a_wall_clock_that_jumps_ahead_ends_the_token() {
    let bench = bench();
    bench.client.token(&any()).unwrap();

    bench.clock.set_wall(support::START_MS + 3_600_000);

    assert_eq!(bench.client.token(&any()).unwrap().value(), "token-2");
}

#[test]
fn a_min_ttl_above_the_remaining_lifetime_gets_a_new_token() {
    let bench = bench();
    bench.client.token(&any()).unwrap();
    bench.clock.advance(Duration::from_secs(40 * 60));

    let longer = bench.client.token(&any().min_ttl(Duration::from_secs(30 * 60))).unwrap();

    assert_eq!(longer.value(), "token-2");
}

#[test]
fn a_min_ttl_above_the_token_lifetime_is_an_error_after_one_request_at_most() {
    let bench = bench();
    let two_hours = any().min_ttl(2 * HOUR);

    let cold = bench.client.token(&two_hours).unwrap_err();
    let warm = bench.client.token(&two_hours).unwrap_err();

    assert_eq!((cold.status(), warm.status()), (Status::InvalidArgument, Status::InvalidArgument));
    assert!(warm.to_string().contains("2 h was requested") && warm.to_string().contains("issued for 1 h"), "{warm}");
    assert_eq!(bench.server.requests(), 1);
}

#[test]
fn a_forced_refresh_returns_another_token() {
    let bench = bench();
    bench.client.token(&any()).unwrap();

    let forced = bench.client.token(&any().force_refresh(true)).unwrap();

    assert_eq!(forced.value(), "token-2");
    assert_eq!(bench.client.token(&any()).unwrap().value(), "token-2");
}

#[test]
fn a_server_that_returns_the_same_token_again_receives_one_request() {
    let bench = bench();
    for _ in 0..2 {
        bench.server.then(|| Ok(minted("same", GrantedLifetime::Stated(HOUR))));
    }
    bench.client.token(&any()).unwrap();

    let forced = bench.client.token(&any().force_refresh(true)).unwrap();

    assert_eq!(forced.value(), "same");
    assert_eq!(bench.server.requests(), 2);
}

#[test]
fn an_uncacheable_token_serves_only_its_caller() {
    let bench = bench();
    bench.server.then(|| Ok(minted("fleeting", GrantedLifetime::DoNotCache)));

    let first = bench.client.token(&any()).unwrap();
    let second = bench.client.token(&any()).unwrap();

    assert_eq!((first.value(), second.value()), ("fleeting", "token-1"));
}

#[test]
fn a_token_without_a_stated_lifetime_is_cached_for_five_minutes() {
    let bench = bench();
    bench.server.then(|| Ok(minted("unstated", GrantedLifetime::Unstated)));

    bench.client.token(&any()).unwrap();
    bench.clock.advance(Duration::from_secs(230));
    assert_eq!(bench.client.token(&any()).unwrap().value(), "unstated");
    bench.clock.advance(Duration::from_secs(70));

    assert_eq!(bench.client.token(&any()).unwrap().value(), "token-1");
}

#[test]
fn invalidating_drops_only_the_given_token() {
    let bench = bench();
    let first = bench.client.token(&any()).unwrap();

    assert!(!bench.client.invalidate("another").unwrap());
    assert_eq!(bench.client.token(&any()).unwrap().value(), first.value());
    assert!(bench.client.invalidate(first.value()).unwrap());
    assert_eq!(bench.client.token(&any()).unwrap().value(), "token-2");
    assert!(!bench.client.invalidate(first.value()).unwrap(), "it was already dropped");
    assert_eq!(bench.client.token(&any()).unwrap().value(), "token-2");
}

#[test]
fn the_generation_changes_when_and_only_when_the_token_does() {
    let bench = bench();
    let generation = || bench.client.generation().load(Ordering::Acquire);
    let before = generation();

    let token = bench.client.token(&any()).unwrap();
    let with_token = generation();
    bench.client.token(&any()).unwrap();
    let after_hit = generation();
    bench.client.invalidate("another").unwrap();
    let after_other = generation();
    bench.client.invalidate(token.value()).unwrap();
    let after_invalidation = generation();

    assert_eq!(before, 0);
    assert_eq!((with_token, after_hit, after_other), (1, 1, 1));
    assert_eq!(token.generation(), 1);
    assert_eq!(after_invalidation, 2);
}

/// Waits for a future without a runtime.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return result;
        }
        std::thread::yield_now();
    }
}

#[test]
fn each_revocation_revokes_the_token_that_was_current_when_it_began() {
    let bench = bench();
    let begin = || {
        let mut revocation = Box::pin(bench.client.revoke_async());
        assert!(revocation.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        revocation
    };
    bench.client.token(&any()).unwrap();
    bench.server.revocation_gate.shut();

    let first = begin();
    bench.client.token(&any().force_refresh(true)).unwrap();
    let second = begin();
    bench.client.token(&any().force_refresh(true)).unwrap();
    bench.server.revocation_gate.open();
    block_on(first).unwrap();
    block_on(second).unwrap();

    assert_eq!(bench.server.revoked(), ["token-1", "token-2"]);
    assert_eq!(bench.client.token(&any()).unwrap().value(), "token-3");
}

#[test]
fn an_asynchronous_get_of_the_cache_alone_sends_no_request() {
    let bench = bench();
    let cached = any().cached_only(true);

    assert!(matches!(block_on(bench.client.token_async(&cached)), Err(Error::NotCached)));
    assert_eq!((bench.server.requests(), bench.client.stats().refreshes), (0, 0));

    bench.client.token(&any()).unwrap();
    assert_eq!(block_on(bench.client.token_async(&cached)).unwrap().value(), "token-1");
}

#[test]
fn a_token_whose_revocation_fails_stays_and_a_second_attempt_revokes_it() {
    let bench = bench();
    let token = bench.client.token(&any()).unwrap();
    *bench.server.revocation.lock().unwrap() = Some(unavailable());

    let error = bench.client.revoke(None).unwrap_err();

    assert_eq!(error.status(), Status::Server);
    assert_eq!(bench.client.token(&any()).unwrap().value(), "token-1");
    assert_eq!(bench.client.stats().invalidations, 0);

    *bench.server.revocation.lock().unwrap() = None;
    bench.client.revoke(None).unwrap();

    assert_eq!(bench.server.revoked(), [token.value(), token.value()]);
    assert_eq!(bench.client.token(&any()).unwrap().value(), "token-2");
    assert_eq!(bench.client.stats().invalidations, 1);
}

#[test]
fn revoking_without_a_token_sends_no_request() {
    let bench = bench();

    bench.client.revoke(None).unwrap();

    assert!(bench.server.revoked().is_empty());
}

#[test]
fn a_closed_client_returns_nothing() {
    let bench = bench();
    let token = bench.client.token(&any()).unwrap();

    bench.client.close();
    bench.client.close();

    assert!(matches!(bench.client.token(&any()), Err(Error::Closed)));
    assert!(matches!(bench.client.invalidate(token.value()), Err(Error::Closed)));
    assert!(matches!(bench.client.revoke(None), Err(Error::Closed)));
    assert_eq!(token.value(), "token-1", "a token outlives its client");
}

#[test]
fn a_refresh_that_panics_is_an_error_and_not_a_hang() {
    let bench = bench();
    bench.server.then(|| panic!("planted"));

    let error = bench.client.token(&any()).unwrap_err();

    assert_eq!(error.status(), Status::Internal);
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.client.token(&any()).unwrap().value(), "token-1");
}

#[test]
fn an_expired_short_lived_token_does_not_prevent_a_longer_one() {
    let bench = bench();
    bench.server.then(|| Ok(minted("short", GrantedLifetime::Stated(Duration::from_secs(120)))));
    bench.client.token(&any()).unwrap();
    let five_minutes = any().min_ttl(Duration::from_secs(300));
    assert_eq!(bench.client.token(&five_minutes).unwrap_err().status(), Status::InvalidArgument);

    bench.clock.advance(Duration::from_secs(120));

    assert_eq!(bench.client.token(&five_minutes).unwrap().value(), "token-1");
}

#[test]
fn a_token_that_expires_before_it_arrives_is_a_remembered_error() {
    let bench = bench();
    let clock = std::sync::Arc::clone(&bench.clock);
    bench.server.then(move || {
        clock.advance(Duration::from_secs(2));
        Ok(minted("late", GrantedLifetime::Stated(Duration::from_secs(1))))
    });

    let error = bench.client.token(&any()).unwrap_err();
    bench.client.token(&any()).unwrap_err();

    assert_eq!(error.status(), Status::Protocol);
    assert!(error.to_string().contains("expired before it arrived"), "{error}");
    assert_eq!(bench.server.requests(), 1);
}

#[test]
fn a_token_stays_when_it_cannot_be_revoked_because_the_secret_cannot_be_read() {
    let bench = bench();
    bench.client.token(&any()).unwrap();
    let client = support::client_of(
        &bench.clock,
        &bench.server,
        std::sync::Arc::new(tokenwell::store::NoStore),
        Box::new(support::BreakingCredentials::default()),
    );
    client.token(&any()).unwrap();

    let error = client.revoke(None).unwrap_err();

    assert_eq!(error.status(), Status::NotConfigured);
    assert_eq!(client.token(&any()).unwrap().value(), "token-2", "the token stays");
    assert!(bench.server.revoked().is_empty());
}

/// Credentials that were rotated, and whose second check closes the client, as another thread may at that moment.
#[derive(Debug, Default)]
struct ClosingCredentials {
    client: Arc<OnceLock<Client>>,
    checks: Arc<AtomicUsize>,
}

impl Credentials for ClosingCredentials {
    fn current(&self) -> Result<Credential, Error> {
        FixedCredentials.current()
    }

    fn reload(&self, rejected: &Credential) -> Result<Option<Credential>, Error> {
        if self.checks.fetch_add(1, Ordering::SeqCst) == 0 {
            return Ok(None);
        }
        self.client.get().unwrap().close();
        Ok(Some(rejected.clone()))
    }
}

#[test]
fn a_call_during_which_the_client_is_closed_sends_no_request() {
    let (clock, server) = (Arc::new(ManualClock::new(START_MS)), FakeServer::new());
    let credentials = ClosingCredentials::default();
    let (closed, checks) = (Arc::clone(&credentials.client), Arc::clone(&credentials.checks));
    let client = client_of(&clock, &server, Arc::new(NoStore), Box::new(credentials));
    closed.set(client.clone()).unwrap();
    server.then_fail(rejected());
    client.token(&any()).unwrap_err();

    let error = client.token(&any()).unwrap_err();

    assert_eq!((error.status(), checks.load(Ordering::SeqCst)), (Status::Closed, 2));
    assert_eq!(server.requests(), 1);
}

/// Credentials in a file on a file system that does not respond while the gate is shut.
#[derive(Debug)]
struct SlowCredentials(Arc<Gate>);

impl Credentials for SlowCredentials {
    fn current(&self) -> Result<Credential, Error> {
        self.0.pass();
        FixedCredentials.current()
    }

    fn reload(&self, _rejected: &Credential) -> Result<Option<Credential>, Error> {
        self.0.pass();
        Ok(None)
    }
}

#[test]
fn r3_no_caller_reads_the_secret_itself() {
    let (clock, server, gate) = (Arc::new(ManualClock::new(START_MS)), FakeServer::new(), Arc::new(Gate::new()));
    let client = client_of(&clock, &server, Arc::new(NoStore), Box::new(SlowCredentials(Arc::clone(&gate))));
    let token = client.token(&any()).unwrap();
    clock.advance(Duration::from_secs(51 * 60));
    server.then_fail(rejected());
    client.token(&any()).unwrap();
    while client.stats().mint_failures == 0 {
        std::thread::yield_now();
    }
    client.drain(HOUR);
    gate.shut();

    // The rejection is remembered, and the secret that it concerns cannot be read for now.
    let due = client.token(&any()).unwrap();
    let (sender, refused) = std::sync::mpsc::channel();
    std::thread::spawn({
        let client = client.clone();
        move || {
            let forced = any().force_refresh(true).deadline(Duration::from_millis(50));
            sender.send(client.token(&forced).unwrap_err())
        }
    });
    let refused = refused.recv_timeout(Duration::from_secs(60)).unwrap();

    assert_eq!(due.value(), token.value());
    assert_eq!(refused.status(), Status::CredentialRejected, "the remembered error and not DEADLINE");
    gate.open();
}
