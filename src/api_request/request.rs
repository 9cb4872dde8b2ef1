//! A request to the Admin API: its method, its path and what it sends.

use crate::admin::DEFAULT_VERSION;
use crate::config::Endpoint;
use crate::error::{Error, Exchange, printable};
use crate::grant::transport::{Request, authorization_value};
use crate::token::Token;
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use std::fmt;
use url::Url;
use zeroize::Zeroizing;

/// The default limit of a response body.
pub(crate) const DEFAULT_MAX_BODY: usize = 64 * 1024 * 1024;

const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

const PATH_HINT: &str = "Pass a path on the API's server, such as /api/atlas/v2/groups. The server is that of the client's base URL.";

/// A request to the Admin API. Everything in it was checked. `Debug` omits the query and the body.
#[derive(Clone)]
pub(crate) struct ApiRequest {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    media_type: HeaderValue,
    body: Option<Zeroizing<Vec<u8>>>,
    max_body: usize,
}

impl ApiRequest {
    /// # Errors
    /// [`Error::Refused`] for a path that names a server or leaves its directory;
    /// [`Error::InvalidArgument`] for every other mistake.
    pub(crate) fn new(method: &[u8], path: &[u8]) -> Result<Self, Error> {
        let known = METHODS.iter().find(|known| known.as_str().as_bytes() == method);
        let method = known.cloned().ok_or_else(|| {
            let shown = printable(&String::from_utf8_lossy(method), 40);
            Error::invalid("method", format!("`{shown}` is not supported"), "Use GET, POST, PUT, PATCH or DELETE, in capital letters.")
        })?;
        let path = checked_path(text("path", path)?)?.to_owned();
        let media_type = media_type(DEFAULT_VERSION)?;
        Ok(Self { method, path, query: Vec::new(), media_type, body: None, max_body: DEFAULT_MAX_BODY })
    }

    /// Sets the version of the API, as the date in its media type.
    pub(crate) fn set_version(&mut self, version: &[u8]) -> Result<(), Error> {
        self.media_type = media_type(text("version", version)?)?;
        Ok(())
    }

    /// Adds a parameter to the query, which is encoded.
    pub(crate) fn add_query(&mut self, name: &[u8], value: &[u8]) -> Result<(), Error> {
        let (name, value) = (text("name", name)?, text("value", value)?);
        if name.is_empty() {
            return Err(Error::invalid("name", "is empty", "Pass the name of a query parameter, such as itemsPerPage."));
        }
        self.query.push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    /// Sets the JSON body.
    pub(crate) fn set_body(&mut self, json: &[u8]) -> Result<(), Error> {
        serde_json::from_slice::<serde::de::IgnoredAny>(json).map_err(|error| {
            // Only the place: the message of the parser may contain a part of the body.
            let place = format!("is not valid JSON (line {}, column {})", error.line(), error.column());
            Error::invalid("body", place, "Pass one JSON value in UTF-8.")
        })?;
        self.body = Some(Zeroizing::new(json.to_vec()));
        Ok(())
    }

    /// Sets the limit of the response body, in bytes.
    pub(crate) fn set_max_body(&mut self, bytes: u64) {
        self.max_body = usize::try_from(bytes).unwrap_or(usize::MAX);
    }

    pub(super) fn max_body(&self) -> usize {
        self.max_body
    }

    /// Whether repeating the request changes nothing.
    pub(super) fn only_reads(&self) -> bool {
        self.method == Method::GET
    }

    /// Returns the HTTP request for the server of `base`.
    pub(super) fn with_token(&self, base: &Endpoint, token: &Token) -> Result<Request, Error> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, authorization_value(token)?);
        headers.insert(ACCEPT, self.media_type.clone());
        if self.body.is_some() {
            headers.insert(CONTENT_TYPE, self.media_type.clone());
        }
        Ok(Request { method: self.method.clone(), url: self.url(base)?, headers, body: self.body.clone().unwrap_or_default() })
    }

    /// Setting a path and a query cannot change the server. It is compared all the same.
    fn url(&self, base: &Endpoint) -> Result<Url, Error> {
        let mut url = base.url().clone();
        let (path, query) = self.path.split_once('?').map_or((self.path.as_str(), None), |(path, query)| (path, Some(query)));
        url.set_path(path);
        url.set_query(query.filter(|query| !query.is_empty()));
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        if url.origin() == base.url().origin() { Ok(url) } else { Err(Error::internal("a path has changed the server of its URL")) }
    }
}

impl fmt::Debug for ApiRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiRequest").field("method", &self.method).field("path", &self.path).finish_non_exhaustive()
    }
}

fn text<'a>(name: &str, bytes: &'a [u8]) -> Result<&'a str, Error> {
    std::str::from_utf8(bytes).map_err(|_| Error::invalid(name, "is not UTF-8", "Pass a string in UTF-8."))
}

fn media_type(version: &str) -> Result<HeaderValue, Error> {
    let is_plain = (1..=40).contains(&version.len()) && version.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let value = HeaderValue::from_str(&format!("application/vnd.atlas.{version}+json")).ok().filter(|_| is_plain);
    value.ok_or_else(|| {
        let shown = printable(version, 40);
        Error::invalid("version", format!("`{shown}` is not a version of the API"), "Pass the date in its media type, such as 2025-03-12.")
    })
}

/// Refuses every string that a parser of URLs could read as another server or another directory.
fn checked_path(path: &str) -> Result<&str, Error> {
    let shown = || printable(path, 200);
    let refused = |problem: &str| Error::Refused {
        problem: format!("the path `{}` {problem}", shown()),
        hint: PATH_HINT.to_owned(),
        http_status: None,
        exchange: Exchange::default(),
    };
    let invalid = |problem: &str| Error::invalid("path", format!("`{}` {problem}", shown()), PATH_HINT);
    let slashes = path.replace('\\', "/");
    if slashes.starts_with("//") || (!path.starts_with('/') && slashes.contains("//")) {
        return Err(refused("names a server. The token is sent only to that of the client"));
    }
    if !path.starts_with('/') {
        return Err(invalid("does not begin with a slash"));
    }
    let forbidden = path.chars().find_map(|character| match character {
        ' ' => Some("contains a space"),
        '\\' => Some("contains a backslash"),
        '#' => Some("contains a `#`"),
        other if other.is_control() => Some("contains a control character"),
        _ => None,
    });
    if let Some(forbidden) = forbidden {
        return Err(invalid(forbidden));
    }
    let before_query = path.split('?').next().unwrap_or(path).to_ascii_lowercase();
    let decoded = before_query.replace("%2e", ".").replace("%2f", "/").replace("%5c", "/");
    if decoded.split('/').any(|segment| segment == "." || segment == "..") {
        return Err(refused("has a `.` or `..` segment, which leads to another path than the one that is written"));
    }
    Ok(path)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::error::Status;

    fn url(path: &str, query: &[(&str, &str)]) -> Result<String, Error> {
        let mut request = ApiRequest::new(b"GET", path.as_bytes())?;
        for (name, value) in query {
            request.add_query(name.as_bytes(), value.as_bytes())?;
        }
        request.url(&Endpoint::for_tests("https://cloud.mongodb.com/")).map(String::from)
    }

    #[test]
    fn the_path_and_the_query_are_those_of_the_caller() {
        for (path, query, expected) in [
            ("/api/atlas/v2/orgs", &[][..], "https://cloud.mongodb.com/api/atlas/v2/orgs"),
            (
                "/api/atlas/v2/orgs?pageNum=2",
                &[("itemsPerPage", "5")],
                "https://cloud.mongodb.com/api/atlas/v2/orgs?pageNum=2&itemsPerPage=5",
            ),
            ("/a", &[("q", "a b&c=d/é")], "https://cloud.mongodb.com/a?q=a+b%26c%3Dd%2F%C3%A9"),
            ("/users/CN%3Da%2Fb", &[], "https://cloud.mongodb.com/users/CN%3Da%2Fb"),
            ("/a..b/...", &[], "https://cloud.mongodb.com/a..b/..."),
            ("/a?next=../b", &[], "https://cloud.mongodb.com/a?next=../b"),
            ("/a//b", &[], "https://cloud.mongodb.com/a//b"),
        ] {
            assert_eq!(url(path, query).unwrap(), expected);
        }
    }

    #[test]
    fn i5_a_path_that_names_a_server_or_leaves_its_directory_is_refused() {
        for path in [
            "//evil.example/api",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example/",
            "https://cloud.mongodb.com/api",
            "HTTP://cloud.mongodb.com",
            "https:\\\\evil.example",
            "user@evil.example//",
            "/api/../x",
            "/api/..",
            "/./x",
            "/api/%2e%2E/x",
            "/api/.%2e",
            "/api/..%2fx",
            "/api/%2e%2e%5Cx",
        ] {
            assert_eq!(url(path, &[]).unwrap_err().status(), Status::Refused, "{path}");
        }
    }

    #[test]
    fn what_is_not_a_path_is_an_invalid_argument_that_is_named() {
        for path in ["", "api/atlas", "?a=b", "https:evil.example", "/a b", "/a\r\nHost: evil.example", "/a#b", "/a\\b", "/a\u{7f}"] {
            let error = url(path, &[]).unwrap_err();
            assert_eq!(error.status(), Status::InvalidArgument, "{path:?}");
            assert!(error.to_string().starts_with("path: "), "{error}");
        }
        assert!(ApiRequest::new(b"GET", b"/\xff").unwrap_err().to_string().starts_with("path is not UTF-8"));
        for method in ["get", "", "CONNECT", "TRACE", "GET ", "G\0T"] {
            assert!(ApiRequest::new(method.as_bytes(), b"/").unwrap_err().to_string().starts_with("method: "), "{method:?}");
        }
        let mut request = ApiRequest::new(b"POST", b"/").unwrap();
        for version in ["", "2025/03/12", "2025-03-12+json", "a b", "\u{e9}", &"1".repeat(41)] {
            assert!(request.set_version(version.as_bytes()).unwrap_err().to_string().starts_with("version: "), "{version:?}");
        }
        assert!(request.add_query(b"", b"x").unwrap_err().to_string().starts_with("name is "));
    }

    #[test]
    fn a_body_that_is_not_json_is_rejected_without_being_shown() {
        let mut request = ApiRequest::new(b"POST", b"/").unwrap();
        for body in ["", "{", "{\"secret\":canary}", "{} {}", "canary"] {
            let error = request.set_body(body.as_bytes()).unwrap_err();
            assert!(error.to_string().starts_with("body is not valid JSON (line "), "{error}");
            assert!(!error.to_string().contains("canary"), "{error}");
        }
        request.set_body(b" {\"name\": \"a\"} ").unwrap();
        assert!(!format!("{request:?}").contains("name"), "{request:?}");
    }
}
