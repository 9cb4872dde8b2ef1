//! `tokenwell sa list`.

use super::place::Place;
use super::print;
use crate::failure::Failure;
use crate::output;
use crate::wanted::duration;
use std::time::Duration;
use tokenwell::admin::service_accounts::ServiceAccount;
use tokenwell::error::{ExitCode, duration_text, printable};

#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Args {
    /// List only the accounts whose last secret ends within this time, or has ended, and those without a
    /// secret; exit code 12 if there is one
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    expiring_within: Option<Duration>,

    /// Print one JSON array of the accounts, as the API describes them
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    place: Place,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell sa list
  tokenwell sa list --project $MONGODB_ATLAS_PROJECT_ID --json | jq length

  Only the client ids
    tokenwell sa list -q

  For a monitor: exit code 12 if an account needs a new secret
    tokenwell sa list --expiring-within 30d";

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let admin = args.place.open(None)?;
    let now_ms = print::now_ms();
    let all = admin.accounts().list().collect::<Result<Vec<_>, _>>().map_err(|error| admin.failure(error))?;
    all.iter().for_each(|account| admin.remember_end(account));
    let (total, listed) = (all.len(), filtered(all, args.expiring_within, now_ms));
    if args.json {
        print::json(&listed)?;
    } else if output::is_quiet() {
        print::ids(listed.iter().map(|account| account.client_id.as_str()))?;
    } else if listed.is_empty() {
        output::message(&match args.expiring_within {
            Some(within) => format!("no secret of the {total} service accounts here ends within {}", duration_text(within)),
            None => format!("there are no service accounts in {}", admin.accounts().level()),
        });
    } else {
        let rows = listed.iter().map(|account| {
            let name = printable(&account.name, 64);
            vec![
                account.client_id.as_str().into(),
                name.into(),
                print::end_of_account(account, now_ms),
                print::roles(&account.roles).into(),
            ]
        });
        print::table(&["CLIENT ID", "NAME", "SECRET ENDS", "ROLES"], rows.collect())?;
    }
    match args.expiring_within {
        Some(_) if !listed.is_empty() => Err(Failure::Reported { exit_code: ExitCode::Findings }),
        _ => Ok(()),
    }
}

/// The accounts whose last secret ends within the time. An end that cannot be read is listed too: it is not
/// known to be later.
fn filtered(all: Vec<ServiceAccount>, within: Option<Duration>, now_ms: u64) -> Vec<ServiceAccount> {
    let Some(within) = within else { return all };
    let until_ms = now_ms.saturating_add(u64::try_from(within.as_millis()).unwrap_or(u64::MAX));
    all.into_iter().filter(|account| print::end_ms(account).is_none_or(|end| end <= until_ms)).collect()
}
