//! Whether the command was started without a standard output. No part of the library:
//! `src/bin/tokenwell` alone includes it.
//!
//! Rust's runtime opens /dev/null in the place of a closed standard output before `main` begins, so
//! an answer would be lost without an error. Only the C runtime's constructors come before that.

#![allow(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};

static CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether standard output was closed when the process began. Always `false` where there is no way
/// to tell.
pub(crate) fn was_closed() -> bool {
    CLOSED.load(Ordering::Relaxed)
}

#[cfg(unix)]
extern "C" fn look() {
    use nix::libc::{F_GETFD, STDOUT_FILENO, fcntl};

    // SAFETY: F_GETFD takes no pointer and changes nothing, whether or not the number names an open
    // file.
    if unsafe { fcntl(STDOUT_FILENO, F_GETFD) } == -1 {
        CLOSED.store(true, Ordering::Relaxed);
    }
}

// SAFETY: the section holds pointers to C functions that are called once, before `main`, on the
// only thread there is. `look` needs nothing of Rust's runtime: it makes one system call and stores
// to an atomic.
#[cfg(unix)]
#[used]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
static LOOK: extern "C" fn() = look;
