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
