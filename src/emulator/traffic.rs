//! What has arrived: the counters and the last request to each path.

use axum::body::Bytes;
use hyper::http::request::Parts;
use serde::Serialize;
use std::collections::BTreeMap;

/// The last request is kept for so many paths; what comes to further paths is counted only.
const PATHS_KEPT: usize = 1000;

/// What has been asked and handed out. Control traffic is never counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Counters {
    /// Connections that carried at least one byte of other than control traffic.
    pub connections: u64,
    /// Requests of any kind.
    pub requests: u64,
    /// Requests to a token endpoint.
    pub token_requests: u64,
    /// Tokens handed out.
    pub tokens_minted: u64,
    /// Requests to a revocation endpoint.
    pub revoke_requests: u64,
    /// Requests to the Admin API.
    pub api_requests: u64,
    /// Tokens that are neither expired nor revoked.
    pub live_tokens: u64,
}

/// A request as it arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// `POST`
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The query, if there was one.
    pub query: Option<String>,
    /// Header names in lower case, each with its values in the order of arrival.
    #[serde(serialize_with = "one_or_many")]
    pub headers: BTreeMap<String, Vec<String>>,
    /// The body; bytes that are not UTF-8 are replaced.
    pub body: String,
}

#[derive(Debug, Default)]
pub(super) struct Traffic {
    counters: Counters,
    last: BTreeMap<String, RecordedRequest>,
}

impl Traffic {
    pub(super) fn connection(&mut self) {
        self.counters.connections += 1;
    }

    pub(super) fn request(&mut self, path: &str) {
        self.counters.requests += 1;
        match path {
            "/api/oauth/token" | "/generic/oauth/token" => self.counters.token_requests += 1,
            "/api/oauth/revoke" | "/generic/oauth/revoke" => self.counters.revoke_requests += 1,
            path if path.starts_with("/api/atlas/") => self.counters.api_requests += 1,
            _ => {}
        }
    }

    pub(super) fn minted(&mut self) {
        self.counters.tokens_minted += 1;
    }

    pub(super) fn record(&mut self, parts: &Parts, body: &Bytes) {
        let path = parts.uri.path().to_owned();
        if self.last.len() >= PATHS_KEPT && !self.last.contains_key(&path) {
            return;
        }
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
        self.last.insert(path, request);
    }

    pub(super) fn last_request(&self, path: &str) -> Option<&RecordedRequest> {
        self.last.get(path)
    }

    pub(super) fn counters(&self, live_tokens: u64) -> Counters {
        Counters { live_tokens, ..self.counters }
    }
}

/// A header that came once is a text, one that came several times a list.
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
