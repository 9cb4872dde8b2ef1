//! The Admin API under `/api/atlas/v2`: organizations, projects and their service accounts.
//!
//! May depend on: `World` and its components, replies.rs. Start reading at [`router`]; every
//! request passes `gate` first.

mod access_list;
mod accounts;
mod attributes;
mod common;
mod envelope;
mod gate;
mod page;
mod places;
mod secrets;
mod version;

use super::replies::ApiError;
use crate::emulator::accounts::Account;
use crate::emulator::roles::{self, Action, Level};
use crate::emulator::server::Shared;
use crate::emulator::world::World;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::routing::{delete, get, post};
use axum::{Extension, Router, middleware};
use gate::Caller;
use std::sync::Arc;

const UNKNOWN_PATH: &str =
    "The emulator does not implement this path. POST /_emulator/stubs sets a reply for it; docs/emulator.md lists the paths.";
const UNKNOWN_METHOD: &str = "The emulator does not implement this method of the path. POST /_emulator/stubs sets a reply for it.";

pub(super) fn router(shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    let mut version_2 = Router::new()
        .route("/", get(common::system_status))
        .route("/orgs", get(places::orgs))
        .route("/orgs/{org}", get(places::org))
        .route("/orgs/{org}/groups", get(places::projects_of_org))
        .route("/orgs/{org}/settings", get(common::settings).patch(common::set_settings))
        .route("/groups", get(places::projects).post(places::create_project))
        .route("/groups/{project}", get(places::project).delete(places::delete_project))
        .route("/groups/byName/{name}", get(places::project_by_name))
        .route("/clusters", get(common::clusters))
        .route("/rateLimits", get(common::rate_limits))
        .route("/orgs/{org}/serviceAccounts/{account}/groups", get(places::projects_of))
        .nest("/orgs/{org}/serviceAccounts", service_accounts())
        .nest("/groups/{project}/serviceAccounts", service_accounts());
    for list in common::OF_ORG {
        version_2 = version_2.route(&format!("/orgs/{{org}}/{list}"), get(common::empty));
    }
    for list in common::OF_PROJECT {
        version_2 = version_2.route(&format!("/groups/{{project}}/{list}"), get(common::empty));
    }
    let version_2 = version_2.route_layer(middleware::from_fn_with_state(Arc::clone(shared), version::check));
    let guarded = Router::new()
        .nest("/atlas/v2", version_2)
        .route("/private/ipinfo", get(common::ip_info))
        .fallback(|| async { ApiError::not_found(UNKNOWN_PATH) })
        .method_not_allowed_fallback(|| async { ApiError::new(405, "METHOD_NOT_ALLOWED", UNKNOWN_METHOD) })
        // Around the fallbacks too: a request without a valid token gets 401, whatever its path is.
        .layer(middleware::from_fn_with_state(Arc::clone(shared), gate::authorize));
    Router::new().nest("/api", guarded).route("/api/atlas/v2/unauth/controlPlaneIPAddresses", get(common::control_plane_addresses))
}

/// The operations, which are the same at organization and project level. `Target` has the level.
fn service_accounts() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(accounts::list).post(accounts::create))
        // POST is only for `{account}:invite` of a project. The router cannot split a path segment.
        .route("/{account}", get(accounts::get).patch(accounts::update).delete(accounts::delete).post(accounts::invite))
        .route("/{account}/secrets", post(secrets::create))
        .route("/{account}/secrets/{secret}", delete(secrets::delete))
        .route("/{account}/accessList", get(access_list::list).post(access_list::add))
        .route("/{account}/accessList/{address}", delete(access_list::remove))
}

/// The caller of a request and the object that its path names.
struct Target {
    caller: Caller,
    level: Level,
    account: String,
    /// The last path segment: the id of a secret or an address.
    item: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Target {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Ok(Extension(caller)) = Extension::<Caller>::from_request_parts(parts, state).await else {
            return Err(ApiError::unauthorized("The request is not authenticated."));
        };
        let Ok(params) = RawPathParams::from_request_parts(parts, state).await else {
            return Err(ApiError::new(400, "INVALID_PATH_PARAMETER", "The path is not valid UTF-8."));
        };
        let param = |wanted: &[&str]| params.iter().find(|(name, _)| wanted.contains(name)).map(|(_, value)| value.to_owned());
        let level = match (param(&["org"]), param(&["project"])) {
            (Some(org), _) => Level::Org(org),
            (None, project) => Level::Project(project.unwrap_or_default()),
        };
        let [account, item] = [&["account"][..], &["secret", "address"][..]].map(|wanted| param(wanted).unwrap_or_default());
        Ok(Self { caller, level, account, item })
    }
}

/// The error reply for a caller without the necessary role, as Atlas sends it.
fn not_authorized(world: &World) -> ApiError {
    ApiError::new(world.settings.forbidden_status(), "USER_UNAUTHORIZED", "Current user is not authorized to perform this action.")
}

impl Target {
    /// Checks that the organization or project exists and that the caller may perform `action`
    /// there.
    fn allow(&self, action: Action, world: &World) -> Result<(), ApiError> {
        let caller = world.accounts.get(&self.caller.client_id).ok_or_else(ApiError::account_is_gone)?;
        let id = match &self.level {
            Level::Org(id) | Level::Project(id) => id,
        };
        let now_ms = world.clock.now_ms();
        let is_hidden = |project: &str| world.accounts.project(project).is_some_and(|project| project.visible_from_ms > now_ms);
        let is_hidden = matches!(&self.level, Level::Project(project) if is_hidden(project));
        if is_hidden || world.accounts.org_of(&self.level).is_none() {
            let code = if matches!(self.level, Level::Org(_)) { "ORG_NOT_FOUND" } else { "GROUP_NOT_FOUND" };
            return Err(ApiError::new(404, code, format!("No object has the id {id}.")).with([id.as_str().into()]));
        }
        if roles::is_allowed(caller, action, &self.level, &world.accounts) {
            return Ok(());
        }
        Err(not_authorized(world))
    }

    /// Returns the account that the path names, if the caller may perform `action` on it.
    fn account<'a>(&self, action: Action, world: &'a World) -> Result<&'a Account, ApiError> {
        self.allow(action, world)?;
        let is_here = |account: &&Account| account.is_at(&self.level) && account.visible_from_ms <= world.clock.now_ms();
        world.accounts.get(&self.account).filter(is_here).ok_or_else(|| self.no_account())
    }

    fn account_mut<'a>(&self, action: Action, world: &'a mut World) -> Result<&'a mut Account, ApiError> {
        self.account(action, world)?;
        world.accounts.get_mut(&self.account).ok_or_else(|| self.no_account())
    }

    fn no_account(&self) -> ApiError {
        ApiError::new(404, "SERVICE_ACCOUNT_NOT_FOUND", format!("There is no service account {} here.", self.account))
            .with([self.account.as_str().into()])
    }
}
