//! All that differs between operating systems, behind functions that every one of them has.

#[cfg_attr(unix, path = "platform/directory_unix.rs")]
#[cfg_attr(not(unix), path = "platform/directory_elsewhere.rs")]
mod directory;

pub(crate) use directory::{Directory, attributes};

use crate::clock::Moment;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::thread::{Builder, JoinHandle};
use std::time::SystemTime;

#[cfg(target_os = "linux")]
pub(crate) fn now() -> Moment {
    use nix::time::{ClockId, clock_gettime};

    // The coarse clocks cost a few nanoseconds and are at most one timer tick (4 ms) behind: a token's floor is seconds.
    // The fields are 32 bits wide on 32-bit systems.
    #[allow(clippy::useless_conversion)]
    let read = |id| clock_gettime(id).map_or(0, |time| milliseconds(time.tv_sec().into(), time.tv_nsec().into()));
    Moment { wall_ms: read(ClockId::CLOCK_REALTIME_COARSE), monotonic_ms: read(ClockId::CLOCK_MONOTONIC_COARSE) }
}

#[cfg(target_os = "linux")]
fn milliseconds(seconds: i64, nanoseconds: i64) -> u64 {
    u64::try_from(seconds).unwrap_or(0) * 1000 + u64::try_from(nanoseconds).unwrap_or(0) / 1_000_000
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn now() -> Moment {
    use std::sync::OnceLock;
    use std::time::{Instant, UNIX_EPOCH};

    static START: OnceLock<Instant> = OnceLock::new();
    let millis = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    Moment {
        wall_ms: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis),
        monotonic_ms: millis(START.get_or_init(Instant::now).elapsed()),
    }
}

/// Opens a file for reading and returns at once, even when it is a named pipe that nobody writes to.
#[cfg(unix)]
pub(crate) fn open_without_waiting(path: &Path) -> io::Result<File> {
    use nix::fcntl::OFlag;
    use std::os::unix::fs::OpenOptionsExt;

    OpenOptions::new().read(true).custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits()).open(path)
}

/// Opens a file for reading.
#[cfg(not(unix))]
pub(crate) fn open_without_waiting(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

/// Starts a thread that no signal is delivered to, so that the program's handlers run on the program's own threads.
#[cfg(unix)]
pub(crate) fn spawn_without_signals<T: Send + 'static>(
    builder: Builder,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    use nix::sys::signal::{SigSet, SigmaskHow};

    // A new thread inherits the mask of the thread that makes it, so there is no moment at which it could take a signal.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK);
    let started = builder.spawn(work);
    if let Ok(before) = before {
        // This cannot fail: the mask is one that the kernel gave out a moment ago.
        let _ = before.thread_set_mask();
    }
    started
}

/// Starts a thread.
#[cfg(not(unix))]
pub(crate) fn spawn_without_signals<T: Send + 'static>(
    builder: Builder,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    builder.spawn(work)
}

/// What the system says of an opened file or directory.
#[derive(Clone, Debug)]
pub(crate) struct Attributes {
    pub(crate) kind: Kind,
    /// The user it belongs to, where that is not the one this process acts as.
    pub(crate) foreign_owner: Option<u32>,
    /// Its mode, where that lets others than its owner in.
    pub(crate) open_to_others: Option<u32>,
    /// How many names it has; none once another file took its place.
    pub(crate) names: u64,
    /// What tells it from any other file, where the system tells.
    pub(crate) identity: (u64, u64),
    pub(crate) length: u64,
    /// When it was last written, where the system tells.
    pub(crate) modified: Option<SystemTime>,
}

/// What it is that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    /// Something else, in words.
    Other(&'static str),
}
