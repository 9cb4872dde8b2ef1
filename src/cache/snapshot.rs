//! The current token, readable by any number of threads without a lock.

use super::next_attempt::NextAttempt;
use super::stats::Count;
use crate::token::Token;
use arc_swap::{ArcSwapOption, Guard};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The number of copies of the current token that threads share.
const SHARDS: usize = 16;

/// A value on a cache line of its own, so that threads that write different values do not slow each
/// other down. 128 bytes, because current processors fetch lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct CachePadded<T>(T);

/// One copy of the token for each shard, each with its own reference count.
#[derive(Debug)]
pub(crate) struct Snapshot {
    shards: [CachePadded<Token>; SHARDS],
    next_attempt: NextAttempt,
}

impl Snapshot {
    fn new(token: &Token) -> Self {
        Self { shards: std::array::from_fn(|_| CachePadded(token.with_own_count())), next_attempt: NextAttempt::default() }
    }

    /// Returns the copy that the calling thread can clone without contention.
    pub(crate) fn token(&self) -> &Token {
        &self.shards[shard()].0
    }

    /// Returns when the next refresh of this token, which is due, may be started.
    pub(crate) fn next_attempt(&self) -> &NextAttempt {
        &self.next_attempt
    }
}

/// The current token, the number of times it has changed and the number of times it was returned.
#[derive(Debug, Default)]
pub(crate) struct Current {
    snapshot: ArcSwapOption<Snapshot>,
    generation: AtomicU64,
    hits: [CachePadded<Count>; SHARDS],
}

impl Current {
    pub(crate) fn load(&self) -> Guard<Option<Arc<Snapshot>>> {
        self.snapshot.load()
    }

    /// Returns the token, even if it has expired.
    pub(crate) fn token(&self) -> Option<Token> {
        self.load().as_ref().map(|snapshot| snapshot.token().clone())
    }

    /// Lets the next get of a due token start a refresh: the last one failed.
    pub(crate) fn allow_attempt(&self) {
        if let Some(snapshot) = self.load().as_ref() {
            snapshot.next_attempt().allow();
        }
    }

    pub(crate) fn generation(&self) -> &AtomicU64 {
        &self.generation
    }

    pub(crate) fn count_hit(&self) {
        self.hits[shard()].0.add_one();
    }

    pub(crate) fn hits(&self) -> u64 {
        self.hits.iter().map(|shard| shard.0.get()).sum()
    }

    /// Makes `token` the current one. The caller must hold the slot's memory lock.
    ///
    /// The generation changes after the token: a thread that reads the new generation also reads
    /// the new token.
    pub(crate) fn replace(&self, token: Option<&Token>, generation: u64) {
        self.snapshot.store(token.map(|token| Arc::new(Snapshot::new(token))));
        self.generation.store(generation, Ordering::Release);
    }
}

/// Returns the shard of the calling thread.
fn shard() -> usize {
    const UNASSIGNED: usize = usize::MAX;
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SHARD: Cell<usize> = const { Cell::new(UNASSIGNED) };
    }
    SHARD.with(|shard| {
        if shard.get() == UNASSIGNED {
            shard.set(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
        }
        shard.get()
    })
}
