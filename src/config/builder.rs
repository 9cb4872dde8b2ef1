//! [`ConfigBuilder`]: options set in code, by method or by name.

use super::authorities::SYSTEM;
#[cfg(any(test, feature = "capi"))]
use super::environment::LOG_VARIABLE;
use super::environment::{Environment, Unavailable};
use super::keyring::{self, Keyring};
use super::live_servers;
use super::profiles;
use super::proxy::{NONE, proxy_to_show};
use super::rules::switch;
use super::secret_provider::SecretProvider;
use super::setting::{Key, Setting, by_name, settings};
use super::sources::{Entry, Found, Origin, SearchContext, Source, resolve};
use super::unknown_variable::EMULATOR_VARIABLE;
use super::{ClientAuthentication, Config, UnknownVariable};
use crate::error::Error;
use crate::platform;
use crate::secret::Secret;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Collects settings and builds a [`Config`]; create one with [`Config::builder`].
///
/// Every value is validated when it is set. [`ConfigBuilder::set`] returns an error immediately;
/// the chainable methods keep the error for [`ConfigBuilder::build`]. Setting a value again
/// replaces it.
///
/// `Debug` shows everything except the secret. Copies of secrets are wiped from memory when the
/// builder is dropped.
#[derive(Clone, Default)]
pub struct ConfigBuilder {
    options: BTreeMap<Key, Secret>,
    /// The errors of values set with the chainable methods.
    rejected: BTreeMap<Key, Error>,
    environment: Environment,
    /// Whether the variables of the process are used to find the user's cache directory, instead of
    /// those of `environment`.
    process_cache_dir: bool,
    /// The program's own keyring, used instead of the system's.
    keyring: Option<Arc<dyn Keyring>>,
    /// The program's own provider of the client secret.
    secret_provider: Option<Arc<dyn SecretProvider>>,
    /// Returns the name of an option for messages, if it is not the name of the setting.
    option_name: Option<fn(&'static str) -> Cow<'static, str>>,
}

impl ConfigBuilder {
    /// Sets the client id. Required, unless it is in the environment: RFC 6749 section 2.2.
    #[must_use]
    pub fn client_id(self, id: impl AsRef<str>) -> Self {
        self.with(Key::ClientId, id.as_ref())
    }

    /// Sets the client secret. Required with the id, unless
    /// [`client_secret_file`](Self::client_secret_file) names a file that contains it.
    #[must_use]
    pub fn client_secret(self, secret: impl Into<Secret>) -> Self {
        self.with(Key::ClientSecret, secret.into().expose())
    }

    /// Sets the file that contains the secret: at most 64 KiB, not counting one newline at its end.
    ///
    /// The file is read when the configuration is built and again for every token request, so that
    /// rotation needs no restart. A path that is not UTF-8 is rejected.
    #[must_use]
    pub fn client_secret_file(self, path: impl AsRef<Path>) -> Self {
        self.with_path(Key::ClientSecretFile, path.as_ref())
    }

    /// Sets a provider that delivers the client secret whenever one is needed, instead of
    /// [`client_secret`](Self::client_secret). [`client_id`](Self::client_id) must be set too.
    #[must_use]
    pub fn secret_provider(mut self, provider: Arc<dyn SecretProvider>) -> Self {
        self.set_secret_provider(Some(provider));
        self
    }

    /// As [`secret_provider`](Self::secret_provider); `None` removes the provider.
    pub fn set_secret_provider(&mut self, provider: Option<Arc<dyn SecretProvider>>) {
        self.secret_provider = provider;
    }

    /// Sets scheme, host and port of Atlas, without a path. Default: `https://cloud.mongodb.com`.
    ///
    /// The scheme is https, or http on loopback. For a server behind a path prefix, use
    /// [`token_url`](Self::token_url).
    #[must_use]
    pub fn base_url(self, url: impl AsRef<str>) -> Self {
        self.with(Key::BaseUrl, url.as_ref())
    }

    /// Sets the token endpoint of another OAuth 2.0 server, instead of a base URL. Its query is
    /// kept.
    #[must_use]
    pub fn token_url(self, url: impl AsRef<str>) -> Self {
        self.with(Key::TokenUrl, url.as_ref())
    }

    /// Sets the revocation endpoint (RFC 7009). The default is derived from the base URL; a server
    /// that is set with a token URL has no default.
    #[must_use]
    pub fn revocation_url(self, url: impl AsRef<str>) -> Self {
        self.with(Key::RevocationUrl, url.as_ref())
    }

    /// Sets how the client authenticates. Default: [`ClientAuthentication::BasicRaw`] with a base
    /// URL, [`ClientAuthentication::Auto`] with a token URL.
    #[must_use]
    pub fn auth_method(self, method: ClientAuthentication) -> Self {
        self.with(Key::AuthMethod, method.name())
    }

    /// Sets the scope to request: RFC 6749 section 3.3. Atlas requires none.
    #[must_use]
    pub fn scope(self, scope: impl AsRef<str>) -> Self {
        self.with(Key::Scope, scope.as_ref())
    }

    /// Sets the audience to request, for servers that have this parameter.
    #[must_use]
    pub fn audience(self, audience: impl AsRef<str>) -> Self {
        self.with(Key::Audience, audience.as_ref())
    }

    /// Sets the resource to request: an absolute URI without fragment (RFC 8707).
    #[must_use]
    pub fn resource(self, resource: impl AsRef<str>) -> Self {
        self.with(Key::Resource, resource.as_ref())
    }

    /// Sets the time limit of one refresh. It is also how long a caller without a deadline waits.
    /// Default: 30 seconds.
    ///
    /// From one millisecond to ten minutes; a fraction of a millisecond is rounded up.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(Key::Timeout, &timeout.as_nanos().div_ceil(1_000_000).to_string())
    }

    /// Sets the PEM file with the CA certificates to trust, instead of those of the environment or
    /// the system. A path that is not UTF-8 is rejected.
    #[must_use]
    pub fn ca_file(self, path: impl AsRef<Path>) -> Self {
        self.with_path(Key::CaFile, path.as_ref())
    }

    /// Trusts the CA certificates of the operating system, even if `SSL_CERT_FILE` or
    /// `SSL_CERT_DIR` is set. The same as the value `system` of `ca_file`.
    #[must_use]
    pub fn ca_system(self) -> Self {
        self.with(Key::CaFile, SYSTEM)
    }

    /// Sets the CA certificates to trust as PEM, instead of a file.
    #[must_use]
    pub fn ca_pem(self, pem: impl AsRef<str>) -> Self {
        self.with(Key::CaPem, pem.as_ref())
    }

    /// Sets the proxy for https servers: `http://host:port` or `https://host:port`, also with user
    /// and password. Default: the proxy of `HTTPS_PROXY` or `ALL_PROXY`.
    #[must_use]
    pub fn proxy(self, url: impl AsRef<str>) -> Self {
        self.with(Key::Proxy, url.as_ref())
    }

    /// Connects to the server without a proxy, even if the environment sets one. The same as the
    /// value `none` of `proxy`.
    #[must_use]
    pub fn without_proxy(self) -> Self {
        self.with(Key::Proxy, NONE)
    }

    /// Sets the hosts that are reached without the proxy, separated by commas. Default: those of
    /// `NO_PROXY`, if the proxy comes from the environment too.
    #[must_use]
    pub fn no_proxy(self, hosts: impl AsRef<str>) -> Self {
        self.with(Key::NoProxy, hosts.as_ref())
    }

    /// Reads nothing from the environment: neither settings nor the proxy, the CA certificates and
    /// the user's cache directory. Cannot be combined with
    /// [`from_environment`](Self::from_environment).
    #[must_use]
    pub fn without_environment(self) -> Self {
        self.with(Key::Environment, "off")
    }

    /// Sets the profile to use, from `tokenwell/config.toml` or from the Atlas CLI. Default: the
    /// profile `default`, if it exists.
    ///
    /// Files are read only if the environment is read.
    #[must_use]
    pub fn profile(self, name: impl AsRef<str>) -> Self {
        self.with(Key::Profile, name.as_ref())
    }

    /// Sets whether processes share tokens in files. Default: yes.
    #[must_use]
    pub fn cache(self, on: bool) -> Self {
        self.with(Key::Cache, if on { "on" } else { "off" })
    }

    /// Sets the directory for shared tokens. Default: `tokenwell` in the user's cache directory. A
    /// path that is not UTF-8 is rejected.
    #[must_use]
    pub fn cache_dir(self, path: impl AsRef<Path>) -> Self {
        self.with_path(Key::CacheDir, path.as_ref())
    }

    /// Sets whether to use a cache directory that other users can access, for containers that mount
    /// it with such permissions. Default: no.
    #[must_use]
    pub fn cache_unsafe(self, on: bool) -> Self {
        self.with(Key::CacheUnsafe, if on { "on" } else { "off" })
    }

    /// Sets a manual clock, for tests: it starts at `wall_ms` milliseconds since the Unix epoch and
    /// changes only when the test advances it.
    #[must_use]
    pub fn manual_clock(self, wall_ms: u64) -> Self {
        self.with(Key::ManualClock, &wall_ms.to_string())
    }

    /// Sets whether values that are not set here are read from environment variables
    /// (`TOKENWELL_*`, then `MONGODB_ATLAS_*`, then `MCLI_*`) and then from a profile. Default: no.
    #[must_use]
    pub fn from_environment(mut self, read: bool) -> Self {
        self.environment.read_all(read);
        self
    }

    /// Reads values that are not set here from the environment and from profiles, while
    /// [`build`](Self::build) runs.
    pub fn use_environment(&mut self) {
        self.environment.read_all(true);
    }

    /// Uses no variable of the process, but only those that [`set_variable`](Self::set_variable)
    /// adds. Without any, the environment is empty.
    ///
    /// For a program whose environment other threads change: it copies the environment under its
    /// own lock. Which variables are read is the same as with those of the process.
    pub fn use_variables(&mut self) {
        self.environment.use_given();
    }

    /// Adds one variable to those that are used instead of the variables of the process; see
    /// [`use_variables`](Self::use_variables), which this call includes. A variable that tokenwell
    /// does not read is not kept.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the name is empty or contains a `=`, or if either contains a
    /// NUL.
    pub fn set_variable(&mut self, name: &[u8], value: &[u8]) -> Result<(), Error> {
        self.environment.give(name, value)
    }

    /// As [`from_environment`](Self::from_environment), but reads variables with `lookup` and not
    /// from the process: from a file of variables that the program has parsed, or in a test. The
    /// user's directories (`HOME`, `XDG_CACHE_HOME` …), the proxy and the CA certificates
    /// ([`route_variables`](super::route_variables)) also come from `lookup`.
    #[must_use]
    pub fn environment(mut self, lookup: impl Fn(&str) -> Option<OsString> + Send + Sync + 'static) -> Self {
        self.environment = Environment::of_lookup(Arc::new(lookup));
        self
    }

    /// Finds the user's cache directory with the variables of the process, even if
    /// [`environment`](Self::environment) is set. For a program that hides variables, so that no
    /// configuration file is found, but that shares tokens with other processes.
    #[must_use]
    pub fn process_cache_dir(mut self) -> Self {
        self.process_cache_dir = true;
        self
    }

    /// Sets a keyring for the secrets of profiles, to be used instead of the system's.
    #[must_use]
    pub fn keyring(mut self, keyring: Arc<dyn Keyring>) -> Self {
        self.keyring = Some(keyring);
        self
    }

    /// Sets the name of an option in messages, by the name of its setting: a command shows the flag
    /// that its user typed. Errors about values set before this call show the setting's name.
    #[must_use]
    pub fn option_names(mut self, option_name: fn(&'static str) -> Cow<'static, str>) -> Self {
        self.option_name = Some(option_name);
        self
    }

    /// Sets the setting `name` to `value`; see [`settings`] for the names.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an unknown name (the hint lists the known ones) or an invalid
    /// value; [`Error::Refused`] for a URL that the secret must not be sent to. The setting keeps
    /// its previous value.
    pub fn set(&mut self, name: &str, value: &[u8]) -> Result<(), Error> {
        self.accept(by_name(name)?, value)
    }

    /// Builds the configuration. The builder can be used again.
    ///
    /// # Errors
    /// - The error of the first setting, in the order of [`settings`], that was set to an invalid
    ///   value.
    /// - [`Error::NoCredential`] if no source has a client id or a client secret: it lists all
    ///   sources.
    /// - [`Error::NotConfigured`] if the id or the secret is missing, if settings contradict each
    ///   other, or if the requested profile or the file with the secret cannot be used. The message
    ///   names the sources.
    /// - [`Error::InvalidArgument`] for a variable that nothing reads, but whose name is misspelled or
    ///   names a server or a credential.
    /// - [`Error::InvalidArgument`] or [`Error::Refused`] for an invalid value of a variable or of
    ///   a profile (the message names the variable, or the file and line), and for a configuration
    ///   file that has syntax errors or insecure permissions.
    pub fn build(&self) -> Result<Config, Error> {
        if let Some(error) = self.rejected.values().next() {
            return Err(error.clone());
        }
        self.built(platform::is_privileged())
    }

    /// Builds the configuration. `privileged`: this process has more privileges than the user that
    /// started it.
    fn built(&self, privileged: bool) -> Result<Config, Error> {
        let environment = self.environment.in_effect(self.is_off()?, privileged);
        let config = self.assembled(&environment).map_err(|error| with_misspelled_variables(&environment, error))?;
        live_servers::refuse_mixed(&config)?;
        let off = environment.unavailable() == Some(Unavailable::Off);
        // A user with fewer privileges decides nothing about this process, not even that it fails.
        live_servers::refuse_inside_emulator(&config, || !privileged && self.environment.has_mark(EMULATOR_VARIABLE, off))?;
        check_variables(&environment)?;
        Ok(config)
    }

    /// As [`build`](Self::build) in a process with more privileges than the user that started it.
    #[cfg(test)]
    pub(crate) fn built_as_privileged(&self) -> Result<Config, Error> {
        self.built(true)
    }

    fn assembled(&self, environment: &Environment) -> Result<Config, Error> {
        let mut sources = vec![self.source()];
        sources.extend(environment.sources());
        sources.extend(environment.host_variables());
        let keyring = self.keyring.clone().unwrap_or_else(keyring::system);
        let below = profiles::sources(environment, &sources, &keyring)?;
        sources.extend(below);
        let context = SearchContext {
            environment_is_read: environment.is_read(),
            unavailable: environment.unavailable(),
            api_key_variables: environment.api_key_variables(),
            token_variables: environment.token_variables(),
            secret_provider: self.secret_provider.clone(),
        };
        let user_cache_dir = match environment.unavailable() {
            None if self.process_cache_dir => Environment::of_the_process().user_cache_dir(),
            _ => environment.user_cache_dir(),
        };
        resolve(&sources, &context, environment, user_cache_dir)
    }

    /// Returns whether the setting `environment` is off.
    fn is_off(&self) -> Result<bool, Error> {
        let Some(value) = self.options.get(&Key::Environment) else { return Ok(false) };
        let location = self.location(Key::Environment.setting());
        let off = !switch(&location, value.expose())?;
        if off && self.environment.is_requested() {
            return Err(Error::NotConfigured {
                problem: format!("{location} is off, but the client is created from the environment"),
                hint: format!("Remove {location}, or create the client without its from-environment constructor."),
            });
        }
        Ok(off)
    }

    /// Returns the value of TOKENWELL_LOG in the environment in effect.
    #[cfg(any(test, feature = "capi"))]
    pub(crate) fn log_variable(&self) -> Option<OsString> {
        let environment = self.environment.in_effect(self.is_off().unwrap_or(true), platform::is_privileged());
        environment.set(LOG_VARIABLE)
    }

    fn source(&self) -> Source {
        let entry = |setting: &Setting| Entry {
            key: setting.key,
            location: self.location(setting),
            found: self.options.get(&setting.key).map_or(Found::NotSet, |value| Found::Value(value.clone())),
            in_keyring: false,
        };
        Source { origin: Origin::Options, entries: settings().map(entry).collect(), remark: None }
    }

    fn location(&self, setting: &Setting) -> Cow<'static, str> {
        self.option_name.map_or(setting.name().into(), |option_name| option_name(setting.name()))
    }

    fn with(self, key: Key, value: &str) -> Self {
        self.with_bytes(key, value.as_bytes())
    }

    fn with_path(self, key: Key, path: &Path) -> Self {
        // If the path is not UTF-8, these bytes are not UTF-8 either, and `Setting::check` rejects
        // them.
        self.with_bytes(key, path.as_os_str().as_encoded_bytes())
    }

    fn with_bytes(mut self, key: Key, value: &[u8]) -> Self {
        if let Err(error) = self.accept(key.setting(), value) {
            self.rejected.insert(key, error);
        }
        self
    }

    fn accept(&mut self, setting: &Setting, value: &[u8]) -> Result<(), Error> {
        let text = setting.check(&self.location(setting), value)?;
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
            match key {
                Key::Proxy => shown.field(setting.name(), &proxy_to_show(text)),
                _ if setting.is_secret() => shown.field(setting.name(), value),
                _ => shown.field(setting.name(), &text),
            };
        }
        if self.secret_provider.is_some() {
            shown.field("secret_provider", &"set");
        }
        shown.field("environment", &self.environment).finish()
    }
}

/// Fails if a variable is set that nothing reads and that could have named another server or
/// credential. The other variables that nothing reads are reported once in a process.
pub(super) fn check_variables(environment: &Environment) -> Result<(), Error> {
    let unknown = environment.unknown_variables();
    if let Some(misleading) = unknown.iter().find(|unknown| unknown.is_misleading()) {
        return Err(misleading.error());
    }
    if !unknown.is_empty() {
        static WARNED: AtomicBool = AtomicBool::new(false);
        if !WARNED.swap(true, Ordering::Relaxed) {
            let names: Vec<_> = unknown.iter().map(UnknownVariable::name).collect();
            tracing::warn!(variables = names.join(", "), "environment variables are set that this version of tokenwell does not read");
        }
    }
    Ok(())
}

/// If something is not set, the most likely reason is a misspelled variable.
fn with_misspelled_variables(environment: &Environment, mut error: Error) -> Error {
    match &mut error {
        Error::NoCredential { checked_sources, hint } => {
            for unknown in environment.unknown_variables() {
                checked_sources.push(unknown.to_string());
                *hint = unknown.rename_hint() + hint;
            }
        }
        Error::NotConfigured { problem, hint } => {
            for unknown in environment.unknown_variables() {
                let Some(nearest) = unknown.nearest() else { continue };
                let is_missing = problem.contains(nearest);
                problem.push_str(&format!("; {unknown}"));
                // A value that is missing only because of the name needs no other remedy.
                *hint = if is_missing { unknown.rename_hint().trim_end().to_owned() } else { unknown.rename_hint() + hint };
            }
        }
        _ => {}
    }
    error
}
