//! Replies for paths of the Admin API that the emulator does not implement: `POST /_emulator/stubs`.

use super::settings::named;
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The list of stubs, in the order of the request.
#[derive(Clone, Debug, Default)]
pub(super) struct Stubs(Vec<Stub>);

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stub {
    #[serde(default = "get")]
    method: String,
    path: String,
    #[serde(default = "ok")]
    pub(super) status: u16,
    #[serde(default, deserialize_with = "named", skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<Value>,
}

fn get() -> String {
    "GET".to_owned()
}

fn ok() -> u16 {
    200
}

impl Stubs {
    pub(super) fn from_json(list: Value) -> Result<Self, String> {
        let Value::Array(list) = list else { return Err("the list of stubs must be a JSON array".to_owned()) };
        let mut stubs = Vec::with_capacity(list.len());
        for (number, stub) in list.into_iter().enumerate() {
            let stub = serde_json::from_value::<Stub>(stub).map_err(|error| error.to_string()).and_then(Stub::validated);
            stubs.push(stub.map_err(|problem| format!("stub {number}: {problem}"))?);
        }
        Ok(Self(stubs))
    }

    pub(super) fn find(&self, method: &str, path: &str) -> Option<&Stub> {
        self.0.iter().find(|stub| stub.method == method && stub.names(path))
    }

    pub(super) fn as_slice(&self) -> &[Stub] {
        &self.0
    }
}

impl Stub {
    fn validated(self) -> Result<Self, String> {
        if !self.path.starts_with("/api/atlas/") && !self.path.starts_with("/api/private/") {
            return Err("path must start with /api/atlas/ or /api/private/".to_owned());
        }
        if self.path.contains("/serviceAccounts") {
            return Err("the emulator implements the service account API; use a fault to change its replies".to_owned());
        }
        if self.path.contains('?') {
            return Err("path must not contain a query; a stub applies to any query".to_owned());
        }
        if !matches!(self.method.as_str(), "GET" | "POST" | "PUT" | "PATCH" | "DELETE") {
            return Err(format!("method {:?} is not GET, POST, PUT, PATCH or DELETE", self.method));
        }
        match StatusCode::from_u16(self.status) {
            Ok(status) if !status.is_informational() => Ok(self),
            _ => Err(format!("{} is not the status of a final reply (200 to 999)", self.status)),
        }
    }

    /// Compares segment by segment. A segment in braces matches any one segment.
    fn names(&self, path: &str) -> bool {
        let any = |segment: &str| segment.starts_with('{') && segment.ends_with('}');
        let mut given = path.trim_end_matches('/').split('/');
        let matches =
            self.path.trim_end_matches('/').split('/').all(|segment| given.next().is_some_and(|given| any(segment) || segment == given));
        matches && given.next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::Stubs;
    use serde_json::json;

    #[test]
    fn a_segment_in_braces_matches_exactly_one_segment() {
        let stubs = Stubs::from_json(json!([{ "path": "/api/atlas/v2/groups/{id}/clusters" }])).unwrap_or_default();

        assert!(stubs.find("GET", "/api/atlas/v2/groups/1/clusters").is_some());
        for other in ["/api/atlas/v2/groups/1/2/clusters", "/api/atlas/v2/groups/clusters", "/api/atlas/v2/groups/1/clusters/c"] {
            assert!(stubs.find("GET", other).is_none(), "{other}");
        }
        assert!(stubs.find("POST", "/api/atlas/v2/groups/1/clusters").is_none());
    }
}
