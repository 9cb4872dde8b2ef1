//! Options given in code, by method or by name.

use super::environment::Environment;
use super::keyring::{self, Keyring};
use super::profiles;
use super::setting::{Key, Setting, by_name, settings};
use super::sources::{Circumstances, Entry, Found, Origin, Source, resolve};
use super::{ClientAuthentication, Config};
use crate::error::Error;
use crate::secret::Secret;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Collects settings and makes a [`Config`] of them; get one from [`Config::builder`].
///
/// Every value is looked at when it is given. [`ConfigBuilder::set`] says at once what is wrong with it; the methods that can be chained keep
/// that error for [`ConfigBuilder::build`]. Giving a setting again replaces its value.
///
/// `Debug` shows everything but the secret. Copies of secrets are wiped from memory when the builder is dropped.
#[derive(Clone, Default)]
pub struct ConfigBuilder {
    options: BTreeMap<Key, Secret>,
    /// What was wrong with values given by the methods that can be chained.
    rejected: BTreeMap<Key, Error>,
    environment: Environment,
    /// What says where the user's cache folder is, where that is not the environment that settings come from.
    cache_environment: Option<Environment>,
    /// The keyring that the program brought along, in place of the system's.
    keyring: Option<Arc<dyn Keyring>>,
    /// What messages call an option, where that is not the setting's name.
    option_name: Option<fn(&'static str) -> Cow<'static, str>>,
}

impl ConfigBuilder {
    /// The client id. Required, unless the environment has it: RFC 6749 section 2.2.
    #[must_use]
    pub fn client_id(self, id: impl AsRef<str>) -> Self {
        self.with(Key::ClientId, id.as_ref())
    }

    /// The client secret. Required together with the id, unless [`client_secret_file`](Self::client_secret_file) names a file with it.
    #[must_use]
    pub fn client_secret(self, secret: impl Into<Secret>) -> Self {
        self.with(Key::ClientSecret, secret.into().expose())
    }

    /// A file that holds the secret: at most 64 KiB, one newline at its end is not part of the secret.
    ///
    /// It is read when the configuration is made, and anew for every token request, so that rotation needs no restart. A path that is not
    /// UTF-8 is not accepted.
    #[must_use]
    pub fn client_secret_file(self, path: impl AsRef<Path>) -> Self {
        self.with_path(Key::ClientSecretFile, path.as_ref())
    }

    /// Scheme, host and port of Atlas, without a path. Default: `https://cloud.mongodb.com`.
    ///
    /// Https, or http on loopback. A server behind a path prefix is named by [`token_url`](Self::token_url).
    #[must_use]
    pub fn base_url(self, url: impl AsRef<str>) -> Self {
        self.with(Key::BaseUrl, url.as_ref())
    }

    /// The token endpoint of another OAuth 2.0 server, instead of a base URL; its query is kept.
    #[must_use]
    pub fn token_url(self, url: impl AsRef<str>) -> Self {
        self.with(Key::TokenUrl, url.as_ref())
    }

    /// The revocation endpoint (RFC 7009). With a base URL it is known; with a token URL there is none unless it is given.
    #[must_use]
    pub fn revocation_url(self, url: impl AsRef<str>) -> Self {
        self.with(Key::RevocationUrl, url.as_ref())
    }

    /// How the client proves who it is. Default: [`ClientAuthentication::BasicRaw`] with a base URL,
    /// [`ClientAuthentication::Basic`] with a token URL.
    #[must_use]
    pub fn auth_method(self, method: ClientAuthentication) -> Self {
        self.with(Key::AuthMethod, method.name())
    }

    /// The scope to ask for: RFC 6749 section 3.3. Atlas wants none.
    #[must_use]
    pub fn scope(self, scope: impl AsRef<str>) -> Self {
        self.with(Key::Scope, scope.as_ref())
    }

    /// The audience to ask for, where the server has that parameter.
    #[must_use]
    pub fn audience(self, audience: impl AsRef<str>) -> Self {
        self.with(Key::Audience, audience.as_ref())
    }

    /// The resource to ask for: an absolute URI without fragment (RFC 8707).
    #[must_use]
    pub fn resource(self, resource: impl AsRef<str>) -> Self {
        self.with(Key::Resource, resource.as_ref())
    }

    /// For how long one refresh may take, and how long a caller waits who names no deadline. Default: 30 seconds.
    ///
    /// From one millisecond to ten minutes; a part of a millisecond counts as a whole one.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(Key::Timeout, &timeout.as_nanos().div_ceil(1_000_000).to_string())
    }

    /// A PEM file with the authorities to trust. A path that is not UTF-8 is not accepted.
    #[must_use]
    pub fn ca_file(self, path: impl AsRef<Path>) -> Self {
        self.with_path(Key::CaFile, path.as_ref())
    }

    /// The profile to use, of those in the file of profiles and of the Atlas CLI. Default: `default`, where there is one.
    ///
    /// Files are read only where the environment is.
    #[must_use]
    pub fn profile(self, name: impl AsRef<str>) -> Self {
        self.with(Key::Profile, name.as_ref())
    }

    /// Whether processes share tokens in files. Default: yes.
    #[must_use]
    pub fn cache(self, on: bool) -> Self {
        self.with(Key::Cache, if on { "on" } else { "off" })
    }

    /// The folder for shared tokens. Default: `tokenwell` in the user's cache folder. A path that is not UTF-8 is not accepted.
    #[must_use]
    pub fn cache_dir(self, path: impl AsRef<Path>) -> Self {
        self.with_path(Key::CacheDir, path.as_ref())
    }

    /// Whether a cache folder that others may open is used all the same: for containers that mount it so. Default: no.
    #[must_use]
    pub fn cache_unsafe(self, on: bool) -> Self {
        self.with(Key::CacheUnsafe, if on { "on" } else { "off" })
    }

    /// For tests: a clock that reads `wall_ms` milliseconds since the Unix epoch and moves only when it is told to.
    #[must_use]
    pub fn manual_clock(self, wall_ms: u64) -> Self {
        self.with(Key::ManualClock, &wall_ms.to_string())
    }

    /// Whether what is not set here comes from the environment (`TOKENWELL_*`, then `MONGODB_ATLAS_*`, then `MCLI_*`) and below it from a
    /// profile in a file. Default: no.
    #[must_use]
    pub fn from_environment(mut self, read: bool) -> Self {
        self.environment = if read { Environment::Process } else { Environment::Unread };
        self
    }

    /// Takes what is not set here from the environment and from profiles. They are read while [`build`](Self::build) runs.
    pub fn use_environment(&mut self) {
        self.environment = Environment::Process;
    }

    /// As [`from_environment`](Self::from_environment), with `lookup` in place of the process's own variables: a file of
    /// variables that the program has read, or a test's. It also says where the user's folders are (`HOME`, `XDG_CACHE_HOME` …).
    #[must_use]
    pub fn environment(mut self, lookup: impl Fn(&str) -> Option<OsString> + Send + Sync + 'static) -> Self {
        self.environment = Environment::Given(Arc::new(lookup));
        self
    }

    /// The user's cache folder is where the process's own variables say, whatever [`environment`](Self::environment) says: for a program that hides
    /// variables from itself, so as not to find files of settings, and still shares tokens with others.
    #[must_use]
    pub fn cache_folder_of_the_process(mut self) -> Self {
        self.cache_environment = Some(Environment::Process);
        self
    }

    /// A keyring for the secrets of profiles, in place of the system's.
    #[must_use]
    pub fn keyring(mut self, keyring: Arc<dyn Keyring>) -> Self {
        self.keyring = Some(keyring);
        self
    }

    /// What messages call an option, by the name of its setting: a command names the flag that its user has typed. Values that were given before are
    /// still called by their settings' names where they are wrong.
    #[must_use]
    pub fn option_names(mut self, option_name: fn(&'static str) -> Cow<'static, str>) -> Self {
        self.option_name = Some(option_name);
        self
    }

    /// Gives the setting called `name` the value `value`, as text; see [`settings`] for the names.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an unknown name, naming the known ones, or a value that is not acceptable, naming the setting;
    /// [`Error::Refused`] for a URL that the secret must not be sent to. The setting keeps the value it had before.
    pub fn set(&mut self, name: &str, value: &[u8]) -> Result<(), Error> {
        self.accept(by_name(name)?, value)
    }

    /// Makes the configuration. The builder can be used again.
    ///
    /// # Errors
    /// - The error of the first setting, in the order of [`settings`], whose value was not acceptable.
    /// - [`Error::NoCredential`] when there is neither id nor secret: it lists the places that were looked at.
    /// - [`Error::NotConfigured`] when there is only half a pair, when settings contradict each other, or when a profile that was asked for or the
    ///   file with the secret cannot be used. The message names the places.
    /// - [`Error::InvalidArgument`] or [`Error::Refused`] for the value of a variable or of a profile, naming the variable or the line; for a file of
    ///   profiles that has mistakes in it or is open to others.
    pub fn build(&self) -> Result<Config, Error> {
        if let Some(error) = self.rejected.values().next() {
            return Err(error.clone());
        }
        self.assembled().map_err(|error| self.with_misspelt_variables(error))
    }

    fn assembled(&self) -> Result<Config, Error> {
        let mut sources = vec![self.source()];
        sources.extend(self.environment.sources());
        sources.extend(self.environment.of_the_host());
        let keyring = self.keyring.clone().unwrap_or_else(keyring::system);
        let below = profiles::sources(&self.environment, &sources, &keyring)?;
        sources.extend(below);
        let circumstances = Circumstances {
            environment_is_read: self.environment.is_read(),
            api_key_variables: self.environment.api_key_variables(),
            token_variables: self.environment.token_variables(),
        };
        let users_cache = self.cache_environment.as_ref().unwrap_or(&self.environment).cache_folder();
        resolve(&sources, &circumstances, users_cache)
    }

    /// Where something is not set, a variable that was misspelt is most likely the reason.
    fn with_misspelt_variables(&self, mut error: Error) -> Error {
        match &mut error {
            Error::NoCredential { checked_sources, .. } => {
                checked_sources.extend(self.environment.unknown_variables().iter().map(ToString::to_string))
            }
            Error::NotConfigured { problem, .. } => {
                for unknown in self.environment.unknown_variables().iter().filter(|unknown| unknown.nearest().is_some()) {
                    problem.push_str(&format!("; {unknown}"));
                }
            }
            _ => {}
        }
        error
    }

    fn source(&self) -> Source {
        let entry = |setting: &Setting| Entry {
            key: setting.key,
            place: self.place(setting),
            found: self.options.get(&setting.key).map_or(Found::Nothing, |text| Found::Text(text.clone())),
            in_keyring: false,
        };
        Source { origin: Origin::Options, entries: settings().map(entry).collect(), finding: None }
    }

    fn place(&self, setting: &Setting) -> Cow<'static, str> {
        self.option_name.map_or(setting.name().into(), |option_name| option_name(setting.name()))
    }

    fn with(self, key: Key, text: &str) -> Self {
        self.with_bytes(key, text.as_bytes())
    }

    fn with_path(self, key: Key, path: &Path) -> Self {
        // Where the path is no text, these bytes are no UTF-8 either, and the rule of all values says so.
        self.with_bytes(key, path.as_os_str().as_encoded_bytes())
    }

    fn with_bytes(mut self, key: Key, value: &[u8]) -> Self {
        if let Err(error) = self.accept(key.setting(), value) {
            self.rejected.insert(key, error);
        }
        self
    }

    fn accept(&mut self, setting: &Setting, value: &[u8]) -> Result<(), Error> {
        let text = setting.check(&self.place(setting), value)?;
        self.options.insert(setting.key, Secret::from(text));
        self.rejected.remove(&setting.key);
        Ok(())
    }
}

impl fmt::Debug for ConfigBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ConfigBuilder");
        for (key, value) in &self.options {
            let (setting, text) = (key.setting(), value.expose());
            shown.field(setting.name(), if setting.is_secret() { &value } else { &text });
        }
        shown.field("environment", &self.environment).finish()
    }
}
