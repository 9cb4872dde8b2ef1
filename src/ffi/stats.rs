//! `tokenwell_stats`: counts, for C.

use crate::cache::Stats;

/// What a client has done since it was made. Later versions may add members at the end: the size that is passed along says which ones the caller knows.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct tokenwell_stats {
    /// Gets answered from memory.
    pub hits: u64,
    /// Gets that waited for a refresh.
    pub waits: u64,
    /// Refreshes begun.
    pub refreshes: u64,
    /// Token requests that brought a token.
    pub mints: u64,
    /// Refreshes that ended in an error.
    pub mint_failures: u64,
    /// Gets answered with a live token after a failed refresh.
    pub stale_served: u64,
    /// Gets answered with a remembered error.
    pub cooldown_answers: u64,
    /// Calls of tokenwell_client_invalidate that dropped a token.
    pub invalidations: u64,
}

impl From<Stats> for tokenwell_stats {
    fn from(stats: Stats) -> Self {
        let Stats { hits, waits, refreshes, mints, mint_failures, stale_served, cooldown_answers, invalidations } = stats;
        Self { hits, waits, refreshes, mints, mint_failures, stale_served, cooldown_answers, invalidations }
    }
}
