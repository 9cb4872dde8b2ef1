//! Reads environment variables.
//!
//! The table of settings has their names; this module turns them into sources.

use super::setting::{Family, Key, settings};
use super::sources::{Entry, Found, Origin, Source};
use super::unknown_variable::UnknownVariable;
use crate::platform;
use crate::secret::Secret;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The environment to read variables from.
#[derive(Clone, Default)]
pub(super) enum Environment {
    /// The environment is not read at all.
    #[default]
    Unread,
    /// The variables of this process.
    Process,
    /// A lookup function of the program.
    Custom(Lookup),
}

/// A function from a variable's name to its value.
pub(super) type Lookup = Arc<dyn Fn(&str) -> Option<OsString> + Send + Sync>;

/// Variables of programmatic API keys. They cannot be used, but a message about a missing
/// credential mentions them, because their user may believe that the credential is set.
const API_KEY_VARIABLES: [&str; 6] = [
    "MONGODB_ATLAS_PUBLIC_KEY",
    "MONGODB_ATLAS_PUBLIC_API_KEY",
    "MONGODB_ATLAS_PRIVATE_KEY",
    "MONGODB_ATLAS_PRIVATE_API_KEY",
    "MCLI_PUBLIC_API_KEY",
    "MCLI_PRIVATE_API_KEY",
];

/// Variables of access tokens that another program has obtained.
const TOKEN_VARIABLES: [&str; 2] = ["MONGODB_ATLAS_ACCESS_TOKEN", "MCLI_ACCESS_TOKEN"];

impl Environment {
    pub(super) fn is_read(&self) -> bool {
        !matches!(self, Self::Unread)
    }

    /// Returns one source for each family of variables, highest precedence first; none if the
    /// environment is not read.
    pub(super) fn sources(&self) -> Vec<Source> {
        if !self.is_read() {
            return Vec::new();
        }
        Family::ALL.map(|family| self.source(family)).into()
    }

    /// Returns the variables of the shared cache if the environment is not read otherwise. The
    /// cache belongs to the host and not to one program, like a proxy, so these variables always
    /// apply.
    pub(super) fn cache_variables(&self) -> Option<Source> {
        if self.is_read() {
            return None;
        }
        let mut source = Self::Process.source(Family::Tokenwell);
        source.entries.retain(|entry| matches!(entry.key, Key::Cache | Key::CacheDir | Key::CacheUnsafe));
        Some(source)
    }

    /// Returns the user's cache directory, which also belongs to the host; `Err` names the missing
    /// variable.
    pub(super) fn user_cache_dir(&self) -> Result<PathBuf, &'static str> {
        match self {
            Self::Unread | Self::Process => platform::cache_dir(&|name| std::env::var_os(name)),
            Self::Custom(lookup) => platform::cache_dir(&|name| lookup(name)),
        }
    }

    /// Returns the variables of programmatic API keys that are set.
    pub(super) fn api_key_variables(&self) -> Vec<&'static str> {
        API_KEY_VARIABLES.into_iter().filter(|name| matches!(self.find(name), Found::Value(_) | Found::NotUtf8)).collect()
    }

    /// Returns the variables of access tokens that are set.
    pub(super) fn token_variables(&self) -> Vec<&'static str> {
        TOKEN_VARIABLES.into_iter().filter(|name| matches!(self.find(name), Found::Value(_) | Found::NotUtf8)).collect()
    }

    /// Returns the variables of the process that have our prefix but that nothing reads. A lookup
    /// function cannot list its names.
    pub(super) fn unknown_variables(&self) -> Vec<UnknownVariable> {
        if !matches!(self, Self::Process) {
            return Vec::new();
        }
        // This copies every value, including secrets, so the copies are wiped.
        let names = std::env::vars_os().map(|(name, value)| (name, Zeroizing::new(value.into_encoded_bytes())));
        let set = names.filter(|(_, value)| !value.is_empty()).map(|(name, _)| name);
        let mut unknown: Vec<_> = set.filter_map(|name| UnknownVariable::of(&name.to_string_lossy())).collect();
        unknown.sort_by(|one, other| one.name().cmp(other.name()));
        unknown
    }

    /// Returns the value of one variable.
    pub(super) fn lookup(&self, variable: &str) -> Option<OsString> {
        match self {
            Self::Unread => None,
            Self::Process => std::env::var_os(variable),
            Self::Custom(lookup) => lookup(variable),
        }
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

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unread => "not read",
            Self::Process => "process",
            Self::Custom(_) => "lookup function",
        })
    }
}
