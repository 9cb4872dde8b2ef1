//! Removes files that are not used any more: seldom, and a bounded number of files each time.
//!
//! A save does no more than read the time of one file, the stamp. Once a day the save begins to go
//! through the directory, in steps: each checks about a thousand names and keeps its position in
//! the stamp for the next one.

use super::directory::StoreDirectory;
use super::{is_lock, is_record, lock};
use std::fs::File;
use std::io::{Read, Write};
use std::time::{Duration, SystemTime};

/// The file whose time is that of the last step. It contains the position of the next step, or
/// nothing if the last one reached the end of the directory.
pub(super) const STAMP: &str = "housekeeping";

/// The time from the end of the directory to the next start.
const PAUSE: Duration = Duration::from_secs(24 * 60 * 60);
/// The time between two steps.
const PAUSE_BETWEEN_STEPS: Duration = Duration::from_secs(60);
/// The number of names in one step. A little more if the system returns more with one call.
const NAMES_IN_A_STEP: usize = 1000;
/// A slot whose files were not written for this long is not used any more: its secret was replaced, or
/// its program removed. If a token was still valid, another one is requested.
const DEAD_AFTER: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The age at which a temporary file is considered abandoned. A writer that was stopped for longer
/// finds its file removed and returns an error; the record is unaffected.
const STALE_AFTER: Duration = Duration::from_secs(10 * 60);

/// Makes the next step if it is due. Returns the number of names that it checked, `None` if it is
/// not due.
///
/// Ignores errors: what is not removed now is removed later.
pub(super) fn step_if_due(directory: &StoreDirectory) -> Option<usize> {
    step_of(directory, NAMES_IN_A_STEP)
}

fn step_of(directory: &StoreDirectory, names: usize) -> Option<usize> {
    if !is_due(directory.size_and_time(STAMP).ok()?) {
        return None;
    }
    let mut stamp = directory.open_or_create_file(STAMP).ok()?;
    // Another process makes this step.
    stamp.try_lock().ok()?;
    let position = position_in(&mut stamp);
    // Set before the work, so that a process that is killed in it does not leave it to every other one.
    stamp.set_modified(SystemTime::now()).ok()?;
    let mut count = 0;
    let next = directory.visit_names(position, names, &mut |name| {
        count += 1;
        remove_if_unused(directory, name, DEAD_AFTER);
    });
    let _ = set_position(&mut stamp, next.unwrap_or(None));
    Some(count)
}

/// Returns whether a step is due, by the size of the stamp and its time. A time in the future is not
/// one that this process can wait for.
fn is_due(stamp: Option<(u64, Option<SystemTime>)>) -> bool {
    let Some((size, Some(time))) = stamp else { return true };
    let pause = if size == 0 { PAUSE } else { PAUSE_BETWEEN_STEPS };
    SystemTime::now().duration_since(time).map_or(true, |age| age >= pause)
}

fn position_in(stamp: &mut File) -> u64 {
    let mut position = String::new();
    let read = stamp.take(20).read_to_string(&mut position);
    read.ok().and_then(|_| position.parse().ok()).unwrap_or(0)
}

fn set_position(stamp: &mut File, position: Option<u64>) -> std::io::Result<()> {
    use std::io::Seek;

    stamp.set_len(0)?;
    stamp.rewind()?;
    if let Some(position) = position {
        stamp.write_all(position.to_string().as_bytes())?;
    }
    stamp.set_modified(SystemTime::now())
}

/// Removes the file `name` if it was left by a killed writer, or if its slot was not used for
/// `dead_after`. Returns the number of files that were removed. Ignores errors.
pub(super) fn remove_if_unused(directory: &StoreDirectory, name: &str, dead_after: Duration) -> usize {
    if is_temporary(name) {
        let stale = age(directory, name).is_some_and(|age| age > STALE_AFTER);
        return usize::from(stale && directory.remove(name).unwrap_or(false));
    }
    if is_record(name) || is_lock(name) { remove_dead_slot(directory, name, dead_after) } else { 0 }
}

/// Removes the record and the lock file of the slot to which `name` belongs, if both are dead.
///
/// Only the holder of a lock may remove its file: a process that waits for a removed file would acquire
/// a lock that no other process sees. Such a process tries again, because it checks that the file that
/// it locked is still the one in the directory.
fn remove_dead_slot(directory: &StoreDirectory, name: &str, dead_after: Duration) -> usize {
    let slot = name.split('.').next().unwrap_or(name);
    let (record, lock_name) = (format!("{slot}.token"), if is_lock(name) { name.to_owned() } else { format!("{slot}.lock") });
    let is_alive = |name: &str| age(directory, name).is_some_and(|age| age < dead_after);
    if is_alive(&record) || is_alive(&lock_name) {
        return 0;
    }
    // It may have been removed together with the other file of its slot.
    if age(directory, name).is_none() {
        return 0;
    }
    let Ok(Some(held)) = lock::acquire(directory.path(), directory.allows_unsafe(), &lock_name, Duration::ZERO) else { return 0 };
    // A process may have written it just before the lock was acquired.
    if is_alive(&record) {
        return 0;
    }
    let removed = usize::from(directory.remove(&record).unwrap_or(false));
    // Where files have no identity, nobody can check whether a lock file is still the same one.
    let removed = removed + usize::from(cfg!(unix) && directory.remove(&lock_name).unwrap_or(false));
    drop(held);
    removed
}

/// Returns the time since the file was last written; `None` if it does not exist or is refused.
fn age(directory: &StoreDirectory, name: &str) -> Option<Duration> {
    let (_, written) = directory.size_and_time(name).ok()??;
    SystemTime::now().duration_since(written?).ok()
}

/// Returns whether `name` was created by [`StoreDirectory::replace`]. The directory may contain
/// files of other programs.
fn is_temporary(name: &str) -> bool {
    let digits = |part: &str, count| part.len() == count && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let parts = name.strip_suffix(super::directory::TEMPORARY_SUFFIX).and_then(|name| name.split_once(".token."));
    parts.is_some_and(|(slot, random)| digits(slot, 32) && digits(random, 16))
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs::OpenOptions;
    use std::os::unix::fs::OpenOptionsExt;
    use std::path::Path;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    struct Bench(tempfile::TempDir, StoreDirectory);

    impl Bench {
        fn new() -> Self {
            let around = tempfile::tempdir().unwrap();
            let directory = StoreDirectory::open_or_create(&around.path().join("cache"), false).unwrap();
            Self(around, directory)
        }

        fn path(&self, name: &str) -> std::path::PathBuf {
            self.0.path().join("cache").join(name)
        }

        fn file(&self, name: &str, age: Duration) {
            let mut options = OpenOptions::new();
            let file = options.write(true).create(true).truncate(false).mode(0o600).open(self.path(name)).unwrap();
            file.set_modified(SystemTime::now() - age).unwrap();
        }

        fn names(&self) -> BTreeSet<String> {
            self.1.names().unwrap().into_iter().filter(|name| !name.starts_with('.') && name != STAMP).collect()
        }

        /// Makes the next step as if its pause were over.
        fn step(&self, names: usize) -> usize {
            if self.path(STAMP).exists() {
                self.file(STAMP, 2 * DAY);
            }
            step_of(&self.1, names).unwrap()
        }
    }

    fn slot(number: u32) -> String {
        format!("{number:032x}")
    }

    #[test]
    fn r22_a_step_checks_a_bounded_number_of_names_and_all_steps_reach_every_file() {
        const SLOTS: u32 = 5000;
        let bench = Bench::new();
        for number in 0..SLOTS {
            bench.file(&format!("{}.token", slot(number)), if number % 2 == 0 { 31 * DAY } else { DAY });
        }

        // What the system returns with one call: 32 KiB of entries.
        let most = 100 + 1400;
        let mut steps = 0;
        loop {
            let checked = bench.step(100);
            assert!((1..=most).contains(&checked), "{checked} names in one step");
            steps += 1;
            if std::fs::metadata(bench.path(STAMP)).unwrap().len() == 0 {
                break;
            }
            assert!(steps < 1000, "the end of the directory is never reached");
        }

        assert!(steps > 2, "{steps} steps");
        let left = bench.names();
        assert_eq!(left.len(), SLOTS as usize / 2, "the dead half is removed, with the lock files that this needed");
        assert!((0..SLOTS).filter(|number| number % 2 == 1).all(|number| left.contains(&format!("{}.token", slot(number)))));
    }

    #[test]
    fn r22_no_step_is_made_before_it_is_due() {
        let bench = Bench::new();
        assert!(step_if_due(&bench.1).is_some(), "the first save");
        for (content, age, due) in [
            ("", Duration::ZERO, false),
            ("", DAY - Duration::from_secs(60), false),
            ("", DAY, true),
            ("7", Duration::from_secs(50), false),
            ("7", Duration::from_secs(60), true),
            ("not a number", Duration::from_secs(60), true),
        ] {
            std::fs::write(bench.path(STAMP), content).unwrap();
            bench.file(STAMP, age);
            assert_eq!(step_if_due(&bench.1).is_some(), due, "{content:?} {age:?}");
        }
        OpenOptions::new().write(true).open(bench.path(STAMP)).unwrap().set_modified(SystemTime::now() + DAY).unwrap();
        assert!(step_if_due(&bench.1).is_some(), "a stamp from the future");
    }

    #[test]
    fn r22_one_process_at_a_time_makes_a_step() {
        let bench = Bench::new();
        bench.file(STAMP, 2 * DAY);
        let other = File::open(bench.path(STAMP)).unwrap();
        other.lock().unwrap();

        assert_eq!(step_if_due(&bench.1), None);
    }

    #[test]
    fn b20_only_files_of_dead_slots_are_removed() {
        let (dead, alive) = (31 * DAY, 29 * DAY);
        let bench = Bench::new();
        let files: [(u32, &[(&str, Duration)]); 7] = [
            (1, &[("token", dead), ("lock", dead)]),
            (2, &[("lock", dead)]),
            (3, &[("token", dead)]),
            (4, &[("token", alive), ("lock", dead)]),
            (5, &[("token", dead), ("lock", alive)]),
            (6, &[("lock", alive)]),
            (7, &[("reserve-1.lock", dead)]),
        ];
        for (number, files) in files {
            files.iter().for_each(|(suffix, age)| bench.file(&format!("{}.{suffix}", slot(number)), *age));
        }
        for foreign in ["notes.token", "my.lock", "README", "0.lock"] {
            bench.file(foreign, dead);
        }

        bench.step(1000);

        let expected = [(4, "token"), (4, "lock"), (5, "token"), (5, "lock"), (6, "lock")]
            .map(|(number, suffix)| format!("{}.{suffix}", slot(number)));
        let foreign = ["notes.token", "my.lock", "README", "0.lock"].map(str::to_owned);
        assert_eq!(bench.names(), expected.into_iter().chain(foreign).collect());
    }

    #[test]
    fn b20_the_files_of_a_slot_whose_lock_is_held_are_kept() {
        let bench = Bench::new();
        let (record, lock_name) = (format!("{}.token", slot(1)), format!("{}.lock", slot(1)));
        bench.file(&record, 31 * DAY);
        let directory: &Path = bench.1.path();
        let held = lock::acquire(directory, false, &lock_name, Duration::ZERO).unwrap().unwrap();
        bench.file(&lock_name, 31 * DAY);

        bench.step(1000);
        assert!(bench.path(&record).exists() && bench.path(&lock_name).exists());

        drop(held);
        // Its holder touched it.
        bench.file(&lock_name, 31 * DAY);
        bench.step(1000);
        assert!(!bench.path(&record).exists() && !bench.path(&lock_name).exists());
    }

    #[test]
    fn only_the_stores_own_temporary_files_are_recognized() {
        assert!(is_temporary("8434730c7ec7ce40b2200094bfe2053c.token.0123456789abcdef.temp"));
        for name in ["notes.temp", "notes.token.0123456789abcdef.temp", "8434730c7ec7ce40b2200094bfe2053c.token.0123.temp"] {
            assert!(!is_temporary(name), "{name}");
        }
    }
}
