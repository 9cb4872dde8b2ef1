//! The Admin API under `/api/atlas/v2`.

use crate::emulator::server::Shared;
use axum::Router;
use std::sync::Arc;

pub(super) fn router(_shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    Router::new()
}
