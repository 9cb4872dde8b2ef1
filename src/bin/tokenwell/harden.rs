//! Keeps what this process has in memory from being written to disk.

/// No core file, and no reading of this process's memory by others of the same user. The command alone does this: a library must not decide it for
/// its program. Where the system does not allow it, the command works all the same.
#[cfg(unix)]
pub(crate) fn process() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};

    if let Ok((before, most)) = getrlimit(Resource::RLIMIT_CORE) {
        // The hard limit stays: nobody but root could raise it again, and `exec` hands this process on.
        if setrlimit(Resource::RLIMIT_CORE, 0, most).is_ok() {
            let _ = unix::BEFORE.set(before);
        }
    }
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_dumpable(false);
}

/// Before another program takes this process over: its core files are its own affair. The system itself undoes the rest.
#[cfg(unix)]
pub(crate) fn undo() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};

    if let (Some(before), Ok((_, most))) = (unix::BEFORE.get(), getrlimit(Resource::RLIMIT_CORE)) {
        let _ = setrlimit(Resource::RLIMIT_CORE, *before, most);
    }
}

#[cfg(unix)]
mod unix {
    /// The soft limit of core files as the process got it.
    pub(super) static BEFORE: std::sync::OnceLock<nix::sys::resource::rlim_t> = std::sync::OnceLock::new();
}

/// Other systems write no core files that a process could ask them not to write.
#[cfg(not(unix))]
pub(crate) fn process() {}
