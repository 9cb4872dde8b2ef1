//! The removal of a token before it expires: after a resource server rejected it, or by revocation.
//!
//! Both begin without blocking and continue on a thread of their own: the store and the server may
//! take any time.

use super::flight::{Entry, Flight, Registration};
use super::pending_get::Begun;
use super::process::{catch_panic, spawn_detached};
use super::refresh_start::{WithoutThread, cannot_create_thread};
use super::slot::Slot;
use crate::error::Error;
use crate::secret::Secret;
use crate::store::Record;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// The time to wait for the store's lock before a token is removed.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// Removes tokens from the store, one after another on one thread. Callers that remove the same
/// token share the removal.
#[derive(Debug, Default)]
pub(super) struct Removals(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The tokens that wait or are being removed.
    pending: BTreeMap<Value, Removal>,
    /// Whether a thread works on them.
    running: bool,
}

/// Whether the token was in the store, or the error of a client that was closed.
type Removed = Result<bool, Error>;
type RemovalFlight = Arc<Flight<Removed>>;

#[derive(Clone, Debug)]
struct Removal {
    flight: RemovalFlight,
    /// When the token was obtained, if it was the current one of this process. It was counted as
    /// invalidated then.
    obtained_at_ms: Option<u64>,
}

/// Why a token is removed from the store.
#[derive(Clone, Copy)]
enum Reason {
    /// A resource server rejected it. `None` if this process does not know when it was obtained.
    Rejected { obtained_at_ms: Option<u64> },
    /// It was revoked, or a user dropped it. It says nothing about the tokens of this account.
    NotRejected,
}

/// A revocation that is in progress. It returns the token that it has revoked.
type RevocationFlight = Arc<Flight<Result<Secret, Error>>>;

/// The value of a token as a key.
#[derive(Debug)]
struct Value(Secret);

/// A removal from the store that is in progress.
#[derive(Debug)]
pub(crate) struct PendingRemoval {
    flight: RemovalFlight,
    registration: Registration,
}

/// A revocation that is in progress.
#[derive(Debug)]
pub(crate) struct PendingRevocation {
    slot: Arc<Slot>,
    /// The token to revoke; empty if there was none. The flight may revoke another one.
    value: Secret,
    flight: RevocationFlight,
    registration: Registration,
}

impl Slot {
    /// Drops the current token, in memory and in the store, if its value is `value`. Returns whether
    /// a token was dropped. Waits for the store at most `max_wait`; the removal continues after
    /// that.
    pub(crate) fn invalidate(self: &Arc<Self>, value: &str, max_wait: Duration) -> Result<bool, Error> {
        let deadline = Instant::now().checked_add(max_wait);
        let (dropped, pending) = self.begin_removal(value, WithoutThread::Run)?;
        let Some(flight) = pending else { return Ok(dropped) };
        match flight.wait(deadline) {
            Some(removed) => removed.map(|removed| removed || dropped),
            None => Ok(dropped),
        }
    }

    /// Like [`Slot::invalidate`], for a token that no resource server rejected. Waits for the store.
    pub(crate) fn forget(&self, value: &str) -> Result<bool, Error> {
        self.refuse_if_closed()?;
        self.refuse_inside_callback()?;
        let dropped = self.drop_current(value).is_some();
        let removed = self.remove_from_store(value, Reason::NotRejected);
        if dropped || removed {
            self.counts.invalidations.add_one();
        }
        Ok(dropped || removed)
    }

    /// Like [`Slot::invalidate`], for callers that must not block. When this returns, the token is no
    /// longer the current one.
    pub(crate) fn begin_invalidate(self: &Arc<Self>, value: &str) -> Result<Begun<(), PendingRemoval>, Error> {
        let (_, pending) = self.begin_removal(value, WithoutThread::Fail)?;
        Ok(pending.map_or(Begun::Ready(()), |flight| Begun::Pending(PendingRemoval { flight, registration: Registration::NONE })))
    }

    fn begin_removal(self: &Arc<Self>, value: &str, without_thread: WithoutThread) -> Result<(bool, Option<RemovalFlight>), Error> {
        self.refuse_if_closed()?;
        self.refuse_inside_callback()?;
        let obtained_at_ms = self.drop_current(value);
        let dropped = obtained_at_ms.is_some();
        if dropped {
            self.counts.invalidations.add_one();
        } else if !self.parts.store.is_shared() {
            return Ok((false, None));
        }
        let process = self.process();
        let (flight, starts) = process.removals.enter(value, obtained_at_ms);
        if starts {
            let (slot, active) = (Arc::clone(self), process.activity.begin());
            let work = move || {
                slot.remove_pending();
                drop(active);
            };
            match spawn_detached(work) {
                Ok(_) => {}
                Err(work) if without_thread == WithoutThread::Run => work(),
                Err(_) => {
                    let error = cannot_create_thread();
                    process.removals.complete_all(&error);
                    return Err(error);
                }
            }
        }
        Ok((dropped, Some(flight)))
    }

    /// Drops the current token in memory if its value is `value`, and never uses this value again.
    /// Returns when it was obtained, if it was the current token.
    fn drop_current(&self, value: &str) -> Option<u64> {
        let process = self.process();
        let mut memory = process.memory();
        memory.remember_rejected_token(value);
        let current = self.current.token().filter(|token| token.value() == value)?;
        self.publish(None, &memory);
        Some(current.lifetime().obtained_at.wall_ms)
    }

    /// Removes all pending tokens from the store.
    fn remove_pending(&self) {
        let process = self.process();
        while let Some((value, removal)) = process.removals.next() {
            let reason = Reason::Rejected { obtained_at_ms: removal.obtained_at_ms };
            let removed = catch_panic(|| Ok(self.remove_from_store(value.expose(), reason)));
            // It was counted if it was the current token.
            if matches!(removed, Ok(true)) && removal.obtained_at_ms.is_none() {
                self.counts.invalidations.add_one();
            }
            process.removals.complete(&value, &removal.flight, removed);
        }
    }

    /// Revokes the current token at the server (RFC 7009), and drops it once the server has confirmed
    /// that. Waits at most `max_wait`.
    pub(crate) fn revoke(self: &Arc<Self>, max_wait: Duration) -> Result<(), Error> {
        let started = Instant::now();
        let deadline = started.checked_add(max_wait);
        let mut pending = match self.begin_revocation(WithoutThread::Run)? {
            Begun::Ready(()) => return Ok(()),
            Begun::Pending(pending) => pending,
        };
        loop {
            let Some(result) = pending.flight.wait(deadline) else {
                return Err(Error::Deadline { waited: started.elapsed(), blocked_by: String::new() });
            };
            if let Some(result) = pending.resolve(result, WithoutThread::Run) {
                return result;
            }
        }
    }

    /// Like [`Slot::revoke`], for callers that must not block.
    pub(crate) fn begin_revoke(self: &Arc<Self>) -> Result<Begun<(), PendingRevocation>, Error> {
        self.begin_revocation(WithoutThread::Fail)
    }

    fn begin_revocation(self: &Arc<Self>, without_thread: WithoutThread) -> Result<Begun<(), PendingRevocation>, Error> {
        let value = self.current.token().map_or_else(|| Secret::from(""), |token| Secret::from(token.value()));
        self.begin_revocation_of(value, without_thread)
    }

    /// Begins to revoke `value`, even if another token becomes the current one meanwhile. A token that was
    /// dropped needs no revocation any more.
    fn begin_revocation_of(self: &Arc<Self>, value: Secret, without_thread: WithoutThread) -> Result<Begun<(), PendingRevocation>, Error> {
        self.refuse_if_closed()?;
        self.refuse_inside_callback()?;
        let process = self.process();
        let is_dropped = || value.expose().is_empty() || process.memory().is_rejected_token(value.expose());
        let (flight, started_here) = match process.revocation.enter(|| is_dropped().then_some(())) {
            Entry::Answered(()) => return Ok(Begun::Ready(())),
            Entry::Joined(flight) => (flight, false),
            Entry::Started(flight) => (flight, true),
        };
        if started_here {
            let (slot, active) = (Arc::clone(self), process.activity.begin());
            let (in_thread, revoked) = (Arc::clone(&flight), value.clone());
            let work = move || {
                let result = catch_panic(|| slot.revoke_token(&revoked).map(|()| revoked.clone()));
                slot.process().revocation.complete(&in_thread, result);
                drop(active);
                in_thread.end();
            };
            match spawn_detached(work) {
                Ok(_) => {}
                Err(work) if without_thread == WithoutThread::Run => work(),
                Err(_) => {
                    let error = cannot_create_thread();
                    process.revocation.complete(&flight, Err(error.clone()));
                    flight.end();
                    return Err(error);
                }
            }
        }
        let slot = Arc::clone(self);
        Ok(Begun::Pending(PendingRevocation { slot, value, flight, registration: Registration::NONE }))
    }

    /// Revokes `value`, which stays current, in memory and in the store, if that fails: it must be
    /// assumed to be valid, and a second attempt must find it.
    fn revoke_token(&self, value: &Secret) -> Result<(), Error> {
        self.revoke_at_server(value)?;
        self.counts.invalidations.add_one();
        self.drop_current(value.expose());
        self.remove_from_store(value.expose(), Reason::NotRejected);
        Ok(())
    }

    /// Revokes `value`, which need not be a token of this client, and drops it if it is the current one.
    pub(crate) fn revoke_value(&self, value: &str) -> Result<(), Error> {
        self.refuse_if_closed()?;
        self.refuse_inside_callback()?;
        self.revoke_at_server(&Secret::from(value))?;
        self.forget(value).map(drop)
    }

    fn revoke_at_server(&self, value: &Secret) -> Result<(), Error> {
        let credential = self.parts.credentials.current()?;
        // Other processes may have found out which authentication method the server accepts.
        self.load_record(&self.key(&credential));
        self.parts.grant.revoke(&credential, value, self.parts.timeout)
    }

    /// Removes the token from the store if the record contains it, and counts its rejection there. Returns
    /// whether it is removed.
    fn remove_from_store(&self, value: &str, reason: Reason) -> bool {
        let credential = self.parts.credentials.known().ok();
        let count_here = || {
            if let Reason::Rejected { obtained_at_ms } = reason {
                self.count_rejection_here(value, obtained_at_ms, credential.as_ref());
            }
        };
        let Some(key) = credential.as_ref().map(|credential| self.key(credential)).filter(|_| self.parts.store.is_shared()) else {
            count_here();
            return false;
        };
        let contains_token = |record: &Record| record.token.as_ref().is_some_and(|token| token.value.expose() == value);
        let count = |record: &mut Record| match reason {
            Reason::Rejected { obtained_at_ms } => self.count_rejection(record, value, obtained_at_ms),
            Reason::NotRejected => false,
        };
        let Some(mut record) = self.load_record(&key) else {
            count_here();
            return false;
        };
        let contained_before = contains_token(&record);
        if !count(&mut record) && !contained_before {
            return false;
        }
        // The holder of the lock may be about to overwrite this token with a newer one, but it may
        // also fail or be stopped, so the removal continues without the lock. The worst case, if
        // the holder writes between the load and the save: a newer token is lost, or a refusal
        // restores this token.
        let _lock = self.ok_or_warn(self.parts.store.lock(&key, LOCK_TIMEOUT));
        let Some(mut record) = self.load_record(&key) else { return false };
        let (counted, contained) = (count(&mut record), contains_token(&record));
        let rejected = record.rejected_tokens.clone();
        let record = if contained { record.without_token() } else { record };
        let saved = (counted || contained) && self.ok_or_warn(self.parts.store.save(&key, &record)).is_some();
        if counted {
            self.remember_rejections(rejected, credential.as_ref(), saved);
        }
        if contained && !saved {
            self.process().warn(format!("cannot remove a rejected token from the token cache at {}", self.parts.store.location()));
        }
        if contained { saved } else { contained_before }
    }
}

impl Removals {
    /// Joins the removal of `value`, or adds one. The second value says that the caller must start
    /// the thread that does the work.
    fn enter(&self, value: &str, obtained_at_ms: Option<u64>) -> (RemovalFlight, bool) {
        let mut state = self.lock();
        let new = || Removal { flight: Arc::new(Flight::new()), obtained_at_ms: None };
        let removal = state.pending.entry(Value(Secret::from(value))).or_insert_with(new);
        removal.obtained_at_ms = removal.obtained_at_ms.or(obtained_at_ms);
        let flight = Arc::clone(&removal.flight);
        (flight, !std::mem::replace(&mut state.running, true))
    }

    /// Returns a token to remove. Without one, the thread must end.
    fn next(&self) -> Option<(Secret, Removal)> {
        let mut state = self.lock();
        let next = state.pending.first_key_value().map(|(value, removal)| (value.0.clone(), removal.clone()));
        state.running = next.is_some();
        next
    }

    fn complete(&self, value: &Secret, flight: &RemovalFlight, removed: Removed) {
        let done = self.lock().pending.remove(&Value(value.clone()));
        drop(done);
        flight.set_result(removed);
    }

    fn complete_all(&self, error: &Error) {
        let pending = {
            let mut state = self.lock();
            state.running = false;
            std::mem::take(&mut state.pending)
        };
        for removal in pending.into_values() {
            removal.flight.set_result(Err(error.clone()));
        }
    }

    /// Wakes the waiting callers of a client that was closed. The removals continue.
    pub(super) fn abandon(&self) {
        let pending: Vec<_> = self.lock().pending.values().map(|removal| Arc::clone(&removal.flight)).collect();
        for flight in pending {
            flight.set_result(Err(Error::Closed));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PendingRemoval {
    /// Returns the result if it is known. Otherwise registers `waker`, which is called when this
    /// should be polled again.
    pub(crate) fn poll_result(&mut self, waker: &Waker) -> Poll<Result<(), Error>> {
        let result = self.flight.poll(waker, &mut self.registration);
        if result.is_ready() {
            self.registration = Registration::NONE;
        }
        result.map(|removed| removed.map(drop))
    }
}

impl PendingRevocation {
    /// Like [`PendingRemoval::poll_result`].
    pub(crate) fn poll_result(&mut self, waker: &Waker) -> Poll<Result<(), Error>> {
        loop {
            let result = match self.flight.poll(waker, &mut self.registration) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(result) => result,
            };
            self.registration = Registration::NONE;
            if let Some(result) = self.resolve(result, WithoutThread::Fail) {
                return Poll::Ready(result);
            }
        }
    }

    /// Returns the result for this caller. `None`: the revocation that it joined was for another token,
    /// and it now waits for that of its own.
    fn resolve(&mut self, result: Result<Secret, Error>, without_thread: WithoutThread) -> Option<Result<(), Error>> {
        let is_other = |revoked: &Secret| revoked.expose() != self.value.expose();
        if !result.as_ref().is_ok_and(is_other) {
            return Some(result.map(drop));
        }
        // On whatever thread this is called, its log lines belong to this client.
        match self.slot.logged(|| self.slot.begin_revocation_of(self.value.clone(), without_thread)) {
            Ok(Begun::Ready(())) => Some(Ok(())),
            Ok(Begun::Pending(next)) => {
                *self = next;
                None
            }
            Err(error) => Some(Err(error)),
        }
    }
}

impl Future for PendingRemoval {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_result(context.waker())
    }
}

impl Future for PendingRevocation {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_result(context.waker())
    }
}

impl Drop for PendingRemoval {
    fn drop(&mut self) {
        self.flight.forget(&mut self.registration);
    }
}

impl Drop for PendingRevocation {
    fn drop(&mut self) {
        self.flight.forget(&mut self.registration);
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.expose().cmp(other.0.expose())
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Value {}
