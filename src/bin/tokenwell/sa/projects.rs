//! `tokenwell sa projects`.

use super::place::Place;
use super::print;
use crate::failure::Failure;
use crate::output;

#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Args {
    /// Client id of the account; without it, the one that is signed in
    #[arg(value_name = "CLIENT_ID")]
    account: Option<String>,

    /// Print one JSON array
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    place: Place,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell sa projects $id";

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let office = args.place.open(args.account.as_deref())?;
    let id = office.account_or_own(args.account.as_deref());
    let accounts = office.accounts();
    let projects: Vec<_> = accounts.projects(&id).and_then(Iterator::collect).map_err(|error| office.failure(error))?;
    if args.json {
        return print::json(&projects);
    }
    if projects.is_empty() {
        output::message(&format!("{id} has roles in no project"));
        return Ok(());
    }
    print::ids(projects.iter().map(|project| project.group_id.as_str()))
}
