//! One connection: counts the traffic, applies faults, passes other requests to `routes`.

use super::faults::{Answer, Fault};
use super::identity;
use super::journal::Received;
use super::routes::{self, Peer};
use super::script::{Content, Delivery, ScriptedBody, write_raw};
use super::server::Shared;
use super::world::World;
use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, DATE, HeaderValue, TRANSFER_ENCODING};
use hyper::service::Service as _;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use parking_lot::Mutex;
use std::fmt;
use std::future::{Future as _, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{self, AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The maximum size of a request body, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// The state that a connection and its requests share.
pub(super) struct Connection {
    shared: Arc<Shared>,
    router: TowerToHyperService<Router>,
    peer: SocketAddr,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The value of `World::resets` when this connection was last counted.
    counted_in: u64,
    ending: Ending,
}

/// How the connection is closed after the last HTTP exchange.
#[derive(Default)]
enum Ending {
    #[default]
    Close,
    Reset,
    Raw(Content, Delivery),
}

pub(super) async fn serve(tcp: TcpStream, acceptor: Option<TlsAcceptor>, connection: Arc<Connection>) {
    // Otherwise Nagle's algorithm would combine the single bytes of `drip_ms`. The call cannot fail
    // on an open, connected socket.
    let _ = tcp.set_nodelay(true);
    let Some(acceptor) = acceptor else { return serve_http(Socket::Plain(tcp), connection).await };

    match tcp.peek(&mut [0]).await {
        Ok(0) | Err(_) => return,
        Ok(_) => {}
    }
    match acceptor.accept(tcp).await {
        Ok(stream) => serve_http(Socket::Tls(Box::new(stream)), connection).await,
        // A client that rejects the certificate has sent bytes too.
        Err(_) => connection.count(),
    }
}

async fn serve_http(socket: Socket, connection: Arc<Connection>) {
    let is_tls = matches!(socket, Socket::Tls(_));
    let io = TokioIo::new(ObservedSocket { socket, connection: Arc::clone(&connection), inspection: Inspection::Undecided(Vec::new()) });
    let service = hyper::service::service_fn({
        let connection = Arc::clone(&connection);
        move |request| Box::pin(answer(Arc::clone(&connection), request))
    });
    let mut http = hyper::server::conn::http1::Builder::new().serve_connection(io, service);
    // An error here means that the client disconnected, or that a fault aborted the connection.
    let _ = poll_fn(|context| http.poll_without_shutdown(context)).await;

    let mut observed = http.into_parts().io.into_inner();
    match &observed.inspection {
        // The peer disconnected after it had sent the start of something other than a control
        // request.
        Inspection::Undecided(bytes) if is_tls || !bytes.is_empty() => connection.count(),
        _ => {}
    }
    let ending = std::mem::take(&mut connection.state.lock().ending);
    // Failures below mean that the peer has disconnected. The connection is being closed anyway.
    match ending {
        Ending::Close => drop(observed.socket.shutdown().await),
        Ending::Reset => drop(observed.socket.tcp().set_zero_linger()),
        Ending::Raw(content, delivery) => {
            if write_raw(&mut observed.socket, content, delivery).await.is_ok() {
                drop(observed.socket.shutdown().await);
            }
        }
    }
}

/// Answers one request, or aborts the connection as set in `Connection`.
async fn answer(connection: Arc<Connection>, request: Request<Incoming>) -> Result<Response<Body>, Aborted> {
    let mut reply = reply(&connection, request).await?;
    if !reply.headers().contains_key(DATE) {
        // Otherwise hyper would send the time of the system.
        let date = connection.shared.world.lock().clock.http_date();
        reply.headers_mut().extend(HeaderValue::from_str(&date).map(|date| (DATE, date)));
    }
    Ok(reply)
}

async fn reply(connection: &Connection, mut request: Request<Incoming>) -> Result<Response<Body>, Aborted> {
    request.extensions_mut().insert(Peer(connection.peer));
    if routes::is_control(request.uri().path()) {
        return Ok(connection.route(request.map(Body::new)).await);
    }

    let (parts, body) = request.into_parts();
    let (method, path) = (parts.method.as_str().to_owned(), parts.uri.path().to_owned());
    let body = axum::body::to_bytes(Body::new(body), MAX_BODY).await;
    // In one step, so that a reset comes before all of it or after all of it.
    let (fault, received, reset) = {
        let mut world = connection.shared.world.lock();
        connection.count_in(&mut world);
        world.traffic.count_request(&path);
        let Ok(body) = &body else {
            drop(world);
            connection.shared.log(connection.peer, &method, &path, "413 or aborted");
            return Ok(empty(StatusCode::PAYLOAD_TOO_LARGE));
        };
        world.traffic.record(&parts, body);
        let client_id = identity::client_id(&parts.headers, body, &world);
        let now_ms = world.clock.now_ms();
        let received = Received::new(now_ms, connection.peer.ip(), &method, &path, client_id.as_deref(), &world.accounts);
        (world.faults.take(&method, &path, client_id.as_deref()), received, world.resets)
    };
    let shown = received.path.clone();
    let request = Request::from_parts(parts, Body::from(body.unwrap_or_default()));

    let (reply, by) = match fault {
        None => (Ok(connection.route_unless_reset(request, reset).await), ""),
        Some(fault) => (apply_fault(connection, fault, request, reset).await, " by a fault"),
    };
    let status = reply.as_ref().ok().map(|reply| reply.status().as_u16());
    {
        let mut world = connection.shared.world.lock();
        if world.resets == reset {
            world.journal.add(received, status, !by.is_empty());
        }
    }
    match status {
        Some(status) => connection.shared.log(connection.peer, &method, &shown, &format!("{status}{by}")),
        None => connection.shared.log(connection.peer, &method, &shown, "aborted by a fault"),
    }
    reply
}

async fn apply_fault(connection: &Connection, fault: Fault, request: Request<Body>, reset: u64) -> Result<Response<Body>, Aborted> {
    if !fault.delay.is_zero() {
        tokio::time::sleep(fault.delay).await;
    }
    let mut reply = match fault.answer {
        Answer::Normal => with_delivery(connection.route_unless_reset(request, reset).await, fault.delivery).await,
        Answer::Custom { status, content } => {
            let mut reply = Response::new(Body::new(ScriptedBody::new(content, fault.delivery)));
            *reply.status_mut() = status;
            reply
        }
        Answer::Raw(content) => return connection.end(Ending::Raw(content, fault.delivery)),
        Answer::Close { has_effect } | Answer::Reset { has_effect } => {
            if has_effect {
                // The reply is lost.
                drop(connection.route_unless_reset(request, reset).await);
            }
            return connection.end(if matches!(fault.answer, Answer::Close { .. }) { Ending::Close } else { Ending::Reset });
        }
    };
    for name in fault.headers.keys() {
        reply.headers_mut().remove(name);
    }
    for (name, value) in &fault.headers {
        reply.headers_mut().append(name, value.clone());
    }
    Ok(reply)
}

/// Returns the emulator's normal reply with its body sent as `delivery` specifies.
async fn with_delivery(reply: Response<Body>, delivery: Delivery) -> Response<Body> {
    let (mut parts, body) = reply.into_parts();
    // The emulator's own bodies are short and in memory, so collecting one cannot fail.
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.remove(TRANSFER_ENCODING);
    Response::from_parts(parts, Body::new(ScriptedBody::new(Content::once(bytes), delivery)))
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut reply = Response::new(Body::empty());
    *reply.status_mut() = status;
    reply
}

impl Connection {
    pub(super) fn new(shared: Arc<Shared>, router: Router, peer: SocketAddr) -> Self {
        Self { shared, router: TowerToHyperService::new(router), peer, state: Mutex::default() }
    }

    /// Counts this connection as one that carried traffic, once per reset.
    fn count(&self) {
        self.count_in(&mut self.shared.world.lock());
    }

    fn count_in(&self, world: &mut World) {
        let mut state = self.state.lock();
        if state.counted_in != world.resets {
            state.counted_in = world.resets;
            world.traffic.count_connection();
        }
    }

    async fn route(&self, request: Request<Body>) -> Response<Body> {
        match self.router.call(request).await {
            Ok(reply) => reply,
            Err(never) => match never {},
        }
    }

    /// Serves a request that was received after `reset` resets. Between the first and the last access
    /// to the state there is no reset, and after one the request has no effect, so that no request
    /// sees a part of the state of each.
    async fn route_unless_reset(&self, request: Request<Body>, reset: u64) -> Response<Body> {
        let mut served = pin!(self.route(request));
        // The body is in memory, so one call of `poll` processes the whole request.
        poll_fn(|context| {
            let _no_reset = self.shared.no_reset.read();
            if self.shared.world.lock().resets != reset {
                return Poll::Ready(routes::was_reset());
            }
            served.as_mut().poll(context)
        })
        .await
    }

    fn end(&self, ending: Ending) -> Result<Response<Body>, Aborted> {
        self.state.lock().ending = ending;
        Err(Aborted)
    }
}

/// The error that makes hyper abort the connection without a reply.
#[derive(Debug)]
struct Aborted;

impl fmt::Display for Aborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fault aborted this connection")
    }
}

impl std::error::Error for Aborted {}

/// A socket whose first bytes are inspected to detect traffic other than control requests.
struct ObservedSocket {
    socket: Socket,
    connection: Arc<Connection>,
    inspection: Inspection,
}

enum Inspection {
    /// The bytes received so far, which may still become a control request.
    Undecided(Vec<u8>),
    /// Decided. `answer` counts the requests that follow.
    Decided,
}

impl ObservedSocket {
    fn observe(&mut self, new: &[u8]) {
        let Inspection::Undecided(bytes) = &mut self.inspection else { return };
        bytes.extend_from_slice(new);
        match starts_control_request(bytes) {
            None => return,
            Some(true) => {}
            Some(false) => self.connection.count(),
        }
        self.inspection = Inspection::Decided;
    }
}

/// Returns whether these first bytes start a control request; `None` if there are too few bytes to
/// decide.
fn starts_control_request(bytes: &[u8]) -> Option<bool> {
    const CONTROL: &[u8] = b" /_emulator/";
    let method = bytes.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    let rest = &bytes[method..];
    if method > 7 || !CONTROL.starts_with(&rest[..rest.len().min(CONTROL.len())]) {
        return Some(false);
    }
    (rest.len() >= CONTROL.len()).then_some(true)
}

impl AsyncRead for ObservedSocket {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.observe(&buffer.filled()[before..]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ObservedSocket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::starts_control_request;

    #[test]
    fn a_control_request_is_detected_by_its_first_bytes() {
        assert_eq!(starts_control_request(b"GET /_emulator/counters HTTP/1.1"), Some(true));
        assert_eq!(starts_control_request(b"GET /_emul"), None);
        assert_eq!(starts_control_request(b"G"), None);
        assert_eq!(starts_control_request(b"POST /api"), Some(false));
        assert_eq!(starts_control_request(b"GET /_emulators"), Some(false));
        assert_eq!(starts_control_request(b"\x16\x03\x01"), Some(false));
        assert_eq!(starts_control_request(b"GETTINGLONG"), Some(false));
    }
}
