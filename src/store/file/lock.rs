//! One process at a time mints for a slot: a lock of the operating system on a file beside the record.
//!
//! The lock ends with the process that holds it, however that ends. Lock files are empty and are never removed: whoever waits for a file that
//! another process has removed would in the end hold a lock that nobody else sees.
//!
//! A lock belongs to the open file, and a forked child has a copy of that. The holder's drop unlocks the file itself and so ends the lock for every
//! copy; a child's drop leaves it alone; a program that the child starts does not inherit it. One case is left: a holder that is
//! killed while a child of it lives, forked in that very moment and without starting a program, leaves the lock to the child.
//! Others then wait for as long as their patience goes and mint without it.

use super::super::{StoreError, StoreLock};
use super::place::Place;
use crate::error::printable_path;
use crate::platform;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// Short beside a token request, or whoever mints again and again takes the lock anew before the others look.
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// Waits at most `patience`, in real time, for the lock called `name` in `directory`.
pub(super) fn acquire(directory: &Path, allow_unsafe: bool, name: &str, patience: Duration) -> Result<Option<HeldLock>, StoreError> {
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        // Opened anew each time: somebody may clear the cache while we wait.
        let place = Place::open_or_create(directory, allow_unsafe)?;
        let file = place.open_or_create_file(name)?;
        match file.try_lock() {
            Ok(()) => {
                let held = HeldLock { file, owner: std::process::id() };
                if held.is_the_one_in(directory, allow_unsafe, name)? {
                    return Ok(Some(held));
                }
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(TryLockError::Error(error)) => {
                return Err(StoreError::because(format_args!("cannot lock {}", printable_path(&directory.join(name))), error));
            }
        }
        let left = patience.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return Ok(None);
        }
        // With jitter, lest those who wait together always come together.
        std::thread::sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0).min(left));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The lock, until it is dropped.
#[derive(Debug)]
pub(super) struct HeldLock {
    file: File,
    owner: u32,
}

impl HeldLock {
    /// Whether those who come now would find this very file.
    fn is_the_one_in(&self, directory: &Path, allow_unsafe: bool, name: &str) -> Result<bool, StoreError> {
        let failed = |error| StoreError::because(format_args!("cannot lock {}", printable_path(&directory.join(name))), error);
        let Some(place) = Place::open(directory, allow_unsafe)? else { return Ok(false) };
        let Some(there) = place.open_file(name)? else { return Ok(false) };
        let identity = |file| platform::attributes(file).map(|found| found.identity).map_err(failed);
        Ok(identity(&there)? == identity(&self.file)?)
    }
}

impl StoreLock for HeldLock {}

impl Drop for HeldLock {
    fn drop(&mut self) {
        if self.owner == std::process::id() {
            // Closing the file ends the lock too, unless a forked child has a copy of it.
            let _ = self.file.unlock();
        }
    }
}
