//! The token cache: decides whether a token is usable, performs the refresh, and remembers
//! failures.
//!
//! May depend on: store, grant (the traits and their types), credential, token, lifetime, clock,
//! error, secret, platform. Independent of HTTP, files and the C ABI. Start reading at `slot` (one
//! get, from top to bottom), then `refresh`, which waits for other processes in `lock_wait`.
//! `freshness`, `cooldown`, `next_attempt` and `refresh_request` are pure rules. `flight` is the
//! single flight, `pending_get` a get without a thread, `process` the state that a forked child must
//! not use, `activity` the work in progress, `cached` the state that is available without a request,
//! `invalidation` the removal of a token before it expires, `rejected_tokens` what follows from it,
//! `cooldown_check` what lifts a cooldown, `requests` the requests that a program sends with a token.

mod activity;
mod cached;
mod cooldown;
mod cooldown_check;
mod flight;
mod freshness;
mod invalidation;
mod jitter;
mod lock_wait;
mod next_attempt;
mod pending_get;
mod process;
mod refresh;
mod refresh_request;
mod refresh_start;
mod rejected_tokens;
#[cfg(feature = "capi")]
mod requests;
mod slot;
mod snapshot;
mod stats;
mod sync;

#[cfg(feature = "capi")]
pub(crate) use activity::ActiveWork;
pub use cached::CachedState;
pub(crate) use invalidation::{PendingRemoval, PendingRevocation};
pub(crate) use pending_get::Begun;
#[cfg(feature = "capi")]
pub(crate) use pending_get::{AwaitSave, PendingGet};
#[cfg(feature = "capi")]
pub(crate) use process::Watcher;
#[cfg(feature = "capi")]
pub(crate) use refresh_start::cannot_create_thread;
#[cfg(feature = "capi")]
pub(crate) use requests::{PendingWork, RequestFlight, Stopped};
pub(crate) use slot::{GetOptions, Slot, SlotParts};
pub use stats::Stats;
