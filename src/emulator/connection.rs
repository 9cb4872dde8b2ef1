//! One connection: what arrives is counted, faults are played, the rest is answered by `routes`.

use super::faults::{Answer, Fault};
use super::routes::{self, Peer};
use super::script::{Content, Manner, ScriptedBody, write_raw};
use super::server::Shared;
use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use hyper::service::Service as _;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use parking_lot::Mutex;
use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{self, AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// No request that the emulator understands is longer.
const MAX_BODY: usize = 1024 * 1024;

/// What a connection and its requests share.
pub(super) struct Link {
    shared: Arc<Shared>,
    router: TowerToHyperService<Router>,
    peer: SocketAddr,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// In which world (see `World::resets`) this connection has been counted.
    counted_in: u64,
    ending: Ending,
}

/// How the connection ends once HTTP is over.
#[derive(Default)]
enum Ending {
    #[default]
    Close,
    Reset,
    Raw(Content, Manner),
}

pub(super) async fn serve(tcp: TcpStream, acceptor: Option<TlsAcceptor>, link: Arc<Link>) {
    // Without it a drip of single bytes would be gathered. It cannot fail on a connected socket that we hold.
    let _ = tcp.set_nodelay(true);
    let Some(acceptor) = acceptor else { return serve_http(Socket::Plain(tcp), link).await };

    match tcp.peek(&mut [0]).await {
        Ok(0) | Err(_) => return,
        Ok(_) => {}
    }
    match acceptor.accept(tcp).await {
        Ok(stream) => serve_http(Socket::Tls(Box::new(stream)), link).await,
        // A client that does not trust the certificate has sent bytes all the same.
        Err(_) => link.count(),
    }
}

async fn serve_http(socket: Socket, link: Arc<Link>) {
    let is_tls = matches!(socket, Socket::Tls(_));
    let io = TokioIo::new(Witness { socket, link: Arc::clone(&link), seen: Seen::Opening(Vec::new()) });
    let service = hyper::service::service_fn({
        let link = Arc::clone(&link);
        move |request| Box::pin(answer(Arc::clone(&link), request))
    });
    let mut http = hyper::server::conn::http1::Builder::new().serve_connection(io, service);
    // An error here is a client that went away, or a fault that asked for one.
    let _ = poll_fn(|context| http.poll_without_shutdown(context)).await;

    let mut witness = http.into_parts().io.into_inner();
    match &witness.seen {
        // Something other than a control request had begun when the peer went away.
        Seen::Opening(bytes) if is_tls || !bytes.is_empty() => link.count(),
        _ => {}
    }
    let ending = std::mem::take(&mut link.state.lock().ending);
    // Failures below mean that the peer is gone, which is where this leads anyway.
    match ending {
        Ending::Close => drop(witness.socket.shutdown().await),
        Ending::Reset => drop(witness.socket.tcp().set_zero_linger()),
        Ending::Raw(content, manner) => {
            if write_raw(&mut witness.socket, content, manner).await.is_ok() {
                drop(witness.socket.shutdown().await);
            }
        }
    }
}

/// Answers one request, or ends the connection in the way that `Link` then holds.
async fn answer(link: Arc<Link>, mut request: Request<Incoming>) -> Result<Response<Body>, Broken> {
    request.extensions_mut().insert(Peer(link.peer));
    if routes::is_control(request.uri().path()) {
        return Ok(link.route(request.map(Body::new)).await);
    }

    link.count();
    link.shared.world.lock().traffic.request(request.uri().path());
    let (parts, body) = request.into_parts();
    let (method, path) = (parts.method.as_str().to_owned(), parts.uri.path().to_owned());
    let Ok(body) = axum::body::to_bytes(Body::new(body), MAX_BODY).await else {
        link.shared.log(link.peer, &method, &path, "413 or broken off");
        return Ok(empty(StatusCode::PAYLOAD_TOO_LARGE));
    };
    let fault = {
        let mut world = link.shared.world.lock();
        world.traffic.record(&parts, &body);
        world.faults.take(&path)
    };
    let request = Request::from_parts(parts, Body::from(body));

    let (reply, by) = match fault {
        None => (Ok(link.route(request).await), ""),
        Some(fault) => (play(&link, fault, request).await, " by a fault"),
    };
    match &reply {
        Ok(reply) => link.shared.log(link.peer, &method, &path, &format!("{}{by}", reply.status().as_u16())),
        Err(Broken) => link.shared.log(link.peer, &method, &path, "broken off by a fault"),
    }
    reply
}

async fn play(link: &Link, fault: Fault, request: Request<Body>) -> Result<Response<Body>, Broken> {
    if !fault.delay.is_zero() {
        tokio::time::sleep(fault.delay).await;
    }
    let mut reply = match fault.answer {
        Answer::Own => scripted(link.route(request).await, fault.manner).await,
        Answer::Given { status, content } => {
            let mut reply = Response::new(Body::new(ScriptedBody::new(content, fault.manner)));
            *reply.status_mut() = status;
            reply
        }
        Answer::Raw(content) => return link.end(Ending::Raw(content, fault.manner)),
        Answer::Close => return link.end(Ending::Close),
        Answer::Reset => return link.end(Ending::Reset),
    };
    for name in fault.headers.keys() {
        reply.headers_mut().remove(name);
    }
    for (name, value) in &fault.headers {
        reply.headers_mut().append(name, value.clone());
    }
    Ok(reply)
}

/// The emulator's own reply, its body sent in this manner.
async fn scripted(reply: Response<Body>, manner: Manner) -> Response<Body> {
    let (mut parts, body) = reply.into_parts();
    // The emulator's own bodies are short and in memory: collecting one cannot fail.
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.remove(TRANSFER_ENCODING);
    Response::from_parts(parts, Body::new(ScriptedBody::new(Content::once(bytes), manner)))
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut reply = Response::new(Body::empty());
    *reply.status_mut() = status;
    reply
}

impl Link {
    pub(super) fn new(shared: Arc<Shared>, router: Router, peer: SocketAddr) -> Self {
        Self { shared, router: TowerToHyperService::new(router), peer, state: Mutex::default() }
    }

    /// Counts this connection as one that carried traffic, once.
    fn count(&self) {
        let mut world = self.shared.world.lock();
        let mut state = self.state.lock();
        if state.counted_in != world.resets {
            state.counted_in = world.resets;
            world.traffic.connection();
        }
    }

    async fn route(&self, request: Request<Body>) -> Response<Body> {
        match self.router.call(request).await {
            Ok(reply) => reply,
            Err(never) => match never {},
        }
    }

    fn end(&self, ending: Ending) -> Result<Response<Body>, Broken> {
        self.state.lock().ending = ending;
        Err(Broken)
    }
}

/// There will be no reply.
#[derive(Debug)]
struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fault ends this connection")
    }
}

impl std::error::Error for Broken {}

/// A socket whose first bytes tell whether a connection carries anything but control traffic.
struct Witness {
    socket: Socket,
    link: Arc<Link>,
    seen: Seen,
}

enum Seen {
    /// The bytes so far, which may yet become a control request.
    Opening(Vec<u8>),
    /// Decided: `answer` counts what follows, request by request.
    Decided,
}

impl Witness {
    fn witness(&mut self, new: &[u8]) {
        let Seen::Opening(bytes) = &mut self.seen else { return };
        bytes.extend_from_slice(new);
        match opens_control(bytes) {
            None => return,
            Some(true) => {}
            Some(false) => self.link.count(),
        }
        self.seen = Seen::Decided;
    }
}

/// Whether a connection that begins with these bytes begins with a control request; `None`: too few bytes to tell.
fn opens_control(bytes: &[u8]) -> Option<bool> {
    const CONTROL: &[u8] = b" /_emulator/";
    let method = bytes.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    let rest = &bytes[method..];
    if method > 7 || !CONTROL.starts_with(&rest[..rest.len().min(CONTROL.len())]) {
        return Some(false);
    }
    (rest.len() >= CONTROL.len()).then_some(true)
}

impl AsyncRead for Witness {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.witness(&buffer.filled()[before..]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Witness {
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
    use super::opens_control;

    #[test]
    fn a_control_request_is_told_from_its_first_bytes() {
        assert_eq!(opens_control(b"GET /_emulator/counters HTTP/1.1"), Some(true));
        assert_eq!(opens_control(b"GET /_emul"), None);
        assert_eq!(opens_control(b"G"), None);
        assert_eq!(opens_control(b"POST /api"), Some(false));
        assert_eq!(opens_control(b"GET /_emulators"), Some(false));
        assert_eq!(opens_control(b"\x16\x03\x01"), Some(false));
        assert_eq!(opens_control(b"GETTINGLONG"), Some(false));
    }
}
