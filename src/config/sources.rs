//! Combines several sources into one [`Config`]. Each source may have any of the settings.
//!
//! A source is a list of locations and of the values found there. The options in code are one
//! source. Each family of environment variables is one, and so is each profile in a file.

use super::authorities::{Authorities, settled};
use super::credential::{CredentialSource, format_hint};
use super::endpoint::{DEFAULT_BASE, Endpoint};
use super::environment::{Environment, Unavailable};
use super::proxy::ProxySettings;
use super::recipient::Recipient;
use super::rules::{authentication, manual_clock, switch, timeout};
use super::secret_provider::{LOCATION, ProvidedSecret, SecretProvider};
use super::setting::{Key, settings};
use super::{ClientAuthentication, Config, Provenance};
use crate::credential::{Credential, Credentials};
use crate::error::{Error, printable};
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

    fn provenance(&self, entry: &Entry) -> String {
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

    fn credential_locations(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| matches!(entry.key, Key::ClientId | Key::ClientSecret | Key::ClientSecretFile))
    }
}

/// Whether the program describes where an option is from, instead of its name: "the prompt for the secret".
fn is_description(option: &str) -> bool {
    option.contains(' ')
}

impl Entry {
    fn is_set(&self) -> bool {
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
fn first<T>(sources: &[Source], key: Key, parse: impl Fn(&str, &str) -> Result<T, Error>) -> Result<Option<T>, Error> {
    winner(sources, key).map(|(_, entry)| parse(&entry.location, entry.value()?)).transpose()
}

fn owned(_location: &str, value: &str) -> Result<String, Error> {
    Ok(value.to_owned())
}

/// A client id and a client secret (or the file that contains it) from one source, or one half from
/// the options and the other from `TOKENWELL_*` variables.
struct Pair<'a> {
    id_source: &'a Source,
    id: &'a Entry,
    secret_source: &'a Source,
    secret: PairSecret<'a>,
}

#[derive(Clone, Copy)]
enum PairSecret<'a> {
    /// The secret itself, or the path of the file that contains it.
    Entry(&'a Entry),
    Provider(&'a Arc<dyn SecretProvider>),
}

impl<'a> Pair<'a> {
    fn find(sources: &'a [Source], context: &'a SearchContext) -> Result<Self, Error> {
        if let Some(provider) = &context.secret_provider {
            return Self::with_provider(sources, provider);
        }
        let Some(source) = sources.iter().find(|source| source.has_credential()) else {
            return Err(no_credential(sources, context));
        };
        let (id_source, secret_source) = halves(sources, source);
        match (id_source.get(Key::ClientId), secret_source.get(Key::ClientSecret), secret_source.get(Key::ClientSecretFile)) {
            (_, Some(secret), Some(file)) => Err(Error::NotConfigured {
                problem: format!("{} and {} are both set, but only one secret is allowed", secret.location, file.location),
                hint: format!("Remove {} or {}.", secret.location, file.location),
            }),
            (Some(id), Some(secret), None) | (Some(id), None, Some(secret)) => {
                Ok(Self { id_source, id, secret_source, secret: PairSecret::Entry(secret) })
            }
            (Some(id), None, None) => Err(incomplete_pair(sources, source, id, &[Key::ClientSecret, Key::ClientSecretFile])),
            (None, Some(present), None) | (None, None, Some(present)) => Err(incomplete_pair(sources, source, present, &[Key::ClientId])),
            (None, None, None) => Err(Error::internal("a source had a credential and then had none")),
        }
    }

    /// The pair whose secret the program delivers. Its client id is an option too.
    fn with_provider(sources: &'a [Source], provider: &'a Arc<dyn SecretProvider>) -> Result<Self, Error> {
        let options = sources.iter().find(|source| matches!(source.origin, Origin::Options));
        let Some(source) = options else { return Err(Error::internal("there are no options")) };
        if let Some(secret) = source.get(Key::ClientSecret).or_else(|| source.get(Key::ClientSecretFile)) {
            return Err(Error::NotConfigured {
                problem: format!("{LOCATION} and {} are both set, but only one secret is allowed", secret.location),
                hint: format!("Remove {LOCATION} or {}.", secret.location),
            });
        }
        let Some(id) = source.get(Key::ClientId) else {
            let option = option_name(sources, Key::ClientId);
            return Err(Error::NotConfigured {
                problem: format!("{LOCATION} is set without {option}; the client id and the client secret must come from the same source"),
                hint: format!("Set {option} as well, or remove {LOCATION}."),
            });
        };
        Ok(Self { id_source: source, id, secret_source: source, secret: PairSecret::Provider(provider) })
    }

    fn credentials(
        &self,
        authentication: ClientAuthentication,
        timeout: Duration,
        recipient: Recipient,
    ) -> Result<CredentialSource, Error> {
        let client_id = self.id.value()?.to_owned();
        let known_secret = match self.secret {
            PairSecret::Entry(entry) if entry.key == Key::ClientSecret => Some((&*entry.location, entry.value()?)),
            _ => None,
        };
        recipient.check_id(&self.id.location, &client_id, known_secret)?;
        if authentication == ClientAuthentication::BasicRaw && client_id.contains(':') {
            return Err(Error::invalid(
                &*self.id.location,
                "contains a `:`, which separates the id from the secret in HTTP Basic authentication (RFC 7617 section 2)",
                "An Atlas client id never contains one. For another server, set auth_method to client_secret_basic or client_secret_post.",
            ));
        }
        let entry = match self.secret {
            PairSecret::Entry(entry) => entry,
            PairSecret::Provider(provider) => {
                // The other half is for the token request, and for a second secret after a rejection.
                let limit = timeout / 2;
                let provided = ProvidedSecret { client_id, provider: Arc::clone(provider), recipient, limit, origin: self.origin() };
                return Ok(CredentialSource::Provided(provided));
            }
        };
        let secret = entry.value()?;
        if entry.key == Key::ClientSecret {
            recipient.check_secret(&entry.location, secret)?;
            return Ok(CredentialSource::Fixed(Credential { client_id, client_secret: Secret::from(secret), origin: self.origin() }));
        }
        let source = CredentialSource::SecretFile {
            client_id,
            path: settled(secret),
            recipient,
            location: entry.location.to_string(),
            origin: self.origin(),
        };
        // Fail now and not at the first token request: a `Config` that exists is usable.
        source.current()?;
        Ok(source)
    }
}

impl Pair<'_> {
    /// Describes the sources of both, for messages: the path of a file with the secret, never its
    /// content.
    fn origin(&self) -> String {
        let id = self.id_source.provenance(self.id);
        let PairSecret::Entry(entry) = self.secret else { return format!("id from {id}, secret from {LOCATION}") };
        match (&entry.found, entry.key) {
            (Found::Value(path), Key::ClientSecretFile) => format!("id from {id}, secret in the file {}", printable(path.expose(), 1000)),
            _ => match self.secret_source.provenance(entry) {
                secret if secret == id => format!("from {id}"),
                secret => format!("id from {id}, secret from {secret}"),
            },
        }
    }
}

/// Returns the sources of the client id and of the client secret, if `source` is the first one that
/// has either.
///
/// An option for one half and a `TOKENWELL_*` variable for the other are one intention. A variable
/// of a client id that differs from the option names another account, whose secret is not used.
fn halves<'a>(sources: &'a [Source], source: &'a Source) -> (&'a Source, &'a Source) {
    let is_tokenwell = |source: &&Source| source.credential_locations().any(|entry| entry.location.starts_with("TOKENWELL_"));
    let variables = sources.iter().filter(|source| matches!(source.origin, Origin::Variables)).find(is_tokenwell);
    let (Origin::Options, Some(variables)) = (&source.origin, variables) else { return (source, source) };
    let has_secret = |source: &Source| source.get(Key::ClientSecret).or(source.get(Key::ClientSecretFile)).is_some();
    match (source.get(Key::ClientId), has_secret(source)) {
        (Some(id), false) if has_secret(variables) && !names_another(variables.get(Key::ClientId), id) => (source, variables),
        (None, true) if variables.get(Key::ClientId).is_some() => (variables, source),
        _ => (source, source),
    }
}

/// Returns whether `found` is set to another value than `id`.
fn names_another(found: Option<&Entry>, id: &Entry) -> bool {
    let value = |entry: &Entry| entry.value().map(str::to_owned).ok();
    found.is_some_and(|found| value(found).is_none() || value(found) != value(id))
}

fn automatic_at_atlas(sources: &[Source]) -> Error {
    let location = winner(sources, Key::AuthMethod).map_or(Key::AuthMethod.setting().name(), |(_, entry)| &*entry.location);
    Error::invalid(
        location,
        "is auto, which is for servers other than Atlas",
        format!("Remove {location}: Atlas requires client_secret_basic_raw, which is the default with a base URL."),
    )
}

fn incomplete_pair(sources: &[Source], source: &Source, present: &Entry, missing: &[Key]) -> Error {
    let here = match source.origin {
        Origin::File(_) => missing.iter().map(|key| key.setting().name()).collect::<Vec<_>>().join(" or "),
        Origin::Options | Origin::Variables => {
            let entries = source.entries.iter().filter(|entry| missing.contains(&entry.key));
            entries.map(|entry| &*entry.location).collect::<Vec<_>>().join(" or ")
        }
    };
    let empty = source.entries.iter().find(|entry| missing.contains(&entry.key) && matches!(entry.found, Found::Empty));
    let others = sources.iter().filter(|other| !std::ptr::eq(*other, source)).flat_map(|other| &other.entries);
    let elsewhere: Vec<_> = others.filter(|entry| missing.contains(&entry.key) && entry.is_set()).map(|entry| &*entry.location).collect();
    let verb = if elsewhere.len() == 1 { "is" } else { "are" };
    let elsewhere = if elsewhere.is_empty() {
        String::new()
    } else {
        format!("; {} {verb} set, but the client id and the client secret must come from the same source", elsewhere.join(", "))
    };
    let remark = source.remark.as_ref().map(|remark| format!("; {remark}")).unwrap_or_default();
    let shape = match (&present.found, present.key) {
        (Found::Value(value), Key::ClientId) => format_hint(Some(value.expose()), None),
        (Found::Value(value), Key::ClientSecret) => format_hint(None, Some(value.expose())),
        _ => None,
    };
    let shape = shape.map(|hint| format!(" {hint}")).unwrap_or_default();
    if let Some(empty) = empty {
        return Error::NotConfigured {
            problem: format!("{} is set, but {} is empty{remark}{elsewhere}", present.location, empty.location),
            hint: format!("Set {}. In CI, check that the job may read this secret.{shape}", empty.location),
        };
    }
    Error::NotConfigured {
        problem: format!("{} is set without {here}{remark}{elsewhere}", present.location),
        hint: format!("Set {here} as well, or remove {}.{shape}", present.location),
    }
}

fn no_credential(sources: &[Source], context: &SearchContext) -> Error {
    // An environment that is not read has no variables of a credential; a line below says so.
    let has_variables = |source: &&Source| !matches!(source.origin, Origin::Variables) || source.credential_locations().next().is_some();
    let mut checked_sources: Vec<_> = sources.iter().filter(has_variables).map(Source::summary).collect();
    if !context.token_variables.is_empty() {
        let variables = context.token_variables.join(", ");
        checked_sources.push(format!("{variables}: a static access token, not used because it cannot be refreshed"));
    }
    let [id, secret, file] = [Key::ClientId, Key::ClientSecret, Key::ClientSecretFile].map(|key| option_name(sources, key));
    let mut hint = if context.environment_is_read {
        format!(
            "Set MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET, or the options {id} and {secret} (or {file}), to the client id and \
             secret of a service account. Or store them in a profile with `tokenwell login`."
        )
    } else if let Some(unavailable) = context.unavailable {
        checked_sources.push(format!("environment variables and profiles: not read, because {}", unavailable.reason()));
        format!("Set the options {id} and {secret} (or {file}), and all other settings that the client needs, in the program.")
    } else {
        checked_sources.push("environment variables and profiles: not read".to_owned());
        format!(
            "Set the options {id} and {secret} (or {file}), or create the client with its from-environment constructor, which reads environment \
             variables and profiles."
        )
    };
    if !context.api_key_variables.is_empty() {
        let variables = context.api_key_variables.join(", ");
        hint = format!("A programmatic API key ({variables}) cannot be used to request tokens. Create a service account in Atlas. {hint}");
    }
    Error::NoCredential { checked_sources, hint }
}

/// Returns the name of the option for `key`, whether it is set or not.
fn option_name(sources: &[Source], key: Key) -> &str {
    let options = sources.iter().find(|source| matches!(source.origin, Origin::Options));
    let option = options.and_then(|source| source.entries.iter().find(|entry| entry.key == key));
    option.map_or(key.setting().name(), |entry| &entry.location)
}

/// The server that receives the secret: all its URLs and its default authentication method.
struct Server<'a> {
    /// The entry that names the server; `None`: Atlas, by default.
    named_by: Option<(&'a Source, &'a Entry)>,
    /// The sources that may set other URLs of this server.
    trusted: &'a [Source],
    token_endpoint: Endpoint,
    revocation_endpoint: Option<Endpoint>,
    api_base: Option<Endpoint>,
    default_authentication: ClientAuthentication,
}

impl<'a> Server<'a> {
    fn recipient(&self) -> Recipient {
        Recipient::new(&self.token_endpoint, self.api_base.is_some(), self.named_by.is_none())
    }

    fn find(sources: &'a [Source]) -> Result<Self, Error> {
        let naming = sources.iter().position(|source| source.get(Key::BaseUrl).is_some() || source.get(Key::TokenUrl).is_some());
        // A source with lower precedence cannot send the secret to a second server.
        let trusted = naming.map_or(sources, |index| &sources[..=index]);
        let revocation = first(trusted, Key::RevocationUrl, Endpoint::full)?;

        let Some(source) = naming.map(|index| &sources[index]) else {
            return Ok(Self::atlas(None, trusted, Endpoint::base("base_url", DEFAULT_BASE)?, revocation));
        };
        match (source.get(Key::BaseUrl), source.get(Key::TokenUrl)) {
            (Some(base), Some(token)) => Err(Error::NotConfigured {
                problem: format!("{} and {} are both set, but each of them names the server", base.location, token.location),
                hint: format!("For MongoDB Atlas, remove {}. For another OAuth 2.0 server, remove {}.", token.location, base.location),
            }),
            (Some(base), None) => {
                Ok(Self::atlas(Some((source, base)), trusted, Endpoint::base(&base.location, base.value()?)?, revocation))
            }
            (None, Some(token)) => Ok(Self {
                named_by: Some((source, token)),
                trusted,
                token_endpoint: Endpoint::full(&token.location, token.value()?)?,
                revocation_endpoint: revocation,
                api_base: None,
                default_authentication: ClientAuthentication::Auto,
            }),
            (None, None) => Err(Error::internal("a source named the server and then did not")),
        }
    }

    fn atlas(named_by: Option<(&'a Source, &'a Entry)>, trusted: &'a [Source], base: Endpoint, revocation: Option<Endpoint>) -> Self {
        Self {
            named_by,
            trusted,
            token_endpoint: base.token_endpoint(),
            revocation_endpoint: Some(revocation.unwrap_or_else(|| base.revocation_endpoint())),
            api_base: Some(base),
            default_authentication: ClientAuthentication::BasicRaw,
        }
    }
}
