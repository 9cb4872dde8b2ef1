//! One request to the Admin API, with a client's token, only to the origin of the base URL.

use crate::client::{Client, TokenOptions};
use crate::config::{Config, Endpoint};
use crate::error::{Error, Exchange, printable};
use crate::grant::transport::{Reading, Request, Route, Timeout, Transport, authorization_value, run_outside_runtime, without_query};
use crate::token::Token;
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use std::fmt;
use std::time::{Duration, Instant};
use url::Url;
use zeroize::Zeroizing;

/// The Admin API version that is requested by default, as the date in its media type.
pub const DEFAULT_VERSION: &str = "2024-08-05";

/// The maximum size of a response body.
const LONGEST_REPLY: usize = 64 * 1024 * 1024;

const UNAUTHORIZED: u16 = 401;

/// The Admin API at one base URL. Tokens are sent only to the scheme, host and port of that URL.
/// Redirects are not followed.
#[derive(Debug)]
pub struct AdminApi {
    route: Route,
    timeout: Duration,
}

/// One Admin API request. `Debug` omits the body and the headers.
#[derive(Clone)]
pub struct Call {
    method: String,
    path: String,
    version: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

/// The headers of a request that its caller may not set: the token must reach only the server of the
/// base URL, and the HTTP client frames the request.
const OWN_HEADERS: [&str; 9] =
    ["authorization", "proxy-authorization", "host", "connection", "content-length", "expect", "te", "transfer-encoding", "upgrade"];

/// A response of the Admin API with any status. `Debug` omits the body, which may contain a new
/// secret.
#[derive(Clone)]
#[non_exhaustive]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The media type, if the response contains one.
    pub content_type: Option<String>,
    /// The headers in the order received, names in lower case. Headers whose value is not ASCII are
    /// omitted.
    pub headers: Vec<(String, String)>,
    /// The body, unchanged.
    pub body: Vec<u8>,
}

impl Call {
    /// A request with `method` for `path`, which begins with a slash
    /// (`/api/atlas/v2/orgs?itemsPerPage=5`) or is a URL with the scheme, host and port of the base
    /// URL.
    #[must_use]
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), version: DEFAULT_VERSION.to_owned(), headers: Vec::new(), body: None }
    }

    /// A GET request for `path`.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// Sets the API version, as the date in its media type. The default is [`DEFAULT_VERSION`].
    #[must_use]
    pub fn version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    /// Sets a header, and replaces the media types that [`Call::version`] implies. `Authorization`
    /// and the headers of the connection are errors of [`AdminApi::call`].
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the JSON body.
    #[must_use]
    pub fn body(mut self, json: Vec<u8>) -> Self {
        self.body = Some(json);
        self
    }

    fn request(&self, base: &Endpoint, token: &Token) -> Result<Request, Error> {
        let method = Method::from_bytes(self.method.as_bytes()).ok().filter(|_| self.method.bytes().all(|byte| byte.is_ascii_uppercase()));
        let method = method.ok_or_else(|| {
            Error::invalid(
                "method",
                format!("`{}` is not an HTTP method", printable(&self.method, 40)),
                "Use GET, POST, PATCH, PUT or DELETE in capital letters.",
            )
        })?;
        let media_type = format!("application/vnd.atlas.{}+json", self.version);
        let media_type = HeaderValue::from_str(&media_type)
            .ok()
            .filter(|_| self.version.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
            .ok_or_else(|| {
                Error::invalid(
                    "version",
                    format!("`{}` is not a date", printable(&self.version, 40)),
                    "Use the date in the API's media type, such as 2024-08-05.",
                )
            })?;

        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, authorization_value(token)?);
        if self.body.is_some() {
            headers.insert(CONTENT_TYPE, media_type.clone());
        }
        headers.insert(ACCEPT, media_type);
        for (name, value) in &self.headers {
            let (name, value) = header(name, value)?;
            headers.insert(name, value);
        }
        Ok(Request {
            method,
            url: on_the_same_origin(base, &self.path)?,
            headers,
            body: Zeroizing::new(self.body.clone().unwrap_or_default()),
        })
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("status", &self.status).field("content_type", &self.content_type).finish_non_exhaustive()
    }
}

impl AdminApi {
    /// The Admin API at the base URL of `config`. Opens no connection.
    ///
    /// # Errors
    /// [`Error::NotConfigured`] if `config` contains a token URL instead of a base URL, or if the
    /// configured proxy or CA file cannot be used.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let base = config.api_base.as_ref().ok_or_else(|| Error::NotConfigured {
            problem: "cannot call the Admin API: token_url selects a server that is not Atlas".to_owned(),
            hint: without_token_url(config),
        })?;
        let route = Route::resolve(base, config)?;
        Ok(Self { route, timeout: config.timeout })
    }

    /// Sends `call` with a token of `client`. After a 401 the token is removed from the cache and
    /// the request is sent once more with a new token, because a token can be revoked before it
    /// expires. There is no further retry.
    ///
    /// Any HTTP status except a redirect is returned as a [`Reply`].
    ///
    /// Blocks for at most four timeouts and nine seconds: the client's timeout for each of the two
    /// tokens, this configuration's timeout for each of the two requests, and up to nine seconds to
    /// remove the first token from a slow shared cache.
    ///
    /// # Errors
    /// The errors of [`Client::token`]; [`Error::InvalidArgument`] for an invalid method, path or
    /// version; [`Error::Refused`] for a client of another server, for a path that leads to another
    /// server and for a redirect; network and TLS errors.
    pub fn call(&self, client: &Client, call: &Call) -> Result<Reply, Error> {
        self.check_origin(client)?;
        let token = client.token(&TokenOptions::default())?;
        let reply = self.send(call, &token)?;
        if reply.status != UNAUTHORIZED {
            return Ok(reply);
        }
        client.invalidate(token.value())?;
        self.send(call, &client.token(&TokenOptions::default())?)
    }

    /// Whether `url` is a path, or a URL of the server of the base URL.
    pub(super) fn is_own_url(&self, url: &str) -> bool {
        on_the_same_origin(&self.route.endpoint, url).is_ok()
    }

    /// The token of one server is never sent to another.
    fn check_origin(&self, client: &Client) -> Result<(), Error> {
        let own = self.route.endpoint.origin();
        let Some(origin) = client.origin().filter(|origin| *origin != own) else { return Ok(()) };
        Err(Error::Refused {
            problem: format!("the client's tokens are issued by {origin}; they are not sent to {own}"),
            hint: "Create the client and the Admin API from the same configuration.".to_owned(),
            http_status: None,
            exchange: Exchange::default(),
        })
    }

    fn send(&self, call: &Call, token: &Token) -> Result<Reply, Error> {
        let request = call.request(&self.route.endpoint, token)?;
        let (route, timeout) = (self.route.clone(), self.timeout);
        let started = Instant::now();
        let (method, url) = (request.method.to_string(), without_query(&request.url));
        let elapsed_ms = move || u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let reply = run_outside_runtime(&self.route, move || {
            let timeout = Timeout { remaining: timeout.saturating_sub(started.elapsed()), total: timeout };
            Transport::with(&route, timeout.total, |transport| transport.send(request, Reading::Anything(LONGEST_REPLY), timeout))
        });
        let reply = reply.inspect_err(|error| {
            tracing::debug!(method, url, elapsed_ms = elapsed_ms(), outcome = error.status().name(), "no usable response");
        })?;
        tracing::debug!(method, url, elapsed_ms = elapsed_ms(), status = reply.status, "response received");
        if (300..400).contains(&reply.status) {
            return Err(Error::Refused {
                problem: format!(
                    "{} sent a redirect, which was not followed because it could expose the token",
                    self.route.endpoint.origin()
                ),
                hint: "Set the base URL to the actual URL of the API.".to_owned(),
                http_status: Some(reply.status),
                exchange: Exchange::default(),
            });
        }
        let content_type = reply.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let pair = |(name, value): (&HeaderName, &HeaderValue)| Some((name.to_string(), value.to_str().ok()?.to_owned()));
        let headers = reply.headers.iter().filter_map(pair).collect();
        Ok(Reply { status: reply.status, content_type, headers, body: reply.body.to_vec() })
    }
}

fn without_token_url(config: &Config) -> String {
    let source = config.server_named_by(config.token_endpoint()).unwrap_or("option token_url");
    let removal = match source.strip_prefix("environment variable ") {
        Some(variable) => format!("Unset {variable}"),
        None => format!("Remove token_url ({source})"),
    };
    format!("{removal}, and use a service account of Atlas. For an Atlas server other than cloud.mongodb.com, set base_url.")
}

/// Checks a header that the caller of a request sets.
fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Error> {
    let shown = printable(name, 60);
    let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
        Error::invalid("header", format!("`{shown}` is not the name of a header"), "Use letters, digits and hyphens, such as Accept.")
    })?;
    if OWN_HEADERS.contains(&parsed.as_str()) {
        let hint = if parsed.as_str().contains("authorization") {
            "Leave it out: the token is added to each request."
        } else {
            "Leave it out: the HTTP client sets it."
        };
        return Err(Error::invalid("header", format!("`{shown}` cannot be set"), hint));
    }
    let value = HeaderValue::from_str(value).map_err(|_| {
        Error::invalid("header", format!("the value of `{shown}` contains a control character"), "Use visible characters and spaces.")
    })?;
    Ok((parsed, value))
}

/// The URL of `path` on the server of `base`. The parsed URL is checked, because a string that
/// looks like a path can contain another host (`//host`, `\host`).
fn on_the_same_origin(base: &Endpoint, path: &str) -> Result<Url, Error> {
    const HINT: &str = "Use a path and query such as /api/atlas/v2/orgs. The host comes from the base URL; a URL must have the same one.";
    let invalid = |problem: String| Error::invalid("path", format!("`{}` {problem}", printable(path, 200)), HINT);
    let is_url = path.starts_with("https://") || path.starts_with("http://");
    if !path.starts_with('/') && !is_url {
        return Err(invalid("does not begin with a slash".to_owned()));
    }
    let forbidden = path.chars().find_map(|character| match character {
        ' ' => Some("a space"),
        '\\' => Some("a backslash"),
        '#' => Some("a `#`"),
        other if other.is_control() => Some("a control character"),
        _ => None,
    });
    if let Some(forbidden) = forbidden {
        return Err(invalid(format!("contains {forbidden}")));
    }
    let url = base.url().join(path).map_err(|error| invalid(format!("is not a valid path: {error}")))?;
    if url.origin() != base.url().origin() || !url.username().is_empty() || url.password().is_some() {
        return Err(Error::Refused {
            problem: format!("the path `{}` leads to a server other than the base URL; the token is not sent there", printable(path, 200)),
            hint: HINT.to_owned(),
            http_status: None,
            exchange: Exchange::default(),
        });
    }
    Ok(url)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::clock::Moment;
    use crate::lifetime::Lifetime;

    fn base() -> Endpoint {
        Endpoint::for_tests("https://cloud.mongodb.com/")
    }

    #[test]
    fn a_path_stays_on_the_base_urls_host() {
        let url = on_the_same_origin(&base(), "/api/atlas/v2/orgs?pageNum=2").unwrap();

        assert_eq!(url.as_str(), "https://cloud.mongodb.com/api/atlas/v2/orgs?pageNum=2");
    }

    #[test]
    fn a_url_of_the_base_urls_server_is_a_path() {
        let url = on_the_same_origin(&base(), "https://cloud.mongodb.com:443/api/atlas/v2/orgs?pageNum=2").unwrap();

        assert_eq!(url.as_str(), "https://cloud.mongodb.com/api/atlas/v2/orgs?pageNum=2");
    }

    #[test]
    fn a_header_replaces_the_media_type_but_not_the_token() {
        let sent = Moment { wall_ms: 1_800_000_000_000, monotonic_ms: 0 };
        let token = Token::new("canary", None, Lifetime::granted(sent, Duration::from_secs(3600), 0.0), 1);
        let request = |name: &str, value: &str| Call::get("/").header(name, value).request(&base(), &token);

        let headers = request("accept", "application/vnd.atlas.2023-02-01+gzip").unwrap().headers;

        assert_eq!(headers.get_all(ACCEPT).iter().collect::<Vec<_>>(), ["application/vnd.atlas.2023-02-01+gzip"]);
        for (name, value) in [("AUTHORIZATION", "Bearer b"), ("Host", "evil.example"), ("a b", ""), ("", ""), ("x", "a\r\nb: c")] {
            let error = request(name, value).map(drop).unwrap_err();
            assert_eq!(error.status(), crate::Status::InvalidArgument, "{name}: {error}");
        }
    }

    #[test]
    fn item_11_the_token_is_in_the_authorization_header_and_nowhere_else() {
        let sent = Moment { wall_ms: 1_800_000_000_000, monotonic_ms: 0 };
        let token = Token::new("canary.a-b_c~d+e/f=", None, Lifetime::granted(sent, Duration::from_secs(3600), 0.0), 1);
        let call = Call::new("POST", "/api/atlas/v2/orgs?pageNum=2").body(br#"{"name":"a"}"#.to_vec());

        let request = call.request(&base(), &token).unwrap();

        let values: Vec<_> = request.headers.get_all(AUTHORIZATION).iter().collect();
        assert_eq!(values, ["Bearer canary.a-b_c~d+e/f="]);
        assert!(values[0].is_sensitive());
        let others = request.headers.iter().filter(|(name, _)| *name != AUTHORIZATION);
        for sent in others.map(|(_, value)| value.as_bytes()).chain([request.url.as_str().as_bytes(), &request.body]) {
            assert!(!String::from_utf8_lossy(sent).contains("canary"), "{:?}", String::from_utf8_lossy(sent));
        }
    }

    #[test]
    fn r25_a_token_of_another_server_is_not_sent() {
        let config = |base: &str| {
            let mut builder = Config::builder();
            for (name, value) in [
                ("client_id", "mdb_sa_id_0123456789abcdef01234567"),
                ("client_secret", "canary-secret"),
                ("cache", "off"),
                ("base_url", base),
            ] {
                builder.set(name, value.as_bytes()).unwrap();
            }
            builder.build().unwrap()
        };
        // Nothing listens there: a request for a token would be a network error.
        let client = Client::new(config("http://127.0.0.1:1")).unwrap();

        let error = AdminApi::new(&config("http://127.0.0.1:2")).unwrap().call(&client, &Call::get("/api/atlas/v2/orgs")).unwrap_err();

        assert_eq!(error.status(), crate::Status::Refused, "{error}");
        let message = "refused: the client's tokens are issued by http://127.0.0.1:1; they are not sent to http://127.0.0.1:2";
        assert_eq!(error.to_string(), message);
        let own = AdminApi::new(&config("http://127.0.0.1:1")).unwrap().call(&client, &Call::get("/api/atlas/v2/orgs")).unwrap_err();
        assert_eq!(own.status(), crate::Status::Network, "{own}");
    }

    #[test]
    fn i5_item_25_paths_that_name_another_host_are_refused() {
        for path in [
            "//evil.example/api",
            "///evil.example",
            "https://evil.example/",
            "https:///evil.example/",
            "https://cloud.mongodb.com@evil.example/",
            "https://user@cloud.mongodb.com/",
            "http://cloud.mongodb.com/",
            "https:evil.example",
            "ftp://cloud.mongodb.com/",
            "\\\\evil.example",
            "/\\evil.example",
            "api/atlas",
            "",
            "/a b",
            "/a\r\nHost: evil.example",
            "/a#b",
            "@evil.example/",
        ] {
            assert!(on_the_same_origin(&base(), path).is_err(), "{path:?}");
        }
    }
}
