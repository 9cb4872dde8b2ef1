//! Traffic records: the counters and the last request to each path.

use axum::body::Bytes;
use hyper::http::request::Parts;
use serde::Serialize;
use std::collections::BTreeMap;

/// The maximum number of paths for which the last request is kept, and of bytes of these requests.
/// Beyond either, the path whose last request is the oldest is forgotten.
const PATHS_KEPT: usize = 1000;
const BYTES_KEPT: usize = 16 * 1024 * 1024;

/// Request and token counts. Control traffic is never counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Counters {
    /// Connections that carried at least one byte of traffic other than control requests.
    pub connections: u64,
    /// All requests.
    pub requests: u64,
    /// Requests to a token endpoint.
    pub token_requests: u64,
    /// Tokens issued.
    pub tokens_minted: u64,
    /// Requests to a revocation endpoint.
    pub revoke_requests: u64,
    /// Requests to the Admin API.
    pub api_requests: u64,
    /// Tokens that are neither expired nor revoked.
    pub live_tokens: u64,
}

/// A request as received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// The method, for example `POST`.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The query, if the request had one.
    pub query: Option<String>,
    /// The header names in lower case, each with its values in the order received.
    #[serde(serialize_with = "one_or_many")]
    pub headers: BTreeMap<String, Vec<String>>,
    /// The body. Invalid UTF-8 is replaced with U+FFFD.
    pub body: String,
}

#[derive(Debug, Default)]
pub(super) struct Traffic {
    counters: Counters,
    /// By path, each with the number of the request.
    last: BTreeMap<String, (u64, RecordedRequest)>,
    /// The paths by the number of their last request.
    order: BTreeMap<u64, String>,
    recorded: u64,
    bytes: usize,
}

impl RecordedRequest {
    fn size(&self) -> usize {
        let headers = self.headers.iter().map(|(name, values)| name.len() + values.iter().map(String::len).sum::<usize>());
        2 * self.path.len() + self.query.as_ref().map_or(0, String::len) + headers.sum::<usize>() + self.body.len()
    }
}

impl Traffic {
    pub(super) fn count_connection(&mut self) {
        self.counters.connections += 1;
    }

    pub(super) fn count_request(&mut self, path: &str) {
        self.counters.requests += 1;
        match path {
            "/api/oauth/token" | "/generic/oauth/token" => self.counters.token_requests += 1,
            "/api/oauth/revoke" | "/generic/oauth/revoke" => self.counters.revoke_requests += 1,
            path if path.starts_with("/api/atlas/") => self.counters.api_requests += 1,
            _ => {}
        }
    }

    pub(super) fn count_token(&mut self) {
        self.counters.tokens_minted += 1;
    }

    pub(super) fn record(&mut self, parts: &Parts, body: &Bytes) {
        let path = parts.uri.path().to_owned();
        let mut headers = BTreeMap::<String, Vec<String>>::new();
        for (name, value) in &parts.headers {
            headers.entry(name.as_str().to_owned()).or_default().push(String::from_utf8_lossy(value.as_bytes()).into_owned());
        }
        let request = RecordedRequest {
            method: parts.method.as_str().to_owned(),
            path: path.clone(),
            query: parts.uri.query().map(str::to_owned),
            headers,
            body: String::from_utf8_lossy(body).into_owned(),
        };
        self.forget(&path);
        self.recorded += 1;
        self.bytes += request.size();
        self.order.insert(self.recorded, path.clone());
        self.last.insert(path, (self.recorded, request));
        while self.last.len() > PATHS_KEPT || self.bytes > BYTES_KEPT {
            let Some(oldest) = self.order.first_key_value().map(|(_, path)| path.clone()) else { return };
            self.forget(&oldest);
        }
    }

    fn forget(&mut self, path: &str) {
        if let Some((number, request)) = self.last.remove(path) {
            self.order.remove(&number);
            self.bytes -= request.size();
        }
    }

    pub(super) fn last_request(&self, path: &str) -> Option<&RecordedRequest> {
        self.last.get(path).map(|(_, request)| request)
    }

    pub(super) fn counters(&self, live_tokens: u64) -> Counters {
        Counters { live_tokens, ..self.counters }
    }
}

/// Serializes a header with one value as a string and a header with several values as a list.
fn one_or_many<S: serde::Serializer>(headers: &BTreeMap<String, Vec<String>>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Values<'a> {
        One(&'a str),
        Many(&'a [String]),
    }
    serializer.collect_map(headers.iter().map(|(name, values)| match values.as_slice() {
        [value] => (name, Values::One(value)),
        values => (name, Values::Many(values)),
    }))
}
