//! Tells a process that waits for a lock when to try again.

use super::super::LockWaiter;
use crate::platform::{Change, Changes, WatchId};
use std::ffi::OsStr;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// The pause between two attempts where changes are not reported.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// The longest time without an attempt where changes are reported: a report may be lost.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A holder that has not set the time of its file for this long is considered stopped. It sets the
/// time three times as often.
const SILENT_AFTER: Duration = Duration::from_millis(1500);

/// The same for a file whose time was already that old when it was opened. The holder gets time to
/// show that only the clock was set.
const SILENT_AFTER_IF_OLD: Duration = Duration::from_millis(600);

/// The shortest and the longest pause after an attempt that was made because a process closed the
/// file. Every process that waits closes it once, and an older version opens and closes it every
/// 10 ms.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// The same where changes are not reported. A network file system may return attributes that are some
/// seconds old.
const SILENT_AFTER_IF_POLLED: Duration = Duration::from_secs(5);

/// The reports about the lock files of one slot and its record. The thread that waits uses no file,
/// so it cannot be blocked by a file system that does not respond.
#[derive(Debug)]
pub(super) struct LockReports {
    directory: PathBuf,
    record: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// `None` until the process has to wait, and where changes are not reported.
    changes: Option<std::sync::Arc<Changes>>,
    asked_for_changes: bool,
    watched_directory: Option<WatchId>,
    files: Vec<WatchedFile>,
    /// The number of attempts because a process closed the file.
    attempts: u32,
    next_attempt: Option<Instant>,
}

/// What is known about the holder of one lock file.
#[derive(Debug)]
struct WatchedFile {
    name: String,
    watch: Option<WatchId>,
    modified: Option<SystemTime>,
    last_sign: Instant,
    /// Whether the time of the file was old when it was opened, and has not changed since.
    was_old: bool,
    /// Whether the process that waits has been told that the holder is silent.
    told: bool,
}

impl WatchedFile {
    fn sign(&mut self) {
        self.last_sign = Instant::now();
        self.was_old = false;
        self.told = false;
    }

    fn silent_in(&self, is_polled: bool) -> Duration {
        let silent_after = match (is_polled, self.was_old) {
            (true, _) => SILENT_AFTER_IF_POLLED,
            (false, true) => SILENT_AFTER_IF_OLD,
            (false, false) => SILENT_AFTER,
        };
        silent_after.saturating_sub(self.last_sign.elapsed())
    }
}

impl State {
    /// Whether this process learns of changes only by looking.
    fn is_polled(&self) -> bool {
        self.asked_for_changes && self.changes.is_none()
    }
}

impl LockReports {
    pub(super) fn new(directory: PathBuf, record: String) -> Self {
        Self { directory, record, state: Mutex::default() }
    }

    /// Starts to watch the record and the opened files. `file` is the main lock file.
    pub(super) fn watch(&self, file: &File) {
        let mut state = self.state();
        if !state.asked_for_changes {
            state.asked_for_changes = true;
            state.changes = Changes::on_file_system_of(file).map(std::sync::Arc::new);
        }
        self.watch_opened(&mut state);
    }

    /// Notes that the lock file with this index was opened, again if the old one was removed.
    pub(super) fn opened(&self, index: usize, name: String, modified: Option<SystemTime>) {
        let mut state = self.state();
        state.files.truncate(index);
        let age = modified.and_then(|modified| SystemTime::now().duration_since(modified).ok());
        let was_old = age.is_some_and(|age| age > SILENT_AFTER);
        state.files.push(WatchedFile { name, watch: None, modified, last_sign: Instant::now(), was_old, told: false });
        self.watch_opened(&mut state);
    }

    /// Notes the time of the lock file with this index: changes may not be reported, or this process
    /// may not have had the time to read the reports.
    pub(super) fn seen(&self, index: usize, modified: Option<SystemTime>) {
        let mut state = self.state();
        let is_polled = state.is_polled();
        let Some(file) = state.files.get_mut(index).filter(|file| file.modified != modified) else { return };
        file.modified = modified;
        if is_polled {
            // The holder may be on another host, whose clock differs.
            file.sign();
            return;
        }
        let age = modified.and_then(|modified| SystemTime::now().duration_since(modified).ok()).unwrap_or_default();
        match Instant::now().checked_sub(age) {
            Some(sign) if sign > file.last_sign && age < SILENT_AFTER => {
                file.sign();
                file.last_sign = sign;
            }
            _ => {}
        }
    }

    /// Returns whether the holder of the lock file with this index shows no sign of life.
    pub(super) fn is_silent(&self, index: usize) -> bool {
        let state = self.state();
        state.files.get(index).is_some_and(|file| file.silent_in(state.is_polled()).is_zero())
    }

    /// Returns whether the holder seems silent, but the attributes of the open file may be old.
    pub(super) fn is_judged_by_old_attributes(&self, index: usize) -> bool {
        self.is_silent(index) && self.state().is_polled()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch_opened(&self, state: &mut State) {
        let Some(changes) = state.changes.clone() else { return };
        let mut watching = || -> std::io::Result<()> {
            if state.watched_directory.is_none() {
                state.watched_directory = Some(changes.watch_directory(&self.directory)?);
            }
            for file in state.files.iter_mut().filter(|file| file.watch.is_none()) {
                file.watch = Some(changes.watch_file(&self.directory.join(&file.name))?);
            }
            Ok(())
        };
        if watching().is_err() {
            state.changes = None;
        }
    }

    /// Handles the reports that arrive within `max_wait`. Returns whether an attempt is due now.
    fn handle(&self, changes: &Changes, max_wait: Duration) -> bool {
        let mut due = false;
        let handled = changes.wait(max_wait, &mut |watch, change, name| {
            let mut state = self.state();
            match change {
                Change::Replaced if state.watched_directory == Some(watch) => {
                    due |= name.as_deref() == Some(OsStr::new(&self.record));
                }
                Change::Removed if state.watched_directory == Some(watch) => {
                    state.watched_directory = None;
                    due = true;
                }
                Change::Touched => {
                    if let Some(file) = state.files.iter_mut().find(|file| file.watch == Some(watch)) {
                        file.sign();
                    }
                }
                Change::Released | Change::Removed if state.next_attempt.is_none() => {
                    let pause = LONGEST_PAUSE.min(FIRST_PAUSE * (1 << state.attempts.min(8)));
                    state.attempts += 1;
                    // The first attempt is immediate.
                    let pause = if state.attempts == 1 { Duration::ZERO } else { pause.mul_f64(0.5 + fastrand::f64() / 2.0) };
                    state.next_attempt = Some(Instant::now() + pause);
                }
                Change::Unknown => due = true,
                _ => {}
            }
        });
        if handled.is_err() {
            self.state().changes = None;
            return true;
        }
        due
    }
}

impl LockWaiter for LockReports {
    fn wait(&self, max_wait: Duration) -> Duration {
        let started = Instant::now();
        let longest = {
            let state = self.state();
            if state.changes.is_some() { LONGEST_WAIT } else { POLL_INTERVAL.mul_f64(0.8 + fastrand::f64() * 0.4) }
        };
        let max_wait = max_wait.min(longest);
        loop {
            let left = max_wait.saturating_sub(started.elapsed());
            let (changes, next) = {
                let mut state = self.state();
                let is_polled = state.is_polled();
                let now_silent = state.files.iter_mut().filter(|file| !file.told && file.silent_in(is_polled).is_zero());
                if now_silent.map(|file| file.told = true).count() > 0 {
                    return started.elapsed();
                }
                let attempt_in = state.next_attempt.map(|at| at.saturating_duration_since(Instant::now()));
                if attempt_in.is_some_and(|wait| wait.is_zero()) {
                    state.next_attempt = None;
                    return started.elapsed();
                }
                let silent_in = state.files.iter().filter(|file| !file.told).map(|file| file.silent_in(is_polled)).min();
                (state.changes.clone(), [attempt_in, silent_in].into_iter().flatten().fold(left, Duration::min))
            };
            if left.is_zero() {
                return started.elapsed();
            }
            match changes {
                Some(changes) => {
                    if self.handle(&changes, next) {
                        return started.elapsed();
                    }
                }
                None => std::thread::sleep(next),
            }
        }
    }
}

#[cfg(test)]
impl LockReports {
    /// Makes this process poll, as on a network file system.
    pub(super) fn pretend_to_have_none(&self) {
        let mut state = self.state();
        state.asked_for_changes = true;
        state.changes = None;
    }

    pub(super) fn pretend_that_time_passes(&self, time: Duration) {
        for file in &mut self.state().files {
            file.last_sign = file.last_sign.checked_sub(time).unwrap_or(file.last_sign);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_reports_a_holder_has_five_seconds_and_its_clock_does_not_matter() {
        for clock in [Duration::ZERO, Duration::from_secs(3600)] {
            let reports = LockReports::new(PathBuf::new(), String::new());
            let time = |seconds| SystemTime::now().checked_sub(clock + Duration::from_secs(seconds));
            reports.pretend_to_have_none();
            reports.opened(0, String::new(), time(10));

            reports.pretend_that_time_passes(Duration::from_secs(4));
            assert!(!reports.is_silent(0), "a clock that is {clock:?} behind");
            reports.seen(0, time(6));
            reports.pretend_that_time_passes(Duration::from_secs(4));
            assert!(!reports.is_silent(0), "the time has changed; a clock that is {clock:?} behind");
            reports.pretend_that_time_passes(Duration::from_secs(1));
            assert!(reports.is_silent(0), "it has not changed again; a clock that is {clock:?} behind");
        }
    }

    #[test]
    fn with_reports_a_holder_has_less_time() {
        let after_600_ms = |age| {
            let reports = LockReports::new(PathBuf::new(), String::new());
            reports.opened(0, String::new(), SystemTime::now().checked_sub(Duration::from_secs(age)));
            reports.pretend_that_time_passes(Duration::from_millis(600));
            reports
        };

        assert!(after_600_ms(60).is_silent(0), "its time was old already");
        let reports = after_600_ms(0);
        assert!(!reports.is_silent(0));
        reports.pretend_that_time_passes(Duration::from_millis(900));
        assert!(reports.is_silent(0));
    }
}
