//! `tokenwell login`: keeps an account as a profile, after it has proven itself.

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

/// Keep a service account's id and secret as a profile
///
/// The secret is asked for on the terminal, where it is not shown, or read from standard input. A token is asked for first: a pair that the server
/// rejects is not kept. The secret goes to a file of its own that only you may read, or to the keyring.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// The profile's name: letters, digits, dots, - and _
    #[arg(long, value_name = "NAME", default_value = "default")]
    profile: String,

    /// Read the client secret from standard input
    #[arg(long)]
    client_secret_stdin: bool,

    /// Keep the secret in the keyring of the system, and not in a file
    #[arg(long)]
    keyring: bool,

    /// Keep the pair without asking for a token first
    #[arg(long)]
    no_verify: bool,

    #[command(flatten)]
    account: Account,
}

const EXAMPLES: &str = "\
Examples:
  Asks for the id and the secret
    tokenwell login

  In a script; nothing is asked
    tokenwell login --profile staging --client-id mdb_sa_id_… --client-secret-stdin < secret.txt
    tokenwell token --profile staging

  A new secret for the same account: programs that run see it at their next token request
    tokenwell login --profile staging --client-id mdb_sa_id_…";

const PIPE_IT_IN: &str = "Pipe it in: tokenwell login --client-id ID --client-secret-stdin < secret.txt. Without --client-secret-stdin it is asked for on the terminal.";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let file = ConfigFile::for_current_user()?;
    let client_id = match &args.account.client_id {
        Some(id) => id.clone(),
        None => asked_for_id()?,
    };
    let secret = if args.client_secret_stdin { line_from_standard_input("the client secret", PIPE_IT_IN)? } else { asked_for_secret()? };
    let config = configuration(&args.account, &client_id, &secret)?;
    let profile = profile(&config);
    let server = config.token_endpoint().origin();
    if !args.no_verify {
        let session = Session::open(config)?;
        // A token that is kept already proves that the pair was good once.
        session.token(&TokenOptions::default().force_refresh(true))?;
    }

    let place = if args.keyring { SecretLocation::Keyring } else { SecretLocation::File };
    let stored = store_profile(&file, &args.profile, &profile, &Secret::from(secret.as_str()), place)?;
    let done = if stored.replaced { "replaced" } else { "added" };
    let verified = if args.no_verify { "not verified" } else { "verified with a token" };
    let kept = stored.secret_file.as_ref().map_or("in the keyring".to_owned(), |path| format!("in {}", path.display()));
    let path = stored.path.display();
    output::hint(&format!("{done} profile {} for {server} in {path} ({verified}); its secret is {kept}", args.profile));
    warn_of_variables(&args.profile);
    Ok(())
}

fn asked_for_id() -> Result<String, Failure> {
    let cannot = |problem: String| {
        Failure::new(Status::NotConfigured, problem, "Name the id: tokenwell login --client-id ID. Only a terminal can be asked for it.")
    };
    if !io::stdin().is_terminal() {
        return Err(cannot("there is no client id, and standard input is no terminal to ask for it".to_owned()));
    }
    let mut line = String::new();
    // Where the question cannot be written, the answer will not come either.
    let _ = write!(io::stderr(), "Client id: ").and_then(|()| io::stderr().flush());
    io::stdin().lock().read_line(&mut line).map_err(|error| cannot(format!("the client id cannot be read: {error}")))?;
    let id = line.trim();
    if id.is_empty() { Err(cannot("there is no client id".to_owned())) } else { Ok(id.to_owned()) }
}

fn asked_for_secret() -> Result<Zeroizing<String>, Failure> {
    let cannot = |problem: String| {
        Failure::new(
            Status::NotConfigured,
            problem,
            "Pipe the secret in: tokenwell login --client-id ID --client-secret-stdin < secret.txt. Only a terminal can be asked for it.",
        )
    };
    if !prompt::can_ask() {
        return Err(cannot("there is no client secret, and no terminal to ask for it".to_owned()));
    }
    let secret = prompt::hidden("Client secret (not shown): ");
    let secret = secret.map_err(|error| cannot(format!("the client secret cannot be read from the terminal: {error}")))?;
    if secret.is_empty() { Err(cannot("there is no client secret".to_owned())) } else { Ok(secret) }
}

/// What is verified: the account as given, and what the variables say of server and network. No profile, nor the file of profiles: it may not exist yet,
/// and what it says is about other accounts.
fn configuration(account: &Account, client_id: &str, secret: &str) -> Result<Config, Failure> {
    let is_read = |variable: &str| is_variable_of(variable, |setting| setting != "profile");
    let mut builder = builder().environment(move |name| if is_read(name) { std::env::var_os(name) } else { None });
    builder.set("client_id", client_id.as_bytes())?;
    builder.set("client_secret", secret.as_bytes())?;
    account.apply(&mut builder)?;
    Ok(builder.build()?)
}

/// The account that was verified, without what is the default anyway.
fn profile(config: &Config) -> Profile {
    let owned = |text: &str| text.to_owned();
    let base = config.api_base().map(|base| base.origin());
    let usual = if base.is_some() { ClientAuthentication::BasicRaw } else { ClientAuthentication::Basic };
    Profile {
        client_id: config.client_id().to_owned(),
        token_url: base.is_none().then(|| owned(config.token_endpoint().as_str())),
        revocation_url: config.revocation_endpoint().filter(|_| base.is_none()).map(|endpoint| owned(endpoint.as_str())),
        base_url: base.filter(|base| base != atlas::CLOUD),
        auth_method: (config.authentication() != usual).then(|| owned(config.authentication().name())),
        scope: config.scope().map(owned),
        audience: config.audience().map(owned),
        resource: config.resource().map(owned),
    }
}

/// Variables win over profiles: whoever has forgotten about one would wonder.
fn warn_of_variables(profile: &str) {
    let account = settings().filter(|setting| matches!(setting.name(), "client_id" | "client_secret" | "client_secret_file"));
    let set: Vec<_> =
        account.flat_map(|setting| setting.variables()).filter(|name| std::env::var_os(name).is_some_and(|v| !v.is_empty())).collect();
    let (verbs, it) = if set.len() == 1 { ("is set and wins", "it") } else { ("are set and win", "them") };
    if !set.is_empty() {
        let set = enumerated(&set);
        output::hint(&format!("{set} {verbs} over profile {}: unset {it} to use the profile", printable(profile, 64)));
    }
}

/// "A", "A and B", "A, B and C".
fn enumerated(names: &[&str]) -> String {
    match names {
        [all @ .., last] if !all.is_empty() => format!("{} and {last}", all.join(", ")),
        names => names.join(""),
    }
}

#[cfg(test)]
mod tests {
    use super::enumerated;

    #[test]
    fn names_are_listed_as_a_sentence_does_it() {
        assert_eq!(enumerated(&["A"]), "A");
        assert_eq!(enumerated(&["A", "B"]), "A and B");
        assert_eq!(enumerated(&["A", "B", "C"]), "A, B and C");
    }
}
