//! Reads environment variables.
//!
//! The table of settings has their names; this module turns them into sources.

use super::setting::{FILE_VARIABLE, Family, Key, settings};
use super::sources::{Entry, Found, Origin, Source};
use super::unknown_variable::{OUR_PREFIX, UnknownVariable};
use crate::error::Error;
use crate::platform;
use crate::secret::Secret;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The environment of a configuration: the variables, and which of them are read.
#[derive(Clone, Debug, Default)]
pub(super) struct Environment {
    variables: Variables,
    /// Whether all settings and the profiles are read. Otherwise only the variables of the host
    /// are: those of the shared cache, the proxy, the certificate authorities and the log.
    all: bool,
}

#[derive(Clone, Default)]
enum Variables {
    /// The variables of this process.
    #[default]
    Process,
    /// A lookup function of the program.
    Custom(Lookup),
    /// Variables that the program passed.
    Given(Arc<GivenVariables>),
    /// No variable is read.
    Unavailable(Unavailable),
}

/// Why no variable is read, not even those of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unavailable {
    /// The setting `environment` is `off`.
    Off,
    /// The variables come from a user with fewer privileges than this process.
    Privileged,
}

impl Unavailable {
    /// Returns the end of a sentence: "not read, because …".
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Off => "the setting environment is off",
            Self::Privileged => {
                "this process has more privileges than the user that started it (set-user-ID, set-group-ID or capabilities)"
            }
        }
    }
}

/// A function from a variable's name to its value.
pub(super) type Lookup = Arc<dyn Fn(&str) -> Option<OsString> + Send + Sync>;

/// The values of variables by [`platform::variable_key`]. Only variables that tokenwell reads are
/// kept: the others may be secrets of other programs.
type GivenVariables = BTreeMap<Vec<u8>, Zeroizing<Vec<u8>>>;

/// Variables of programmatic API keys. They cannot be used, but a message about a missing
/// credential mentions them, because their user may believe that the credential is set.
pub(super) const API_KEY_VARIABLES: [&str; 6] = [
    "MONGODB_ATLAS_PUBLIC_KEY",
    "MONGODB_ATLAS_PUBLIC_API_KEY",
    "MONGODB_ATLAS_PRIVATE_KEY",
    "MONGODB_ATLAS_PRIVATE_API_KEY",
    "MCLI_PUBLIC_API_KEY",
    "MCLI_PRIVATE_API_KEY",
];

/// Variables of access tokens that another program has obtained.
pub(super) const TOKEN_VARIABLES: [&str; 2] = ["MONGODB_ATLAS_ACCESS_TOKEN", "MCLI_ACCESS_TOKEN"];

/// The variables of a proxy, in order of precedence.
pub(super) const PROXY_VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// The variables of the hosts that are reached without a proxy.
pub(super) const NO_PROXY_VARIABLES: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// The variables of OpenSSL for the certificate authorities.
pub(super) const CERTIFICATE_VARIABLES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// The variables of the user's directories.
const DIRECTORY_VARIABLES: [&str; 5] = ["HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "APPDATA", "LOCALAPPDATA"];

/// The variable that enables the log of the C library.
pub(super) const LOG_VARIABLE: &str = "TOKENWELL_LOG";

/// The settings that belong to the host and not to one program: their variables are read even if
/// the program did not request the environment.
fn belongs_to_the_host(key: Key) -> bool {
    matches!(key, Key::Cache | Key::CacheDir | Key::CacheUnsafe | Key::Proxy | Key::NoProxy)
}

/// Returns the variables that determine how a server is reached: of the proxy and of the
/// certificate authorities. Those of other programs are included, `HTTPS_PROXY` for example.
pub fn route_variables() -> impl Iterator<Item = &'static str> {
    let ours = settings().filter(|setting| matches!(setting.key, Key::Proxy | Key::NoProxy)).flat_map(|setting| setting.variables());
    ours.chain(PROXY_VARIABLES).chain(NO_PROXY_VARIABLES).chain(CERTIFICATE_VARIABLES)
}

/// Returns whether tokenwell reads the variable, or reports it because of its prefix.
fn is_known(name: &str) -> bool {
    name.starts_with(OUR_PREFIX)
        || name.starts_with("MONGODB_ATLAS_")
        || name.starts_with("MCLI_")
        || route_variables().chain(DIRECTORY_VARIABLES).chain([FILE_VARIABLE, LOG_VARIABLE]).any(|known| known == name)
}

impl Environment {
    /// Returns the variables of this process, or none if it is privileged.
    pub(super) fn of_the_process() -> Self {
        Self { variables: Variables::Process, all: true }.in_effect(false, platform::is_privileged())
    }

    pub(super) fn of_lookup(lookup: Lookup) -> Self {
        Self { variables: Variables::Custom(lookup), all: true }
    }

    /// Sets whether all settings and profiles are read from the variables.
    pub(super) fn read_all(&mut self, all: bool) {
        self.all = all;
    }

    /// Replaces all variables by those that [`give`](Self::give) adds. Those that were added before
    /// are kept.
    pub(super) fn use_given(&mut self) {
        if !matches!(self.variables, Variables::Given(_)) {
            self.variables = Variables::Given(Arc::default());
        }
    }

    /// Adds one variable, or replaces its value.
    pub(super) fn give(&mut self, name: &[u8], value: &[u8]) -> Result<(), Error> {
        const HINT: &str = "Pass the name and the value of one environment variable, without a terminating NUL.";
        if name.is_empty() {
            return Err(Error::invalid("name", "is empty", HINT));
        }
        // Windows has hidden variables whose names begin with `=`.
        if name.contains(&0) || name[1..].contains(&b'=') {
            return Err(Error::invalid("name", "contains a NUL or a `=`, which the name of a variable cannot contain", HINT));
        }
        if value.contains(&0) {
            return Err(Error::invalid("value", "contains a NUL, which the value of a variable cannot contain", HINT));
        }
        let key = platform::variable_key(name);
        self.use_given();
        if let Variables::Given(given) = &mut self.variables
            && is_known(&String::from_utf8_lossy(&key))
        {
            Arc::make_mut(given).insert(key, Zeroizing::new(value.to_owned()));
        }
        Ok(())
    }

    /// Returns the environment that is in effect. `off`: the setting `environment` is off.
    /// `privileged`: the variables come from a user who must not control this process.
    pub(super) fn in_effect(&self, off: bool, privileged: bool) -> Self {
        let variables = match (off, privileged) {
            (true, _) => Variables::Unavailable(Unavailable::Off),
            (false, true) => Variables::Unavailable(Unavailable::Privileged),
            (false, false) => self.variables.clone(),
        };
        Self { variables, all: self.all }
    }

    /// Returns whether the variables have `name`, although the setting `environment` may be off. Those of
    /// the process are not read then: another thread may change them, and the environment that the
    /// process was started with has the same mark.
    pub(super) fn has_mark(&self, name: &str, off: bool) -> bool {
        match &self.variables {
            Variables::Process if off => platform::is_started_with(name),
            _ => self.set(name).is_some(),
        }
    }

    /// Returns whether the program requested that all settings are read.
    pub(super) fn is_requested(&self) -> bool {
        self.all
    }

    /// Returns whether all settings and the profiles are read.
    pub(super) fn is_read(&self) -> bool {
        self.all && self.unavailable().is_none()
    }

    /// Returns why no variable is read, if that is so.
    pub(super) fn unavailable(&self) -> Option<Unavailable> {
        match self.variables {
            Variables::Unavailable(reason) => Some(reason),
            _ => None,
        }
    }

    /// Returns one source for each family of variables, highest precedence first; none if the
    /// environment is not read.
    pub(super) fn sources(&self) -> Vec<Source> {
        if !self.is_read() {
            return Vec::new();
        }
        Family::ALL.map(|family| self.source(family)).into()
    }

    /// Returns the variables of the host if the environment is not read otherwise.
    pub(super) fn host_variables(&self) -> Option<Source> {
        if self.is_read() || self.unavailable().is_some() {
            return None;
        }
        let mut source = self.source(Family::Tokenwell);
        source.entries.retain(|entry| belongs_to_the_host(entry.key));
        Some(source)
    }

    /// Returns the user's cache directory, which also belongs to the host; `Err` gives the reason
    /// why it is unknown.
    pub(super) fn user_cache_dir(&self) -> Result<PathBuf, &'static str> {
        match self.unavailable() {
            Some(unavailable) => Err(unavailable.reason()),
            None => platform::cache_dir(&|name| self.lookup(name)),
        }
    }

    /// Returns the variables of programmatic API keys that are set.
    pub(super) fn api_key_variables(&self) -> Vec<&'static str> {
        self.set_among(&API_KEY_VARIABLES)
    }

    /// Returns the variables of access tokens that are set.
    pub(super) fn token_variables(&self) -> Vec<&'static str> {
        self.set_among(&TOKEN_VARIABLES)
    }

    fn set_among(&self, names: &[&'static str]) -> Vec<&'static str> {
        let is_set = |name: &&&str| self.is_read() && matches!(self.find(name), Found::Value(_) | Found::NotUtf8);
        names.iter().filter(is_set).copied().collect()
    }

    /// Returns the variables that nothing reads, although their names suggest it. A lookup function
    /// cannot list its names.
    pub(super) fn unknown_variables(&self) -> Vec<UnknownVariable> {
        let is_set = |name: &str| matches!(self.find(name), Found::Value(_) | Found::NotUtf8);
        let mut unknown: Vec<_> = self.names().iter().filter_map(|name| UnknownVariable::of(name, is_set)).collect();
        unknown.sort_by(|one, other| one.name().cmp(other.name()));
        unknown
    }

    /// Returns the names of the variables that are set and not empty, as far as they can be listed.
    fn names(&self) -> Vec<String> {
        match &self.variables {
            _ if !self.is_read() => Vec::new(),
            Variables::Process => {
                // This copies every value, including secrets, so the copies are wiped.
                let all = std::env::vars_os().map(|(name, value)| (name, Zeroizing::new(value.into_encoded_bytes())));
                all.filter(|(_, value)| !value.is_empty()).map(|(name, _)| name.to_string_lossy().into_owned()).collect()
            }
            Variables::Given(given) => {
                given.iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect()
            }
            Variables::Custom(_) | Variables::Unavailable(_) => Vec::new(),
        }
    }

    /// Returns the value of one variable. An empty variable counts as not set wherever a value is
    /// used: see [`set`](Self::set).
    pub(super) fn lookup(&self, variable: &str) -> Option<OsString> {
        match &self.variables {
            Variables::Process => std::env::var_os(variable),
            Variables::Custom(lookup) => lookup(variable),
            Variables::Given(given) => given.get(&platform::variable_key(variable.as_bytes())).map(|value| platform::os_string(value)),
            Variables::Unavailable(_) => None,
        }
    }

    /// Returns the value of the first of these variables that is set and not empty, and its name.
    pub(super) fn first_set(&self, names: &[&'static str]) -> Option<(&'static str, OsString)> {
        names.iter().find_map(|name| Some((*name, self.set(name)?)))
    }

    /// Returns the value of one variable of another program, if it is set and not blank.
    pub(super) fn set(&self, name: &str) -> Option<OsString> {
        self.lookup(name).filter(|value| !value.as_encoded_bytes().trim_ascii().is_empty())
    }

    fn source(&self, family: Family) -> Source {
        let entries = settings().flat_map(|setting| {
            let variables = setting.variables_of(family);
            variables.iter().map(|variable| Entry {
                key: setting.key,
                location: (*variable).into(),
                found: self.find(variable),
                in_keyring: false,
            })
        });
        Source { origin: Origin::Variables, entries: entries.collect(), remark: None }
    }

    fn find(&self, variable: &str) -> Found {
        let Some(value) = self.lookup(variable) else { return Found::NotSet };
        let bytes = Zeroizing::new(value.into_encoded_bytes());
        match std::str::from_utf8(&bytes) {
            Ok("") => Found::Empty,
            Ok(value) => Found::Value(Secret::from(value)),
            Err(_) => Found::NotUtf8,
        }
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Process => "process",
            Self::Custom(_) => "lookup function",
            Self::Given(_) => "passed by the program",
            Self::Unavailable(_) => "not read",
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::config::Config;
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    #[test]
    fn every_variable_that_is_looked_up_is_kept_when_it_is_passed() {
        let seen = Arc::new(Mutex::new(BTreeSet::new()));
        let names = Arc::clone(&seen);
        let builder = Config::builder().environment(move |name| {
            names.lock().unwrap().insert(name.to_owned());
            (name == "HOME").then(|| "/home/nobody".into())
        });

        builder.build().unwrap_err();
        drop(builder.log_variable());
        let _ = builder.client_id("mdb_sa_id_1").client_secret("secret").build().unwrap();

        let seen = seen.lock().unwrap();
        let lost: Vec<_> = seen.iter().filter(|name| !is_known(name)).collect();
        assert!(lost.is_empty() && seen.len() > 30, "{lost:?} of {seen:?}");
    }

    #[test]
    fn a_variable_of_another_program_is_not_kept() {
        let mut environment = Environment::default();
        for name in ["AWS_SECRET_ACCESS_KEY", "PATH", "HTTP_PROXY", "=C:"] {
            environment.give(name.as_bytes(), b"canary").unwrap();
        }

        assert!(matches!(&environment.variables, Variables::Given(given) if given.is_empty()));
        assert!(environment.lookup("PATH").is_none(), "the process's variables are not read either");
    }

    #[test]
    fn a_name_or_value_that_cannot_be_a_variable_is_an_error_that_shows_no_value() {
        let mut environment = Environment::default();
        for (name, value) in [(&b""[..], &b"canary"[..]), (b"A\0B", b"canary"), (b"A=canary", b""), (b"A", b"canary\0")] {
            let error = environment.give(name, value).unwrap_err();
            assert!(!format!("{error} {error:?} {}", error.hint()).contains("canary"), "{error}");
        }
    }

    #[test]
    fn r5_a_privileged_process_says_why_something_is_missing() {
        let hostile = |name: &str| match name {
            "TOKENWELL_CLIENT_ID" | "TOKENWELL_CLIENT_SECRET" => Some("hostile".into()),
            "HOME" => Some("/home/hostile".into()),
            _ => None,
        };
        let builder = || Config::builder().environment(hostile);

        let error = builder().built_as_privileged().unwrap_err();
        let shown = format!("{error} {}", error.hint());
        assert!(shown.contains("not read, because this process has more privileges") && shown.contains("client_secret_file"), "{shown}");
        let error = builder().profile("staging").built_as_privileged().unwrap_err();
        assert!(error.to_string().contains("profiles are not read, because this process has more privileges"), "{error}");
        let config = builder().client_id("mdb_sa_id_1").client_secret("secret").built_as_privileged().unwrap();
        assert!(config.client_id() == "mdb_sa_id_1" && config.resolved_cache_dir().is_err());
    }

    #[test]
    fn r5_a_privileged_process_reads_no_variable_wherever_it_comes_from() {
        let mut given = Environment::default();
        given.give(b"HOME", b"/home/hostile").unwrap();
        for environment in [Environment::of_the_process(), Environment::of_lookup(Arc::new(|_| Some("hostile".into()))), given] {
            let privileged = environment.in_effect(false, true);

            assert!(!privileged.is_read() && privileged.sources().is_empty() && privileged.host_variables().is_none());
            for name in route_variables().chain(DIRECTORY_VARIABLES).chain([FILE_VARIABLE, LOG_VARIABLE, "TOKENWELL_CLIENT_ID"]) {
                assert_eq!(privileged.lookup(name), None, "{name}");
            }
            assert!(privileged.user_cache_dir().unwrap_err().contains("more privileges"));
            assert!(privileged.unknown_variables().is_empty());
        }
    }
}
