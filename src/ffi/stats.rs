//! `tokenwell_stats`: the counters of a client, for C.

use crate::cache::Stats;

/// The counters of a client, since it was created.
///
/// A "get" is one call of `tokenwell_client_token`. Later versions may add members at the end: the
/// `out_size` of `tokenwell_client_stats` says which members the caller knows.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct tokenwell_stats {
    /// Gets that returned a token from memory.
    pub hits: u64,
    /// Gets that waited for a refresh.
    pub waits: u64,
    /// Refreshes that were started.
    pub refreshes: u64,
    /// Token requests that returned a token.
    pub mints: u64,
    /// Refreshes that failed, except with a remembered error (see `cooldown_answers`).
    pub mint_failures: u64,
    /// Gets that returned the current token, which is still valid, because a refresh failed.
    pub stale_served: u64,
    /// Gets that returned the remembered error during a cooldown (see `TOKENWELL_FORCE_REFRESH`).
    pub cooldown_answers: u64,
    /// Calls of `tokenwell_client_invalidate` and `tokenwell_client_revoke` that dropped a token.
    pub invalidations: u64,
}

impl From<Stats> for tokenwell_stats {
    fn from(stats: Stats) -> Self {
        let Stats { hits, waits, refreshes, mints, mint_failures, stale_served, cooldown_answers, invalidations } = stats;
        Self { hits, waits, refreshes, mints, mint_failures, stale_served, cooldown_answers, invalidations }
    }
}
