//! `tokenwell login`: verifies an account and stores it as a profile.

use crate::failure::Failure;
use crate::output;
use crate::prompt;
use crate::session::Session;
use crate::settings::{Account, builder, is_variable_of, line_from_standard_input};
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use tokenwell::config::profiles::{ConfigFile, Profile, SecretLocation, store_profile};
use tokenwell::config::{ClientAuthentication, settings};
use tokenwell::error::printable;
use tokenwell::secret::Secret;
use tokenwell::{Config, Status, TokenOptions, atlas};
use zeroize::Zeroizing;

/// Store the client id and secret of a service account as a profile
///
/// Prompts for the secret on the terminal without echo, or reads it from standard input. Verifies
/// the credential with a token request before it is stored. The secret is stored in a separate file
/// that only this user can read, or in the system keyring.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// Name of the profile: letters, digits, dots, - and _
    #[arg(long, value_name = "NAME", default_value = "default")]
    profile: String,

    /// Read the client secret from standard input
    #[arg(long)]
    client_secret_stdin: bool,

    /// Store the secret in the system keyring instead of a file
    #[arg(long)]
    keyring: bool,

    /// Store the credential without verifying it
    #[arg(long)]
    no_verify: bool,

    /// Client id of the service account; without it, tokenwell prompts for it
    #[arg(long, value_name = "ID", help_heading = "Account")]
    client_id: Option<String>,

    #[command(flatten)]
    account: Account,
}

const EXAMPLES: &str = "\
Examples:
  Prompt for the client id and the secret
    tokenwell login

  In a script, without a prompt
    id=mdb_sa_id_…
    tokenwell login --client-id $id --client-secret-stdin < secret.txt

  Replace the secret of an account; running programs use it for their next token
  request
    tokenwell login --profile staging --client-id mdb_sa_id_…";

const EMPTY_STDIN_HINT: &str = "Redirect the secret: tokenwell login --client-id ID --client-secret-stdin < secret.txt. Without --client-secret-stdin, \
                                tokenwell prompts for it on the terminal.";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let file = ConfigFile::for_current_user()?;
    let client_id = match &args.client_id {
        Some(id) => id.clone(),
        None => prompt_for_id()?,
    };
    let secret =
        if args.client_secret_stdin { line_from_standard_input("the client secret", EMPTY_STDIN_HINT)? } else { prompt_for_secret()? };
    let config = configuration(&args.account, &client_id, &secret)?;
    let profile = profile(&config);
    let server = config.token_endpoint().origin();
    if !args.no_verify {
        let session = Session::open(config)?;
        // A cached token only proves that the credential was valid in the past.
        session.any_token(&TokenOptions::default().force_refresh(true))?;
    }

    let place = if args.keyring { SecretLocation::Keyring } else { SecretLocation::File };
    let stored = store_profile(&file, &args.profile, &profile, &Secret::from(secret.as_str()), place)?;
    let done = if stored.replaced { "replaced" } else { "added" };
    let verified = if args.no_verify { "not verified" } else { "verified with a token request" };
    let kept = stored.secret_file.as_ref().map_or("in the keyring".to_owned(), |path| format!("in {}", path.display()));
    let path = stored.path.display();
    output::message(&format!("{done} profile {} for {server} in {path} ({verified}); the secret is stored {kept}", args.profile));
    warn_about_variables(&args.profile);
    Ok(())
}

fn prompt_for_id() -> Result<String, Failure> {
    let cannot = |problem: String| {
        Failure::new(
            Status::NotConfigured,
            problem,
            "Pass the client id: tokenwell login --client-id ID --client-secret-stdin < secret.txt. A prompt requires a terminal.",
        )
    };
    if !io::stdin().is_terminal() {
        return Err(cannot("--client-id is missing, and standard input is not a terminal".to_owned()));
    }
    let mut line = String::new();
    // If the prompt cannot be written, the read fails too.
    let _ = write!(io::stderr(), "Client id: ").and_then(|()| io::stderr().flush());
    io::stdin().lock().read_line(&mut line).map_err(|error| cannot(format!("cannot read the client id: {error}")))?;
    let id = line.trim();
    if id.is_empty() { Err(cannot("the client id is empty".to_owned())) } else { Ok(id.to_owned()) }
}

fn prompt_for_secret() -> Result<Zeroizing<String>, Failure> {
    let cannot = |problem: String| {
        Failure::new(
            Status::NotConfigured,
            problem,
            "Redirect the secret: tokenwell login --client-id ID --client-secret-stdin < secret.txt. A prompt requires a terminal.",
        )
    };
    if !prompt::is_available() {
        return Err(cannot("no client secret, and no terminal for a prompt".to_owned()));
    }
    let secret = prompt::hidden("Client secret (not shown): ");
    let secret = secret.map_err(|error| cannot(format!("cannot read the client secret from the terminal: {error}")))?;
    if secret.is_empty() { Err(cannot("the client secret is empty".to_owned())) } else { Ok(secret) }
}

/// The configuration to verify: the account from the flags, and the server and network settings
/// from the environment. The profile file is not read: it may not exist yet, and its settings
/// belong to other accounts.
fn configuration(account: &Account, client_id: &str, secret: &str) -> Result<Config, Failure> {
    let is_read = |variable: &str| is_variable_of(variable, |setting| setting != "profile");
    let mut builder = builder().environment(move |name| if is_read(name) { std::env::var_os(name) } else { None });
    builder.set("client_id", client_id.as_bytes())?;
    builder.set("client_secret", secret.as_bytes())?;
    account.apply(&mut builder)?;
    Ok(builder.build()?)
}

/// The verified account as a profile, without default values.
fn profile(config: &Config) -> Profile {
    let owned = |value: &str| value.to_owned();
    let base = config.api_base().map(|base| base.origin());
    let default_method = if base.is_some() { ClientAuthentication::BasicRaw } else { ClientAuthentication::Basic };
    Profile {
        client_id: config.client_id().to_owned(),
        token_url: base.is_none().then(|| owned(config.token_endpoint().as_str())),
        revocation_url: config.revocation_endpoint().filter(|_| base.is_none()).map(|endpoint| owned(endpoint.as_str())),
        base_url: base.filter(|base| base != atlas::CLOUD),
        auth_method: (config.authentication() != default_method).then(|| owned(config.authentication().name())),
        scope: config.scope().map(owned),
        audience: config.audience().map(owned),
        resource: config.resource().map(owned),
    }
}

/// Warns about environment variables that override the profile, because users forget them.
fn warn_about_variables(profile: &str) {
    let account = settings().filter(|setting| matches!(setting.name(), "client_id" | "client_secret" | "client_secret_file"));
    let set: Vec<_> =
        account.flat_map(|setting| setting.variables()).filter(|name| std::env::var_os(name).is_some_and(|v| !v.is_empty())).collect();
    let (verbs, it) = if set.len() == 1 { ("is set and overrides", "it") } else { ("are set and override", "them") };
    if !set.is_empty() {
        let set = join_with_and(&set);
        output::message(&format!("{set} {verbs} profile {}; unset {it} to use the profile", printable(profile, 64)));
    }
}

/// "A", "A and B", "A, B and C".
fn join_with_and(names: &[&str]) -> String {
    match names {
        [all @ .., last] if !all.is_empty() => format!("{} and {last}", all.join(", ")),
        names => names.join(""),
    }
}

#[cfg(test)]
mod tests {
    use super::join_with_and;

    #[test]
    fn names_are_joined_with_commas_and_a_final_and() {
        assert_eq!(join_with_and(&["A"]), "A");
        assert_eq!(join_with_and(&["A", "B"]), "A and B");
        assert_eq!(join_with_and(&["A", "B", "C"]), "A, B and C");
    }
}
