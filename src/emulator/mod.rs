//! A local emulator of the Atlas endpoints, for the demo, the tests and users' own CI.
//!
//! May depend on: only `error` from this library. Start reading at [`Emulator`], then
//! `connection.rs` (how a connection is served) and `world.rs` (the emulator's state).
//! docs/emulator.md specifies the behavior.
//!
//! ```
//! use tokenwell::emulator::{Emulator, EmulatorOptions};
//!
//! let emulator = Emulator::start(EmulatorOptions::default())?;
//! assert!(emulator.base_url().starts_with("http://127.0.0.1:"));
//! assert_eq!(emulator.counters().connections, 0);
//! # std::io::Result::Ok(())
//! ```

mod accounts;
mod clock;
mod connection;
mod faults;
mod identity;
mod journal;
mod limits;
mod network;
mod random;
mod roles;
mod routes;
mod script;
mod seed;
mod server;
mod settings;
mod stubs;
mod tls;
mod tokens;
mod traffic;
mod world;

pub use accounts::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_ORG_ID, DEFAULT_PROJECT_ID};
pub use journal::{LoggedRequest, RequestLog};
pub use seed::Seed;
pub use settings::{RateLimit, RateLimitShape};
pub use tls::Certificate;
pub use traffic::{Counters, RecordedRequest};

use crate::error::Error;
use serde_json::Value;
use server::{Server, Shared};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// Options for starting an [`Emulator`]. [`Emulator::reset`] restores them.
#[derive(Clone, Debug)]
pub struct EmulatorOptions {
    /// The address to listen on. For 127.0.0.1, the emulator listens on the same port of ::1 too if
    /// that is free. For any other address, the control API and the certificate need
    /// [`allow_hosts`](Self::allow_hosts).
    pub address: IpAddr,
    /// The port; 0 selects a free one.
    pub port: u16,
    /// The base URL as clients see it, for example behind a proxy; `None` for the address that the
    /// emulator listens on. It occurs in links and as the issuer of tokens.
    pub public_url: Option<String>,
    /// Host names, without ports, by which the control API may be used in addition to the names of
    /// loopback. If there are any, control requests from other machines are accepted too. The
    /// server certificate is valid for these names.
    pub allow_hosts: Vec<String>,
    /// The initial organizations, projects and service accounts; `None` for the default account and
    /// its organization and project.
    pub seed: Option<Seed>,
    /// The kind of server certificate. If set, the emulator accepts only TLS connections; see
    /// [`Emulator::ca_pem`].
    pub certificate: Option<Certificate>,
    /// The lifetime of a token, in seconds.
    pub token_lifetime_s: u64,
    /// The maximum number of valid tokens per account.
    pub token_cap: u64,
    /// The limit on token requests per client address and client id; `None` for no limit.
    pub rate_limit: Option<RateLimit>,
    /// Called with one line for each request: client address, method, path, status. A line never
    /// contains a secret, a token or a query.
    pub log: Option<fn(&str)>,
}

impl Default for EmulatorOptions {
    /// The limits of Atlas, over http, on a free port.
    fn default() -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            public_url: None,
            allow_hosts: Vec::new(),
            seed: None,
            certificate: None,
            token_lifetime_s: 3600,
            token_cap: 100,
            rate_limit: Some(RateLimit { requests: 10, window_s: 60, ..RateLimit::default() }),
            log: None,
        }
    }
}

/// A running emulator. It serves requests on its own thread and stops when it is dropped.
///
/// The methods are equivalent to the control API under `/_emulator`.
pub struct Emulator {
    shared: Arc<Shared>,
    server: Server,
    login: Login,
}

/// The credential that programs use, and where its account is.
struct Login {
    client_id: String,
    client_secret: String,
    org_id: String,
    project_id: Option<String>,
}

impl Emulator {
    /// Starts an emulator that listens on 127.0.0.1, or on the address in `options`.
    ///
    /// # Errors
    ///
    /// If the port is in use, or the system cannot create a thread or a socket.
    pub fn start(options: EmulatorOptions) -> io::Result<Self> {
        let (shared, server) = server::start(options)?;
        let login = shared.world.lock().login().ok_or_else(|| io::Error::other("no service account has a secret"))?;
        Ok(Self { shared, server, login })
    }

    /// The base URL, for example `http://127.0.0.1:41234`; https with a certificate. This is the
    /// public URL if one is set.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.shared.base_url
    }

    /// The address that the emulator listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Whether it still serves requests. It stops only if its thread panics.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.server.is_running()
    }

    /// The client id of the default account, an Organization Owner; with a seed, of its first
    /// service account that has a secret.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.login.client_id
    }

    /// The client secret of this account.
    #[must_use]
    pub fn client_secret(&self) -> &str {
        &self.login.client_secret
    }

    /// The id of the organization of this account.
    #[must_use]
    pub fn org_id(&self) -> &str {
        &self.login.org_id
    }

    /// The id of a project of this organization, preferably one in which the account has a role;
    /// `None` if the organization has no project.
    #[must_use]
    pub fn project_id(&self) -> Option<&str> {
        self.login.project_id.as_deref()
    }

    /// The certificate of the generated authority that signed the server certificate, as PEM;
    /// `None` on http.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.server.ca_pem.as_deref()
    }

    /// The request and token counts since the start or the last reset.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.world.lock().counters()
    }

    /// Restores the initial state of counters, tokens, faults, settings, clock and accounts, with
    /// the accounts of the seed. A request that was received before has no effect afterwards; it
    /// gets 503.
    pub fn reset(&self) {
        self.shared.reset();
    }

    /// The emulator's time, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.shared.world.lock().clock.now_ms()
    }

    /// Advances the emulator's clock by `ms` milliseconds. The clock is then stopped until
    /// [`Emulator::run_clock`], the next call that sets or advances it, or a reset.
    pub fn advance_clock(&self, ms: u64) {
        self.shared.world.lock().clock.advance(ms.into());
    }

    /// Sets the emulator's clock to `now_ms`, in milliseconds since the Unix epoch. The clock is
    /// then stopped until [`Emulator::run_clock`], the next call that sets or advances it, or a reset.
    pub fn set_clock(&self, now_ms: u64) {
        self.shared.world.lock().clock.set(now_ms);
    }

    /// Lets the emulator's clock run from its present time, as fast as the system clock.
    pub fn run_clock(&self) {
        self.shared.world.lock().clock.run();
    }

    /// Changes the settings in `changes`, a JSON object as for `POST /_emulator/settings`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if a setting is unknown or its value is invalid. No setting is
    /// changed in this case.
    pub fn set_settings(&self, changes: Value) -> Result<(), Error> {
        self.shared.world.lock().set_settings(changes)
    }

    /// Replaces the list of faults: a JSON array as for `POST /_emulator/faults`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if a field is unknown or its value is invalid. The list is not
    /// changed in this case.
    pub fn set_faults(&self, faults: Value) -> Result<(), Error> {
        self.shared.world.lock().set_faults(faults)
    }

    /// Replaces the list of stubs: a JSON array as for `POST /_emulator/stubs`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if a field is unknown or its value is invalid. The list is not
    /// changed in this case.
    pub fn set_stubs(&self, stubs: Value) -> Result<(), Error> {
        self.shared.world.lock().set_stubs(stubs)
    }

    /// The last requests, at most 1000, without secrets and tokens.
    #[must_use]
    pub fn requests(&self) -> RequestLog {
        self.shared.world.lock().journal.clone()
    }

    /// The last request received for this path, or `None`.
    #[must_use]
    pub fn last_request(&self, path: &str) -> Option<RecordedRequest> {
        self.shared.world.lock().traffic.last_request(path).cloned()
    }
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator").field("base_url", &self.shared.base_url).finish_non_exhaustive()
    }
}
