//! `tokenwell header`: prints the token as a header line.

use crate::failure::Failure;
use crate::form::Form;
use crate::output;
use crate::settings::Settings;
use crate::wanted::TokenFlags;

/// Print the Authorization header line with a valid access token
///
/// The same as `tokenwell token --format header`.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    token_flags: TokenFlags,

    #[command(flatten)]
    settings: Settings,
}

const EXAMPLES: &str = "\
Examples:
  curl reads the header from standard input: the token is not in a command line
    url=https://cloud.mongodb.com/api/atlas/v2/orgs
    accept='Accept: application/vnd.atlas.2024-08-05+json'
    tokenwell header | curl --header @- --header \"$accept\" $url";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let session = args.settings.session_until_deadline()?;
    let token = args.token_flags.token(&session, &args.settings)?;
    output::secret_line(Form::Header.of(&token))
}
