//! `tokenwell logout`: takes a profile and its secret away.

use crate::failure::Failure;
use crate::output;
use crate::session::Session;
use crate::settings::{builder, is_variable_of};
use tokenwell::config::profiles::{ConfigFile, KeyringOutcome, remove_profile};

/// Take a profile away, with its secret and its cached token
///
/// The token itself lives on at the server until it expires; --revoke ends it there too, for everybody who has it.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// The profile's name
    #[arg(long, value_name = "NAME", default_value = "default")]
    profile: String,

    /// End the cached token at the server as well
    #[arg(long)]
    revoke: bool,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell logout
  tokenwell logout --profile staging --revoke";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let file = ConfigFile::for_current_user()?;
    // A profile that is not in this file is not tokenwell's, and neither is its token.
    file.require(&args.profile)?;
    // Before the secret is gone, without which nobody finds the token.
    let token = let_go_of_the_token(&file, &args);
    let removed = remove_profile(&file, &args.profile)?;
    let secret = match (&removed.secret_file, &removed.keyring) {
        (Some(path), _) => format!("and its secret in {}", path.display()),
        (None, KeyringOutcome::Deleted) => "and its secret in the keyring".to_owned(),
        (None, KeyringOutcome::Failed(problem)) => format!("but its secret may still be in the keyring: {problem}"),
        (None, KeyringOutcome::NotUsed | KeyringOutcome::NotFound) => "which had no secret that tokenwell keeps".to_owned(),
    };
    output::hint(&format!("removed profile {} from {}, {secret}", args.profile, removed.path.display()));
    token
}

/// Drops the cached token, and ends it at the server where that is wanted. A profile that cannot be used has none.
fn let_go_of_the_token(file: &ConfigFile, args: &Args) -> Result<(), Failure> {
    let session = match session(file, &args.profile) {
        Ok(session) => session,
        Err(_) if !args.revoke => return Ok(()),
        Err(failure) => return Err(failure),
    };
    let Some(token) = session.at_hand()?.token else { return Ok(()) };
    if args.revoke {
        session.client.revoke(None)?;
        output::hint("revoked its cached token");
    } else {
        session.client.invalidate(token.value())?;
    }
    Ok(())
}

/// The account of the profile in this file and no other, whatever the environment and other programs' files say of accounts.
fn session(file: &ConfigFile, profile: &str) -> Result<Session, Failure> {
    const OF_AN_ACCOUNT: [&str; 11] = [
        "client_id",
        "client_secret",
        "client_secret_file",
        "base_url",
        "token_url",
        "revocation_url",
        "auth_method",
        "scope",
        "audience",
        "resource",
        "profile",
    ];
    let path = file.path().as_os_str().to_owned();
    let mut builder = builder().environment(move |name| match name {
        "TOKENWELL_CONFIG_FILE" => Some(path.clone()),
        // No folder is known in which another program's file might be.
        name if is_variable_of(name, |setting| !OF_AN_ACCOUNT.contains(&setting)) => std::env::var_os(name),
        _ => None,
    });
    builder.set("profile", profile.as_bytes())?;
    Session::open(builder.build()?)
}
