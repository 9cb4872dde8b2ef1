//! `--expires`: how long a new secret is valid, and the most that the organization allows.

use super::delete::organization_of;
use super::place::AdminSession;
use super::refusal::in_flag;
use crate::failure::Failure;
use std::time::Duration;
use tokenwell::Status;
use tokenwell::admin::service_accounts::{AdminError, Level, check_hours};
use tokenwell::admin::{AdminApi, Call};

/// The lifetime of a secret in whole hours, as the API counts it.
pub(super) fn hours(expires: Duration) -> Result<u32, Failure> {
    check_hours(expires.as_secs() / 3600).map_err(|error| in_flag("--expires", &error))
}

/// A number of hours as a value of `--expires`.
pub(super) fn flag_value(hours: u32) -> String {
    if hours.is_multiple_of(24) { format!("{}d", hours / 24) } else { format!("{hours}h") }
}

/// The failure for a secret that the API did not create. If its lifetime is the reason, it says so.
pub(super) fn failure(admin: &AdminSession, hours: u32, error: AdminError) -> Failure {
    let is_refused = error.api().is_some_and(|api| matches!(api.status, 400 | 403 | 409 | 422) && !api.is_access_list());
    match if is_refused { require_allowed(admin, hours) } else { Ok(()) } {
        Ok(()) => admin.failure(error),
        Err(failure) => failure,
    }
}

/// Refuses a lifetime above the maximum of the organization, if that can be read. It is not shortened: who
/// relies on 90 days must not get 30.
pub(super) fn require_allowed(admin: &AdminSession, hours: u32) -> Result<(), Failure> {
    let organization = match admin.accounts().level() {
        Level::Project(project) => organization_of(admin, project),
        level => Some(level.id().to_owned()),
    };
    let Some(organization) = organization else { return Ok(()) };
    match maximum(admin, &organization) {
        Some(most) if hours > most => Err(Failure::new(
            Status::InvalidArgument,
            format!("--expires: organization {organization} allows secrets to be valid for at most {most} h, and {hours} h were requested"),
            format!(
                "Use --expires {}, or let an Organization Owner raise the maximum in the settings of the organization.",
                flag_value(most)
            ),
        )),
        _ => Ok(()),
    }
}

fn maximum(admin: &AdminSession, organization: &str) -> Option<u32> {
    let api = AdminApi::new(&admin.session.config).ok()?;
    let reply = api.call(&admin.session.client, &Call::get(&format!("/api/atlas/v2/orgs/{organization}/settings"))).ok()?;
    let settings: serde_json::Value = serde_json::from_slice(&reply.body).ok().filter(|_| reply.status == 200)?;
    settings.get("maxServiceAccountSecretValidityInHours")?.as_u64().and_then(|hours| u32::try_from(hours).ok())
}
