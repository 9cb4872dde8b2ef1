//! `tokenwell sa create`.

use super::access;
use super::changes::{Begun, CREATE, Creation, Record};
use super::lifetime;
use super::place::{AdminSession, Place};
use super::print;
use super::refusal::in_flag;
use super::target::{Delivery, Targets};
use super::update::check_roles;
use crate::failure::{Code, Facts, Failure};
use crate::output;
use crate::wanted::duration;
use std::time::Duration;
use tokenwell::Status;
use tokenwell::admin::service_accounts::{ACCESS_LIST_LIMIT, Network, NewServiceAccount, ServiceAccount, check_description, check_name};
use tokenwell::error::printable;

#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Args {
    /// Name: 1 to 64 letters, digits, spaces and - _ . , '
    name: String,

    /// Role; repeat it for several
    #[arg(long, value_name = "ROLE", required = true)]
    role: Vec<String>,

    /// Description: up to 250 of the same characters
    #[arg(long, hide_short_help = true, default_value = "Created by tokenwell")]
    description: String,

    /// How long the secret is valid: 8h to 365d
    #[arg(long, hide_short_help = true, value_name = "DURATION", value_parser = duration, default_value = "90d")]
    expires: Duration,

    /// Address or network from which the account may use the API; repeat it for several
    #[arg(long, hide_short_help = true, value_name = "ADDRESS")]
    access: Vec<String>,

    #[command(flatten)]
    targets: Targets,

    /// Create nothing if an account has this name
    #[arg(long, hide_short_help = true)]
    if_absent: bool,

    /// Print the requests that would change something, and send only reads
    #[arg(long, hide_short_help = true)]
    dry_run: bool,

    /// Print the account as one JSON object, without its secret
    #[arg(long, hide_short_help = true)]
    json: bool,

    #[command(flatten)]
    place: Place,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell sa create deploy --role ORG_READ_ONLY --to profile:deploy

  In a project, with its secret in a file that only this user can read
    project=$MONGODB_ATLAS_PROJECT_ID
    tokenwell sa create ci --project $project --role GROUP_OWNER --to file:ci.secret

  In a secret store with a command of its own
    tokenwell sa create ci --role ORG_MEMBER \\
      --to 'stdin-of:vault kv put secret/ci atlas=-'

  For the Atlas operator
    tokenwell sa create operator --role ORG_OWNER --to k8s-secret:atlas-operator |
      kubectl apply --server-side -f -

  What would be done
    tokenwell sa create deploy --role ORG_MEMBER --show-secret --dry-run

--server-side matters: kubectl apply without it keeps the secret in an annotation.";

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    check_name(&args.name).map_err(|error| in_flag("NAME", &error))?;
    check_description(&args.description).map_err(|error| in_flag("--description", &error))?;
    let hours = lifetime::hours(args.expires)?;
    let networks = access::networks(&args.access)?;
    if networks.len() > ACCESS_LIST_LIMIT {
        let problem = format!("--access: {} entries are more than the {ACCESS_LIST_LIMIT} that Atlas allows", networks.len());
        return Err(Failure::new(Status::InvalidArgument, problem, "Use networks instead of their addresses."));
    }
    let wanted = args.targets.parse(args.json)?;
    let admin = args.place.open_to_create(&args.name, &args.description, |_, level| check_roles(level, [&args.role]))?;
    if args.if_absent
        && let Some(existing) = existing(&admin, &args.name)?
    {
        output::message(&format!("no change: {} has the name {}", existing.client_id, printable(&args.name, 64)));
        return print_account(&existing, args.json);
    }
    let delivery = Delivery::prepare(&admin, wanted, None)?;
    if args.dry_run {
        lifetime::require_allowed(&admin, hours)?;
        let path = admin.accounts_path();
        let second = if networks.is_empty() { String::new() } else { format!("\nPOST {path}/CLIENT_ID/accessList") };
        return output::line(&format!("POST {path}{second}"));
    }
    let new = NewServiceAccount {
        name: args.name.clone(),
        description: args.description.clone(),
        roles: args.role.clone(),
        secret_expires_after_hours: hours,
    };
    let record = Record {
        name: Some(args.name.clone()),
        roles: args.role.clone(),
        addresses: networks.iter().map(ToString::to_string).collect(),
        ..admin.record(CREATE, "POST", "")
    };
    let begun = Begun { description: args.description.clone(), ..Begun::new(record, delivery.targets(), admin.session.config.timeout()) };
    let mut creation = None;
    let result = admin.accounts().create_recorded(&new, |ids, date_ms| Creation::begin(&mut creation, &admin.log, begun, ids, date_ms));
    let (created, mut creation) = Creation::of(result, creation).map_err(|error| lifetime::failure(&admin, hours, error))?;
    let id = created.account.client_id.clone();
    creation.created(&id, &created.secret.description.id);
    let until = print::time(created.secret.description.expires_at.as_deref(), "an unknown time");
    if created.recovered {
        output::message("the reply was lost; the account was found, and its first secret was replaced");
    }
    output::message(&format!("created {id} ({}), whose secret is valid until {until}", printable(&args.name, 64)));
    let uses_standard_output = delivery.uses_standard_output();
    creation.finish(|creation| {
        // Before any other request: what happens to that one must not cost the secret.
        let delivered = delivery.deliver(&admin, &id, &created.secret);
        if delivered.is_ok() {
            creation.stored();
        }
        if !networks.is_empty()
            && let Err(failure) = add_access(&admin, &id, &networks)
        {
            if delivered.is_ok() {
                return Err(failure);
            }
            output::warning(failure.message().unwrap_or_default().trim_start_matches("tokenwell: "));
        }
        delivered
    })?;
    if uses_standard_output { Ok(()) } else { print_account(&created.account, args.json) }
}

/// The only account with this name. Names are not unique.
fn existing(admin: &AdminSession, name: &str) -> Result<Option<ServiceAccount>, Failure> {
    let all = admin.accounts().list().collect::<Result<Vec<_>, _>>().map_err(|error| admin.failure(error))?;
    let mut named: Vec<_> = all.into_iter().filter(|account| account.name == name).collect();
    if named.len() > 1 {
        let ids: Vec<_> = named.iter().map(|account| account.client_id.as_str()).collect();
        let problem = format!("--if-absent: {} accounts have the name {}: {}", ids.len(), printable(name, 64), ids.join(", "));
        return Err(Failure::new(Status::Refused, problem, "Names are not unique in Atlas. Rename or delete the ones that are not used."));
    }
    Ok(named.pop())
}

/// Adds the entries. The account exists, so an error says what is left to do.
fn add_access(admin: &AdminSession, id: &str, networks: &[Network]) -> Result<(), Failure> {
    let all = networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let Err(error) = access::add_logged(admin, id, networks) else {
        output::message(&format!("added {all} to its access list"));
        return Ok(());
    };
    let level = admin.level_flag();
    Err(Failure::Own {
        code: Code::Exit(tokenwell::error::ExitCode::HalfDone),
        problem: format!("{id} was created, but its access list is empty, which allows every address: {error}"),
        hint: format!("Complete it with `tokenwell sa access add {level} {id} {all}`, or undo it with `tokenwell sa delete {level} {id}`."),
        facts: Facts::default(),
    })
}

fn print_account(account: &ServiceAccount, json: bool) -> Result<(), Failure> {
    if json {
        return print::json(account);
    }
    if output::is_quiet() {
        return print::ids([account.client_id.as_str()].into_iter());
    }
    Ok(())
}
