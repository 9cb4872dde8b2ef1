//! One refresh, on its own thread: read the store, acquire the slot's lock, read the store again,
//! request a token, write the store, publish the token.
//!
//! A store that fails or hangs or is refused never prevents a refresh: it causes one warning, and
//! the refresh continues without it.

use super::cooldown::{Cooldown, is_local_fault};
use super::freshness::{DEFAULT_LIFETIME, Freshness};
use super::jitter;
use super::refresh_request::{Exclude, KnownToken, Origin, RefreshOutcome, RefreshRequest};
use super::slot::Slot;
use crate::clock::Moment;
use crate::credential::Credential;
use crate::error::Error;
use crate::grant::{GrantedLifetime, Minted};
use crate::lifetime::Lifetime;
use crate::store::{Record, SlotKey, StoreError, StoreLock, StoredToken, UnknownMembers};
use crate::token::Token;
use std::time::{Duration, Instant};

/// The maximum time that a caller with a valid stored token waits for a newer one.
const MAX_DUE_REFRESH_TIME: Duration = Duration::from_secs(5);

/// The time to wait for the lock between two reads of the record. The interval does not grow: if
/// other processes take the lock in turn, a late read could miss a token that is stored only
/// briefly.
const RECORD_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The minimum caller deadline from which the lock timeout is computed. A caller with a shorter
/// deadline gets no token while another process holds the lock. If it gave up the lock earlier,
/// every process would send a request to a slow server.
const MIN_WAIT_BASE: Duration = Duration::from_secs(5);

/// Whether another client secret may help.
fn is_about_credential(error: &Error) -> bool {
    matches!(error, Error::CredentialRejected { .. } | Error::Protocol { http_status: Some(401), .. })
}

/// The result of the wait for the lock.
enum LockWait {
    /// Send a token request: with the lock, or without it if it could not be acquired. The record
    /// is the last one that was read.
    Proceed(Option<Box<dyn StoreLock>>, Record),
    /// Use the result that another process stored.
    Answered(Result<RefreshOutcome, Error>),
}

impl Slot {
    /// Performs a refresh. `max_wait` is the remaining time of the caller that started it.
    pub(super) fn refresh(&self, request: RefreshRequest, max_wait: Duration) -> Result<RefreshOutcome, Error> {
        let credential = self.parts.credentials.current().map_err(|error| self.remember_refused_file(error))?;
        match self.refresh_with(request.clone(), &credential, max_wait) {
            Err(rejection) if is_about_credential(&rejection) => match self.parts.credentials.reload(&credential) {
                Ok(Some(rotated)) => self.refresh_with(request, &rotated, max_wait),
                _ => Err(rejection),
            },
            result => result,
        }
    }

    fn refresh_with(&self, mut request: RefreshRequest, credential: &Credential, max_wait: Duration) -> Result<RefreshOutcome, Error> {
        let started = Instant::now();
        let key = self.key(credential);

        let record = self.load_record(&key).unwrap_or_default();
        match self.answer_from_record(&record, &request, credential, Origin::Stored) {
            Some(Ok(outcome)) => return Ok(self.refresh_if_due(outcome, &key, credential)),
            Some(refusal) => return refusal,
            None => {}
        }
        if matches!(request.exclude, Exclude::Stored) {
            request.exclude =
                record.token.as_ref().map_or(Exclude::Nothing, |token| Exclude::UpTo(KnownToken::of_stored(token, self.now())));
        }

        let (_lock, record) = match self.wait_for_lock_or_answer(&key, &request, credential, self.lock_timeout(max_wait)) {
            LockWait::Proceed(lock, record) => (lock, record),
            LockWait::Answered(answer) => return answer,
        };
        self.mint(&key, credential, self.request_timeout(started), record)
    }

    /// Sends a token request. `record` is what the store had before: the new token replaces its token,
    /// and members of a later version are kept.
    fn mint(&self, key: &SlotKey, credential: &Credential, budget: Duration, record: Record) -> Result<RefreshOutcome, Error> {
        let sent = self.now();
        match self.parts.grant.mint(credential, budget) {
            Ok(minted) => self.accept_minted(key, minted, sent, credential, record),
            Err(error) => Err(self.remember_failure(key, credential, error)),
        }
    }

    /// Refreshes a stored token that is due, for a process that had no token. The first process
    /// that acquires the lock refreshes it, within a short time; all others use it as it is.
    /// Otherwise processes that perform a single get would never refresh it and would use it until
    /// shortly before it expires.
    fn refresh_if_due(&self, outcome: RefreshOutcome, key: &SlotKey, credential: &Credential) -> RefreshOutcome {
        if outcome.token.lifetime().freshness(self.now(), Duration::ZERO) != Freshness::Due {
            return outcome;
        }
        let Some(Some(_lock)) = self.ok_or_warn(self.parts.store.lock(key, Duration::ZERO)) else { return outcome };
        let record = self.load_record(key).unwrap_or_default();
        match self.answer_from_record(&record, &RefreshRequest::not_due(), credential, Origin::StoredDuringRefresh) {
            Some(Ok(refreshed)) => refreshed,
            Some(Err(_)) => outcome,
            None => self.mint(key, credential, MAX_DUE_REFRESH_TIME.min(self.parts.timeout / 4), record).unwrap_or(outcome),
        }
    }

    /// Returns the timeout of the token request. With a shared store it is half of the refresh
    /// timeout. A process that waits for the lock waits slightly longer than that, so the holder
    /// has stored its token or its refusal by then, and a slow server does not receive a request
    /// from every process.
    fn request_timeout(&self, started: Instant) -> Duration {
        let left = self.parts.timeout.saturating_sub(started.elapsed());
        if self.parts.store.is_shared() { left.min(self.parts.timeout / 2) } else { left }
    }

    /// Returns the time to wait for the lock: slightly more than half of the timeout, plus a random
    /// part. If the holder is stopped, the first process that gives up stores a token that the
    /// others find, and the server does not receive all requests at the same moment.
    fn lock_timeout(&self, max_wait: Duration) -> Duration {
        let twentieth = self.parts.timeout.min(max_wait.max(MIN_WAIT_BASE)) / 20;
        twentieth.saturating_mul(11) + twentieth.saturating_mul(3).mul_f64(jitter::fraction())
    }

    /// Returns what another process stored: a token that satisfies the request, a token that proves
    /// that none can, or a refusal that is in effect.
    fn answer_from_record(
        &self,
        record: &Record,
        request: &RefreshRequest,
        credential: &Credential,
        origin: Origin,
    ) -> Option<Result<RefreshOutcome, Error>> {
        if let Some(token) = record.token.as_ref().and_then(|stored| self.adopt(stored, request)) {
            return Some(Ok(RefreshOutcome { token, origin }));
        }
        let now = self.now();
        if let Some(token) = self.current.token().filter(|token| request.exceeds_lifetime_of(token, now)) {
            return Some(Ok(RefreshOutcome { token, origin }));
        }
        let refusal = record.cooldown.as_ref().and_then(|stored| Cooldown::from_stored(stored, credential, now));
        let cooldown = refusal.or_else(|| {
            let stored = record.proxy_rejection.as_ref()?;
            Cooldown::from_stored_proxy_rejection(stored, &self.parts.grant.proxy_login(credential)?, now)
        })?;
        let error = cooldown.active_error(now)?;
        tracing::debug!(cache = self.parts.store.location(), "found a remembered refusal in the token cache");
        self.process().memory().set_cooldown(Some(cooldown));
        self.counts.cooldown_answers.add_one();
        Some(Err(error))
    }

    /// Makes a stored token the current one if it is usable and expires later than the current one.
    /// It may satisfy other callers even if it does not satisfy `request`. Returns the token that
    /// satisfies `request`, if any.
    fn adopt(&self, stored: &StoredToken, request: &RefreshRequest) -> Option<Token> {
        let now = self.now();
        let process = self.process();
        let mut memory = process.memory();
        let restored =
            self.restore(stored, &memory, now).filter(|token| token.lifetime().freshness(now, Duration::ZERO) != Freshness::Unusable)?;
        let remaining = |token: &Token| now.until(token.lifetime().expires_at);
        // The token that expires later stays current, unless only the other one satisfies the
        // request.
        let is_preferred = |current: &Token| {
            remaining(current) > remaining(&restored) && (request.is_satisfied_by(current, now) || !request.is_satisfied_by(&restored, now))
        };
        let current = self.current.token().filter(|current| current.value() == restored.value() || is_preferred(current));
        let token = match current {
            Some(current) => current,
            None => {
                if !self.publish(Some(&restored), &memory) {
                    return None;
                }
                restored
            }
        };
        if !request.is_satisfied_by(&token, now) {
            return None;
        }
        memory.set_cooldown(None);
        drop(memory);
        tracing::debug!(cache = self.parts.store.location(), ends_in_s = remaining(&token).as_secs(), "using the token in the token cache");
        Some(token)
    }

    fn accept_minted(
        &self,
        key: &SlotKey,
        minted: Minted,
        sent: Moment,
        credential: &Credential,
        record: Record,
    ) -> Result<RefreshOutcome, Error> {
        self.counts.mints.add_one();
        let (life, origin, shared) = match minted.lifetime {
            GrantedLifetime::Stated(life) => (life, Origin::Minted, true),
            GrantedLifetime::Unstated => (DEFAULT_LIFETIME, Origin::Minted, false),
            GrantedLifetime::DoNotCache => (Duration::ZERO, Origin::Uncacheable, false),
        };
        let lifetime = Lifetime::granted(sent, life, jitter::fraction());
        if origin == Origin::Minted && lifetime.freshness(self.now(), Duration::ZERO) == Freshness::Unusable {
            let error = self.expired_on_arrival(life);
            return Err(self.remember_failure(key, credential, error));
        }
        if shared {
            let token = StoredToken {
                value: minted.value.clone(),
                scope: minted.scope.clone(),
                obtained_at_ms: lifetime.obtained_at.wall_ms,
                expires_at_ms: lifetime.expires_at.wall_ms,
                refresh_at_ms: lifetime.refresh_at.wall_ms,
                unknown: UnknownMembers::default(),
            };
            if self.ok_or_warn(self.parts.store.save(key, &record.with_new_token(token))).is_some() {
                self.process().forget_warnings();
            }
        }
        let process = self.process();
        let mut memory = process.memory();
        memory.set_cooldown(None);
        let generation = if origin == Origin::Uncacheable { Token::NO_GENERATION } else { self.next_generation() };
        let token = Token::new(minted.value.expose(), minted.scope, lifetime, generation);
        if origin == Origin::Minted && !self.publish(Some(&token), &memory) {
            return Err(Error::Closed);
        }
        Ok(RefreshOutcome { token, origin })
    }

    fn expired_on_arrival(&self, life: Duration) -> Error {
        let server = self.parts.identity.iter().find(|(name, _)| *name == "token_endpoint").map(|(_, url)| url.clone());
        Error::Protocol {
            server: server.unwrap_or_else(|| "the authorization server".to_owned()),
            problem: format!("its token is valid for {} s and expired before it arrived", life.as_secs_f64()),
            http_status: Some(200),
        }
    }

    /// Remembers `error` in memory and in the store, and returns it as callers receive it.
    ///
    /// It is stored without the lock too: if the holder of the lock is stopped, this alone prevents
    /// the other processes from sending requests. The record was read immediately before. If the
    /// holder writes a token between the read and the write, the other processes do not see that
    /// token until the cooldown is over.
    fn remember_failure(&self, key: &SlotKey, credential: &Credential, error: Error) -> Error {
        if is_local_fault(&error) {
            return error;
        }
        let record = self.load_record(key);
        let stored = record.as_ref().and_then(|record| record.cooldown.as_ref());
        let failures_elsewhere = stored.map_or(0, |stored| Cooldown::recent_failures(stored, self.now()));
        let Some(cooldown) = self.new_cooldown(&error, Some(credential), failures_elsewhere) else { return error };
        if let Some(record) = record.and_then(|record| self.with_failure(record, &cooldown, credential)) {
            self.ok_or_warn(self.parts.store.save(key, &record));
        }
        self.set_cooldown(cooldown)
    }

    /// Returns the record with what concerns other processes. Returns `None` for a failure that
    /// concerns only this process.
    fn with_failure(&self, record: Record, cooldown: &Cooldown, credential: &Credential) -> Option<Record> {
        let grant = &self.parts.grant;
        if let Some(stored) = cooldown.to_stored().filter(|_| grant.is_shared(&cooldown.error())) {
            return Some(record.with_cooldown(stored));
        }
        cooldown.to_stored_proxy_rejection(grant.proxy_login(credential)?).map(|rejection| record.with_proxy_rejection(rejection))
    }

    /// Remembers a refused secret file in this process alone. It is a local fault, but has the same
    /// error variant as a refused redirect of a server.
    fn remember_refused_file(&self, error: Error) -> Error {
        if matches!(error, Error::Refused { .. }) { self.remember_locally(error) } else { error }
    }

    /// Remembers a local fault in this process alone. Otherwise every get would start another
    /// refresh.
    pub(super) fn remember_local_fault(&self, error: Error) -> Error {
        if is_local_fault(&error) { self.remember_locally(error) } else { error }
    }

    fn remember_locally(&self, error: Error) -> Error {
        match self.new_cooldown(&error, None, 0) {
            Some(cooldown) => self.set_cooldown(cooldown),
            None => error,
        }
    }

    fn new_cooldown(&self, error: &Error, credential: Option<&Credential>, failures_elsewhere: u32) -> Option<Cooldown> {
        self.counts.mint_failures.add_one();
        let before = self.process().memory().cooldown().map_or(0, Cooldown::failures).max(failures_elsewhere);
        Cooldown::new(error, credential, self.now(), before.saturating_add(1))
    }

    fn set_cooldown(&self, cooldown: Cooldown) -> Error {
        let error = cooldown.error();
        let process = self.process();
        process.warn_refusal(format!("cannot get a new token: {error}"));
        process.memory().set_cooldown(Some(cooldown));
        error
    }

    pub(super) fn load_record(&self, key: &SlotKey) -> Option<Record> {
        self.ok_or_warn(self.parts.store.load(key))
    }

    /// Waits for the lock and reads the record at intervals: the holder may already have stored a
    /// usable token, and other processes may take the lock in turn. Reads the record once more
    /// before it returns with the lock.
    fn wait_for_lock_or_answer(&self, key: &SlotKey, request: &RefreshRequest, credential: &Credential, max_wait: Duration) -> LockWait {
        let waited = self.poll_lock_and_record(key, request, credential, max_wait);
        self.process().memory().waiting_for_lock_since = None;
        waited
    }

    fn poll_lock_and_record(&self, key: &SlotKey, request: &RefreshRequest, credential: &Credential, max_wait: Duration) -> LockWait {
        let started = Instant::now();
        let mut left = max_wait;
        loop {
            let wait = RECORD_POLL_INTERVAL.min(left);
            let locked = self.ok_or_warn(self.parts.store.lock(key, wait));
            if left == max_wait && matches!(locked, Some(None)) {
                tracing::debug!(cache = self.parts.store.location(), "waiting for another process that is getting a token");
            }
            self.process().memory().waiting_for_lock_since = matches!(locked, Some(None)).then_some(started);
            let record = self.load_record(key).unwrap_or_default();
            if let Some(answer) = self.answer_from_record(&record, request, credential, Origin::StoredDuringRefresh) {
                return LockWait::Answered(answer);
            }
            // A slow store exceeds the time that it was given.
            left = (left - wait).min(max_wait.saturating_sub(started.elapsed()));
            match locked {
                Some(Some(lock)) => return LockWait::Proceed(Some(lock), record),
                Some(None) if !left.is_zero() => {}
                Some(None) => {
                    self.process().warn(format!("{}; continuing without the lock", self.lock_held_message(max_wait)));
                    return LockWait::Proceed(None, record);
                }
                None => return LockWait::Proceed(None, record),
            }
        }
    }

    pub(super) fn key(&self, credential: &Credential) -> SlotKey {
        SlotKey { identity: self.parts.identity.clone(), secret: credential.client_secret.clone() }
    }

    pub(super) fn ok_or_warn<T>(&self, result: Result<T, StoreError>) -> Option<T> {
        let warning = |error: StoreError| {
            let (location, problem) = (self.parts.store.location(), error.to_string());
            // A problem of the directory itself begins with its path.
            match problem.strip_prefix(&location).and_then(|rest| rest.strip_prefix(' ')) {
                Some(rest) => format!("the token cache {location} is not used: it {rest}"),
                None => format!("the token cache {location} is not used: {problem}"),
            }
        };
        result.map_err(|error| self.process().warn(warning(error))).ok()
    }
}
