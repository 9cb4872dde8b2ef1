//! `atlascli/config.toml`, the configuration file of another program. Only the keys of a service
//! account are read; the rest is ignored.

use super::super::setting::Key;
use super::super::sources::{Entry, Found};
use super::file::{Field, Value};
use crate::atlas;
use crate::error::printable_path;
use crate::secret::Secret;
use std::path::Path;

/// How tokenwell uses a profile of the Atlas CLI.
pub(super) enum Use {
    /// As a service account; values that it does not have may be in a keyring.
    ServiceAccount(Vec<Entry>),
    /// Not at all, for the given reason (the end of a sentence).
    Ignored(String),
}

pub(super) fn read(path: &Path, name: &str, fields: Vec<Field>) -> Use {
    let profile = Fields { path, name, fields };
    if let Some(reason) = profile.not_a_service_account() {
        return Use::Ignored(reason);
    }
    let server = match profile.string("service") {
        None | Some("" | "cloud") => None,
        Some("cloudgov") => Some(Secret::from(atlas::GOVERNMENT_CLOUD)),
        Some(_) => return Use::Ignored("is for a service other than MongoDB Atlas".to_owned()),
    };
    let mut entries = Vec::new();
    entries.extend(profile.entry(Key::ClientId, "client_id"));
    entries.extend(profile.entry(Key::ClientSecret, "client_secret"));
    let url = profile.entry(Key::BaseUrl, "ops_manager_url").or_else(|| profile.entry(Key::BaseUrl, "base_url"));
    let implied = || server.map(|server| profile.entry_of(Key::BaseUrl, "service", server));
    entries.extend(url.or_else(implied));
    Use::ServiceAccount(entries)
}

struct Fields<'a> {
    path: &'a Path,
    name: &'a str,
    fields: Vec<Field>,
}

impl Fields<'_> {
    /// Returns the string of a field. The Atlas CLI writes an empty string for "not set".
    fn string(&self, key: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.key == key).and_then(|field| match &field.value {
            Value::String(value) if !value.expose().is_empty() => Some(value.expose()),
            _ => None,
        })
    }

    fn entry(&self, key: Key, name: &str) -> Option<Entry> {
        self.string(name).map(|value| self.entry_of(key, name, Secret::from(value)))
    }

    fn entry_of(&self, key: Key, name: &str, value: Secret) -> Entry {
        let line = self.fields.iter().find(|field| field.key == name).map(|field| format!(":{}", field.line)).unwrap_or_default();
        let location = format!("{name} in profile {} of {}{line}", self.name, printable_path(self.path));
        Entry { key, location: location.into(), found: Found::Value(value), in_keyring: false }
    }

    fn not_a_service_account(&self) -> Option<String> {
        match self.string("auth_type") {
            Some("service_account") => None,
            Some("api_keys") => Some("contains an API key, not a service account".to_owned()),
            Some("user_account") => Some("contains the login of a user, not a service account".to_owned()),
            Some(_) => Some("contains something other than a service account (auth_type)".to_owned()),
            None if self.string("client_id").is_some() => None,
            None if self.string("public_api_key").is_some() => Some("contains an API key, not a service account".to_owned()),
            None => Some("has no client_id".to_owned()),
        }
    }
}
