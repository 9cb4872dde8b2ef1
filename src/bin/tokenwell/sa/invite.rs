//! `tokenwell sa invite`.

use super::changes::Record;
use super::guard::Consent;
use super::place::Place;
use super::print;
use super::update::check_roles;
use crate::failure::Failure;
use crate::output;
use tokenwell::Status;

#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Args {
    /// Client id of an account of the organization
    #[arg(value_name = "CLIENT_ID")]
    account: String,

    /// Role in the project; repeat it for several
    #[arg(long, value_name = "ROLE", required = true)]
    role: Vec<String>,

    /// Print the account as one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    consent: Consent,

    #[command(flatten)]
    place: Place,
}

const EXAMPLES: &str = "\
Examples:
  project=$MONGODB_ATLAS_PROJECT_ID
  tokenwell sa invite $id --project $project --role GROUP_READ_ONLY";

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let admin = args.place.open_checked(Some(&args.account), |_, level| {
        if !level.is_project() {
            return Err(Failure::new(
                Status::InvalidArgument,
                "an account is invited to a project",
                "Use --project with the id of the project.",
            ));
        }
        check_roles(level, [&args.role])
    })?;
    if args.consent.is_dry(&admin, "POST", &format!("/{}:invite", args.account))? {
        return Ok(());
    }
    let record = Record {
        client_id: Some(args.account.clone()),
        roles: args.role.clone(),
        ..admin.record("sa invite", "POST", &format!("/{}:invite", args.account))
    };
    let account = admin.logged(&record, || admin.accounts().invite(&args.account, &args.role))?;
    if args.json {
        return print::json(&account);
    }
    output::message(&format!("{} has {} in the {}", args.account, print::roles(&account.roles), admin.accounts().level()));
    Ok(())
}
