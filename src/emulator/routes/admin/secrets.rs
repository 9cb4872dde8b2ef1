//! The secrets of a service account.

use super::Target;
use super::accounts::full;
use super::attributes::Attributes;
use crate::emulator::accounts::AccountSecret;
use crate::emulator::clock::iso8601;
use crate::emulator::roles::Deed;
use crate::emulator::routes::replies::ApiError;
use crate::emulator::server::Shared;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use hyper::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) async fn create(
    State(shared): State<Arc<Shared>>,
    target: Target,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let mut world = shared.world.lock();
    let now_ms = world.clock.now_ms();
    let account = target.account_mut(Deed::Write, &mut world)?;
    let mut attributes = Attributes::read(&headers, &body)?;
    let hours = attributes.hours()?;
    attributes.end()?;
    let secret = account.add_secret(now_ms, hours).map_err(full)?;
    Ok((StatusCode::CREATED, Json(shown_once(secret))))
}

pub(super) async fn delete(State(shared): State<Arc<Shared>>, target: Target) -> Result<StatusCode, ApiError> {
    let mut world = shared.world.lock();
    let account = target.account_mut(Deed::Write, &mut world)?;
    let before = account.secrets.len();
    account.secrets.retain(|secret| secret.id != target.item);
    if account.secrets.len() == before {
        let detail = format!("The service account has no secret {}.", target.item);
        return Err(ApiError::new(404, "SERVICE_ACCOUNT_SECRET_NOT_FOUND", detail).with([target.item.into()]));
    }
    // Whether Atlas does this is not known, so that a client has to cope with either.
    if world.settings.deleted_secret_ends_tokens {
        world.tokens.end_where(|issued| issued.secret_id == target.item);
    }
    Ok(StatusCode::NO_CONTENT)
}

/// A secret as it is answered when it is made, and never again.
pub(super) fn shown_once(secret: &AccountSecret) -> Value {
    let mut shown = described(secret);
    shown["secret"] = secret.value.as_str().into();
    shown
}

/// A secret as it is listed.
pub(super) fn masked(secret: &AccountSecret) -> Value {
    let mut shown = described(secret);
    let last: String = secret.value.chars().skip(secret.value.chars().count().saturating_sub(4)).collect();
    shown["maskedSecretValue"] = format!("mdb_sa_sk_****{last}").into();
    shown
}

fn described(secret: &AccountSecret) -> Value {
    json!({
        "id": secret.id,
        "createdAt": iso8601(secret.created_ms),
        "expiresAt": iso8601(secret.expires_ms),
        "lastUsedAt": secret.last_used_ms.map(iso8601),
    })
}
