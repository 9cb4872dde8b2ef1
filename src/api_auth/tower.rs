//! A layer of `tower` for clients of the API (feature `tower`).
//!
//! It works with every service that takes an [`http::Request`], such as the client of hyper-util:
//!
//! ```no_run
//! # use http_body_util::Full;
//! # use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! # use tokenwell::tower::AuthLayer;
//! # use tower::{ServiceBuilder, ServiceExt};
//! # async fn example() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! # let request = http::Request::new(Full::<bytes::Bytes>::default());
//! # let connector = hyper_util::client::legacy::connect::HttpConnector::new();
//! let client = tokenwell::Client::new(tokenwell::Config::from_environment()?)?;
//! let http = Client::builder(TokioExecutor::new()).build::<_, Full<bytes::Bytes>>(connector);
//! let mut api = ServiceBuilder::new().layer(AuthLayer::new(&client)?).service(http);
//!
//! let response = api.ready().await?.call(request).await?;
//! # Ok(()) }
//! # use tower::Service;
//! ```
//!
//! # Which requests get the token
//!
//! Requests for the origin of the client's base URL ([`Client::base_url`]), or for the origin that
//! [`AuthLayer::with_origin`] received. The token is in the `Authorization` header (RFC 6750 section
//! 2.1). All other requests are sent unchanged, and so is a request that has an `Authorization` header.
//! A request whose URI names no server is an error, because it is not known who would receive the token.
//!
//! # After a 401
//!
//! The token is invalidated, and the request is sent once more with a new one if its body can be sent
//! again ([`TryCloneBody`]). The caller gets the second response, whatever its status is. If the body
//! cannot be sent again, or if there is no new token, the caller gets the 401.
//!
//! # Order of layers
//!
//! A layer that follows redirects must be outside of this one, before it in a `ServiceBuilder`:
//!
//! ```no_run
//! # use http_body_util::Full;
//! # use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! # use tokenwell::tower::AuthLayer;
//! # use tower::ServiceBuilder;
//! # use tower_http::follow_redirect::FollowRedirectLayer;
//! # fn example(client: &tokenwell::Client) -> Result<(), tokenwell::Error> {
//! # let connector = hyper_util::client::legacy::connect::HttpConnector::new();
//! # let http = Client::builder(TokioExecutor::new()).build::<_, Full<bytes::Bytes>>(connector);
//! let api = ServiceBuilder::new().layer(FollowRedirectLayer::new()).layer(AuthLayer::new(client)?).service(http);
//! # Ok(()) }
//! ```
//!
//! Then this layer checks each request of a chain of redirects. Inside, the layer of `tower-http` 0.6
//! copies the header of the first request for each redirect, and removes it only if the origin differs
//! from that of the previous request: the second request to another server would have the token. This
//! layer cannot prevent that, because it does not see these requests. It is the same for a service that
//! follows redirects itself.
//!
//! A layer that limits the time also belongs outside: it then limits the wait for the token and both
//! requests. A future that is dropped sends nothing more. It does not end a refresh that other callers
//! wait for.

use super::{Authorizer, authorize};
use crate::client::Client;
use crate::error::Error;
use http::{Method, Request, Response, StatusCode, header::AUTHORIZATION};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower_layer::Layer;
use tower_service::Service;

/// The error of [`Auth`]: that of the service that it calls, or a [`tokenwell::Error`](Error), which
/// [`downcast_ref`](std::error::Error#method.downcast_ref) returns.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Returns the copy of a request's body that is sent if the token of the request is rejected.
///
/// The copy must have the bytes of the body from its start. A body that is a stream cannot be sent
/// again. [`AuthLayer::clone_body_with`] sets a function for bodies that do not implement [`Clone`].
pub trait TryCloneBody<B> {
    /// Returns a copy of `body`, which has not been read yet, or `None` if it cannot be sent again.
    fn try_clone(&self, body: &B) -> Option<B>;
}

/// Sends every body again, as its clone. The clone of a body with its content in memory is suitable:
/// `http_body_util::Full`, `Empty`, a `String`. The clone of a stream that shares its position is not.
#[derive(Clone, Copy, Debug, Default)]
pub struct CloneBody;

impl<B: Clone> TryCloneBody<B> for CloneBody {
    fn try_clone(&self, body: &B) -> Option<B> {
        Some(body.clone())
    }
}

/// Copies a body with a function; see [`AuthLayer::clone_body_with`].
#[derive(Clone, Copy)]
pub struct CloneBodyWith<F>(F);

impl<F: Fn(&B) -> Option<B>, B> TryCloneBody<B> for CloneBodyWith<F> {
    fn try_clone(&self, body: &B) -> Option<B> {
        (self.0)(body)
    }
}

impl<F> fmt::Debug for CloneBodyWith<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CloneBodyWith")
    }
}

/// Makes the service that adds the token of a client to its requests; see the [module](self).
#[derive(Clone, Debug)]
pub struct AuthLayer<P = CloneBody> {
    authorizer: Arc<Authorizer>,
    policy: P,
}

impl AuthLayer {
    /// For the API at the base URL of `client`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the client has no base URL.
    pub fn new(client: &Client) -> Result<Self, Error> {
        Ok(Self { authorizer: Arc::new(Authorizer::new(client, None)?), policy: CloneBody })
    }

    /// For the API at `origin`, such as `https://api.example.com`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] or [`Error::Refused`] if a token may not be sent to `origin`. The
    /// rules are those of the setting `base_url`.
    pub fn with_origin(client: &Client, origin: &str) -> Result<Self, Error> {
        Ok(Self { authorizer: Arc::new(Authorizer::new(client, Some(origin))?), policy: CloneBody })
    }
}

impl<P> AuthLayer<P> {
    /// Sets the function that copies the body of a request. It returns `None` if the body cannot be
    /// sent again.
    ///
    /// ```
    /// # use {bytes::Bytes, http_body_util::{BodyExt, Empty, combinators::UnsyncBoxBody}};
    /// # use hyper::body::Body;
    /// # type Stream = UnsyncBoxBody<Bytes, std::convert::Infallible>;
    /// # fn example(client: &tokenwell::Client) -> Result<(), tokenwell::Error> {
    /// // Only requests without a body are sent again.
    /// let layer = tokenwell::tower::AuthLayer::new(client)?
    ///     .clone_body_with(|body: &Stream| body.is_end_stream().then(|| Empty::<Bytes>::new().boxed_unsync()));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn clone_body_with<F>(self, function: F) -> AuthLayer<CloneBodyWith<F>> {
        AuthLayer { authorizer: self.authorizer, policy: CloneBodyWith(function) }
    }
}

impl<S, P: Clone> Layer<S> for AuthLayer<P> {
    type Service = Auth<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        Auth { inner, authorizer: Arc::clone(&self.authorizer), policy: self.policy.clone() }
    }
}

/// Adds the token of a client to the requests for its API; see the [module](self).
#[derive(Clone, Debug)]
pub struct Auth<S, P = CloneBody> {
    inner: S,
    authorizer: Arc<Authorizer>,
    policy: P,
}

impl<S, P, B, R> Service<Request<B>> for Auth<S, P>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    P: TryCloneBody<B>,
    B: Send + 'static,
    R: Send + 'static,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The service that is ready serves this call. Its clone has to become ready first.
        let clone = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, clone);
        match needs_token(&self.authorizer, &request) {
            Ok(true) => {
                let copy = self.policy.try_clone(request.body());
                Box::pin(exchange(inner, Arc::clone(&self.authorizer), request, copy))
            }
            Ok(false) => {
                let mut inner = inner;
                let response = inner.call(request);
                Box::pin(async move { response.await.map_err(Into::into) })
            }
            Err(error) => Box::pin(std::future::ready(Err(error.into()))),
        }
    }
}

fn needs_token<B>(authorizer: &Authorizer, request: &Request<B>) -> Result<bool, Error> {
    let uri = request.uri();
    if request.headers().contains_key(AUTHORIZATION) || request.method() == Method::CONNECT {
        return Ok(false);
    }
    match (uri.scheme_str(), uri.authority()) {
        (Some(scheme), Some(authority)) => Ok(authorizer.origin.is_target(scheme, authority.as_str(), request.headers())),
        _ => Err(Error::invalid(
            "uri",
            "names no server, so it is not known whether that server may receive a token",
            "Use a URI with scheme and host, such as https://api.example.com/path. For tonic, create the client with `with_origin`.",
        )),
    }
}

/// Sends a request with a token, and once more if the token is rejected and `copy` is its body.
async fn exchange<S, B, R>(mut inner: S, authorizer: Arc<Authorizer>, request: Request<B>, copy: Option<B>) -> Result<Response<R>, BoxError>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
{
    let token = authorizer.token().await?;
    let (parts, body) = request.into_parts();
    let repetition = copy.map(|copy| Request::from_parts(parts.clone(), copy));
    let mut request = Request::from_parts(parts, body);
    authorize(request.headers_mut(), &token)?;
    let response = inner.call(request).await.map_err(Into::into)?;

    if response.status() != StatusCode::UNAUTHORIZED || !authorizer.invalidate(&token).await {
        return Ok(response);
    }
    let Some(mut repetition) = repetition else { return Ok(response) };
    // If there is no other token, the next request reports why.
    let Ok(another) = authorizer.token().await else { return Ok(response) };
    authorize(repetition.headers_mut(), &another)?;
    drop(response);
    poll_fn(|context| inner.poll_ready(context)).await.map_err(Into::into)?;
    inner.call(repetition).await.map_err(Into::into)
}
