//! `tokenwell revoke`: revokes the cached token at the server and drops it from the cache.

use crate::failure::Failure;
use crate::output;
use crate::settings::Settings;

/// Revoke the cached token at the server and drop it from the cache
///
/// The token becomes invalid for all processes that share the cache; the next command gets a new
/// token. If the server does not confirm, the command fails and the token stays in the cache, so
/// that the command can be repeated. Without a cached token, no request is sent.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// Drop the token from the cache even if the server does not confirm. The exit code still shows
    /// that it was not revoked: assume that it is valid until it expires
    #[arg(long)]
    forget: bool,

    #[command(flatten)]
    settings: Settings,
}

const EXAMPLES: &str = "\
Examples:
  After a token has leaked into a log
    tokenwell revoke

  If the server has no revocation endpoint
    tokenwell revoke --forget";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let session = args.settings.session()?;
    let Some(token) = session.cached_token()? else {
        output::message("no token in the cache; nothing was revoked");
        return Ok(());
    };
    if args.forget {
        session.revoke_or_forget(&token)?;
    } else {
        session.revoke(&token, "Repeat the command, or drop the token from the cache with `tokenwell revoke --forget`.")?;
    }
    output::message("revoked the cached token");
    Ok(())
}
