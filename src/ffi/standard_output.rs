//! Detects whether the command was started without a standard output. Not part of the library: only
//! `src/bin/tokenwell` includes it.
//!
//! Rust's runtime replaces a closed standard output with /dev/null before `main` starts, so output
//! would be lost without an error. Only the constructors of the C runtime run before that.

#![allow(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};

static CLOSED: AtomicBool = AtomicBool::new(false);

/// Returns whether standard output was closed when the process started. Always `false` on platforms
/// where this cannot be detected.
pub(crate) fn was_closed() -> bool {
    CLOSED.load(Ordering::Relaxed)
}

#[cfg(unix)]
extern "C" fn check_standard_output() {
    use nix::libc::{F_GETFD, STDOUT_FILENO, fcntl};

    // SAFETY: F_GETFD takes no pointer and changes nothing, even if the descriptor is not open.
    if unsafe { fcntl(STDOUT_FILENO, F_GETFD) } == -1 {
        CLOSED.store(true, Ordering::Relaxed);
    }
}

// SAFETY: the section contains pointers to C functions that are called once, before `main`, on the
// only thread. `check_standard_output` does not use Rust's runtime: it makes one system call and
// stores to an atomic.
#[cfg(unix)]
#[used]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
static CHECK_STANDARD_OUTPUT: extern "C" fn() = check_standard_output;
