//! The handle that a program holds.
//!
//! May depend on: cache, config, grant, store, credential, token, clock, error. Start reading at [`Client`].

use crate::cache::{AtHand, Slot, SlotParts, Stats, Want};
use crate::clock::{Clock, ManualClock, SystemClock};
use crate::config::Config;
use crate::credential::Credentials;
use crate::error::Error;
use crate::grant::{Grant, HttpGrant};
use crate::store::{FileStore, NoStore, Store, TimeBoxed};
use crate::token::Token;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// What one get asks for. The default asks for any live token and waits for as long as the configuration's timeout.
#[derive(Clone, Debug, Default)]
pub struct TokenOptions {
    min_ttl: Duration,
    deadline: Option<Duration>,
    force_refresh: bool,
}

impl TokenOptions {
    /// The token must live for at least this much longer. Below the default floor (the lesser of 60 s and a tenth of the lifetime) it has no effect.
    #[must_use]
    pub fn min_ttl(mut self, min_ttl: Duration) -> Self {
        self.min_ttl = min_ttl;
        self
    }

    /// The longest time that this call may wait, in real time; the configuration's timeout without it.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Another token than the current one. Does not skip a cooldown.
    #[must_use]
    pub fn force_refresh(mut self, force: bool) -> Self {
        self.force_refresh = force;
        self
    }

    fn want(&self) -> Want {
        Want { min_ttl: self.min_ttl, force_refresh: self.force_refresh }
    }
}

/// Hands out the live access token of one service account.
///
/// Cheap to clone, and every clone shares one cache; may be used from any number of threads at once. A client holds no thread and no socket
/// between refreshes. After `fork` the child keeps the live token and fetches the next one for itself.
///
/// ```no_run
/// # fn main() -> Result<(), tokenwell::Error> {
/// let config = tokenwell::Config::from_environment()?;
/// let client = tokenwell::Client::new(config)?;
/// let authorization = client.token(&Default::default())?.authorization().to_owned();
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    slot: Arc<Slot>,
    timeout: Duration,
    manual_clock: Option<Arc<ManualClock>>,
    description: String,
}

impl Client {
    /// A client for `config`. Opens no connection: the first get does.
    ///
    /// # Errors
    /// [`Error::NotConfigured`] where a named CA file cannot be used.
    pub fn new(config: Config) -> Result<Self, Error> {
        let manual_clock = config.manual_clock_ms.map(|ms| Arc::new(ManualClock::new(ms)));
        let clock: Arc<dyn Clock> = match &manual_clock {
            Some(clock) => Arc::clone(clock) as Arc<dyn Clock>,
            None => Arc::new(SystemClock),
        };
        let grant = HttpGrant::new(&config, Arc::clone(&clock))?;
        let parts = ClientParts {
            identity: config.identity(),
            timeout: config.timeout,
            store: store(&config),
            credentials: Box::new(config.credentials),
            clock,
            grant: Arc::new(grant),
        };
        Ok(Self::assembled(parts, manual_clock, config.token_endpoint.origin()))
    }

    /// A client of parts of your own making: another clock, store or grant.
    #[must_use]
    pub fn from_parts(parts: ClientParts) -> Self {
        Self::assembled(parts, None, "its own parts".to_owned())
    }

    fn assembled(parts: ClientParts, manual_clock: Option<Arc<ManualClock>>, description: String) -> Self {
        let timeout = parts.timeout;
        let slot = Slot::new(SlotParts {
            identity: parts.identity,
            credentials: parts.credentials,
            clock: parts.clock,
            store: if parts.store.is_shared() { Arc::new(TimeBoxed::new(parts.store, parts.timeout)) } else { parts.store },
            grant: parts.grant,
            budget: timeout,
        });
        Self(Arc::new(Inner { slot: Arc::new(slot), timeout, manual_clock, description }))
    }

    /// A live token. At once where one is at hand, else after a refresh that all callers share.
    ///
    /// # Errors
    /// Whatever kept the refresh from bringing a token, while none that lives for as long as was asked is at hand; [`Error::Deadline`] when this
    /// call's time is over; [`Error::InvalidArgument`] when more life was asked for than the server's tokens have.
    pub fn token(&self, options: &TokenOptions) -> Result<Token, Error> {
        self.0.slot.get(&options.want(), options.deadline.unwrap_or(self.0.timeout))
    }

    /// As [`Client::token`], without blocking the thread. It needs no particular runtime.
    ///
    /// The deadline in `options` is not looked at: put your runtime's own timeout around this. Dropping the future does not disturb the refresh.
    ///
    /// # Errors
    /// As [`Client::token`].
    pub async fn token_async(&self, options: &TokenOptions) -> Result<Token, Error> {
        self.0.slot.get_async(&options.want()).await
    }

    /// After a 401 at the resource: drops the token whose text is `value`, if it is still the current one, here and in the shared store.
    /// Returns whether anything was dropped.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub fn invalidate(&self, value: &str) -> Result<bool, Error> {
        self.0.slot.invalidate(value)
    }

    /// Asks the server to end the current token (RFC 7009), and drops it whatever the answer. Without a token there is nothing to do.
    /// Waits at most for `deadline`, or for the configuration's timeout.
    ///
    /// # Errors
    /// The server could not be asked or refused: the token must be assumed alive there until it expires.
    pub fn revoke(&self, deadline: Option<Duration>) -> Result<(), Error> {
        self.0.slot.revoke(deadline.unwrap_or(self.0.timeout))
    }

    /// What is known without asking the server: the live token, here or in the shared store, and the refusal that still stands.
    /// Sends nothing. A live token that only the store had is this client's current one from then on.
    ///
    /// # Errors
    /// [`Error::Closed`]; the client's secret cannot be read.
    pub fn at_hand(&self) -> Result<AtHand, Error> {
        self.0.slot.at_hand()
    }

    /// Returns once no refresh is under way, or after `patience`: for programs that are about to end, so that a token that was asked for is kept
    /// for others and not lost with the process.
    pub fn wait_for_refresh(&self, patience: Duration) {
        self.0.slot.wait_for_refresh(patience);
    }

    /// What this client has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.0.slot.stats()
    }

    /// A counter that changes whenever the current token does: when another takes its place, and when it is invalidated, revoked or closed.
    #[must_use]
    pub fn generation(&self) -> &AtomicU64 {
        self.0.slot.generation()
    }

    /// For how long from now a copy of `token` may be handed out without asking again, as long as the generation stays. Zero: always ask.
    /// Always zero under a manual clock, which a kept copy could not follow.
    #[must_use]
    pub fn fresh_for(&self, token: &Token) -> Duration {
        if self.0.manual_clock.is_some() { Duration::ZERO } else { self.0.slot.fresh_for(token) }
    }

    /// Moves the clock of a client that was configured with a manual one. For tests.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where the client runs on the system's clock.
    pub fn advance_clock(&self, duration: Duration) -> Result<(), Error> {
        self.0.slot.refuse_if_closed()?;
        let Some(clock) = &self.0.manual_clock else {
            return Err(Error::invalid(
                "manual_clock_ms",
                "is not set, so this client runs on the system's clock, which cannot be moved",
                "Set manual_clock_ms when the client is made, to give it a clock that a test can move.",
            ));
        };
        clock.advance(duration);
        Ok(())
    }

    /// Ends the client for all who hold it: later calls and callers that wait get [`Error::Closed`]. May be called any number of times.
    ///
    /// The token stays valid at the server and for others; see [`Client::revoke`].
    pub fn close(&self) {
        self.0.slot.close();
    }
}

/// The store that `config` describes. Nothing about it may cost a caller the token: what cannot be used is left out with one warning.
fn store(config: &Config) -> Arc<dyn Store> {
    // What a manual clock says must not reach processes that live by the real one, unless a test asks for that with a directory of its own.
    if !config.cache || (config.manual_clock_ms.is_some() && config.cache_dir.is_none()) {
        return Arc::new(NoStore);
    }
    match config.resolved_cache_dir() {
        Ok(folder) => Arc::new(FileStore::open(folder, config.cache_unsafe)),
        Err(error) => {
            tracing::warn!("this process shares no tokens with others: {error}. {}", error.hint());
            Arc::new(NoStore)
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("server", &self.0.description).field("stats", &self.stats()).finish()
    }
}

/// What a [`Client`] is made of, for those who bring parts of their own.
#[derive(Debug)]
pub struct ClientParts {
    /// What tells this client's token from others in the store; see [`SlotKey`](crate::store::SlotKey).
    pub identity: Vec<(&'static str, String)>,
    /// The time that one refresh may take, and the default deadline of a caller.
    pub timeout: Duration,
    /// Where the id and secret come from.
    pub credentials: Box<dyn Credentials>,
    /// Where the time is read.
    pub clock: Arc<dyn Clock>,
    /// Where processes share tokens.
    pub store: Arc<dyn Store>,
    /// How a token is asked for.
    pub grant: Arc<dyn Grant>,
}
