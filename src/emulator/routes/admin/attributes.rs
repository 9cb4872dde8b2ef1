//! The bodies of requests, checked by Atlas' rules.

use crate::emulator::accounts::Network;
use crate::emulator::roles::Level;
use crate::emulator::routes::replies::ApiError;
use axum::body::Bytes;
use hyper::HeaderMap;
use hyper::header::CONTENT_TYPE;
use serde_json::{Map, Value};

/// The attributes of a JSON object; what is taken out is checked, what is left over is unknown.
pub(super) struct Attributes(Map<String, Value>);

impl Attributes {
    pub(super) fn read(headers: &HeaderMap, body: &Bytes) -> Result<Self, ApiError> {
        match json(headers, body)? {
            Value::Object(attributes) => Ok(Self(attributes)),
            // An assignment comes in a list of one as well.
            Value::Array(mut list) if list.len() == 1 && list[0].is_object() => match list.remove(0) {
                Value::Object(attributes) => Ok(Self(attributes)),
                _ => Err(not_an_object()),
            },
            _ => Err(not_an_object()),
        }
    }

    /// A text of 1 to `most` characters that names and descriptions may hold.
    pub(super) fn text(&mut self, name: &str, most: usize) -> Result<Option<String>, ApiError> {
        let Some(value) = self.0.remove(name) else { return Ok(None) };
        let allowed = |character: char| character.is_alphanumeric() || "-_., '".contains(character);
        match value {
            Value::String(text) if (1..=most).contains(&text.chars().count()) && text.chars().all(allowed) => Ok(Some(text)),
            _ => {
                let detail = format!("{name} is a text of 1 to {most} letters, digits, spaces and the characters - _ . , '");
                Err(ApiError::invalid_attribute(name, detail))
            }
        }
    }

    /// At least one role that exists at this level.
    pub(super) fn roles(&mut self, level: &Level) -> Result<Option<Vec<String>>, ApiError> {
        let Some(value) = self.0.remove("roles") else { return Ok(None) };
        let known = |role: &Value| role.as_str().filter(|role| level.is_role(role)).map(str::to_owned);
        let roles = value.as_array().filter(|roles| !roles.is_empty()).and_then(|roles| roles.iter().map(known).collect());
        let kind = if matches!(level, Level::Org(_)) { "ORG_" } else { "GROUP_" };
        let detail = || format!("roles is a list of at least one of the {kind}… roles.");
        roles.map(Some).ok_or_else(|| ApiError::invalid_attribute("roles", detail()))
    }

    /// For how many hours a secret is good.
    pub(super) fn hours(&mut self) -> Result<u64, ApiError> {
        const NAME: &str = "secretExpiresAfterHours";
        let value = required(self.0.remove(NAME), NAME)?;
        let hours = value.as_u64().filter(|hours| (8..=8760).contains(hours));
        hours.ok_or_else(|| ApiError::invalid_attribute(NAME, "secretExpiresAfterHours is a number from 8 to 8760."))
    }

    /// That nothing is left.
    pub(super) fn end(self) -> Result<(), ApiError> {
        match self.0.keys().next() {
            Some(name) => Err(ApiError::invalid_attribute(name, format!("There is no attribute {name} here."))),
            None => Ok(()),
        }
    }
}

pub(super) fn required<T>(value: Option<T>, name: &str) -> Result<T, ApiError> {
    value.ok_or_else(|| ApiError::new(400, "MISSING_ATTRIBUTE", format!("The attribute {name} is missing.")).with([name.into()]))
}

/// The entries of an access list: `[{"ipAddress":"192.0.2.1"},{"cidrBlock":"192.0.2.0/24"}]`.
pub(super) fn networks(headers: &HeaderMap, body: &Bytes) -> Result<Vec<Network>, ApiError> {
    let Value::Array(entries) = json(headers, body)? else {
        return Err(ApiError::new(400, "MALFORMED_JSON", "The body is a list of entries."));
    };
    entries.iter().map(network).collect()
}

fn network(entry: &Value) -> Result<Network, ApiError> {
    let entry = entry.as_object().ok_or_else(|| ApiError::invalid_attribute("ipAddress", "An entry is an object."))?;
    let (name, value) = match entry.iter().collect::<Vec<_>>().as_slice() {
        [(name, value)] if matches!(name.as_str(), "ipAddress" | "cidrBlock") => (name.as_str(), *value),
        _ => return Err(ApiError::invalid_attribute("ipAddress", "An entry holds either ipAddress or cidrBlock.")),
    };
    let text = value.as_str().filter(|text| text.contains('/') == (name == "cidrBlock"));
    let detail = || format!("{name} is not an address like {}.", if name == "ipAddress" { "192.0.2.1" } else { "192.0.2.0/24" });
    text.and_then(Network::parse).ok_or_else(|| ApiError::invalid_attribute(name, detail()))
}

fn json(headers: &HeaderMap, body: &Bytes) -> Result<Value, ApiError> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    let is_json = media_type == "application/json" || (media_type.starts_with("application/vnd.atlas.") && media_type.ends_with("+json"));
    if !is_json {
        let detail = "Content-Type is application/json or application/vnd.atlas.YYYY-MM-DD+json.";
        return Err(ApiError::new(415, "UNSUPPORTED_MEDIA_TYPE", detail));
    }
    // The parser's own words quote nothing of the body but where it goes wrong.
    serde_json::from_slice(body).map_err(|error| ApiError::new(400, "MALFORMED_JSON", format!("The body is not JSON: {error}.")))
}

fn not_an_object() -> ApiError {
    ApiError::new(400, "MALFORMED_JSON", "The body is a JSON object.")
}
