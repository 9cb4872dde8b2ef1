//! The cache with a shared store: processes share tokens and refusals, and a store that fails never
//! prevents a get.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use support::{
    Bench, Event, FakeServer, FakeStore, FixedCredentials, HOUR, START_MS, TIMEOUT, client_of, minted, patient_client_of, rate_limited,
    unavailable,
};
use tokenwell::clock::ManualClock;
use tokenwell::error::{Error, Exchange};
use tokenwell::grant::GrantedLifetime;
use tokenwell::store::WhichLock;
use tokenwell::{Client, Status, TokenOptions};

const HOUR_MS: u64 = 3_600_000;

fn any() -> TokenOptions {
    TokenOptions::default()
}

/// Two clients with one store, one server and one clock. For the cache this is the same as two
/// processes.
fn two() -> (Bench, Client, Arc<FakeStore>) {
    let store = Arc::new(FakeStore::default());
    let clock = Arc::new(ManualClock::new(START_MS));
    let server = FakeServer::new();
    let client = client_of(&clock, &server, Arc::clone(&store) as Arc<_>, Box::new(FixedCredentials));
    let other = client_of(&clock, &server, Arc::clone(&store) as Arc<_>, Box::new(FixedCredentials));
    (Bench { client, clock, server }, other, store)
}

#[test]
fn the_second_process_uses_the_token_of_the_first() {
    let (bench, other, _) = two();

    let first = bench.client.token(&any()).unwrap();
    let second = other.token(&any()).unwrap();

    assert_eq!(first.value(), second.value());
    assert_eq!(first.expires_at(), second.expires_at());
    assert_eq!(bench.server.requests(), 1);
}

#[test]
fn a_forced_refresh_uses_a_newer_token_of_another_process() {
    let (bench, other, _) = two();
    bench.client.token(&any()).unwrap();
    other.token(&any()).unwrap();
    bench.client.token(&any().force_refresh(true)).unwrap();

    let forced = other.token(&any().force_refresh(true)).unwrap();

    assert_eq!(forced.value(), "token-2");
    assert_eq!(bench.server.requests(), 2);
}

#[test]
fn an_invalidated_token_is_not_used_by_new_processes() {
    let (bench, other, store) = two();
    let token = bench.client.token(&any()).unwrap();

    bench.client.invalidate(token.value()).unwrap();

    assert!(store.only_record().token.is_none());
    assert_eq!(other.token(&any()).unwrap().value(), "token-2");
    assert_eq!(bench.client.token(&any()).unwrap().value(), "token-2");
    assert_eq!(bench.server.requests(), 2);
}

#[test]
fn after_a_401_a_newer_token_of_another_process_is_used() {
    let (bench, other, _) = two();
    let old = bench.client.token(&any()).unwrap();
    other.token(&any()).unwrap();
    other.token(&any().force_refresh(true)).unwrap();

    bench.client.invalidate(old.value()).unwrap();

    assert_eq!(bench.client.token(&any()).unwrap().value(), "token-2");
    assert_eq!(bench.server.requests(), 2);
}

#[test]
fn a_rejected_token_is_not_restored_from_a_store_that_could_not_remove_it() {
    let (bench, _, store) = two();
    let token = bench.client.token(&any()).unwrap();
    *store.broken.lock().unwrap() = true;

    bench.client.invalidate(token.value()).unwrap();
    *store.broken.lock().unwrap() = false;

    assert_eq!(store.only_record().token.unwrap().value.expose(), token.value());
    assert_eq!(bench.client.token(&any()).unwrap().value(), "token-2");
}

#[test]
fn a_rejected_token_is_removed_from_the_store_while_another_process_holds_the_lock() {
    let (bench, _, store) = two();
    let token = bench.client.token(&any()).unwrap();
    *store.locked_by_another.lock().unwrap() = true;

    assert!(bench.client.invalidate(token.value()).unwrap());

    assert!(store.only_record().token.is_none());
}

#[test]
fn only_one_new_process_refreshes_a_due_token() {
    let (bench, other, store) = two();
    bench.client.token(&any()).unwrap();
    bench.clock.advance(Duration::from_secs(51 * 60));

    *store.locked_by_another.lock().unwrap() = true;
    assert_eq!(other.token(&any()).unwrap().value(), "token-1", "another process refreshes it");
    *store.locked_by_another.lock().unwrap() = false;
    let third = client_of(&bench.clock, &bench.server, Arc::clone(&store) as Arc<_>, Box::new(FixedCredentials));

    assert_eq!(third.token(&any()).unwrap().value(), "token-2");
    assert_eq!(bench.server.requests(), 2);
}

#[test]
fn a_due_token_that_cannot_be_refreshed_is_returned_by_new_processes() {
    let (bench, other, _) = two();
    bench.client.token(&any()).unwrap();
    bench.clock.advance(Duration::from_secs(51 * 60));
    bench.server.then_fail(rate_limited(30));

    assert_eq!(other.token(&any()).unwrap().value(), "token-1");
    assert_eq!(other.token(&any()).unwrap().value(), "token-1");
    assert_eq!(bench.server.requests(), 2);
}

#[test]
fn a_caller_with_a_short_deadline_gets_the_due_token() {
    let (bench, other, _) = two();
    bench.client.token(&any()).unwrap();
    bench.clock.advance(Duration::from_secs(51 * 60));
    bench.server.gate.shut();

    let token = other.token(&any().deadline(Duration::from_secs(1))).unwrap();

    assert_eq!(token.value(), "token-1");
    bench.server.gate.open();
}

#[test]
fn failures_lengthen_the_pause_across_processes_with_a_single_get() {
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
fn a_due_token_in_the_store_is_refreshed_once_for_all_processes() {
    let (bench, other, _) = two();
    bench.client.token(&any()).unwrap();
    other.token(&any()).unwrap();
    bench.clock.advance(Duration::from_secs(51 * 60));

    for client in [&bench.client, &other] {
        assert_eq!(client.token(&any()).unwrap().value(), "token-1");
        client.drain(TIMEOUT);
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
        client.drain(TIMEOUT);
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
fn a_min_ttl_above_the_token_lifetime_causes_one_request_in_total() {
    let (bench, other, store) = two();
    let beyond = any().min_ttl(2 * HOUR);

    for client in [&bench.client, &other, &client_of(&bench.clock, &bench.server, Arc::clone(&store) as Arc<_>, Box::new(FixedCredentials))]
    {
        let error = client.token(&beyond).unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument, "{error}");
        assert!(error.to_string().contains("2 h was requested"), "{error}");
        assert_eq!(client.token(&any()).unwrap().value(), "token-1");
    }

    assert_eq!(bench.server.requests(), 1);
}

#[test]
fn a_min_ttl_equal_to_the_token_lifetime_causes_one_request_in_total() {
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
fn a_forced_refresh_uses_the_newer_token_although_it_expires_earlier() {
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
fn a_refusal_applies_to_every_process() {
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
fn a_refusal_keeps_the_stored_token() {
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
fn a_broken_store_does_not_prevent_a_get() {
    let (bench, other, store) = two();
    *store.broken.lock().unwrap() = true;

    assert_eq!(bench.client.token(&any()).unwrap().value(), "token-1");
    assert_eq!(other.token(&any()).unwrap().value(), "token-2");
    assert!(bench.client.invalidate("token-1").unwrap());
}

#[test]
fn a_lock_held_by_another_process_does_not_prevent_a_get() {
    let (bench, _, store) = two();
    *store.locked_by_another.lock().unwrap() = true;

    assert_eq!(bench.client.token(&any()).unwrap().value(), "token-1");
}

#[test]
fn processes_that_cannot_acquire_the_lock_give_up_at_different_times() {
    let (bench, _, store) = two();
    *store.locked_by_another.lock().unwrap() = true;
    *store.holder_is_alive.lock().unwrap() = true;

    let patience: Vec<Duration> = (0..16)
        .map(|_| {
            bench.client.token(&any().force_refresh(true)).unwrap();
            store.patience.lock().unwrap().drain(..).sum()
        })
        .collect();

    let (shortest, longest) = (*patience.iter().min().unwrap(), *patience.iter().max().unwrap());
    assert!(shortest > TIMEOUT / 2, "the holder of the lock may need half of the timeout: {shortest:?}");
    assert!(longest <= TIMEOUT * 7 / 10, "time must be left for the request: {longest:?}");
    assert!(longest > shortest, "all wait for {longest:?}");
}

#[test]
fn a_slow_store_does_not_lengthen_the_wait_for_the_lock() {
    let (bench, _, store) = two();
    let hurried =
        patient_client_of(Duration::from_secs(1), &bench.clock, &bench.server, Arc::clone(&store) as Arc<_>, Box::new(FixedCredentials));
    *store.locked_by_another.lock().unwrap() = true;
    *store.slowness.lock().unwrap() = Duration::from_millis(100);

    hurried.token(&any()).unwrap_err();

    let attempts = store.patience.lock().unwrap().len();
    assert!((1..=10).contains(&attempts), "{attempts} attempts of 100 ms each, in one second");
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
fn a_token_without_a_stated_lifetime_is_not_shared() {
    let (bench, other, _) = two();
    bench.server.then(|| Ok(minted("unstated", GrantedLifetime::Unstated)));
    bench.client.token(&any()).unwrap();

    assert_eq!(other.token(&any()).unwrap().value(), "token-1");
}

#[test]
fn an_expired_token_in_the_store_is_a_miss() {
    let (bench, other, _) = two();
    bench.client.token(&any()).unwrap();
    bench.clock.advance(HOUR);

    assert_eq!(other.token(&any()).unwrap().value(), "token-2");
}

#[test]
fn the_cached_state_includes_the_token_of_another_process() {
    let (bench, other, _) = two();
    let token = bench.client.token(&any()).unwrap();

    let cached_state = other.cached_state().unwrap();

    assert_eq!(cached_state.token.unwrap().value(), token.value());
    assert!(cached_state.cooldown.is_none());
    assert_eq!(cached_state.store, "memory");
    assert_eq!(bench.server.requests(), 1);
}

#[test]
fn the_cached_state_includes_a_token_that_a_get_would_refresh() {
    let (bench, other, _) = two();
    bench.client.token(&any()).unwrap();
    bench.clock.advance(HOUR - Duration::from_secs(30));

    assert_eq!(other.cached_state().unwrap().token.unwrap().value(), "token-1");
    assert_eq!(other.token(&any()).unwrap().value(), "token-2");

    bench.clock.advance(HOUR);
    assert!(other.cached_state().unwrap().token.is_none());
}

#[test]
fn a_process_can_revoke_a_cached_token_of_another_process() {
    let (bench, other, store) = two();
    bench.client.token(&any()).unwrap();

    other.cached_state().unwrap();
    other.revoke(None).unwrap();

    assert_eq!(bench.server.revoked(), ["token-1"]);
    assert!(store.only_record().token.is_none());
}

#[test]
fn the_cached_state_includes_a_refusal_of_another_process() {
    let (bench, other, _) = two();
    bench.server.then_fail(rate_limited(30));
    bench.client.token(&any()).unwrap_err();

    let cooldown = other.cached_state().unwrap().cooldown.unwrap();

    assert_eq!(cooldown.status(), Status::RateLimited);
    bench.clock.advance(Duration::from_secs(60));
    assert!(other.cached_state().unwrap().cooldown.is_none());
}

#[test]
fn the_cached_state_excludes_a_rejected_token() {
    let (bench, other, store) = two();
    let token = bench.client.token(&any()).unwrap();
    let record = store.only_record();
    other.invalidate(token.value()).unwrap();

    store.change(|now| *now = record);

    assert!(other.cached_state().unwrap().token.is_none());
}

#[test]
fn a_forced_refresh_in_a_new_process_does_not_use_the_stored_token() {
    let (bench, other, _) = two();
    bench.client.token(&any()).unwrap();

    let forced = other.token(&any().force_refresh(true)).unwrap();

    assert_eq!(forced.value(), "token-2");
    assert_eq!(bench.server.requests(), 2);
}

#[test]
fn a_forced_refresh_never_uses_an_older_token() {
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
fn a_stored_token_below_the_min_ttl_of_one_caller_serves_others_after_a_refusal() {
    let (bench, other, _) = two();
    bench.client.token(&any()).unwrap();
    bench.clock.advance(Duration::from_secs(20 * 60));
    bench.server.then_fail(rate_limited(60));

    let too_long = other.token(&any().min_ttl(Duration::from_secs(50 * 60))).unwrap_err();

    assert_eq!(too_long.status(), Status::RateLimited);
    assert_eq!(other.token(&any()).unwrap().value(), "token-1");
}

#[test]
fn a_refusal_applies_to_every_process_while_another_holds_the_lock() {
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
fn r2_a_holder_that_shows_no_sign_of_life_is_waited_for_for_a_second_and_a_half() {
    let (bench, _, store) = two();
    *store.locked_by_another.lock().unwrap() = true;

    bench.client.token(&any().deadline(Duration::from_secs(5))).unwrap();

    let waited: Duration = store.patience.lock().unwrap().iter().sum();
    assert_eq!(waited, Duration::from_millis(1500));
    assert_eq!(*store.acquired.lock().unwrap(), [WhichLock::MainOrReserve]);
}

/// A client that cannot wait long enough to send a request next to that of a living process.
fn hurried(bench: &Bench, store: &Arc<FakeStore>) -> Client {
    patient_client_of(Duration::from_secs(4), &bench.clock, &bench.server, Arc::clone(store) as Arc<_>, Box::new(FixedCredentials))
}

#[test]
fn r2_who_waits_for_a_living_holder_takes_its_token_in_the_last_moment() {
    let (bench, other, store) = two();
    *store.locked_by_another.lock().unwrap() = true;
    *store.holder_is_alive.lock().unwrap() = true;
    let (holder, free) = (other.clone(), FakeStore::clone(&store));
    let waits = Arc::clone(&store);
    *store.during_wait.lock().unwrap() = Some(Event::new(move || {
        // The second wait, which ends just before the deadline.
        *waits.during_wait.lock().unwrap() = Some(Event::new(move || {
            *free.locked_by_another.lock().unwrap() = false;
            holder.token(&any()).unwrap();
            *free.locked_by_another.lock().unwrap() = true;
        }));
    }));

    let token = hurried(&bench, &store).token(&any()).unwrap();

    assert_eq!(token.value(), "token-1");
    assert_eq!(bench.server.requests(), 1);
}

#[test]
fn r2_no_request_is_sent_next_to_that_of_a_living_holder_if_it_could_not_end_in_time() {
    let (bench, _, store) = two();
    *store.locked_by_another.lock().unwrap() = true;
    *store.holder_is_alive.lock().unwrap() = true;

    let error = hurried(&bench, &store).token(&any()).unwrap_err();

    assert_eq!((error.status(), bench.server.requests()), (Status::Deadline, 0));
}

#[test]
fn r2_a_request_is_sent_next_to_that_of_a_living_holder_if_the_last_one_was_fast() {
    let (bench, _, store) = two();
    bench.client.token(&any()).unwrap();
    store.change(|record| record.last_mint_ms = Some(300));
    *store.locked_by_another.lock().unwrap() = true;
    *store.holder_is_alive.lock().unwrap() = true;

    hurried(&bench, &store).token(&any().force_refresh(true)).unwrap();

    assert_eq!(bench.server.requests(), 2);
}

#[test]
fn r2_no_request_is_sent_for_a_stopped_holder_if_the_last_one_took_longer_than_the_time_that_is_left() {
    let (bench, _, store) = two();
    bench.client.token(&any()).unwrap();
    store.change(|record| record.last_mint_ms = Some(3_000));
    *store.locked_by_another.lock().unwrap() = true;

    let error = hurried(&bench, &store).token(&any().force_refresh(true)).unwrap_err();

    assert_eq!((error.status(), bench.server.requests()), (Status::Deadline, 1));
}

#[test]
fn r2_a_record_tells_how_long_the_last_request_took() {
    let (bench, _, store) = two();
    bench.server.then(|| {
        std::thread::sleep(Duration::from_millis(30));
        Ok(minted("slow", GrantedLifetime::Stated(HOUR)))
    });

    bench.client.token(&any()).unwrap();

    assert!((30..10_000).contains(&store.only_record().last_mint_ms.unwrap()));
}

#[test]
fn a_deadline_error_reports_that_another_process_holds_the_lock() {
    let (bench, _, store) = two();
    *store.locked_by_another.lock().unwrap() = true;
    *store.holder_is_alive.lock().unwrap() = true;

    let error = hurried(&bench, &store).token(&any()).unwrap_err();

    assert_eq!(error.status(), Status::Deadline);
    assert!(error.to_string().contains("another process has held the lock of the token cache at memory for "), "{error}");
    assert!(error.hint().contains("TOKENWELL_CACHE=off"), "{}", error.hint());
}

#[test]
fn a_local_failure_does_not_shorten_the_shared_pause() {
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
        exchange: Exchange::default(),
    });

    other.token(&any()).unwrap_err();

    assert_eq!(store.only_record().cooldown.unwrap().failures, 1);
}

#[test]
fn the_cached_state_reports_that_the_store_could_not_be_read() {
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
    // The other process learns of the revocation from the 401 response of the resource server.
    other.invalidate(token.value()).unwrap();

    assert_eq!(other.token(&any()).unwrap().value(), next.value());
    assert_eq!(bench.server.requests(), 2);
}

/// Shorter than the time after which a store that does not respond is no longer waited for (2 s).
const SHORT: Duration = Duration::from_secs(1);

#[test]
fn r4_a_token_is_returned_before_it_is_saved() {
    let (bench, _, store) = two();
    store.save_gate.shut();

    let token = bench.client.token(&any().deadline(SHORT)).unwrap();

    assert_eq!(token.value(), "token-1");
    store.save_gate.open();
    bench.client.drain(TIMEOUT);
    assert_eq!(store.only_record().token.unwrap().value.expose(), "token-1");
}

#[test]
fn r4_a_refusal_is_returned_before_it_is_saved() {
    let (bench, _, store) = two();
    store.save_gate.shut();
    bench.server.then_fail(rate_limited(30));

    let error = bench.client.token(&any().deadline(SHORT)).unwrap_err();

    assert_eq!(error.status(), Status::RateLimited);
    store.save_gate.open();
    bench.client.drain(TIMEOUT);
    assert!(store.only_record().cooldown.is_some());
}

#[test]
fn r4_a_token_that_is_invalidated_while_it_is_saved_does_not_stay_in_the_store() {
    let (bench, other, store) = two();
    store.save_gate.shut();
    let token = bench.client.token(&any().deadline(SHORT)).unwrap();

    std::thread::scope(|scope| {
        let invalidation = scope.spawn(|| bench.client.invalidate(token.value()).unwrap());
        while bench.client.generation().load(Ordering::Acquire) == token.generation() {
            std::thread::yield_now();
        }
        store.save_gate.open();
        assert!(invalidation.join().unwrap());
    });
    bench.client.drain(TIMEOUT);

    assert!(store.only_record().token.is_none());
    assert_eq!(other.token(&any()).unwrap().value(), "token-2");
}

fn unavailable_for(seconds: u64) -> Error {
    let retry_after = Some(Duration::from_secs(seconds));
    Error::Server {
        server: "https://server".into(),
        description: String::new(),
        http_status: 503,
        retry_after,
        exchange: Exchange::default(),
    }
}

#[test]
fn r23_a_record_that_is_removed_lifts_the_cooldown_of_running_clients() {
    let (bench, other, store) = two();
    bench.server.then_fail(unavailable_for(3600));
    bench.client.token(&any()).unwrap_err();
    other.token(&any()).unwrap_err();
    for client in [&bench.client, &other] {
        let forced = client.token(&any().force_refresh(true)).unwrap_err();
        assert!(matches!(forced, Error::Cooldown { .. }), "a forced refresh does not skip the cooldown: {forced}");
    }

    store.clear();
    bench.clock.advance(Duration::from_secs(1));

    assert_eq!(bench.client.token(&any().force_refresh(true)).unwrap().value(), "token-1");
    assert_eq!(other.token(&any()).unwrap().value(), "token-1");
    assert_eq!(bench.server.requests(), 2);
}

#[test]
fn r23_a_due_token_is_refreshed_again_after_the_record_was_removed() {
    let (bench, _, store) = two();
    bench.client.token(&any()).unwrap();
    bench.clock.advance(Duration::from_secs(51 * 60));
    bench.server.then_fail(rate_limited(3600));
    bench.client.token(&any()).unwrap();
    bench.client.drain(TIMEOUT);
    assert!(store.only_record().cooldown.is_some());

    store.clear();
    bench.clock.advance(Duration::from_secs(1));
    bench.client.token(&any()).unwrap();
    bench.client.drain(TIMEOUT);

    assert_eq!(bench.client.token(&any()).unwrap().value(), "token-2");
}

#[test]
fn r23_a_cooldown_that_was_never_stored_is_not_lifted_by_an_empty_store() {
    let (bench, _, store) = two();
    let local = Error::Network {
        server: "s".into(),
        problem: "no route".into(),
        reached: false,
        advice: String::new(),
        source: None,
        exchange: Exchange::default(),
    };
    bench.server.then_fail(local);
    bench.client.token(&any()).unwrap_err();
    assert!(matches!(bench.client.token(&any()), Err(Error::Cooldown { .. })));

    *store.broken.lock().unwrap() = true;
    bench.clock.advance(Duration::from_secs(1));
    bench.server.then_fail(rate_limited(3600));
    bench.client.token(&any()).unwrap_err();
    *store.broken.lock().unwrap() = false;
    bench.clock.advance(Duration::from_secs(1));

    assert!(matches!(bench.client.token(&any()), Err(Error::Cooldown { .. })), "the store was broken when the refusal was received");
    assert_eq!(bench.server.requests(), 2);
}

#[test]
fn r23_the_cached_state_does_not_show_a_cooldown_that_was_lifted() {
    let (bench, _, store) = two();
    bench.server.then_fail(rate_limited(3600));
    bench.client.token(&any()).unwrap_err();
    assert!(bench.client.cached_state().unwrap().cooldown.is_some());

    store.clear();

    assert!(bench.client.cached_state().unwrap().cooldown.is_none());
}

/// The server takes 50 ms for each request, by the clock of the client.
fn slow_server(bench: &Bench) {
    for number in 1..=40 {
        let clock = Arc::clone(&bench.clock);
        bench.server.then(move || {
            clock.advance(Duration::from_millis(50));
            Ok(minted(&format!("token-{number}"), GrantedLifetime::Stated(HOUR)))
        });
    }
}

#[test]
fn r8_more_than_the_life_left_on_arrival_is_refused_without_a_request() {
    let (bench, other, _) = two();
    slow_server(&bench);
    let beyond = any().min_ttl(HOUR - Duration::from_millis(10));

    for _ in 0..30 {
        for client in [&bench.client, &other] {
            let error = client.token(&beyond).unwrap_err();
            assert_eq!(error.status(), Status::InvalidArgument, "{error}");
            assert!(error.to_string().contains("(the last one: 59 min 59.95 s)"), "{error}");
        }
    }

    assert_eq!(bench.server.requests(), 1);
    assert_eq!(bench.client.token(&any().min_ttl(HOUR - Duration::from_millis(50))).unwrap().value(), "token-1");
}

#[test]
fn r8_what_the_last_request_took_is_in_the_record_and_the_next_one_replaces_it() {
    let (bench, other, store) = two();
    slow_server(&bench);
    bench.client.token(&any()).unwrap();
    assert_eq!(store.only_record().last_mint_ms, Some(50));
    let beyond = any().min_ttl(HOUR - Duration::from_millis(10));
    assert!(other.token(&beyond).is_err());
    assert_eq!(bench.server.requests(), 1);

    bench.server.then(|| Ok(minted("fast", GrantedLifetime::Stated(HOUR))));
    for _ in 0..40 {
        bench.client.token(&any().force_refresh(true)).unwrap();
    }

    assert_eq!(store.only_record().last_mint_ms, Some(0));
    assert_eq!(bench.client.token(&beyond).unwrap().value(), "fast");
}

#[test]
fn r2_who_gets_the_lock_too_late_sends_no_request() {
    let (bench, _, store) = two();
    *store.locked_by_another.lock().unwrap() = true;
    *store.holder_is_alive.lock().unwrap() = true;
    let (free, waits) = (FakeStore::clone(&store), Arc::clone(&store));
    *store.during_wait.lock().unwrap() = Some(Event::new(move || {
        // The holder releases the lock without a token, after more than half of the time.
        *waits.during_wait.lock().unwrap() = Some(Event::new(move || *free.locked_by_another.lock().unwrap() = false));
    }));

    let error = hurried(&bench, &store).token(&any()).unwrap_err();

    assert_eq!((error.status(), bench.server.requests()), (Status::Deadline, 0));
}

#[test]
fn r2_a_caller_that_joined_later_uses_the_time_that_it_has_left() {
    let (bench, _, store) = two();
    *store.locked_by_another.lock().unwrap() = true;
    *store.holder_is_alive.lock().unwrap() = true;
    let client = hurried(&bench, &store);
    let (free, waits, joined) = (FakeStore::clone(&store), Arc::clone(&store), client.clone());
    *store.during_wait.lock().unwrap() = Some(Event::new(move || {
        while joined.stats().waits < 2 {
            std::thread::yield_now();
        }
        // As above: the first caller gets the lock too late.
        *waits.during_wait.lock().unwrap() = Some(Event::new(move || *free.locked_by_another.lock().unwrap() = false));
    }));

    std::thread::scope(|scope| {
        let first = scope.spawn(|| client.token(&any()));
        while client.stats().waits < 1 {
            std::thread::yield_now();
        }
        let second = scope.spawn(|| client.token(&any()));

        assert_eq!(first.join().unwrap().unwrap_err().status(), Status::Deadline);
        assert_eq!(second.join().unwrap().unwrap().value(), "token-1");
    });
    assert_eq!(bench.server.requests(), 1);
}

type Process = (Client, Arc<FakeServer>);

/// Two processes that share tokens, each with a server of its own.
fn two_with_servers() -> (Process, Process, FakeStore) {
    let (store, clock) = (FakeStore::default(), Arc::new(ManualClock::new(START_MS)));
    let process = || {
        let server = FakeServer::new();
        (client_of(&clock, &server, Arc::new(store.clone()), Box::new(FixedCredentials)), server)
    };
    (process(), process(), store)
}

#[test]
fn r23_a_short_refusal_does_not_replace_the_longer_one_of_another_process() {
    let ((slow, slow_server), (fast, fast_server), store) = two_with_servers();
    fast_server.then_fail(rate_limited(600));
    slow_server.then(move || {
        fast.token(&any()).unwrap_err();
        Err(unavailable())
    });

    slow.token(&any()).unwrap_err();

    assert!(store.only_record().cooldown.unwrap().until_ms >= START_MS + 600_000);
}

#[test]
fn r7_a_token_that_arrives_late_does_not_hide_a_rejection_that_another_process_counted() {
    let ((slow, slow_server), (fast, _), store) = two_with_servers();
    slow_server.then(move || {
        let token = fast.token(&any()).unwrap();
        fast.invalidate(token.value()).unwrap();
        Ok(minted("late", GrantedLifetime::Stated(Duration::from_secs(3600))))
    });

    assert_eq!(slow.token(&any()).unwrap().value(), "late");

    let record = store.only_record();
    assert_eq!(record.token.unwrap().value.expose(), "late");
    assert_eq!(record.rejected_tokens.unwrap().count, 1);
}
