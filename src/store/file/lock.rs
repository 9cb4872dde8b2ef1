//! Ensures that one process at a time sends a token request for a slot: a lock of the operating
//! system on a file next to the record.
//!
//! The lock is released when the process that holds it exits, even if it is killed. A process that
//! waits keeps the file open and tries again when [`LockReports`] tells it to.
//!
//! The holder sets the time of the file now and then. If it stops doing so, it is considered
//! stopped, and one of the processes that wait may acquire a reserve lock: the lock of another
//! file, which only exists for that time.
//!
//! Lock files are empty. Only its holder removes one: a process that waits for a removed file would
//! acquire a lock that no other process sees.
//!
//! A lock belongs to the open file, and a forked child has a copy of that. The holder's drop
//! unlocks the file itself and so releases the lock for every copy. The drop in a child does not
//! unlock it. A program that the child starts does not inherit it. In one case the lock remains
//! with a child: the holder is killed, and its child was forked while the file was open and started
//! no program. Other processes then consider the holder stopped.

use super::super::{Holder, LockWaiter, StoreError, StoreLock, WhichLock};
use super::directory::StoreDirectory;
use super::lock_reports::LockReports;
use crate::error::printable_path;
use crate::platform::{self, ProcessId};
use std::fs::{File, FileTimes, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// The number of lock files of a slot, including the reserve locks. Each is used if the holder of
/// the one before is stopped.
const LOCK_FILES: usize = 4;

/// The time within which a holder that is not stopped has set the time of the last write. Longer than
/// the others wait for a sign of life: a network file system reports the time with a delay.
const RECENT: Duration = Duration::from_secs(10);

/// Acquires the lock `name` in `directory`. Waits at most `max_wait`, in real time.
pub(super) fn acquire(directory: &Path, allow_unsafe: bool, name: &str, max_wait: Duration) -> Result<Option<HeldLock>, StoreError> {
    wait_for(LockFiles::new(directory, allow_unsafe, name, String::new()), max_wait)
}

/// Like [`acquire`], but does not change the times of the file. For a check that is not a use of the slot:
/// otherwise, a check now and then would keep the files of dead slots forever.
pub(super) fn acquire_unmarked(
    directory: &Path,
    allow_unsafe: bool,
    name: &str,
    max_wait: Duration,
) -> Result<Option<HeldLock>, StoreError> {
    let files = LockFiles::new(directory, allow_unsafe, name, String::new());
    wait_for(LockFiles { sets_times: false, ..files }, max_wait)
}

fn wait_for(mut files: LockFiles, max_wait: Duration) -> Result<Option<HeldLock>, StoreError> {
    let started = Instant::now();
    loop {
        if let Some(lock) = files.try_lock(WhichLock::Main)? {
            return Ok(Some(lock));
        }
        let left = max_wait.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Ok(None);
        }
        files.watch();
        // Tries again after it starts to watch: the lock may have been released before.
        if let Some(lock) = files.try_lock(WhichLock::Main)? {
            return Ok(Some(lock));
        }
        files.reports().wait(left);
    }
}

/// The lock files of one slot, as one process uses them that wants the lock.
#[derive(Debug)]
pub(super) struct LockFiles {
    directory: PathBuf,
    allow_unsafe: bool,
    name: String,
    /// The open files, in the order in which they are tried.
    open: Vec<File>,
    /// Whether the lock sets the times of its file. Others see by them since when it is held.
    sets_times: bool,
    reports: Arc<LockReports>,
}

impl LockFiles {
    /// `record` is the name of the record whose changes are reported too.
    pub(super) fn new(directory: &Path, allow_unsafe: bool, name: &str, record: String) -> Self {
        Self {
            directory: directory.to_owned(),
            allow_unsafe,
            name: name.to_owned(),
            open: Vec::new(),
            sets_times: true,
            reports: Arc::new(LockReports::new(directory.to_owned(), record)),
        }
    }

    pub(super) fn reports(&self) -> Arc<LockReports> {
        Arc::clone(&self.reports)
    }

    /// Starts to watch the files and the directory.
    pub(super) fn watch(&self) {
        if let Some(file) = self.open.first() {
            self.reports.watch(file);
        }
    }

    /// Tries to acquire the lock. With [`WhichLock::MainOrReserve`], tries the reserve lock if the
    /// main lock is held, and the next one if the holder of that is stopped too.
    pub(super) fn try_lock(&mut self, which: WhichLock) -> Result<Option<HeldLock>, StoreError> {
        let mut index = 0;
        loop {
            if let Some(lock) = self.try_file(index)? {
                return Ok(Some(lock));
            }
            let next = match which {
                WhichLock::Main => false,
                WhichLock::MainOrReserve => index == 0 || self.reports.is_silent(index),
            };
            index += 1;
            if !next || index == LOCK_FILES {
                return Ok(None);
            }
        }
    }

    /// Returns what is known about the holder of the main lock.
    pub(super) fn holder(&self) -> Holder {
        let metadata = self.open.first().and_then(|file| file.metadata().ok());
        let times = metadata.and_then(|metadata| Some((metadata.accessed().ok()?, metadata.modified().ok()?)));
        let held_for = times.and_then(|(accessed, modified)| held_for(accessed, modified, SystemTime::now()));
        Holder { held_for, is_silent: self.reports.is_silent(0) }
    }

    fn try_file(&mut self, index: usize) -> Result<Option<HeldLock>, StoreError> {
        let name = file_name(&self.name, index);
        if index < self.open.len() && self.reports.is_judged_by_old_attributes(index) {
            self.open_again(index, &name)?;
        }
        let failed = |error| StoreError::because(format_args!("cannot lock {}", printable_path(&self.directory.join(&name))), error);
        // A file that was removed during the wait, because the cache was cleared or its holder
        // removed it, is replaced.
        if let Some(file) = self.open.get(index) {
            let attributes = platform::attributes(file).map_err(failed)?;
            self.reports.seen(index, attributes.modified);
            if attributes.link_count == 0 {
                self.open.truncate(index);
            }
        }
        if self.open.len() == index {
            // Opened by name each time, because the directory may be replaced too.
            let store_directory = StoreDirectory::open_or_create(&self.directory, self.allow_unsafe)?;
            let file = store_directory.open_or_create_file(&name)?;
            let modified = platform::attributes(&file).map_err(failed)?.modified;
            self.reports.opened(index, name.clone(), modified);
            self.open.push(file);
        }
        let Some(file) = self.open.get(index) else { return Ok(None) };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Interrupted => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let file = self.open.remove(index);
        self.open.truncate(index);
        let remove_at_end = (index > 0).then(|| (self.directory.clone(), self.allow_unsafe, name.clone()));
        let held = HeldLock { file, owner: ProcessId::current(), sets_times: self.sets_times, remove_at_end };
        if !held.is_current_file(&self.directory, self.allow_unsafe, &name)? {
            held.abandon();
            return Ok(None);
        }
        if self.sets_times {
            held.mark_start();
        }
        Ok(Some(held))
    }

    /// Opens the lock file with this index again, by its name: a network file system returns attributes
    /// that are seconds old for a file that stays open, and current ones for a file that is opened.
    fn open_again(&mut self, index: usize, name: &str) -> Result<(), StoreError> {
        let failed = |error| StoreError::because(format_args!("cannot lock {}", printable_path(&self.directory.join(name))), error);
        let store_directory = StoreDirectory::open_or_create(&self.directory, self.allow_unsafe)?;
        let file = store_directory.open_or_create_file(name)?;
        self.reports.seen(index, platform::attributes(&file).map_err(failed)?.modified);
        if let Some(open) = self.open.get_mut(index) {
            *open = file;
        }
        Ok(())
    }
}

/// Returns for how long a lock is held whose file has these times. `None` if they are not those that
/// a holder sets: programs that only read the file set the first one, and a holder that does not set
/// them leaves those of an earlier one.
fn held_for(accessed: SystemTime, modified: SystemTime, now: SystemTime) -> Option<Duration> {
    let is_recent = now.duration_since(modified).is_ok_and(|age| age <= RECENT);
    if modified >= accessed && is_recent { now.duration_since(accessed).ok() } else { None }
}

/// The name of the lock file with this index: that of the main lock, then the reserve locks.
fn file_name(main: &str, index: usize) -> String {
    match (index, main.strip_suffix(".lock")) {
        (1.., Some(slot)) => format!("{slot}.reserve-{index}.lock"),
        _ => main.to_owned(),
    }
}

/// The lock, until it is dropped.
#[derive(Debug)]
pub(super) struct HeldLock {
    file: File,
    owner: ProcessId,
    sets_times: bool,
    /// The file to remove on release: the directory, whether it is checked, and the name.
    remove_at_end: Option<(PathBuf, bool, String)>,
}

impl HeldLock {
    /// Returns whether a process that opens the lock file now opens this very file.
    fn is_current_file(&self, directory: &Path, allow_unsafe: bool, name: &str) -> Result<bool, StoreError> {
        let failed = |error| StoreError::because(format_args!("cannot lock {}", printable_path(&directory.join(name))), error);
        let Some(store_directory) = StoreDirectory::open(directory, allow_unsafe)? else { return Ok(false) };
        let identity = platform::attributes(&self.file).map_err(failed)?.identity;
        Ok(store_directory.identity_of(name)? == Some(identity))
    }

    /// Sets the time of the last access to now, and the time of the last write too. The first is
    /// the time since when the lock is held, the second is set again at intervals.
    ///
    /// If this fails, others may consider the holder stopped. One token request too many is better
    /// than an error.
    fn mark_start(&self) {
        let now = SystemTime::now();
        // Two calls: setting both times together tells the others that the lock is free.
        let _ = self.file.set_modified(now);
        let _ = self.file.set_times(FileTimes::new().set_accessed(now));
    }

    /// Releases the lock of a file that is no longer the one in the directory.
    fn abandon(mut self) {
        self.remove_at_end = None;
    }
}

impl StoreLock for HeldLock {
    fn sign_of_life(&self) -> Option<Box<dyn FnMut() + Send>> {
        let file = self.file.try_clone().ok()?;
        Some(Box::new(move || {
            let _ = file.set_modified(SystemTime::now());
        }))
    }
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        if self.owner != ProcessId::current() {
            return;
        }
        // The file may have been removed, and the name be that of the lock of another process.
        if let Some((directory, allow_unsafe, name)) = &self.remove_at_end
            && self.is_current_file(directory, *allow_unsafe, name).unwrap_or(false)
            && let Ok(Some(store_directory)) = StoreDirectory::open(directory, *allow_unsafe)
        {
            let _ = store_directory.remove(name);
        }
        // Closing the file releases the lock too, unless a forked child has a copy of it.
        let _ = self.file.unlock();
        if !self.sets_times {
            return;
        }
        // Tells the processes that wait, who do not learn of the release if a child has a copy.
        let now = SystemTime::now();
        let _ = self.file.set_times(FileTimes::new().set_accessed(now).set_modified(now));
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const NAME: &str = "00000000000000000000000000000001.lock";
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn files(directory: &Path) -> LockFiles {
        LockFiles::new(directory, false, NAME, String::new())
    }

    #[test]
    fn the_times_of_a_lock_file_are_trusted_only_if_a_holder_sets_them() {
        let now = SystemTime::now();
        let seconds = |seconds| now - Duration::from_secs(seconds);
        for (accessed, modified, expected) in [
            (seconds(30), seconds(1), Some(30)),
            (seconds(3), seconds(3), Some(3)),
            // It was opened by an older version, or by a program that does not set the times.
            (seconds(172_800), seconds(172_800), None),
            (seconds(172_800), seconds(11), None),
            // A program has read it.
            (seconds(1), seconds(2), None),
            (seconds(30), now + DAY, None),
            (now + DAY, now + DAY, None),
        ] {
            assert_eq!(held_for(accessed, modified, now), expected.map(Duration::from_secs), "{accessed:?} {modified:?} at {now:?}");
        }
    }

    #[test]
    fn the_duration_of_a_lock_whose_holder_sets_no_times_is_unknown() {
        let around = tempfile::tempdir().unwrap();
        let directory = around.path().join("cache");
        drop(acquire(&directory, false, NAME, Duration::ZERO).unwrap());
        let other = File::options().write(true).open(directory.join(NAME)).unwrap();
        other.lock().unwrap();
        let old = SystemTime::now() - 2 * DAY;
        other.set_times(FileTimes::new().set_accessed(old).set_modified(old)).unwrap();

        let mut waiting = files(&directory);

        assert!(waiting.try_lock(WhichLock::Main).unwrap().is_none());
        assert_eq!(waiting.holder().held_for, None);
    }

    #[test]
    fn without_reports_the_file_is_opened_again_before_its_holder_is_considered_stopped() {
        let around = tempfile::tempdir().unwrap();
        let directory = around.path().join("cache");
        let held = acquire(&directory, false, NAME, Duration::ZERO).unwrap().unwrap();
        let mut waiting = files(&directory);
        assert!(waiting.try_lock(WhichLock::Main).unwrap().is_none());
        waiting.reports.pretend_to_have_none();
        // As on a network file system, the attributes of the open file do not change any more.
        let open = directory.join("00000000000000000000000000000001.open");
        std::fs::rename(directory.join(NAME), &open).unwrap();
        std::fs::copy(&open, directory.join(NAME)).unwrap();
        let current = File::options().write(true).open(directory.join(NAME)).unwrap();
        current.lock().unwrap();
        current.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();

        waiting.reports.pretend_that_time_passes(Duration::from_secs(6));
        assert!(waiting.try_lock(WhichLock::Main).unwrap().is_none());
        assert!(!waiting.holder().is_silent, "the time of the file has changed, although the clock of its holder is an hour behind");

        waiting.reports.pretend_that_time_passes(Duration::from_secs(6));
        assert!(waiting.try_lock(WhichLock::Main).unwrap().is_none());
        assert!(waiting.holder().is_silent, "it has not changed again");
        drop(held);
    }

    #[test]
    fn who_releases_a_reserve_lock_does_not_remove_the_file_of_another_process() {
        let around = tempfile::tempdir().unwrap();
        let directory = around.path().join("cache");
        let main = acquire(&directory, false, NAME, Duration::ZERO).unwrap().unwrap();
        let mut first = files(&directory);
        let reserve = first.try_lock(WhichLock::MainOrReserve).unwrap().unwrap();
        let path = directory.join(file_name(NAME, 1));
        std::fs::remove_file(&path).unwrap();
        let second = files(&directory).try_lock(WhichLock::MainOrReserve).unwrap().unwrap();

        drop(reserve);
        assert!(path.exists(), "it is the file of the second one");

        drop(second);
        assert!(!path.exists());
        drop(main);
    }
}
