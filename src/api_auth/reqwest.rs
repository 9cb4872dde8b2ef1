//! Requests of `reqwest` with the token (feature `reqwest`).
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = tokenwell::Client::new(tokenwell::Config::from_environment()?)?;
//! let auth = tokenwell::reqwest::Auth::new(&client)?;
//! let http = reqwest::Client::new();
//!
//! let response = auth.send(http.get("https://cloud.mongodb.com/api/atlas/v2/orgs")).await?;
//! # Ok(()) }
//! ```
//!
//! The features of `reqwest` are those that the program chooses in its own dependency. Without any, a
//! program has to choose how TLS is done, as the documentation of `reqwest` says.

use super::{Authorizer, authorize};
use crate::client::Client;
use crate::error::Error;
use crate::token::Token;
use reqwest::header::AUTHORIZATION;
use reqwest::{Method, Request, RequestBuilder, Response, StatusCode, Url};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Sends requests with the token of a client. Cheap to clone.
///
/// Requests for the origin of the client's base URL ([`Client::base_url`]) get the `Authorization`
/// header (RFC 6750 section 2.1), or those for the origin that [`Auth::with_origin`] received. All
/// others are sent unchanged, and so is a request that has an `Authorization` header. `reqwest` removes
/// the header when it follows a redirect to another origin.
///
/// If the API replies with 401, the token is invalidated and the request is sent once more with a new
/// one. The caller gets the second response, whatever its status is. The caller gets the 401 if there is
/// no new token, if the body is a stream, or if a request other than GET and HEAD was redirected, which
/// may have had its effect already.
#[derive(Clone, Debug)]
pub struct Auth(Arc<Authorizer>);

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
}

impl Auth {
    /// For the API at the base URL of `client`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the client has no base URL.
    pub fn new(client: &Client) -> Result<Self, Error> {
        Ok(Self(Arc::new(Authorizer::new(client, None)?)))
    }

    /// For the API at `origin`, such as `https://api.example.com`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] or [`Error::Refused`] if a token may not be sent to `origin`. The
    /// rules are those of the setting `base_url`.
    pub fn with_origin(client: &Client, origin: &str) -> Result<Self, Error> {
        Ok(Self(Arc::new(Authorizer::new(client, Some(origin))?)))
    }

    /// Sends a request, like [`RequestBuilder::send`].
    ///
    /// The timeout of the request ([`RequestBuilder::timeout`]) also limits the wait for tokens, and
    /// applies to all of it together. Dropping the future does not end a refresh that other callers wait
    /// for.
    ///
    /// # Errors
    /// [`SendError::Token`] with the errors of [`Client::token`]; [`SendError::Request`].
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, SendError> {
        let (http, request) = request.build_split();
        self.execute(&http, request?).await
    }

    /// Sends a request, like [`reqwest::Client::execute`]; see [`Auth::send`].
    ///
    /// # Errors
    /// Those of [`Auth::send`].
    pub async fn execute(&self, http: &reqwest::Client, mut request: Request) -> Result<Response, SendError> {
        if request.headers().contains_key(AUTHORIZATION) || !self.is_target(&request) {
            return Ok(http.execute(request).await?);
        }
        let limit = Limit::of(&request);
        let repetition = request.try_clone();
        let (method, url) = (request.method().clone(), request.url().clone());
        let token = limit.token(&self.0).await?;
        limit.apply(&mut request, &token)?;
        let response = http.execute(request).await?;

        if response.status() != StatusCode::UNAUTHORIZED || !has_same_origin(response.url(), &url) || !self.0.invalidate(&token).await {
            return Ok(response);
        }
        let was_redirected = without_fragment(response.url()) != without_fragment(&url);
        let is_safe = matches!(method, Method::GET | Method::HEAD);
        let Some(mut repetition) = repetition.filter(|_| is_safe || !was_redirected) else { return Ok(response) };
        // If there is no other token, the next request reports why.
        let Ok(another) = limit.token(&self.0).await else { return Ok(response) };
        limit.apply(&mut repetition, &another)?;
        drop(response);
        Ok(http.execute(repetition).await?)
    }

    fn is_target(&self, request: &Request) -> bool {
        let url = request.url();
        let Some(host) = url.host_str() else { return false };
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let has_userinfo = !url.username().is_empty() || url.password().is_some();
        !has_userinfo && self.0.origin.is_target(url.scheme(), &authority, request.headers())
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

    async fn token(self, authorizer: &Authorizer) -> Result<Token, Error> {
        let token = authorizer.token();
        match self.remaining() {
            Some(remaining) => within(remaining, token)
                .await
                .unwrap_or_else(|| Err(Error::Deadline { waited: self.started.elapsed(), blocked_by: String::new() })),
            None => token.await,
        }
    }

    /// Adds the token, and leaves the rest of the time to the request.
    fn apply(self, request: &mut Request, token: &Token) -> Result<(), Error> {
        if let Some(remaining) = self.remaining() {
            *request.timeout_mut() = Some(remaining);
        }
        authorize(request.headers_mut(), token)
    }
}

/// The result of `future`, or `None` if it takes longer than `limit`.
async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, future).await.ok()
}

fn has_same_origin(one: &Url, other: &Url) -> bool {
    one.origin() == other.origin()
}

fn without_fragment(url: &Url) -> &str {
    &url[..url::Position::AfterQuery]
}
