//! A server for tests. It sends exactly the given bytes and records the requests.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

const SHUTDOWN: &[u8] = b"FAREWELL";

/// The recorded connections and requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// The number of connections, including those without a request.
    pub(crate) connections: usize,
    /// The requests, unchanged.
    pub(crate) requests: Vec<String>,
    /// The number of connections that the client closed.
    pub(crate) closed_by_client: usize,
}

/// Listens on a free loopback port until it is finished or dropped.
pub(crate) struct TestServer {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    thread: Option<JoinHandle<()>>,
}

impl TestServer {
    /// Answers request n (from 0) with reply n. The last reply is repeated.
    pub(crate) fn replying(replies: Vec<String>) -> Self {
        Self::acting(move |number, out| out.write_all(replies[number.min(replies.len() - 1)].as_bytes()))
    }

    /// Answers request n (from 0) by calling `act`, then closes its side of the connection.
    pub(crate) fn acting(act: impl Fn(usize, &mut dyn Duplex) -> std::io::Result<()> + Send + 'static) -> Self {
        Self::start(move |connection, seen, number| answer(connection, seen, number, &act))
    }

    /// Answers every request with `reply` over TLS.
    pub(crate) fn over_tls(tls: Arc<ServerConfig>, reply: String) -> Self {
        Self::acting_over_tls(tls, move |_, out| out.write_all(reply.as_bytes()))
    }

    /// Like [`TestServer::acting`], over TLS.
    pub(crate) fn acting_over_tls(
        tls: Arc<ServerConfig>,
        act: impl Fn(usize, &mut dyn Duplex) -> std::io::Result<()> + Send + 'static,
    ) -> Self {
        Self::start(move |connection, seen, number| {
            let tls = StreamOwned::new(ServerConnection::new(Arc::clone(&tls)).unwrap(), connection);
            answer(tls, seen, number, &act);
        })
    }

    /// Resets each connection after it received data.
    pub(crate) fn resetting() -> Self {
        // The kernel sends a reset when a socket with unread input is closed.
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
                    if is_shutdown(&connection) {
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

    /// Serves the requests that have arrived, stops the server and returns what it recorded.
    pub(crate) fn finish(mut self) -> Seen {
        self.stop();
        self.seen.lock().unwrap().clone()
    }

    fn stop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        // Connections are accepted in order, so all earlier ones are served before this one.
        TcpStream::connect(self.address).unwrap().write_all(SHUTDOWN).unwrap();
        let joined = thread.join();
        if !std::thread::panicking() {
            joined.unwrap();
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn is_shutdown(connection: &TcpStream) -> bool {
    let mut start = [0; SHUTDOWN.len()];
    let read = connection.peek(&mut start).unwrap_or(0);
    read > 0 && SHUTDOWN.starts_with(&start[..read])
}

fn answer(mut connection: impl Duplex, seen: &Mutex<Seen>, number: usize, act: &dyn Fn(usize, &mut dyn Duplex) -> std::io::Result<()>) {
    let Some(request) = read_request(&mut connection) else { return };
    seen.lock().unwrap().requests.push(request);
    // In some tests the client closes the connection before the reply is complete.
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
        let received = String::from_utf8(request.clone()).unwrap();
        if let Some((head, body)) = received.split_once("\r\n\r\n") {
            let length = header(head, "content-length").map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return Some(received);
            }
        }
    }
}

/// The value of a header in a request.
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

/// An accepted connection.
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

/// A certificate authority for tests.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

pub(crate) fn authority() -> Authority {
    static COUNT: AtomicUsize = AtomicUsize::new(0);

    let mut params = CertificateParams::new(Vec::new()).unwrap();
    // Each authority needs its own name: two with the same name are treated as one with a wrong
    // key.
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

    /// The settings of a server that accepts only clients with a certificate of this authority.
    pub(crate) fn server_for_clients_with_certificates(
        &self,
        name: &str,
        version: &'static rustls::SupportedProtocolVersion,
    ) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        let clients = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())))
            .unwrap();
        Arc::new(config)
    }

    /// The settings of a server with a certificate for `name` that expires at the end of the year
    /// `until`.
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

/// The settings of a server whose certificate is that of an authority, and this authority.
pub(crate) fn authority_as_server(name: &str) -> (Arc<ServerConfig>, String) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())))
        .unwrap();
    (Arc::new(config), certificate.pem())
}
