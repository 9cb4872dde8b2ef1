//! The current token, readable by any number of threads without a lock.

use super::stats::Count;
use crate::token::Token;
use arc_swap::{ArcSwapOption, Guard};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How many copies of the current token threads share out among themselves.
const LANES: usize = 16;

/// Something that has a cache line to itself, so that threads that write their own do not slow each other down.
/// 128 bytes: today's processors fetch lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct OwnLine<T>(T);

/// One copy of the token for each lane, each with a reference count of its own.
#[derive(Debug)]
pub(crate) struct Snapshot {
    lanes: [OwnLine<Token>; LANES],
}

impl Snapshot {
    fn new(token: &Token) -> Self {
        Self { lanes: std::array::from_fn(|_| OwnLine(token.with_own_count())) }
    }

    /// The copy that the calling thread may clone without contention.
    pub(crate) fn token(&self) -> &Token {
        &self.lanes[lane()].0
    }
}

/// The current token, the number of times it has changed and the number of times it was handed out.
#[derive(Debug, Default)]
pub(crate) struct Current {
    snapshot: ArcSwapOption<Snapshot>,
    generation: AtomicU64,
    hits: [OwnLine<Count>; LANES],
}

impl Current {
    pub(crate) fn load(&self) -> Guard<Option<Arc<Snapshot>>> {
        self.snapshot.load()
    }

    /// The token, whatever its age.
    pub(crate) fn token(&self) -> Option<Token> {
        self.load().as_ref().map(|snapshot| snapshot.token().clone())
    }

    pub(crate) fn generation(&self) -> &AtomicU64 {
        &self.generation
    }

    pub(crate) fn count_hit(&self) {
        self.hits[lane()].0.add_one();
    }

    pub(crate) fn hits(&self) -> u64 {
        self.hits.iter().map(|lane| lane.0.get()).sum()
    }

    /// Makes `token` the current one; the caller holds the slot's writing lock.
    ///
    /// The generation changes after the token: whoever reads the new number will also read the new token.
    pub(crate) fn replace(&self, token: Option<&Token>, generation: u64) {
        self.snapshot.store(token.map(|token| Arc::new(Snapshot::new(token))));
        self.generation.store(generation, Ordering::Release);
    }
}

/// The calling thread's lane.
fn lane() -> usize {
    const UNASSIGNED: usize = usize::MAX;
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static LANE: Cell<usize> = const { Cell::new(UNASSIGNED) };
    }
    LANE.with(|lane| {
        if lane.get() == UNASSIGNED {
            lane.set(NEXT.fetch_add(1, Ordering::Relaxed) % LANES);
        }
        lane.get()
    })
}
