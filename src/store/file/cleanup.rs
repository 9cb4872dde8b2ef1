//! Removes files that are not used any more: seldom, and a bounded number of files each time.
//!
//! A save does no more than read the time of one file, the stamp. Once a day the save begins to go
//! through the directory, in steps: each checks about a thousand names, or as many as it can in 50 ms,
//! and keeps its position in the stamp for the next one.

use super::super::StoreError;
use super::directory::StoreDirectory;
use super::{is_lock, is_record, is_slot_with, lock};
use std::fs::File;
use std::io::{Read, Write};
use std::time::{Duration, Instant, SystemTime};

/// The file whose time is that of the last step. It contains the position of the next step, or
/// nothing if the last one reached the end of the directory.
pub(super) const STAMP: &str = "housekeeping";

/// The time from the end of the directory to the next start.
const PAUSE: Duration = Duration::from_secs(24 * 60 * 60);
/// The time between two steps.
const PAUSE_BETWEEN_STEPS: Duration = Duration::from_secs(60);
/// The number of names in one step. A little more if the system returns more with one call.
const NAMES_IN_A_STEP: usize = 1000;
/// The time after which a step ends, in which a network file system may check far fewer names: a caller
/// waits for the save. One name is checked in any case.
const TIME_OF_A_STEP: Duration = Duration::from_millis(50);
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
    step_of(directory, NAMES_IN_A_STEP, TIME_OF_A_STEP)
}

fn step_of(directory: &StoreDirectory, names: usize, time: Duration) -> Option<usize> {
    if !is_due(directory.size_and_time(STAMP).ok()?) {
        return None;
    }
    let mut stamp = directory.open_or_create_file(STAMP).ok()?;
    step_with(&mut stamp, directory, names, time)
}

fn step_with(stamp: &mut File, directory: &StoreDirectory, names: usize, time: Duration) -> Option<usize> {
    // Another process makes this step.
    stamp.try_lock().ok()?;
    let count = locked_step(stamp, directory, names, time);
    // Closing the file is not enough: a child that was forked during the step has a copy of it.
    let _ = stamp.unlock();
    count
}

fn locked_step(stamp: &mut File, directory: &StoreDirectory, names: usize, time: Duration) -> Option<usize> {
    let started = Instant::now();
    let from = cursor_in(stamp);
    // Set before the work, so that a process that is killed in it does not leave it to every other one.
    stamp.set_modified(SystemTime::now()).ok()?;
    let (mut to_skip, mut count, mut kept, mut is_over) = (from.checked, 0, from.checked, false);
    let next = directory.visit_names(from.position, names.saturating_add(from.checked), &mut |name| {
        if to_skip > 0 {
            to_skip -= 1;
            return;
        }
        is_over = is_over || (count > 0 && started.elapsed() >= time);
        if is_over {
            return;
        }
        count += 1;
        kept += usize::from(!matches!(remove_if_unused(directory, name, DEAD_AFTER), Ok(1..)));
    });
    let next = match next {
        Ok(_) if is_over => Some(Cursor { position: from.position, checked: kept }),
        Ok(Some(position)) => Some(Cursor { position, checked: 0 }),
        Ok(None) | Err(_) => None,
    };
    let _ = set_cursor(stamp, next);
    Some(count)
}

/// Where the next step continues.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    /// A position in the directory.
    position: u64,
    /// The number of names behind it that the last step has checked and kept. Systems keep positions
    /// only between groups of names, and one group may take longer than a step.
    checked: usize,
}

/// Returns whether a step is due, by the size of the stamp and its time. A time in the future is not
/// one that this process can wait for.
fn is_due(stamp: Option<(u64, Option<SystemTime>)>) -> bool {
    let Some((size, Some(time))) = stamp else { return true };
    let pause = if size == 0 { PAUSE } else { PAUSE_BETWEEN_STEPS };
    SystemTime::now().duration_since(time).map_or(true, |age| age >= pause)
}

fn cursor_in(stamp: &mut File) -> Cursor {
    let mut text = String::new();
    if stamp.take(41).read_to_string(&mut text).is_err() {
        return Cursor::default();
    }
    let (position, checked) = text.split_once(' ').unwrap_or((&text, "0"));
    match (position.parse(), checked.parse()) {
        (Ok(position), Ok(checked)) => Cursor { position, checked },
        _ => Cursor::default(),
    }
}

fn set_cursor(stamp: &mut File, cursor: Option<Cursor>) -> std::io::Result<()> {
    use std::io::Seek;

    stamp.set_len(0)?;
    stamp.rewind()?;
    match cursor {
        Some(Cursor { position, checked: 0 }) => stamp.write_all(position.to_string().as_bytes())?,
        Some(Cursor { position, checked }) => stamp.write_all(format!("{position} {checked}").as_bytes())?,
        None => {}
    }
    stamp.set_modified(SystemTime::now())
}

/// Removes the file `name` if it was left by a killed writer, or if its slot was not used for
/// `dead_after`. Returns the number of files that were removed.
pub(super) fn remove_if_unused(directory: &StoreDirectory, name: &str, dead_after: Duration) -> Result<usize, StoreError> {
    if is_temporary(name) {
        let is_stale = matches!(Found::at(directory, name), Found::Written(age) if age > STALE_AFTER);
        return Ok(usize::from(is_stale && directory.remove(name)?));
    }
    if is_record(name) || is_main_lock(name) {
        remove_dead_slot(directory, name, dead_after)
    } else if is_lock(name) {
        remove_dead_reserve_lock(directory, name, dead_after)
    } else {
        Ok(0)
    }
}

/// Removes the record and the lock file of the slot to which `name` belongs, if each of them is dead or
/// does not exist.
///
/// Only the holder of a lock may remove its file: a process that waits for a removed file would acquire
/// a lock that no other process sees. Such a process tries again, because it checks that the file that
/// it locked is still the one in the directory.
fn remove_dead_slot(directory: &StoreDirectory, name: &str, dead_after: Duration) -> Result<usize, StoreError> {
    let slot = name.split('.').next().unwrap_or(name);
    let (record, lock_name) = (format!("{slot}.token"), format!("{slot}.lock"));
    let is_dead = |name: &str| Found::at(directory, name).is_dead(dead_after);
    let has_lock = Found::at(directory, &lock_name) != Found::Absent;
    // A file that does not exist was removed together with the other one of its slot.
    if Found::at(directory, name) == Found::Absent || !is_dead(&record) || !is_dead(&lock_name) {
        return Ok(0);
    }
    let Some(held) = lock::acquire_unmarked(directory.path(), directory.allows_unsafe(), &lock_name, Duration::ZERO)? else { return Ok(0) };
    // Another process may have used the slot just before the lock was acquired.
    if !is_dead(&record) || (has_lock && !is_dead(&lock_name)) {
        return Ok(0);
    }
    let removed = usize::from(directory.remove(&record)?) + remove_lock(directory, &lock_name)?;
    drop(held);
    Ok(removed)
}

/// Removes the file of a reserve lock whose holder was killed. Nothing else: it does not tell whether its
/// slot is used.
fn remove_dead_reserve_lock(directory: &StoreDirectory, name: &str, dead_after: Duration) -> Result<usize, StoreError> {
    let is_dead = || matches!(Found::at(directory, name), Found::Written(age) if age >= dead_after);
    if !is_dead() {
        return Ok(0);
    }
    let Some(held) = lock::acquire_unmarked(directory.path(), directory.allows_unsafe(), name, Duration::ZERO)? else { return Ok(0) };
    let removed = if is_dead() { remove_lock(directory, name)? } else { 0 };
    drop(held);
    Ok(removed)
}

/// Removes the file of a lock that this process holds. Where files have no identity, it is kept: nobody
/// can check whether a lock file is still the same one.
fn remove_lock(directory: &StoreDirectory, name: &str) -> Result<usize, StoreError> {
    Ok(usize::from(cfg!(unix) && directory.remove(name)?))
}

fn is_main_lock(name: &str) -> bool {
    is_slot_with(name, |suffix| suffix == "lock")
}

/// What is known about the use of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// It does not exist.
    Absent,
    /// It was written this long ago.
    Written(Duration),
    /// It is refused, and left for the user to examine; or its time is in the future or not known.
    Unclear,
}

impl Found {
    fn at(directory: &StoreDirectory, name: &str) -> Self {
        match directory.size_and_time(name) {
            Ok(None) => Self::Absent,
            Ok(Some((_, Some(written)))) => SystemTime::now().duration_since(written).map_or(Self::Unclear, Self::Written),
            Ok(Some((_, None))) | Err(_) => Self::Unclear,
        }
    }

    /// Returns whether the file does not keep its slot alive.
    fn is_dead(self, dead_after: Duration) -> bool {
        match self {
            Self::Absent => true,
            Self::Written(age) => age >= dead_after,
            Self::Unclear => false,
        }
    }
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
            step_of(&self.1, names, Duration::MAX).unwrap()
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
            ("7 7", Duration::from_secs(50), false),
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
    fn r22_a_step_that_takes_too_long_continues_where_it_ended() {
        let bench = Bench::new();
        for number in 0..20 {
            bench.file(&format!("{}.token", slot(number)), if number % 2 == 0 { 31 * DAY } else { DAY });
        }

        let mut steps = 0;
        while steps == 0 || std::fs::metadata(bench.path(STAMP)).unwrap().len() > 0 {
            bench.file(STAMP, 2 * DAY);
            assert!(step_of(&bench.1, 1000, Duration::ZERO).unwrap() <= 1, "the time of a step is over after one name");
            steps += 1;
            assert!(steps < 100, "the end of the directory is never reached");
        }

        assert!(steps >= 20, "{steps} steps");
        assert_eq!(bench.names().len(), 10, "{:?}", bench.names());
    }

    #[test]
    fn r22_a_child_that_was_forked_during_a_step_does_not_keep_its_lock() {
        let bench = Bench::new();
        bench.file(&format!("{}.token", slot(1)), DAY);
        let mut stamp = bench.1.open_or_create_file(STAMP).unwrap();
        // Shares the lock, as the copy of a child does.
        let copy = stamp.try_clone().unwrap();

        assert!(step_with(&mut stamp, &bench.1, 1000, Duration::MAX).is_some());
        drop(stamp);

        assert!(File::open(bench.path(STAMP)).unwrap().try_lock().is_ok());
        drop(copy);
    }

    #[test]
    fn what_is_refused_or_from_the_future_or_beside_a_reserve_lock_is_kept() {
        use std::os::unix::fs::PermissionsExt;

        let (old, fresh) = (31 * DAY, DAY);
        let name = |number, suffix: &str| format!("{}.{suffix}", slot(number));
        let bench = Bench::new();
        bench.file(&name(1, "token"), fresh);
        bench.file(&name(1, "lock"), old);
        std::fs::set_permissions(bench.path(&name(1, "token")), std::fs::Permissions::from_mode(0o644)).unwrap();
        bench.file(&name(2, "token"), Duration::ZERO);
        bench.file(&name(2, "lock"), old);
        let future = SystemTime::now() + Duration::from_secs(300);
        OpenOptions::new().write(true).open(bench.path(&name(2, "token"))).unwrap().set_modified(future).unwrap();
        bench.file(&name(3, "token"), fresh);
        bench.file(&name(3, "lock"), old);
        std::fs::hard_link(bench.path(&name(3, "token")), bench.0.path().join("link")).unwrap();
        bench.file(&name(4, "token"), old);
        bench.file(&name(4, "lock"), fresh);
        bench.file(&name(4, "reserve-1.lock"), old);
        // A refused file is kept although it is old, and is not an error.
        bench.file(&name(5, "token"), old);
        std::fs::set_permissions(bench.path(&name(5, "token")), std::fs::Permissions::from_mode(0o644)).unwrap();

        bench.step(1000);

        let both = |number| [name(number, "token"), name(number, "lock")];
        let expected = (1..=4).flat_map(both).chain([name(5, "token")]).collect::<BTreeSet<_>>();
        assert_eq!(bench.names(), expected);
        for (name, expected) in [(name(4, "lock"), fresh), (name(1, "lock"), old)] {
            let age = SystemTime::now().duration_since(std::fs::metadata(bench.path(&name)).unwrap().modified().unwrap()).unwrap();
            assert!(age >= expected, "{name}: a check is not a use");
        }
    }

    #[test]
    fn only_files_of_dead_slots_are_removed() {
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
    fn the_files_of_a_slot_whose_lock_is_held_are_kept() {
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
