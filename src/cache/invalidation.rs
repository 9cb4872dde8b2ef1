//! Removal of a token before it expires: after a rejection by a resource server, or by revocation.

use super::flight::Entry;
use super::process::{ProcessState, catch_panic, spawn_or_run_inline};
use super::slot::Slot;
use crate::error::Error;
use crate::secret::Secret;
use crate::store::Record;
use crate::token::Token;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The time to wait for the store's lock before a token is removed.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

impl Slot {
    /// Drops the current token, in memory and in the store, if its value is `value`.
    pub(crate) fn invalidate(&self, value: &str) -> Result<bool, Error> {
        self.refuse_if_closed()?;
        self.refuse_inside_callback()?;
        let process = self.process();
        let dropped = {
            let mut memory = process.memory();
            memory.remember_rejected_token(value);
            let was_current = self.current.token().is_some_and(|token| token.value() == value);
            if was_current {
                self.publish(None, &memory);
            }
            was_current
        };
        let removed = self.remove_from_store(value);
        if dropped || removed {
            self.counts.invalidations.add_one();
        }
        Ok(dropped || removed)
    }

    /// Sends a revocation request for the current token (RFC 7009) and drops the token regardless
    /// of the response.
    ///
    /// The token is dropped before this call waits for anything, so it is no longer used when this
    /// returns, even early.
    pub(crate) fn revoke(self: &Arc<Self>, max_wait: Duration) -> Result<(), Error> {
        self.refuse_if_closed()?;
        self.refuse_inside_callback()?;
        let started = Instant::now();
        let deadline = started.checked_add(max_wait);
        let process = self.process();
        loop {
            let no_token = || self.current.token().is_none().then_some(());
            let (flight, started_here) = match process.revocation.enter(no_token) {
                Entry::Answered(()) => return Ok(()),
                Entry::Joined(flight) => (flight, false),
                Entry::Started(flight) => {
                    let token = self.take_current_token(&process);
                    let (slot, pending) = (Arc::clone(self), Arc::clone(&flight));
                    spawn_or_run_inline(move || {
                        let result = catch_panic(|| token.map_or(Ok(()), |token| slot.revoke_token(&token)));
                        slot.process().revocation.complete(&pending, result);
                    });
                    (flight, true)
                }
            };
            let Some(result) = flight.wait(deadline) else {
                return Err(Error::Deadline { waited: started.elapsed(), blocked_by: String::new() });
            };
            // The revocation that this caller joined may have been for an earlier token.
            if started_here || self.refuse_if_closed().is_err() || (result.is_err() && no_token().is_some()) {
                return result;
            }
        }
    }

    /// Removes the current token and returns it.
    fn take_current_token(&self, process: &ProcessState) -> Option<Token> {
        let mut memory = process.memory();
        let token = self.current.token()?;
        memory.remember_rejected_token(token.value());
        self.publish(None, &memory);
        Some(token)
    }

    fn revoke_token(&self, token: &Token) -> Result<(), Error> {
        self.remove_from_store(token.value());
        self.counts.invalidations.add_one();
        let credential = self.parts.credentials.current()?;
        self.parts.grant.revoke(&credential, &Secret::from(token.value()), self.parts.timeout)
    }

    /// Removes the token from the store if the record contains it. Returns whether it is removed.
    fn remove_from_store(&self, value: &str) -> bool {
        let Ok(credential) = self.parts.credentials.known() else { return false };
        let key = self.key(&credential);
        let contains_token = |record: &Record| record.token.as_ref().is_some_and(|token| token.value.expose() == value);
        if !self.load_record(&key).is_some_and(|record| contains_token(&record)) {
            return false;
        }
        // The holder of the lock may be about to overwrite this token with a newer one, but it may
        // also fail or be stopped, so the removal continues without the lock. The worst case, if
        // the holder writes between the load and the save: a newer token is lost, or a refusal
        // restores this token.
        let _lock = self.ok_or_warn(self.parts.store.lock(&key, LOCK_TIMEOUT));
        let Some(record) = self.load_record(&key) else { return false };
        if !contains_token(&record) {
            return true;
        }
        let removed = self.ok_or_warn(self.parts.store.save(&key, &record.without_token())).is_some();
        if !removed {
            self.process().warn(format!("cannot remove a rejected token from the token cache at {}", self.parts.store.location()));
        }
        removed
    }
}
