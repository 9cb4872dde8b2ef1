//! The token cache: when a token is good enough, who fetches the next one, and what is remembered of failures.
//!
//! May depend on: store, grant (as traits), token, clock, error, platform. Knows nothing of HTTP, files or the C ABI.
//! Start reading at `slot` (one get, from top to bottom); `freshness` and `failure` are pure rules, `flight` is the single flight.

mod failure;
mod flight;
mod freshness;
mod jitter;
mod slot;
mod snapshot;
mod stats;
mod sync;

pub(crate) use freshness::Lifetime;
pub use slot::AtHand;
pub(crate) use slot::{Slot, SlotParts, Want};
pub use stats::Stats;
