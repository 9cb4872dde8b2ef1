//! Starts threads in a host program without affecting its signal handling.

use std::io;
use std::thread::{Builder, JoinHandle};

/// The stack of each thread, which is also the default of std. Without a size std reads the variable
/// `RUST_MIN_STACK`, and reading the environment while the program changes it is not safe in C.
const STACK: usize = 2 * 1024 * 1024;

/// Starts a thread with all signals blocked, so that the host program's signal handlers run only on
/// its own threads.
#[cfg(unix)]
pub(crate) fn spawn_without_signals<T: Send + 'static>(
    builder: Builder,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    use nix::sys::signal::{SigSet, SigmaskHow};

    // A new thread inherits the signal mask of the thread that creates it. The mask is changed
    // before the thread is created, so the thread never runs with a signal unblocked.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK);
    let started = builder.stack_size(STACK).spawn(work);
    if let Ok(before) = before {
        // This cannot fail: the mask was returned by the kernel a moment ago.
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
    builder.stack_size(STACK).spawn(work)
}
