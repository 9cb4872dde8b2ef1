//! Ensures that one process at a time sends a token request for a slot: a lock of the operating
//! system on a file next to the record.
//!
//! The lock is released when the process that holds it exits, even if it is killed. Lock files are
//! empty and are never removed: a process that waits for a removed file would acquire a lock that
//! no other process sees.
//!
//! A lock belongs to the open file, and a forked child has a copy of that. The holder's drop
//! unlocks the file itself and so releases the lock for every copy. The drop in a child does not
//! unlock it. A program that the child starts does not inherit it. In one case the lock remains
//! with a child: the holder is killed, and its child was forked while the lock was held and started
//! no program. Other processes then wait for their full `max_wait` and continue without the lock.

use super::super::{StoreError, StoreLock};
use super::directory::StoreDirectory;
use crate::error::printable_path;
use crate::platform::{self, ProcessId};
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// Short compared with a token request. With a longer pause, a process that sends one request after
/// another would acquire the lock again before the others try.
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// Acquires the lock `name` in `directory`. Waits at most `max_wait`, in real time.
pub(super) fn acquire(directory: &Path, allow_unsafe: bool, name: &str, max_wait: Duration) -> Result<Option<HeldLock>, StoreError> {
    let started = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        // Opened again each time, because the cache may be cleared during the wait.
        let store_directory = StoreDirectory::open_or_create(directory, allow_unsafe)?;
        let file = store_directory.open_or_create_file(name)?;
        match file.try_lock() {
            Ok(()) => {
                let held = HeldLock { file, owner: ProcessId::current() };
                if held.is_current_file(directory, allow_unsafe, name)? {
                    return Ok(Some(held));
                }
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(TryLockError::Error(error)) => {
                return Err(StoreError::because(format_args!("cannot lock {}", printable_path(&directory.join(name))), error));
            }
        }
        let left = max_wait.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Ok(None);
        }
        // Jitter, so that waiting processes do not always try at the same time.
        std::thread::sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0).min(left));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The lock, until it is dropped.
#[derive(Debug)]
pub(super) struct HeldLock {
    file: File,
    owner: ProcessId,
}

impl HeldLock {
    /// Returns whether a process that opens the lock file now opens this very file.
    fn is_current_file(&self, directory: &Path, allow_unsafe: bool, name: &str) -> Result<bool, StoreError> {
        let failed = |error| StoreError::because(format_args!("cannot lock {}", printable_path(&directory.join(name))), error);
        let Some(store_directory) = StoreDirectory::open(directory, allow_unsafe)? else { return Ok(false) };
        let Some(current) = store_directory.open_file(name)? else { return Ok(false) };
        let identity = |file| platform::attributes(file).map(|found| found.identity).map_err(failed);
        Ok(identity(&current)? == identity(&self.file)?)
    }
}

impl StoreLock for HeldLock {}

impl Drop for HeldLock {
    fn drop(&mut self) {
        if self.owner == ProcessId::current() {
            // Closing the file releases the lock too, unless a forked child has a copy of it.
            let _ = self.file.unlock();
        }
    }
}
