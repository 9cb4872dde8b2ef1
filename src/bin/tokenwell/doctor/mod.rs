//! `tokenwell doctor`: checks each step from the configuration to the Admin API and reports how to
//! fix the step that fails.
//!
//! May depend on: the public API and the command's own settings, form and output. Start reading at
//! [`run`]; `links` has the checks, `builds` finds the builds of tokenwell, `host` describes the machine, `secret` asks when the secret
//! ends, `report` has the results,
//! `redaction` makes them fit for a bug report.

mod builds;
mod host;
mod links;
mod redaction;
mod report;
mod secret;

use crate::failure::Failure;
use crate::output;
use crate::settings::Settings;
use tokenwell::error::ExitCode;

/// Check each step up to an API call, and say how to fix failures
///
/// The steps are the settings, the cache, the connection, the token, a call of the Admin API, and when
/// the secret ends.
/// It sends a token request only if the cache has no valid token, so it can be run often. The exit
/// code is that of the first failure, as listed in `tokenwell --help`.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,

    /// Print a report for a bug tracker: without secrets and tokens, with shortened ids
    #[arg(long, conflicts_with = "json")]
    report: bool,

    /// Request a new token instead of using the cached one
    #[arg(long)]
    mint: bool,

    /// Profile whose account reads when the secret ends, if the account in use may not
    #[arg(long = "as", hide_short_help = true, value_name = "PROFILE")]
    as_profile: Option<String>,

    #[command(flatten)]
    settings: Settings,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell doctor
  tokenwell doctor --json | jq '.checks[] | select(.level != \"ok\")'
  tokenwell doctor --report > report.txt
  tokenwell doctor --as staging

Levels:
  ok    nothing to do
  warn  works, but should be fixed; below the table is how
  fail  does not work; below the table is what to do
  skip  not checked: an earlier check failed, or it does not apply";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let (report, client_id) = links::check_all(&args.settings, args.mint, args.as_profile.as_deref());
    output::line(&if args.json {
        report.as_json()
    } else if args.report {
        report.as_bug_report(client_id.as_deref())
    } else {
        report.as_text()
    })?;
    match report.exit_code() {
        ExitCode::Success => Ok(()),
        exit_code => Err(Failure::Reported { exit_code }),
    }
}
