//! One refresh, on its own thread: read the store, acquire the slot's lock, read the store again,
//! request a token, publish it and answer the callers, write the store.
//!
//! A store that fails or hangs or is refused never prevents a refresh: it causes one warning, and
//! the refresh continues without it.

use super::cooldown::{Cooldown, is_local_fault};
use super::freshness::{DEFAULT_LIFETIME, Freshness};
use super::jitter;
use super::lock_wait::{HeldLock, LockWait, RefreshTimes, Remains};
use super::refresh_request::{Exclude, Origin, RefreshOutcome, RefreshRequest};
use super::slot::Slot;
use crate::clock::Moment;
use crate::credential::Credential;
use crate::error::{Error, Exchange, TimeIsOver, duration_text};
use crate::grant::{GrantedLifetime, MethodsTried, Minted};
use crate::lifetime::Lifetime;
use crate::store::{Record, RejectedTokens, SlotKey, StoreError, StoredMethods, StoredToken, UnknownMembers};
use crate::token::Token;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The maximum time that a caller with a valid stored token waits for a newer one.
const MAX_DUE_REFRESH_TIME: Duration = Duration::from_secs(5);

/// A refresh that has ended: its result, and what the store does not have yet.
struct Refreshed {
    result: Result<RefreshOutcome, Error>,
    unsaved: Option<Unsaved>,
    remains: Remains,
}

/// What must be written to the store, with the lock under which it is written.
struct Unsaved {
    key: SlotKey,
    change: Change,
    lock: Option<HeldLock>,
}

enum Change {
    /// Add this token to the record. `mint_time`: how long its request took. `was_rejected`: a resource
    /// server has rejected this token, and the server issued it again.
    Token { token: StoredToken, mint_time: Duration, was_rejected: bool },
    /// Add this refusal to the record.
    Cooldown(Cooldown, Credential),
}

/// Whether another client secret may help.
fn is_about_credential(error: &Error) -> bool {
    matches!(error, Error::CredentialRejected { .. } | Error::Protocol { http_status: Some(401), .. })
}

impl From<Result<RefreshOutcome, Error>> for Refreshed {
    fn from(result: Result<RefreshOutcome, Error>) -> Self {
        Self { result, unsaved: None, remains: None }
    }
}

impl Slot {
    /// Performs a refresh. `max_wait` is the remaining time of the caller that started it.
    ///
    /// Calls `answer` once, as soon as the result is known: after the token is published, or after
    /// the cooldown is set in memory, and before either is written to the store. A store that is
    /// slow therefore costs the callers no time.
    pub(super) fn refresh(&self, request: RefreshRequest, max_wait: Duration, answer: &dyn Fn(Result<RefreshOutcome, Error>)) {
        let Refreshed { result, unsaved, remains: _remains } = self.obtain(request, max_wait);
        answer(result.map_err(|error| self.remember_local_fault(error)));
        if let Some(unsaved) = unsaved {
            self.save(unsaved);
        }
    }

    fn obtain(&self, request: RefreshRequest, max_wait: Duration) -> Refreshed {
        if let Some(refusal) = self.check_cooldown() {
            // The gets of a due token were answered with the token.
            if !request.rejects_due() {
                self.counts.cooldown_answers.add_one();
            }
            return Err(refusal).into();
        }
        // The check may take long, and a closed client sends no request.
        if let Err(closed) = self.refuse_if_closed() {
            return Err(closed).into();
        }
        self.counts.refreshes.add_one();
        let credential = match self.parts.credentials.current() {
            Ok(credential) => credential,
            Err(error) => return Err(self.remember_refused_file(error)).into(),
        };
        let refreshed = self.refresh_with(request.clone(), &credential, max_wait);
        if !refreshed.result.as_ref().is_err_and(is_about_credential) {
            return refreshed;
        }
        match self.parts.credentials.reload(&credential) {
            Ok(Some(rotated)) => {
                if let Some(unsaved) = refreshed.unsaved {
                    self.save(unsaved);
                }
                self.refresh_with(request, &rotated, max_wait)
            }
            _ => refreshed,
        }
    }

    fn refresh_with(&self, mut request: RefreshRequest, credential: &Credential, max_wait: Duration) -> Refreshed {
        let mut times = RefreshTimes::new(self.parts.timeout, max_wait);
        let key = self.key(credential);

        let record = self.load_record(&key).unwrap_or_default();
        match self.answer_from_record(&record, &request, credential, Origin::Stored) {
            Some(Ok(outcome)) => return self.refresh_if_due(outcome, &key, credential),
            Some(refusal) => return refusal.into(),
            None => {}
        }
        if matches!(request.exclude, Exclude::Stored) {
            request.exclude = record.token.as_ref().map_or(Exclude::Nothing, |token| Exclude::up_to_stored(token, self.now()));
        }

        let (waited, remains) = self.wait_for_lock_or_answer(&key, &request, credential, &mut times);
        let refreshed = match waited {
            LockWait::Proceed(lock, record) => self.mint(&key, credential, times.left(), *record, lock),
            LockWait::Answered(answer) => answer.into(),
        };
        let result = match (refreshed.result, self.process().memory().waiting_for_lock_since.take()) {
            // The wait for the lock left too little time for the request.
            (Err(error), Some(since)) if error.is_own_timeout() => {
                Err(Error::Deadline { waited: times.elapsed(), blocked_by: self.lock_held_message(since.elapsed()) })
            }
            (result, _) => result,
        };
        Refreshed { result, unsaved: refreshed.unsaved, remains }
    }

    /// Sends a token request. `record` is what the store had before: the new token replaces its token,
    /// and members of a later version are kept.
    fn mint(&self, key: &SlotKey, credential: &Credential, budget: Duration, record: Record, lock: Option<HeldLock>) -> Refreshed {
        self.recall_methods(key, &record);
        let (sent, started) = (self.now(), Instant::now());
        let (result, change) = match self.parts.grant.mint(credential, budget) {
            Ok(minted) => {
                // On the injected clock a request may take longer than in real time.
                let duration = started.elapsed().max(Duration::from_millis(self.now().monotonic_ms.saturating_sub(sent.monotonic_ms)));
                self.accept_minted(minted, sent, duration, credential, &record)
            }
            Err(error) => self.remember_failure(credential, with_timeout_setting(error, self.parts.timeout), &record),
        };
        Refreshed { result, unsaved: change.map(|change| Unsaved { key: key.clone(), change, lock }), remains: None }
    }

    /// Refreshes a stored token that is due, for a process that had no token. The first process
    /// that acquires the lock refreshes it, within a short time; all others use it as it is.
    /// Otherwise processes that perform a single get would never refresh it and would use it until
    /// shortly before it expires.
    fn refresh_if_due(&self, outcome: RefreshOutcome, key: &SlotKey, credential: &Credential) -> Refreshed {
        if outcome.token.lifetime().freshness(self.now(), Duration::ZERO) != Freshness::Due {
            return Ok(outcome).into();
        }
        let Some(Some(lock)) = self.ok_or_warn(self.parts.store.lock(key, Duration::ZERO)) else { return Ok(outcome).into() };
        let record = self.load_record(key).unwrap_or_default();
        match self.answer_from_record(&record, &RefreshRequest::not_due(), credential, Origin::StoredDuringRefresh) {
            Some(Ok(refreshed)) => Ok(refreshed).into(),
            Some(Err(_)) => Ok(outcome).into(),
            None => {
                let refreshed =
                    self.mint(key, credential, MAX_DUE_REFRESH_TIME.min(self.parts.timeout / 4), record, Some(HeldLock::new(lock)));
                Refreshed { result: refreshed.result.or(Ok(outcome)), ..refreshed }
            }
        }
    }

    /// Writes what a refresh brought to the store, for other processes.
    ///
    /// A refusal is stored without the lock too: if the holder of the lock is stopped, this alone
    /// prevents the other processes from sending requests. The record is read immediately before.
    /// If the holder writes a token between the read and the write, the other processes do not see
    /// that token until the cooldown is over.
    fn save(&self, mut unsaved: Unsaved) {
        if let Some(lock) = &mut unsaved.lock {
            lock.give_last_sign();
        }
        let store = &self.parts.store;
        match unsaved.change {
            Change::Token { token, mint_time, was_rejected } => {
                // Read now: another process may have counted a rejected token since the request.
                let stored = self.load_record(&unsaved.key).unwrap_or_default();
                // A process that was stopped or had no lock may come late.
                if stored.token.as_ref().is_some_and(|stored| self.is_newer(stored, &token)) {
                    return;
                }
                let record = self.with_methods(&unsaved.key, stored.with_new_token(token).with_last_mint(mint_time));
                if self.ok_or_warn(store.save(&unsaved.key, &record)).is_some() {
                    self.process().forget_warnings();
                }
                // The token was invalidated while it was written, so the invalidation did not find
                // it in the store.
                if !was_rejected && self.is_rejected(&record) {
                    self.ok_or_warn(store.save(&unsaved.key, &record.without_token()));
                }
            }
            Change::Cooldown(cooldown, credential) => {
                let record = self.load_record(&unsaved.key).and_then(|record| self.with_failure(record, &cooldown, &credential));
                let Some(record) = record else { return self.save_methods(&unsaved.key) };
                let record = self.with_methods(&unsaved.key, record);
                if self.ok_or_warn(store.save(&unsaved.key, &record)).is_some() && store.is_shared() {
                    self.process().memory().mark_cooldown_saved(&cooldown);
                }
            }
        }
    }

    /// Returns whether `stored` was requested after `token`, as far as the clock can be trusted.
    fn is_newer(&self, stored: &StoredToken, token: &StoredToken) -> bool {
        let later = stored.obtained_at_ms.min(self.now().wall_ms);
        later == stored.obtained_at_ms && token.obtained_at_ms < later
    }

    fn is_rejected(&self, record: &Record) -> bool {
        record.token.as_ref().is_some_and(|token| self.process().memory().is_rejected_token(token.value.expose()))
    }

    /// Returns what another process stored: a token that satisfies the request, a token that proves
    /// that none can, or a refusal that is in effect.
    pub(super) fn answer_from_record(
        &self,
        record: &Record,
        request: &RefreshRequest,
        credential: &Credential,
        origin: Origin,
    ) -> Option<Result<RefreshOutcome, Error>> {
        if let Some(token) = record.token.as_ref().and_then(|stored| self.adopt(stored, record, request)) {
            return Some(Ok(RefreshOutcome { token, origin }));
        }
        let now = self.now();
        if let Some(token) = self.current.token().filter(|token| request.exceeds_lifetime_of(token, now)) {
            return Some(Ok(RefreshOutcome { token, origin }));
        }
        let cooldown = Cooldown::in_record(record, || self.server(), credential, now).or_else(|| {
            let stored = record.proxy_rejection.as_ref()?;
            Cooldown::from_stored_proxy_rejection(stored, &self.parts.grant.proxy_login(credential)?, credential, now)
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
    fn adopt(&self, stored: &StoredToken, record: &Record, request: &RefreshRequest) -> Option<Token> {
        let now = self.now();
        let process = self.process();
        let mut memory = process.memory();
        let restored = self
            .restore(stored, record, &memory, now)
            .filter(|token| token.lifetime().freshness(now, Duration::ZERO) != Freshness::Unusable)?;
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

    /// Publishes a new token. Returns it, and the record that the store must have.
    fn accept_minted(
        &self,
        minted: Minted,
        sent: Moment,
        mint_time: Duration,
        credential: &Credential,
        record: &Record,
    ) -> (Result<RefreshOutcome, Error>, Option<Change>) {
        self.counts.mints.add_one();
        let (life, origin, shared) = match minted.lifetime {
            GrantedLifetime::Stated(life) => (life, Origin::Minted, true),
            GrantedLifetime::Unstated => (DEFAULT_LIFETIME, Origin::Minted, false),
            GrantedLifetime::DoNotCache => (Duration::ZERO, Origin::Uncacheable, false),
        };
        let request_time = Duration::from_millis(self.now().monotonic_ms.saturating_sub(sent.monotonic_ms));
        let lifetime = Lifetime::granted(sent, life, jitter::fraction()).with_request_time(request_time);
        let lifetime = if minted.lifetime == GrantedLifetime::Unstated { lifetime.assumed() } else { lifetime };
        if origin == Origin::Minted && lifetime.freshness(self.now(), Duration::ZERO) == Freshness::Unusable {
            let error = self.expired_on_arrival(life, sent.until(self.now()));
            return self.remember_failure(credential, error, record);
        }
        let process = self.process();
        let mut memory = process.memory();
        memory.set_cooldown(None);
        if self
            .current
            .token()
            .is_some_and(|old| sent.wall_ms.saturating_sub(old.lifetime().obtained_at.wall_ms) >= RejectedTokens::NEW_FOR_MS)
        {
            memory.rejected_in_a_row = None;
        }
        let generation = if origin == Origin::Uncacheable { Token::NO_GENERATION } else { self.next_generation() };
        let token = Token::new(minted.value.expose(), minted.scope.clone(), lifetime, generation);
        let published = origin != Origin::Minted || self.publish(Some(&token), &memory);
        let was_rejected = memory.is_rejected_token(token.value());
        drop(memory);
        let change = shared.then(|| {
            let token = StoredToken {
                value: minted.value,
                scope: minted.scope,
                obtained_at_ms: lifetime.obtained_at.wall_ms,
                expires_at_ms: lifetime.expires_at.wall_ms,
                refresh_at_ms: lifetime.refresh_at.wall_ms,
                unknown: UnknownMembers::default(),
            };
            Change::Token { token, mint_time, was_rejected }
        });
        let result = if published { Ok(RefreshOutcome { token, origin }) } else { Err(Error::Closed) };
        (result, change)
    }

    fn expired_on_arrival(&self, life: Duration, on_its_way: Duration) -> Error {
        // The token response does not say how many requests it took; it was at least one.
        let (server, exchange) = (self.server(), Exchange::new(1, None));
        if on_its_way > self.parts.timeout {
            return Error::Network {
                server,
                problem: format!("sent a token that expired while this process was stopped for {}", duration_text(on_its_way)),
                reached: true,
                advice: "Try again.".to_owned(),
                source: Some(Arc::new(TimeIsOver)),
                exchange,
            };
        }
        Error::Protocol {
            server,
            problem: format!("its token is valid for {} and expired before it arrived", duration_text(life)),
            http_status: Some(200),
            exchange,
        }
    }

    /// Remembers `error` in memory. Returns it as callers receive it, and what the store must
    /// have. `record` is the one that was read before the request.
    fn remember_failure(&self, credential: &Credential, error: Error, record: &Record) -> (Result<RefreshOutcome, Error>, Option<Change>) {
        if is_local_fault(&error) {
            return (Err(error), None);
        }
        let failures_elsewhere = record.cooldown.as_ref().map_or(0, |stored| Cooldown::recent_failures(stored, self.now()));
        let Some(cooldown) = self.new_cooldown(&error, Some(credential), failures_elsewhere) else { return (Err(error), None) };
        let change = Change::Cooldown(cooldown.clone(), credential.clone());
        (Err(self.set_cooldown(cooldown)), Some(change))
    }

    /// Returns the record with what concerns other processes. Returns `None` for a failure that
    /// concerns only this process.
    fn with_failure(&self, record: Record, cooldown: &Cooldown, credential: &Credential) -> Option<Record> {
        let grant = &self.parts.grant;
        if let Some(stored) = cooldown.to_stored().filter(|_| grant.is_shared(&cooldown.error())) {
            // Another process may have been told to wait for longer.
            let now = self.now();
            let known = Cooldown::in_record(&record, || self.server(), credential, now);
            let known_ends_later = known.is_some_and(|known| cooldown.ends_before(&known, now));
            return (!known_ends_later).then(|| record.with_cooldown(stored));
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
        let before = self.process().memory().cooldown().map_or(0, |cooldown| cooldown.failures_before(error)).max(failures_elsewhere);
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
        self.ok_or_warn(self.parts.store.load(key)).inspect(|record| self.recall_methods(key, record))
    }

    /// Tells the grant what other processes have found out.
    pub(super) fn recall_methods(&self, key: &SlotKey, record: &Record) {
        if let Some(tried) = &record.methods_tried {
            let tried = MethodsTried { accepted: tried.accepted.clone(), rejected: tried.rejected.clone(), at_ms: tried.tried_at_ms };
            self.parts.grant.recall_methods(&key.secret, &tried);
        }
    }

    /// Returns the record with what this process has found out.
    fn with_methods(&self, key: &SlotKey, record: Record) -> Record {
        let tried = self.parts.grant.methods_tried(&key.secret);
        record.with_methods_tried(tried.map(|tried| StoredMethods {
            accepted: tried.accepted,
            rejected: tried.rejected,
            tried_at_ms: tried.at_ms,
        }))
    }

    /// Stores what this process has found out about the methods, if other processes do not know it.
    pub(super) fn save_methods(&self, key: &SlotKey) {
        if !self.parts.store.is_shared() || self.parts.grant.methods_tried(&key.secret).is_none() {
            return;
        }
        let Some(record) = self.load_record(key) else { return };
        let known = record.methods_tried.clone();
        let record = self.with_methods(key, record);
        if record.methods_tried != known {
            self.ok_or_warn(self.parts.store.save(key, &record));
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

/// Names the setting that limits the time of a request, if the server did not respond within it.
fn with_timeout_setting(error: Error, timeout: Duration) -> Error {
    match error {
        Error::Network { server, problem, reached: true, source, exchange, .. }
            if source.as_ref().is_some_and(|source| source.is::<TimeIsOver>()) =>
        {
            let advice = format!(
                "timeout_ms (TOKENWELL_TIMEOUT_MS) is {} ({}). If the server is slow, allow more time.",
                timeout.as_millis(),
                duration_text(timeout)
            );
            Error::Network { server, problem, reached: true, advice, source, exchange }
        }
        other => other,
    }
}
