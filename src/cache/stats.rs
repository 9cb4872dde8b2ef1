//! The counters of a client.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters since the client was created. Gets that a wrapper answers from its own copy are not
/// counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Gets answered from memory.
    pub hits: u64,
    /// Gets that waited for a refresh.
    pub waits: u64,
    /// Refreshes started.
    pub refreshes: u64,
    /// Token requests that returned a token.
    pub mints: u64,
    /// Refreshes that failed, except with a remembered error (see `cooldown_answers`).
    pub mint_failures: u64,
    /// Gets answered with the current token, which is still valid, because a refresh failed.
    pub stale_served: u64,
    /// Gets answered with a remembered error.
    pub cooldown_answers: u64,
    /// Calls of `invalidate` and `revoke` that dropped a token.
    pub invalidations: u64,
}

/// A counter that any thread may increment.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of a slot except the hits, which each thread counts next to its copy of the token.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) waits: Count,
    pub(crate) refreshes: Count,
    pub(crate) mints: Count,
    pub(crate) mint_failures: Count,
    pub(crate) stale_served: Count,
    pub(crate) cooldown_answers: Count,
    pub(crate) invalidations: Count,
}

impl Counts {
    pub(crate) fn read(&self, hits: u64) -> Stats {
        Stats {
            hits,
            waits: self.waits.get(),
            refreshes: self.refreshes.get(),
            mints: self.mints.get(),
            mint_failures: self.mint_failures.get(),
            stale_served: self.stale_served.get(),
            cooldown_answers: self.cooldown_answers.get(),
            invalidations: self.invalidations.get(),
        }
    }
}
