//! Calls of the Atlas Admin API with a client's token.
//!
//! May depend on: client, config, grant (its transport), token, error. Start reading at [`AdminApi::call`].

use crate::client::{Client, TokenOptions};
use crate::config::{Config, Endpoint};
use crate::error::Error;
use crate::grant::transport::{Patience, Reading, Request, Route, Transport, outside_of_any_runtime, secret_bytes};
use crate::token::Token;
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use std::fmt;
use std::time::{Duration, Instant};
use url::Url;
use zeroize::Zeroizing;

/// The version of the Admin API that is asked for where a call names none: the media type's date.
pub const DEFAULT_VERSION: &str = "2024-08-05";

/// The longest reply that is read.
const LONGEST_REPLY: usize = 64 * 1024 * 1024;

const UNAUTHORIZED: u16 = 401;

/// One Admin API: a base URL and the way there. Tokens go to that very scheme, host and port and nowhere else; redirects are not followed.
#[derive(Debug)]
pub struct AdminApi {
    route: Route,
    timeout: Duration,
}

/// One call. `Debug` does not show its body.
#[derive(Clone)]
pub struct Call {
    method: String,
    path: String,
    version: String,
    body: Option<Vec<u8>>,
}

/// What the Admin API answered, whatever its status. `Debug` does not show the body: a new secret may be in it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The media type, where it was named.
    pub content_type: Option<String>,
    /// The headers in the order in which they came, names in lower case, but for those whose value is not ASCII.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub body: Vec<u8>,
}

impl Call {
    /// A call with `method` of `path`, which begins with a slash: `/api/atlas/v2/orgs?itemsPerPage=5`.
    #[must_use]
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), version: DEFAULT_VERSION.to_owned(), body: None }
    }

    /// A GET of `path`.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// Another version of the API than [`DEFAULT_VERSION`], as the date in its media type.
    #[must_use]
    pub fn version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    /// A body of JSON.
    #[must_use]
    pub fn body(mut self, json: Vec<u8>) -> Self {
        self.body = Some(json);
        self
    }

    fn request(&self, base: &Endpoint, token: &Token) -> Result<Request, Error> {
        let method = Method::from_bytes(self.method.as_bytes()).ok().filter(|_| self.method.bytes().all(|byte| byte.is_ascii_uppercase()));
        let method = method
            .ok_or_else(|| Error::invalid("method", "is not an HTTP method", "Use GET, POST, PATCH, PUT or DELETE, in capital letters."))?;
        let media_type = format!("application/vnd.atlas.{}+json", self.version);
        let media_type = HeaderValue::from_str(&media_type)
            .ok()
            .filter(|_| self.version.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
            .ok_or_else(|| Error::invalid("version", "is not a date", "Name the API's version as in its media type: 2024-08-05."))?;
        let wiped = secret_bytes(Zeroizing::new(token.authorization().as_bytes().to_vec()));
        let mut authorization =
            HeaderValue::from_maybe_shared(wiped).map_err(|_| Error::internal("a token that was checked does not fit into a header"))?;
        authorization.set_sensitive(true);

        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, authorization);
        if self.body.is_some() {
            headers.insert(CONTENT_TYPE, media_type.clone());
        }
        headers.insert(ACCEPT, media_type);
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
    /// The Admin API that `config`'s base URL names. Opens nothing.
    ///
    /// # Errors
    /// [`Error::NotConfigured`] where the configuration names a token URL in place of a base URL, or a proxy or CA file that cannot be used.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let base = config.api_base.as_ref().ok_or_else(|| Error::NotConfigured {
            problem: "there is no Admin API to call: a token_url was given, and no base_url".to_owned(),
            hint: "Set base_url (TOKENWELL_BASE_URL, MONGODB_ATLAS_BASE_URL) to where Atlas is.".to_owned(),
        })?;
        let route = Route::settle(base, config, &|name| std::env::var_os(name))?;
        Ok(Self { route, timeout: config.timeout })
    }

    /// Makes `call` with `client`'s token. After a 401 the token is dropped, and the call is made once more with another one: a token may be
    /// revoked before its time, and never is one retried for longer.
    ///
    /// Any HTTP status but a redirect is an answer and not an error.
    ///
    /// Waits at most for the client's timeout for each of the two tokens, for this configuration's timeout for each of the two requests, and for some
    /// seconds (nine, with a shared cache that hardly answers) for the shared cache to forget the first token: four timeouts and nine seconds in all.
    ///
    /// # Errors
    /// No token; [`Error::InvalidArgument`] for a method, path or version that cannot be sent; [`Error::Refused`] for a path that leads
    /// to another server, and for redirects; network and TLS errors.
    pub fn call(&self, client: &Client, call: &Call) -> Result<Reply, Error> {
        let token = client.token(&TokenOptions::default())?;
        let reply = self.send(call, &token)?;
        if reply.status != UNAUTHORIZED {
            return Ok(reply);
        }
        client.invalidate(token.value())?;
        self.send(call, &client.token(&TokenOptions::default())?)
    }

    fn send(&self, call: &Call, token: &Token) -> Result<Reply, Error> {
        let request = call.request(&self.route.endpoint, token)?;
        let (route, timeout) = (self.route.clone(), self.timeout);
        let begun = Instant::now();
        let reply = outside_of_any_runtime(&self.route, move || {
            let patience = Patience { remaining: timeout.saturating_sub(begun.elapsed()), total: timeout };
            Transport::while_open(&route, timeout, |transport| transport.send(request, Reading::Anything(LONGEST_REPLY), patience))
        })?;
        if (300..400).contains(&reply.status) {
            return Err(Error::Refused {
                problem: format!("{} answered with a redirect, and a token is not sent after one", self.route.endpoint.origin()),
                hint: "Set the base URL to where the API really is.".to_owned(),
                http_status: Some(reply.status),
            });
        }
        let content_type = reply.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let text = |(name, value): (&HeaderName, &HeaderValue)| Some((name.to_string(), value.to_str().ok()?.to_owned()));
        let headers = reply.headers.iter().filter_map(text).collect();
        Ok(Reply { status: reply.status, content_type, headers, body: reply.body.to_vec() })
    }
}

/// `path` under `base`, with a check of the parsed result: what looks like a path can name another host (`//host`, `\host`).
fn on_the_same_origin(base: &Endpoint, path: &str) -> Result<Url, Error> {
    const HINT: &str = "Give the path and query alone, as in /api/atlas/v2/orgs: the host is the base URL's.";
    if !path.starts_with('/')
        || path.chars().any(|character| character.is_control() || character == ' ' || character == '\\' || character == '#')
    {
        return Err(Error::invalid("path", "must begin with a slash and hold no spaces, backslashes, control characters or #", HINT));
    }
    let url = base.url().join(path).map_err(|error| Error::invalid("path", format!("is not a path: {error}"), HINT))?;
    if url.origin() != base.url().origin() || !url.username().is_empty() || url.password().is_some() {
        return Err(Error::Refused {
            problem: "the path leads to another server than the base URL's, and a token is not sent there".to_owned(),
            hint: HINT.to_owned(),
            http_status: None,
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
    fn item_11_the_token_is_in_the_authorization_header_and_nowhere_else() {
        let sent = Moment { wall_ms: 1_800_000_000_000, monotonic_ms: 0 };
        let token = Token::new("canary.a-b_c~d+e/f=", None, Lifetime::granted(sent, Duration::from_secs(3600), 0.0), 1);
        let call = Call::new("POST", "/api/atlas/v2/orgs?pageNum=2").body(br#"{"name":"a"}"#.to_vec());

        let request = call.request(&base(), &token).unwrap();

        let values: Vec<_> = request.headers.get_all(AUTHORIZATION).iter().collect();
        assert_eq!(values, ["Bearer canary.a-b_c~d+e/f="]);
        assert!(values[0].is_sensitive());
        let others = request.headers.iter().filter(|(name, _)| *name != AUTHORIZATION);
        for text in others.map(|(_, value)| value.as_bytes()).chain([request.url.as_str().as_bytes(), &request.body]) {
            assert!(!String::from_utf8_lossy(text).contains("canary"), "{:?}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn i5_item_25_paths_that_name_another_host_are_refused() {
        for path in [
            "//evil.example/api",
            "///evil.example",
            "https://evil.example/",
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
