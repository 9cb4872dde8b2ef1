//! The token cache: when a token is good enough, who fetches the next one, and what is remembered of failures.
//!
//! May depend on: store, grant (the traits and what these speak of), credential, token, lifetime, clock, error, secret, platform. Knows nothing of HTTP, files or the C ABI.
//! Start reading at `slot` (one get, from top to bottom) and go on with `refresh`; `freshness`, `failure` and `need` are pure rules, `flight` is the
//! single flight, `process` what a forked child leaves behind, `at_hand` what is known without a refresh, `ending` how a token ends before its time.

mod at_hand;
mod ending;
mod failure;
mod flight;
mod freshness;
mod jitter;
mod need;
mod process;
mod refresh;
mod slot;
mod snapshot;
mod stats;
mod sync;

pub use at_hand::AtHand;
pub(crate) use slot::{Slot, SlotParts, Want};
pub use stats::Stats;
