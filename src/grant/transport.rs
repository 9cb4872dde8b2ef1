//! Sends one request with one timeout. The runtime and the connection exist only during the call.

use super::connection::{self, Stream};
use super::connection_hint::ConnectionHint;
use super::content_encoding;
use super::proxy::HttpsProxy;
use super::transport_error;
use super::trust::Authorities;
use crate::config::{Config, Endpoint};
use crate::error::Error;
use crate::platform;
use bytes::Bytes;
use hyper::Method;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT_ENCODING, HOST, HeaderMap, HeaderValue, USER_AGENT};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use std::convert::Infallible;
use std::ffi::OsString;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
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
}

impl Route {
    /// Determines the route to `endpoint` from the configuration and the environment.
    ///
    /// # Errors
    /// The configured proxy or CA file cannot be used.
    pub(crate) fn resolve(endpoint: &Endpoint, config: &Config, variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        let string = |name: &str| variable(name).map(|value| value.to_string_lossy().into_owned());
        let authorities = Authorities::from_settings(config.ca_file(), variable);
        authorities.check()?;
        let proxy = HttpsProxy::for_target(endpoint.url(), &string)?;
        let hint = ConnectionHint::for_endpoint(endpoint, config, proxy.as_ref());
        Ok(Self { endpoint: endpoint.clone(), proxy, authorities, hint })
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

/// Sends consecutive requests to one server, each on its own connection.
pub(crate) struct Transport {
    route: Route,
    server: String,
    /// `None` for plain http.
    tls: Option<Arc<ClientConfig>>,
    connect_timeout: Duration,
    runtime: Runtime,
}

impl Transport {
    /// Opens a transport, calls `work` with it and closes it. Requests still in progress are
    /// canceled without waiting for them.
    pub(crate) fn with<T>(route: &Route, budget: Duration, work: impl FnOnce(&Self) -> Result<T, Error>) -> Result<T, Error> {
        let transport = Self::open(route, budget)?;
        let outcome = work(&transport);
        transport.runtime.shutdown_background();
        outcome
    }

    fn open(route: &Route, budget: Duration) -> Result<Self, Error> {
        let server = route.endpoint.origin();
        let secure = route.endpoint.url().scheme() == "https";
        let tls = if secure { Some(Arc::new(route.authorities.tls(&server)?)) } else { None };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(|error| transport_error::before_the_request(&server, "cannot create an I/O event queue", error))?;
        Ok(Self { route: route.clone(), server, tls, connect_timeout: budget.min(LONGEST_CONNECT), runtime })
    }

    /// Sends `request` and reads the response within `timeout`.
    pub(crate) fn send(&self, request: Request, reading: Reading, timeout: Timeout) -> Result<Reply, Error> {
        self.runtime.block_on(self.exchange(request, reading, timeout))
    }

    async fn exchange(&self, request: Request, reading: Reading, timeout: Timeout) -> Result<Reply, Error> {
        let started = Instant::now();
        let remaining = || timeout.remaining.saturating_sub(started.elapsed());
        let mut connection = self.connect(timeout).await?;

        let request = request.into_http(&self.server)?;
        let mut response = self.with_timeout(remaining(), timeout.total, connection.send(request)).await?;
        let status = response.status().as_u16();
        let mut headers = std::mem::take(response.headers_mut());
        let mut body = response.into_body();
        let body = match (status, reading) {
            (200, Reading::Nothing) => Zeroizing::new(Vec::new()),
            (200..300, Reading::Token) => {
                let body = connection.read(&mut body, LONGEST_TOKEN_REPLY);
                let body = self.complete(self.with_timeout(remaining(), timeout.total, body).await?, LONGEST_TOKEN_REPLY, status)?;
                content_encoding::decode(&body, &mut headers, LONGEST_TOKEN_REPLY)
                    .map_err(|problem| transport_error::protocol(&self.server, &problem, Some(status)))?
                    .unwrap_or(body)
            }
            (_, Reading::Anything(limit)) => {
                let body = connection.read(&mut body, limit);
                let body = self.complete(self.with_timeout(remaining(), timeout.total, body).await?, limit, status)?;
                // A body that cannot be decoded is returned as it is, with the header that says so.
                content_encoding::decode(&body, &mut headers, limit).ok().flatten().unwrap_or(body)
            }
            // The status is the most important part of a refusal. It is returned even if reading the
            // body fails or takes long: other processes may wait for it.
            _ => {
                let body = connection.read(&mut body, LONGEST_REFUSAL);
                let read = self.with_timeout(remaining().min(LONGEST_REFUSAL_TIME), timeout.total, body).await;
                let body = read.map_or_else(|_| Zeroizing::new(Vec::new()), |(body, _)| body);
                content_encoding::decode(&body, &mut headers, LONGEST_REFUSAL)
                    .map_or_else(|_| Zeroizing::default(), |decoded| decoded.unwrap_or(body))
            }
        };
        Ok(Reply { status, headers, body })
    }

    async fn connect(&self, timeout: Timeout) -> Result<Connection, Error> {
        let hint = &self.route.hint;
        let timed_out = |waited| transport_error::timed_out(&self.server, waited, false, hint);
        if timeout.remaining.is_zero() {
            return Err(timed_out(timeout.total));
        }
        let patience = timeout.remaining.min(self.connect_timeout);
        let opening = connection::open(self.route.endpoint.url(), self.route.proxy.as_ref(), self.tls.as_ref(), patience);
        let stream = match tokio::time::timeout(patience, opening).await {
            Ok(opened) => opened.map_err(|failure| transport_error::not_connected(failure, &self.server, &self.route))?,
            Err(_) => return Err(timed_out(patience)),
        };
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|failure| transport_error::from_hyper(failure, &self.server, &self.route.hint))?;
        Ok(Connection { sender, driver: Some(Box::pin(connection)) })
    }

    fn complete(&self, (body, complete): (Zeroizing<Vec<u8>>, bool), limit: usize, status: u16) -> Result<Zeroizing<Vec<u8>>, Error> {
        if complete {
            return Ok(body);
        }
        let problem = format!("its body is longer than {} MiB", limit / (1024 * 1024));
        Err(transport_error::protocol(&self.server, &problem, Some(status)))
    }

    async fn with_timeout<T>(
        &self,
        remaining: Duration,
        total: Duration,
        work: impl Future<Output = hyper::Result<T>>,
    ) -> Result<T, Error> {
        match tokio::time::timeout(remaining, work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(failure)) => Err(transport_error::from_hyper(failure, &self.server, &self.route.hint)),
            Err(_) => Err(transport_error::timed_out(&self.server, total, true, &self.route.hint)),
        }
    }
}

impl Request {
    /// The request as it is sent. It asks for a response without compression, which every server can
    /// send.
    fn into_http(self, server: &str) -> Result<hyper::Request<Once>, Error> {
        let mut request = hyper::Request::new(Once(Some(secret_bytes(self.body)).filter(|body| !body.is_empty())));
        *request.method_mut() = self.method;
        let path = self.url.query().map_or_else(|| self.url.path().to_owned(), |query| format!("{}?{query}", self.url.path()));
        *request.uri_mut() = path.parse().map_err(|_| Error::internal("a URL's path was not accepted in a request"))?;
        *request.headers_mut() = self.headers;
        let host = server.split_once("://").map_or(server, |(_, host)| host);
        let host = HeaderValue::from_str(host).map_err(|_| Error::internal("a URL's host was not accepted as a header value"))?;
        request.headers_mut().insert(HOST, host);
        request.headers_mut().insert(USER_AGENT, USER_AGENT_VALUE);
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        Ok(request)
    }
}

/// An HTTP/1.1 connection for one request.
struct Connection {
    sender: http1::SendRequest<Once>,
    /// `None` after it has finished. What it received before remains readable.
    driver: Option<Driver>,
}

/// Moves bytes between the socket and the request while it is polled.
type Driver = Pin<Box<http1::Connection<TokioIo<Box<dyn Stream>>, Once>>>;

impl Connection {
    async fn send(&mut self, request: hyper::Request<Once>) -> hyper::Result<hyper::Response<Incoming>> {
        let mut sending = pin!(self.sender.send_request(request));
        poll_fn(|context| drive(&mut self.driver, context, |context| sending.as_mut().poll(context))).await
    }

    /// Reads at most `limit` bytes of the body. The second value is true if the body is complete.
    /// Buffers that contained a token are wiped.
    async fn read(&mut self, body: &mut Incoming, limit: usize) -> hyper::Result<(Zeroizing<Vec<u8>>, bool)> {
        let announced = body.size_hint().exact().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        if announced.is_some_and(|length| length > limit) {
            return Ok((Zeroizing::new(Vec::new()), false));
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(announced.unwrap_or(8 * 1024)));
        loop {
            let frame = poll_fn(|context| drive(&mut self.driver, context, |context| Pin::new(&mut *body).poll_frame(context))).await;
            let Some(frame) = frame.transpose()? else { return Ok((bytes, true)) };
            let Ok(chunk) = frame.into_data() else { continue };
            if chunk.len() > limit - bytes.len() {
                return Ok((bytes, false));
            }
            append(&mut bytes, &chunk);
        }
    }
}

/// Polls the connection, then `work`, which waits for its bytes.
fn drive<T>(driver: &mut Option<Driver>, context: &mut Context<'_>, work: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    // An error of the connection is also the result of `work`.
    if driver.as_mut().is_some_and(|driver| driver.as_mut().poll(context).is_ready()) {
        *driver = None;
    }
    work(context)
}

/// A request body that consists of one buffer.
struct Once(Option<Bytes>);

impl Body for Once {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

/// Runs `work` on a thread that may start a runtime: on this thread or, if this thread already runs
/// a tokio runtime, on a new thread, which is joined.
pub(crate) fn run_outside_runtime<T: Send + 'static>(
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
        Err(error) => Err(transport_error::before_the_request(&route.endpoint.origin(), "cannot create a thread for the request", error)),
    }
}

/// A buffer for the HTTP client that is wiped when its last reference is dropped.
pub(crate) fn secret_bytes(buffer: Zeroizing<Vec<u8>>) -> Bytes {
    Bytes::from_owner(buffer)
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
