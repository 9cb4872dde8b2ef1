//! `tokenwell login`: verifies an account and stores it as a profile.
//!
//! Everything that can be checked is checked before the user types a secret: see [`run`].

use crate::ask;
use crate::failure::Failure;
use crate::login_input::{Given, credential, refuse_swapped, source_name};
use crate::output;
use crate::session::Session;
use crate::settings::{Account, builder, is_variable_of};
use std::ffi::OsString;
use tokenwell::config::profiles::{
    ConfigFile, Profile, ProfileEntry, ProfileProgram, SecretLocation, SelectedProfile, Stored, list_profiles, store_profile,
};
use tokenwell::config::{ConfigBuilder, check_variables, keyring, route_variables, settings};
use tokenwell::error::{os_reason, printable};
use tokenwell::{Config, Status, TokenOptions};

/// Store the client id and secret of a service account as a profile
///
/// Prompts for the secret on the terminal without echo, reads it from standard input, or takes the
/// client id and the secret from the environment. Verifies the credential with a token request before
/// it is stored. The secret is stored in a separate file that only this user can read, or in the
/// system keyring.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// Name of the profile: letters, digits, dots, - and _ [default: default] [env:
    /// TOKENWELL_PROFILE, MONGODB_ATLAS_PROFILE, MCLI_PROFILE]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,

    /// Read the client secret from standard input
    #[arg(long)]
    client_secret_stdin: bool,

    /// Store the secret in the system keyring instead of a file
    #[arg(long, hide = !keyring::is_supported())]
    keyring: bool,

    /// Store the credential without verifying it
    #[arg(long)]
    no_verify: bool,

    /// Replace a profile that has another account, without a question
    #[arg(long)]
    force: bool,

    /// Client id of the service account; without it, tokenwell takes the client id and the secret from
    /// the environment, or prompts for them [env: TOKENWELL_CLIENT_ID with TOKENWELL_CLIENT_SECRET or
    /// TOKENWELL_CLIENT_SECRET_FILE, MONGODB_ATLAS_CLIENT_ID with MONGODB_ATLAS_CLIENT_SECRET,
    /// MCLI_CLIENT_ID with MCLI_CLIENT_SECRET]
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

/// A client id and a secret of the right shape, to check everything else before a prompt for
/// the real ones. They are never sent or stored.
const PLACEHOLDER: (&str, &str) = ("mdb_sa_id_000000000000000000000000", "not known yet");

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let selected = SelectedProfile::find(args.profile.as_deref(), "--profile")?;
    if args.keyring && !keyring::is_supported() {
        return Err(Failure::new(
            Status::InvalidArgument,
            "--keyring: this build of tokenwell has no keyring support",
            "Leave out --keyring: the secret is then stored in a file that only this user can read.",
        ));
    }
    let file = ConfigFile::for_current_user()?;
    // Until the end: it removes directories that were created for nothing.
    let _prepared = file.prepare(&selected.name)?;
    let existing = existing(&file, &selected.name);
    let network = Network { file: &file, selected: &selected, existing: existing.as_ref() };
    network.configuration(&args.account, PLACEHOLDER)?;

    let given = Given::find(args.client_id.as_deref(), args.client_secret_stdin, &args.account)?;
    given.name_sources();
    refuse_swapped(given.client_id(), None)?;
    let planned = network.configuration(&args.account, (given.client_id(), PLACEHOLDER.1))?;
    let (profile, _) = Profile::of(&planned);
    let verifies = !args.no_verify;
    announce(&args, &selected, &profile, existing.as_ref(), &planned, given.will_prompt())?;

    let (client_id, secret) = credential(given)?;
    refuse_swapped(&client_id, Some(secret.expose()))?;
    let config = network.configuration(&args.account, (&client_id, secret.expose()))?;
    let (profile, omitted) = Profile::of(&config);
    if verifies {
        let session = Session::open(config)?;
        // A cached token only proves that the credential was valid in the past.
        session.any_token(&TokenOptions::default().force_refresh(true))?;
    }
    let place = if args.keyring { SecretLocation::Keyring } else { SecretLocation::File };
    let stored = store_profile(&file, &selected.name, &profile, &secret, place)?;
    report(&stored, &selected, &profile, verifies);
    for setting in omitted {
        output::message(&format!(
            "the setting {setting} is not stored in profile {}: set TOKENWELL_{} for the commands that use the profile",
            selected.name,
            setting.to_uppercase()
        ));
    }
    warn_about_variables(&selected.name);
    Ok(())
}

fn report(stored: &Stored, selected: &SelectedProfile, profile: &Profile, verified: bool) {
    let done = if stored.replaced { "replaced" } else { "added" };
    let verified = if verified { "verified with a token request" } else { "not verified" };
    let kept = stored.secret_file.as_ref().map_or("in the keyring".to_owned(), |path| format!("in {}", path.display()));
    let (path, server) = (stored.path.display(), origin(profile.server()));
    output::message(&format!("{done} profile {} for {server} in {path} ({verified}); the secret is stored {kept}", selected.name));
}

/// The profile of this name in our own file.
fn existing(file: &ConfigFile, name: &str) -> Option<ProfileEntry> {
    let is_it = |entry: &ProfileEntry| entry.program == ProfileProgram::Tokenwell && entry.name == name && entry.file == file.path();
    list_profiles().profiles.into_iter().find(is_it)
}

/// Says which profile is changed, and to which server the secret is sent. Asks before a profile is
/// replaced by another account, or by a secret that is not verified.
fn announce(
    args: &Args,
    selected: &SelectedProfile,
    new: &Profile,
    existing: Option<&ProfileEntry>,
    planned: &Config,
    will_prompt: bool,
) -> Result<(), Failure> {
    let server = origin(new.server());
    let Some(old) = existing.filter(|old| old.setting("client_id").is_some()) else {
        if will_prompt {
            let sent = if args.no_verify { "will be used with" } else { "is sent to" };
            output::message(&format!("{selected}: the secret {sent} {server} ({})", source_of_server(planned)));
        }
        return Ok(());
    };
    let same = new.is_same_account(old);
    let accounts = format!(
        "  now: {} at {}\n  new: {} at {server} ({})",
        old.setting("client_id").unwrap_or("no client id"),
        origin(old.server()),
        planned.client_id_to_show(),
        source_of_server(planned)
    );
    let path = printable(&old.file.display().to_string(), 1000);
    if args.force || (same && !args.no_verify) {
        let what = if same { "its secret is replaced" } else { "it is replaced" };
        output::message(&format!("{selected} exists in {path}; {what}\n{accounts}"));
        return Ok(());
    }
    let difference = if same { "the new secret would not be verified" } else { "it has another account" };
    if !ask::is_available() {
        return Err(Failure::new(
            Status::Refused,
            format!(
                "{selected} exists in {path}, and {difference}: it has {} at {}, the new one is {} at {server}",
                old.setting("client_id").unwrap_or("no client id"),
                origin(old.server()),
                planned.client_id_to_show()
            ),
            "Use --force to replace it, or --profile with another name.",
        ));
    }
    output::message(&format!("{selected} exists in {path}, and {difference}\n{accounts}"));
    let unanswered = |error| {
        Failure::new(Status::NotConfigured, format!("cannot read the answer: {}", os_reason(&error)), "Use --force to replace the profile.")
    };
    if ask::yes("Replace it?").map_err(unanswered)? {
        return Ok(());
    }
    Err(Failure::new(Status::Refused, format!("{selected} was not replaced"), "Use --profile with another name to keep both accounts."))
}

/// Scheme, host and port: the rest of a token URL does not matter to a reader.
fn origin(server: &str) -> String {
    url::Url::parse(server).map_or_else(|_| printable(server, 200), |url| url.origin().ascii_serialization())
}

fn source_of_server(config: &Config) -> String {
    let name = if config.api_base().is_some() { "base_url" } else { "token_url" };
    let from = config.provenance().iter().find(|from| from.setting() == name);
    from.map_or("the default".to_owned(), |from| printable(from.source(), 1000))
}

/// Where the network settings of the verification come from.
struct Network<'a> {
    file: &'a ConfigFile,
    selected: &'a SelectedProfile,
    existing: Option<&'a ProfileEntry>,
}

impl Network<'_> {
    /// The configuration to verify: the account, the server and network settings from the flags and
    /// the environment. A profile that already has this server adds its network settings, such as
    /// `ca_file`. Other profiles are not read: they belong to other accounts.
    fn configuration(&self, account: &Account, (client_id, secret): (&str, &str)) -> Result<Config, Failure> {
        let config = configured(lookup(None), account, client_id, secret)?;
        let (profile, _) = Profile::of(&config);
        if self.existing.is_none_or(|existing| existing.server() != profile.server()) {
            return Ok(config);
        }
        let with_profile = Some((self.file.path().as_os_str().to_owned(), OsString::from(&self.selected.name)));
        configured(lookup(with_profile), account, client_id, secret)
    }
}

/// Looks up the variables that the verification reads, and those that select `profile` in a file.
pub(crate) fn lookup(profile: Option<(OsString, OsString)>) -> impl Fn(&str) -> Option<OsString> + Send + Sync + 'static {
    move |name| match name {
        "TOKENWELL_CONFIG_FILE" => profile.as_ref().map(|(file, _)| file.clone()),
        "TOKENWELL_PROFILE" => profile.as_ref().map(|(_, name)| name.clone()),
        // The mark of a command of `tokenwell emulator`, in which Atlas is refused.
        "TOKENWELL_EMULATOR" => std::env::var_os(name),
        name if route_variables().any(|variable| variable == name) => std::env::var_os(name),
        name if is_variable_of(name, |setting| setting != "profile") => std::env::var_os(name),
        _ => None,
    }
}

fn configured(
    lookup: impl Fn(&str) -> Option<OsString> + Send + Sync + 'static,
    account: &Account,
    client_id: &str,
    secret: &str,
) -> Result<Config, Failure> {
    // A lookup does not list the variables that are set.
    check_variables()?;
    let mut builder: ConfigBuilder = builder().option_names(source_name).environment(lookup);
    builder.set("client_id", client_id.as_bytes())?;
    builder.set("client_secret", secret.as_bytes())?;
    account.apply(&mut builder)?;
    account.apply_timeout(&mut builder)?;
    Ok(builder.build()?)
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
