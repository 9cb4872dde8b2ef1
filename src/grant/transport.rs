//! One request, one reply, one deadline: a runtime and a client that exist only as long as the call does.

use super::arrival::Arrival;
use super::breakdown;
use super::names::{LoopbackOnly, SystemNames};
use super::proxy::HttpsProxy;
use super::signpost::Signpost;
use super::trust::Authorities;
use crate::config::{Config, Endpoint};
use crate::error::Error;
use crate::platform;
use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderValue, USER_AGENT};
use reqwest::{Client, Method, Response, redirect, retry};
use std::ffi::OsString;
use std::future::Future;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use url::Url;
use zeroize::Zeroizing;

/// The longest token reply that is read (items 16 and 26).
pub(super) const LONGEST_TOKEN_REPLY: usize = 1024 * 1024;

/// As much of a refusal as is looked at; what is beyond it changes nothing.
const LONGEST_REFUSAL: usize = 64 * 1024;

/// How the library names itself to every server.
const OWN_NAME: HeaderValue = HeaderValue::from_static(concat!("tokenwell/", env!("CARGO_PKG_VERSION")));

const LONGEST_CONNECT: Duration = Duration::from_secs(10);

/// How to reach one endpoint, settled when the client is made.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) endpoint: Endpoint,
    pub(super) proxy: Option<HttpsProxy>,
    pub(super) authorities: Authorities,
    pub(super) signpost: Signpost,
}

impl Route {
    /// The way to `endpoint` that the configuration and the environment describe.
    ///
    /// # Errors
    /// A proxy or a file of authorities that is named there cannot be used.
    pub(crate) fn settle(endpoint: &Endpoint, config: &Config, variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        let text = |name: &str| variable(name).map(|value| value.to_string_lossy().into_owned());
        let authorities = Authorities::settle(config.ca_file(), variable);
        authorities.check()?;
        let proxy = HttpsProxy::for_target(endpoint.url(), &text)?;
        Ok(Self { endpoint: endpoint.clone(), proxy, authorities, signpost: Signpost::to(endpoint, config) })
    }
}

/// What is sent.
pub(crate) struct Request {
    pub(crate) method: Method,
    /// On the route's origin.
    pub(crate) url: Url,
    /// But for the User-Agent, which is every request's.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// What is read of a reply.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Of a 200, as much as a token may take; of a refusal, what explains it.
    Token,
    /// Of a 200, nothing; of a refusal, what explains it.
    Nothing,
    /// Everything, whatever the status, up to so many bytes.
    Anything(usize),
}

/// The time that is left for this request, and of how much it is the rest.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) remaining: Duration,
    pub(crate) total: Duration,
}

/// A client for a few requests in a row.
pub(crate) struct Transport {
    server: String,
    signpost: Signpost,
    arrival: Arrival,
    client: Client,
    runtime: Runtime,
}

impl Transport {
    /// Has `work` use a transport, which is there only for that. What it began ends with it, and nothing is waited for.
    pub(crate) fn while_open<T>(route: &Route, budget: Duration, work: impl FnOnce(&Self) -> Result<T, Error>) -> Result<T, Error> {
        let transport = Self::open(route, budget)?;
        let outcome = work(&transport);
        transport.close();
        outcome
    }

    fn open(route: &Route, budget: Duration) -> Result<Self, Error> {
        let server = route.endpoint.origin();
        let arrival = Arrival::default();
        let client = client(route, budget.min(LONGEST_CONNECT), &arrival)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(|error| breakdown::before_the_request(&server, "no means of waiting for the network", error))?;
        Ok(Self { server, signpost: route.signpost.clone(), arrival, client, runtime })
    }

    fn close(self) {
        // A client that outlives its runtime would have no way to end its connections.
        drop(self.client);
        self.runtime.shutdown_background();
    }

    /// Sends `request` and reads the reply, all before the patience ends.
    pub(crate) fn send(&self, request: Request, reading: Reading, patience: Patience) -> Result<Reply, Error> {
        self.runtime.block_on(self.exchange(request, reading, patience))
    }

    async fn exchange(&self, request: Request, reading: Reading, patience: Patience) -> Result<Reply, Error> {
        self.arrival.expect();
        if patience.remaining.is_zero() {
            return Err(self.no_reply_within(patience.total));
        }
        let started = Instant::now();
        let sending = self
            .client
            .request(request.method, request.url)
            .headers(request.headers)
            .header(USER_AGENT, OWN_NAME)
            .body(secret_bytes(request.body))
            .send();
        let mut response = self.before_the_end(patience.remaining, patience.total, sending).await?;

        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        let rest = patience.remaining.saturating_sub(started.elapsed());
        let body = match (status, reading) {
            (200, Reading::Nothing) => Zeroizing::new(Vec::new()),
            (200, Reading::Token) => self.whole(&mut response, LONGEST_TOKEN_REPLY, rest, patience).await?,
            (_, Reading::Anything(limit)) => self.whole(&mut response, limit, rest, patience).await?,
            // The status says the most: it stands even when the words that explain it never come.
            _ => self
                .before_the_end(rest, patience.total, read(&mut response, LONGEST_REFUSAL))
                .await
                .map_or_else(|_| Zeroizing::new(Vec::new()), |(body, _)| body),
        };
        Ok(Reply { status, headers, body })
    }

    async fn whole(&self, response: &mut Response, limit: usize, rest: Duration, patience: Patience) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (body, whole) = self.before_the_end(rest, patience.total, read(response, limit)).await?;
        if whole {
            return Ok(body);
        }
        let problem = format!("its body is longer than {} MiB", limit / (1024 * 1024));
        Err(breakdown::protocol(&self.server, &problem, Some(response.status().as_u16())))
    }

    async fn before_the_end<T>(&self, rest: Duration, total: Duration, work: impl Future<Output = reqwest::Result<T>>) -> Result<T, Error> {
        match tokio::time::timeout(rest, work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(failure)) => Err(breakdown::of_transport(failure, &self.server, &self.signpost)),
            Err(_) => Err(self.no_reply_within(total)),
        }
    }

    fn no_reply_within(&self, total: Duration) -> Error {
        breakdown::no_reply_within(&self.server, total, self.arrival.happened(), &self.signpost)
    }
}

/// Runs `work` where a runtime may be started. A thread that already drives one may not: it gets another thread to wait for.
pub(crate) fn outside_of_any_runtime<T: Send + 'static>(
    route: &Route,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    if tokio::runtime::Handle::try_current().is_err() {
        return work();
    }
    let thread = platform::spawn_without_signals(std::thread::Builder::new().name("tokenwell-grant".to_owned()), work);
    match thread.map(std::thread::JoinHandle::join) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(Error::internal("the request's thread panicked")),
        Err(error) => Err(breakdown::before_the_request(&route.endpoint.origin(), "no thread for the request", error)),
    }
}

/// A buffer for the HTTP client that is wiped when the last part of it is let go.
pub(crate) fn secret_bytes(buffer: Zeroizing<Vec<u8>>) -> Bytes {
    Bytes::from_owner(buffer)
}

fn client(route: &Route, connect_within: Duration, arrival: &Arrival) -> Result<Client, Error> {
    let builder = Client::builder()
        .http1_only()
        .redirect(redirect::Policy::none())
        .referer(false)
        .retry(retry::never())
        .pool_max_idle_per_host(0)
        .connect_timeout(connect_within)
        .connector_layer(arrival.clone())
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
