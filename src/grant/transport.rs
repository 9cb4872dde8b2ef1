//! One request, one reply, one deadline: a runtime and a client that exist only as long as the call does.

use super::names::{LoopbackOnly, SystemNames};
use super::proxy::HttpsProxy;
use super::refusal;
use super::secret_bytes;
use super::trust::Authorities;
use crate::config::Endpoint;
use crate::error::Error;
use reqwest::header::HeaderMap;
use reqwest::{Client, Response, redirect, retry};
use std::future::Future;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

/// The longest token reply that is read (items 16 and 26).
pub(super) const LONGEST_TOKEN_REPLY: usize = 1024 * 1024;

/// As much of a refusal as is looked at; what is beyond it changes nothing.
const LONGEST_REFUSAL: usize = 64 * 1024;

const LONGEST_CONNECT: Duration = Duration::from_secs(10);

/// How to reach one endpoint, settled when the client is made.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) endpoint: Endpoint,
    pub(super) proxy: Option<HttpsProxy>,
    pub(super) authorities: Authorities,
}

/// What is sent.
pub(super) struct Request {
    pub(super) headers: HeaderMap,
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// What came back.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// Whether the body of a 200 means anything.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Success {
    Token,
    Bare,
}

/// The time that is left for this request, and of how much it is the rest.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    pub(super) remaining: Duration,
    pub(super) total: Duration,
}

/// A client for a few requests in a row. Dropping it ends all that it began, without waiting for anything.
pub(super) struct Transport<'a> {
    route: &'a Route,
    server: String,
    client: Option<Client>,
    runtime: Option<Runtime>,
}

impl<'a> Transport<'a> {
    pub(super) fn open(route: &'a Route, budget: Duration) -> Result<Self, Error> {
        let server = route.endpoint.origin();
        let client = client(route, budget.min(LONGEST_CONNECT))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().map_err(|error| Error::Network {
            server: server.clone(),
            problem: format!("no means of waiting for the network: {error}"),
            source: Some(std::sync::Arc::new(error)),
        })?;
        Ok(Self { route, server, client: Some(client), runtime: Some(runtime) })
    }

    /// Sends `request` as a POST and reads the reply, all before the patience ends.
    pub(super) fn post(&self, request: Request, success: Success, patience: Patience) -> Result<Reply, Error> {
        let (Some(client), Some(runtime)) = (&self.client, &self.runtime) else {
            return Err(Error::internal("a closed transport was used"));
        };
        runtime.block_on(self.exchange(client, request, success, patience))
    }

    async fn exchange(&self, client: &Client, request: Request, success: Success, patience: Patience) -> Result<Reply, Error> {
        if patience.remaining.is_zero() {
            return Err(refusal::no_reply_within(&self.server, patience.total));
        }
        let started = Instant::now();
        let sending = client.post(self.route.endpoint.url().clone()).headers(request.headers).body(secret_bytes(request.body)).send();
        let mut response = self.before_the_end(patience.remaining, patience.total, sending).await?;

        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        let rest = patience.remaining.saturating_sub(started.elapsed());
        let body = match (status, success) {
            (200, Success::Bare) => Zeroizing::new(Vec::new()),
            (200, Success::Token) => {
                let (body, whole) = self.before_the_end(rest, patience.total, read(&mut response, LONGEST_TOKEN_REPLY)).await?;
                if !whole {
                    return Err(refusal::protocol(&self.server, "its body is longer than 1 MiB", Some(status)));
                }
                body
            }
            // The status says the most: it stands even when the words that explain it never come.
            _ => self
                .before_the_end(rest, patience.total, read(&mut response, LONGEST_REFUSAL))
                .await
                .map_or_else(|_| Zeroizing::new(Vec::new()), |(body, _)| body),
        };
        Ok(Reply { status, headers, body })
    }

    async fn before_the_end<T>(&self, rest: Duration, total: Duration, work: impl Future<Output = reqwest::Result<T>>) -> Result<T, Error> {
        match tokio::time::timeout(rest, work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(failure)) => Err(refusal::of_transport(failure, &self.server)),
            Err(_) => Err(refusal::no_reply_within(&self.server, total)),
        }
    }
}

impl Drop for Transport<'_> {
    fn drop(&mut self) {
        self.client = None;
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn client(route: &Route, connect_within: Duration) -> Result<Client, Error> {
    let builder = Client::builder()
        .http1_only()
        .redirect(redirect::Policy::none())
        .referer(false)
        .retry(retry::never())
        .pool_max_idle_per_host(0)
        .connect_timeout(connect_within)
        // Off first: otherwise reqwest reads the environment by itself.
        .no_proxy();
    let builder = if route.endpoint.url().scheme() == "https" {
        let builder =
            builder.https_only(true).tls_backend_preconfigured(route.authorities.tls(&route.endpoint.origin())?).dns_resolver(SystemNames);
        match &route.proxy {
            Some(proxy) => builder.proxy(reqwest::Proxy::https(proxy.url().clone()).map_err(not_built)?),
            None => builder,
        }
    } else {
        // No TLS will be used; without a configuration reqwest would load the system's authorities for nothing.
        builder.tls_backend_preconfigured(no_tls()?).dns_resolver(LoopbackOnly)
    };
    builder.build().map_err(not_built)
}

fn no_tls() -> Result<rustls::ClientConfig, Error> {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal(format!("the TLS provider has no usable protocol version: {error}")))?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth())
}

fn not_built(error: reqwest::Error) -> Error {
    Error::internal(format!("the HTTP client could not be made: {}", error.without_url()))
}

/// Reads at most `limit` bytes; the second value says whether that was all. What a token passed through is wiped.
async fn read(response: &mut Response, limit: usize) -> reqwest::Result<(Zeroizing<Vec<u8>>, bool)> {
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
    if announced.is_some_and(|length| length > limit) {
        return Ok((Zeroizing::new(Vec::new()), false));
    }
    let mut body = Zeroizing::new(Vec::with_capacity(announced.unwrap_or(8 * 1024)));
    while let Some(chunk) = response.chunk().await? {
        if chunk.len() > limit - body.len() {
            return Ok((body, false));
        }
        append(&mut body, &chunk);
    }
    Ok((body, true))
}

/// Grows by hand: a vector that grows by itself leaves its old, unwiped allocation behind.
fn append(body: &mut Zeroizing<Vec<u8>>, chunk: &[u8]) {
    let needed = body.len() + chunk.len();
    if needed > body.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(body.capacity() * 2)));
        larger.extend_from_slice(body);
        *body = larger;
    }
    body.extend_from_slice(chunk);
}
