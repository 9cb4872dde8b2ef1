//! The client that a program uses to get tokens.
//!
//! May depend on: cache, config, grant, store, credential, token, clock, error, logging. Start reading at
//! [`Client`].

#[cfg(feature = "capi")]
use crate::cache::{ActiveWork, AwaitSave, PendingGet, PendingWork, RequestFlight, Watcher};
use crate::cache::{Begun, CachedState, GetOptions, PendingRemoval, PendingRevocation, Slot, SlotParts, Stats};
use crate::clock::{Clock, ManualClock, SystemClock};
use crate::config::{Config, Provenance};
use crate::credential::Credentials;
use crate::error::Error;
#[cfg(feature = "capi")]
use crate::grant::transport::Route;
use crate::grant::{Grant, HttpGrant};
use crate::logging;
use crate::store::{FileStore, NoStore, Store, TimeoutStore};
use crate::token::Token;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// The options of one [`Client::token`] call. By default any valid token is returned, and the call
/// waits at most for the configured timeout.
#[derive(Clone, Debug, Default)]
pub struct TokenOptions {
    min_ttl: Duration,
    deadline: Option<Duration>,
    force_refresh: bool,
    cached_only: bool,
}

impl TokenOptions {
    /// Sets the minimum remaining lifetime of the token. It has no effect below the default
    /// minimum, which is the smaller of 60 s and a tenth of the token's lifetime.
    #[must_use]
    pub fn min_ttl(mut self, min_ttl: Duration) -> Self {
        self.min_ttl = min_ttl;
        self
    }

    /// Sets the longest time that this call may wait, in real time. The default is the configured
    /// timeout.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Requests a different token than the current one. Does not skip a cooldown.
    #[must_use]
    pub fn force_refresh(mut self, force: bool) -> Self {
        self.force_refresh = force;
        self
    }

    /// Returns only a token that is in memory. Starts no refresh, reads no file and never blocks.
    #[must_use]
    pub fn cached_only(mut self, cached_only: bool) -> Self {
        self.cached_only = cached_only;
        self
    }

    fn get_options(&self) -> GetOptions {
        GetOptions { min_ttl: self.min_ttl, force_refresh: self.force_refresh, cached_only: self.cached_only }
    }
}

/// Provides the access token of one service account.
///
/// A client is cheap to clone, and all clones share one cache. It may be used from any number of
/// threads concurrently. It uses no thread and no socket between refreshes. After `fork` the child
/// keeps the valid token and refreshes it independently of its parent.
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
    described: Described,
}

/// What a client tells about its configuration.
#[derive(Default)]
struct Described {
    /// The server that issues the tokens. `None` for custom parts.
    origin: Option<String>,
    /// The base URL of the API. `None` for custom parts, and for a server that is not Atlas.
    base_url: Option<String>,
    /// The route to the API at the base URL.
    #[cfg(feature = "capi")]
    api: Option<Route>,
    sources: Vec<Provenance>,
}

impl Client {
    /// Creates a client for `config`. Opens no connection; the first get does.
    ///
    /// # Errors
    /// [`Error::NotConfigured`] if a configured CA file cannot be used.
    pub fn new(config: Config) -> Result<Self, Error> {
        let number = logging::next_client();
        logging::as_client(Some(number), || Self::numbered(number, config))
    }

    fn numbered(number: u64, config: Config) -> Result<Self, Error> {
        let manual_clock = config.manual_clock_ms.map(|ms| Arc::new(ManualClock::new(ms)));
        let clock: Arc<dyn Clock> = match &manual_clock {
            Some(clock) => Arc::clone(clock) as Arc<dyn Clock>,
            None => Arc::new(SystemClock),
        };
        let grant = HttpGrant::new(&config, Arc::clone(&clock))?;
        #[cfg(feature = "capi")]
        let api = config.api_base.as_ref().map(|base| Route::to_api(base, &config)).transpose()?;
        let parts = ClientParts {
            identity: config.identity(),
            timeout: config.timeout,
            store: store(&config),
            credentials: config.credentials.for_client(),
            clock,
            grant: Arc::new(grant),
        };
        let described = Described {
            origin: Some(config.token_endpoint.origin()),
            base_url: config.api_base.map(|base| base.origin()),
            #[cfg(feature = "capi")]
            api,
            sources: config.provenance,
        };
        Ok(Self::assemble(number, parts, manual_clock, described))
    }

    /// Creates a client from custom parts: a different clock, store or grant.
    #[must_use]
    pub fn from_parts(parts: ClientParts) -> Self {
        Self::assemble(logging::next_client(), parts, None, Described::default())
    }

    fn assemble(number: u64, parts: ClientParts, manual_clock: Option<Arc<ManualClock>>, described: Described) -> Self {
        let timeout = parts.timeout;
        let slot = Slot::new(SlotParts {
            identity: parts.identity,
            client_number: number,
            credentials: parts.credentials,
            clock: parts.clock,
            store: if parts.store.is_shared() { Arc::new(TimeoutStore::new(parts.store, parts.timeout)) } else { parts.store },
            grant: parts.grant,
            timeout,
        });
        Self(Arc::new(Inner { slot: Arc::new(slot), timeout, manual_clock, described }))
    }

    /// The origin of the server that issues the tokens. `None` for a client of custom parts.
    pub(crate) fn origin(&self) -> Option<&str> {
        self.0.described.origin.as_deref()
    }

    /// Returns the base URL of the API that accepts the tokens: `https://cloud.mongodb.com`. `None`
    /// if the server was set by `token_url`, and for a client of custom parts.
    #[must_use]
    pub fn base_url(&self) -> Option<&str> {
        self.0.described.base_url.as_deref()
    }

    /// The route to the API that accepts the tokens.
    ///
    /// # Errors
    /// [`Error::NotConfigured`] if there is no base URL.
    #[cfg(feature = "capi")]
    pub(crate) fn api_route(&self) -> Result<&Route, Error> {
        self.0.described.api.as_ref().ok_or_else(|| Error::NotConfigured {
            problem: "cannot call the Admin API: the client has no base URL, because its server was set by token_url".to_owned(),
            hint: "Remove token_url (TOKENWELL_TOKEN_URL), and use a service account of Atlas. For another Atlas server, set base_url."
                .to_owned(),
        })
    }

    /// Returns the source of each setting in effect, in the order of
    /// [`settings`](crate::config::settings); never a value. Empty for a client of custom parts.
    #[must_use]
    pub fn sources(&self) -> &[Provenance] {
        &self.0.described.sources
    }

    /// Returns a valid token: the cached one, or a new one after a refresh that all callers share.
    ///
    /// # Errors
    /// The refresh error if no cached token satisfies `min_ttl`; [`Error::Deadline`] if the
    /// deadline of this call is exceeded; [`Error::InvalidArgument`] if `min_ttl` exceeds the
    /// lifetime of the server's tokens; [`Error::NotCached`] if only a token in memory is allowed.
    pub fn token(&self, options: &TokenOptions) -> Result<Token, Error> {
        self.0.slot.get(&options.get_options(), options.deadline.unwrap_or(self.0.timeout))
    }

    /// Returns the current token if it is valid for as long as required and not due for a refresh.
    /// Starts nothing and waits for nothing.
    #[cfg(feature = "capi")]
    pub(crate) fn fresh_token(&self, options: &TokenOptions) -> Option<Token> {
        self.0.slot.fresh_from_memory(&options.get_options())
    }

    /// Like [`Client::token`], without blocking the thread. It requires no particular runtime.
    ///
    /// The deadline in `options` is ignored: use the timeout function of your runtime. Dropping the
    /// future does not affect the refresh.
    ///
    /// # Errors
    /// As [`Client::token`].
    pub async fn token_async(&self, options: &TokenOptions) -> Result<Token, Error> {
        self.0.slot.get_async(&options.get_options()).await
    }

    /// Like [`Client::token`], for callers that must not block.
    #[cfg(feature = "capi")]
    pub(crate) fn begin_token(&self, options: &TokenOptions, await_save: AwaitSave) -> Result<Begun<Token, PendingGet>, Error> {
        self.0.slot.begin_get(&options.get_options(), options.deadline.unwrap_or(self.0.timeout), await_save)
    }

    /// Drops the token with the value `value`, in this client and in the shared store, if it is
    /// still the current one. Call this after a resource server has responded with 401. Returns
    /// whether a token was dropped.
    ///
    /// Waits for the shared store, at most for the configured timeout. The removal continues after
    /// that.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub fn invalidate(&self, value: &str) -> Result<bool, Error> {
        self.0.slot.logged(|| self.0.slot.invalidate(value, self.0.timeout))
    }

    /// Drops the token with the value `value`, like [`Client::invalidate`], when no resource server has
    /// rejected it: a user logs out, for example. Tokens that are rejected in a row pause further token
    /// requests; a token that was dropped by this function is not counted.
    ///
    /// Waits for the shared store, at most a few seconds.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub fn forget(&self, value: &str) -> Result<bool, Error> {
        self.0.slot.logged(|| self.0.slot.forget(value))
    }

    /// Revokes the token with the value `value` at the server (RFC 7009), with the credential of this
    /// client. The token need not be the current one: it was issued to this account and has leaked, for
    /// example. If it is in this client or in the shared store, it is dropped there once the server has
    /// confirmed.
    ///
    /// Sends a request in any case, on this thread. A server confirms also if it does not know the
    /// token.
    ///
    /// # Errors
    /// The revocation failed: the token must be assumed to be valid until it expires. [`Error::Closed`].
    pub fn revoke_value(&self, value: &str) -> Result<(), Error> {
        self.0.slot.logged(|| self.0.slot.revoke_value(value))
    }

    /// Like [`Client::invalidate`], without blocking the thread. It requires no particular runtime.
    /// The token is dropped in this client at the first poll. Dropping the future does not end the
    /// removal from the shared store.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn invalidate_async(&self, value: &str) -> Result<(), Error> {
        match self.begin_invalidate(value)? {
            Begun::Ready(()) => Ok(()),
            Begun::Pending(removal) => removal.await,
        }
    }

    pub(crate) fn begin_invalidate(&self, value: &str) -> Result<Begun<(), PendingRemoval>, Error> {
        self.0.slot.logged(|| self.0.slot.begin_invalidate(value))
    }

    /// Revokes the current token at the authorization server (RFC 7009). Once the server has
    /// confirmed that, the token is dropped, in this client and in the shared store. Does nothing if
    /// there is no token. Waits at most for `deadline`, or for the configured timeout.
    ///
    /// # Errors
    /// The revocation request failed. The token remains the current one: assume that it is valid
    /// until it expires. To use it no longer, call [`Client::invalidate`].
    pub fn revoke(&self, deadline: Option<Duration>) -> Result<(), Error> {
        self.0.slot.logged(|| self.0.slot.revoke(deadline.unwrap_or(self.0.timeout)))
    }

    /// Like [`Client::revoke`], without blocking the thread. It requires no particular runtime and has
    /// no deadline. Dropping the future does not end the revocation.
    ///
    /// # Errors
    /// As [`Client::revoke`].
    pub async fn revoke_async(&self) -> Result<(), Error> {
        match self.begin_revoke()? {
            Begun::Ready(()) => Ok(()),
            Begun::Pending(revocation) => revocation.await,
        }
    }

    pub(crate) fn begin_revoke(&self) -> Result<Begun<(), PendingRevocation>, Error> {
        self.0.slot.logged(|| self.0.slot.begin_revoke())
    }

    /// Returns the valid token of this client or of the shared store, and the remembered refusal
    /// that is in effect. Sends no request. A valid token that only the store had becomes the
    /// current one of this client.
    ///
    /// # Errors
    /// [`Error::Closed`]; the client secret cannot be read.
    pub fn cached_state(&self) -> Result<CachedState, Error> {
        self.0.slot.logged(|| self.0.slot.cached_state())
    }

    /// Waits until no refresh, save, removal or revocation of this client is in progress, for at most
    /// `max_wait`. Returns whether none is. For programs that are about to exit, so that a requested
    /// token is stored for other processes and not lost.
    pub fn drain(&self, max_wait: Duration) -> bool {
        self.0.slot.drain(max_wait)
    }

    /// Counts one more piece of work that [`Client::drain`] waits for.
    #[cfg(feature = "capi")]
    pub(crate) fn begin_work(&self) -> ActiveWork {
        self.0.slot.begin_work()
    }

    /// Begins `work` that ends when this client is closed, on a thread of its own; see
    /// [`Slot::begin_request`].
    #[cfg(feature = "capi")]
    pub(crate) fn begin_work_with_thread<T: Clone + Send + Sync + 'static>(
        &self,
        may_block: bool,
        work: impl FnOnce(&Arc<RequestFlight<T>>) -> Result<T, Error> + Send + 'static,
    ) -> Result<PendingWork<T>, Error> {
        self.0.slot.begin_request(may_block, work)
    }

    #[cfg(feature = "capi")]
    pub(crate) fn refuse_if_closed(&self) -> Result<(), Error> {
        self.0.slot.refuse_if_closed()
    }

    /// Calls `watcher` whenever the generation changes.
    #[cfg(feature = "capi")]
    pub(crate) fn watch(&self, watcher: Arc<dyn Watcher>) -> Result<(), Error> {
        self.0.slot.watch(watcher)
    }

    /// Removes the watchers for which `matches` returns true.
    #[cfg(feature = "capi")]
    pub(crate) fn unwatch(&self, matches: impl Fn(&dyn Watcher) -> bool) {
        self.0.slot.unwatch(matches);
    }

    /// The configured timeout of a refresh, which is also the default deadline of a call.
    #[cfg(feature = "capi")]
    pub(crate) fn timeout(&self) -> Duration {
        self.0.timeout
    }

    /// The number of this client and its clones: clients are numbered from 1 in the order in which the
    /// process creates them. A forked child keeps the numbers of its parent's clients.
    ///
    /// It identifies the client in log lines; see
    /// [`logging::current_client`](crate::logging::current_client).
    #[must_use]
    pub fn number(&self) -> u64 {
        self.0.slot.client_number()
    }

    /// Returns the counters of this client.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.0.slot.stats()
    }

    /// A counter that changes whenever the current token does: when it is replaced, invalidated or
    /// revoked, and when the client is closed.
    #[must_use]
    pub fn generation(&self) -> &AtomicU64 {
        self.0.slot.generation()
    }

    /// Returns for how long a copy of `token` may be used without another call, while the
    /// generation is unchanged. Zero means: call [`Client::token`] each time. It is always zero
    /// with a manual clock, which a copy cannot follow.
    #[must_use]
    pub fn fresh_for(&self, token: &Token) -> Duration {
        if self.0.manual_clock.is_some() { Duration::ZERO } else { self.0.slot.fresh_for(token) }
    }

    /// Advances the clock of a client that is configured with a manual one. For tests.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the client uses the system clock.
    pub fn advance_clock(&self, duration: Duration) -> Result<(), Error> {
        self.0.slot.refuse_if_closed()?;
        let Some(clock) = &self.0.manual_clock else {
            return Err(Error::invalid(
                "manual_clock_ms",
                "is not set, so this client uses the system clock, which cannot be advanced",
                "Set manual_clock_ms in the configuration of the client to use a clock that a test can advance.",
            ));
        };
        clock.advance(duration);
        Ok(())
    }

    /// Closes the client and all its clones: later calls and waiting callers receive
    /// [`Error::Closed`]. May be called more than once.
    ///
    /// The token remains valid at the server and for other processes; see [`Client::revoke`].
    pub fn close(&self) {
        self.0.slot.close();
    }
}

/// Creates the store that `config` describes. A store that cannot be used never prevents a get: it
/// is replaced by [`NoStore`] with one warning.
fn store(config: &Config) -> Arc<dyn Store> {
    // Times of a manual clock must not reach processes that use the real clock, unless a test
    // requests this by setting a directory.
    if !config.cache || (config.manual_clock_ms.is_some() && config.cache_dir.is_none()) {
        return Arc::new(NoStore);
    }
    match config.resolved_cache_dir() {
        Ok(directory) => Arc::new(FileStore::open(directory, config.cache_unsafe).below(config.cache_parent())),
        Err(error) => {
            tracing::warn!("the token cache is not used: {error}. {}", error.hint());
            Arc::new(NoStore)
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("server", &self.origin().unwrap_or("custom parts")).field("stats", &self.stats()).finish()
    }
}

/// The parts of a [`Client`], for programs that provide their own.
#[derive(Debug)]
pub struct ClientParts {
    /// Distinguishes the token of this client from others in the store; see
    /// [`SlotKey`](crate::store::SlotKey).
    pub identity: Vec<(&'static str, String)>,
    /// The time that one refresh may take, and the default deadline of a caller.
    pub timeout: Duration,
    /// The source of the client id and secret.
    pub credentials: Box<dyn Credentials>,
    /// The source of the time.
    pub clock: Arc<dyn Clock>,
    /// The store that shares tokens between processes.
    pub store: Arc<dyn Store>,
    /// Sends token requests and revocation requests.
    pub grant: Arc<dyn Grant>,
}
