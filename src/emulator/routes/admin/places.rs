//! Organizations and projects.

use super::Target;
use super::gate::Caller;
use super::page::Page;
use crate::emulator::accounts::{Account, Org, Project};
use crate::emulator::clock::iso8601;
use crate::emulator::roles::{self, Action, Level};
use crate::emulator::routes::replies::ApiError;
use crate::emulator::server::Shared;
use crate::emulator::world::World;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) async fn orgs(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    page: Page,
) -> Result<Json<Value>, ApiError> {
    let world = shared.world.lock();
    let caller = account(&world, &caller)?;
    Ok(page.of(world.accounts.orgs.iter().filter(|org| roles::sees_org(caller, &org.id)).map(org_json).collect()))
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
    Ok(page.of(seen.map(|project| project_json(project, &world)).collect()))
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
        .map(|project| Json(project_json(project, &world)))
        .ok_or_else(|| ApiError::new(404, "GROUP_NOT_FOUND", format!("There is no project {id}.")).with([id.into()]))
}

/// The projects that a service account has been invited to.
pub(super) async fn projects_of(State(shared): State<Arc<Shared>>, target: Target, page: Page) -> Result<Json<Value>, ApiError> {
    let world = shared.world.lock();
    let account = target.account(Action::Read, &world)?;
    Ok(page.of(account.project_roles.keys().map(|id| json!({ "groupId": id })).collect()))
}

fn account<'a>(world: &'a World, caller: &Caller) -> Result<&'a Account, ApiError> {
    world.accounts.get(&caller.client_id).ok_or_else(|| ApiError::unauthorized("The service account no longer exists."))
}

fn sees_project(caller: &Account, project: &Project, world: &World) -> bool {
    roles::is_allowed(caller, Action::Read, &Level::Project(project.id.clone()), &world.accounts)
}

fn org_json(org: &Org) -> Value {
    json!({ "id": org.id, "name": org.name, "isDeleted": false, "links": [] })
}

fn project_json(project: &Project, world: &World) -> Value {
    json!({
        "id": project.id,
        "orgId": project.org_id,
        "name": project.name,
        "created": iso8601(project.created_ms),
        "clusterCount": 0,
        "serviceAccountCount": world.accounts.at(&Level::Project(project.id.clone())).count(),
        "links": [],
    })
}
