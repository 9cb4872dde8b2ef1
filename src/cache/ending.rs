//! The end of a token before its time: turned down by a resource server, or revoked.

use super::flight::Entry;
use super::process::{ProcessState, guarded, here_unless_apart};
use super::slot::Slot;
use crate::error::Error;
use crate::secret::Secret;
use crate::store::Record;
use crate::token::Token;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// For how long a token that is to be forgotten waits for the lock of the store.
const FORGETTING: Duration = Duration::from_secs(1);

impl Slot {
    /// Drops the current token, here and in the store, if it is the very one whose text is `value`.
    pub(crate) fn invalidate(&self, value: &str) -> Result<bool, Error> {
        self.refuse_if_closed()?;
        let process = self.process();
        let dropped = {
            let mut memory = process.memory();
            memory.turn_down(value);
            let ours = self.current.token().is_some_and(|token| token.value() == value);
            if ours {
                self.publish(None, &memory);
            }
            ours
        };
        let shared = self.forget_in_store(value);
        if dropped || shared {
            self.counts.invalidations.add_one();
        }
        Ok(dropped || shared)
    }

    /// Asks the server to end the current token and drops it whatever the answer (RFC 7009).
    ///
    /// The token is dropped here before anything is waited for: whoever returns from this, even early, has it no more.
    pub(crate) fn revoke(self: &Arc<Self>, patience: Duration) -> Result<(), Error> {
        self.refuse_if_closed()?;
        let begun = Instant::now();
        let deadline = begun.checked_add(patience);
        let process = self.process();
        loop {
            let nothing_to_revoke = || self.current.token().is_none().then_some(());
            let (flight, mine) = match process.revocation.enter(nothing_to_revoke) {
                Entry::Answered(()) => return Ok(()),
                Entry::Joined(flight) => (flight, false),
                Entry::Started(flight) => {
                    let token = self.take_current(&process);
                    let (slot, landing) = (Arc::clone(self), Arc::clone(&flight));
                    here_unless_apart(move || {
                        let result = guarded(|| token.map_or(Ok(()), |token| slot.revoke_taken(&token)));
                        slot.process().revocation.land(&landing, result);
                    });
                    (flight, true)
                }
            };
            let Some(result) = flight.wait(deadline) else {
                return Err(Error::Deadline { waited: begun.elapsed(), held_up: String::new() });
            };
            // A revocation that was under way may have been that of an earlier token.
            if mine || self.refuse_if_closed().is_err() || (result.is_err() && nothing_to_revoke().is_some()) {
                return result;
            }
        }
    }

    /// The current token, which is current no longer.
    fn take_current(&self, process: &ProcessState) -> Option<Token> {
        let mut memory = process.memory();
        let token = self.current.token()?;
        memory.turn_down(token.value());
        self.publish(None, &memory);
        Some(token)
    }

    fn revoke_taken(&self, token: &Token) -> Result<(), Error> {
        self.forget_in_store(token.value());
        self.counts.invalidations.add_one();
        let credential = self.parts.credentials.current()?;
        self.parts.grant.revoke(&credential, &Secret::from(token.value()), self.parts.budget)
    }

    /// Takes the token out of the store, if it is the one there. Returns whether it did.
    fn forget_in_store(&self, value: &str) -> bool {
        let Ok(credential) = self.parts.credentials.current() else { return false };
        let key = self.key(&credential);
        let holds = |record: &Record| record.token.as_ref().is_some_and(|token| token.value.expose() == value);
        if !self.look(&key).is_some_and(|record| holds(&record)) {
            return false;
        }
        // Whoever holds the lock may be about to write a newer token over this one, and may as well fail or have been stopped. Without the lock the worst that
        // can happen, if it writes in the instant between the look and the save, is that a newer token is forgotten, or that a refusal brings this one back.
        let _lock = self.tried(self.parts.store.lock(&key, FORGETTING));
        let Some(record) = self.look(&key) else { return false };
        if !holds(&record) {
            return true;
        }
        let forgotten = self.tried(self.parts.store.save(&key, &Record { token: None, ..record })).is_some();
        if !forgotten {
            self.process().warn(format!("cannot remove a rejected token from the token cache at {}", self.parts.store.location()));
        }
        forgotten
    }
}
