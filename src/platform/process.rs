//! Identifies this process among its forks.

use std::sync::atomic::{AtomicU32, Ordering};

/// Identifies a process, also if a forked child has the pid of its parent: pid 1 of a container may
/// fork into a new pid namespace, where the child is pid 1 too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessId {
    pid: u32,
    /// The number of forks between the first process that used this library and this one.
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
}

// Only a forked child writes it, before it has a second thread: no ordering with other memory is needed.
static FORKS: AtomicU32 = AtomicU32::new(0);

#[cfg(unix)]
extern "C" fn count_fork() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// Starts to count forks, once in a process and its children. If that fails, the pid alone has to
/// do.
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

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_itself() {
        assert_eq!(ProcessId::current(), ProcessId::current());
    }

    #[test]
    fn a_fork_changes_the_id_even_if_the_pid_is_the_same() {
        let before = ProcessId::current();

        // As in the child of a fork that has the pid of its parent.
        let after = ProcessId { forks: before.forks + 1, ..before };

        assert_ne!(before, after);
    }
}
