//! `tokenwell invalidate`: drops the cached token, so that the next get brings another.

use crate::failure::Failure;
use crate::output;
use crate::settings::{Settings, line_from_standard_input};

/// Drop the cached token, so that the next one who asks gets another
///
/// For after a 401 at the resource. Nothing is sent: the token lives on at the server until it expires; `tokenwell revoke` ends it there.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// Drop it only if it is still the token that is read from standard input, so that a newer one stays
    #[arg(long, conflicts_with = "client_secret_stdin")]
    token_stdin: bool,

    #[command(flatten)]
    settings: Settings,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell invalidate

  In a script whose call was answered with 401, without a race against others who have replaced the token meanwhile
    printf %s \"$token\" | tokenwell invalidate --token-stdin";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let session = args.settings.session()?;
    let cached = session.cached_token()?;
    let dropped = if args.token_stdin {
        let token = line_from_standard_input("the token", "Pipe it in: printf %s \"$token\" | tokenwell invalidate --token-stdin")?;
        session.client.invalidate(&token)?
    } else if let Some(token) = &cached {
        session.client.invalidate(token.value())?
    } else {
        false
    };
    if let (true, Some(token)) = (dropped, cached) {
        session.refuse_if_others_find(&token)?;
    }
    output::hint(if dropped { "dropped the token from the cache" } else { "there was no such token in the cache" });
    Ok(())
}
