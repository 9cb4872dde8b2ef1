//! From options, environment and files to one validated [`Config`].
//!
//! May depend on: atlas, credential, platform, error, secret. Opens no connection; only a keyring is asked on a thread of its own.
//! Start reading at [`Config`], then [`ConfigBuilder`]; `setting` is the table of all settings, `rules` checks their
//! values, `sources` makes one configuration of several sources, `profiles` reads them from files, `endpoint` says which URLs are acceptable.
//!
//! # Settings
//!
//! Every setting has one name in every language, and one value as text. [`settings`] gives this table at run time.
//!
//! | setting | variables, the first one set wins | value |
//! | --- | --- | --- |
//! | `client_id` | `TOKENWELL_CLIENT_ID`, `MONGODB_ATLAS_CLIENT_ID`, `MCLI_CLIENT_ID` | visible ASCII and spaces, at most 4096 bytes |
//! | `client_secret` | `TOKENWELL_CLIENT_SECRET`, `MONGODB_ATLAS_CLIENT_SECRET`, `MCLI_CLIENT_SECRET` | visible ASCII and spaces, at most 64 KiB |
//! | `client_secret_file` | `TOKENWELL_CLIENT_SECRET_FILE` | path of a file that holds the secret; read anew for every token request |
//! | `base_url` | `TOKENWELL_BASE_URL`, `MONGODB_ATLAS_BASE_URL`, `MONGODB_ATLAS_OPS_MANAGER_URL`, `MCLI_BASE_URL`, `MCLI_OPS_MANAGER_URL` | scheme and host of Atlas; default `https://cloud.mongodb.com` |
//! | `token_url` | `TOKENWELL_TOKEN_URL` | token endpoint of any OAuth 2.0 server, instead of `base_url` |
//! | `revocation_url` | `TOKENWELL_REVOCATION_URL` | revocation endpoint (RFC 7009); with `base_url` it is known |
//! | `auth_method` | `TOKENWELL_AUTH_METHOD` | `client_secret_basic`, `client_secret_basic_raw` or `client_secret_post` |
//! | `scope` | `TOKENWELL_SCOPE` | scopes separated by single spaces (RFC 6749 section 3.3) |
//! | `audience` | `TOKENWELL_AUDIENCE` | text without control characters, at most 4096 bytes |
//! | `resource` | `TOKENWELL_RESOURCE` | absolute URI without fragment (RFC 8707) |
//! | `timeout_ms` | `TOKENWELL_TIMEOUT_MS` | whole milliseconds, 1 to 600000; default 30000 |
//! | `ca_file` | `TOKENWELL_CA_FILE` | path of a PEM file with the authorities to trust |
//! | `profile` | `TOKENWELL_PROFILE`, `MONGODB_ATLAS_PROFILE`, `MCLI_PROFILE` | name of a profile in a file: letters, digits, `-`, `_` and `.`, at most 64; `default` where it exists |
//! | `cache` | `TOKENWELL_CACHE` | `on` (the default) or `off`: whether processes share tokens in files |
//! | `cache_dir` | `TOKENWELL_CACHE_DIR` | absolute path of the folder for shared tokens; default: `tokenwell` in the user's cache folder |
//! | `cache_unsafe` | `TOKENWELL_CACHE_UNSAFE` | `on` or `off` (the default): whether a cache folder that others may open is used all the same |
//! | `manual_clock_ms` | never read from the environment | milliseconds since the Unix epoch; for tests |
//!
//! # Which source wins
//!
//! An explicit option wins over `TOKENWELL_*`, that over `MONGODB_ATLAS_*`, that over `MCLI_*`, that over a profile in `tokenwell/config.toml`, and that
//! over a profile of the Atlas CLI. An empty variable counts as not set. `docs/configuration.md` tells about the files.
//! Four rules keep values together that belong together:
//!
//! - The id and the secret come from one and the same source. The first source that has either of them must have both.
//! - `base_url` and `token_url` name the server in two ways: the first source that has either of them wins; one source that has both is
//!   an error.
//! - `revocation_url` is not taken from a source below the one that named the server, so that a stray variable cannot send the
//!   secret to a second server.
//! - A profile with a credential of its own says nothing about the server of another source's credential.
//!
//! The environment and the files are read only where that was asked for, and only while [`ConfigBuilder::build`] runs.

mod bounded;
mod builder;
mod credential;
mod endpoint;
mod environment;
mod exposed;
pub mod keyring;
pub mod profiles;
mod rules;
mod setting;
mod sources;
mod suggestion;
mod unknown_variable;

pub use builder::ConfigBuilder;
pub(crate) use credential::{CredentialSource, advice_on, client_id_to_show};
pub use endpoint::Endpoint;
pub use exposed::ExposedFile;
pub use setting::{Setting, settings};
pub use unknown_variable::UnknownVariable;

use crate::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How the client proves who it is at the token endpoint (RFC 6749 section 2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAuthentication {
    /// HTTP Basic with the raw id and secret, as MongoDB Atlas wants it. The default with a base URL.
    BasicRaw,
    /// HTTP Basic with id and secret form-urlencoded first, as RFC 6749 says. The default with a token URL.
    Basic,
    /// `client_id` and `client_secret` in the request's body.
    Post,
}

impl ClientAuthentication {
    pub(crate) const ALL: [Self; 3] = [Self::Basic, Self::BasicRaw, Self::Post];

    /// The method's name as a value of `auth_method`: `client_secret_basic_raw`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BasicRaw => "client_secret_basic_raw",
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
        }
    }
}

/// The variables of this process that begin with `TOKENWELL_` and that nothing reads.
#[must_use]
pub fn unknown_variables() -> Vec<UnknownVariable> {
    environment::Environment::Process.unknown_variables()
}

/// A complete and valid configuration: what exists of this type can be used.
///
/// `Debug` shows everything but the secret.
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
    /// The Admin API's base; `None` when only a token URL was given.
    pub(crate) api_base: Option<Endpoint>,
    pub(crate) authentication: ClientAuthentication,
    pub(crate) scope: Option<String>,
    pub(crate) audience: Option<String>,
    pub(crate) resource: Option<String>,
    /// The budget of one refresh and the default deadline of a caller.
    pub(crate) timeout: Duration,
    pub(crate) ca_file: Option<PathBuf>,
    /// Whether processes share tokens in files.
    pub(crate) cache: bool,
    /// Where the files are; `None`: in the user's cache folder.
    pub(crate) cache_dir: Option<PathBuf>,
    /// The user's cache folder, or which variable is missing to find it.
    pub(crate) users_cache: Result<PathBuf, &'static str>,
    /// Whether a folder that others may open is used all the same.
    pub(crate) cache_unsafe: bool,
    pub(crate) provenance: Vec<Provenance>,
    pub(crate) manual_clock_ms: Option<u64>,
}

/// Where the value of one setting came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    pub(crate) setting: &'static str,
    pub(crate) source: String,
}

impl Provenance {
    /// The setting's name: `client_id`.
    #[must_use]
    pub fn setting(&self) -> &'static str {
        self.setting
    }

    /// Its source: "option client_id", "environment variable MONGODB_ATLAS_CLIENT_ID", "profile staging in
    /// /home/x/.config/tokenwell/config.toml", "the keyring (service tokenwell_staging, account client_secret)" or "the default".
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl Config {
    /// An empty set of options; the environment is not read unless the builder is told to.
    #[must_use]
    pub fn builder() -> ConfigBuilder {
        ConfigBuilder::default()
    }

    /// The configuration that the process's environment describes, and below it a profile in a file.
    ///
    /// # Errors
    /// Those of [`ConfigBuilder::build`].
    pub fn from_environment() -> Result<Self, Error> {
        Self::builder().from_environment(true).build()
    }

    /// The client id.
    #[must_use]
    pub fn client_id(&self) -> &str {
        self.credentials.client_id()
    }

    /// The client id for a report or a log. What has the shape of a client secret stands there by mistake and is not shown.
    #[must_use]
    pub fn client_id_to_show(&self) -> String {
        client_id_to_show(self.client_id())
    }

    /// Where tokens are asked for.
    #[must_use]
    pub fn token_endpoint(&self) -> &Endpoint {
        &self.token_endpoint
    }

    /// Where tokens are revoked (RFC 7009), if that is known.
    #[must_use]
    pub fn revocation_endpoint(&self) -> Option<&Endpoint> {
        self.revocation_endpoint.as_ref()
    }

    /// The base of the Atlas Admin API; `None` when a token URL named the server.
    #[must_use]
    pub fn api_base(&self) -> Option<&Endpoint> {
        self.api_base.as_ref()
    }

    /// How the client proves who it is.
    #[must_use]
    pub fn authentication(&self) -> ClientAuthentication {
        self.authentication
    }

    /// The scope that is asked for, if any.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    /// The audience that is asked for, if any.
    #[must_use]
    pub fn audience(&self) -> Option<&str> {
        self.audience.as_deref()
    }

    /// The resource that is asked for (RFC 8707), if any.
    #[must_use]
    pub fn resource(&self) -> Option<&str> {
        self.resource.as_deref()
    }

    /// For how long one refresh may take, and how long a caller waits who names no deadline of its own.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The PEM file with the authorities to trust, if one is named.
    #[must_use]
    pub fn ca_file(&self) -> Option<&Path> {
        self.ca_file.as_deref()
    }

    /// What a manual clock reads at first, in milliseconds since the Unix epoch; `None`: the system's clocks.
    #[must_use]
    pub fn manual_clock_ms(&self) -> Option<u64> {
        self.manual_clock_ms
    }

    /// Whether processes share tokens in files.
    #[must_use]
    pub fn cache(&self) -> bool {
        self.cache
    }

    /// The folder for shared tokens, where one is set; see [`cache_folder`](Self::cache_folder).
    #[must_use]
    pub fn cache_dir(&self) -> Option<&Path> {
        self.cache_dir.as_deref()
    }

    /// Where processes share tokens, whether or not it exists: [`cache_dir`](Self::cache_dir), else `tokenwell` in the user's cache folder. That is
    /// `$XDG_CACHE_HOME` or `~/.cache`; on macOS `~/Library/Caches`, on Windows `%LOCALAPPDATA%`.
    ///
    /// # Errors
    /// [`Error::NotConfigured`] where nothing says where the user's cache folder is.
    pub fn cache_folder(&self) -> Result<PathBuf, Error> {
        if let Some(folder) = &self.cache_dir {
            return Ok(folder.clone());
        }
        self.users_cache.as_ref().map(|folder| folder.join("tokenwell")).map_err(|missing| Error::NotConfigured {
            problem: format!("there is no place for shared tokens: {missing}"),
            hint: "Set TOKENWELL_CACHE_DIR to a directory of your own.".to_owned(),
        })
    }

    /// Whether a cache folder that others may open is used all the same.
    #[must_use]
    pub fn cache_unsafe(&self) -> bool {
        self.cache_unsafe
    }

    /// Where each setting that counts came from, in the order of [`settings`]; never a value.
    ///
    /// What has a default is always there, what has none only where it is set.
    #[must_use]
    pub fn provenance(&self) -> &[Provenance] {
        &self.provenance
    }

    /// The file that the secret is read from, if it is in one.
    #[must_use]
    pub fn client_secret_file(&self) -> Option<&Path> {
        self.credentials.file()
    }

    /// The files of this configuration that other users can do more with than is good: read the secret, or change whom to trust.
    #[must_use]
    pub fn exposed_files(&self) -> Vec<ExposedFile> {
        let secret = self.client_secret_file().and_then(|path| ExposedFile::of(path, |exposure| exposure.readable || exposure.writable));
        let authorities = self.ca_file().and_then(|path| ExposedFile::of(path, |exposure| exposure.writable));
        secret.into_iter().chain(authorities).collect()
    }

    /// What names the server of `endpoint`, one of this configuration's; `None`: nothing does, and it is Atlas.
    pub(crate) fn server_named_by(&self, endpoint: &Endpoint) -> Option<&str> {
        let source = |setting: &str| self.provenance.iter().find(|from| from.setting == setting).map(Provenance::source);
        let named = || source("base_url").or_else(|| source("token_url"));
        let of_revocation = || source("revocation_url").filter(|_| self.revocation_endpoint.as_ref() == Some(endpoint));
        of_revocation().or_else(named).filter(|source| *source != sources::THE_DEFAULT)
    }

    /// Everything but the secret that two requests must have in common before they may share a token.
    pub(crate) fn identity(&self) -> Vec<(&'static str, String)> {
        let optional = |value: &Option<String>| value.clone().unwrap_or_default();
        vec![
            ("token_endpoint", self.token_endpoint.as_str().to_owned()),
            ("client_id", self.client_id().to_owned()),
            ("auth_method", self.authentication.name().to_owned()),
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
