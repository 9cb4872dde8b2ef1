//! One refresh, on its own thread: read the store, take the key's lock, read the store again, mint, write the store, publish.
//!
//! A store that fails, hangs or is refused costs nobody the token: one warning, and on without it.

use super::failure::Failure;
use super::freshness::{Freshness, Lifetime, UNSTATED_LIFETIME};
use super::jitter;
use super::need::{Known, Landed, Need, Origin, Other};
use super::slot::Slot;
use crate::clock::Moment;
use crate::error::Error;
use crate::grant::{Credential, GrantedLifetime, Minted};
use crate::store::{Record, SlotKey, StoreError, StoreLock, StoredToken};
use crate::token::Token;
use std::time::{Duration, Instant};

/// The longest time that a caller with a live token in the store waits for a newer one.
const RENEWAL: Duration = Duration::from_secs(5);

/// How long a process waits for the lock before it looks into the store again. Not longer and longer: where others take turns with the lock, a token that
/// one of them has put there may be forgotten again before a late look.
const LOOKS_EVERY: Duration = Duration::from_millis(50);

/// How a wait for the lock ended.
enum Waited {
    /// With the lock, or without it where it is not to be had.
    Locked(Option<Box<dyn StoreLock>>),
    /// With what another process put into the store.
    Answered(Result<Landed, Error>),
}

impl Slot {
    pub(super) fn refresh(&self, need: Need) -> Result<Landed, Error> {
        let credential = self.parts.credentials.current()?;
        match self.refresh_with(need.clone(), &credential) {
            Err(rejection @ Error::CredentialRejected { .. }) => match self.parts.credentials.reload(&credential) {
                Ok(Some(rotated)) => self.refresh_with(need, &rotated),
                _ => Err(rejection),
            },
            result => result,
        }
    }

    fn refresh_with(&self, mut need: Need, credential: &Credential) -> Result<Landed, Error> {
        let begun = Instant::now();
        let key = self.key(credential);

        let record = self.look(&key).unwrap_or_default();
        match self.answer_from(&record, &need, credential, Origin::Stored) {
            Some(Ok(landed)) => return Ok(self.renewed_if_due(landed, &key, credential)),
            Some(refusal) => return refusal,
            None => {}
        }
        if matches!(need.other, Other::ThanTheStored) {
            need.other = record.token.as_ref().map_or(Other::Any, |token| Other::Than(Known::from(token)));
        }

        let lock = match self.lock_unless_answered(&key, &need, credential) {
            Waited::Locked(lock) => lock,
            Waited::Answered(answer) => return answer,
        };
        self.mint(&key, credential, self.time_to_mint(begun), lock.is_some())
    }

    fn mint(&self, key: &SlotKey, credential: &Credential, budget: Duration, locked: bool) -> Result<Landed, Error> {
        let sent = self.now();
        match self.parts.grant.mint(credential, budget) {
            Ok(minted) => self.keep(key, minted, sent, credential, locked),
            Err(error) => Err(self.remember(key, credential, error, locked)),
        }
    }

    /// A stored token that is due, on the way to a caller in a process that had none: whoever comes first with the lock renews it, within a short time, and
    /// everybody else takes it as it is. Otherwise processes that live for one get would never renew it, and pass around what is left of it.
    fn renewed_if_due(&self, landed: Landed, key: &SlotKey, credential: &Credential) -> Landed {
        if landed.token.lifetime().freshness(self.now(), Duration::ZERO) != Freshness::Due {
            return landed;
        }
        let Some(Some(_lock)) = self.tried(self.parts.store.lock(key, Duration::ZERO)) else { return landed };
        let need = Need { min_ttl: Duration::ZERO, other: Other::Any, fresh: true };
        let record = self.look(key).unwrap_or_default();
        match self.answer_from(&record, &need, credential, Origin::StoredSince) {
            Some(Ok(renewed)) => renewed,
            Some(Err(_)) => landed,
            None => self.mint(key, credential, RENEWAL.min(self.parts.budget / 4), true).unwrap_or(landed),
        }
    }

    /// The time for the request. Those who wait for the lock wait a little longer than half of a refresh: within that, whoever holds it has its token
    /// or its refusal in the store, and a slow server is not asked by everybody.
    fn time_to_mint(&self, begun: Instant) -> Duration {
        let left = self.parts.budget.saturating_sub(begun.elapsed());
        if self.parts.store.is_shared() { left.min(self.parts.budget / 2) } else { left }
    }

    /// Each waits a little longer than half, and not all for the same time: where the holder stands still, the first who gives up gets the token that
    /// the next ones find, and the server is not asked by all of them in one moment.
    fn time_to_wait_for_the_lock(&self) -> Duration {
        self.parts.budget * 11 / 20 + (self.parts.budget * 3 / 20).mul_f64(jitter::fraction())
    }

    /// What another process has left there: a token that will do, or a refusal that still stands.
    fn answer_from(&self, record: &Record, need: &Need, credential: &Credential, origin: Origin) -> Option<Result<Landed, Error>> {
        if let Some(token) = record.token.as_ref().and_then(|stored| self.adopt(stored, need)) {
            return Some(Ok(Landed { token, origin }));
        }
        let now = self.now();
        let failure = Failure::recall(record.cooldown.as_ref()?, credential, now)?;
        let standing = failure.standing(now)?;
        self.process().memory().set_failure(Some(failure));
        self.counts.cooldown_answers.add_one();
        Some(Err(standing))
    }

    /// Makes a stored token the current one if it lives and outlives the one that is: it may be good for others even where it is not for this need.
    /// Returns the token that meets the need.
    fn adopt(&self, stored: &StoredToken, need: &Need) -> Option<Token> {
        let now = self.now();
        let lifetime = Lifetime::recalled(now, stored.obtained_at_ms, stored.refresh_at_ms, stored.expires_at_ms)?;
        let process = self.process();
        let mut memory = process.memory();
        if memory.was_turned_down(stored.value.expose()) || lifetime.freshness(now, Duration::ZERO) == Freshness::Dead {
            return None;
        }
        let current = self
            .current
            .token()
            .filter(|current| current.value() == stored.value.expose() || current.lifetime().expires.wall_ms > stored.expires_at_ms);
        let token = match current {
            Some(current) => current,
            None => {
                let token = Token::new(stored.value.expose(), stored.scope.clone(), lifetime, self.next_generation());
                if !self.publish(Some(&token), &memory) {
                    return None;
                }
                token
            }
        };
        if !need.is_met_by(&token, now) {
            return None;
        }
        memory.set_failure(None);
        Some(token)
    }

    fn keep(&self, key: &SlotKey, minted: Minted, sent: Moment, credential: &Credential, locked: bool) -> Result<Landed, Error> {
        self.counts.mints.add_one();
        let (life, origin, shared) = match minted.lifetime {
            GrantedLifetime::Stated(life) => (life, Origin::Minted, true),
            GrantedLifetime::Unstated => (UNSTATED_LIFETIME, Origin::Minted, false),
            GrantedLifetime::DoNotCache => (Duration::ZERO, Origin::Unkept, false),
        };
        let lifetime = Lifetime::granted(sent, life, jitter::fraction());
        if origin == Origin::Minted && lifetime.freshness(self.now(), Duration::ZERO) == Freshness::Dead {
            let error = self.over_on_arrival(life);
            return Err(self.remember(key, credential, error, locked));
        }
        if shared {
            let token = StoredToken {
                value: minted.value.clone(),
                scope: minted.scope.clone(),
                obtained_at_ms: lifetime.obtained.wall_ms,
                expires_at_ms: lifetime.expires.wall_ms,
                refresh_at_ms: lifetime.refresh.wall_ms,
            };
            if self.tried(self.parts.store.save(key, &Record { token: Some(token), cooldown: None })).is_some() {
                self.process().forget_warnings();
            }
        }
        let process = self.process();
        let mut memory = process.memory();
        memory.set_failure(None);
        let generation = if origin == Origin::Unkept { Token::NO_GENERATION } else { self.next_generation() };
        let token = Token::new(minted.value.expose(), minted.scope, lifetime, generation);
        if origin == Origin::Minted && !self.publish(Some(&token), &memory) {
            return Err(Error::Closed);
        }
        Ok(Landed { token, origin })
    }

    fn over_on_arrival(&self, life: Duration) -> Error {
        let server = self.parts.identity.iter().find(|(name, _)| *name == "token_endpoint").map(|(_, url)| url.clone());
        Error::Protocol {
            server: server.unwrap_or_else(|| "the authorization server".to_owned()),
            problem: format!("the token in it lives for {} s, and was over before it arrived", life.as_secs_f64()),
            http_status: Some(200),
        }
    }

    /// Remembers `error`, here and in the store, and returns it as callers shall see it.
    fn remember(&self, key: &SlotKey, credential: &Credential, error: Error, locked: bool) -> Error {
        let record = self.look(key);
        let stored = record.as_ref().and_then(|record| record.cooldown.as_ref());
        let met_by_others = stored.map_or(0, |stored| Failure::failures_of(stored, self.now()));
        let Some(failure) = self.failure_of(&error, Some(credential), met_by_others) else { return error };
        // Without the lock another process may be writing a token at this moment, and this record would be written over it.
        if locked && let Some(record) = record {
            self.tried(self.parts.store.save(key, &Record { cooldown: Some(failure.to_stored()), ..record }));
        }
        self.accept(failure)
    }

    /// Remembers `error` in this process alone where it says nothing of the server: a file that is missing, a fault of our own. Otherwise every get
    /// would start another refresh.
    pub(super) fn remember_here(&self, error: Error) -> Error {
        if !matches!(error, Error::NotConfigured { .. } | Error::InvalidArgument { .. } | Error::Internal { .. }) {
            return error;
        }
        match self.failure_of(&error, None, 0) {
            Some(failure) => self.accept(failure),
            None => error,
        }
    }

    fn failure_of(&self, error: &Error, credential: Option<&Credential>, met_by_others: u32) -> Option<Failure> {
        self.counts.mint_failures.add_one();
        let before = self.process().memory().failure().map_or(0, Failure::failures).max(met_by_others);
        Failure::remember(error, credential, self.now(), before.saturating_add(1))
    }

    fn accept(&self, failure: Failure) -> Error {
        let error = failure.error();
        let process = self.process();
        process.warn_of_refusal(format!("no new token: {error}"));
        process.memory().set_failure(Some(failure));
        error
    }

    pub(super) fn look(&self, key: &SlotKey) -> Option<Record> {
        self.tried(self.parts.store.load(key))
    }

    /// Waits for the lock, and looks into the store at times meanwhile: whoever holds it may long have put there what is needed, and others may be
    /// taking turns with it. Before it returns with the lock it has looked once more.
    fn lock_unless_answered(&self, key: &SlotKey, need: &Need, credential: &Credential) -> Waited {
        let patience = self.time_to_wait_for_the_lock();
        let begun = Instant::now();
        let mut left = patience;
        loop {
            let wait = LOOKS_EVERY.min(left);
            let locked = self.tried(self.parts.store.lock(key, wait));
            let record = self.look(key).unwrap_or_default();
            if let Some(answer) = self.answer_from(&record, need, credential, Origin::StoredSince) {
                return Waited::Answered(answer);
            }
            // A slow store takes longer than it was given.
            left = (left - wait).min(patience.saturating_sub(begun.elapsed()));
            match locked {
                Some(Some(lock)) => return Waited::Locked(Some(lock)),
                Some(None) if !left.is_zero() => {}
                Some(None) => {
                    self.process().warn(format!(
                        "another process has held the lock of the token cache at {} for {:.1} s; going on without it",
                        self.parts.store.location(),
                        patience.as_secs_f64()
                    ));
                    return Waited::Locked(None);
                }
                None => return Waited::Locked(None),
            }
        }
    }

    pub(super) fn forget_in_store(&self, value: &str) -> bool {
        const PATIENCE: Duration = Duration::from_secs(1);
        let Ok(credential) = self.parts.credentials.current() else { return false };
        let key = self.key(&credential);
        let holds = |record: &Record| record.token.as_ref().is_some_and(|token| token.value.expose() == value);
        if !self.look(&key).is_some_and(|record| holds(&record)) {
            return false;
        }
        // Whoever holds the lock may be about to write a newer token over this one, and may as well fail or have been stopped. Without the lock the worst that
        // can happen is that a newer token is forgotten with it, which costs a token request.
        let _lock = self.tried(self.parts.store.lock(&key, PATIENCE));
        let Some(record) = self.look(&key) else { return false };
        if !holds(&record) {
            return true;
        }
        let forgotten = self.tried(self.parts.store.save(&key, &Record { token: None, ..record })).is_some();
        if !forgotten {
            self.process().warn(format!("a token that was turned down is still in the token cache at {}", self.parts.store.location()));
        }
        forgotten
    }

    pub(super) fn key(&self, credential: &Credential) -> SlotKey {
        SlotKey { identity: self.parts.identity.clone(), secret: credential.client_secret.clone() }
    }

    fn tried<T>(&self, result: Result<T, StoreError>) -> Option<T> {
        result
            .map_err(|error| self.process().warn(format!("the token cache at {} is not used: {}", self.parts.store.location(), error)))
            .ok()
    }
}
