//! `tokenwell sa audit`: what in the accounts of an organization or a project needs attention. Changes
//! nothing.

mod findings;
mod metrics;

use super::place::{AdminSession, Place};
use super::print;
use crate::failure::Failure;
use crate::output;
use crate::wanted::duration;
use findings::{Audited, Kind};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use tokenwell::admin::service_accounts::Level;
use tokenwell::admin::{AdminApi, Call};
use tokenwell::error::{ExitCode, printable};

#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Args {
    /// Report secrets that end within this time
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30d")]
    expiring_within: Duration,

    /// Report what was not used for this time
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "90d")]
    unused_for: Duration,

    /// Also write metrics for the textfile collector of the Prometheus node exporter; the name ends in
    /// .prom
    #[arg(long, hide_short_help = true, value_name = "FILE")]
    metrics: Option<PathBuf>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    place: Place,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell sa audit --expiring-within 14d || [ $? = 12 ]
  tokenwell sa audit --json --metrics accounts.prom || [ $? = 12 ]

Exit codes:
  0   nothing to report
  12  something to report
  4   an access list could not be read, so the report is not complete";

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut file = args.metrics.as_deref().map(metrics::checked).transpose()?;
    let admin = args.place.open(None)?;
    let accounts = admin.accounts();
    let all = accounts.list().collect::<Result<Vec<_>, _>>().map_err(|error| admin.failure(error))?;
    all.iter().for_each(|account| admin.remember_end(account));
    let limits = findings::Limits {
        now_ms: print::now_ms(),
        expiring_within: args.expiring_within,
        unused_for: args.unused_for,
        is_list_required: is_list_required(&admin),
    };
    let mut audited = Vec::new();
    for account in all {
        let list = match accounts.access_list(&account.client_id).and_then(Iterator::collect) {
            Ok(list) => Ok(list),
            // What this account may not read is unknown, and not empty.
            Err(error) if error.api().is_some_and(|api| matches!(api.status, 401 | 403 | 404) && !api.is_access_list()) => {
                Err(error.api().map_or("another role", |api| api.needed_role))
            }
            Err(error) => return Err(admin.failure(error)),
        };
        audited.push(Audited::of(account, list, &limits));
    }
    print_report(&audited, &limits, args.json, &admin)?;
    if let Some(file) = &mut file {
        file.replace(metrics::render(&audited, limits.now_ms).as_bytes())?;
    }
    let exit_code = match (audited.iter().any(Audited::is_incomplete), audited.iter().any(Audited::has_problem)) {
        (true, _) => ExitCode::Rejected,
        (false, true) => ExitCode::Findings,
        (false, false) => return Ok(()),
    };
    Err(Failure::Reported { exit_code })
}

/// Whether the organization requires an access list for the API: an empty one then allows nothing. `None`
/// for a project, and if the account may not read the settings.
fn is_list_required(admin: &AdminSession) -> Option<bool> {
    let accounts = admin.accounts();
    let Level::Organization(id) = accounts.level() else { return None };
    let api = AdminApi::new(&admin.session.config).ok()?;
    let reply = api.call(&admin.session.client, &Call::get(&format!("/api/atlas/v2/orgs/{id}/settings"))).ok()?;
    let settings: Value = serde_json::from_slice(&reply.body).ok().filter(|_| reply.status == 200)?;
    settings.get("apiAccessListRequired")?.as_bool()
}

fn print_report(audited: &[Audited], limits: &findings::Limits, as_json: bool, admin: &AdminSession) -> Result<(), Failure> {
    if as_json {
        let level = admin.accounts().level().clone();
        let report = json!({
            "level": if level.is_project() { "project" } else { "organization" },
            "id": level.id(),
            "api_access_list_required": limits.is_list_required,
            "accounts": audited.iter().map(Audited::json).collect::<Vec<_>>(),
        });
        return print::json(&report);
    }
    if output::is_quiet() {
        return print::ids(audited.iter().filter(|account| account.has_problem()).map(|account| account.account.client_id.as_str()));
    }
    let mut rows = Vec::new();
    for account in audited {
        let name = printable(&account.account.name, 64);
        for finding in &account.findings {
            rows.push(vec![account.account.client_id.as_str().into(), name.clone().into(), finding.cell(), finding.detail.as_str().into()]);
        }
        if let Err(role) = account.list {
            let unknown = format!("unknown (needs {role})");
            rows.push(vec![account.account.client_id.as_str().into(), name.into(), Kind::Unreadable.name().into(), unknown.into()]);
        }
    }
    if rows.is_empty() {
        output::message(&format!("{} service accounts, nothing to report", audited.len()));
        return Ok(());
    }
    print::table(&["CLIENT ID", "NAME", "FINDING", "DETAIL"], rows)
}
