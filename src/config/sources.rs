//! Combines several sources into one [`Config`]. Each source may have any of the settings.
//!
//! A source is a list of locations and of the values found there. The options in code are one
//! source. Each family of environment variables is one, and so is each profile in a file.

use super::authorities::Authorities;
use super::environment::{Environment, Unavailable};
use super::pair::{Pair, PairSecret};
use super::proxy::ProxySettings;
use super::rules::{authentication, manual_clock, switch, timeout};
use super::secret_provider::{LOCATION, SecretProvider};
use super::server::Server;
use super::setting::{Key, settings};
use super::{ClientAuthentication, Config, Provenance};
use crate::error::Error;
use crate::secret::Secret;
use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// One source: locations in the order of precedence. A setting may have several locations, or none.
pub(super) struct Source {
    pub(super) origin: Origin,
    pub(super) entries: Vec<Entry>,
    /// A remark about the whole source for messages: "no such file".
    pub(super) remark: Option<String>,
}

/// The kind of a source.
pub(super) enum Origin {
    /// Options in code or on a command line.
    Options,
    /// A family of environment variables.
    Variables,
    /// A profile in a file, with its description: "profile staging in
    /// /home/x/.config/tokenwell/config.toml".
    File(String),
}

/// One location of one setting.
pub(super) struct Entry {
    pub(super) key: Key,
    /// The option, variable or line of a file, for messages.
    pub(super) location: Cow<'static, str>,
    pub(super) found: Found,
    /// Whether the value is in a keyring. The rest of the source is in a file.
    pub(super) in_keyring: bool,
}

/// The value found at a location. Every value is stored as a secret, so that all are handled alike.
pub(super) enum Found {
    NotSet,
    /// Counts as not set; only messages distinguish the two.
    Empty,
    Value(Secret),
    /// Counts as a value. It is an error only if it is used.
    NotUtf8,
}

impl Source {
    pub(super) fn get(&self, key: Key) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key && entry.is_set())
    }

    /// Returns whether it has an id, a secret or the path of a file with a secret.
    pub(super) fn has_credential(&self) -> bool {
        self.credential_locations().any(Entry::is_set)
    }

    /// Returns the locations of its client id and client secret, as far as they are set.
    pub(super) fn credential_location_names(&self) -> Vec<&str> {
        self.credential_locations().filter(|entry| entry.is_set()).map(|entry| &*entry.location).collect()
    }

    pub(super) fn description(&self) -> &str {
        match &self.origin {
            Origin::Options => "options",
            Origin::Variables => "environment variables",
            Origin::File(description) => description,
        }
    }

    /// Describes the source and the values found in it, for the list of sources without a
    /// credential.
    pub(super) fn summary(&self) -> String {
        match (&self.origin, &self.remark) {
            (Origin::File(description), Some(remark)) => format!("{description}: {remark}"),
            (Origin::File(description), None) => format!("{description}: no client_id and no client secret"),
            (Origin::Options | Origin::Variables, _) => {
                let locations: Vec<_> = self.credential_locations().map(Entry::described).collect();
                format!("{} {}", self.description(), locations.join(", "))
            }
        }
    }

    pub(super) fn provenance(&self, entry: &Entry) -> String {
        match &self.origin {
            _ if entry.in_keyring => entry.location.to_string(),
            Origin::Options if is_description(&entry.location) => entry.location.to_string(),
            Origin::Options => format!("option {}", entry.location),
            Origin::Variables => format!("environment variable {}", entry.location),
            Origin::File(description) => description.clone(),
        }
    }

    /// Names one of its entries in a sentence: "the option proxy", "HTTPS_PROXY".
    pub(super) fn named(&self, entry: &Entry) -> String {
        match &self.origin {
            Origin::Options if !is_description(&entry.location) => format!("the option {}", entry.location),
            Origin::Options | Origin::Variables | Origin::File(_) => entry.location.to_string(),
        }
    }

    pub(super) fn credential_locations(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| matches!(entry.key, Key::ClientId | Key::ClientSecret | Key::ClientSecretFile))
    }
}

/// Whether the program describes where an option is from, instead of its name: "the prompt for the secret".
fn is_description(option: &str) -> bool {
    option.contains(' ')
}

impl Entry {
    pub(super) fn is_set(&self) -> bool {
        matches!(self.found, Found::Value(_) | Found::NotUtf8)
    }

    /// Returns the value, if it is valid.
    pub(super) fn value(&self) -> Result<&str, Error> {
        match &self.found {
            Found::Value(value) => self.key.setting().check(&self.location, value.expose().as_bytes()),
            Found::NotUtf8 => Err(Error::invalid(&*self.location, "is not UTF-8", "Set a value that is UTF-8.")),
            Found::NotSet | Found::Empty => Err(Error::internal(format!("{} was used without being set", self.location))),
        }
    }

    fn described(&self) -> String {
        let found = match self.found {
            Found::NotSet => "not set",
            Found::Empty => "empty",
            Found::Value(_) | Found::NotUtf8 => "set",
        };
        format!("{} ({found})", self.location)
    }
}

/// Builds the configuration; the first of the `sources` wins. `context` affects only the message
/// about a missing credential. `user_cache_dir` is the user's cache directory, used if no source
/// sets `cache_dir`. `environment` has the variables of the proxy and the certificate authorities.
pub(super) fn resolve(
    sources: &[Source],
    context: &SearchContext,
    environment: &Environment,
    user_cache_dir: Result<PathBuf, &'static str>,
) -> Result<Config, Error> {
    let pair = Pair::find(sources, context)?;
    let server = Server::find(sources)?;
    let authentication = first(sources, Key::AuthMethod, authentication)?.unwrap_or(server.default_authentication);
    if authentication == ClientAuthentication::Auto && server.api_base.is_some() {
        return Err(automatic_at_atlas(sources));
    }
    let timeout = first(sources, Key::Timeout, timeout)?.unwrap_or(DEFAULT_TIMEOUT);
    Ok(Config {
        credentials: pair.credentials(authentication, timeout, server.recipient())?,
        token_endpoint: server.token_endpoint.clone(),
        revocation_endpoint: server.revocation_endpoint.clone(),
        api_base: server.api_base.clone(),
        authentication,
        scope: first(sources, Key::Scope, owned)?,
        audience: first(sources, Key::Audience, owned)?,
        resource: first(sources, Key::Resource, owned)?,
        timeout,
        authorities: Authorities::find(sources, environment)?,
        proxy: ProxySettings::find(sources, environment)?,
        cache: first(sources, Key::Cache, switch)?.unwrap_or(true),
        cache_dir: first(sources, Key::CacheDir, owned)?.map(PathBuf::from),
        user_cache_dir,
        cache_unsafe: first(sources, Key::CacheUnsafe, switch)?.unwrap_or(false),
        provenance: provenance(sources, &pair, &server),
        manual_clock_ms: first(sources, Key::ManualClock, manual_clock)?,
    })
}

/// Details for the message about a missing credential.
pub(super) struct SearchContext {
    pub(super) environment_is_read: bool,
    /// Why no variable is read, if that is so.
    pub(super) unavailable: Option<Unavailable>,
    /// The variables of programmatic API keys that are set.
    pub(super) api_key_variables: Vec<&'static str>,
    /// The variables of access tokens that are set.
    pub(super) token_variables: Vec<&'static str>,
    /// The program's own provider of the secret. It is one of the options.
    pub(super) secret_provider: Option<Arc<dyn SecretProvider>>,
}

/// The source of a setting that no source sets.
pub(super) const THE_DEFAULT: &str = "the default";

/// Returns the source of each setting in effect, in the order of the table of settings.
fn provenance(sources: &[Source], pair: &Pair<'_>, server: &Server<'_>) -> Vec<Provenance> {
    let winner = |key: Key| match key {
        Key::ClientId => Some((pair.id_source, pair.id)),
        Key::ClientSecret | Key::ClientSecretFile => match pair.secret {
            PairSecret::Entry(secret) if secret.key == key => Some((pair.secret_source, secret)),
            _ => None,
        },
        Key::BaseUrl | Key::TokenUrl => server.named_by.filter(|(_, entry)| entry.key == key),
        Key::RevocationUrl => winner(server.trusted, key),
        _ => winner(sources, key),
    };
    let by_default = |key: Key| match key {
        Key::BaseUrl => server.named_by.is_none(),
        Key::AuthMethod | Key::Timeout | Key::Cache => true,
        _ => false,
    };
    let origin = |key: Key| match (winner(key), &pair.secret) {
        (Some((source, entry)), _) => Some(source.provenance(entry)),
        (None, PairSecret::Provider(_)) if key == Key::ClientSecret => Some(LOCATION.to_owned()),
        (None, _) => by_default(key).then(|| THE_DEFAULT.to_owned()),
    };
    settings().filter_map(|setting| origin(setting.key).map(|source| Provenance { setting: setting.name(), source })).collect()
}

/// Returns the first source that has `key`, and its entry.
pub(super) fn winner(sources: &[Source], key: Key) -> Option<(&Source, &Entry)> {
    sources.iter().find_map(|source| Some((source, source.get(key)?)))
}

/// Returns the value of `key` from the first source that has it.
pub(super) fn first<T>(sources: &[Source], key: Key, parse: impl Fn(&str, &str) -> Result<T, Error>) -> Result<Option<T>, Error> {
    winner(sources, key).map(|(_, entry)| parse(&entry.location, entry.value()?)).transpose()
}

fn owned(_location: &str, value: &str) -> Result<String, Error> {
    Ok(value.to_owned())
}

fn automatic_at_atlas(sources: &[Source]) -> Error {
    let location = winner(sources, Key::AuthMethod).map_or(Key::AuthMethod.setting().name(), |(_, entry)| &*entry.location);
    Error::invalid(
        location,
        "is auto, which is for servers other than Atlas",
        format!("Remove {location}: Atlas requires client_secret_basic_raw, which is the default with a base URL."),
    )
}

/// Returns the name of the option for `key`, whether it is set or not.
pub(super) fn option_name(sources: &[Source], key: Key) -> &str {
    let options = sources.iter().find(|source| matches!(source.origin, Origin::Options));
    let option = options.and_then(|source| source.entries.iter().find(|entry| entry.key == key));
    option.map_or(key.setting().name(), |entry| &entry.location)
}
