//! For tests: a server that says, byte for byte, what it is told to say, and remembers what it was sent.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

const FAREWELL: &[u8] = b"FAREWELL";

/// What came in so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Connections, whether or not anything was sent over them.
    pub(crate) connections: usize,
    /// The requests, as they came.
    pub(crate) requests: Vec<String>,
    /// How many connections the other side has closed.
    pub(crate) closed_by_client: usize,
}

/// Listens on a free port of loopback until it is finished or dropped.
pub(crate) struct TestServer {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    thread: Option<JoinHandle<()>>,
}

impl TestServer {
    /// Answers the n-th request (from 0) with the n-th reply; the last one serves for all that follow.
    pub(crate) fn replying(replies: Vec<String>) -> Self {
        Self::acting(move |number, out| out.write_all(replies[number.min(replies.len() - 1)].as_bytes()))
    }

    /// Answers the n-th request (from 0) by what `act` does, and closes its side after it.
    pub(crate) fn acting(act: impl Fn(usize, &mut dyn Duplex) -> std::io::Result<()> + Send + 'static) -> Self {
        Self::start(move |connection, seen, number| answer(connection, seen, number, &act))
    }

    /// The same over TLS.
    pub(crate) fn over_tls(tls: Arc<ServerConfig>, reply: String) -> Self {
        Self::start(move |connection, seen, number| {
            let tls = StreamOwned::new(ServerConnection::new(Arc::clone(&tls)).unwrap(), connection);
            answer(tls, seen, number, &|_, out| out.write_all(reply.as_bytes()));
        })
    }

    /// Resets each connection once something came in.
    pub(crate) fn resetting() -> Self {
        // Closing a socket whose input was not read makes the kernel send a reset.
        Self::start(|connection, _, _| drop(connection))
    }

    fn start(serve: impl Fn(TcpStream, &Mutex<Seen>, usize) + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let thread = {
            let seen = Arc::clone(&seen);
            std::thread::spawn(move || {
                for connection in listener.incoming() {
                    let connection = connection.unwrap();
                    connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                    if is_farewell(&connection) {
                        return;
                    }
                    let number = {
                        let mut seen = seen.lock().unwrap();
                        seen.connections += 1;
                        seen.connections - 1
                    };
                    serve(connection, &seen, number);
                }
            })
        };
        Self { address, seen, thread: Some(thread) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Serves what has arrived by now, then tells all that was seen.
    pub(crate) fn finish(mut self) -> Seen {
        self.end();
        self.seen.lock().unwrap().clone()
    }

    fn end(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        // Connections are accepted in their order: everything before this one is seen.
        TcpStream::connect(self.address).unwrap().write_all(FAREWELL).unwrap();
        let ended = thread.join();
        if !std::thread::panicking() {
            ended.unwrap();
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.end();
    }
}

fn is_farewell(connection: &TcpStream) -> bool {
    let mut start = [0; FAREWELL.len()];
    let read = connection.peek(&mut start).unwrap_or(0);
    read > 0 && FAREWELL.starts_with(&start[..read])
}

fn answer(mut connection: impl Duplex, seen: &Mutex<Seen>, number: usize, act: &dyn Fn(usize, &mut dyn Duplex) -> std::io::Result<()>) {
    let Some(request) = read_request(&mut connection) else { return };
    seen.lock().unwrap().requests.push(request);
    // A client that gives up in the midst of the reply is what some tests are about.
    let _ = act(number, &mut connection);
    let _ = connection.flush();
    connection.close_own_half();
    if matches!(connection.read(&mut [0]), Ok(0) | Err(_)) {
        seen.lock().unwrap().closed_by_client += 1;
    }
}

fn read_request(connection: &mut impl Read) -> Option<String> {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = connection.read(&mut buffer).ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8(request.clone()).unwrap();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = header(head, "content-length").map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return Some(text);
            }
        }
    }
}

/// The value of a header of a request or of its head.
pub(crate) fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let head = request.split("\r\n\r\n").next()?;
    head.lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// The body of a request.
pub(crate) fn body(request: &str) -> &str {
    request.split_once("\r\n\r\n").unwrap().1
}

/// A connection that was accepted.
pub(crate) trait Duplex: Read + Write {
    fn close_own_half(&mut self);
}

impl Duplex for TcpStream {
    fn close_own_half(&mut self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

impl Duplex for StreamOwned<ServerConnection, TcpStream> {
    fn close_own_half(&mut self) {
        self.conn.send_close_notify();
        let _ = self.flush();
        let _ = self.sock.shutdown(Shutdown::Write);
    }
}

/// A made-up certificate authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

pub(crate) fn authority() -> Authority {
    static COUNT: AtomicUsize = AtomicUsize::new(0);

    let mut params = CertificateParams::new(Vec::new()).unwrap();
    // Two authorities of one name would be one authority with a wrong key.
    params.distinguished_name.push(DnType::CommonName, format!("Authority {}", COUNT.fetch_add(1, Ordering::Relaxed)));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    Authority { issuer: Issuer::new(params, key), pem }
}

impl Authority {
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// The settings of a server with a certificate for `name` that ends with the year `until`.
    pub(crate) fn server(&self, name: &str, until: i32) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(until, 12, 31);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Arc::new(config)
    }
}
