//! `tokenwell header`: the token as a header line.

use crate::failure::Failure;
use crate::form::Form;
use crate::output;
use crate::settings::Settings;
use crate::wanted::Wanted;

/// Print the header line of a live access token
///
/// Short for `tokenwell token --format header`.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    wanted: Wanted,

    #[command(flatten)]
    settings: Settings,
}

const EXAMPLES: &str = "\
Examples:
  curl reads headers from standard input, so the token is in no command line
    tokenwell header | curl --header @- https://cloud.mongodb.com/api/atlas/v2/orgs";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let token = args.settings.session()?.token(&args.wanted.options())?;
    output::line(&Form::Header.of(&token))
}
