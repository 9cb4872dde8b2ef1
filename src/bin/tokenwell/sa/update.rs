//! `tokenwell sa update`.

use super::changes::Record;
use super::guard::Consent;
use super::place::Place;
use super::print;
use super::refusal::in_flag;
use crate::failure::Failure;
use crate::output;
use std::collections::BTreeSet;
use tokenwell::Status;
use tokenwell::admin::service_accounts::{Change, Level, check_description, check_name, check_role};
use tokenwell::error::printable;

#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Args {
    /// Client id of the account
    #[arg(value_name = "CLIENT_ID")]
    account: String,

    /// New name
    #[arg(long)]
    name: Option<String>,

    /// New description
    #[arg(long, hide_short_help = true)]
    description: Option<String>,

    /// Role instead of all others; repeat it for several
    #[arg(long, value_name = "ROLE", conflicts_with_all = ["add_role", "remove_role"])]
    role: Vec<String>,

    /// Role to add
    #[arg(long, value_name = "ROLE")]
    add_role: Vec<String>,

    /// Role to remove
    #[arg(long, value_name = "ROLE")]
    remove_role: Vec<String>,

    /// Print the account after the change as one JSON object
    #[arg(long, hide_short_help = true)]
    json: bool,

    #[command(flatten)]
    consent: Consent,

    #[command(flatten)]
    place: Place,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell sa update $id --name deploy
  tokenwell sa update $id --add-role ORG_GROUP_CREATOR
  tokenwell sa update $id --role ORG_MEMBER --dry-run";

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    args.name.as_deref().map_or(Ok(()), check_name).map_err(|error| in_flag("--name", &error))?;
    args.description.as_deref().map_or(Ok(()), check_description).map_err(|error| in_flag("--description", &error))?;
    let changes_roles = [&args.role, &args.add_role, &args.remove_role].iter().any(|roles| !roles.is_empty());
    if args.name.is_none() && args.description.is_none() && !changes_roles {
        return Err(Failure::new(
            Status::InvalidArgument,
            "there is nothing to change",
            "Use --name, --description, --role, --add-role or --remove-role.",
        ));
    }
    let admin = args.place.open_checked(Some(&args.account), |config, level| {
        check_roles(level, [&args.role, &args.add_role])?;
        let owner = owner_role(level);
        let loses =
            args.remove_role.iter().any(|role| role == owner) || (!args.role.is_empty() && !args.role.iter().any(|role| role == owner));
        args.consent.require_for_own(loses && args.account == config.client_id(), &format!("an account without the role {owner}"))
    })?;
    let accounts = admin.accounts();
    let before = accounts.get(&args.account).map_err(|error| admin.failure(error))?;

    let old: BTreeSet<String> = before.roles.iter().cloned().collect();
    let mut new = if args.role.is_empty() { old.clone() } else { args.role.iter().cloned().collect() };
    new.extend(args.add_role.iter().cloned());
    new.retain(|role| !args.remove_role.contains(role));
    if new.is_empty() {
        return Err(Failure::new(
            Status::InvalidArgument,
            "the account would have no role",
            format!("It has {}. Leave it one, or delete it with `tokenwell sa delete`.", print::roles(&before.roles)),
        ));
    }
    let change = Change {
        name: args.name.clone().filter(|name| *name != before.name),
        description: args.description.clone().filter(|description| *description != before.description),
        roles: (new != old).then(|| new.iter().cloned().collect()),
    };
    if change == Change::default() {
        output::message(&format!("no change: {} already has these attributes", args.account));
        return if args.json { print::json(&before) } else { Ok(()) };
    }
    if change.roles.is_some() {
        let difference =
            |sign: &str, roles: Vec<&String>| roles.iter().map(|role| format!("{sign}{}", printable(role, 80))).collect::<Vec<_>>();
        let all = [difference("+", new.difference(&old).collect()), difference("-", old.difference(&new).collect())].concat();
        output::message(&format!("roles of {}: {}", args.account, all.join(" ")));
    }
    if args.consent.is_dry(&admin, "PATCH", &format!("/{}", args.account))? {
        return Ok(());
    }
    let record = Record {
        client_id: Some(args.account.clone()),
        name: change.name.clone(),
        roles: change.roles.clone().unwrap_or_default(),
        ..admin.record("sa update", "PATCH", &format!("/{}", args.account))
    };
    let after = admin.logged(&record, || accounts.update(&args.account, &change))?;
    if args.json {
        return print::json(&after);
    }
    output::message(&format!("updated {} ({})", after.client_id, printable(&after.name, 64)));
    Ok(())
}

pub(super) fn owner_role(level: &Level) -> &'static str {
    if level.is_project() { "GROUP_OWNER" } else { "ORG_OWNER" }
}

/// Checks roles before any request. One that this version does not know is sent, with a warning.
pub(super) fn check_roles<'a>(level: &Level, roles: impl IntoIterator<Item = &'a Vec<String>>) -> Result<(), Failure> {
    for role in roles.into_iter().flatten() {
        if !check_role(level, role).map_err(|error| in_flag("--role", &error))? {
            output::warning(&format!("this version of tokenwell does not know the role {role}; the server decides"));
        }
    }
    Ok(())
}
