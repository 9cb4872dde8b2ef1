//! `tokenwell sa delete`.

use super::changes::Record;
use super::guard::Consent;
use super::interrupted::{self, Resolved};
use super::place::{AdminSession, Place};
use crate::failure::Failure;
use crate::output;
use serde_json::Value;
use tokenwell::admin::service_accounts::Level;
use tokenwell::admin::{AdminApi, Call};
use tokenwell::error::printable;

#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Args {
    /// Client id of the account
    #[arg(value_name = "CLIENT_ID")]
    account: String,

    #[command(flatten)]
    consent: Consent,

    #[command(flatten)]
    place: Place,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell sa delete $id --yes

  Detach it from a project; it still exists in its organization
    tokenwell sa delete $id --project $MONGODB_ATLAS_PROJECT_ID --yes";

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let admin = args.place.open_checked(Some(&args.account), |config, _| {
        args.consent.require_for_own(args.account == config.client_id(), &format!("deleting {}", args.account))
    })?;
    let accounts = admin.accounts();
    let account = accounts.get(&args.account).map_err(|error| admin.failure(error))?;
    let name = format!("{} ({})", args.account, printable(&account.name, 64));
    let Level::Project(project) = accounts.level().clone() else {
        args.consent.ask(&format!("Delete {name} with its {} secrets? Its tokens become invalid.", account.secrets.len()))?;
        if args.consent.is_dry(&admin, "DELETE", &format!("/{}", args.account))? {
            return Ok(());
        }
        delete_logged(&admin, &args.account, &account.name)?;
        output::message(&format!("deleted {name}"));
        return Ok(());
    };
    args.consent.ask(&format!("Detach {name} from the project {project}?"))?;
    if args.consent.is_dry(&admin, "DELETE", &format!("/{}", args.account))? {
        return Ok(());
    }
    delete_logged(&admin, &args.account, &account.name)?;
    let organization = organization_of(&admin, &project);
    let shown = organization.as_deref().map_or("its organization".to_owned(), |id| format!("organization {id}"));
    let flag = organization.as_deref().unwrap_or("ORGANIZATION");
    output::message(&format!(
        "detached {name} from the project {project}; the account still exists in {shown}, and `tokenwell sa delete --org {flag} {}` deletes it",
        args.account
    ));
    Ok(())
}

fn delete_logged(admin: &AdminSession, id: &str, name: &str) -> Result<(), Failure> {
    let record =
        Record { client_id: Some(id.to_owned()), name: Some(name.to_owned()), ..admin.record("sa delete", "DELETE", &format!("/{id}")) };
    admin.logged(&record, || admin.accounts().delete(id))?;
    interrupted::resolve(admin, id, &Resolved::AccountDeleted);
    Ok(())
}

/// The organization of a project, if the account may read the project.
pub(super) fn organization_of(admin: &AdminSession, project: &str) -> Option<String> {
    let api = AdminApi::new(&admin.session.config).ok()?;
    let reply = api.call(&admin.session.client, &Call::get(&format!("/api/atlas/v2/groups/{project}"))).ok()?;
    let found: Value = serde_json::from_slice(&reply.body).ok().filter(|_| reply.status == 200)?;
    found.get("orgId")?.as_str().map(|id| printable(id, 64))
}
