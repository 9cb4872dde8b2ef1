//! Protects the memory of this process against core files and other processes.

/// Disables core files and prevents other processes of the user from reading the memory of this
/// process. Only the command does this: a library must not decide it for its program. If the system
/// does not allow it, the command continues.
#[cfg(unix)]
pub(crate) fn process() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};

    if let Ok((before, most)) = getrlimit(Resource::RLIMIT_CORE) {
        // The hard limit is unchanged: only root can raise it again, and `exec` passes the limits
        // to its command.
        if setrlimit(Resource::RLIMIT_CORE, 0, most).is_ok() {
            let _ = unix::BEFORE.set(before);
        }
    }
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_dumpable(false);
}

/// Restores the soft limit of core files before another program replaces this process. The kernel
/// resets the rest on exec.
#[cfg(unix)]
pub(crate) fn undo() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};

    if let (Some(before), Ok((_, most))) = (unix::BEFORE.get(), getrlimit(Resource::RLIMIT_CORE)) {
        let _ = setrlimit(Resource::RLIMIT_CORE, *before, most);
    }
}

#[cfg(unix)]
mod unix {
    /// The soft limit of core files at the start of the process.
    pub(super) static BEFORE: std::sync::OnceLock<nix::sys::resource::rlim_t> = std::sync::OnceLock::new();
}

/// Does nothing: on other systems a process cannot disable core files.
#[cfg(not(unix))]
pub(crate) fn process() {}
