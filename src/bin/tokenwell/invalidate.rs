//! `tokenwell invalidate`: drops the cached token, so that the next call gets a new one.

use crate::failure::Failure;
use crate::output;
use crate::settings::{Settings, token_from_standard_input};

/// Drop the cached token, so that the next command gets a new one
///
/// Use it after the resource server answered with 401. It sends no request: the token remains valid
/// at the server until it expires. To make it invalid there, use `tokenwell revoke`.
///
/// Tokens that are dropped within a minute after they were issued count as rejected. After the second
/// one in a row, no token is requested for a minute, so that a loop does not use up the account's tokens.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// Drop the cached token only if it equals the token on standard input; a newer token is kept
    #[arg(long, conflicts_with = "client_secret_stdin")]
    token_stdin: bool,

    #[command(flatten)]
    settings: Settings,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell invalidate

  In a script after a 401: drop only this token, not a newer one that another
  process has cached
    printf %s \"$token\" | tokenwell invalidate --token-stdin";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let session = args.settings.session()?;
    let cached = session.cached_token()?;
    let is_cached = cached.is_some();
    let dropped = if args.token_stdin {
        let token = token_from_standard_input("Pipe the token: printf %s \"$token\" | tokenwell invalidate --token-stdin")?;
        session.client.invalidate(&token)?
    } else if let Some(token) = &cached {
        session.client.invalidate(token.value())?
    } else {
        false
    };
    if let (true, Some(token)) = (dropped, cached) {
        session.ensure_not_cached(&token)?;
    }
    output::message(match (dropped, args.token_stdin && is_cached) {
        (true, _) => "dropped the token from the cache",
        (false, true) => "the token on standard input is not the cached one; nothing was dropped",
        (false, false) => "no token in the cache; nothing was dropped",
    });
    Ok(())
}
