//! Atlas in a box, for the demo, the tests and users' own CI.
//!
//! May depend on: nothing of the library but error. Start reading at [`Emulator`], then `connection.rs` (what happens to a
//! connection) and `world.rs` (all that the emulator remembers). docs/emulator.md is the contract.
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
mod limits;
mod random;
mod roles;
mod routes;
mod script;
mod server;
mod settings;
mod tls;
mod tokens;
mod traffic;
mod world;

pub use accounts::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_ORG_ID, DEFAULT_PROJECT_ID};
pub use settings::{RateLimit, RateLimitShape};
pub use tls::Certificate;
pub use traffic::{Counters, RecordedRequest};

use crate::error::Error;
use serde_json::Value;
use server::{Server, Shared};
use std::fmt;
use std::io;
use std::sync::Arc;

/// How an [`Emulator`] starts. `reset` returns to these.
#[derive(Clone, Debug)]
pub struct EmulatorOptions {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// With a certificate the emulator speaks TLS and nothing else; see [`Emulator::ca_pem`].
    pub certificate: Option<Certificate>,
    /// For how long a token lives, in seconds.
    pub token_lifetime_s: u64,
    /// How many live tokens an account may have.
    pub token_cap: u64,
    /// How many token requests one address may send for one client id; `None` for no limit.
    pub rate_limit: Option<RateLimit>,
    /// Is given one line for each request: method, path, status. Never a secret, a token or a query.
    pub log: Option<fn(&str)>,
}

impl Default for EmulatorOptions {
    /// Atlas' own numbers, on http and a free port.
    fn default() -> Self {
        Self {
            port: 0,
            certificate: None,
            token_lifetime_s: 3600,
            token_cap: 100,
            rate_limit: Some(RateLimit { requests: 10, window_s: 60, ..RateLimit::default() }),
            log: None,
        }
    }
}

/// A running emulator. It serves from a thread of its own and stops when it is dropped.
///
/// The methods do what the control API under `/_emulator` does.
pub struct Emulator {
    shared: Arc<Shared>,
    server: Server,
}

impl Emulator {
    /// Starts to listen on 127.0.0.1.
    ///
    /// # Errors
    ///
    /// When the port is taken, or the system has no thread or socket left.
    pub fn start(options: EmulatorOptions) -> io::Result<Self> {
        let (shared, server) = server::start(options)?;
        Ok(Self { shared, server })
    }

    /// `http://127.0.0.1:41234`; https with a certificate.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.shared.base_url
    }

    /// The id of the account that is there from the start, an Organization Owner.
    #[must_use]
    pub fn client_id(&self) -> &str {
        DEFAULT_CLIENT_ID
    }

    /// The secret of that account.
    #[must_use]
    pub fn client_secret(&self) -> &str {
        DEFAULT_CLIENT_SECRET
    }

    /// The certificate of the made-up authority that signed the emulator's; `None` on http.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.server.ca_pem.as_deref()
    }

    /// What has been asked and handed out since the start or the last reset.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.world.lock().counters()
    }

    /// Everything as at the start: counters, tokens, faults, settings, clock, accounts.
    pub fn reset(&self) {
        self.shared.world.lock().reset();
    }

    /// The emulator's time, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.shared.world.lock().clock.now_ms()
    }

    /// Moves the emulator's time on. From then on it stands still until it is moved again.
    pub fn advance_clock(&self, ms: u64) {
        self.shared.world.lock().clock.advance(ms);
    }

    /// Sets the emulator's time. From then on it stands still until it is moved again.
    pub fn set_clock(&self, now_ms: u64) {
        self.shared.world.lock().clock.set(now_ms);
    }

    /// Changes the settings that `changes`, a JSON object as for `POST /_emulator/settings`, names.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when a setting is unknown or its value impossible; nothing is changed then.
    pub fn set_settings(&self, changes: Value) -> Result<(), Error> {
        self.shared.world.lock().set_settings(changes)
    }

    /// Replaces the list of faults: a JSON array as for `POST /_emulator/faults`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] when a field is unknown or its value impossible; the old list stays then.
    pub fn set_faults(&self, faults: Value) -> Result<(), Error> {
        self.shared.world.lock().set_faults(faults)
    }

    /// The last request to this path, as it arrived.
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
