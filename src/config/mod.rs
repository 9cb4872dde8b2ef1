//! Combines options, environment variables and files into one validated [`Config`].
//!
//! May depend on: atlas, credential, platform, error, secret, logging. Opens no connection. Starts a
//! thread only to call a keyring or a [`SecretProvider`].
//! Start reading at [`Config`], then [`ConfigBuilder`]. `setting` is the table of all settings,
//! `rules` validates values, `sources` combines the sources, `profiles` reads profiles from files,
//! `endpoint` validates URLs.
//!
//! # Settings
//!
//! Every setting has the same name in every language. Its value is a string. [`settings`] returns
//! this table at run time.
//!
//! | setting | environment variables (the first one set wins) | value |
//! | --- | --- | --- |
//! | `client_id` | `TOKENWELL_CLIENT_ID`, `MONGODB_ATLAS_CLIENT_ID`, `MCLI_CLIENT_ID` | id of the service account: any characters except control characters, at most 4096 bytes; at Atlas only visible ASCII and spaces |
//! | `client_secret` | `TOKENWELL_CLIENT_SECRET`, `MONGODB_ATLAS_CLIENT_SECRET`, `MCLI_CLIENT_SECRET` | any characters except control characters, at most 64 KiB; at Atlas only visible ASCII and spaces |
//! | `client_secret_file` | `TOKENWELL_CLIENT_SECRET_FILE` | path of a file that contains the secret; read again for every token request |
//! | `base_url` | `TOKENWELL_BASE_URL`, `MONGODB_ATLAS_BASE_URL`, `MONGODB_ATLAS_OPS_MANAGER_URL`, `MCLI_BASE_URL`, `MCLI_OPS_MANAGER_URL` | scheme and host of Atlas; default `https://cloud.mongodb.com` |
//! | `token_url` | `TOKENWELL_TOKEN_URL` | token endpoint of any OAuth 2.0 server, instead of `base_url` |
//! | `revocation_url` | `TOKENWELL_REVOCATION_URL` | revocation endpoint (RFC 7009); default: derived from `base_url` |
//! | `auth_method` | `TOKENWELL_AUTH_METHOD` | `client_secret_basic`, `client_secret_basic_raw`, `client_secret_post`, or `auto` (not for Atlas) |
//! | `scope` | `TOKENWELL_SCOPE` | scopes to request, separated by single spaces (RFC 6749 section 3.3) |
//! | `audience` | `TOKENWELL_AUDIENCE` | audience to request: any characters except control characters, at most 4096 bytes |
//! | `resource` | `TOKENWELL_RESOURCE` | resource to request: absolute URI without fragment (RFC 8707) |
//! | `timeout_ms` | `TOKENWELL_TIMEOUT_MS` | whole milliseconds, 1 to 600000; default 30000 |
//! | `ca_file` | `TOKENWELL_CA_FILE` | path of a PEM file with the CA certificates to trust, or `system`: those of the operating system, whatever the environment says |
//! | `ca_pem` | `TOKENWELL_CA_PEM` | the CA certificates to trust as PEM, instead of `ca_file`; at most 1 MiB |
//! | `proxy` | `TOKENWELL_PROXY` | URL of the proxy for https servers, `http://host:port` for example, or `none`; default: that of `HTTPS_PROXY` or `ALL_PROXY` |
//! | `no_proxy` | `TOKENWELL_NO_PROXY` | hosts that are reached without the proxy, separated by commas; default: those of `NO_PROXY` |
//! | `profile` | `TOKENWELL_PROFILE`, `MONGODB_ATLAS_PROFILE`, `MCLI_PROFILE` | name of a profile in a file: letters, digits, `-`, `_` and `.`, at most 64 characters; default: the profile `default`, if it exists |
//! | `cache` | `TOKENWELL_CACHE` | `on` (the default) or `off`: whether processes share tokens in files |
//! | `cache_dir` | `TOKENWELL_CACHE_DIR` | absolute path of the directory for shared tokens; default: `tokenwell` in the user's cache directory |
//! | `cache_unsafe` | `TOKENWELL_CACHE_UNSAFE` | `on` or `off` (the default): whether to use a cache directory that other users can access |
//! | `environment` | never read from the environment | `on` (the default) or `off`: whether anything comes from environment variables, including the proxy and the cache directory |
//! | `manual_clock_ms` | never read from the environment | milliseconds since the Unix epoch; for tests |
//!
//! # Precedence
//!
//! From highest to lowest: an explicit option, `TOKENWELL_*`, `MONGODB_ATLAS_*`, `MCLI_*`, a
//! profile in `tokenwell/config.toml`, a profile of the Atlas CLI. An empty variable counts as not
//! set. `docs/configuration.md` describes the files. Four rules keep related values together:
//!
//! - The client id and the client secret come from the same source. The first source that has
//!   either of them must have both.
//! - `base_url` and `token_url` both name the server. The first source that has either of them
//!   wins. A source that has both is an error.
//! - `revocation_url` is ignored in a source with lower precedence than the source that names the
//!   server, so that a stray variable cannot send the secret to a second server.
//! - If a profile has its own credential, its server is never used with a credential from another
//!   source.
//!
//! The environment and the files are read only if the program requests it, and only while
//! [`ConfigBuilder::build`] runs.

mod authorities;
mod bounded;
mod builder;
mod credential;
mod endpoint;
mod environment;
mod exposed;
pub mod keyring;
mod live_servers;
mod pair;
pub mod profiles;
mod proxy;
mod recipient;
mod rules;
mod secret_provider;
mod server;
mod setting;
mod sources;
mod suggestion;
mod unknown_variable;

use credential::client_id_to_show;

pub(crate) use authorities::Authorities;
pub use builder::ConfigBuilder;
pub(crate) use credential::{CredentialSource, advice_on, client_id_in_sentence};
pub use endpoint::Endpoint;
pub use environment::route_variables;
pub use exposed::ExposedFile;
pub(crate) use proxy::{ProxySettings, parse_proxy};
pub use recipient::is_atlas_client_id;
#[cfg(feature = "emulator")]
pub(crate) use recipient::{EMULATOR_ID_PREFIX, EMULATOR_SECRET_PREFIX};
pub use secret_provider::{SecretProvider, SecretRequest};
pub use setting::{Setting, settings};
pub(crate) use suggestion::within as nearest_within;
pub use unknown_variable::UnknownVariable;

#[cfg(feature = "cli")]
use crate::credential::Credentials;
use crate::error::Error;
#[cfg(feature = "cli")]
use crate::secret::Secret;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How the client authenticates at the token endpoint (RFC 6749 section 2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAuthentication {
    /// HTTP Basic with the raw id and secret, as MongoDB Atlas requires. The default with a base
    /// URL.
    BasicRaw,
    /// HTTP Basic with the form-urlencoded id and secret (RFC 6749).
    Basic,
    /// `client_id` and `client_secret` in the request body.
    Post,
    /// [`Basic`](Self::Basic), and [`Post`](Self::Post) if the server rejects that (401
    /// `invalid_client`). The default with a token URL; not for Atlas.
    ///
    /// The second method is tried once in 24 hours for the same server, client id and secret. The
    /// method that works is remembered in the shared token cache.
    Auto,
}

impl ClientAuthentication {
    pub(crate) const ALL: [Self; 4] = [Self::Basic, Self::BasicRaw, Self::Post, Self::Auto];

    /// Returns the method that is sent first.
    pub(crate) const fn or_first_of_auto(self) -> Self {
        if matches!(self, Self::Auto) { Self::Basic } else { self }
    }

    /// Returns the method's name, a value of `auth_method`: `client_secret_basic_raw`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BasicRaw => "client_secret_basic_raw",
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
            Self::Auto => "auto",
        }
    }
}

/// Returns the candidate that `written` probably misspells: at most two letters differ.
#[cfg(feature = "cli")]
#[doc(hidden)]
pub fn misspelled<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    suggestion::within(2, written, candidates)
}

/// Returns the environment variables of this process that tokenwell does not read, although their
/// names suggest it: those that begin with `TOKENWELL_`, and misspelled ones of the other families.
#[must_use]
pub fn unknown_variables() -> Vec<UnknownVariable> {
    environment::Environment::of_the_process().unknown_variables()
}

/// Fails if such a variable of this process names a server or a credential, or is misspelled. A
/// configuration that reads the process's environment has this check in [`ConfigBuilder::build`].
///
/// # Errors
/// [`Error::InvalidArgument`], which names the variable.
pub fn check_variables() -> Result<(), Error> {
    builder::check_variables(&environment::Environment::of_the_process())
}

/// A complete and valid configuration.
///
/// `Debug` shows everything except the secret.
///
/// ```
/// use tokenwell::config::Config;
///
/// let config = Config::builder()
///     .client_id("mdb_sa_id_0123456789abcdef01234567")
///     .client_secret("a secret")
///     .build()?;
///
/// assert_eq!(config.token_endpoint().as_str(), "https://cloud.mongodb.com/api/oauth/token");
/// # Ok::<(), tokenwell::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) credentials: CredentialSource,
    pub(crate) token_endpoint: Endpoint,
    pub(crate) revocation_endpoint: Option<Endpoint>,
    /// The base URL of the Admin API; `None` if the server is set with a token URL.
    pub(crate) api_base: Option<Endpoint>,
    pub(crate) authentication: ClientAuthentication,
    pub(crate) scope: Option<String>,
    pub(crate) audience: Option<String>,
    pub(crate) resource: Option<String>,
    /// The time limit of one refresh and the default deadline of a caller.
    pub(crate) timeout: Duration,
    pub(crate) authorities: Authorities,
    pub(crate) proxy: ProxySettings,
    /// Whether processes share tokens in files.
    pub(crate) cache: bool,
    /// The directory of these files; `None`: the default one in the user's cache directory.
    pub(crate) cache_dir: Option<PathBuf>,
    /// The user's cache directory, or the reason why it is unknown.
    pub(crate) user_cache_dir: Result<PathBuf, &'static str>,
    /// Whether to use a cache directory that other users can access.
    pub(crate) cache_unsafe: bool,
    pub(crate) provenance: Vec<Provenance>,
    pub(crate) manual_clock_ms: Option<u64>,
}

/// The source of one setting's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    pub(crate) setting: &'static str,
    pub(crate) source: String,
}

impl Provenance {
    /// Returns the setting's name: `client_id`.
    #[must_use]
    pub fn setting(&self) -> &'static str {
        self.setting
    }

    /// Returns the source: "option client_id", "environment variable MONGODB_ATLAS_CLIENT_ID",
    /// "profile staging in /home/x/.config/tokenwell/config.toml", "the keyring (service
    /// tokenwell_staging, account client_secret)", "the secret callback" or "the default".
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl Config {
    /// Returns a builder without any option. It does not read the environment unless requested.
    #[must_use]
    pub fn builder() -> ConfigBuilder {
        ConfigBuilder::default()
    }

    /// Builds a configuration from the environment variables of the process and from a profile.
    ///
    /// # Errors
    /// Those of [`ConfigBuilder::build`].
    pub fn from_environment() -> Result<Self, Error> {
        Self::builder().from_environment(true).build()
    }

    /// Returns the client id.
    #[must_use]
    pub fn client_id(&self) -> &str {
        self.credentials.client_id()
    }

    /// Returns the client id for a report or a log. If the value looks like a client secret, the
    /// result does not contain it.
    #[must_use]
    pub fn client_id_to_show(&self) -> String {
        client_id_to_show(self.client_id())
    }

    /// Returns the client id and the client secret, for a program that stores them. A file with the
    /// secret is read.
    ///
    /// # Errors
    /// The file cannot be read, or the program does not deliver the secret.
    #[cfg(feature = "cli")]
    pub fn credential(&self) -> Result<(String, Secret), Error> {
        let credential = Credentials::current(&self.credentials)?;
        Ok((credential.client_id, credential.client_secret))
    }

    /// Returns the token endpoint.
    #[must_use]
    pub fn token_endpoint(&self) -> &Endpoint {
        &self.token_endpoint
    }

    /// Returns the revocation endpoint (RFC 7009), if it is known.
    #[must_use]
    pub fn revocation_endpoint(&self) -> Option<&Endpoint> {
        self.revocation_endpoint.as_ref()
    }

    /// Returns the base URL of the Atlas Admin API; `None` if the server is set with a token URL.
    #[must_use]
    pub fn api_base(&self) -> Option<&Endpoint> {
        self.api_base.as_ref()
    }

    /// Returns how the client authenticates.
    #[must_use]
    pub fn authentication(&self) -> ClientAuthentication {
        self.authentication
    }

    /// Returns the requested scope, if any.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    /// Returns the requested audience, if any.
    #[must_use]
    pub fn audience(&self) -> Option<&str> {
        self.audience.as_deref()
    }

    /// Returns the requested resource (RFC 8707), if any.
    #[must_use]
    pub fn resource(&self) -> Option<&str> {
        self.resource.as_deref()
    }

    /// Returns the time limit of one refresh. It is also how long a caller without a deadline
    /// waits.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Returns the PEM file with the CA certificates to trust, if the setting `ca_file` names one.
    #[must_use]
    pub fn ca_file(&self) -> Option<&Path> {
        self.authorities.file()
    }

    /// Returns the start time of a manual clock, in milliseconds since the Unix epoch; `None`: the
    /// system clocks are used.
    #[must_use]
    pub fn manual_clock_ms(&self) -> Option<u64> {
        self.manual_clock_ms
    }

    /// Returns whether processes share tokens in files.
    #[must_use]
    pub fn cache(&self) -> bool {
        self.cache
    }

    /// Returns the setting `cache_dir`, if it is set; see
    /// [`resolved_cache_dir`](Self::resolved_cache_dir).
    #[must_use]
    pub fn cache_dir(&self) -> Option<&Path> {
        self.cache_dir.as_deref()
    }

    /// Returns the directory of the shared token cache, whether it exists or not.
    ///
    /// This is [`cache_dir`](Self::cache_dir), or by default `tokenwell` in the user's cache
    /// directory: `$XDG_CACHE_HOME` or `~/.cache`; on macOS `~/Library/Caches`, on Windows
    /// `%LOCALAPPDATA%`.
    ///
    /// # Errors
    /// [`Error::NotConfigured`] if the user's cache directory is unknown.
    pub fn resolved_cache_dir(&self) -> Result<PathBuf, Error> {
        if let Some(directory) = &self.cache_dir {
            return Ok(directory.clone());
        }
        self.user_cache_dir.as_ref().map(|directory| directory.join("tokenwell")).map_err(|missing| Error::NotConfigured {
            problem: format!("cannot find a directory for the token cache ({missing})"),
            hint: "Set TOKENWELL_CACHE_DIR to the absolute path of a directory that only you can access, or the option cache_dir in a program \
                   that does not use the environment. To use no shared cache, set cache to off."
                .to_owned(),
        })
    }

    /// Returns the directory that must exist before the directory of the token cache is created: the
    /// parent of the user's cache directory, which is the home directory by default. `None` if
    /// `cache_dir` is set.
    #[must_use]
    pub fn cache_parent(&self) -> Option<&Path> {
        if self.cache_dir.is_some() { None } else { self.user_cache_dir.as_ref().ok()?.parent() }
    }

    /// Returns whether a cache directory that other users can access is used.
    #[must_use]
    pub fn cache_unsafe(&self) -> bool {
        self.cache_unsafe
    }

    /// Returns the source of each setting in effect, in the order of [`settings`]; never a value.
    ///
    /// A setting without a default is listed only if it is set.
    #[must_use]
    pub fn provenance(&self) -> &[Provenance] {
        &self.provenance
    }

    /// Returns whether `value` is the client secret, for programs that must not pass it on in a
    /// variable of another name. A secret that the program delivers itself is not requested for this.
    #[must_use]
    pub fn is_client_secret(&self, value: &[u8]) -> bool {
        if matches!(self.credentials, CredentialSource::Provided(_)) {
            return false;
        }
        crate::credential::Credentials::current(&self.credentials)
            .is_ok_and(|credential| credential.client_secret.expose().as_bytes() == value)
    }

    /// Returns the file that the secret is read from, if it is in a file.
    #[must_use]
    pub fn client_secret_file(&self) -> Option<&Path> {
        self.credentials.file()
    }

    /// Returns the files of this configuration with insecure permissions: other users can read or
    /// write the file with the secret, or can write the file with the CA certificates.
    #[must_use]
    pub fn exposed_files(&self) -> Vec<ExposedFile> {
        let secret = self.client_secret_file().and_then(|path| ExposedFile::of(path, |exposure| exposure.readable || exposure.writable));
        let authorities = self.ca_file().and_then(|path| ExposedFile::of(path, |exposure| exposure.writable));
        secret.into_iter().chain(authorities).collect()
    }

    /// Returns the source that names the server of `endpoint`, an endpoint of this configuration;
    /// `None` if the server is Atlas by default.
    pub(crate) fn server_named_by(&self, endpoint: &Endpoint) -> Option<&str> {
        let source = |setting: &str| self.provenance.iter().find(|from| from.setting == setting).map(Provenance::source);
        let named = || source("base_url").or_else(|| source("token_url"));
        let of_revocation = || source("revocation_url").filter(|_| self.revocation_endpoint.as_ref() == Some(endpoint));
        of_revocation().or_else(named).filter(|source| *source != sources::THE_DEFAULT)
    }

    /// Returns the setting with the URL of `endpoint`, an endpoint of this configuration, and what
    /// sets it: `token_url (environment variable TOKENWELL_TOKEN_URL)`.
    pub(crate) fn url_setting(&self, endpoint: &Endpoint) -> String {
        let from = |setting: &str| self.provenance.iter().find(|from| from.setting == setting);
        let is_revocation = self.revocation_endpoint.as_ref() == Some(endpoint);
        let named = from("revocation_url").filter(|_| is_revocation).or_else(|| from("token_url")).or_else(|| from("base_url"));
        match named {
            // An option has the name of the setting, or that of the command's flag.
            Some(from) => match from.source.strip_prefix("option ") {
                Some(option) => option.to_owned(),
                None if from.source == sources::THE_DEFAULT => from.setting.to_owned(),
                None => format!("{} ({})", from.setting, from.source),
            },
            None => "base_url".to_owned(),
        }
    }

    /// Returns the values, without the secret, that must be equal before two requests may share a
    /// token.
    pub(crate) fn identity(&self) -> Vec<(&'static str, String)> {
        let optional = |value: &Option<String>| value.clone().unwrap_or_default();
        vec![
            ("token_endpoint", self.token_endpoint.as_str().to_owned()),
            ("client_id", self.client_id().to_owned()),
            // What works is found out, so both share their tokens and what is known.
            ("auth_method", self.authentication.or_first_of_auto().name().to_owned()),
            ("scope", optional(&self.scope)),
            ("audience", optional(&self.audience)),
            ("resource", optional(&self.resource)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_in_the_documentation_is_the_table_of_settings() {
        let documentation = include_str!("mod.rs");

        for setting in settings() {
            let line = documentation.lines().find(|line| line.starts_with(&format!("//! | `{}` |", setting.name())));
            let line = line.unwrap_or_else(|| panic!("{} is not documented", setting.name()));
            let variables: Vec<_> = setting.variables().map(|name| format!("`{name}`")).collect();
            let variables = if variables.is_empty() { "never read from the environment".to_owned() } else { variables.join(", ") };
            assert_eq!(line, format!("//! | `{}` | {variables} | {} |", setting.name(), setting.about()));
        }
    }
}
