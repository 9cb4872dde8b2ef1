//! Safe wrappers of single calls of the system or the C library that neither std nor nix wraps.
//!
//! Each function makes one call and states why it is sound. Nothing else is done here.
#![allow(unsafe_code)]

use nix::libc;
use nix::sys::signal::{SigSet, Signal};
use std::ffi::c_int;

/// Registers `handler` to run in the child of every later `fork`, on the only thread that the child
/// has (POSIX `pthread_atfork`). Returns whether it was registered.
///
/// The handler runs between fork and the program's own code. It may only make calls that are
/// async-signal-safe (POSIX `fork`): no allocation, no lock.
pub(in crate::platform) fn run_in_forked_children(handler: extern "C" fn()) -> bool {
    // SAFETY: the call stores the pointer of a function of this library, which must stay loaded. On
    // Linux the shared library is linked with -z nodelete. On macOS a library with thread-local
    // storage, which this one has, is never unloaded. A static library is part of the program.
    unsafe { libc::pthread_atfork(None, None, Some(handler)) == 0 }
}

#[cfg(not(target_os = "android"))]
unsafe extern "C" {
    // The libc crate declares it for few systems only.
    fn pthread_setcancelstate(state: c_int, old_state: *mut c_int) -> c_int;
}

/// The number of the state in which a thread cannot be canceled.
#[cfg(not(target_os = "android"))]
const PTHREAD_CANCEL_DISABLE: c_int = if cfg!(target_vendor = "apple") { 0 } else { 1 };

/// Makes the calling thread ignore requests to cancel it (POSIX `pthread_setcancelstate`). Returns
/// the state before, for [`restore_cancellation`].
#[cfg(not(target_os = "android"))]
pub(in crate::platform) fn disable_cancellation() -> c_int {
    let mut before = PTHREAD_CANCEL_DISABLE;
    // SAFETY: the call changes only the calling thread's state and writes one integer to `before`.
    // It fails only for an unknown state, and then writes nothing.
    unsafe { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &raw mut before) };
    before
}

/// Restores the state that [`disable_cancellation`] returned. A request to cancel the thread that
/// came meanwhile takes effect at the thread's next cancellation point, not in this call.
#[cfg(not(target_os = "android"))]
pub(in crate::platform) fn restore_cancellation(state: c_int) {
    let mut ignored = 0;
    // SAFETY: as for `disable_cancellation`. Older systems require a pointer for the earlier state.
    unsafe { pthread_setcancelstate(state, &raw mut ignored) };
}

/// Android has no cancellation of threads.
#[cfg(target_os = "android")]
pub(in crate::platform) fn disable_cancellation() -> c_int {
    0
}

/// Android has no cancellation of threads.
#[cfg(target_os = "android")]
pub(in crate::platform) fn restore_cancellation(_state: c_int) {}

/// Returns whether `signal` is pending for the calling thread or the process (POSIX `sigpending`).
pub(in crate::platform) fn is_pending(signal: Signal) -> bool {
    let mut pending = *SigSet::empty().as_ref();
    // SAFETY: the call writes a signal set to `pending`, which is one, and nothing else.
    unsafe { libc::sigpending(&raw mut pending) };
    // SAFETY: the call only reads the initialized set.
    unsafe { libc::sigismember(&raw const pending, signal as c_int) == 1 }
}

/// Removes a pending, blocked `signal` without running its handler (POSIX `sigtimedwait` with a
/// timeout of zero). Does nothing if it is not pending.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "netbsd"))]
pub(in crate::platform) fn consume_pending(signal: Signal) {
    let set = SigSet::from(signal);
    let no_time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call reads a signal set and a timespec. NULL: no description of the signal is
    // requested.
    unsafe { libc::sigtimedwait(set.as_ref(), std::ptr::null_mut(), &raw const no_time) };
}

/// Removes a pending, blocked `signal` without running its handler (POSIX `sigwait`): these systems
/// have no `sigtimedwait`. The caller has checked that it is pending; only a signal that was sent
/// to the whole process could meanwhile be taken by another thread.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "netbsd")))]
pub(in crate::platform) fn consume_pending(signal: Signal) {
    // The only error is an invalid set.
    let _ = SigSet::from(signal).wait();
}

/// Returns whether the system started this program in secure-execution mode (`AT_SECURE`, or
/// `issetugid`); `None` if the system does not report it.
///
/// The auxiliary vector is not read from `/proc/self/auxv`: that file cannot be opened in a process
/// that is not dumpable, which a program may choose at any time, or without a mounted `/proc`.
pub(in crate::platform) fn secure_execution() -> Option<bool> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use nix::errno::Errno;
        Errno::clear();
        // SAFETY: the call has no preconditions. It returns a number and may set errno.
        let flag = unsafe { nix::libc::getauxval(nix::libc::AT_SECURE) };
        // 0 is also the result for an entry that does not exist.
        if flag == 0 && Errno::last_raw() == nix::libc::ENOENT { None } else { Some(flag != 0) }
    }
    #[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "dragonfly", target_os = "openbsd", target_os = "netbsd"))]
    {
        // SAFETY: the call has no preconditions and only returns a flag of the process.
        Some(unsafe { nix::libc::issetugid() } != 0)
    }
    #[cfg(not(any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "dragonfly",
        target_os = "openbsd",
        target_os = "netbsd"
    )))]
    {
        use nix::unistd::{getegid, geteuid, getgid, getuid};
        Some(getuid() != geteuid() || getgid() != getegid())
    }
}
