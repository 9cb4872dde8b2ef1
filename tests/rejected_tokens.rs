//! New tokens that a resource server rejects in a row: no more of them are requested for a while, in
//! every process, and a rejected token is never used again.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{FakeServer, FakeStore, FixedCredentials, RotatingCredentials, START_MS, bench, bench_with_store, client_of};
use tokenwell::clock::ManualClock;
use tokenwell::store::{NoStore, Store};
use tokenwell::{Client, Error, Status, TokenOptions};

fn any() -> TokenOptions {
    TokenOptions::default()
}

/// What a program does whose API answers 401 to everything: it invalidates the token and gets another
/// one, once.
fn rejected_call(client: &Client) -> Result<(), Error> {
    let token = client.token(&any())?;
    client.invalidate(token.value())?;
    client.token(&any()).map(drop)
}

#[test]
fn r7_an_api_that_rejects_every_token_costs_two_tokens() {
    for store in [Arc::new(NoStore) as Arc<dyn Store>, Arc::new(FakeStore::default())] {
        let bench = bench_with_store(store);

        rejected_call(&bench.client).unwrap();
        for _ in 0..98 {
            let error = rejected_call(&bench.client).unwrap_err();
            assert_eq!((error.status(), error.http_status()), (Status::CredentialRejected, None), "{error}");
        }

        assert_eq!(bench.server.requests(), 2);
        let error = bench.client.token(&any()).unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));
        let message = error.to_string();
        assert!(message.contains("the last 2 tokens of the authorization server were rejected by the API"), "{message}");
        assert!(error.hint().contains("the API answers 401"), "{}", error.hint());
    }
}

#[test]
fn r7_each_process_is_a_new_one() {
    let (store, clock, server) = (Arc::new(FakeStore::default()), Arc::new(ManualClock::new(START_MS)), FakeServer::new());
    let process = || client_of(&clock, &server, Arc::clone(&store) as Arc<_>, Box::new(FixedCredentials));

    let failed = (0..99).filter(|_| rejected_call(&process()).is_err()).count();

    assert_eq!((failed, server.requests()), (98, 2));
    assert_eq!(store.only_record().rejected_tokens.unwrap().count, 2);
}

#[test]
fn r7_the_pause_ends_by_itself_and_doubles_while_new_tokens_are_rejected() {
    let bench = bench();
    rejected_call(&bench.client).unwrap();
    rejected_call(&bench.client).unwrap_err();

    for pause in [60, 120, 240, 480, 600, 600] {
        bench.clock.advance(Duration::from_secs(pause) - Duration::from_millis(1));
        assert!(matches!(bench.client.token(&any()), Err(Error::Cooldown { .. })), "{pause} s");
        bench.clock.advance(Duration::from_millis(1));
        rejected_call(&bench.client).unwrap_err();
    }

    assert_eq!(bench.server.requests(), 8);
}

#[test]
fn r7_a_token_that_was_accepted_for_a_minute_ends_the_row() {
    for store in [Arc::new(NoStore) as Arc<dyn Store>, Arc::new(FakeStore::default())] {
        let bench = bench_with_store(store);
        for round in 0..3 {
            rejected_call(&bench.client).unwrap();
            bench.clock.advance(Duration::from_secs(60));
            assert!(rejected_call(&bench.client).is_ok(), "round {round}: the token was a minute old");
            bench.clock.advance(Duration::from_secs(61));
            bench.client.token(&any().force_refresh(true)).unwrap();
        }
    }
}

#[test]
fn r7_many_callers_that_reject_one_token_count_once() {
    let (store, clock, server) = (Arc::new(FakeStore::default()), Arc::new(ManualClock::new(START_MS)), FakeServer::new());
    let processes: Vec<_> = (0..8).map(|_| client_of(&clock, &server, Arc::clone(&store) as Arc<_>, Box::new(FixedCredentials))).collect();
    let tokens: Vec<_> = processes.iter().map(|process| process.token(&any()).unwrap()).collect();
    clock.advance(Duration::from_secs(1));

    for (process, token) in processes.iter().zip(&tokens) {
        process.invalidate(token.value()).unwrap();
        process.invalidate(token.value()).unwrap();
    }

    for process in &processes {
        assert_eq!(process.token(&any()).unwrap().value(), "token-2");
    }
    assert_eq!(store.only_record().rejected_tokens.unwrap().count, 1);
}

#[test]
fn r7_a_valid_token_is_returned_during_the_pause() {
    let (store, clock, server) = (Arc::new(FakeStore::default()), Arc::new(ManualClock::new(START_MS)), FakeServer::new());
    let process = || client_of(&clock, &server, Arc::clone(&store) as Arc<_>, Box::new(FixedCredentials));
    let (one, other) = (process(), process());
    rejected_call(&one).unwrap();
    let valid = other.token(&any()).unwrap();

    rejected_call(&one).unwrap_err();

    assert_eq!(other.token(&any()).unwrap().value(), valid.value());
    assert_eq!(other.token(&any().force_refresh(true)).unwrap_err().status(), Status::CredentialRejected);
    assert_eq!(server.requests(), 2);
}

#[test]
fn r7_another_secret_is_not_paused() {
    let secret = Arc::new(Mutex::new("old".to_owned()));
    let (store, clock, server) = (Arc::new(FakeStore::default()), Arc::new(ManualClock::new(START_MS)), FakeServer::new());
    let client = client_of(&clock, &server, Arc::clone(&store) as Arc<_>, Box::new(RotatingCredentials(Arc::clone(&secret))));
    rejected_call(&client).unwrap();
    rejected_call(&client).unwrap_err();

    *secret.lock().unwrap() = "new".to_owned();
    clock.advance(Duration::from_secs(1));

    assert_eq!(client.token(&any()).unwrap().value(), "token-3");
}

#[test]
fn r7_a_token_of_unknown_age_is_not_counted() {
    let bench = bench();
    bench.client.token(&any()).unwrap();

    for value in 0..9 {
        bench.client.invalidate(&value.to_string()).unwrap();
    }

    assert_eq!(bench.client.token(&any().force_refresh(true)).unwrap().value(), "token-2");
}

#[test]
fn r7_the_cached_state_includes_the_pause() {
    let (store, clock, server) = (Arc::new(FakeStore::default()), Arc::new(ManualClock::new(START_MS)), FakeServer::new());
    let process = || client_of(&clock, &server, Arc::clone(&store) as Arc<_>, Box::new(FixedCredentials));
    rejected_call(&process()).unwrap();
    rejected_call(&process()).unwrap_err();

    assert_eq!(process().cached_state().unwrap().cooldown.unwrap().status(), Status::CredentialRejected);
}

#[test]
fn r7_a_token_that_a_user_drops_is_not_a_rejected_one() {
    for store in [Arc::new(NoStore) as Arc<dyn Store>, Arc::new(FakeStore::default())] {
        let bench = bench_with_store(store);
        for _ in 0..5 {
            let token = bench.client.token(&any()).unwrap();
            assert!(bench.client.forget(token.value()).unwrap());
            assert!(!bench.client.forget(token.value()).unwrap(), "it is dropped already");
        }
        assert_eq!((bench.server.requests(), bench.client.stats().invalidations), (5, 5));
    }
}
