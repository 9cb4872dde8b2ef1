//! The secrets of a service account.

use super::Target;
use super::accounts::limit_reached;
use super::attributes::Attributes;
use crate::emulator::accounts::{AccountSecret, View};
use crate::emulator::clock::iso8601;
use crate::emulator::roles::Action;
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
    let (view, visible_from_ms) = (world.view(), world.visible_from_ms());
    let valid_from_ms = view.now_ms.saturating_add(world.settings.new_secret_valid_after_s.saturating_mul(1000));
    let max_hours = world.accounts.settings_of(&target.level).max_secret_hours;
    let account = target.account_mut(Action::Write, &mut world)?;
    let mut attributes = Attributes::read(&headers, &body)?;
    let hours = attributes.hours(max_hours)?;
    attributes.end()?;
    let secret = account.add_secret(view.now_ms, hours).map_err(limit_reached)?;
    (secret.valid_from_ms, secret.visible_from_ms) = (valid_from_ms, visible_from_ms);
    Ok((StatusCode::CREATED, Json(with_value(secret, view))))
}

pub(super) async fn delete(State(shared): State<Arc<Shared>>, target: Target) -> Result<StatusCode, ApiError> {
    let mut world = shared.world.lock();
    let now_ms = world.clock.now_ms();
    let valid_until_ms = now_ms.saturating_add(world.settings.deleted_secret_valid_for_s.saturating_mul(1000));
    let account = target.account_mut(Action::Write, &mut world)?;
    if !account.delete_secret(&target.item, now_ms, valid_until_ms) {
        let detail = format!("The service account has no secret {}.", target.item);
        return Err(ApiError::new(404, "SERVICE_ACCOUNT_SECRET_NOT_FOUND", detail).with([target.item.into()]));
    }
    // It is not known whether Atlas revokes the tokens, so a client must handle both cases.
    if world.settings.deleted_secret_ends_tokens {
        world.tokens.revoke_where(|issued| issued.secret_id == target.item);
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The JSON of a new secret, with its value. Only the reply that creates the secret contains it.
pub(super) fn with_value(secret: &AccountSecret, view: View) -> Value {
    let mut shown = described(secret, view);
    shown["secret"] = secret.value.as_str().into();
    shown
}

/// The JSON of a secret in a list, with its value masked.
pub(super) fn masked(secret: &AccountSecret, view: View) -> Value {
    let mut shown = described(secret, view);
    let last: String = secret.value.chars().skip(secret.value.chars().count().saturating_sub(4)).collect();
    shown["maskedSecretValue"] = format!("mdb_sa_sk_****{last}").into();
    shown
}

fn described(secret: &AccountSecret, view: View) -> Value {
    let mut shown = json!({ "id": secret.id, "createdAt": iso8601(secret.created_ms), "expiresAt": iso8601(secret.expires_ms) });
    if let Some(used_ms) = secret.last_used_ms(view) {
        shown["lastUsedAt"] = iso8601(used_ms).into();
    }
    shown
}
