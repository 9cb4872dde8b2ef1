//! `src/cache/flight.rs` itself, with loom's locks in place of std's: `cargo test --release` tries their interleavings.
#![cfg(test)]
#![allow(dead_code)]

#[path = "../../../src/cache/flight.rs"]
mod flight;

mod sync {
    pub(crate) use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
}

use flight::{Entry, Flight, SingleFlight};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;

/// A cache in miniature: what a flight publishes, and how often one was flown.
struct Cache {
    flights: SingleFlight<u32>,
    published: AtomicU32,
    flown: AtomicU32,
    manners: Manners,
}

/// How a cache uses its flights.
#[derive(Clone, Copy)]
struct Manners {
    enter: fn(&Cache) -> Entry<u32, u32>,
    fly: fn(&Cache, &Arc<Flight<u32>>),
}

/// Those of `Slot`.
const GOOD: Manners = Manners { enter: Cache::enter_looking_under_the_lock, fly: Cache::fly_publishing_first };

impl Cache {
    fn new() -> Arc<Self> {
        Self::with(GOOD)
    }

    fn with(manners: Manners) -> Arc<Self> {
        Arc::new(Self { flights: SingleFlight::new(), published: AtomicU32::new(0), flown: AtomicU32::new(0), manners })
    }

    /// As `Slot::get` does: enter, fly if nobody does, wait.
    fn get(&self) -> u32 {
        match self.enter() {
            Entry::Answered(value) => value,
            Entry::Joined(flight) => flight.wait(None).unwrap(),
            Entry::Started(flight) => {
                self.fly(&flight);
                flight.wait(None).unwrap()
            }
        }
    }

    fn enter(&self) -> Entry<u32, u32> {
        (self.manners.enter)(self)
    }

    fn fly(&self, flight: &Arc<Flight<u32>>) {
        (self.manners.fly)(self, flight);
    }

    fn enter_looking_under_the_lock(&self) -> Entry<u32, u32> {
        self.flights.enter(|| self.seen())
    }

    /// Broken: a flight may land between the look and the lock.
    fn enter_looking_before_the_lock(&self) -> Entry<u32, u32> {
        let seen = self.seen();
        self.flights.enter(|| seen)
    }

    fn seen(&self) -> Option<u32> {
        match self.published.load(Ordering::Acquire) {
            0 => None,
            value => Some(value),
        }
    }

    fn fly_publishing_first(&self, flight: &Arc<Flight<u32>>) {
        let value = self.flown.fetch_add(1, Ordering::AcqRel) + 1;
        self.published.store(value, Ordering::Release);
        self.flights.land(flight, value);
    }

    /// Broken: a caller may come when the flight is gone and what it brought is not there yet.
    fn fly_landing_first(&self, flight: &Arc<Flight<u32>>) {
        let value = self.flown.fetch_add(1, Ordering::AcqRel) + 1;
        self.flights.land(flight, value);
        self.published.store(value, Ordering::Release);
    }
}

#[test]
fn two_callers_fly_once_and_both_get_the_result() {
    loom::model(|| callers_fly_once(2, GOOD));
}

/// Every interleaving of three callers takes minutes; those in which threads are preempted at most three times take seconds, and
/// are known to hold nearly all faults.
#[test]
fn three_callers_fly_once_and_all_get_the_result() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| callers_fly_once(3, GOOD));
}

/// The model can fail: it finds what goes wrong for one moment between two lines.
#[test]
#[should_panic(expected = "more than one flight")]
fn a_planted_race_between_look_and_lock_is_found() {
    loom::model(|| callers_fly_once(2, Manners { enter: Cache::enter_looking_before_the_lock, ..GOOD }));
}

#[test]
#[should_panic(expected = "more than one flight")]
fn a_planted_race_between_landing_and_publishing_is_found() {
    loom::model(|| callers_fly_once(2, Manners { fly: Cache::fly_landing_first, ..GOOD }));
}

fn callers_fly_once(callers: usize, manners: Manners) {
    let cache = Cache::with(manners);
    let others: Vec<_> = (1..callers)
        .map(|_| {
            let cache = Arc::clone(&cache);
            thread::spawn(move || cache.get())
        })
        .collect();

    let mine = cache.get();
    let theirs = others.into_iter().map(|other| other.join().unwrap());
    let got: Vec<_> = theirs.chain([mine]).collect();

    assert_eq!(cache.flown.load(Ordering::Acquire), 1, "more than one flight");
    assert_eq!(got, vec![1; callers]);
}

#[test]
fn the_work_on_a_thread_of_its_own_reaches_the_caller_who_started_it_and_one_who_joins() {
    loom::model(|| {
        let cache = Cache::new();
        let joins = {
            let cache = Arc::clone(&cache);
            thread::spawn(move || match cache.enter() {
                Entry::Answered(value) => value,
                Entry::Joined(flight) => flight.wait(None).unwrap(),
                Entry::Started(flight) => {
                    cache.fly(&flight);
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
                    thread::spawn(move || cache.fly(&flight))
                };
                let value = flight.wait(None).unwrap();
                worker.join().unwrap();
                value
            }
        };

        assert_eq!((mine, joins.join().unwrap()), (1, 1));
        assert_eq!(cache.flown.load(Ordering::Acquire), 1);
    });
}

#[test]
fn a_caller_that_gives_up_does_not_spoil_the_flight() {
    loom::model(|| {
        let cache = Cache::new();
        let gives_up = {
            let cache = Arc::clone(&cache);
            thread::spawn(move || match cache.enter() {
                // It does not wait for what it has joined.
                Entry::Joined(flight) => drop(flight),
                Entry::Answered(_) => {}
                Entry::Started(flight) => cache.fly(&flight),
            })
        };

        assert_eq!(cache.get(), 1);
        gives_up.join().unwrap();
        assert_eq!(cache.flown.load(Ordering::Acquire), 1);
    });
}

#[test]
fn abandoning_wakes_who_waits_and_the_late_result_does_not_count() {
    loom::model(|| {
        let cache = Cache::new();
        let Entry::Started(flight) = cache.enter() else { panic!("the first caller starts") };
        let waits = {
            let flight = Arc::clone(&flight);
            thread::spawn(move || flight.wait(None).unwrap())
        };
        let closes = {
            let cache = Arc::clone(&cache);
            thread::spawn(move || cache.flights.abandon(99))
        };

        cache.flights.land(&flight, 1);
        closes.join().unwrap();

        let result = waits.join().unwrap();
        assert!(result == 1 || result == 99, "{result}");
        assert_eq!(flight.wait(None), Some(result), "everybody sees the same result");
    });
}
