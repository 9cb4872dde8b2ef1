//! `tokenwell revoke`: revokes the cached token at the server and drops it from the cache.

use crate::failure::Failure;
use crate::output;
use crate::settings::Settings;

/// Revoke the cached token at the server and drop it from the cache
///
/// The token becomes invalid for all processes that share the cache; the next command gets a new
/// token. If the request fails, the token is still dropped from the cache, but assume that it is
/// valid until it expires. Without a cached token, no request is sent.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    settings: Settings,
}

const EXAMPLES: &str = "\
Examples:
  After a token has leaked into a log
    tokenwell revoke";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let session = args.settings.session()?;
    let Some(token) = session.cached_token()? else {
        output::message("no token in the cache; nothing was revoked");
        return Ok(());
    };
    session.revoke(&token)?;
    session.ensure_not_cached(&token)?;
    output::message("revoked the cached token");
    Ok(())
}
