//! Safe wrappers of single calls of the system or the C library that neither std nor nix wraps.
//!
//! Each function makes one call and states why it is sound. Nothing else is done here.
#![allow(unsafe_code)]

/// Registers `handler` to run in the child of every later `fork`, on the only thread that the child
/// has (POSIX `pthread_atfork`). Returns whether it was registered.
///
/// The handler runs between fork and the program's own code. It may only make calls that are
/// async-signal-safe (POSIX `fork`): no allocation, no lock.
pub(in crate::platform) fn run_in_forked_children(handler: extern "C" fn()) -> bool {
    // SAFETY: the call stores the pointer of a function of this library, which must stay loaded. On
    // Linux the shared library is linked with -z nodelete. On macOS a library with thread-local
    // storage, which this one has, is never unloaded. A static library is part of the program.
    unsafe { nix::libc::pthread_atfork(None, None, Some(handler)) == 0 }
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
