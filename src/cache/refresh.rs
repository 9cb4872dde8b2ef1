//! One refresh, on its own thread: read the store, take the key's lock, read the store again, mint, write the store, publish.
//!
//! A store that fails, hangs or is refused costs nobody the token: one warning, and on without it.

use super::failure::{Failure, is_a_fault_here};
use super::freshness::{Freshness, UNSTATED_LIFETIME};
use super::jitter;
use super::need::{Known, Landed, Need, Origin, Other};
use super::slot::Slot;
use crate::clock::Moment;
use crate::credential::Credential;
use crate::error::Error;
use crate::grant::{GrantedLifetime, Minted};
use crate::lifetime::Lifetime;
use crate::store::{Record, SlotKey, StoreError, StoreLock, StoredToken};
use crate::token::Token;
use std::time::{Duration, Instant};

/// The longest time that a caller with a live token in the store waits for a newer one.
const RENEWAL: Duration = Duration::from_secs(5);

/// How long a process waits for the lock before it looks into the store again. Not longer and longer: where others take turns with the lock, a token that
/// one of them has put there may be forgotten again before a late look.
const LOOKS_EVERY: Duration = Duration::from_millis(50);

/// The shortest patience of a caller after which its refresh gives up the lock in time to mint for it. One that has less gets no token while another
/// process holds the lock: giving it up so soon would make everybody ask whose server is a little slow.
const SHORTEST_PATIENCE: Duration = Duration::from_secs(5);

/// How a wait for the lock ended.
enum Waited {
    /// With the right to mint: with the lock, or without it where it is not to be had.
    ToMint(Option<Box<dyn StoreLock>>),
    /// With what another process put into the store.
    Answered(Result<Landed, Error>),
}

impl Slot {
    /// `patience` is that of the caller for whom it was started.
    pub(super) fn refresh(&self, need: Need, patience: Duration) -> Result<Landed, Error> {
        let credential = self.parts.credentials.current().map_err(|error| self.remember_a_refused_file(error))?;
        match self.refresh_with(need.clone(), &credential, patience) {
            Err(rejection @ Error::CredentialRejected { .. }) => match self.parts.credentials.reload(&credential) {
                Ok(Some(rotated)) => self.refresh_with(need, &rotated, patience),
                _ => Err(rejection),
            },
            result => result,
        }
    }

    fn refresh_with(&self, mut need: Need, credential: &Credential, patience: Duration) -> Result<Landed, Error> {
        let begun = Instant::now();
        let key = self.key(credential);

        let record = self.look(&key).unwrap_or_default();
        match self.answer_from(&record, &need, credential, Origin::Stored) {
            Some(Ok(landed)) => return Ok(self.renewed_if_due(landed, &key, credential)),
            Some(refusal) => return refusal,
            None => {}
        }
        if matches!(need.other, Other::ThanTheStored) {
            need.other = record.token.as_ref().map_or(Other::Any, |token| Other::Than(Known::of_stored(token, self.now())));
        }

        let _lock = match self.lock_unless_answered(&key, &need, credential, self.time_to_wait_for_the_lock(patience)) {
            Waited::ToMint(lock) => lock,
            Waited::Answered(answer) => return answer,
        };
        self.mint(&key, credential, self.time_to_mint(begun))
    }

    fn mint(&self, key: &SlotKey, credential: &Credential, budget: Duration) -> Result<Landed, Error> {
        let sent = self.now();
        match self.parts.grant.mint(credential, budget) {
            Ok(minted) => self.keep(key, minted, sent, credential),
            Err(error) => Err(self.remember(key, credential, error)),
        }
    }

    /// A stored token that is due, on the way to a caller in a process that had none: whoever comes first with the lock renews it, within a short time, and
    /// everybody else takes it as it is. Otherwise processes that live for one get would never renew it, and pass around what is left of it.
    fn renewed_if_due(&self, landed: Landed, key: &SlotKey, credential: &Credential) -> Landed {
        if landed.token.lifetime().freshness(self.now(), Duration::ZERO) != Freshness::Due {
            return landed;
        }
        let Some(Some(_lock)) = self.tried(self.parts.store.lock(key, Duration::ZERO)) else { return landed };
        let record = self.look(key).unwrap_or_default();
        match self.answer_from(&record, &Need::fresh(), credential, Origin::StoredSince) {
            Some(Ok(renewed)) => renewed,
            Some(Err(_)) => landed,
            None => self.mint(key, credential, RENEWAL.min(self.parts.budget / 4)).unwrap_or(landed),
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
    fn time_to_wait_for_the_lock(&self, patience: Duration) -> Duration {
        let twentieth = self.parts.budget.min(patience.max(SHORTEST_PATIENCE)) / 20;
        twentieth.saturating_mul(11) + twentieth.saturating_mul(3).mul_f64(jitter::fraction())
    }

    /// What another process has left there: a token that will do, or one that shows that none would, or a refusal that still stands.
    fn answer_from(&self, record: &Record, need: &Need, credential: &Credential, origin: Origin) -> Option<Result<Landed, Error>> {
        if let Some(token) = record.token.as_ref().and_then(|stored| self.adopt(stored, need)) {
            return Some(Ok(Landed { token, origin }));
        }
        let now = self.now();
        if let Some(token) = self.current.token().filter(|token| need.is_beyond(token, now)) {
            return Some(Ok(Landed { token, origin }));
        }
        let failure = Failure::recall(record.cooldown.as_ref()?, credential, now)?;
        let standing = failure.standing(now)?;
        tracing::debug!(cache = self.parts.store.location(), "found a remembered refusal in the token cache");
        self.process().memory().set_failure(Some(failure));
        self.counts.cooldown_answers.add_one();
        Some(Err(standing))
    }

    /// Makes a stored token the current one if it lives and outlives the one that is: it may be good for others even where it is not for this need.
    /// Returns the token that meets the need.
    fn adopt(&self, stored: &StoredToken, need: &Need) -> Option<Token> {
        let now = self.now();
        let process = self.process();
        let mut memory = process.memory();
        let recalled =
            self.recalled(stored, &memory, now).filter(|token| token.lifetime().freshness(now, Duration::ZERO) != Freshness::Dead)?;
        let left_of = |token: &Token| now.until(token.lifetime().expires);
        // The one that lives longer stays current, unless only the other one will do.
        let outranks =
            |current: &Token| left_of(current) > left_of(&recalled) && (need.is_met_by(current, now) || !need.is_met_by(&recalled, now));
        let current = self.current.token().filter(|current| current.value() == recalled.value() || outranks(current));
        let token = match current {
            Some(current) => current,
            None => {
                if !self.publish(Some(&recalled), &memory) {
                    return None;
                }
                recalled
            }
        };
        if !need.is_met_by(&token, now) {
            return None;
        }
        memory.set_failure(None);
        drop(memory);
        tracing::debug!(cache = self.parts.store.location(), ends_in_s = left_of(&token).as_secs(), "using the token in the token cache");
        Some(token)
    }

    fn keep(&self, key: &SlotKey, minted: Minted, sent: Moment, credential: &Credential) -> Result<Landed, Error> {
        self.counts.mints.add_one();
        let (life, origin, shared) = match minted.lifetime {
            GrantedLifetime::Stated(life) => (life, Origin::Minted, true),
            GrantedLifetime::Unstated => (UNSTATED_LIFETIME, Origin::Minted, false),
            GrantedLifetime::DoNotCache => (Duration::ZERO, Origin::Unkept, false),
        };
        let lifetime = Lifetime::granted(sent, life, jitter::fraction());
        if origin == Origin::Minted && lifetime.freshness(self.now(), Duration::ZERO) == Freshness::Dead {
            let error = self.over_on_arrival(life);
            return Err(self.remember(key, credential, error));
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
            problem: format!("its token is valid for {} s and expired before it arrived", life.as_secs_f64()),
            http_status: Some(200),
        }
    }

    /// Remembers `error`, here and in the store, and returns it as callers shall see it.
    ///
    /// Without the lock too: where a process stands still with it, this is all that keeps the others from asking. The record was read an instant ago;
    /// should the lock's holder write a token in that instant, it is lost to the others until the refusal ends.
    fn remember(&self, key: &SlotKey, credential: &Credential, error: Error) -> Error {
        if is_a_fault_here(&error) {
            return error;
        }
        let record = self.look(key);
        let stored = record.as_ref().and_then(|record| record.cooldown.as_ref());
        let met_by_others = stored.map_or(0, |stored| Failure::failures_of(stored, self.now()));
        let Some(failure) = self.failure_of(&error, Some(credential), met_by_others) else { return error };
        if let (Some(record), Some(cooldown)) = (record, failure.to_stored()) {
            self.tried(self.parts.store.save(key, &Record { cooldown: Some(cooldown), ..record }));
        }
        self.accept(failure)
    }

    /// A secret file that is refused says nothing of the server either, and looks like a server's redirect that is refused.
    fn remember_a_refused_file(&self, error: Error) -> Error {
        if matches!(error, Error::Refused { .. }) { self.keep_to_itself(error) } else { error }
    }

    /// Remembers `error` in this process alone where it says nothing of the server. Otherwise every get would start another refresh.
    pub(super) fn remember_here(&self, error: Error) -> Error {
        if is_a_fault_here(&error) { self.keep_to_itself(error) } else { error }
    }

    fn keep_to_itself(&self, error: Error) -> Error {
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
        process.warn_of_refusal(format!("cannot get a new token: {error}"));
        process.memory().set_failure(Some(failure));
        error
    }

    pub(super) fn look(&self, key: &SlotKey) -> Option<Record> {
        self.tried(self.parts.store.load(key))
    }

    /// Waits for the lock, and looks into the store at times meanwhile: whoever holds it may long have put there what is needed, and others may be
    /// taking turns with it. Before it returns with the lock it has looked once more.
    fn lock_unless_answered(&self, key: &SlotKey, need: &Need, credential: &Credential, patience: Duration) -> Waited {
        let waited = self.wait_for_the_lock(key, need, credential, patience);
        self.process().memory().waits_for_the_lock_since = None;
        waited
    }

    fn wait_for_the_lock(&self, key: &SlotKey, need: &Need, credential: &Credential, patience: Duration) -> Waited {
        let begun = Instant::now();
        let mut left = patience;
        loop {
            let wait = LOOKS_EVERY.min(left);
            let locked = self.tried(self.parts.store.lock(key, wait));
            if left == patience && matches!(locked, Some(None)) {
                tracing::debug!(cache = self.parts.store.location(), "waiting for another process that is getting a token");
            }
            self.process().memory().waits_for_the_lock_since = matches!(locked, Some(None)).then_some(begun);
            let record = self.look(key).unwrap_or_default();
            if let Some(answer) = self.answer_from(&record, need, credential, Origin::StoredSince) {
                return Waited::Answered(answer);
            }
            // A slow store takes longer than it was given.
            left = (left - wait).min(patience.saturating_sub(begun.elapsed()));
            match locked {
                Some(Some(lock)) => return Waited::ToMint(Some(lock)),
                Some(None) if !left.is_zero() => {}
                Some(None) => {
                    self.process().warn(format!("{}; continuing without the lock", self.lock_is_held_for(patience)));
                    return Waited::ToMint(None);
                }
                None => return Waited::ToMint(None),
            }
        }
    }

    pub(super) fn key(&self, credential: &Credential) -> SlotKey {
        SlotKey { identity: self.parts.identity.clone(), secret: credential.client_secret.clone() }
    }

    pub(super) fn tried<T>(&self, result: Result<T, StoreError>) -> Option<T> {
        result
            .map_err(|error| self.process().warn(format!("cannot use the token cache at {}: {}", self.parts.store.location(), error)))
            .ok()
    }
}
