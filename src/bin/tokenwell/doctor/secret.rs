//! When the secret of the account ends, as the API says. What may not be read is unknown.

use super::report::Report;
use crate::ids::{IDS, ProfileIds};
use crate::secret_end::SecretEnd;
use crate::session::Session;
use crate::settings::Settings;
use tokenwell::Config;
use tokenwell::admin::AdminApi;
use tokenwell::admin::service_accounts::{AdminError, Level, ServiceAccounts};

const NAME: &str = "secret";

/// `organization` is the only one of the account, if the API has said so.
pub(super) fn check(report: &mut Report, settings: &Settings, session: &Session, as_profile: Option<&str>, organization: Option<String>) {
    if session.config.api_base().is_none() {
        return report.skip(NAME, "the server is not Atlas");
    }
    let reader = match as_profile.map(|profile| settings.config_of_reader(profile).and_then(Session::open)) {
        Some(Err(failure)) => return report.failure(NAME, &failure),
        Some(Ok(reader)) => Some(reader),
        None => None,
    };
    let reader = reader.as_ref().unwrap_or(session);
    if reader.config.api_base().map(|base| base.origin()) != session.config.api_base().map(|base| base.origin()) {
        return report.skip(NAME, "its end is unknown: the profile of --as has another server");
    }
    let mut levels = levels(&session.config);
    levels.extend(self::levels(&reader.config));
    levels.extend(organization.and_then(|id| Level::organization(&id).ok()));
    let mut denied = None;
    for level in levels {
        match end_at(&level, session, reader) {
            Ok(end) => return known(report, end.as_ref(), &session.config),
            Err(error) => {
                denied.get_or_insert(error);
            }
        }
    }
    report.skip(NAME, unknown(denied.as_ref()));
}

fn known(report: &mut Report, end: Option<&SecretEnd>, config: &Config) {
    let Some(end) = end else { return report.skip(NAME, "its end is unknown: the API does not say it") };
    report.secret_end(end.expires_at(), end.left().as_secs());
    match (end.has_ended(), end.is_soon()) {
        (true, _) => report.warn_as(NAME, "secret_expired", end.text(), end.advice(config)),
        (false, true) => report.warn_as(NAME, "secret_expiring", end.text(), end.advice(config)),
        (false, false) => report.ok(NAME, end.text()),
    }
}

/// Why the end is unknown. That is not a failure: an account needs no role to read itself.
fn unknown(denied: Option<&AdminError>) -> String {
    match denied {
        None => "its end is unknown: the organization is; set MONGODB_ATLAS_ORG_ID or MONGODB_ATLAS_PROJECT_ID".to_owned(),
        Some(AdminError::Api(api)) if matches!(api.status, 401 | 403 | 404) && !api.is_access_list() => {
            format!("its end is unknown: reading it needs {}; use --as PROFILE for an account with this role", api.needed_role)
        }
        Some(error) => format!("its end is unknown: {error}"),
    }
}

/// The end of the secret of `session`, which the account of `reader` reads.
fn end_at(level: &Level, session: &Session, reader: &Session) -> Result<Option<SecretEnd>, AdminError> {
    let api = AdminApi::new(&reader.config)?;
    let accounts = ServiceAccounts::new(&api, &reader.client, level.clone()).patience(reader.config.timeout());
    let account = accounts.get(session.config.client_id())?;
    let (_, own) = session.config.credential()?;
    let end = SecretEnd::of(&account, level, &own);
    if let Some(end) = &end {
        end.remember(&session.config);
    }
    Ok(end)
}

/// The organization and the project of the environment, otherwise those of the profile.
fn levels(config: &Config) -> Vec<Level> {
    let profile = ProfileIds::of(config);
    let value = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let id = |id: &crate::ids::Id| id.variables.into_iter().find_map(value).or_else(|| profile.get(id.member).map(str::to_owned));
    let level = |of: &crate::ids::Id| {
        let id = id(of)?;
        if of.member == "org_id" { Level::organization(&id) } else { Level::project(&id) }.ok()
    };
    IDS.iter().filter_map(level).collect()
}
