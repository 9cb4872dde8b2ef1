//! Sends one request with one timeout. The runtime and the HTTP client exist only during the call.

use super::connection_hint::ConnectionHint;
use super::connection_watch::ConnectionWatch;
use super::content_encoding;
use super::proxy::HttpsProxy;
use super::resolver::{LoopbackResolver, SystemResolver};
use super::transport_error::{self, Failure};
use super::tunnel::Tunnel;
use crate::config::{Authorities, Config, Endpoint};
use crate::error::{EndpointKind, EndpointName, Error};
use crate::platform;
use crate::token::Token;
use bytes::Bytes;
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, USER_AGENT};
use reqwest::{Client, Method, Response, redirect, retry};
use std::future::Future;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use url::Url;
use zeroize::Zeroizing;

/// The maximum size of a token response (items 16 and 26).
pub(super) const LONGEST_TOKEN_REPLY: usize = 1024 * 1024;

/// The maximum number of bytes that are read of a refusal. The rest is ignored.
const LONGEST_REFUSAL: usize = 64 * 1024;

/// How long the body of a refusal is waited for. Other processes wait for the result.
const LONGEST_REFUSAL_TIME: Duration = Duration::from_secs(1);

/// The `User-Agent` of every request.
const USER_AGENT_VALUE: HeaderValue = HeaderValue::from_static(concat!("tokenwell/", env!("CARGO_PKG_VERSION")));

const LONGEST_CONNECT: Duration = Duration::from_secs(10);

/// The route to one endpoint, determined when the client is created.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) endpoint: Endpoint,
    pub(super) proxy: Option<HttpsProxy>,
    pub(super) authorities: Authorities,
    pub(super) hint: ConnectionHint,
    pub(crate) name: EndpointName,
    /// Whether a base URL names the server.
    pub(super) at_atlas: bool,
}

impl Route {
    /// Determines the route to the Admin API, whose base URL is `base`.
    ///
    /// # Errors
    /// As [`Route::resolve`].
    #[cfg(feature = "capi")]
    pub(crate) fn to_api(base: &Endpoint, config: &Config) -> Result<Self, Error> {
        let route = Self::resolve(base, config)?;
        Ok(Self { name: EndpointName { kind: EndpointKind::Api, ..route.name }, ..route })
    }

    /// Determines the route to `endpoint` from the configuration. The environment was read when the
    /// configuration was built, and is not read again: a request runs on another thread, and reading
    /// the environment while the program changes it is not safe in C.
    ///
    /// # Errors
    /// The configured proxy or CA file cannot be used.
    pub(crate) fn resolve(endpoint: &Endpoint, config: &Config) -> Result<Self, Error> {
        let authorities = config.authorities.clone();
        authorities.check()?;
        let proxy = HttpsProxy::for_target(endpoint.url(), &config.proxy)?;
        let hint = ConnectionHint::for_endpoint(endpoint, config, proxy.as_ref());
        let name = EndpointName {
            kind: if config.revocation_endpoint.as_ref() == Some(endpoint) { EndpointKind::Revocation } else { EndpointKind::Token },
            setting: config.url_setting(endpoint).into(),
        };
        Ok(Self { endpoint: endpoint.clone(), proxy, authorities, hint, name, at_atlas: config.api_base.is_some() })
    }
}

/// An HTTP request.
pub(crate) struct Request {
    pub(crate) method: Method,
    /// A URL on the route's origin.
    pub(crate) url: Url,
    /// The headers without `User-Agent`, which is added to every request.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// An HTTP response.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// How much of a response body is read, and which status is a success.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// For every 2xx status, a token response; otherwise the description of the refusal.
    Token,
    /// For status 200, nothing; otherwise the description of the refusal.
    Nothing,
    /// The complete body for every status, up to this number of bytes.
    Anything(usize),
}

impl Reading {
    /// Whether a response with this status is the requested result. Some servers return 201 with a
    /// token, which would be lost if only 200 were accepted.
    pub(crate) fn accepts(self, status: u16) -> bool {
        match self {
            Self::Token => (200..300).contains(&status),
            Self::Nothing | Self::Anything(_) => status == 200,
        }
    }
}

/// The timeout of one request, as part of a total timeout.
#[derive(Clone, Copy)]
pub(crate) struct Timeout {
    /// The time left for this request.
    pub(crate) remaining: Duration,
    /// The total timeout, for messages.
    pub(crate) total: Duration,
}

/// An HTTP client for consecutive requests to one server.
pub(crate) struct Transport {
    route: Route,
    server: String,
    watch: ConnectionWatch,
    way: Way,
    runtime: Runtime,
}

/// The way to the server.
enum Way {
    Direct(Client),
    ThroughProxy(Tunnel),
}

/// The URL for a log: a query may contain anything.
pub(crate) fn without_query(url: &url::Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    // The URL of a request never has a user, but a log is copied to other people.
    let _ = shown.set_username("").and_then(|()| shown.set_password(None));
    shown.into()
}

impl Transport {
    /// Opens a transport, calls `work` with it and closes it. Requests still in progress are
    /// canceled without waiting for them.
    pub(crate) fn with<T>(route: &Route, budget: Duration, work: impl FnOnce(&Self) -> Result<T, Error>) -> Result<T, Error> {
        let transport = Self::open(route, budget)?;
        let outcome = work(&transport);
        transport.close();
        outcome
    }

    fn open(route: &Route, budget: Duration) -> Result<Self, Error> {
        let server = route.endpoint.origin();
        let watch = ConnectionWatch::default();
        let way = way(route, budget.min(LONGEST_CONNECT), &watch)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(|error| transport_error::before_the_request(&server, "cannot create an I/O event queue", error))?;
        Ok(Self { route: route.clone(), server, watch, way, runtime })
    }

    fn close(self) {
        // The client needs the runtime to close its connections, so it is dropped first.
        drop(self.way);
        self.runtime.shutdown_background();
    }

    pub(super) fn connection(&self) -> &ConnectionWatch {
        &self.watch
    }

    /// Runs `work`, which may send any number of requests with [`Transport::exchange`].
    #[cfg(feature = "capi")]
    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Sends `request` and reads the response within `timeout`.
    pub(crate) fn send(&self, request: Request, reading: Reading, timeout: Timeout) -> Result<Reply, Error> {
        self.runtime.block_on(self.exchange(request, reading, timeout))
    }

    pub(crate) async fn exchange(&self, request: Request, reading: Reading, timeout: Timeout) -> Result<Reply, Error> {
        self.watch.reset();
        if timeout.remaining.is_zero() {
            return Err(self.timed_out(timeout.total));
        }
        let started = Instant::now();
        let mut request = request;
        request.headers.insert(USER_AGENT, USER_AGENT_VALUE);
        // Every server can send a response without compression.
        request.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let mut response = match &self.way {
            Way::Direct(client) => {
                let sending = client.request(request.method, request.url).headers(request.headers).body(secret_bytes(request.body)).send();
                self.with_timeout(timeout.remaining, timeout.total, sending).await?
            }
            Way::ThroughProxy(tunnel) => self.with_timeout(timeout.remaining, timeout.total, tunnel.send(request)).await?,
        };

        let status = response.status().as_u16();
        let mut headers = std::mem::take(response.headers_mut());
        let remaining = timeout.remaining.saturating_sub(started.elapsed());
        let body = match (status, reading) {
            (200, Reading::Nothing) => Zeroizing::new(Vec::new()),
            (200..300, Reading::Token) => {
                let body = self.complete_body(&mut response, LONGEST_TOKEN_REPLY, remaining, timeout).await?;
                content_encoding::decode(&body, &mut headers, LONGEST_TOKEN_REPLY)
                    .map_err(|problem| transport_error::protocol(&self.server, &problem, Some(status)))?
                    .unwrap_or(body)
            }
            (_, Reading::Anything(limit)) => {
                let body = self.complete_body(&mut response, limit, remaining, timeout).await?;
                // A body that cannot be decoded is returned as it is, with the header that says so.
                content_encoding::decode(&body, &mut headers, limit).ok().flatten().unwrap_or(body)
            }
            // The status is the most important part of a refusal. It is returned even if reading the
            // body fails or takes long: other processes may wait for it.
            _ => {
                let reading = read(&mut response, LONGEST_REFUSAL);
                let read = self.with_timeout(remaining.min(LONGEST_REFUSAL_TIME), timeout.total, reading).await;
                let body = read.map_or_else(|_| Zeroizing::new(Vec::new()), |(body, _)| body);
                content_encoding::decode(&body, &mut headers, LONGEST_REFUSAL)
                    .map_or_else(|_| Zeroizing::default(), |decoded| decoded.unwrap_or(body))
            }
        };
        Ok(Reply { status, headers, body })
    }

    async fn complete_body(
        &self,
        response: &mut Response,
        limit: usize,
        remaining: Duration,
        timeout: Timeout,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (body, complete) = self.with_timeout(remaining, timeout.total, read(response, limit)).await?;
        if complete {
            return Ok(body);
        }
        const MIB: usize = 1024 * 1024;
        let limit = if limit.is_multiple_of(MIB) { format!("{} MiB", limit / MIB) } else { format!("{limit} bytes") };
        let problem = format!("its body is longer than {limit}");
        Err(transport_error::protocol(&self.server, &problem, Some(response.status().as_u16())))
    }

    async fn with_timeout<T>(
        &self,
        remaining: Duration,
        total: Duration,
        work: impl Future<Output = Result<T, impl Into<Failure>>>,
    ) -> Result<T, Error> {
        match tokio::time::timeout(remaining, work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(failure)) => Err(transport_error::without_response(failure.into(), &self.server, &self.route)),
            Err(_) => Err(self.timed_out(total)),
        }
    }

    fn timed_out(&self, total: Duration) -> Error {
        transport_error::timed_out(&self.server, total, self.watch.is_connected(), &self.route.hint)
    }
}

/// Runs `work` on a thread that may start a runtime: on this thread or, if this thread already runs
/// a tokio runtime, on a new thread, which is joined.
pub(crate) fn run_outside_runtime<T: Send + 'static>(
    route: &Route,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    if tokio::runtime::Handle::try_current().is_err() {
        // If no thread could be created, this is a thread of the host program.
        return platform::without_sigpipe(work);
    }
    let thread = platform::spawn_without_signals(std::thread::Builder::new().name("tokenwell-grant".to_owned()), work);
    match thread.map(std::thread::JoinHandle::join) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(Error::internal("the request's thread panicked")),
        Err(error) => Err(transport_error::before_the_request(&route.endpoint.origin(), "cannot create a thread for the request", error)),
    }
}

/// The value of the `Authorization` header. It is not printed, and it is wiped with its last copy.
pub(crate) fn authorization_value(token: &Token) -> Result<HeaderValue, Error> {
    let wiped = secret_bytes(Zeroizing::new(token.authorization().as_bytes().to_vec()));
    let mut value =
        HeaderValue::from_maybe_shared(wiped).map_err(|_| Error::internal("a validated token was not accepted as a header value"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A buffer for the HTTP client that is wiped when its last reference is dropped.
pub(crate) fn secret_bytes(buffer: Zeroizing<Vec<u8>>) -> Bytes {
    Bytes::from_owner(buffer)
}

fn way(route: &Route, connect_timeout: Duration, watch: &ConnectionWatch) -> Result<Way, Error> {
    let is_https = route.endpoint.url().scheme() == "https";
    // Without TLS and without a configuration, reqwest would load the system's authorities needlessly.
    let tls = if is_https { route.authorities.tls(&route.endpoint.origin())? } else { no_tls()? };
    if let Some(proxy) = &route.proxy {
        return Tunnel::new(route, proxy, tls, connect_timeout, watch).map(Way::ThroughProxy);
    }
    let builder = Client::builder()
        .http1_only()
        .redirect(redirect::Policy::none())
        .referer(false)
        .retry(retry::never())
        .pool_max_idle_per_host(0)
        .connect_timeout(connect_timeout)
        .connector_layer(watch.clone())
        .tls_backend_preconfigured(tls)
        // Without this call, reqwest reads the proxy settings from the environment itself.
        .no_proxy();
    let builder = if is_https { builder.https_only(true).dns_resolver(SystemResolver) } else { builder.dns_resolver(LoopbackResolver) };
    builder.build().map(Way::Direct).map_err(not_built)
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
    Error::internal(format!("cannot create the HTTP client: {}", error.without_url()))
}

/// Reads at most `limit` bytes of the body. The second value is true if the body is complete.
/// Buffers that contained a token are wiped.
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

/// Grows the buffer explicitly: a vector that reallocates itself frees its old buffer without
/// wiping it.
fn append(body: &mut Zeroizing<Vec<u8>>, chunk: &[u8]) {
    let needed = body.len() + chunk.len();
    if needed > body.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(body.capacity() * 2)));
        larger.extend_from_slice(body);
        *body = larger;
    }
    body.extend_from_slice(chunk);
}
