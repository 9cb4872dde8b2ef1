//! `tokenwell token`: prints a valid token.

use crate::failure::Failure;
use crate::form::Form;
use crate::output;
use crate::settings::Settings;
use crate::wanted::TokenFlags;
use tokenwell::Token;
use tokenwell::error::printable;

/// Print a valid access token
///
/// Prints only the token to standard output. The token comes from the cache that all processes of
/// this user share. If the cache has no valid token, tokenwell sends a token request.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// Output format
    #[arg(long, value_enum, default_value_t = Form::Raw)]
    format: Form,

    /// Print one JSON object, like --format json
    #[arg(long, hide_short_help = true, conflicts_with = "format")]
    json: bool,

    #[command(flatten)]
    token_flags: TokenFlags,

    #[command(flatten)]
    settings: Settings,
}

const EXAMPLES: &str = "\
Examples:
  Call the Admin API; the token is not in a command line
    url=https://cloud.mongodb.com/api/atlas/v2/orgs
    accept='Accept: application/vnd.atlas.2024-08-05+json'
    tokenwell token --format curl | curl --config - --header \"$accept\" $url

  Start a job only with a token that is valid for another 30 minutes
    tokenwell exec --min-ttl 30m -- ./job

  In a script. Use a separate line: `VARIABLE=$(tokenwell token) ./job` discards
  the exit code, and the job runs without a token
    token=$(tokenwell token) || exit";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let session = args.settings.session_until_deadline()?;
    let token = args.token_flags.token(&session, &args.settings)?;
    output::secret_line(if args.json { Form::Json } else { args.format }.of(&token))?;
    note_differences(session.config.scope(), &token);
    Ok(())
}

/// Says what the server granted differently, which a token does not show.
fn note_differences(requested: Option<&str>, token: &Token) {
    if let (Some(requested), Some(granted)) = (requested, token.scope()) {
        let has = |scope: &str| granted.split(' ').any(|granted| granted == scope);
        let missing: Vec<_> = requested.split(' ').filter(|scope| !has(scope)).map(|scope| printable(scope, 200)).collect();
        if !missing.is_empty() {
            output::message(&format!("the server did not grant all of the requested scope: {} is missing", missing.join(" ")));
        }
    }
    if !token.is_lifetime_stated() {
        output::message("the server did not state when the token expires; tokenwell requests another one after 5 min");
    }
}
