//! `tokenwell revoke`: revokes the cached token at the server and drops it from the cache, or revokes a
//! token that is in no cache.

use crate::failure::Failure;
use crate::jwt::claims;
use crate::output;
use crate::session::Session;
use crate::settings::{Settings, token_from_standard_input};
use tokenwell::Status;

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

    /// Revoke the token on standard input, whether it is the cached one or not
    #[arg(long, conflicts_with = "client_secret_stdin")]
    token_stdin: bool,

    #[command(flatten)]
    settings: Settings,
}

const EXAMPLES: &str = "\
Examples:
  After a token has leaked
    tokenwell revoke

  After a token has leaked into a log, and is not the cached one any more
    tokenwell revoke --token-stdin < leaked.txt

  If the server has no revocation endpoint
    tokenwell revoke --forget";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let session = args.settings.session()?;
    if args.token_stdin {
        let token = token_from_standard_input("Redirect the token: tokenwell revoke --token-stdin < leaked.txt")?;
        if session.cached_token()?.is_none_or(|cached| cached.value() != token.as_str()) {
            return revoke_other(&session, &token);
        }
    }
    let Some(token) = session.cached_token()? else {
        output::message("no token in the cache; nothing was revoked. To revoke another token, pass it with --token-stdin");
        return Ok(());
    };
    output::message(&format!("revoking the cached token of {}", account(&session)));
    if args.forget {
        session.revoke_or_forget(&token)?;
    } else {
        session.revoke(&token, "Repeat the command, or drop the token from the cache with `tokenwell revoke --forget`.")?;
    }
    output::message("revoked the cached token");
    Ok(())
}

/// Revokes a token that is not in this cache.
fn revoke_other(session: &Session, token: &str) -> Result<(), Failure> {
    output::message(&format!("revoking the token of standard input, which is not the cached one, as {}", account(session)));
    let config = &session.config;
    let client_id = config.client_id();
    // The server would confirm and do nothing.
    if let Some(owner) = claims(token).and_then(|claims| claims.client_id()).filter(|owner| *owner != client_id) {
        return Err(Failure::new(
            Status::InvalidArgument,
            format!("the token on standard input was issued to {owner}, not to {}", config.client_id_to_show()),
            "Use the credential of that account: only the account that a token was issued to can revoke it.",
        ));
    }
    session.client.revoke_value(token).map_err(|error| {
        let hint = format!("{} Assume that the token is valid until it expires.", error.hint());
        Failure::reworded(&error, format!("the token was not revoked: {error}"), hint)
    })?;
    // A server confirms also if it does not know the token (RFC 7009 section 2.2).
    output::message("the server confirmed: if it had issued this token to this account, the token is revoked");
    Ok(())
}

/// The account, for messages: "ID at SERVER (environment variable …)".
fn account(session: &Session) -> String {
    let config = &session.config;
    let source = config.provenance().iter().find(|from| from.setting() == "client_id").map(|from| format!(" ({})", from.source()));
    format!("{} at {}{}", config.client_id_to_show(), config.token_endpoint().origin(), source.unwrap_or_default())
}
