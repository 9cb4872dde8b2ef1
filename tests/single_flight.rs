//! Any number of callers share one token request, and no caller can spoil it for the others.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::Barrier;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;
use support::{HOUR, bench, unavailable};
use tokenwell::{Error, Status, TokenOptions};

const CALLERS: usize = 100;

#[test]
fn a_hundred_cold_threads_make_one_request() {
    let bench = bench();
    let start = Barrier::new(CALLERS);

    thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    bench.client.token(&TokenOptions::default()).unwrap().value().to_owned()
                })
            })
            .collect();
        for caller in callers {
            assert_eq!(caller.join().unwrap(), "token-1");
        }
    });

    assert_eq!(bench.server.requests(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_cold_tasks_make_one_request() {
    let bench = bench();

    let tasks: Vec<_> = (0..CALLERS)
        .map(|_| {
            let client = bench.client.clone();
            tokio::spawn(async move { client.token_async(&TokenOptions::default()).await.unwrap().value().to_owned() })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), "token-1");
    }

    assert_eq!(bench.server.requests(), 1);
}

#[test]
fn threads_that_race_across_many_expiries_make_one_request_for_each() {
    const ROUNDS: usize = 200;
    const RACERS: usize = 8;
    let bench = bench();
    let start = Barrier::new(RACERS + 1);

    thread::scope(|scope| {
        for _ in 0..RACERS {
            scope.spawn(|| {
                for round in 1..=ROUNDS {
                    start.wait();
                    assert_eq!(bench.client.token(&TokenOptions::default()).unwrap().value(), format!("token-{round}"));
                    start.wait();
                }
            });
        }
        for _ in 0..ROUNDS {
            start.wait();
            start.wait();
            bench.clock.advance(HOUR);
        }
    });

    assert_eq!(bench.server.requests(), ROUNDS);
}

#[test]
fn a_caller_that_gives_up_does_not_spoil_the_flight() {
    let bench = bench();
    bench.server.gate.shut();

    let impatient = bench.client.token(&TokenOptions::default().deadline(Duration::from_millis(50))).unwrap_err();
    let patient = thread::spawn({
        let client = bench.client.clone();
        move || client.token(&TokenOptions::default()).unwrap().value().to_owned()
    });
    bench.server.gate.open();

    assert_eq!(impatient.status(), Status::Deadline);
    assert_eq!(patient.join().unwrap(), "token-1");
    assert_eq!(bench.server.requests(), 1);
}

#[test]
fn a_future_that_is_dropped_does_not_spoil_the_flight() {
    let bench = bench();
    bench.server.gate.shut();

    {
        let options = TokenOptions::default();
        let mut future = Box::pin(bench.client.token_async(&options));
        let pending = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(pending, Poll::Pending));
    }
    bench.server.gate.open();

    assert_eq!(bench.client.token(&TokenOptions::default()).unwrap().value(), "token-1");
    assert_eq!(bench.server.requests(), 1);
}

#[test]
fn a_failed_flight_fails_all_callers_that_joined_it_with_one_request() {
    let bench = bench();
    bench.server.then_fail(unavailable());
    bench.server.gate.shut();

    thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(|| bench.client.token(&TokenOptions::default()))).collect();
        bench.server.wait_for_requests(1);
        bench.server.gate.open();
        for caller in callers {
            assert_eq!(caller.join().unwrap().unwrap_err().status(), Status::Server);
        }
    });

    assert_eq!(bench.server.requests(), 1);
}

#[test]
fn closing_wakes_all_waiting_callers() {
    let bench = bench();
    bench.server.gate.shut();

    thread::scope(|scope| {
        let callers: Vec<_> = (0..16).map(|_| scope.spawn(|| bench.client.token(&TokenOptions::default()))).collect();
        bench.server.wait_for_requests(1);
        bench.client.close();
        for caller in callers {
            assert!(matches!(caller.join().unwrap(), Err(Error::Closed)));
        }
        bench.server.gate.open();
    });
}

#[test]
fn concurrent_forced_refreshes_share_one_request() {
    let bench = bench();
    bench.client.token(&TokenOptions::default()).unwrap();
    bench.server.gate.shut();

    thread::scope(|scope| {
        let forced = TokenOptions::default().force_refresh(true);
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let forced = forced.clone();
                let client = &bench.client;
                scope.spawn(move || client.token(&forced).unwrap().value().to_owned())
            })
            .collect();
        // Every caller has seen the old token before the new one can arrive.
        while bench.client.stats().waits < 1 + CALLERS as u64 {
            thread::yield_now();
        }
        bench.server.gate.open();
        for caller in callers {
            assert_eq!(caller.join().unwrap(), "token-2");
        }
    });

    assert_eq!(bench.server.requests(), 2);
}
