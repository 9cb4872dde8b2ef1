//! Service accounts.

use super::Target;
use super::attributes::{Attributes, required};
use super::page::Page;
use super::secrets::{masked, with_value};
use crate::emulator::accounts::{Account, LimitReached, MAX_ACCOUNTS, View};
use crate::emulator::clock::iso8601;
use crate::emulator::roles::{Action, Level};
use crate::emulator::routes::replies::ApiError;
use crate::emulator::server::Shared;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use hyper::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;

const MAX_NAME_LENGTH: usize = 64;
const MAX_DESCRIPTION_LENGTH: usize = 250;

pub(super) async fn list(State(shared): State<Arc<Shared>>, target: Target, page: Page) -> Result<Json<Value>, ApiError> {
    let world = shared.world.lock();
    target.allow(Action::Read, &world)?;
    let all = page.filter("includeSystemManaged") == Some("true");
    let view = world.view();
    let is_listed = |account: &&Account| account.visible_from_ms <= view.now_ms && (all || !account.system_managed);
    let listed = world.accounts.at(&target.level).filter(is_listed);
    Ok(page.of(listed.map(|account| account_json(account, &target.level, view)).collect()))
}

pub(super) async fn create(
    State(shared): State<Arc<Shared>>,
    target: Target,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let mut world = shared.world.lock();
    target.allow(Action::Write, &world)?;
    let mut attributes = Attributes::read(&headers, &body)?;
    let name = required(attributes.string("name", MAX_NAME_LENGTH)?, "name")?;
    let description = required(attributes.string("description", MAX_DESCRIPTION_LENGTH)?, "description")?;
    let roles = required(attributes.roles(&target.level)?, "roles")?;
    let without_secret = attributes.boolean("withoutInitialSecret")?.unwrap_or(false);
    let hours = if without_secret { None } else { Some(attributes.hours(world.accounts.settings_of(&target.level).max_secret_hours)?) };
    attributes.end()?;

    let (view, visible_from_ms) = (world.view(), world.visible_from_ms());
    let valid_from_ms = view.now_ms.saturating_add(world.settings.new_secret_valid_after_s.saturating_mul(1000));
    let org = world.accounts.org_of(&target.level).unwrap_or_default().to_owned();
    let mut account = Account::new(org.clone(), name, description, view.now_ms);
    account.visible_from_ms = visible_from_ms;
    if matches!(target.level, Level::Project(_)) {
        // An account of a project is a member of the organization too.
        account.org_roles = vec!["ORG_MEMBER".to_owned()];
    }
    account.set_roles_at(&target.level, roles);
    let mut reply = account_json(&account, &target.level, view);
    if let Some(hours) = hours {
        let secret = account.add_secret(view.now_ms, hours).map_err(limit_reached)?;
        secret.valid_from_ms = valid_from_ms;
        reply["secrets"] = json!([with_value(secret, view)]);
    }
    world.accounts.add(account).map_err(|limit| limit_reached(limit).with([MAX_ACCOUNTS.into(), org.into()]))?;
    Ok((StatusCode::CREATED, Json(reply)))
}

pub(super) async fn get(State(shared): State<Arc<Shared>>, target: Target) -> Result<Json<Value>, ApiError> {
    let world = shared.world.lock();
    Ok(Json(account_json(target.account(Action::Read, &world)?, &target.level, world.view())))
}

pub(super) async fn update(
    State(shared): State<Arc<Shared>>,
    target: Target,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let mut world = shared.world.lock();
    let view = world.view();
    let account = target.account_mut(Action::Write, &mut world)?;
    let mut attributes = Attributes::read(&headers, &body)?;
    let name = attributes.string("name", MAX_NAME_LENGTH)?;
    let description = attributes.string("description", MAX_DESCRIPTION_LENGTH)?;
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
    Ok(Json(account_json(account, &target.level, view)))
}

/// Deletes the account and revokes its tokens. At project level, only removes it from the project.
pub(super) async fn delete(State(shared): State<Arc<Shared>>, target: Target) -> Result<StatusCode, ApiError> {
    let mut world = shared.world.lock();
    let account = target.account_mut(Action::Write, &mut world)?;
    match &target.level {
        Level::Project(project) => {
            account.project_roles.remove(project);
        }
        Level::Org(_) => {
            world.accounts.remove(&target.account);
            world.tokens.revoke_where(|issued| issued.client_id == target.account);
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /groups/{project}/serviceAccounts/{account}:invite` adds an account of the organization to
/// the project.
pub(super) async fn invite(
    State(shared): State<Arc<Shared>>,
    mut target: Target,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let invited = target.account.strip_suffix(":invite").filter(|_| matches!(target.level, Level::Project(_))).map(str::to_owned);
    let Some(invited) = invited else {
        return Err(ApiError::new(405, "METHOD_NOT_ALLOWED", "This path does not support this method."));
    };
    target.account = invited;
    let mut world = shared.world.lock();
    target.allow(Action::Write, &world)?;
    let mut attributes = Attributes::read(&headers, &body)?;
    let roles = required(attributes.roles(&target.level)?, "roles")?;
    attributes.end()?;

    let org = world.accounts.org_of(&target.level).unwrap_or_default().to_owned();
    let view = world.view();
    let is_found = |account: &&mut Account| account.org_id == org && account.visible_from_ms <= view.now_ms;
    let account = world.accounts.get_mut(&target.account).filter(is_found).ok_or_else(|| target.no_account())?;
    account.set_roles_at(&target.level, roles);
    Ok(Json(account_json(account, &target.level, view)))
}

fn account_json(account: &Account, level: &Level, view: View) -> Value {
    let secrets = account.secrets.iter().filter(|secret| secret.visible_from_ms <= view.now_ms);
    json!({
        "clientId": account.client_id,
        "createdAt": iso8601(account.created_ms),
        "name": account.name,
        "description": account.description,
        "roles": account.roles_at(level),
        "secrets": secrets.map(|secret| masked(secret, view)).collect::<Vec<_>>(),
        "systemManaged": account.system_managed,
    })
}

/// The error reply for an exceeded limit.
pub(super) fn limit_reached(limit: LimitReached) -> ApiError {
    let (code, detail) = match limit {
        LimitReached::Secrets => ("MAX_SECRETS_REACHED", "A service account can have at most two secrets: delete one first."),
        // As Atlas reports it.
        LimitReached::Accounts => (
            "MAX_SERVICE_ACCOUNTS_PER_ORG_EXCEEDED",
            "Maximum number of Service Accounts per org (200) exceeded when trying to add a new Service Account.",
        ),
        LimitReached::Projects => ("MAX_GROUPS_FOR_ORG", "An organization can have at most 250 projects: delete one first."),
        LimitReached::AccessList => ("MAX_ACCESS_LIST_REACHED", "An access list can have at most 200 entries: delete one first."),
    };
    ApiError::new(400, code, detail)
}
