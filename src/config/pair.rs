//! The client id and the client secret: the source that both come from, and the errors if it has only
//! one of them, or if no source has any.

use super::ClientAuthentication;
use super::authorities::settled;
use super::credential::{CredentialSource, format_hint};
use super::recipient::Recipient;
use super::secret_provider::{LOCATION, ProvidedSecret, SecretProvider};
use super::setting::Key;
use super::sources::{Entry, Found, Origin, SearchContext, Source, option_name};
use crate::credential::{Credential, Credentials};
use crate::error::{Error, printable};
use crate::secret::Secret;
use std::sync::Arc;
use std::time::Duration;

/// A client id and a client secret (or the file that contains it) from one source, or one half from
/// the options and the other from `TOKENWELL_*` variables.
pub(super) struct Pair<'a> {
    pub(super) id_source: &'a Source,
    pub(super) id: &'a Entry,
    pub(super) secret_source: &'a Source,
    pub(super) secret: PairSecret<'a>,
}

#[derive(Clone, Copy)]
pub(super) enum PairSecret<'a> {
    /// The secret itself, or the path of the file that contains it.
    Entry(&'a Entry),
    Provider(&'a Arc<dyn SecretProvider>),
}

impl<'a> Pair<'a> {
    pub(super) fn find(sources: &'a [Source], context: &'a SearchContext) -> Result<Self, Error> {
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

    pub(super) fn credentials(
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
        format!("Set {id} and {secret} (or {file}), and all other settings that the client needs, in the program.")
    } else {
        checked_sources.push("environment variables and profiles: not read".to_owned());
        format!(
            "Set {id} and {secret} (or {file}), or create the client with its from-environment constructor, which reads environment \
             variables and profiles."
        )
    };
    if !context.api_key_variables.is_empty() {
        let variables = context.api_key_variables.join(", ");
        hint = format!("A programmatic API key ({variables}) cannot be used to request tokens. Create a service account in Atlas. {hint}");
    }
    Error::NoCredential { checked_sources, hint }
}
