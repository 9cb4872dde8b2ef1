//! The flags that configure the client, shared by all commands that need one.

use crate::exec;
use crate::failure::Failure;
use crate::prompt;
use crate::session::Session;
use crate::wanted::timeout;
use clap::Args;
use std::borrow::Cow;
use std::io::{IsTerminal as _, Read};
use std::path::PathBuf;
use std::time::Duration;
use tokenwell::config::profiles::{ProfileEntry, SecretPlace, list_profiles};
use tokenwell::config::{ConfigBuilder, check_variables, settings};
use tokenwell::error::{Error, os_reason};
use tokenwell::{Config, Status};
use zeroize::Zeroizing;

/// The maximum length of a secret or token on standard input. Longer input is an error.
const LONGEST: u64 = 2 * 1024 * 1024;

/// The settings of an account and its server.
pub(crate) const ACCOUNT_SETTINGS: [&str; 11] = [
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

/// The server of the account and how to request a token from it.
#[derive(Args)]
#[command(next_help_heading = "Account")]
pub(crate) struct Account {
    /// Base URL of Atlas [default: https://cloud.mongodb.com] [env: TOKENWELL_BASE_URL,
    /// MONGODB_ATLAS_BASE_URL, MONGODB_ATLAS_OPS_MANAGER_URL, MCLI_BASE_URL,
    /// MCLI_OPS_MANAGER_URL]
    #[arg(long, hide_short_help = true, value_name = "URL")]
    base_url: Option<String>,

    /// Token endpoint of an authorization server other than Atlas [env: TOKENWELL_TOKEN_URL]
    #[arg(long, hide_short_help = true, value_name = "URL", conflicts_with = "base_url")]
    token_url: Option<String>,

    /// Revocation endpoint of the --token-url server [env: TOKENWELL_REVOCATION_URL]
    #[arg(long, hide_short_help = true, value_name = "URL", requires = "token_url")]
    revocation_url: Option<String>,

    /// Client authentication: client_secret_basic_raw (Atlas), client_secret_basic (RFC 6749),
    /// client_secret_post, or auto (default for other servers: basic, then post) [env: TOKENWELL_AUTH_METHOD]
    #[arg(long, hide_short_help = true, value_name = "METHOD")]
    auth_method: Option<String>,

    /// Scope to request (RFC 6749) [env: TOKENWELL_SCOPE]
    #[arg(long, hide_short_help = true)]
    scope: Option<String>,

    /// Audience to request [env: TOKENWELL_AUDIENCE]
    #[arg(long, hide_short_help = true)]
    audience: Option<String>,

    /// Resource to request (RFC 8707) [env: TOKENWELL_RESOURCE]
    #[arg(long, hide_short_help = true, value_name = "URI")]
    resource: Option<String>,

    /// PEM file of trusted certificate authorities, instead of those of the system [env:
    /// TOKENWELL_CA_FILE]
    #[arg(long, hide_short_help = true, value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// Maximum time to wait for a token, from 1ms to 10m, for example 5s [default: 30s] [env:
    /// TOKENWELL_TIMEOUT_MS, in milliseconds]
    #[arg(long, hide_short_help = true, value_name = "DURATION", value_parser = timeout)]
    timeout: Option<Duration>,
}

impl Account {
    pub(crate) fn apply(&self, builder: &mut ConfigBuilder) -> Result<(), Failure> {
        let values = [
            ("base_url", &self.base_url),
            ("token_url", &self.token_url),
            ("revocation_url", &self.revocation_url),
            ("auth_method", &self.auth_method),
            ("scope", &self.scope),
            ("audience", &self.audience),
            ("resource", &self.resource),
        ];
        for (name, value) in values {
            if let Some(value) = value {
                builder.set(name, value.as_bytes())?;
            }
        }
        set_path(builder, "ca_file", self.ca_file.as_ref())
    }

    /// Sets the time limit of a token request.
    pub(crate) fn apply_timeout(&self, builder: &mut ConfigBuilder) -> Result<(), Failure> {
        Ok(self.timeout.map_or(Ok(()), |timeout| builder.set("timeout_ms", timeout.as_millis().to_string().as_bytes()))?)
    }
}

#[derive(Args)]
pub(crate) struct Settings {
    /// Client id of the service account [env: TOKENWELL_CLIENT_ID, MONGODB_ATLAS_CLIENT_ID,
    /// MCLI_CLIENT_ID]
    ///
    /// No flag takes the secret itself, because all users of the host can read command lines. Set
    /// TOKENWELL_CLIENT_SECRET or MONGODB_ATLAS_CLIENT_SECRET, or use a file, a profile or standard
    /// input.
    #[arg(long, hide_short_help = true, value_name = "ID", help_heading = "Account")]
    client_id: Option<String>,

    #[command(flatten)]
    account: Account,

    /// File with the client secret; it is read for every token request [env:
    /// TOKENWELL_CLIENT_SECRET_FILE]
    #[arg(long, hide_short_help = true, value_name = "FILE", help_heading = "Account")]
    client_secret_file: Option<PathBuf>,

    /// Read the client secret from standard input
    #[arg(long, hide_short_help = true, conflicts_with = "client_secret_file", help_heading = "Account")]
    client_secret_stdin: bool,

    /// Profile of `tokenwell login` or of the Atlas CLI, with its account and settings [env:
    /// TOKENWELL_PROFILE, MONGODB_ATLAS_PROFILE, MCLI_PROFILE]
    #[arg(long, hide_short_help = true, value_name = "NAME", conflicts_with = "client_id", help_heading = "Account")]
    profile: Option<String>,

    /// Do not use the shared token cache [env: TOKENWELL_CACHE=off]
    #[arg(long, hide_short_help = true, conflicts_with = "cache_dir", help_heading = "Account")]
    no_cache: bool,

    /// Directory of the shared token cache [env: TOKENWELL_CACHE_DIR]
    #[arg(long, hide_short_help = true, value_name = "DIRECTORY", help_heading = "Account")]
    cache_dir: Option<PathBuf>,
}

impl Settings {
    pub(crate) fn session(&self) -> Result<Session, Failure> {
        Session::open(self.config(Limits::TokenRequest)?)
    }

    /// A session for a command that returns at its deadline, while its token request may continue for
    /// the next command.
    pub(crate) fn session_until_deadline(&self) -> Result<Session, Failure> {
        Session::open(self.config(Limits::Caller)?)
    }

    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.account.timeout
    }

    fn config(&self, limits: Limits) -> Result<Config, Failure> {
        let mut builder = builder();
        builder.use_environment();
        self.build(builder, limits)
    }

    /// The configuration of a command that sends requests of its own.
    pub(crate) fn config_of_requests(&self) -> Result<Config, Failure> {
        self.config(Limits::TokenRequest)
    }

    /// The configuration of the account of this profile. An account or a server in the environment is
    /// ignored: it would have precedence over a profile.
    pub(crate) fn config_of_profile(&self, profile: &str) -> Result<Config, Failure> {
        // A lookup does not list the variables that are set.
        check_variables()?;
        let is_of_account = |setting: &str| ACCOUNT_SETTINGS.contains(&setting);
        let mut builder = builder().environment(move |name| std::env::var_os(name).filter(|_| !is_variable_of(name, is_of_account)));
        builder.set("profile", profile.as_bytes())?;
        self.build(builder, Limits::TokenRequest)
    }

    /// Like [`Settings::config_of_profile`], for a second account: no flag of the account in use applies.
    pub(crate) fn config_of_reader(&self, profile: &str) -> Result<Config, Failure> {
        let is_of_account = |setting: &str| ACCOUNT_SETTINGS.contains(&setting);
        let mut builder = builder().environment(move |name| std::env::var_os(name).filter(|_| !is_variable_of(name, is_of_account)));
        builder.set("profile", profile.as_bytes())?;
        if self.no_cache {
            builder.set("cache", b"off")?;
        }
        set_path(&mut builder, "cache_dir", self.cache_dir.as_ref())?;
        self.account.apply_timeout(&mut builder)?;
        Ok(builder.build()?)
    }

    fn build(&self, mut builder: ConfigBuilder, limits: Limits) -> Result<Config, Failure> {
        if let Some(client_id) = &self.client_id {
            builder.set("client_id", client_id.as_bytes())?;
        }
        self.account.apply(&mut builder)?;
        if let Some(profile) = &self.profile {
            builder.set("profile", profile.as_bytes())?;
        }
        if self.no_cache {
            builder.set("cache", b"off")?;
        }
        set_path(&mut builder, "cache_dir", self.cache_dir.as_ref())?;
        set_path(&mut builder, "client_secret_file", self.client_secret_file.as_ref())?;
        if self.client_secret_stdin {
            let secret = line_from_standard_input(
                "the client secret",
                "Redirect the secret: tokenwell token --client-id ID --client-secret-stdin < secret.txt",
            )?;
            builder.set("client_secret", secret.as_bytes())?;
        }
        if matches!(limits, Limits::TokenRequest) {
            self.account.apply_timeout(&mut builder)?;
        }
        let config = builder.build().map_err(without_credential)?;
        if self.timeout().is_none_or(|timeout| timeout <= config.timeout()) {
            return Ok(config);
        }
        // A token request must not end before its caller.
        self.account.apply_timeout(&mut builder)?;
        Ok(builder.build()?)
    }
}

/// What `--timeout` limits.
enum Limits {
    TokenRequest,
    Caller,
}

/// The failure to build a configuration. If there is no credential, it names the profiles that have one.
/// Inside `tokenwell exec` it is no surprise that there is none, and the list of sources does not help.
fn without_credential(error: Error) -> Failure {
    let Error::NoCredential { checked_sources, hint } = error else { return error.into() };
    let profiles = profiles_to_use();
    let is_inside = std::env::var_os(exec::DEPTH).is_some_and(|depth| !depth.is_empty());
    if !is_inside {
        return Error::NoCredential { checked_sources, hint: profiles + &hint }.into();
    }
    Failure::new(
        Status::NotConfigured,
        "there is no client id and secret: this command runs inside `tokenwell exec`, which removed the secret from the environment",
        profiles
            + &format!(
                "Use the token in {} instead of another `tokenwell`. If the program needs tokens for longer than one is valid, store the account with \
             `tokenwell login`, which `exec` does not remove.",
                crate::env::VARIABLE
            ),
    )
}

/// "The profile staging has an account: --profile staging. ", if there are profiles.
fn profiles_to_use() -> String {
    let usable = |entry: &ProfileEntry| entry.problem.is_none() && entry.secret != SecretPlace::None;
    let names: Vec<_> = list_profiles().profiles.iter().filter(|entry| usable(entry)).map(|entry| entry.name.clone()).collect();
    match names.as_slice() {
        [] => String::new(),
        [name] => {
            format!("The profile {name} has an account: use --profile {name}, or make it the default with `tokenwell profile use {name}`. ")
        }
        names => format!(
            "The profiles {} have accounts: use --profile NAME, or make one the default with `tokenwell profile use NAME`. ",
            names.join(", ")
        ),
    }
}

/// A builder whose errors name settings by the flags of this command. Some commands hide
/// environment variables from it, but all commands use the same cache directory.
pub(crate) fn builder() -> ConfigBuilder {
    Config::builder().option_names(flag).process_cache_dir()
}

/// The flag of the setting `name`.
pub(crate) fn flag(name: &'static str) -> Cow<'static, str> {
    match name {
        // No flag takes the secret itself.
        "client_secret" => "--client-secret-stdin".into(),
        "cache" => "--no-cache".into(),
        "timeout_ms" => "--timeout".into(),
        name => format!("--{}", name.replace('_', "-")).into(),
    }
}

fn set_path(builder: &mut ConfigBuilder, name: &str, path: Option<&PathBuf>) -> Result<(), Failure> {
    Ok(path.map_or(Ok(()), |path| builder.set(name, path.as_os_str().as_encoded_bytes()))?)
}

/// Whether `variable` belongs to a setting whose name `matches`.
pub(crate) fn is_variable_of(variable: &str, matches: impl Fn(&str) -> bool) -> bool {
    settings().any(|setting| matches(setting.name()) && setting.variables().any(|name| name == variable))
}

/// Reads a token from standard input, alone or in one of the formats of `tokenwell token`: a header
/// line, a line for curl, or JSON.
pub(crate) fn token_from_standard_input(hint: &str) -> Result<Zeroizing<String>, Failure> {
    let given = line_from_standard_input("the token", hint)?;
    let token = bare_token(&given);
    if token.is_empty() || token.contains([' ', '{', '"']) {
        let problem = "standard input is not a token: it contains a space, a quotation mark or a brace, or nothing after `Bearer`";
        return Err(Failure::new(Status::InvalidArgument, problem, "Pass the token alone, or a line `Authorization: Bearer TOKEN`."));
    }
    Ok(Zeroizing::new(token.to_owned()))
}

/// The token in `given`. A slice: a parser would leave copies that are not wiped.
fn bare_token(given: &str) -> &str {
    let given = given.trim();
    let member = given.strip_prefix('{').and_then(|object| object.split_once("\"access_token\""));
    if let Some(value) = member.and_then(|(_, rest)| rest.split('"').nth(1)) {
        return value;
    }
    let mut token = given.strip_prefix("header = \"").map_or(given, |line| line.trim_end_matches('"'));
    for prefix in ["authorization:", "bearer "] {
        if let Some((start, rest)) = token.split_at_checked(prefix.len())
            && start.eq_ignore_ascii_case(prefix)
        {
            token = rest.trim_start();
        }
    }
    token
}

/// Reads a secret from standard input, without the newline at its end. From a terminal it is read
/// with a prompt and without echo. `what` names the secret for messages.
///
/// The rule for newlines is that of a secret file: one at the end is not part of the secret, and
/// more than one line is an error.
pub(crate) fn line_from_standard_input(what: &str, hint: &str) -> Result<Zeroizing<String>, Failure> {
    let not_configured = |problem: String| Failure::from(Error::NotConfigured { problem, hint: hint.to_owned() });
    if std::io::stdin().is_terminal() && prompt::is_available() {
        let name = what.strip_prefix("the ").unwrap_or(what);
        let question = format!("{}{} (not shown): ", name[..1].to_uppercase(), &name[1..]);
        let line = prompt::hidden(&question)
            .map_err(|error| not_configured(format!("cannot read {what} from the terminal: {}", os_reason(&error))))?;
        return if line.is_empty() { Err(not_configured(format!("{what} is empty"))) } else { Ok(line) };
    }
    let failed = |problem: String| not_configured(format!("cannot read {what} from standard input: {problem}"));
    // Allocated with the maximum size: a string that grows frees its old allocation without wiping
    // it.
    let mut content = Zeroizing::new(String::with_capacity(usize::try_from(LONGEST).unwrap_or(usize::MAX)));
    let length = std::io::stdin().take(LONGEST).read_to_string(&mut content).map_err(|error| failed(os_reason(&error)))?;
    if length as u64 == LONGEST {
        return Err(failed(format!("it is longer than {} KiB", LONGEST / 1024)));
    }
    if content.ends_with('\n') {
        content.pop();
        if content.ends_with('\r') {
            content.pop();
        }
    }
    if content.trim_matches(['\r', '\n']).is_empty() {
        return Err(not_configured(format!("cannot read {what}: standard input is empty")));
    }
    if let Some(index) = content.find('\n') {
        let problem = format!("it contains more than one line (newline at byte {})", index + 1);
        return Err(Failure::from(Error::NotConfigured {
            problem: format!("cannot read {what} from standard input: {problem}"),
            hint: "Write one line, with at most one newline at its end.".to_owned(),
        }));
    }
    Ok(content)
}
