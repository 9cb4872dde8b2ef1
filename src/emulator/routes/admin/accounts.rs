//! Service accounts.

use super::Target;
use super::attributes::{Attributes, required};
use super::page::Page;
use super::secrets::{masked, shown_once};
use crate::emulator::accounts::{Account, Full};
use crate::emulator::clock::iso8601;
use crate::emulator::roles::{Deed, Level};
use crate::emulator::routes::replies::ApiError;
use crate::emulator::server::Shared;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use hyper::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;

const MOST_NAME: usize = 64;
const MOST_DESCRIPTION: usize = 250;

pub(super) async fn list(State(shared): State<Arc<Shared>>, target: Target, page: Page) -> Result<Json<Value>, ApiError> {
    let world = shared.world.lock();
    target.allow(Deed::Read, &world)?;
    Ok(page.of(world.accounts.at(&target.level).map(|account| account_json(account, &target.level)).collect()))
}

pub(super) async fn create(
    State(shared): State<Arc<Shared>>,
    target: Target,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let mut world = shared.world.lock();
    target.allow(Deed::Write, &world)?;
    let mut attributes = Attributes::read(&headers, &body)?;
    let name = required(attributes.text("name", MOST_NAME)?, "name")?;
    let description = required(attributes.text("description", MOST_DESCRIPTION)?, "description")?;
    let roles = required(attributes.roles(&target.level)?, "roles")?;
    let hours = attributes.hours()?;
    attributes.end()?;

    let now_ms = world.clock.now_ms();
    let org = world.accounts.org_of(&target.level).unwrap_or_default().to_owned();
    let mut account = Account::new(org, name, description, now_ms);
    if matches!(target.level, Level::Project(_)) {
        // Whoever is in a project is a member of its organization.
        account.org_roles = vec!["ORG_MEMBER".to_owned()];
    }
    account.set_roles_at(&target.level, roles);
    let secret = account.add_secret(now_ms, hours).map(shown_once).map_err(full)?;
    let mut reply = account_json(&account, &target.level);
    reply["secrets"] = json!([secret]);
    world.accounts.add(account).map_err(full)?;
    Ok((StatusCode::CREATED, Json(reply)))
}

pub(super) async fn get(State(shared): State<Arc<Shared>>, target: Target) -> Result<Json<Value>, ApiError> {
    let world = shared.world.lock();
    Ok(Json(account_json(target.account(Deed::Read, &world)?, &target.level)))
}

pub(super) async fn update(
    State(shared): State<Arc<Shared>>,
    target: Target,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let mut world = shared.world.lock();
    let account = target.account_mut(Deed::Write, &mut world)?;
    let mut attributes = Attributes::read(&headers, &body)?;
    let name = attributes.text("name", MOST_NAME)?;
    let description = attributes.text("description", MOST_DESCRIPTION)?;
    let roles = attributes.roles(&target.level)?;
    attributes.end()?;

    if let Some(name) = name {
        account.name = name;
    }
    if let Some(description) = description {
        account.description = description;
    }
    if let Some(roles) = roles {
        account.set_roles_at(&target.level, roles);
    }
    Ok(Json(account_json(account, &target.level)))
}

/// Ends the account and its tokens; at project level only takes it out of the project.
pub(super) async fn delete(State(shared): State<Arc<Shared>>, target: Target) -> Result<StatusCode, ApiError> {
    let mut world = shared.world.lock();
    let account = target.account_mut(Deed::Write, &mut world)?;
    match &target.level {
        Level::Project(project) => {
            account.project_roles.remove(project);
        }
        Level::Org(_) => {
            world.accounts.remove(&target.account);
            world.tokens.end_where(|issued| issued.client_id == target.account);
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /groups/{project}/serviceAccounts/{account}:invite` takes an account of the organization into the project.
pub(super) async fn invite(
    State(shared): State<Arc<Shared>>,
    mut target: Target,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let invited = target.account.strip_suffix(":invite").filter(|_| matches!(target.level, Level::Project(_))).map(str::to_owned);
    let Some(invited) = invited else {
        return Err(ApiError::new(405, "METHOD_NOT_ALLOWED", "This path does not take this method."));
    };
    target.account = invited;
    let mut world = shared.world.lock();
    target.allow(Deed::Write, &world)?;
    let mut attributes = Attributes::read(&headers, &body)?;
    let roles = required(attributes.roles(&target.level)?, "roles")?;
    attributes.end()?;

    let org = world.accounts.org_of(&target.level).unwrap_or_default().to_owned();
    let account = world.accounts.get_mut(&target.account).filter(|account| account.org_id == org).ok_or_else(|| target.no_account())?;
    account.set_roles_at(&target.level, roles);
    Ok(Json(account_json(account, &target.level)))
}

fn account_json(account: &Account, level: &Level) -> Value {
    json!({
        "clientId": account.client_id,
        "createdAt": iso8601(account.created_ms),
        "name": account.name,
        "description": account.description,
        "roles": account.roles_at(level),
        "secrets": account.secrets.iter().map(masked).collect::<Vec<_>>(),
    })
}

/// The refusal of one thing too many.
pub(super) fn full(full: Full) -> ApiError {
    let (code, detail) = match full {
        Full::Secrets => ("MAX_SECRETS_REACHED", "A service account has at most two secrets: delete one first."),
        Full::Accounts => ("MAX_SERVICE_ACCOUNTS_REACHED", "An organization has at most 200 service accounts: delete one first."),
        Full::AccessList => ("MAX_ACCESS_LIST_REACHED", "An access list has at most 200 entries: delete one first."),
    };
    ApiError::new(409, code, detail)
}
