//! Keeps what this process has in memory from being written to disk.

/// No core file, and no reading of this process's memory by others of the same user. The command alone does this: a library must not decide it for
/// its program. Where the system does not allow it, the command works all the same.
#[cfg(unix)]
pub(crate) fn process() {
    use nix::sys::resource::{Resource, setrlimit};

    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_dumpable(false);
}

/// Other systems write no core files that a process could ask them not to write.
#[cfg(not(unix))]
pub(crate) fn process() {}
