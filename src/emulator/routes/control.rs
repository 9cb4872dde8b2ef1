//! The control API under `/_emulator`: for tests and demos, never for the client under test.

use super::Peer;
use super::replies::ApiError;
use crate::emulator::server::Shared;
use crate::emulator::traffic::{Counters, RecordedRequest};
use crate::error::Error;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, Query, State};
use axum::{Extension, Json};
use hyper::header::HOST;
use hyper::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::Arc;

type World = State<Arc<Shared>>;

pub(super) async fn counters(_: LoopbackOnly, State(shared): World) -> Json<Counters> {
    Json(shared.world.lock().counters())
}

pub(super) async fn reset(_: LoopbackOnly, State(shared): World) -> Json<Value> {
    shared.world.lock().reset();
    done()
}

pub(super) async fn clock(_: LoopbackOnly, State(shared): World) -> Json<Value> {
    Json(json!({ "now_ms": shared.world.lock().clock.now_ms() }))
}

pub(super) async fn set_clock(_: LoopbackOnly, State(shared): World, body: Bytes) -> Result<Json<Value>, ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Change {
        advance_ms: Option<u64>,
        set_ms: Option<u64>,
    }
    let mut world = shared.world.lock();
    match read(&body)? {
        Change { advance_ms: Some(ms), set_ms: None } => world.clock.advance(ms),
        Change { advance_ms: None, set_ms: Some(ms) } => world.clock.set(ms),
        _ => return Err(refused("exactly one of advance_ms and set_ms is required")),
    }
    Ok(Json(json!({ "now_ms": world.clock.now_ms() })))
}

pub(super) async fn settings(_: LoopbackOnly, State(shared): World) -> Json<Value> {
    Json(json!(shared.world.lock().settings))
}

pub(super) async fn set_settings(_: LoopbackOnly, State(shared): World, body: Bytes) -> Result<Json<Value>, ApiError> {
    shared.world.lock().set_settings(read(&body)?).map_err(|error| refusal(&error))?;
    Ok(done())
}

pub(super) async fn set_faults(_: LoopbackOnly, State(shared): World, body: Bytes) -> Result<Json<Value>, ApiError> {
    shared.world.lock().set_faults(read(&body)?).map_err(|error| refusal(&error))?;
    Ok(done())
}

#[derive(Deserialize)]
pub(super) struct Which {
    path: String,
}

pub(super) async fn last_request(
    _: LoopbackOnly,
    State(shared): World,
    Query(which): Query<Which>,
) -> Result<Json<RecordedRequest>, ApiError> {
    let found = shared.world.lock().traffic.last_request(&which.path).cloned();
    found.map(Json).ok_or_else(|| ApiError::not_found(format!("No request to {} was received.", which.path)))
}

fn done() -> Json<Value> {
    Json(json!({}))
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| refused(error.to_string()))
}

fn refusal(error: &Error) -> ApiError {
    refused(format!("{error}. {}", error.hint()))
}

fn refused(detail: impl Into<String>) -> ApiError {
    ApiError::new(400, "INVALID_CONTROL_REQUEST", detail)
}

/// Proof that a control request comes from a loopback address and has a loopback `Host`. Without
/// the check of `Host`, a web page could reach the control API through DNS rebinding.
pub(super) struct LoopbackOnly;

impl<S: Send + Sync> FromRequestParts<S> for LoopbackOnly {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let peer = Extension::<Peer>::from_request_parts(parts, state).await.is_ok_and(|Extension(peer)| peer.0.ip().is_loopback());
        let host = parts.headers.get(HOST).is_none_or(|host| host.to_str().is_ok_and(names_loopback));
        if peer && host {
            return Ok(Self);
        }
        Err(ApiError::new(403, "LOOPBACK_ONLY", "The control API is available on loopback only: use 127.0.0.1 or localhost."))
    }
}

fn names_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::names_loopback;

    #[test]
    fn only_loopback_host_names_reach_the_control_api() {
        for host in ["127.0.0.1", "127.0.0.1:80", "localhost:9", "LOCALHOST", "[::1]:443", "[::1]"] {
            assert!(names_loopback(host), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example:80", "localhost.evil.example", "192.0.2.1:80", ""] {
            assert!(!names_loopback(host), "{host}");
        }
    }
}
