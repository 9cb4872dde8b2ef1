//! A descriptor that is readable while an event is set, for event loops.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// An event that other programs wait for with poll, epoll or kqueue.
///
/// A child process that is forked shares the state of its parent's event, so it must create its own.
#[derive(Debug)]
pub(crate) struct Event {
    readable: OwnedFd,
    /// The end to write to. `None`: the same descriptor (eventfd).
    writable: Option<OwnedFd>,
}

impl Event {
    pub(crate) fn new() -> io::Result<Self> {
        new()
    }

    pub(crate) fn descriptor(&self) -> i32 {
        self.readable.as_raw_fd()
    }

    /// Makes the descriptor readable. It must not be readable before.
    pub(crate) fn set(&self) {
        let end = self.writable.as_ref().unwrap_or(&self.readable);
        // Eight bytes, as eventfd requires. It cannot be full, because it is set once at a time.
        let _ = nix::unistd::write(end, &1_u64.to_ne_bytes());
    }

    /// Makes the descriptor not readable.
    pub(crate) fn clear(&self) {
        let _ = nix::unistd::read(&self.readable, &mut [0; 8]);
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn new() -> io::Result<Event> {
    use nix::sys::eventfd::{EfdFlags, EventFd};

    let event = EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
    Ok(Event { readable: event.into(), writable: None })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn new() -> io::Result<Event> {
    use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};

    let (readable, writable) = nix::unistd::pipe()?;
    for end in [&readable, &writable] {
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        fcntl(end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    }
    Ok(Event { readable, writable: Some(writable) })
}
