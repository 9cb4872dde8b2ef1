//! Parsing and validation of request bodies by the rules of Atlas.

use crate::emulator::accounts::MIN_SECRET_HOURS;
use crate::emulator::network::Network;
use crate::emulator::roles::Level;
use crate::emulator::routes::replies::ApiError;
use axum::body::Bytes;
use hyper::HeaderMap;
use hyper::header::CONTENT_TYPE;
use serde_json::{Map, Value};
use std::ops::RangeInclusive;

/// The attributes of a JSON object. Each method removes one attribute and validates it; attributes
/// that remain at the end are unknown.
pub(super) struct Attributes(Map<String, Value>);

impl Attributes {
    pub(super) fn read(headers: &HeaderMap, body: &Bytes) -> Result<Self, ApiError> {
        match json(headers, body)? {
            Value::Object(attributes) => Ok(Self(attributes)),
            // A role assignment may also be sent as a list with one object.
            Value::Array(mut list) if list.len() == 1 && list[0].is_object() => match list.remove(0) {
                Value::Object(attributes) => Ok(Self(attributes)),
                _ => Err(not_an_object()),
            },
            _ => Err(not_an_object()),
        }
    }

    /// Returns a string of 1 to `max` characters that are valid in names and descriptions.
    pub(super) fn string(&mut self, name: &str, max: usize) -> Result<Option<String>, ApiError> {
        let Some(value) = self.0.remove(name) else { return Ok(None) };
        let allowed = |character: char| character.is_alphanumeric() || "-_., '".contains(character);
        match value {
            Value::String(string) if (1..=max).contains(&string.chars().count()) && string.chars().all(allowed) => Ok(Some(string)),
            _ => {
                let detail = format!("{name} must be a string of 1 to {max} letters, digits, spaces and the characters - _ . , '");
                Err(ApiError::invalid_attribute(name, detail))
            }
        }
    }

    /// Returns the list of roles, which must have at least one role that exists at this level.
    pub(super) fn roles(&mut self, level: &Level) -> Result<Option<Vec<String>>, ApiError> {
        let invalid = |detail: String| ApiError::invalid_attribute("roles", format!("{detail}."));
        let Some(value) = self.0.remove("roles") else { return Ok(None) };
        let kind = if matches!(level, Level::Org(_)) { "ORG_" } else { "GROUP_" };
        let given = value.as_array().filter(|roles| !roles.is_empty()).and_then(|roles| roles.iter().map(Value::as_str).collect());
        let given: Vec<_> = given.ok_or_else(|| invalid(format!("roles must be a list of at least one of the {kind}… roles")))?;
        let mut roles = Vec::<String>::new();
        for role in given {
            level.check_role(role).map_err(invalid)?;
            if !roles.iter().any(|known| known == role) {
                roles.push(role.to_owned());
            }
        }
        Ok(Some(roles))
    }

    pub(super) fn boolean(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        let Some(value) = self.0.remove(name) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| ApiError::invalid_attribute(name, format!("{name} must be true or false.")))
    }

    /// Returns an attribute as a string, of any characters.
    pub(super) fn text(&mut self, name: &str, max: usize) -> Result<Option<String>, ApiError> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) if (1..=max).contains(&text.chars().count()) => Ok(Some(text)),
            Some(_) => Err(ApiError::invalid_attribute(name, format!("{name} must be a string of 1 to {max} characters."))),
        }
    }

    /// Ignores attributes that the emulator has no use for.
    pub(super) fn ignore(&mut self, names: &[&str]) {
        self.0.retain(|name, _| !names.contains(&name.as_str()));
    }

    /// Returns the lifetime of a secret, in hours. The organization may have a lower maximum.
    pub(super) fn hours(&mut self, max: u64) -> Result<u64, ApiError> {
        const NAME: &str = "secretExpiresAfterHours";
        required(self.number(NAME, MIN_SECRET_HOURS..=max)?, NAME)
    }

    pub(super) fn number(&mut self, name: &str, allowed: RangeInclusive<u64>) -> Result<Option<u64>, ApiError> {
        let Some(value) = self.0.remove(name) else { return Ok(None) };
        value.as_u64().filter(|number| allowed.contains(number)).map(Some).ok_or_else(|| {
            let detail = format!("{name} must be a whole number from {} to {}.", allowed.start(), allowed.end());
            ApiError::invalid_attribute(name, detail)
        })
    }

    /// Checks that no unknown attribute remains.
    pub(super) fn end(self) -> Result<(), ApiError> {
        match self.0.keys().next() {
            Some(name) => Err(ApiError::invalid_attribute(name, format!("The attribute {name} is unknown."))),
            None => Ok(()),
        }
    }
}

pub(super) fn required<T>(value: Option<T>, name: &str) -> Result<T, ApiError> {
    value.ok_or_else(|| {
        ApiError::new(400, "MISSING_ATTRIBUTE", format!("The attribute {name} is missing.")).with([name.into()]).in_field(name)
    })
}

/// The entries of an access list: `[{"ipAddress":"192.0.2.1"},{"cidrBlock":"192.0.2.0/24"}]`.
pub(super) fn networks(headers: &HeaderMap, body: &Bytes) -> Result<Vec<Network>, ApiError> {
    let Value::Array(entries) = json(headers, body)? else {
        return Err(ApiError::new(400, "MALFORMED_JSON", "The body must be a list of entries."));
    };
    entries.iter().map(network).collect()
}

fn network(entry: &Value) -> Result<Network, ApiError> {
    let entry = entry.as_object().ok_or_else(|| ApiError::invalid_attribute("ipAddress", "An entry must be an object."))?;
    let (name, value) = match entry.iter().collect::<Vec<_>>().as_slice() {
        [(name, value)] if matches!(name.as_str(), "ipAddress" | "cidrBlock") => (name.as_str(), *value),
        _ => return Err(ApiError::invalid_attribute("ipAddress", "An entry must have exactly one of ipAddress and cidrBlock.")),
    };
    let address = value.as_str().filter(|address| address.contains('/') == (name == "cidrBlock"));
    let example = if name == "ipAddress" { "192.0.2.1" } else { "192.0.2.0/24" };
    let address = address.ok_or_else(|| ApiError::invalid_attribute(name, format!("{name} must be an address like {example}.")))?;
    Network::parse(address).map_err(|problem| {
        let shown: String = address.chars().take(64).collect();
        ApiError::invalid_attribute(name, format!("{name} {shown:?}: {problem}."))
    })
}

fn json(headers: &HeaderMap, body: &Bytes) -> Result<Value, ApiError> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    let is_json = media_type == "application/json" || (media_type.starts_with("application/vnd.atlas.") && media_type.ends_with("+json"));
    if !is_json {
        let detail = "Content-Type must be application/json or application/vnd.atlas.YYYY-MM-DD+json.";
        return Err(ApiError::new(415, "UNSUPPORTED_MEDIA_TYPE", detail));
    }
    // The parser's message has the position of the error and quotes nothing else from the body.
    serde_json::from_slice(body).map_err(|error| ApiError::new(400, "MALFORMED_JSON", format!("The body is not JSON: {error}.")))
}

fn not_an_object() -> ApiError {
    ApiError::new(400, "MALFORMED_JSON", "The body must be a JSON object.")
}
