//! `tokenwell doctor`: every link between this machine and the Admin API, one after the other, and what to do about the one that is broken.
//!
//! May depend on: the public API and the command's own settings, form and output. Start reading at [`run`]; `links` are the steps, `report` is what they found.

mod links;
mod report;

use crate::failure::Failure;
use crate::output;
use crate::settings::Settings;

/// Check every link of the way to a token and to the Admin API, and say what to do
///
/// A token is asked for only where the cache has none, so that running this often costs nothing. The exit code is that of the first failure, as any
/// other command would end with it.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,

    /// Ask for another token, even if there is a live one in the cache
    #[arg(long)]
    mint: bool,

    #[command(flatten)]
    settings: Settings,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell doctor
  tokenwell doctor --mint --json | jq '.checks[] | select(.level != \"ok\")'

Levels:
  ok    nothing to do
  warn  works, but look at it
  fail  does not work; the line below says what to do
  skip  could not be tried, because something before it failed or it does not apply";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let report = links::walk(&args.settings, args.mint);
    output::line(&if args.json { report.as_json() } else { report.as_text() })?;
    match report.exit_code() {
        0 => Ok(()),
        exit_code => Err(Failure::Answered { exit_code }),
    }
}
