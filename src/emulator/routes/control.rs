//! The control API under `/_emulator`: for tests and demos, never for the client under test.

use super::replies::ApiError;
use crate::emulator::clock::Clock;
use crate::emulator::journal::RequestLog;
use crate::emulator::server::Shared;
use crate::emulator::traffic::{Counters, RecordedRequest};
use crate::error::Error;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;
use url::form_urlencoded;

type World = State<Arc<Shared>>;

/// For readiness checks, which may come from anywhere: it reveals nothing and changes nothing.
pub(super) async fn health() -> Json<Value> {
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

pub(super) async fn counters(State(shared): World) -> Json<Counters> {
    Json(shared.world.lock().counters())
}

pub(super) async fn reset(State(shared): World) -> Json<Value> {
    shared.reset();
    done()
}

pub(super) async fn clock(State(shared): World) -> Json<Value> {
    Json(clock_json(&shared.world.lock().clock))
}

fn clock_json(clock: &Clock) -> Value {
    json!({ "now_ms": clock.now_ms(), "running": clock.is_running() })
}

pub(super) async fn set_clock(State(shared): World, body: Bytes) -> Result<Json<Value>, ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Change {
        advance_ms: Option<i128>,
        set_ms: Option<u64>,
        run: Option<bool>,
    }
    let change: Change = read(&body)?;
    let mut world = shared.world.lock();
    match (change.advance_ms, change.set_ms, change.run) {
        (Some(ms), None, _) => world.clock.advance(ms),
        (None, Some(ms), _) => world.clock.set(ms),
        (None, None, Some(_)) => {}
        _ => return Err(refused("one of advance_ms, set_ms and run is required; only run can be combined with another one")),
    }
    match change.run {
        Some(true) => world.clock.run(),
        Some(false) => world.clock.stop(),
        None => {}
    }
    Ok(Json(clock_json(&world.clock)))
}

pub(super) async fn settings(State(shared): World) -> Json<Value> {
    Json(json!(shared.world.lock().settings))
}

pub(super) async fn set_settings(State(shared): World, body: Bytes) -> Result<Json<Value>, ApiError> {
    shared.world.lock().set_settings(read(&body)?).map_err(|error| refusal(&error))?;
    Ok(done())
}

/// The last requests.
pub(super) async fn requests(State(shared): World) -> Json<RequestLog> {
    Json(shared.world.lock().journal.clone())
}

/// The valid tokens, shortened.
pub(super) async fn tokens(State(shared): World) -> Json<Value> {
    const MAX: usize = 1000;
    let world = shared.world.lock();
    let now_ms = world.clock.now_ms();
    Json(json!({ "tokens": world.tokens.shown(now_ms, MAX), "total": world.tokens.valid_count(now_ms) }))
}

pub(super) async fn faults(State(shared): World) -> Json<Value> {
    Json(shared.world.lock().faults.remaining().into())
}

pub(super) async fn set_faults(State(shared): World, body: Bytes) -> Result<Json<Value>, ApiError> {
    shared.world.lock().set_faults(read(&body)?).map_err(|error| refusal(&error))?;
    Ok(done())
}

pub(super) async fn stubs(State(shared): World) -> Json<Value> {
    Json(json!(shared.world.lock().stubs.as_slice()))
}

pub(super) async fn set_stubs(State(shared): World, body: Bytes) -> Result<Json<Value>, ApiError> {
    shared.world.lock().set_stubs(read(&body)?).map_err(|error| refusal(&error))?;
    Ok(done())
}

pub(super) async fn last_request(State(shared): World, query: RawQuery) -> Result<Json<RecordedRequest>, ApiError> {
    let path =
        parameter(&query, "path")?.ok_or_else(|| refused("the query parameter path is missing, for example ?path=/api/oauth/token"))?;
    let found = shared.world.lock().traffic.last_request(&path).cloned();
    found.map(Json).ok_or_else(|| ApiError::not_found(format!("No request to {path} was received.")))
}

/// Returns the only parameter that a query may have.
fn parameter(RawQuery(query): &RawQuery, name: &str) -> Result<Option<String>, ApiError> {
    let mut found = None;
    for (given, value) in form_urlencoded::parse(query.as_deref().unwrap_or_default().as_bytes()) {
        if given != name {
            return Err(refused(format!("the query parameter {given:?} is unknown")));
        }
        if found.replace(value.into_owned()).is_some() {
            return Err(refused(format!("the query parameter {name} occurs more than once")));
        }
    }
    Ok(found)
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
