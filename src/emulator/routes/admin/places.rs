//! Organizations and projects.

use super::accounts::limit_reached;
use super::attributes::{Attributes, required};
use super::gate::Caller;
use super::page::Page;
use super::{Target, not_authorized};
use crate::emulator::accounts::{Account, Org, Project};
use crate::emulator::clock::iso8601;
use crate::emulator::roles::{self, Action, Level};
use crate::emulator::routes::replies::ApiError;
use crate::emulator::server::Shared;
use crate::emulator::world::World;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use hyper::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) async fn orgs(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    page: Page,
) -> Result<Json<Value>, ApiError> {
    let world = shared.world.lock();
    let caller = account(&world, &caller)?;
    let name = page.filter("name");
    let seen = world.accounts.orgs.iter().filter(|org| roles::sees_org(caller, &org.id) && starts_with(&org.name, name));
    Ok(page.of(seen.map(org_json).collect()))
}

/// The filter `name` of lists: the start of a name, in any case.
fn starts_with(name: &str, filter: Option<&str>) -> bool {
    filter.is_none_or(|filter| name.to_lowercase().starts_with(&filter.to_lowercase()))
}

pub(super) async fn org(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let world = shared.world.lock();
    let caller = account(&world, &caller)?;
    let found = world.accounts.org(&id).filter(|org| roles::sees_org(caller, &org.id));
    found
        .map(|org| Json(org_json(org)))
        .ok_or_else(|| ApiError::new(404, "ORG_NOT_FOUND", format!("There is no organization {id}.")).with([id.into()]))
}

pub(super) async fn projects(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    page: Page,
) -> Result<Json<Value>, ApiError> {
    let world = shared.world.lock();
    let caller = account(&world, &caller)?;
    let seen = world.accounts.projects.iter().filter(|project| sees_project(caller, project, &world));
    Ok(page.of(seen.map(project_json).collect()))
}

pub(super) async fn projects_of_org(State(shared): State<Arc<Shared>>, target: Target, page: Page) -> Result<Json<Value>, ApiError> {
    let world = shared.world.lock();
    let caller = account(&world, &target.caller)?;
    let Level::Org(org) = &target.level else { return Err(ApiError::not_found("This is not the path of an organization.")) };
    if !roles::sees_org(caller, org) {
        return Err(ApiError::new(404, "ORG_NOT_FOUND", format!("There is no organization {org}.")).with([org.as_str().into()]));
    }
    let name = page.filter("name");
    let projects = world.accounts.projects.iter().filter(|project| project.org_id == *org);
    let seen = projects.filter(|project| starts_with(&project.name, name) && sees_project(caller, project, &world));
    Ok(page.of(seen.map(project_json).collect()))
}

pub(super) async fn project_by_name(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let world = shared.world.lock();
    let caller = account(&world, &caller)?;
    let found = world.accounts.projects.iter().find(|project| project.name == name && sees_project(caller, project, &world));
    found
        .map(|project| Json(project_json(project)))
        .ok_or_else(|| ApiError::new(404, "GROUP_NAME_NOT_FOUND", format!("There is no project {name:?}.")).with([name.into()]))
}

/// Creates a project. The caller becomes its owner.
pub(super) async fn create_project(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    const MAX_NAME_LENGTH: usize = 64;
    let mut world = shared.world.lock();
    let mut attributes = Attributes::read(&headers, &body)?;
    let name = required(attributes.text("name", MAX_NAME_LENGTH)?, "name")?;
    let org_id = required(attributes.text("orgId", MAX_NAME_LENGTH)?, "orgId")?;
    attributes.ignore(&["tags", "withDefaultAlertsSettings", "regionUsageRestrictions"]);
    attributes.end()?;

    if world.accounts.org(&org_id).is_none() {
        return Err(ApiError::new(404, "ORG_NOT_FOUND", format!("There is no organization {org_id}.")).with([org_id.into()]));
    }
    if !roles::may_create_project(account(&world, &caller)?, &org_id) {
        return Err(not_authorized(&world));
    }
    if world.accounts.projects.iter().any(|project| project.org_id == org_id && project.name == name) {
        let detail = format!("The organization already has a project {name:?}.");
        return Err(ApiError::new(409, "GROUP_ALREADY_EXISTS", detail).with([name.into()]));
    }
    let (created_ms, visible_from_ms) = (world.clock.now_ms(), world.visible_from_ms());
    let project = world.accounts.create_project(org_id, name, created_ms, visible_from_ms).map_err(limit_reached)?;
    if let Some(owner) = world.accounts.get_mut(&caller.client_id) {
        owner.set_roles_at(&Level::Project(project.id.clone()), vec!["GROUP_OWNER".to_owned()]);
    }
    Ok(Json(project_json(&project)))
}

pub(super) async fn delete_project(State(shared): State<Arc<Shared>>, target: Target) -> Result<StatusCode, ApiError> {
    let mut world = shared.world.lock();
    target.allow(Action::Write, &world)?;
    if let Level::Project(id) = &target.level {
        world.accounts.remove_project(id);
    }
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn project(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let world = shared.world.lock();
    let caller = account(&world, &caller)?;
    let found = world.accounts.project(&id).filter(|project| sees_project(caller, project, &world));
    found
        .map(|project| Json(project_json(project)))
        .ok_or_else(|| ApiError::new(404, "GROUP_NOT_FOUND", format!("There is no project {id}.")).with([id.into()]))
}

/// The projects that a service account has been invited to.
pub(super) async fn projects_of(State(shared): State<Arc<Shared>>, target: Target, page: Page) -> Result<Json<Value>, ApiError> {
    let world = shared.world.lock();
    let account = target.account(Action::Read, &world)?;
    Ok(page.of(account.project_roles.keys().map(|id| json!({ "groupId": id })).collect()))
}

fn account<'a>(world: &'a World, caller: &Caller) -> Result<&'a Account, ApiError> {
    world.accounts.get(&caller.client_id).ok_or_else(ApiError::account_is_gone)
}

fn sees_project(caller: &Account, project: &Project, world: &World) -> bool {
    project.visible_from_ms <= world.clock.now_ms()
        && roles::is_allowed(caller, Action::Read, &Level::Project(project.id.clone()), &world.accounts)
}

fn org_json(org: &Org) -> Value {
    json!({ "id": org.id, "name": org.name, "isDeleted": false, "links": [] })
}

fn project_json(project: &Project) -> Value {
    json!({
        "id": project.id,
        "orgId": project.org_id,
        "name": project.name,
        "created": iso8601(project.created_ms),
        "clusterCount": 0,
        "links": [],
    })
}
