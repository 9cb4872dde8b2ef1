//! One request to the Admin API with a token of a client, for programs that use the C ABI: with its own
//! deadline, and without blocking.
//!
//! May depend on: client, cache (the work in progress), config, the transport of grant, token, error. Start
//! reading at `request`, which says what may be sent, then `exchange`, which sends it.

mod exchange;
mod request;
mod response;

pub(crate) use request::ApiRequest;
pub(crate) use response::ApiResponse;

use crate::cache::PendingWork;
use std::sync::Arc;
use std::time::Duration;

/// A request in progress. Dropping it ends the request.
pub(crate) type PendingRequest = PendingWork<Arc<ApiResponse>>;

/// How long after its deadline a request is no longer waited for. It ends at its deadline by itself, with the
/// better error, unless its thread hangs in a call of the system.
pub(crate) fn backstop(max_wait: Duration) -> Duration {
    max_wait.saturating_add((max_wait / 40).clamp(Duration::from_millis(20), Duration::from_millis(250)))
}
