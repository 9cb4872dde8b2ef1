//! The HTTP endpoints, by subject: oauth.rs, admin/, control.rs.
//!
//! May depend on: `World` and its components. Start reading at [`router`].

mod admin;
mod control;
mod guard;
mod oauth;
mod replies;

use super::server::Shared;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use replies::ApiError;
use std::net::SocketAddr;
use std::sync::Arc;

/// The client's address, attached to every request as an extension.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/api/oauth/token", post(oauth::atlas_token))
        .route("/api/oauth/revoke", post(oauth::atlas_revoke))
        .route("/generic/oauth/token", post(oauth::generic_token))
        .route("/generic/oauth/revoke", post(oauth::generic_revoke))
        .merge(control(&shared))
        .merge(admin::router(&shared))
        .fallback(|| async { ApiError::not_found("This path does not exist; docs/emulator.md lists the paths.") })
        .method_not_allowed_fallback(|| async { ApiError::new(405, "METHOD_NOT_ALLOWED", "This path does not support this method.") })
        .with_state(shared)
}

fn control(shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    Router::new()
        .route("/_emulator/counters", get(control::counters))
        .route("/_emulator/reset", post(control::reset))
        .route("/_emulator/clock", get(control::clock).post(control::set_clock))
        .route("/_emulator/settings", get(control::settings).post(control::set_settings))
        .route("/_emulator/faults", get(control::faults).post(control::set_faults))
        .route("/_emulator/requests", get(control::requests))
        .route("/_emulator/tokens", get(control::tokens))
        .route("/_emulator/stubs", get(control::stubs).post(control::set_stubs))
        .route("/_emulator/last_request", get(control::last_request))
        .route_layer(middleware::from_fn_with_state(Arc::clone(shared), guard::control))
        .route("/_emulator/health", get(control::health))
}

/// The reply to a request that was received before a reset and would be processed after it.
pub(super) fn was_reset() -> Response {
    ApiError::new(409, "EMULATOR_WAS_RESET", "The emulator was reset before it processed this request.").into_response()
}

/// Returns whether a path belongs to the control API.
pub(super) fn is_control(path: &str) -> bool {
    path.starts_with("/_emulator/")
}
