//! How threads are started in a program that is not ours.

use std::io;
use std::thread::{Builder, JoinHandle};

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
