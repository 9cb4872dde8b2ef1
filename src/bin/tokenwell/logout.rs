//! `tokenwell logout`: removes a profile and its secret.

use crate::failure::Failure;
use crate::output;
use crate::session::Session;
use crate::settings::{ACCOUNT_SETTINGS, builder, is_variable_of};
use tokenwell::config::profiles::{ConfigFile, KeyringOutcome, ProfileProgram, SelectedProfile, list_profiles, remove_profile};
use tokenwell::config::route_variables;

/// Remove a profile, its secret and its cached token
///
/// The token remains valid at the server until it expires. With --revoke, it becomes invalid there
/// immediately, for all programs that use it; if the server does not confirm, nothing is removed except
/// with --force.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// Name of the profile [default: default] [env: TOKENWELL_PROFILE, MONGODB_ATLAS_PROFILE,
    /// MCLI_PROFILE]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,

    /// Also revoke the cached token at the server
    #[arg(long)]
    revoke: bool,

    /// Remove the profile even if the token cannot be revoked. The exit code still shows that it was not
    /// revoked: assume that it is valid until it expires
    #[arg(long, requires = "revoke")]
    force: bool,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell logout
  tokenwell logout --profile staging --revoke

  If the token cannot be revoked
    tokenwell logout --profile staging --revoke --force";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let selected = SelectedProfile::find(args.profile.as_deref(), "--profile")?;
    remove(&selected, args.revoke, args.force)
}

/// Removes the profile, its secret and its cached token; with `revoke` the token is revoked first. If
/// that fails, nothing is removed except with `force`.
pub(crate) fn remove(selected: &SelectedProfile, revoke: bool, force: bool) -> Result<(), Failure> {
    let file = ConfigFile::for_current_user()?;
    // A profile that is not in this file belongs to another program, and so does its token.
    file.require(&selected.name)?;
    output::message(&format!("removing {selected}{}", account(&file, &selected.name)));
    let was_used = used_by_default() == selected.name;
    // Before the secret is removed: without it the token cannot be found or revoked.
    let dropped = drop_token(&file, &selected.name, revoke, force);
    if revoke && !force && dropped.is_err() {
        return dropped;
    }
    let removed = remove_profile(&file, &selected.name)?;
    let secret = match (&removed.secret_file, &removed.keyring) {
        (Some(path), _) => format!("and its secret in {}", path.display()),
        (None, KeyringOutcome::Deleted) => "and its secret in the keyring".to_owned(),
        (None, KeyringOutcome::Failed(problem)) => format!("but its secret may still be in the keyring: {problem}"),
        (None, KeyringOutcome::NotUsed | KeyringOutcome::NotFound) => "which had no secret stored by tokenwell".to_owned(),
    };
    output::message(&format!("removed profile {} from {}, {secret}", selected.name, removed.path.display()));
    if was_used {
        output::message(&format!("it was the default profile; {}", what_is_used_now()));
    }
    dropped
}

/// The name of the profile that a command without a flag and a variable uses; empty if a variable
/// selects one. A configuration file that cannot be read is an error of the removal.
fn used_by_default() -> String {
    let is_default = |selected: &SelectedProfile| selected.named_by.as_ref().is_none_or(|by| by.starts_with("default_profile"));
    SelectedProfile::find(None, "").ok().filter(is_default).map(|selected| selected.name).unwrap_or_default()
}

/// What a command without a flag uses after the removal.
fn what_is_used_now() -> String {
    const SELECT: &str = "`tokenwell profile use NAME` selects another one";
    let name = used_by_default();
    let profiles = list_profiles();
    match profiles.find(&name) {
        Some(entry) => {
            let program = if entry.program == ProfileProgram::AtlasCli { " of the Atlas CLI" } else { "" };
            let client_id = entry.setting("client_id").unwrap_or("no client id");
            format!("commands that select none now use profile {name}{program} ({client_id} at {}); {SELECT}", entry.server())
        }
        None if profiles.profiles.is_empty() => "there is no other profile".to_owned(),
        None => {
            let names: Vec<_> = profiles.profiles.iter().map(|entry| entry.name.as_str()).collect();
            format!("commands that select none now use no profile; {SELECT} ({})", names.join(", "))
        }
    }
}

/// ": ID at SERVER", for the message before the removal.
fn account(file: &ConfigFile, name: &str) -> String {
    let profiles = list_profiles().profiles;
    let found = profiles.iter().find(|entry| entry.program == ProfileProgram::Tokenwell && entry.name == name && entry.file == file.path());
    match found.and_then(|entry| Some((entry, entry.setting("client_id")?))) {
        Some((entry, client_id)) => format!(": {client_id} at {}", entry.server()),
        None => ", which has no account".to_owned(),
    }
}

/// Drops the cached token, and revokes it with --revoke. A profile that cannot be used has no
/// token.
fn drop_token(file: &ConfigFile, profile: &str, revoke: bool, force: bool) -> Result<(), Failure> {
    let session = match session(file, profile) {
        Ok(session) => session,
        Err(_) if !revoke => return Ok(()),
        Err(failure) => return Err(failure),
    };
    if revoke {
        let Some(token) = session.cached_token()? else {
            output::message("no token in the cache; nothing was revoked");
            return Ok(());
        };
        if force {
            session.revoke_or_forget(&token)?;
        } else {
            session.revoke(&token, "The profile was kept. Repeat the command, or remove the profile all the same with --force.")?;
        }
        output::message(&format!("revoked the cached token of profile {profile}"));
    } else if let Some(token) = session.cached_state()?.token {
        session.client.forget(token.value())?;
    }
    Ok(())
}

/// Opens the account of this profile in this file. Accounts in the environment and in files of
/// other programs are ignored.
fn session(file: &ConfigFile, profile: &str) -> Result<Session, Failure> {
    let path = file.path().as_os_str().to_owned();
    let mut builder = builder().environment(move |name| match name {
        "TOKENWELL_CONFIG_FILE" => Some(path.clone()),
        "TOKENWELL_EMULATOR" => std::env::var_os(name),
        name if route_variables().any(|variable| variable == name) => std::env::var_os(name),
        // Without HOME and similar variables, the files of other programs are not found.
        name if is_variable_of(name, |setting| !ACCOUNT_SETTINGS.contains(&setting)) => std::env::var_os(name),
        _ => None,
    });
    builder.set("profile", profile.as_bytes())?;
    Session::open(builder.build()?)
}
