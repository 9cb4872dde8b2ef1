//! Checks `src/cache/flight.rs` with loom's locks instead of std's: `cargo test --release` runs it
//! under the interleavings of its threads.
#![cfg(test)]
#![allow(dead_code)]

#[path = "../../../src/cache/flight.rs"]
mod flight;

mod sync {
    pub(crate) use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
}

use flight::{Entry, Flight, Registration, SingleFlight};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use loom::thread;
use std::task::{Poll, Wake, Waker};

/// A minimal cache: the published value, and the number of times the work was run.
struct Cache {
    flights: SingleFlight<u32>,
    published: AtomicU32,
    runs: AtomicU32,
    strategy: Strategy,
}

/// How a cache uses its flights.
#[derive(Clone, Copy)]
struct Strategy {
    enter: fn(&Cache) -> Entry<u32, u32>,
    run: fn(&Cache, &Arc<Flight<u32>>),
}

/// The strategy of `Slot`.
const CORRECT: Strategy = Strategy { enter: Cache::enter_checking_under_lock, run: Cache::run_publishing_first };

impl Cache {
    fn new() -> Arc<Self> {
        Self::with(CORRECT)
    }

    fn with(strategy: Strategy) -> Arc<Self> {
        Arc::new(Self { flights: SingleFlight::new(), published: AtomicU32::new(0), runs: AtomicU32::new(0), strategy })
    }

    /// Like `Slot::get`: enter, run the work if no flight is pending, wait.
    fn get(&self) -> u32 {
        match self.enter() {
            Entry::Answered(value) => value,
            Entry::Joined(flight) => flight.wait(None).unwrap(),
            Entry::Started(flight) => {
                self.run(&flight);
                flight.wait(None).unwrap()
            }
        }
    }

    fn enter(&self) -> Entry<u32, u32> {
        (self.strategy.enter)(self)
    }

    fn run(&self, flight: &Arc<Flight<u32>>) {
        (self.strategy.run)(self, flight);
    }

    fn enter_checking_under_lock(&self) -> Entry<u32, u32> {
        self.flights.enter(|| self.seen())
    }

    /// Broken: a flight may complete between the check and the lock.
    fn enter_checking_before_lock(&self) -> Entry<u32, u32> {
        let seen = self.seen();
        self.flights.enter(|| seen)
    }

    fn seen(&self) -> Option<u32> {
        match self.published.load(Ordering::Acquire) {
            0 => None,
            value => Some(value),
        }
    }

    fn run_publishing_first(&self, flight: &Arc<Flight<u32>>) {
        let value = self.runs.fetch_add(1, Ordering::AcqRel) + 1;
        self.published.store(value, Ordering::Release);
        self.flights.complete(flight, value);
    }

    /// Broken: a caller may arrive after the flight is removed and before its result is published.
    fn run_completing_first(&self, flight: &Arc<Flight<u32>>) {
        let value = self.runs.fetch_add(1, Ordering::AcqRel) + 1;
        self.flights.complete(flight, value);
        self.published.store(value, Ordering::Release);
    }
}

#[test]
fn two_callers_share_one_run_and_its_result() {
    loom::model(|| callers_share_one_run(2, CORRECT));
}

/// Every interleaving of three callers takes minutes. Those with at most three preemptions take
/// seconds and are known to expose nearly all faults.
#[test]
fn three_callers_share_one_run_and_its_result() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| callers_share_one_run(3, CORRECT));
}

/// Proves that the model can fail: it detects a race of one moment between two lines.
#[test]
#[should_panic(expected = "more than one flight")]
fn a_planted_race_between_check_and_lock_is_found() {
    loom::model(|| callers_share_one_run(2, Strategy { enter: Cache::enter_checking_before_lock, ..CORRECT }));
}

#[test]
#[should_panic(expected = "more than one flight")]
fn a_planted_race_between_completing_and_publishing_is_found() {
    loom::model(|| callers_share_one_run(2, Strategy { run: Cache::run_completing_first, ..CORRECT }));
}

fn callers_share_one_run(callers: usize, strategy: Strategy) {
    let cache = Cache::with(strategy);
    let others: Vec<_> = (1..callers)
        .map(|_| {
            let cache = Arc::clone(&cache);
            thread::spawn(move || cache.get())
        })
        .collect();

    let mine = cache.get();
    let theirs = others.into_iter().map(|other| other.join().unwrap());
    let got: Vec<_> = theirs.chain([mine]).collect();

    assert_eq!(cache.runs.load(Ordering::Acquire), 1, "more than one flight");
    assert_eq!(got, vec![1; callers]);
}

#[test]
fn a_result_from_a_worker_thread_reaches_the_caller_that_started_it_and_one_that_joined() {
    loom::model(|| {
        let cache = Cache::new();
        let joining = {
            let cache = Arc::clone(&cache);
            thread::spawn(move || match cache.enter() {
                Entry::Answered(value) => value,
                Entry::Joined(flight) => flight.wait(None).unwrap(),
                Entry::Started(flight) => {
                    cache.run(&flight);
                    flight.wait(None).unwrap()
                }
            })
        };
        let mine = match cache.enter() {
            Entry::Answered(value) => value,
            Entry::Joined(flight) => flight.wait(None).unwrap(),
            Entry::Started(flight) => {
                let worker = {
                    let (cache, flight) = (Arc::clone(&cache), Arc::clone(&flight));
                    thread::spawn(move || cache.run(&flight))
                };
                let value = flight.wait(None).unwrap();
                worker.join().unwrap();
                value
            }
        };

        assert_eq!((mine, joining.join().unwrap()), (1, 1));
        assert_eq!(cache.runs.load(Ordering::Acquire), 1);
    });
}

#[test]
fn a_caller_that_gives_up_does_not_spoil_the_flight() {
    loom::model(|| {
        let cache = Cache::new();
        let giving_up = {
            let cache = Arc::clone(&cache);
            thread::spawn(move || match cache.enter() {
                // Does not wait for the flight that it joined.
                Entry::Joined(flight) => drop(flight),
                Entry::Answered(_) => {}
                Entry::Started(flight) => cache.run(&flight),
            })
        };

        assert_eq!(cache.get(), 1);
        giving_up.join().unwrap();
        assert_eq!(cache.runs.load(Ordering::Acquire), 1);
    });
}

#[test]
fn abandoning_wakes_the_waiting_callers_and_a_late_result_is_ignored() {
    loom::model(|| {
        let cache = Cache::new();
        let Entry::Started(flight) = cache.enter() else { panic!("the first caller starts") };
        let waiting = {
            let flight = Arc::clone(&flight);
            thread::spawn(move || flight.wait(None).unwrap())
        };
        let closing = {
            let cache = Arc::clone(&cache);
            thread::spawn(move || cache.flights.abandon(99))
        };

        cache.flights.complete(&flight, 1);
        closing.join().unwrap();

        let result = waiting.join().unwrap();
        assert!(result == 1 || result == 99, "{result}");
        assert_eq!(flight.wait(None), Some(result), "all callers receive the same result");
    });
}

/// Notes that it was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_caller_that_registers_sees_the_result_or_is_woken() {
    loom::model(|| {
        let cache = Cache::new();
        let Entry::Started(flight) = cache.enter() else { panic!("the first caller starts") };
        let working = {
            let (cache, flight) = (Arc::clone(&cache), Arc::clone(&flight));
            thread::spawn(move || cache.run(&flight))
        };
        let woken = std::sync::Arc::new(Woken::default());

        let first = flight.poll(&Waker::from(std::sync::Arc::clone(&woken)), &mut Registration::NONE);
        working.join().unwrap();

        assert!(first == Poll::Ready(1) || woken.0.load(Ordering::SeqCst), "neither seen nor woken");
        assert_eq!(flight.wait(None), Some(1));
    });
}

#[test]
fn a_caller_that_stops_waiting_is_forgotten_and_the_others_are_woken() {
    loom::model(|| {
        let cache = Cache::new();
        let Entry::Started(flight) = cache.enter() else { panic!("the first caller starts") };
        let woken = std::sync::Arc::new(Woken::default());
        let (mut leaving, mut staying) = (Registration::NONE, Registration::NONE);
        assert_eq!(flight.poll(Waker::noop(), &mut leaving), Poll::Pending);
        assert_eq!(flight.poll(&Waker::from(std::sync::Arc::clone(&woken)), &mut staying), Poll::Pending);
        let leaving = {
            let flight = Arc::clone(&flight);
            thread::spawn(move || flight.forget(&mut leaving))
        };

        cache.run(&flight);
        leaving.join().unwrap();
        flight.forget(&mut staying);

        assert!(woken.0.load(Ordering::SeqCst));
    });
}

/// Does the work on another thread, with what follows its result.
fn run_to_the_end(cache: &Arc<Cache>, flight: &Arc<Flight<u32>>) -> thread::JoinHandle<()> {
    let (cache, flight) = (Arc::clone(cache), Arc::clone(flight));
    thread::spawn(move || {
        cache.run(&flight);
        flight.end();
    })
}

#[test]
fn the_end_of_the_work_is_seen_after_its_result() {
    loom::model(|| {
        let cache = Cache::new();
        let Entry::Started(flight) = cache.enter() else { panic!("the first caller starts") };
        let working = run_to_the_end(&cache, &flight);

        assert!(flight.wait_for_end(None));

        assert_eq!(flight.poll(Waker::noop(), &mut Registration::NONE), Poll::Ready(1));
        working.join().unwrap();
    });
}

#[test]
fn a_caller_that_waits_for_the_end_sees_it_or_is_woken() {
    loom::model(|| {
        let cache = Cache::new();
        let Entry::Started(flight) = cache.enter() else { panic!("the first caller starts") };
        let working = run_to_the_end(&cache, &flight);
        let woken = std::sync::Arc::new(Woken::default());
        assert_eq!(flight.wait(None), Some(1));

        let first = flight.poll_end(&Waker::from(std::sync::Arc::clone(&woken)), &mut Registration::NONE);
        working.join().unwrap();

        assert!(first == Poll::Ready(()) || woken.0.load(Ordering::SeqCst), "neither seen nor woken");
        assert_eq!(flight.poll_end(Waker::noop(), &mut Registration::NONE), Poll::Ready(()));
    });
}
