//! The flags that say whose token is meant and how to get it: the same for every command that needs a client.

use crate::failure::Failure;
use crate::session::Session;
use clap::Args;
use std::borrow::Cow;
use std::io::Read;
use std::path::PathBuf;
use tokenwell::Config;
use tokenwell::config::{ConfigBuilder, settings};
use tokenwell::error::Error;
use zeroize::Zeroizing;

/// As much of standard input as is read for a secret or a token: what is longer is neither.
const LONGEST: u64 = 2 * 1024 * 1024;

/// Which account, at which server: all of it but the secret.
#[derive(Args)]
#[command(next_help_heading = "Whose token")]
pub(crate) struct Account {
    /// Client id of the service account [env: TOKENWELL_CLIENT_ID, MONGODB_ATLAS_CLIENT_ID, MCLI_CLIENT_ID]
    ///
    /// The secret has no flag, because everybody on the host can read a command line: it comes from the environment
    /// (TOKENWELL_CLIENT_SECRET, MONGODB_ATLAS_CLIENT_SECRET), from a file, a profile or standard input.
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,

    /// Where Atlas is [default: https://cloud.mongodb.com] [env: TOKENWELL_BASE_URL, MONGODB_ATLAS_BASE_URL]
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,

    /// Token endpoint of any other OAuth 2.0 server [env: TOKENWELL_TOKEN_URL]
    #[arg(long, value_name = "URL", conflicts_with = "base_url")]
    token_url: Option<String>,

    /// Revocation endpoint that belongs to --token-url [env: TOKENWELL_REVOCATION_URL]
    #[arg(long, value_name = "URL", requires = "token_url")]
    revocation_url: Option<String>,

    /// client_secret_basic_raw (Atlas), client_secret_basic (RFC 6749) or client_secret_post [env: TOKENWELL_AUTH_METHOD]
    #[arg(long, value_name = "METHOD")]
    auth_method: Option<String>,

    /// Scope to ask for, of a server that knows scopes [env: TOKENWELL_SCOPE]
    #[arg(long)]
    scope: Option<String>,

    /// Audience to ask for [env: TOKENWELL_AUDIENCE]
    #[arg(long)]
    audience: Option<String>,

    /// Resource to ask for (RFC 8707) [env: TOKENWELL_RESOURCE]
    #[arg(long, value_name = "URI")]
    resource: Option<String>,

    /// PEM file of the authorities to trust, in place of the system's [env: TOKENWELL_CA_FILE]
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

impl Account {
    pub(crate) fn apply(&self, builder: &mut ConfigBuilder) -> Result<(), Failure> {
        let texts = [
            ("client_id", &self.client_id),
            ("base_url", &self.base_url),
            ("token_url", &self.token_url),
            ("revocation_url", &self.revocation_url),
            ("auth_method", &self.auth_method),
            ("scope", &self.scope),
            ("audience", &self.audience),
            ("resource", &self.resource),
        ];
        for (name, value) in texts {
            if let Some(value) = value {
                builder.set(name, value.as_bytes())?;
            }
        }
        set_path(builder, "ca_file", self.ca_file.as_ref())
    }
}

#[derive(Args)]
pub(crate) struct Settings {
    #[command(flatten)]
    account: Account,

    /// File that holds the client secret; read anew for every token request [env: TOKENWELL_CLIENT_SECRET_FILE]
    #[arg(long, value_name = "FILE", requires = "client_id", help_heading = "Whose token")]
    client_secret_file: Option<PathBuf>,

    /// Read the client secret from standard input
    #[arg(long, requires = "client_id", conflicts_with = "client_secret_file", help_heading = "Whose token")]
    client_secret_stdin: bool,

    /// Account and settings of this profile, as `tokenwell login` or the Atlas CLI made it [env: TOKENWELL_PROFILE, MONGODB_ATLAS_PROFILE]
    #[arg(long, value_name = "NAME", conflicts_with = "client_id", help_heading = "Whose token")]
    profile: Option<String>,

    /// Share no token with other processes [env: TOKENWELL_CACHE=off]
    #[arg(long, conflicts_with = "cache_dir", help_heading = "Whose token")]
    no_cache: bool,

    /// Where processes share tokens [env: TOKENWELL_CACHE_DIR]
    #[arg(long, value_name = "DIRECTORY", help_heading = "Whose token")]
    cache_dir: Option<PathBuf>,
}

impl Settings {
    pub(crate) fn session(&self) -> Result<Session, Failure> {
        Session::open(self.config()?)
    }

    pub(crate) fn config(&self) -> Result<Config, Failure> {
        let mut builder = builder();
        builder.use_environment();
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
                "Pipe it in: tokenwell token --client-id ID --client-secret-stdin < secret.txt",
            )?;
            builder.set("client_secret", secret.as_bytes())?;
        }
        Ok(builder.build()?)
    }
}

/// A builder that calls the options by the flags of this command. Some commands hide variables from it, but all share tokens in one place.
pub(crate) fn builder() -> ConfigBuilder {
    Config::builder().option_names(flag).process_cache_dir()
}

/// The flag that gives the setting called `name`.
fn flag(name: &'static str) -> Cow<'static, str> {
    match name {
        // There is none that takes a secret.
        "client_secret" => "--client-secret-stdin".into(),
        "cache" => "--no-cache".into(),
        name => format!("--{}", name.replace('_', "-")).into(),
    }
}

fn set_path(builder: &mut ConfigBuilder, name: &str, path: Option<&PathBuf>) -> Result<(), Failure> {
    Ok(path.map_or(Ok(()), |path| builder.set(name, path.as_os_str().as_encoded_bytes()))?)
}

/// Whether `variable` is that of a setting whose name `is_meant`.
pub(crate) fn is_variable_of(variable: &str, is_meant: impl Fn(&str) -> bool) -> bool {
    settings().any(|setting| is_meant(setting.name()) && setting.variables().any(|name| name == variable))
}

/// What standard input holds, without the line end: `what` is a secret.
pub(crate) fn line_from_standard_input(what: &str, hint: &str) -> Result<Zeroizing<String>, Failure> {
    let not_there = |problem: String| Failure::from(Error::NotConfigured { problem, hint: hint.to_owned() });
    let failed = |problem: String| not_there(format!("{what} cannot be read from standard input: {problem}"));
    // As large as it can become at once: a string that grows by itself leaves its old, unwiped allocation behind.
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(LONGEST).unwrap_or(usize::MAX)));
    let length = std::io::stdin().take(LONGEST).read_to_string(&mut text).map_err(|error| failed(error.to_string()))?;
    if length as u64 == LONGEST {
        return Err(failed(format!("it is longer than {} KiB", LONGEST / 1024)));
    }
    while text.ends_with(['\r', '\n']) {
        text.pop();
    }
    if text.is_empty() {
        return Err(not_there(format!("standard input is empty, and {what} was to be read from it")));
    }
    Ok(text)
}
