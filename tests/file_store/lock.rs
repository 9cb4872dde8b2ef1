//! The lock has one holder at a time, even if processes are killed or stopped or fork.

use crate::child::{PATIENCE, Running};
use crate::support::{Bench, slot};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tokenwell::secret::Secret;
use tokenwell::store::{Contender, SlotKey, Store, StoreLock, WhichLock};

fn is_free(bench: &Bench) -> bool {
    bench.store.lock(&slot(), Duration::ZERO).unwrap().is_some()
}

#[test]
fn a_lock_is_held_until_its_guard_is_dropped() {
    let bench = Bench::new();

    let held = bench.store.lock(&slot(), Duration::ZERO).unwrap().unwrap();
    assert!(!is_free(&bench));
    drop(held);

    assert!(is_free(&bench));
    assert!(fs::read(bench.file("lock")).unwrap().is_empty());
}

#[test]
fn the_lock_of_one_slot_does_not_block_another() {
    let bench = Bench::new();
    let _held = bench.store.lock(&slot(), Duration::ZERO).unwrap().unwrap();

    let other = SlotKey { secret: Secret::from("another"), ..slot() };

    assert!(bench.store.lock(&other, Duration::ZERO).unwrap().is_some());
}

#[test]
fn records_are_read_and_written_while_another_holds_the_lock() {
    let bench = Bench::with("token");
    let _held = bench.store.lock(&slot(), Duration::ZERO).unwrap().unwrap();

    bench.save("next");

    assert_eq!(bench.token().as_deref(), Some("next"));
}

#[test]
fn many_threads_hold_the_lock_one_at_a_time() {
    let bench = Bench::new();
    let (inside, turns) = (AtomicUsize::new(0), AtomicUsize::new(0));

    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let turn = bench.store.lock(&slot(), PATIENCE).unwrap().expect("each thread acquires the lock");
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    turns.fetch_add(1, Ordering::SeqCst);
                    inside.fetch_sub(1, Ordering::SeqCst);
                    drop(turn);
                }
            });
        }
    });

    assert_eq!(turns.into_inner(), 160);
}

#[test]
fn i15_many_processes_each_get_their_turn_and_never_two_at_once() {
    let bench = Bench::new();
    let number = bench.beside("number");
    fs::write(&number, "0").unwrap();

    let mut children: Vec<_> = (0..4).map(|_| Running::start("count", &bench.directory(), number.to_str().unwrap())).collect();
    for child in &mut children {
        assert_eq!(child.next_word(), "counted");
    }

    assert_eq!(fs::read_to_string(&number).unwrap(), "400");
}

#[test]
fn i15_the_lock_of_a_killed_process_is_free_at_once() {
    let bench = Bench::new();
    let mut holder = Running::start("hold", &bench.directory(), "");
    assert_eq!(holder.next_word(), "held");
    assert!(!is_free(&bench));

    holder.kill();

    assert!(is_free(&bench));
}

#[test]
fn i15_a_stopped_holder_costs_others_their_patience_and_no_more() {
    const PATIENCE: Duration = Duration::from_millis(300);
    let bench = Bench::new();
    let mut holder = Running::start("hold", &bench.directory(), "");
    assert_eq!(holder.next_word(), "held");
    let pid = Pid::from_raw(holder.child.id().try_into().unwrap());
    kill(pid, Signal::SIGSTOP).unwrap();

    let begun = Instant::now();
    let lock = bench.store.lock(&slot(), PATIENCE).unwrap();

    assert!(lock.is_none());
    assert!(begun.elapsed() >= PATIENCE, "{:?}", begun.elapsed());
    kill(pid, Signal::SIGCONT).unwrap();
    holder.end();
    assert!(is_free(&bench));
}

#[test]
fn i30_a_forked_childs_copy_neither_ends_nor_keeps_the_lock() {
    let bench = Bench::new();
    let mut holder = Running::start("hold_and_fork", &bench.directory(), "");

    assert_eq!(holder.next_word(), "the child has dropped its copy");
    assert!(!is_free(&bench), "the child's drop must not end the parent's lock");
    holder.tell(b"!");
    assert_eq!(holder.next_word(), "released");

    assert!(is_free(&bench), "the child's copy must not keep the lock");
    holder.end();
}

#[test]
fn i30_a_program_that_the_holder_started_does_not_keep_the_lock() {
    let bench = Bench::new();
    let mut holder = Running::start("hold_and_start", &bench.directory(), "");
    let program = Pid::from_raw(holder.next_word().parse().unwrap());

    holder.kill();

    // The system closes the program's copy of the descriptor when it executes the program, which
    // may be shortly after the holder continues.
    let free = bench.store.lock(&slot(), PATIENCE).unwrap().is_some();
    kill(program, Signal::SIGKILL).expect("the program outlives the holder");
    assert!(free);
}

#[test]
fn a_process_that_waits_while_the_cache_is_cleared_gets_a_lock_that_others_see() {
    let bench = Bench::new();
    let held = bench.store.lock(&slot(), Duration::ZERO).unwrap().unwrap();

    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _lock = bench.store.lock(&slot(), PATIENCE).unwrap().unwrap();
            assert!(!is_free(&bench));
        });
        // Moved away first, because the waiting process may create its file again while the directory
        // is removed.
        fs::rename(bench.directory(), bench.beside("removed")).unwrap();
        fs::remove_dir_all(bench.beside("removed")).unwrap();
    });

    drop(held);
}

#[test]
fn a_directory_that_cannot_be_created_is_an_error_with_its_path() {
    let bench = Bench::new();
    fs::write(bench.beside("file"), "").unwrap();
    let store = tokenwell::store::FileStore::open(bench.beside("file/cache"), false);

    let error = store.lock(&slot(), Duration::ZERO).unwrap_err().to_string();

    assert!(error.contains("file/cache"), "{error}");
}

fn contender(bench: &Bench) -> Box<dyn Contender> {
    bench.store.contend(&slot()).unwrap().expect("the file store reports changes")
}

/// Waits until the contender acquires a lock. Returns it with the number of attempts.
fn acquired(contender: &mut Box<dyn Contender>, which: WhichLock) -> (Box<dyn StoreLock>, usize) {
    let (started, waiter) = (Instant::now(), contender.waiter());
    for attempts in 1.. {
        if let Some(lock) = contender.attempt(which).unwrap().lock {
            return (lock, attempts);
        }
        assert!(started.elapsed() < PATIENCE, "no lock after {attempts} attempts");
        waiter.wait(PATIENCE);
    }
    unreachable!("the attempts end with the patience")
}

/// Makes the holder look as if it had been stopped long ago.
fn age(lock_file: &Path) {
    let file = fs::File::options().write(true).open(lock_file).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
}

fn lock_files(bench: &Bench) -> usize {
    bench.files().iter().filter(|path| path.extension().is_some_and(|extension| extension == "lock")).count()
}

#[test]
fn r20_who_waits_tries_again_when_the_lock_is_released() {
    let bench = Bench::new();
    let held = bench.store.lock(&slot(), Duration::ZERO).unwrap().unwrap();
    let mut contender = contender(&bench);
    assert!(contender.attempt(WhichLock::Main).unwrap().lock.is_none());

    let (lock, attempts) = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| acquired(&mut contender, WhichLock::Main));
        drop(held);
        waiting.join().unwrap()
    });

    // Not the hundreds of attempts of a poll, even if reports are not available here.
    assert!(attempts <= 10, "{attempts}");
    drop(lock);
}

#[test]
fn r20_who_waits_reads_the_record_when_it_was_replaced() {
    let bench = Bench::new();
    let _held = bench.store.lock(&slot(), Duration::ZERO).unwrap().unwrap();
    let mut contender = contender(&bench);
    assert!(contender.attempt(WhichLock::Main).unwrap().record.unwrap().token.is_none());

    bench.save("token");
    let waited = contender.waiter().wait(PATIENCE);

    // Less than the time after which an attempt is made without a report.
    assert!(waited < Duration::from_millis(1500), "{waited:?}");
    assert!(contender.attempt(WhichLock::Main).unwrap().record.unwrap().token.is_some());
}

#[test]
fn r2_one_process_acquires_the_reserve_lock_of_a_stopped_holder() {
    let bench = Bench::new();
    let held = bench.store.lock(&slot(), Duration::ZERO).unwrap().unwrap();
    age(&bench.file("lock"));
    let (mut first, mut second) = (contender(&bench), contender(&bench));

    assert!(!first.attempt(WhichLock::Main).unwrap().holder.is_silent, "it has time to show that it lives");
    first.waiter().wait(PATIENCE);
    assert!(first.attempt(WhichLock::Main).unwrap().holder.is_silent);
    let reserve = first.attempt(WhichLock::MainOrReserve).unwrap().lock.expect("the reserve lock");

    assert!(second.attempt(WhichLock::MainOrReserve).unwrap().lock.is_none(), "it is held");
    assert_eq!(lock_files(&bench), 2);
    drop(reserve);
    assert_eq!(lock_files(&bench), 1, "its holder removes its file");
    let reserve = acquired(&mut second, WhichLock::MainOrReserve).0;
    assert_eq!(lock_files(&bench), 2);
    drop((reserve, held));
}

#[test]
fn r2_the_next_reserve_lock_is_for_a_second_stopped_holder() {
    let bench = Bench::new();
    let _held = bench.store.lock(&slot(), Duration::ZERO).unwrap().unwrap();
    age(&bench.file("lock"));
    let _reserve = contender(&bench).attempt(WhichLock::MainOrReserve).unwrap().lock.expect("the reserve lock");
    for file in bench.files() {
        age(&file);
    }

    let (_next, attempts) = acquired(&mut contender(&bench), WhichLock::MainOrReserve);

    assert!(attempts > 1, "the holder of the reserve lock has time to show that it lives");
    assert_eq!(lock_files(&bench), 3);
}

#[test]
fn r2_a_holder_that_gives_signs_of_life_is_not_silent() {
    let bench = Bench::new();
    let held = bench.store.lock(&slot(), Duration::ZERO).unwrap().unwrap();
    age(&bench.file("lock"));
    let mut contender = contender(&bench);
    assert!(contender.attempt(WhichLock::Main).unwrap().lock.is_none());

    held.sign_of_life().expect("a file has a time")();

    let waited = contender.waiter().wait(Duration::from_millis(700));
    assert!(!contender.attempt(WhichLock::Main).unwrap().holder.is_silent, "{waited:?}");
    let held_for = contender.attempt(WhichLock::Main).unwrap().holder.held_for.unwrap();
    assert!(held_for < PATIENCE, "{held_for:?}");
}
