//! `tokenwell revoke`: ends the cached token, at the server and here.

use crate::failure::Failure;
use crate::output;
use crate::settings::Settings;

/// End the cached token at the server, and drop it from the cache
///
/// Everybody who shares the cache shares the token: it ends for all of them, and the next one who asks gets another. Where the server cannot be
/// asked, the token is dropped from the cache all the same but must be taken for alive until it expires. Without a cached token nothing is sent.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    settings: Settings,
}

const EXAMPLES: &str = "\
Examples:
  A token has leaked into a log
    tokenwell revoke";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let session = args.settings.session()?;
    let Some(token) = session.cached_token()? else {
        output::hint("there is no token in the cache, so none was revoked");
        return Ok(());
    };
    session.client.revoke(None)?;
    session.refuse_if_others_find(&token)?;
    output::hint("revoked the cached token");
    Ok(())
}
