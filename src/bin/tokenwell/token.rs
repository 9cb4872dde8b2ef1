//! `tokenwell token`: one live token on standard output.

use crate::failure::Failure;
use crate::form::Form;
use crate::output;
use crate::settings::Settings;
use crate::wanted::Wanted;

/// Print a live access token
///
/// Nothing but the token goes to standard output. It comes from the cache that all processes of this user share, and from the server when that has
/// none.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// What to print
    #[arg(long, value_enum, default_value_t = Form::Raw)]
    format: Form,

    #[command(flatten)]
    wanted: Wanted,

    #[command(flatten)]
    settings: Settings,
}

const EXAMPLES: &str = "\
Examples:
  One call of the Admin API, with the token in no command line
    tokenwell token --format curl | curl --config - https://cloud.mongodb.com/api/atlas/v2/orgs

  A token that will do for a job of half an hour; without one the job does not start
    tokenwell exec --min-ttl 30m -- ./job

  In a script. As a line of its own: in `VARIABLE=$(tokenwell token) ./job` nobody sees the exit code, and the job runs without a token
    token=$(tokenwell token) || exit";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let token = args.settings.session()?.token(&args.wanted.options())?;
    output::line(&args.format.of(&token))
}
