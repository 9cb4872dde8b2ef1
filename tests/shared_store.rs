//! What the cache makes of a store: it shares, and a store that fails costs nobody the token.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;
use support::{
    Bench, FakeServer, FakeStore, FixedCredentials, HOUR, START_MS, TIMEOUT, client_of, minted, patient_client_of, rate_limited,
    unavailable,
};
use tokenwell::clock::ManualClock;
use tokenwell::error::Error;
use tokenwell::grant::GrantedLifetime;
use tokenwell::{Client, Status, TokenOptions};

const HOUR_MS: u64 = 3_600_000;

fn any() -> TokenOptions {
    TokenOptions::default()
}

/// Two processes, as far as the cache can tell: two clients over one store, one server and one clock.
fn two() -> (Bench, Client, Arc<FakeStore>) {
    let store = Arc::new(FakeStore::default());
    let clock = Arc::new(ManualClock::new(START_MS));
    let server = FakeServer::new();
    let client = client_of(&clock, &server, Arc::clone(&store) as Arc<_>, Box::new(FixedCredentials));
    let other = client_of(&clock, &server, Arc::clone(&store) as Arc<_>, Box::new(FixedCredentials));
    (Bench { client, clock, server }, other, store)
}

#[test]
fn the_second_process_takes_the_first_ones_token() {
    let (bench, other, _) = two();

    let first = bench.client.token(&any()).unwrap();
    let second = other.token(&any()).unwrap();

    assert_eq!(first.value(), second.value());
    assert_eq!(first.expires_at(), second.expires_at());
    assert_eq!(bench.server.requests(), 1);
}

#[test]
fn a_forced_refresh_takes_a_token_that_another_process_made_since() {
    let (bench, other, _) = two();
    bench.client.token(&any()).unwrap();
    other.token(&any()).unwrap();
    bench.client.token(&any().force_refresh(true)).unwrap();

    let forced = other.token(&any().force_refresh(true)).unwrap();

    assert_eq!(forced.value(), "token-2");
    assert_eq!(bench.server.requests(), 2);
}

#[test]
fn an_invalidated_token_is_gone_for_new_processes_too() {
    let (bench, other, store) = two();
    let token = bench.client.token(&any()).unwrap();

    bench.client.invalidate(token.value()).unwrap();

    assert!(store.only_record().token.is_none());
    assert_eq!(other.token(&any()).unwrap().value(), "token-2");
    assert_eq!(bench.client.token(&any()).unwrap().value(), "token-2");
    assert_eq!(bench.server.requests(), 2);
}

#[test]
fn after_a_401_a_newer_token_of_another_process_is_taken() {
    let (bench, other, _) = two();
    let old = bench.client.token(&any()).unwrap();
    other.token(&any()).unwrap();
    other.token(&any().force_refresh(true)).unwrap();

    bench.client.invalidate(old.value()).unwrap();

    assert_eq!(bench.client.token(&any()).unwrap().value(), "token-2");
    assert_eq!(bench.server.requests(), 2);
}

#[test]
fn a_turned_down_token_is_not_taken_back_from_a_store_that_could_not_drop_it() {
    let (bench, _, store) = two();
    let token = bench.client.token(&any()).unwrap();
    *store.broken.lock().unwrap() = true;

    bench.client.invalidate(token.value()).unwrap();
    *store.broken.lock().unwrap() = false;

    assert_eq!(store.only_record().token.unwrap().value.expose(), token.value());
    assert_eq!(bench.client.token(&any()).unwrap().value(), "token-2");
}

#[test]
fn a_turned_down_token_leaves_the_store_even_while_another_process_keeps_the_lock() {
    let (bench, _, store) = two();
    let token = bench.client.token(&any()).unwrap();
    *store.locked_by_another.lock().unwrap() = true;

    assert!(bench.client.invalidate(token.value()).unwrap());

    assert!(store.only_record().token.is_none());
}

#[test]
fn a_new_process_renews_a_due_token_and_no_more_than_one_does() {
    let (bench, other, store) = two();
    bench.client.token(&any()).unwrap();
    bench.clock.advance(Duration::from_secs(51 * 60));

    *store.locked_by_another.lock().unwrap() = true;
    assert_eq!(other.token(&any()).unwrap().value(), "token-1", "somebody else renews it");
    *store.locked_by_another.lock().unwrap() = false;
    let third = client_of(&bench.clock, &bench.server, Arc::clone(&store) as Arc<_>, Box::new(FixedCredentials));

    assert_eq!(third.token(&any()).unwrap().value(), "token-2");
    assert_eq!(bench.server.requests(), 2);
}

#[test]
fn a_due_token_that_cannot_be_renewed_is_handed_out_by_new_processes() {
    let (bench, other, _) = two();
    bench.client.token(&any()).unwrap();
    bench.clock.advance(Duration::from_secs(51 * 60));
    bench.server.then_fail(rate_limited(30));

    assert_eq!(other.token(&any()).unwrap().value(), "token-1");
    assert_eq!(other.token(&any()).unwrap().value(), "token-1");
    assert_eq!(bench.server.requests(), 2);
}

#[test]
fn a_caller_with_little_time_gets_the_due_token_and_not_a_deadline() {
    let (bench, other, _) = two();
    bench.client.token(&any()).unwrap();
    bench.clock.advance(Duration::from_secs(51 * 60));
    bench.server.gate.shut();

    let token = other.token(&any().deadline(Duration::from_secs(1))).unwrap();

    assert_eq!(token.value(), "token-1");
    bench.server.gate.open();
}

#[test]
fn failures_lengthen_the_pause_across_processes_that_live_for_one_get() {
    let store = Arc::new(FakeStore::default());
    let clock = Arc::new(ManualClock::new(START_MS));
    let server = FakeServer::new();
    let mut pauses = Vec::new();
    for _ in 0..4 {
        server.then_fail(unavailable());
        let process = client_of(&clock, &server, Arc::clone(&store) as Arc<_>, Box::new(FixedCredentials));
        let pause = process.token(&any()).unwrap_err().retry_after().unwrap();
        pauses.push(pause.as_secs());
        clock.advance(pause);
    }

    assert_eq!(pauses, [1, 2, 4, 8]);
}

#[test]
fn a_due_token_in_the_store_is_refreshed_once_for_all() {
    let (bench, other, _) = two();
    bench.client.token(&any()).unwrap();
    other.token(&any()).unwrap();
    bench.clock.advance(Duration::from_secs(51 * 60));

    for client in [&bench.client, &other] {
        assert_eq!(client.token(&any()).unwrap().value(), "token-1");
        client.wait_for_refresh(TIMEOUT);
        assert_eq!(client.token(&any()).unwrap().value(), "token-2");
    }

    assert_eq!(bench.server.requests(), 2);
}

#[test]
fn i33_a_due_token_is_refreshed_once_for_all_after_the_wall_clock_was_set_back() {
    let (bench, other, _) = two();
    bench.client.token(&any()).unwrap();
    other.token(&any()).unwrap();
    bench.clock.set_wall(START_MS - HOUR_MS);
    bench.clock.advance(Duration::from_secs(51 * 60));

    for client in [&bench.client, &other] {
        assert_eq!(client.token(&any()).unwrap().value(), "token-1");
        client.wait_for_refresh(TIMEOUT);
        assert_eq!(client.token(&any()).unwrap().value(), "token-2");
    }

    assert_eq!(bench.server.requests(), 2);
}

#[test]
fn i33_a_forced_refresh_takes_the_token_that_was_made_since_the_wall_clock_was_set_back() {
    let (bench, other, _) = two();
    bench.client.token(&any()).unwrap();
    other.token(&any()).unwrap();
    bench.clock.set_wall(START_MS - HOUR_MS);
    bench.clock.advance(Duration::from_secs(1));

    assert_eq!(bench.client.token(&any().force_refresh(true)).unwrap().value(), "token-2");
    assert_eq!(other.token(&any().force_refresh(true)).unwrap().value(), "token-2");

    assert_eq!(bench.server.requests(), 2);
}

#[test]
fn i33_a_wall_clock_set_ahead_costs_one_request_for_all() {
    let (bench, other, _) = two();
    bench.client.token(&any()).unwrap();
    other.token(&any()).unwrap();
    bench.clock.set_wall(START_MS + HOUR_MS);

    assert_eq!(bench.client.token(&any()).unwrap().value(), "token-2");
    assert_eq!(other.token(&any()).unwrap().value(), "token-2");
}

#[test]
fn to_ask_for_more_life_than_tokens_have_costs_one_request_in_all() {
    let (bench, other, store) = two();
    let beyond = any().min_ttl(2 * HOUR);

    for client in [&bench.client, &other, &client_of(&bench.clock, &bench.server, Arc::clone(&store) as Arc<_>, Box::new(FixedCredentials))]
    {
        let error = client.token(&beyond).unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument, "{error}");
        assert!(error.to_string().contains("7200 s was requested"), "{error}");
        assert_eq!(client.token(&any()).unwrap().value(), "token-1");
    }

    assert_eq!(bench.server.requests(), 1);
}

#[test]
fn to_ask_for_all_the_life_that_tokens_have_costs_one_request_in_all() {
    let (bench, other, _) = two();
    let all = any().min_ttl(HOUR);
    assert_eq!(bench.client.token(&all).unwrap().value(), "token-1");
    bench.clock.advance(Duration::from_millis(1));

    for client in [&bench.client, &other, &bench.client] {
        assert_eq!(client.token(&all).unwrap_err().status(), Status::InvalidArgument);
    }

    assert_eq!(bench.server.requests(), 1);
}

#[test]
fn a_forced_refresh_takes_the_newer_token_although_it_lives_less_long() {
    let (bench, other, _) = two();
    bench.client.token(&any()).unwrap();
    other.token(&any()).unwrap();
    bench.server.then(|| Ok(minted("short", GrantedLifetime::Stated(Duration::from_secs(600)))));
    bench.client.token(&any().force_refresh(true)).unwrap();

    assert_eq!(other.token(&any().force_refresh(true)).unwrap().value(), "short");
    assert_eq!(other.token(&any()).unwrap().value(), "short");

    assert_eq!(bench.server.requests(), 2);
}

#[test]
fn a_refusal_holds_for_every_process() {
    let (bench, other, _) = two();
    bench.server.then_fail(rate_limited(30));
    bench.client.token(&any()).unwrap_err();
    bench.clock.advance(Duration::from_secs(10));

    let error = other.token(&any()).unwrap_err();

    assert_eq!((error.status(), error.http_status()), (Status::RateLimited, Some(429)));
    let left = error.retry_after().unwrap().as_secs_f64();
    assert!((20.0..=23.0).contains(&left), "{left}");
    assert_eq!(bench.server.requests(), 1);
}

#[test]
fn a_refusal_leaves_the_stored_token_where_it_is() {
    let (bench, _, store) = two();
    let token = bench.client.token(&any()).unwrap();
    bench.server.then_fail(rate_limited(30));

    bench.client.token(&any().force_refresh(true)).unwrap_err();

    let record = store.only_record();
    assert_eq!(record.token.unwrap().value.expose(), token.value());
    assert!(record.cooldown.is_some());
}

#[test]
fn a_success_ends_the_shared_cooldown() {
    let (bench, _, store) = two();
    bench.server.then_fail(rate_limited(30));
    let error = bench.client.token(&any()).unwrap_err();
    bench.clock.advance(error.retry_after().unwrap());

    bench.client.token(&any()).unwrap();

    assert!(store.only_record().cooldown.is_none());
}

#[test]
fn a_broken_store_costs_nobody_the_token() {
    let (bench, other, store) = two();
    *store.broken.lock().unwrap() = true;

    assert_eq!(bench.client.token(&any()).unwrap().value(), "token-1");
    assert_eq!(other.token(&any()).unwrap().value(), "token-2");
    assert!(bench.client.invalidate("token-1").unwrap());
}

#[test]
fn a_lock_that_another_process_keeps_costs_nobody_the_token() {
    let (bench, _, store) = two();
    *store.locked_by_another.lock().unwrap() = true;

    assert_eq!(bench.client.token(&any()).unwrap().value(), "token-1");
}

#[test]
fn those_who_wait_for_a_lock_in_vain_do_not_give_up_in_one_moment() {
    let (bench, _, store) = two();
    *store.locked_by_another.lock().unwrap() = true;

    let patience: Vec<Duration> = (0..16)
        .map(|_| {
            bench.client.token(&any().force_refresh(true)).unwrap();
            store.patience.lock().unwrap().drain(..).sum()
        })
        .collect();

    let (shortest, longest) = (*patience.iter().min().unwrap(), *patience.iter().max().unwrap());
    assert!(shortest > TIMEOUT / 2, "whoever holds the lock may need half of the timeout: {shortest:?}");
    assert!(longest <= TIMEOUT * 7 / 10, "time must be left for the request: {longest:?}");
    assert!(longest > shortest, "all wait for {longest:?}");
}

#[test]
fn a_slow_store_does_not_stretch_the_wait_for_the_lock() {
    let (bench, _, store) = two();
    let hurried =
        patient_client_of(Duration::from_secs(1), &bench.clock, &bench.server, Arc::clone(&store) as Arc<_>, Box::new(FixedCredentials));
    *store.locked_by_another.lock().unwrap() = true;
    *store.slowness.lock().unwrap() = Duration::from_millis(100);

    hurried.token(&any()).unwrap();

    let asked = store.patience.lock().unwrap().len();
    assert!((1..=7).contains(&asked), "asked {asked} times, 100 ms each, in 700 ms at most");
}

#[test]
fn i33_a_stored_token_from_the_future_is_a_miss() {
    let (bench, other, store) = two();
    bench.client.token(&any()).unwrap();
    store.change(|record| {
        let token = record.token.as_mut().unwrap();
        token.obtained_at_ms += 1;
    });

    assert_eq!(other.token(&any()).unwrap().value(), "token-2");
}

#[test]
fn a_token_of_unstated_life_is_not_shared() {
    let (bench, other, _) = two();
    bench.server.then(|| Ok(minted("unstated", GrantedLifetime::Unstated)));
    bench.client.token(&any()).unwrap();

    assert_eq!(other.token(&any()).unwrap().value(), "token-1");
}

#[test]
fn a_dead_token_in_the_store_is_a_miss() {
    let (bench, other, _) = two();
    bench.client.token(&any()).unwrap();
    bench.clock.advance(HOUR);

    assert_eq!(other.token(&any()).unwrap().value(), "token-2");
}

#[test]
fn what_another_process_left_is_at_hand_without_a_request() {
    let (bench, other, _) = two();
    let token = bench.client.token(&any()).unwrap();

    let cached_state = other.cached_state().unwrap();

    assert_eq!(cached_state.token.unwrap().value(), token.value());
    assert!(cached_state.cooldown.is_none());
    assert_eq!(cached_state.store, "memory");
    assert_eq!(bench.server.requests(), 1);
}

#[test]
fn a_token_below_the_floor_is_at_hand_but_not_handed_out() {
    let (bench, other, _) = two();
    bench.client.token(&any()).unwrap();
    bench.clock.advance(HOUR - Duration::from_secs(30));

    assert_eq!(other.cached_state().unwrap().token.unwrap().value(), "token-1");
    assert_eq!(other.token(&any()).unwrap().value(), "token-2");

    bench.clock.advance(HOUR);
    assert!(other.cached_state().unwrap().token.is_none());
}

#[test]
fn a_token_at_hand_can_be_revoked_by_a_process_that_did_not_get_it() {
    let (bench, other, store) = two();
    bench.client.token(&any()).unwrap();

    other.cached_state().unwrap();
    other.revoke(None).unwrap();

    assert_eq!(bench.server.revoked(), ["token-1"]);
    assert!(store.only_record().token.is_none());
}

#[test]
fn a_refusal_that_another_process_met_is_at_hand() {
    let (bench, other, _) = two();
    bench.server.then_fail(rate_limited(30));
    bench.client.token(&any()).unwrap_err();

    let cooldown = other.cached_state().unwrap().cooldown.unwrap();

    assert_eq!(cooldown.status(), Status::RateLimited);
    bench.clock.advance(Duration::from_secs(60));
    assert!(other.cached_state().unwrap().cooldown.is_none());
}

#[test]
fn a_token_that_was_turned_down_is_not_at_hand_again() {
    let (bench, other, store) = two();
    let token = bench.client.token(&any()).unwrap();
    let record = store.only_record();
    other.invalidate(token.value()).unwrap();

    store.change(|now| *now = record);

    assert!(other.cached_state().unwrap().token.is_none());
}

#[test]
fn a_forced_refresh_in_a_new_process_does_not_take_the_stored_token() {
    let (bench, other, _) = two();
    bench.client.token(&any()).unwrap();

    let forced = other.token(&any().force_refresh(true)).unwrap();

    assert_eq!(forced.value(), "token-2");
    assert_eq!(bench.server.requests(), 2);
}

#[test]
fn a_forced_refresh_never_takes_an_older_token() {
    let (bench, other, store) = two();
    bench.client.token(&any()).unwrap();
    let old = store.only_record();
    bench.clock.advance(Duration::from_secs(1));
    other.token(&any().force_refresh(true)).unwrap();
    store.change(|record| *record = old);

    let forced = other.token(&any().force_refresh(true)).unwrap();

    assert_eq!(forced.value(), "token-3");
}

#[test]
fn a_stored_token_that_is_too_short_for_one_caller_serves_the_others_after_a_refusal() {
    let (bench, other, _) = two();
    bench.client.token(&any()).unwrap();
    bench.clock.advance(Duration::from_secs(20 * 60));
    bench.server.then_fail(rate_limited(60));

    let demanding = other.token(&any().min_ttl(Duration::from_secs(50 * 60))).unwrap_err();

    assert_eq!(demanding.status(), Status::RateLimited);
    assert_eq!(other.token(&any()).unwrap().value(), "token-1");
}

#[test]
fn a_refusal_holds_for_every_process_even_while_another_keeps_the_lock() {
    let (bench, other, store) = two();
    let token = bench.client.token(&any()).unwrap();
    *store.locked_by_another.lock().unwrap() = true;
    bench.server.then_fail(rate_limited(30));

    bench.client.token(&any().force_refresh(true)).unwrap_err();
    let refused = other.token(&any().force_refresh(true)).unwrap_err();

    assert_eq!(refused.status(), Status::RateLimited);
    assert_eq!(bench.server.requests(), 2);
    assert_eq!(store.only_record().token.unwrap().value.expose(), token.value());
}

#[test]
fn a_caller_with_five_seconds_has_time_to_mint_while_another_process_keeps_the_lock() {
    let (bench, _, store) = two();
    *store.locked_by_another.lock().unwrap() = true;

    bench.client.token(&any().deadline(Duration::from_secs(5))).unwrap();

    let waited: Duration = store.patience.lock().unwrap().iter().sum();
    assert!((Duration::from_millis(2500)..=Duration::from_millis(3500)).contains(&waited), "{waited:?}");
}

#[test]
fn a_deadline_says_that_another_process_keeps_the_lock() {
    let (bench, _, store) = two();
    *store.locked_by_another.lock().unwrap() = true;
    *store.slowness.lock().unwrap() = Duration::from_millis(200);

    let error = bench.client.token(&any().deadline(Duration::from_secs(2))).unwrap_err();

    assert_eq!(error.status(), Status::Deadline);
    assert!(error.to_string().contains("another process has held the lock of the token cache at memory for "), "{error}");
    assert!(error.hint().contains("TOKENWELL_CACHE=off"), "{}", error.hint());
}

#[test]
fn what_goes_wrong_around_one_process_does_not_shorten_the_pause_of_all() {
    let (bench, other, store) = two();
    bench.server.then_fail(unavailable());
    let pause = bench.client.token(&any()).unwrap_err().retry_after().unwrap();
    bench.clock.advance(pause);
    bench.server.then_fail(Error::Network {
        server: "s".into(),
        problem: "no route".into(),
        reached: false,
        advice: String::new(),
        source: None,
    });

    other.token(&any()).unwrap_err();

    assert_eq!(store.only_record().cooldown.unwrap().failures, 1);
}

#[test]
fn what_is_at_hand_tells_that_the_store_could_not_be_read() {
    let (bench, _, store) = two();
    assert_eq!(bench.client.cached_state().unwrap().store_problem, None);

    *store.broken.lock().unwrap() = true;

    assert_eq!(bench.client.cached_state().unwrap().store_problem.as_deref(), Some("the disk is on fire"));
}

#[test]
fn i32_the_end_of_one_client_revokes_nothing_that_others_hold() {
    let (bench, other, _) = two();
    let token = bench.client.token(&any()).unwrap();
    other.token(&any()).unwrap();

    bench.client.close();
    drop(bench.client);

    assert!(bench.server.revoked().is_empty());
    assert_eq!(other.token(&any()).unwrap().value(), token.value());
}

#[test]
fn i32_a_revoked_token_is_gone_for_new_processes_and_replaced_once_for_old_ones() {
    let (bench, other, store) = two();
    let token = bench.client.token(&any()).unwrap();
    other.token(&any()).unwrap();

    bench.client.revoke(None).unwrap();
    assert!(store.only_record().token.is_none());
    let next = bench.client.token(&any()).unwrap();
    // The other process learns of it by the 401 that the resource answers.
    other.invalidate(token.value()).unwrap();

    assert_eq!(other.token(&any()).unwrap().value(), next.value());
    assert_eq!(bench.server.requests(), 2);
}
