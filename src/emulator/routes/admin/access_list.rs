//! The addresses from which a service account's tokens may be used.

use super::Target;
use super::accounts::limit_reached;
use super::attributes::networks;
use super::page::Page;
use crate::emulator::accounts::{AccessEntry, Account};
use crate::emulator::clock::iso8601;
use crate::emulator::network::Network;
use crate::emulator::roles::Action;
use crate::emulator::routes::replies::ApiError;
use crate::emulator::server::Shared;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use hyper::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) async fn list(State(shared): State<Arc<Shared>>, target: Target, page: Page) -> Result<Json<Value>, ApiError> {
    let world = shared.world.lock();
    Ok(page.of(entries(target.account(Action::Read, &world)?)))
}

pub(super) async fn add(
    State(shared): State<Arc<Shared>>,
    target: Target,
    page: Page,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let mut world = shared.world.lock();
    let now_ms = world.clock.now_ms();
    let account = target.account_mut(Action::WriteAccessList, &mut world)?;
    account.add_access(&networks(&headers, &body)?, now_ms).map_err(limit_reached)?;
    Ok(page.of(entries(account)))
}

pub(super) async fn remove(State(shared): State<Arc<Shared>>, target: Target) -> Result<StatusCode, ApiError> {
    let mut world = shared.world.lock();
    let account = target.account_mut(Action::WriteAccessList, &mut world)?;
    let before = account.access_list.len();
    if let Ok(network) = Network::parse(&target.item) {
        let own = account.client_id == target.caller.client_id && network.contains(target.caller.address);
        if own && account.access_list.iter().any(|entry| entry.network == network) {
            let address = target.caller.address.to_string();
            let detail = format!("Cannot remove caller's IP address {address} from access list");
            return Err(ApiError::new(400, "CANNOT_REMOVE_CALLER_FROM_ACCESS_LIST", detail).with([address.into()]));
        }
        account.access_list.retain(|entry| entry.network != network);
    }
    if account.access_list.len() == before {
        let detail = format!("The access list does not contain {}.", target.item);
        return Err(ApiError::new(404, "ACCESS_LIST_ENTRY_NOT_FOUND", detail).with([target.item.into()]));
    }
    Ok(StatusCode::NO_CONTENT)
}

fn entries(account: &Account) -> Vec<Value> {
    account.access_list.iter().map(entry_json).collect()
}

fn entry_json(entry: &AccessEntry) -> Value {
    let mut shown = json!({
        "cidrBlock": entry.network.cidr(),
        "createdAt": iso8601(entry.created_ms),
        "requestCount": entry.requests,
    });
    if let (Some(used_ms), Some(address)) = (entry.last_used_ms, entry.last_address) {
        shown["lastUsedAt"] = iso8601(used_ms).into();
        shown["lastUsedAddress"] = address.to_string().into();
    }
    if entry.network.is_one_address() {
        shown["ipAddress"] = entry.network.address.to_string().into();
    }
    shown
}
