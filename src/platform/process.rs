//! Identifies this process among its forks.

use std::sync::atomic::{AtomicU32, Ordering};

/// Identifies a process, also if a forked child has the pid of its parent: pid 1 of a container may
/// fork into a new pid namespace, where the child is pid 1 too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessId {
    pid: u32,
    /// A count that every fork of a process that uses this library changes in the child.
    forks: u32,
}

impl ProcessId {
    /// Returns the id of this process.
    ///
    /// The pid is compared too, because raw `clone` calls do not run the handlers of `fork`.
    pub(crate) fn current() -> Self {
        count_forks();
        Self { pid: std::process::id(), forks: FORKS.load(Ordering::Relaxed) }
    }

    /// Returns a number that differs from that of the parent and of the children of this process.
    ///
    /// The pid alone differs unless a pid namespace begins in between, and then the count does.
    #[cfg(feature = "capi")]
    pub(crate) fn to_u32(self) -> u32 {
        self.pid << 10 | self.forks & 0x3ff
    }

    #[cfg(test)]
    pub(crate) fn other_than_current() -> Self {
        let current = Self::current();
        Self { forks: current.forks + 1, ..current }
    }
}

// Only a forked child writes it, before it has a second thread: no ordering with other memory is needed.
static FORKS: AtomicU32 = AtomicU32::new(0);

#[cfg(unix)]
extern "C" fn count_fork() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// Starts to count forks, once in a process and its children. If that fails, only the pid is
/// compared.
#[cfg(unix)]
fn count_forks() {
    static REGISTERED: AtomicU32 = AtomicU32::new(0);
    // Not a Once: a fork could leave it locked in the child. Two threads may both register the
    // handler, which then counts twice, and any change of the count is enough.
    if REGISTERED.load(Ordering::Relaxed) == 0 {
        super::unix::sys::run_in_forked_children(count_fork);
        REGISTERED.store(1, Ordering::Relaxed);
    }
}

#[cfg(not(unix))]
fn count_forks() {}

/// Registers `handler` to run in the child of every later `fork`, on the only thread that the child
/// has. It may only make calls that are async-signal-safe. Does nothing on a system without `fork`.
#[cfg(feature = "capi")]
pub(crate) fn run_in_forked_children(handler: extern "C" fn()) {
    #[cfg(unix)]
    super::unix::sys::run_in_forked_children(handler);
    #[cfg(not(unix))]
    let _ = handler;
}

#[cfg(all(test, unix))]
mod tests {
    // A fork itself is tested where a program can fork: `test_r17_…` in
    // bindings/python/tests/test_processes.py. Counting one here would disturb the other tests.
    #[test]
    fn the_handler_of_forks_can_be_registered() {
        extern "C" fn nothing() {}

        assert!(super::super::unix::sys::run_in_forked_children(nothing));
    }
}
