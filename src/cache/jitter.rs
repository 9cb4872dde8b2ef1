//! Randomness that spreads the refreshes of many processes.

/// Returns a random number from 0 to 1.
///
/// Each call uses a new seed: fork copies a generator that is kept in memory, and every worker of a
/// pre-forking server would draw the same numbers.
pub(crate) fn fraction() -> f64 {
    use std::hash::{BuildHasher, Hasher, RandomState};

    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    if let Ok(since) = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
        hasher.write_u128(since.as_nanos());
    }
    fastrand::Rng::with_seed(hasher.finish()).f64()
}
