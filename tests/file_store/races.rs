//! An attacker who exchanges files and directories while the store is in use.

use crate::support::{Bench, files_of, record, slot, token_in};
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokenwell::store::{FileStore, Store};

/// The number of rounds in `make test`; `make races` sets RACE_ROUNDS to a larger one.
const ROUNDS: usize = 10_000;

fn rounds_to_go() -> usize {
    let Some(rounds) = std::env::var_os("RACE_ROUNDS") else { return ROUNDS };
    rounds.to_str().and_then(|rounds| rounds.parse().ok()).filter(|rounds| *rounds > 0).expect("RACE_ROUNDS is a positive number")
}

/// Far longer than this number of rounds takes on a busy machine.
fn long_enough(rounds: usize) -> Duration {
    Duration::from_secs(120) * u32::try_from(rounds.div_ceil(ROUNDS)).expect("RACE_ROUNDS is not too large")
}

/// A valid record of the same slot outside the store's directory, which must neither be read nor
/// written.
struct Outside {
    directory: PathBuf,
    record: PathBuf,
    before: String,
}

impl Outside {
    fn beside(bench: &Bench) -> Self {
        let directory = bench.beside("outside");
        FileStore::open(directory.clone(), false).save(&slot(), &record("outside")).unwrap();
        let record = files_of(&directory).remove(0);
        let before = Self::described(&directory);
        Self { directory, record, before }
    }

    fn described(directory: &Path) -> String {
        let described =
            files_of(directory).into_iter().map(|path| (fs::metadata(&path).unwrap().modified().unwrap(), fs::read(&path).unwrap(), path));
        format!("{:?}", described.collect::<Vec<_>>())
    }

    fn assert_untouched(&self) {
        assert_eq!(Self::described(&self.directory), self.before);
    }
}

fn exchange(one: &Path, other: &Path) {
    // Fails briefly after a save has created a file there; the next round repeats it.
    let _ = renameat2(AT_FDCWD, one, AT_FDCWD, other, RenameFlags::RENAME_EXCHANGE);
}

/// Uses the store during `attack`, until both have completed many rounds and the attack has had an
/// effect.
///
/// `victim` is the path at which a reader without checks would find the outside record.
fn use_under_attack(bench: &Bench, victim: &Path, outside: &Outside, attack: impl Fn() + Sync) {
    let evil = fs::read(&outside.record).unwrap();
    let wanted = rounds_to_go();
    let (attacks, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                attack();
                attacks.fetch_add(1, Ordering::SeqCst);
            }
        });

        let begun = Instant::now();
        let (mut rounds, mut deceived, mut loaded, mut refused) = (0, 0, 0, 0);
        let mut found_outside = false;
        while (rounds < wanted || attacks.load(Ordering::SeqCst) < wanted || deceived * loaded * refused == 0)
            && !found_outside
            && begun.elapsed() < long_enough(wanted)
        {
            deceived += usize::from(fs::read(victim).is_ok_and(|bytes| bytes == evil));
            match bench.store.load(&slot()) {
                Ok(record) => {
                    found_outside |= token_in(&record).as_deref() == Some("outside");
                    loaded += usize::from(record.token.is_some());
                }
                Err(_) => refused += 1,
            }
            let _ = bench.store.save(&slot(), &record("inside"));
            let _ = bench.store.lock(&slot(), Duration::ZERO);
            rounds += 1;
        }
        over.store(true, Ordering::SeqCst);

        assert!(!found_outside, "a record outside of the directory was read");
        assert!(rounds >= wanted && deceived * loaded * refused > 0, "{rounds} rounds, {deceived} {loaded} {refused}");
    });
    outside.assert_untouched();
}

#[test]
fn i11_a_record_that_is_swapped_for_a_link_is_never_followed() {
    let bench = Bench::with("inside");
    let outside = Outside::beside(&bench);
    let (record, link) = (bench.file("token"), bench.beside("cache/link"));
    let is_link = |path: &Path| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());

    use_under_attack(&bench, &record, &outside, || {
        exchange(&record, &link);
        // A save may have replaced the link with its file.
        if !is_link(&record) && !is_link(&link) {
            let _ = fs::remove_file(&link);
            let _ = symlink(&outside.record, &link);
        }
    });
}

#[test]
fn i11_a_lock_file_that_is_swapped_for_a_link_is_never_followed() {
    let bench = Bench::with("inside");
    drop(bench.store.lock(&slot(), Duration::ZERO).unwrap());
    let outside = Outside::beside(&bench);
    let (lock, link) = (bench.file("lock"), bench.beside("cache/link"));
    symlink(outside.directory.join("made through the link"), &link).unwrap();

    let (wanted, over) = (rounds_to_go(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                exchange(&lock, &link);
            }
        });
        let begun = Instant::now();
        let (mut rounds, mut locked, mut refused) = (0, 0, 0);
        while (rounds < wanted || locked * refused == 0) && begun.elapsed() < long_enough(wanted) {
            match bench.store.lock(&slot(), Duration::ZERO) {
                Ok(held) => locked += usize::from(held.is_some()),
                Err(_) => refused += 1,
            }
            rounds += 1;
        }
        over.store(true, Ordering::SeqCst);
        assert!(rounds >= wanted && locked * refused > 0, "{rounds} rounds, {locked} {refused}");
    });
    outside.assert_untouched();
}

#[test]
fn i11_a_directory_that_is_swapped_for_a_link_is_never_followed() {
    let bench = Bench::with("inside");
    let outside = Outside::beside(&bench);
    let link = bench.beside("link");
    symlink(&outside.directory, &link).unwrap();
    let record = bench.file("token");
    let directory = bench.directory();

    use_under_attack(&bench, &record, &outside, || exchange(&directory, &link));
}
