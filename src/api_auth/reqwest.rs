//! Requests of `reqwest` with the token (feature `reqwest`).
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = tokenwell::Client::new(tokenwell::Config::from_environment()?)?;
//! let api = tokenwell::reqwest::Auth::new(&client, reqwest::Client::builder())?;
//!
//! let response = api.send(api.http().get("https://cloud.mongodb.com/api/atlas/v2/orgs")).await?;
//! # Ok(()) }
//! ```
//!
//! The features of `reqwest` are those that the program chooses in its own dependency. Without any, a
//! program has to choose how TLS is done, as the documentation of `reqwest` says.

use super::{Authorizer, authorize};
use crate::client::Client;
use crate::error::Error;
use crate::token::Token;
use reqwest::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderName, LOCATION, PROXY_AUTHORIZATION,
    TRANSFER_ENCODING,
};
use reqwest::{ClientBuilder, Method, Request, RequestBuilder, Response, StatusCode, redirect};
use std::error::Error as StdError;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

const MAX_REDIRECTS: usize = 10;

/// Sends requests with the token of a client. Cheap to clone.
///
/// Requests for the origin of the client's base URL ([`Client::base_url`]) get the `Authorization`
/// header (RFC 6750 section 2.1), or those for the origin that [`Auth::with_origin`] received. All
/// others are sent unchanged, and so is a request that has an `Authorization` header.
///
/// If the API replies with 401, the token is invalidated and the request is sent once more with a new
/// one. The caller gets the second response, whatever its status is. The caller gets the 401 if there is
/// no new token, or if the body is a stream.
///
/// # Redirects
///
/// `Auth` follows at most 10 redirects, and decides for each request of the chain whether it gets the
/// token. After a redirect to another origin, no request of the chain gets it, not even one for the API.
/// The redirect policy of the [`ClientBuilder`] has no effect: `reqwest` 0.13 removes a header
/// for the first request to another origin only, and sends it again with the second one. A redirect that
/// would need the body of a stream again is the response.
///
/// # Default headers
///
/// `reqwest` adds the default headers of the [`ClientBuilder`] after these decisions, to the requests for
/// all servers. For the API, the token replaces a default `Authorization`. A default `Host` may select
/// another site on the server of the API, which then gets the token: do not set one.
#[derive(Clone, Debug)]
pub struct Auth {
    authorizer: Arc<Authorizer>,
    http: reqwest::Client,
}

/// Why [`Auth::send`] returned no response.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// There is no token. The request was not sent.
    #[error(transparent)]
    Token(#[from] Error),
    /// The request is invalid or failed.
    #[error(transparent)]
    Request(#[from] reqwest::Error),
    /// The servers redirected the request too often.
    #[error("the request was redirected more than {MAX_REDIRECTS} times")]
    TooManyRedirects,
}

impl Auth {
    /// For the API at the base URL of `client`. The requests are sent by the HTTP client that `http`
    /// describes.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the client has no base URL, or if `http` is invalid.
    pub fn new(client: &Client, http: ClientBuilder) -> Result<Self, Error> {
        Self::of(Authorizer::new(client, None)?, http)
    }

    /// For the API at `origin`, such as `https://api.example.com`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] or [`Error::Refused`] if a token may not be sent to `origin`. The
    /// rules are those of the setting `base_url`. [`Error::InvalidArgument`] if `http` is invalid.
    pub fn with_origin(client: &Client, http: ClientBuilder, origin: &str) -> Result<Self, Error> {
        Self::of(Authorizer::new(client, Some(origin))?, http)
    }

    fn of(authorizer: Authorizer, http: ClientBuilder) -> Result<Self, Error> {
        let http = http.redirect(redirect::Policy::none()).build().map_err(|error| {
            let problem = match error.source() {
                Some(cause) => format!("is no valid HTTP client: {error}: {cause}"),
                None => format!("is no valid HTTP client: {error}"),
            };
            Error::invalid("http", problem, "Correct what the program sets in the reqwest::ClientBuilder.")
        })?;
        Ok(Self { authorizer: Arc::new(authorizer), http })
    }

    /// The HTTP client, to make requests for [`Auth::send`]. A request that it sends itself has no token,
    /// and its redirects are not followed.
    #[must_use]
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Sends a request, like [`RequestBuilder::send`], with the HTTP client of this object, whichever
    /// client made the request.
    ///
    /// The timeout of the request ([`RequestBuilder::timeout`]) also limits the wait for tokens, and
    /// applies to all of it together, with the redirects. A timeout of the [`ClientBuilder`] applies to
    /// each request of it. Dropping the future does not end a refresh that other callers wait for.
    ///
    /// # Errors
    /// [`SendError::Token`] with the errors of [`Client::token`]; [`SendError::Request`];
    /// [`SendError::TooManyRedirects`].
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, SendError> {
        self.execute(request.build()?).await
    }

    /// Sends a request, like [`reqwest::Client::execute`]; see [`Auth::send`].
    ///
    /// # Errors
    /// Those of [`Auth::send`].
    pub async fn execute(&self, mut request: Request) -> Result<Response, SendError> {
        let limit = Limit::of(&request);
        let mut gets_token = !request.headers().contains_key(AUTHORIZATION) && self.is_target(&request);
        for _ in 0..=MAX_REDIRECTS {
            let next = NextRequest::of(&request);
            let response =
                if gets_token { self.exchange(request, limit).await? } else { self.http.execute(limit.applied(request)).await? };
            let Some(next) = next.redirected(&response) else { return Ok(response) };
            gets_token = gets_token && self.is_target(&next);
            request = next;
        }
        Err(SendError::TooManyRedirects)
    }

    /// Sends a request with a token, and once more if the token is rejected.
    async fn exchange(&self, mut request: Request, limit: Limit) -> Result<Response, SendError> {
        let repetition = request.try_clone();
        let token = limit.token(&self.authorizer).await?;
        authorize(request.headers_mut(), &token)?;
        let response = self.http.execute(limit.applied(request)).await?;

        if response.status() != StatusCode::UNAUTHORIZED || !limit.invalidate(&self.authorizer, &token).await {
            return Ok(response);
        }
        let Some(mut repetition) = repetition else { return Ok(response) };
        // If there is no other token, the next request reports why.
        let Ok(another) = limit.token(&self.authorizer).await else { return Ok(response) };
        if limit.is_over() {
            return Ok(response);
        }
        authorize(repetition.headers_mut(), &another)?;
        drop(response);
        Ok(self.http.execute(limit.applied(repetition)).await?)
    }

    fn is_target(&self, request: &Request) -> bool {
        let url = request.url();
        let Some(host) = url.host_str() else { return false };
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let has_userinfo = !url.username().is_empty() || url.password().is_some();
        !has_userinfo && self.authorizer.origin.is_target(url.scheme(), &authority, request.headers())
    }
}

/// A copy of a request, for the target of a redirect. It has no token.
struct NextRequest {
    request: Request,
    /// False if the body of the request is a stream.
    has_its_body: bool,
}

impl NextRequest {
    fn of(request: &Request) -> Self {
        if let Some(copy) = request.try_clone() {
            return Self { request: copy, has_its_body: true };
        }
        let mut copy = Request::new(request.method().clone(), request.url().clone());
        *copy.headers_mut() = request.headers().clone();
        *copy.version_mut() = request.version();
        *copy.timeout_mut() = request.timeout().copied();
        Self { request: copy, has_its_body: false }
    }

    /// The request that follows a redirect (RFC 9110 section 15.4), or `None` if there is none.
    fn redirected(self, response: &Response) -> Option<Request> {
        let Self { mut request, has_its_body } = self;
        let becomes_get = match response.status() {
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => request.method() == Method::POST,
            StatusCode::SEE_OTHER => true,
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
            _ => return None,
        };
        let location = response.headers().get(LOCATION)?;
        let target = request.url().join(std::str::from_utf8(location.as_bytes()).ok()?).ok()?;
        if becomes_get {
            if request.method() != Method::HEAD {
                *request.method_mut() = Method::GET;
            }
            *request.body_mut() = None;
            remove(&mut request, &[CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, TRANSFER_ENCODING]);
        } else if !has_its_body {
            return None;
        }
        if target.origin() != request.url().origin() {
            remove(&mut request, &[AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, HOST]);
        }
        *request.url_mut() = target;
        Some(request)
    }
}

fn remove(request: &mut Request, names: &[HeaderName]) {
    for name in names {
        request.headers_mut().remove(name);
    }
}

/// The time that a request may take, with its wait for tokens.
#[derive(Clone, Copy)]
struct Limit {
    started: Instant,
    timeout: Option<Duration>,
}

impl Limit {
    fn of(request: &Request) -> Self {
        Self { started: Instant::now(), timeout: request.timeout().copied() }
    }

    fn remaining(self) -> Option<Duration> {
        self.timeout.map(|timeout| timeout.saturating_sub(self.started.elapsed()))
    }

    fn is_over(self) -> bool {
        self.remaining().is_some_and(|remaining| remaining.is_zero())
    }

    async fn token(self, authorizer: &Authorizer) -> Result<Token, Error> {
        let token = authorizer.token();
        match self.remaining() {
            Some(remaining) => within(remaining, token)
                .await
                .unwrap_or_else(|| Err(Error::Deadline { waited: self.started.elapsed(), blocked_by: String::new() })),
            None => token.await,
        }
    }

    /// Invalidates a token that the API rejected. Returns false if the client is closed, or if there is
    /// no time left. The invalidation continues then.
    async fn invalidate(self, authorizer: &Authorizer, rejected: &Token) -> bool {
        let invalidation = authorizer.invalidate(rejected);
        match self.remaining() {
            Some(remaining) => within(remaining, invalidation).await.unwrap_or(false),
            None => invalidation.await,
        }
    }

    /// Leaves the rest of the time to a request.
    fn applied(self, mut request: Request) -> Request {
        if let Some(remaining) = self.remaining() {
            *request.timeout_mut() = Some(remaining);
        }
        request
    }
}

/// The result of `future`, or `None` if it takes longer than `limit`.
async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, future).await.ok()
}
