//! Threads of the library and calls on threads of the host program, without affecting the program's
//! handling of signals and of cancellation.

use crate::logging;
use std::io;
use std::thread::{Builder, JoinHandle};

/// The stack of each thread, which is also the default of std. Without a size std reads the variable
/// `RUST_MIN_STACK`, and reading the environment while the program changes it is not safe in C.
const STACK: usize = 2 * 1024 * 1024;

/// Starts a thread with all signals blocked, so that the host program's signal handlers run only on
/// its own threads. The thread cannot be canceled (`pthread_cancel`), and its log lines have the
/// client of the calling thread.
pub(crate) fn spawn_without_signals<T: Send + 'static>(
    builder: Builder,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    let client = logging::current_client();
    spawn(builder, move || {
        // Never restored: the thread belongs to the library. Only a callback could tell the host
        // program which thread it is.
        std::mem::forget(CancellationDisabled::begin());
        logging::as_client(client, work)
    })
}

#[cfg(unix)]
fn spawn<T: Send + 'static>(builder: Builder, work: impl FnOnce() -> T + Send + 'static) -> io::Result<JoinHandle<T>> {
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

#[cfg(not(unix))]
fn spawn<T: Send + 'static>(builder: Builder, work: impl FnOnce() -> T + Send + 'static) -> io::Result<JoinHandle<T>> {
    builder.stack_size(STACK).spawn(work)
}

/// While it exists, the calling thread cannot be canceled (POSIX `pthread_cancel`).
///
/// Cancellation unwinds the thread's stack like an exception of another language. Rust aborts the
/// process when such an exception reaches it, so nothing of Rust may run while it is possible.
#[derive(Debug)]
pub(crate) struct CancellationDisabled {
    #[cfg(unix)]
    before: std::ffi::c_int,
    /// It must be dropped on the thread that created it.
    _of_this_thread: std::marker::PhantomData<*const ()>,
}

impl CancellationDisabled {
    pub(crate) fn begin() -> Self {
        Self {
            #[cfg(unix)]
            before: super::unix::sys::disable_cancellation(),
            _of_this_thread: std::marker::PhantomData,
        }
    }
}

impl Drop for CancellationDisabled {
    fn drop(&mut self) {
        #[cfg(unix)]
        super::unix::sys::restore_cancellation(self.before);
    }
}

/// Runs `work`, which writes to sockets or pipes, so that a closed peer causes an error and not the
/// signal SIGPIPE, which terminates a program that does not handle it.
///
/// A Rust program ignores the signal, but a C program usually does not. On threads of the library
/// it is blocked already.
#[cfg(unix)]
pub(crate) fn without_sigpipe<T>(work: impl FnOnce() -> T) -> T {
    use super::unix::sys::{consume_pending, is_pending};
    use nix::sys::signal::{SigSet, SigmaskHow, Signal};

    let Ok(before) = SigSet::from(Signal::SIGPIPE).thread_swap_mask(SigmaskHow::SIG_BLOCK) else { return work() };
    // A signal that was already pending belongs to the program.
    let was_pending = is_pending(Signal::SIGPIPE);
    let result = work();
    if !was_pending && is_pending(Signal::SIGPIPE) {
        consume_pending(Signal::SIGPIPE);
    }
    // This cannot fail: the mask was returned by the kernel a moment ago.
    let _ = before.thread_set_mask();
    result
}

/// Runs `work`: this system has no SIGPIPE.
#[cfg(not(unix))]
pub(crate) fn without_sigpipe<T>(work: impl FnOnce() -> T) -> T {
    work()
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use nix::sys::signal::{SigSet, SigmaskHow, Signal, raise};

    fn is_pending() -> bool {
        super::super::unix::sys::is_pending(Signal::SIGPIPE)
    }

    #[test]
    fn r16_a_signal_that_the_work_caused_is_consumed_and_the_mask_is_restored() {
        let before = SigSet::thread_get_mask().unwrap();

        let inside = without_sigpipe(|| {
            raise(Signal::SIGPIPE).unwrap();
            is_pending()
        });

        assert!(inside);
        assert!(!is_pending());
        assert_eq!(SigSet::thread_get_mask().unwrap(), before);
    }

    #[test]
    fn r16_a_signal_that_was_pending_before_stays_pending() {
        let blocked = SigSet::from(Signal::SIGPIPE);
        let before = blocked.thread_swap_mask(SigmaskHow::SIG_BLOCK).unwrap();
        raise(Signal::SIGPIPE).unwrap();

        without_sigpipe(|| raise(Signal::SIGPIPE).unwrap());

        assert!(is_pending());
        super::super::unix::sys::consume_pending(Signal::SIGPIPE);
        assert!(!is_pending());
        before.thread_set_mask().unwrap();
    }
}
