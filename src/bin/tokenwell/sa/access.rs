//! `tokenwell sa access`: the API access list of an account.

use super::changes::Record;
use super::guard::{Consent, allows, own_address};
use super::place::{AdminSession, Place, ShownAccount};
use super::print;
use super::refusal::in_flag;
use crate::failure::Failure;
use crate::output;
use clap::Subcommand;
use tokenwell::Status;
use tokenwell::admin::service_accounts::{ACCESS_LIST_LIMIT, AccessListEntry, AdminError, Network};
use tokenwell::error::printable;

pub(super) const EXAMPLES: &str = "\
Examples:
  tokenwell sa access list $id
  tokenwell sa access add $id 192.0.2.0/24 2001:db8::7
  tokenwell sa access delete $id 192.0.2.7 --yes";

#[derive(Subcommand)]
pub(super) enum Action {
    /// List the addresses from which the account may use the API
    #[command(after_long_help = EXAMPLES)]
    List(ShownAccount),
    /// Add addresses and networks, all with one request
    #[command(after_long_help = EXAMPLES)]
    Add(ChangeArgs),
    /// Delete addresses and networks
    #[command(after_long_help = EXAMPLES)]
    Delete(ChangeArgs),
}

#[derive(clap::Args)]
pub(super) struct ChangeArgs {
    /// Client id of the account
    #[arg(value_name = "CLIENT_ID")]
    account: String,

    /// Addresses (192.0.2.1) and networks (192.0.2.0/24, 2001:db8::/32)
    #[arg(value_name = "ADDRESS", required = true)]
    addresses: Vec<String>,

    #[command(flatten)]
    consent: Consent,

    #[command(flatten)]
    place: Place,
}

pub(super) fn run(action: Action) -> Result<(), Failure> {
    match action {
        Action::List(args) => list(&args),
        Action::Add(args) => add(&args),
        Action::Delete(args) => delete(&args),
    }
}

fn list(shown: &ShownAccount) -> Result<(), Failure> {
    let (admin, id) = shown.open()?;
    print(&id, &entries(&admin, &id)?, shown.json)
}

fn entries(admin: &AdminSession, id: &str) -> Result<Vec<AccessListEntry>, Failure> {
    admin.accounts().access_list(id).and_then(Iterator::collect).map_err(|error| admin.failure(error))
}

/// The networks in the arguments, each once.
pub(super) fn networks(addresses: &[String]) -> Result<Vec<Network>, Failure> {
    let mut networks = Vec::new();
    for address in addresses {
        let network = Network::parse(address).map_err(|error| in_flag("ADDRESS", &error))?;
        if !networks.contains(&network) {
            networks.push(network);
        }
    }
    Ok(networks)
}

fn shown(networks: &[Network]) -> String {
    networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn add(args: &ChangeArgs) -> Result<(), Failure> {
    let networks = networks(&args.addresses)?;
    let admin = args.place.open(Some(&args.account))?;
    let before: Vec<_> = entries(&admin, &args.account)?.iter().filter_map(AccessListEntry::network).collect();
    let new: Vec<_> = networks.into_iter().filter(|network| !before.contains(network)).collect();
    if new.is_empty() {
        output::message("no change: the access list has all of them");
        return Ok(());
    }
    let after = [&before[..], &new[..]].concat();
    if after.len() > ACCESS_LIST_LIMIT {
        let problem = format!(
            "the access list has {} entries, and {} more would exceed the {ACCESS_LIST_LIMIT} that Atlas allows",
            before.len(),
            new.len()
        );
        return Err(Failure::new(Status::InvalidArgument, problem, "Add a network instead of its addresses, or delete entries first."));
    }
    if let Some(everything) = new.iter().find(|network| network.is_everything()) {
        args.consent.ask(&format!("{everything} allows every address. Add it?"))?;
    }
    require_own_address(args, &admin, &after, "adding only this", &new)?;
    if args.consent.is_dry(&admin, "POST", &format!("/{}/accessList", args.account))? {
        return Ok(());
    }
    add_logged(&admin, &args.account, &new).map_err(|error| admin.failure(error))?;
    let first = if before.is_empty() { "; no other address may use the API with this account now" } else { "" };
    output::message(&format!("added {} to the access list of {}{first}", shown(&new), args.account));
    Ok(())
}

/// Adds the entries, with a line in the log before and after the request.
pub(super) fn add_logged(admin: &AdminSession, id: &str, networks: &[Network]) -> Result<(), AdminError> {
    let record = Record {
        client_id: Some(id.to_owned()),
        addresses: networks.iter().map(ToString::to_string).collect(),
        ..admin.record("sa access add", "POST", &format!("/{id}/accessList"))
    };
    admin.log.around(&record, || admin.accounts().add_access(id, networks)).map(drop)
}

fn delete(args: &ChangeArgs) -> Result<(), Failure> {
    let networks = networks(&args.addresses)?;
    let admin = args.place.open(Some(&args.account))?;
    let before: Vec<_> = entries(&admin, &args.account)?.iter().filter_map(AccessListEntry::network).collect();
    let (gone, missing): (Vec<_>, Vec<_>) = networks.into_iter().partition(|network| before.contains(network));
    if !missing.is_empty() {
        output::message(&format!("no change for {}: not on the access list", shown(&missing)));
    }
    if gone.is_empty() {
        return Ok(());
    }
    let after: Vec<_> = before.into_iter().filter(|network| !gone.contains(network)).collect();
    require_own_address(args, &admin, &after, "deleting this", &[])?;
    let effect =
        if after.is_empty() { ", which is then empty: every address may use the API, unless the organization requires a list" } else { "" };
    args.consent.ask(&format!("Delete {} from the access list of {}{effect}?", shown(&gone), args.account))?;
    for network in gone {
        if args.consent.is_dry(&admin, "DELETE", &format!("/{}/accessList/{}", args.account, network.to_string().replace('/', "%2F")))? {
            continue;
        }
        let record = Record {
            client_id: Some(args.account.clone()),
            addresses: vec![network.to_string()],
            ..admin.record("sa access delete", "DELETE", &format!("/{}/accessList/{network}", args.account))
        };
        admin.logged(&record, || admin.accounts().delete_access(&args.account, network))?;
        output::message(&format!("deleted {network} from the access list of {}", args.account));
    }
    Ok(())
}

/// Refuses a list of the account that is signed in which does not have this host's address. If Atlas does
/// not say which address it sees, a warning and a question take its place.
fn require_own_address(args: &ChangeArgs, admin: &AdminSession, after: &[Network], act: &str, new: &[Network]) -> Result<(), Failure> {
    if args.account != admin.session.config.client_id() || after.is_empty() {
        return Ok(());
    }
    let Some(address) = own_address(admin) else {
        output::warning("Atlas does not say which address it sees, so it is not known whether the access list still allows this host");
        return args.consent.ask("The access list may no longer allow this host. Continue?");
    };
    if allows(after, address) {
        return Ok(());
    }
    args.consent.require_for_own(true, &format!("{act}, which does not allow {address}, the address of this host,")).map_err(|refused| {
        if new.is_empty() {
            return refused;
        }
        let all: Vec<_> = new.iter().map(ToString::to_string).chain([address.to_string()]).collect();
        Failure::new(
            Status::InvalidArgument,
            format!("the access list would not allow {address}, the address of this host, and lock out the account that is signed in"),
            format!("Add both with one request: `tokenwell sa access add {} {}`. Or use --yes-delete-myself.", args.account, all.join(" ")),
        )
    })
}

fn print(id: &str, entries: &Vec<AccessListEntry>, json: bool) -> Result<(), Failure> {
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
