//! `tokenwell logout`: removes a profile and its secret.

use crate::failure::Failure;
use crate::output;
use crate::session::Session;
use crate::settings::{builder, is_variable_of};
use tokenwell::config::profiles::{ConfigFile, KeyringOutcome, remove_profile};
use tokenwell::config::route_variables;

/// Remove a profile, its secret and its cached token
///
/// The token remains valid at the server until it expires. With --revoke, it becomes invalid there
/// immediately, for all programs that use it; if the server does not confirm, nothing is removed.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// Name of the profile
    #[arg(long, value_name = "NAME", default_value = "default")]
    profile: String,

    /// Also revoke the cached token at the server
    #[arg(long)]
    revoke: bool,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell logout
  tokenwell logout --profile staging --revoke";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let file = ConfigFile::for_current_user()?;
    // A profile that is not in this file belongs to another program, and so does its token.
    file.require(&args.profile)?;
    // Before the secret is removed: without it the token cannot be found or revoked.
    let dropped = drop_token(&file, &args);
    if args.revoke && dropped.is_err() {
        return dropped;
    }
    let removed = remove_profile(&file, &args.profile)?;
    let secret = match (&removed.secret_file, &removed.keyring) {
        (Some(path), _) => format!("and its secret in {}", path.display()),
        (None, KeyringOutcome::Deleted) => "and its secret in the keyring".to_owned(),
        (None, KeyringOutcome::Failed(problem)) => format!("but its secret may still be in the keyring: {problem}"),
        (None, KeyringOutcome::NotUsed | KeyringOutcome::NotFound) => "which had no secret stored by tokenwell".to_owned(),
    };
    output::message(&format!("removed profile {} from {}, {secret}", args.profile, removed.path.display()));
    dropped
}

/// Drops the cached token, and revokes it with --revoke. A profile that cannot be used has no
/// token.
fn drop_token(file: &ConfigFile, args: &Args) -> Result<(), Failure> {
    let session = match session(file, &args.profile) {
        Ok(session) => session,
        Err(_) if !args.revoke => return Ok(()),
        Err(failure) => return Err(failure),
    };
    if args.revoke {
        let Some(token) = session.cached_token()? else {
            output::message("no token in the cache; nothing was revoked");
            return Ok(());
        };
        session.revoke(&token, "The profile was kept. Repeat the command, or remove the profile without --revoke.")?;
        output::message(&format!("revoked the cached token of profile {}", args.profile));
    } else if let Some(token) = session.cached_state()?.token {
        session.client.forget(token.value())?;
    }
    Ok(())
}

/// Opens the account of this profile in this file. Accounts in the environment and in files of
/// other programs are ignored.
fn session(file: &ConfigFile, profile: &str) -> Result<Session, Failure> {
    const ACCOUNT_SETTINGS: [&str; 11] = [
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
        name if route_variables().any(|variable| variable == name) => std::env::var_os(name),
        // Without HOME and similar variables, the files of other programs are not found.
        name if is_variable_of(name, |setting| !ACCOUNT_SETTINGS.contains(&setting)) => std::env::var_os(name),
        _ => None,
    });
    builder.set("profile", profile.as_bytes())?;
    Session::open(builder.build()?)
}
