//! `tokenwell sa projects`.

use super::place::ShownAccount;
use super::print;
use crate::failure::Failure;
use crate::output;

#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    shown: ShownAccount,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell sa projects $id";

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let (admin, id) = args.shown.open()?;
    let accounts = admin.accounts();
    let projects: Vec<_> = accounts.projects(&id).and_then(Iterator::collect).map_err(|error| admin.failure(error))?;
    if args.shown.json {
        return print::json(&projects);
    }
    if projects.is_empty() {
        output::message(&format!("{id} has roles in no project"));
        return Ok(());
    }
    print::ids(projects.iter().map(|project| project.group_id.as_str()))
}
