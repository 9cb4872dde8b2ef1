//! The service manager that started the sink (sd_notify(3)): it learns when the sink has a token, what
//! the sink is doing, and that it has not hung.

use std::time::{Duration, Instant};

/// A connection to the service manager, if there is one.
#[derive(Debug)]
pub(super) struct Supervisor {
    #[cfg(unix)]
    socket: Option<socket::Socket>,
    /// How often it expects a sign of life.
    watchdog: Option<Duration>,
    last_sign: Instant,
}

impl Supervisor {
    /// Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` with `variable`.
    pub(super) fn find(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let is_ours = set("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
        let micros = set("WATCHDOG_USEC").and_then(|value| value.parse().ok()).filter(|micros| is_ours && *micros > 0);
        Self {
            #[cfg(unix)]
            socket: set("NOTIFY_SOCKET").and_then(|address| socket::Socket::to(&address)),
            // Twice as often as it is expected, as sd_watchdog_enabled(3) recommends.
            watchdog: micros.map(|micros: u64| Duration::from_micros(micros / 2)),
            last_sign: Instant::now(),
        }
    }

    /// Whether a service manager listens, which then also sends SIGHUP to request a renewal.
    #[cfg(unix)]
    pub(super) fn exists(&self) -> bool {
        self.socket.is_some()
    }

    #[cfg(not(unix))]
    pub(super) fn exists(&self) -> bool {
        false
    }

    /// The longest time between two calls of [`Supervisor::sign_of_life`].
    pub(super) fn interval(&self) -> Duration {
        // Half of it again, because a wait may end late.
        self.watchdog.filter(|_| self.exists()).map_or(Duration::MAX, |watchdog| watchdog / 2)
    }

    pub(super) fn sign_of_life(&mut self) {
        if self.exists() && self.watchdog.is_some_and(|watchdog| self.last_sign.elapsed() * 2 >= watchdog) {
            self.last_sign = Instant::now();
            self.notify("WATCHDOG=1");
        }
    }

    pub(super) fn ready(&self, status: &str) {
        self.notify(&format!("READY=1\nSTATUS={status}"));
    }

    pub(super) fn status(&self, status: &str) {
        self.notify(&format!("STATUS={status}"));
    }

    /// A renewal was requested. Call [`Supervisor::ready`] when it has ended, even if it failed.
    pub(super) fn reloading(&self) {
        self.notify(&format!("RELOADING=1\nMONOTONIC_USEC={}\nSTATUS=renewing the token", monotonic_micros()));
    }

    pub(super) fn stopping(&self) {
        self.notify("STOPPING=1");
    }

    #[cfg(unix)]
    fn notify(&self, message: &str) {
        if let Some(socket) = &self.socket {
            socket.send(message);
        }
    }

    #[cfg(not(unix))]
    fn notify(&self, _message: &str) {}
}

#[cfg(unix)]
fn monotonic_micros() -> i64 {
    use nix::sys::time::TimeValLike as _;

    nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).map(|now| now.num_microseconds()).unwrap_or_default()
}

#[cfg(not(unix))]
fn monotonic_micros() -> i64 {
    0
}

#[cfg(unix)]
mod socket {
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    #[derive(Debug)]
    pub(super) struct Socket {
        socket: UnixDatagram,
        address: SocketAddr,
    }

    impl Socket {
        /// A socket that sends to `address`: a path, or a name in the abstract namespace after an
        /// `@`. Other addresses, such as those of virtual machines, are not used.
        pub(super) fn to(address: &str) -> Option<Self> {
            let address = match address.strip_prefix('@') {
                Some(name) => abstract_address(name)?,
                None if address.starts_with('/') => SocketAddr::from_pathname(address).ok()?,
                None => return None,
            };
            let socket = UnixDatagram::unbound().ok()?;
            // A service manager that does not read must not stop the sink.
            socket.set_nonblocking(true).ok()?;
            Some(Self { socket, address })
        }

        pub(super) fn send(&self, message: &str) {
            if let Err(error) = self.socket.send_to_addr(message.as_bytes(), &self.address) {
                tracing::debug!("cannot notify the service manager: {}", tokenwell::error::os_reason(&error));
            }
        }
    }

    #[cfg(target_os = "linux")]
    fn abstract_address(name: &str) -> Option<SocketAddr> {
        use std::os::linux::net::SocketAddrExt as _;

        SocketAddr::from_abstract_name(name).ok()
    }

    /// Other systems have no abstract namespace.
    #[cfg(not(target_os = "linux"))]
    fn abstract_address(_name: &str) -> Option<SocketAddr> {
        None
    }
}
