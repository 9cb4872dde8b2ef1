//! `tokenwell sa access`: the API access list of an account.

use super::place::Place;
use super::print;
use crate::failure::Failure;
use crate::output;
use clap::Subcommand;
use tokenwell::admin::service_accounts::AccessListEntry;
use tokenwell::error::printable;

pub(super) const EXAMPLES: &str = "\
Examples:
  tokenwell sa access list mdb_sa_id_0123456789abcdef01234567";

#[derive(Subcommand)]
pub(super) enum Action {
    /// List the addresses from which the account may use the API
    #[command(after_long_help = EXAMPLES)]
    List(ListArgs),
}

#[derive(clap::Args)]
pub(super) struct ListArgs {
    /// Client id of the account; without it, the one that is signed in
    #[arg(value_name = "CLIENT_ID")]
    account: Option<String>,

    /// Print one JSON array of the entries, as the API describes them
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    place: Place,
}

pub(super) fn run(action: Action) -> Result<(), Failure> {
    match action {
        Action::List(args) => list(&args),
    }
}

fn list(args: &ListArgs) -> Result<(), Failure> {
    let office = args.place.open(args.account.as_deref())?;
    let id = office.account_or_own(args.account.as_deref());
    let accounts = office.accounts();
    let entries = accounts.access_list(&id).and_then(Iterator::collect).map_err(|error| office.failure(error))?;
    print(&id, &entries, args.json)
}

pub(super) fn print(id: &str, entries: &Vec<AccessListEntry>, json: bool) -> Result<(), Failure> {
    if json {
        return print::json(entries);
    }
    if output::is_quiet() {
        let shown: Vec<_> = entries.iter().map(address).collect();
        return print::ids(shown.iter().map(String::as_str));
    }
    if entries.is_empty() {
        output::message(&format!(
            "the access list of {id} is empty: every address may use the API, unless the organization requires a list"
        ));
        return Ok(());
    }
    let rows = entries.iter().map(|entry| {
        let used = match (&entry.last_used_at, &entry.last_used_address) {
            (Some(at), Some(from)) => format!("{} from {}", printable(at, 40), printable(from, 45)),
            (Some(at), None) => printable(at, 40),
            (None, _) => "never".to_owned(),
        };
        vec![address(entry).into(), print::time(entry.created_at.as_deref(), "unknown").into(), used.into()]
    });
    print::table(&["ADDRESS", "ADDED", "LAST USED"], rows.collect())
}

/// The address or network in one form, or as the API wrote it if this version does not know the form.
fn address(entry: &AccessListEntry) -> String {
    let written = || printable(entry.cidr_block.as_deref().or(entry.ip_address.as_deref()).unwrap_or("unknown"), 60);
    entry.network().map_or_else(written, |network| network.to_string())
}
