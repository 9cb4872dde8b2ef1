//! Operations that clients call beside the service account API: the service itself, settings, and
//! lists that are always empty here.

use super::Target;
use super::attributes::Attributes;
use super::gate::Caller;
use super::page::Page;
use crate::emulator::RateLimit;
use crate::emulator::accounts::{MAX_SECRET_HOURS, MIN_SECRET_HOURS, OrgSettings};
use crate::emulator::roles::{Action, Level};
use crate::emulator::routes::Peer;
use crate::emulator::routes::replies::ApiError;
use crate::emulator::server::Shared;
use axum::body::Bytes;
use axum::extract::State;
use axum::{Extension, Json};
use hyper::HeaderMap;
use serde_json::{Value, json};
use std::sync::Arc;

/// The lists of an organization that are always empty, unless a stub has other content.
pub(super) const OF_ORG: [&str; 5] = ["apiKeys", "events", "users", "teams", "invoices"];

/// The same, of a project.
pub(super) const OF_PROJECT: [&str; 16] = [
    "clusters",
    "flexClusters",
    "serverless",
    "databaseUsers",
    "accessList",
    "teams",
    "users",
    "apiKeys",
    "events",
    "alerts",
    "alertConfigs",
    "processes",
    "peers",
    "containers",
    "integrations",
    "streams",
];

pub(super) async fn empty(State(shared): State<Arc<Shared>>, target: Target, page: Page) -> Result<Json<Value>, ApiError> {
    target.allow(Action::Read, &shared.world.lock())?;
    Ok(page.of(Vec::new()))
}

/// `GET /clusters`: the projects that the caller sees and that have clusters.
pub(super) async fn clusters(page: Page) -> Json<Value> {
    page.of(Vec::new())
}

/// `GET /api/atlas/v2`.
pub(super) async fn system_status(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, ApiError> {
    let world = shared.world.lock();
    let account = world.accounts.get(&caller.client_id).ok_or_else(ApiError::account_is_gone)?;
    let org_roles = account.org_roles.iter().map(|role| json!({ "orgId": account.org_id, "roleName": role }));
    let of_project = |(project, roles): (&String, &Vec<String>)| -> Vec<_> {
        roles.iter().map(|role| json!({ "groupId": project, "roleName": role })).collect()
    };
    let roles: Vec<_> = org_roles.chain(account.project_roles.iter().flat_map(of_project)).collect();
    // The id of a service account ends in an id of the usual form.
    let id = account.client_id.strip_prefix("mdb_sa_id_").unwrap_or(&account.client_id);
    Ok(Json(json!({
        "apiKey": { "id": id, "publicKey": account.client_id, "accessList": [], "roles": roles },
        "appName": "tokenwell emulator",
        "build": env!("CARGO_PKG_VERSION"),
        "throttling": false,
        "links": [],
    })))
}

pub(super) async fn settings(State(shared): State<Arc<Shared>>, target: Target) -> Result<Json<Value>, ApiError> {
    let world = shared.world.lock();
    target.allow(Action::Read, &world)?;
    Ok(Json(settings_json(world.accounts.settings_of(&target.level))))
}

/// Changes the settings in the body.
pub(super) async fn set_settings(
    State(shared): State<Arc<Shared>>,
    target: Target,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let mut world = shared.world.lock();
    target.allow(Action::Write, &world)?;
    let mut attributes = Attributes::read(&headers, &body)?;
    let mut settings = world.accounts.settings_of(&target.level);
    for (name, setting) in [
        ("apiAccessListRequired", &mut settings.api_access_list_required),
        ("genAIFeaturesEnabled", &mut settings.gen_ai_features_enabled),
        ("multiFactorAuthRequired", &mut settings.multi_factor_auth_required),
        ("restrictEmployeeAccess", &mut settings.restrict_employee_access),
    ] {
        *setting = attributes.boolean(name)?.unwrap_or(*setting);
    }
    let hours = attributes.number("maxServiceAccountSecretValidityInHours", MIN_SECRET_HOURS..=MAX_SECRET_HOURS)?;
    settings.max_secret_hours = hours.unwrap_or(settings.max_secret_hours);
    attributes.ignore(&["securityContact", "streamsCrossGroupEnabled"]);
    attributes.end()?;
    if let Level::Org(id) = &target.level
        && let Some(org) = world.accounts.org_mut(id)
    {
        org.settings = settings;
    }
    Ok(Json(settings_json(settings)))
}

fn settings_json(settings: OrgSettings) -> Value {
    json!({
        "apiAccessListRequired": settings.api_access_list_required,
        "genAIFeaturesEnabled": settings.gen_ai_features_enabled,
        "maxServiceAccountSecretValidityInHours": settings.max_secret_hours,
        "multiFactorAuthRequired": settings.multi_factor_auth_required,
        "restrictEmployeeAccess": settings.restrict_employee_access,
    })
}

/// `GET /rateLimits`: the limits that the emulator applies.
pub(super) async fn rate_limits(State(shared): State<Arc<Shared>>, page: Page) -> Json<Value> {
    let world = shared.world.lock();
    let sets = [
        ("token-requests", "Token requests", world.settings.rate_limit, "/api/oauth/token", "POST"),
        ("admin-api", "Admin API", world.settings.api_rate_limit, "/api/atlas/v2/*", "*"),
    ];
    let set = |(id, name, limit, path, method): (&str, &str, Option<RateLimit>, &str, &str)| {
        let limit = limit?;
        let value = |number: u64| json!({ "value": number, "defaultValue": number });
        Some(json!({
            "endpointSetId": id,
            "endpointSetName": name,
            "endpoints": [{ "method": method, "path": path }],
            "capacity": value(limit.requests),
            "refillRate": value(limit.requests),
            "refillDurationSeconds": value(limit.window_s),
            "scope": "IP",
        }))
    };
    page.of(sets.into_iter().filter_map(set).collect())
}

/// `GET /unauth/controlPlaneIPAddresses`: addresses that are reserved for documentation (RFC 5737).
pub(super) async fn control_plane_addresses() -> Json<Value> {
    let addresses = json!({ "aws": { "us-east-1": ["192.0.2.0/28"] }, "azure": {}, "gcp": {} });
    Json(json!({ "inbound": addresses, "outbound": addresses }))
}

/// `GET /api/private/ipinfo`: the address of the caller.
pub(super) async fn ip_info(Extension(Peer(peer)): Extension<Peer>) -> Json<Value> {
    Json(json!({ "currentIpv4Address": peer.ip().to_string() }))
}
