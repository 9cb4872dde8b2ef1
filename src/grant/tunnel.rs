//! Requests through a proxy: a tunnel to the server that the proxy opens for CONNECT (RFC 9110
//! section 9.3.6), TLS inside it, and one request.
//!
//! The tunnel of the HTTP client does not report how a proxy refused: not its status, and not what
//! it said. Its user has nothing to search for then.

use super::authentication;
use super::connection_watch::ConnectionWatch;
use super::proxy::HttpsProxy;
use super::refusal::shown;
use super::resolver::NameResolver;
use super::transport::{Request, Route, secret_bytes};
use crate::error::Error;
use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, HOST, HeaderValue};
use hyper::{StatusCode, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use reqwest::{Body, Response};
use rustls::pki_types::ServerName;
use std::error::Error as StdError;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, Take};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tower_service::Service;
use url::{Host, Url};
use zeroize::Zeroizing;

/// The maximum size of the head of a proxy's response.
const LONGEST_HEAD: u64 = 16 * 1024;

/// How much of the body of a refusal is read, and how long it is waited for.
const LONGEST_BODY: usize = 1024;
const LONGEST_BODY_TIME: Duration = Duration::from_secs(1);

/// The maximum length of the strings of a proxy in a message, in characters.
const LONGEST_REASON: usize = 64;
const LONGEST_WORDS: usize = 200;

/// The way to one server through a proxy. Each request opens a tunnel of its own.
pub(super) struct Tunnel {
    proxy: Url,
    host: Host<String>,
    /// `host:port`, the target of CONNECT.
    authority: String,
    tls: TlsConnector,
    proxy_tls: TlsConnector,
    connect_timeout: Duration,
    watch: ConnectionWatch,
}

/// Why a request through a proxy got no response of the server.
#[derive(Debug, thiserror::Error)]
pub(super) enum TunnelFailure {
    #[error("cannot connect to the proxy")]
    Connect(#[source] Box<dyn StdError + Send + Sync>),
    #[error("TLS with the proxy failed")]
    ProxyTls(#[source] io::Error),
    #[error("the connection to the proxy broke before it had answered CONNECT")]
    Broken(#[source] io::Error),
    #[error("the proxy answered CONNECT with {}", .0.text)]
    Refused(ProxyAnswer),
    #[error("the proxy did not answer CONNECT with HTTP")]
    NotHttp,
    #[error("TLS with the server failed")]
    ServerTls(#[source] io::Error),
    #[error("connection timed out")]
    TimedOut,
    #[error("the request failed")]
    Request(#[source] hyper::Error),
    #[error("{0}")]
    Internal(&'static str),
}

/// The answer of a proxy that opened no tunnel.
#[derive(Debug)]
pub(super) struct ProxyAnswer {
    pub(super) status: u16,
    /// Status, reason and the first words of a body in plain text, for a message.
    pub(super) text: String,
}

impl Tunnel {
    pub(super) fn new(
        route: &Route,
        proxy: &HttpsProxy,
        tls: rustls::ClientConfig,
        connect_timeout: Duration,
        watch: &ConnectionWatch,
    ) -> Result<Self, Error> {
        let url = route.endpoint.url();
        let host = url.host().ok_or_else(|| Error::internal("an endpoint has no host"))?.to_owned();
        let authority = format!("{host}:{}", url.port_or_known_default().unwrap_or(443));
        let mut proxy_tls = tls.clone();
        // A proxy need not know the protocol of the server.
        proxy_tls.alpn_protocols.clear();
        Ok(Self {
            proxy: proxy.url().clone(),
            host,
            authority,
            tls: TlsConnector::from(Arc::new(tls)),
            proxy_tls: TlsConnector::from(Arc::new(proxy_tls)),
            connect_timeout,
            watch: watch.clone(),
        })
    }

    /// Sends `request` to the server and returns its response, whose body is not read yet.
    pub(super) async fn send(&self, request: Request) -> Result<Response, TunnelFailure> {
        let connection = timeout(self.connect_timeout, self.connect()).await.map_err(|_| TunnelFailure::TimedOut)??;
        self.watch.set_connected();
        let (mut sender, connection) = http1::handshake(TokioIo::new(connection)).await.map_err(TunnelFailure::Request)?;
        // The connection ends with its sender and the body of the response, at the latest with the runtime.
        tokio::spawn(connection);
        let response = sender.send_request(self.request(request)?).await.map_err(TunnelFailure::Request)?;
        Ok(Response::from(response.map(Body::wrap)))
    }

    fn request(&self, request: Request) -> Result<hyper::Request<Body>, TunnelFailure> {
        const INVALID: TunnelFailure = TunnelFailure::Internal("a URL was not accepted as the target of a request");

        let path = &request.url[url::Position::BeforePath..url::Position::AfterQuery];
        let server = &request.url[url::Position::BeforeHost..url::Position::AfterPort];
        let mut sent = hyper::Request::new(Body::from(secret_bytes(request.body)));
        *sent.method_mut() = request.method;
        *sent.uri_mut() = path.parse().map_err(|_| INVALID)?;
        *sent.headers_mut() = request.headers;
        sent.headers_mut().insert(HOST, HeaderValue::from_str(server).map_err(|_| INVALID)?);
        sent.headers_mut().entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        Ok(sent)
    }

    /// Connects to the server: TCP and, if its URL says so, TLS with the proxy, the tunnel, TLS with
    /// the server.
    async fn connect(&self) -> Result<impl Connection + use<>, TunnelFailure> {
        let mut connection = BufReader::new(self.connect_to_proxy().await?);
        open(&mut connection, &self.authority, &self.proxy).await?;
        let name = server_name(&self.host).ok_or(TunnelFailure::Internal("a host was not accepted as the name of a TLS server"))?;
        self.tls.connect(name, connection).await.map_err(TunnelFailure::ServerTls)
    }

    async fn connect_to_proxy(&self) -> Result<Box<dyn Connection>, TunnelFailure> {
        const INVALID: TunnelFailure = TunnelFailure::Internal("the URL of the proxy was not accepted");

        let host = self.proxy.host().ok_or(INVALID)?.to_owned();
        let port = self.proxy.port_or_known_default().ok_or(INVALID)?;
        let address: Uri = format!("{}://{host}:{port}", self.proxy.scheme()).parse().map_err(|_| INVALID)?;
        let mut connector = HttpConnector::new_with_resolver(NameResolver);
        // Otherwise it rejects https.
        connector.enforce_http(false);
        connector.set_nodelay(true);
        poll_fn(|context| connector.poll_ready(context)).await.map_err(|error| TunnelFailure::Connect(error.into()))?;
        let connection = connector.call(address).await.map_err(|error| TunnelFailure::Connect(error.into()))?.into_inner();
        if self.proxy.scheme() != "https" {
            return Ok(Box::new(connection));
        }
        let name = server_name(&host).ok_or(INVALID)?;
        Ok(Box::new(self.proxy_tls.connect(name, connection).await.map_err(TunnelFailure::ProxyTls)?))
    }
}

/// A connection, with or without TLS.
trait Connection: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Connection for T {}

fn server_name(host: &Host<String>) -> Option<ServerName<'static>> {
    Some(match host {
        Host::Domain(name) => ServerName::try_from(name.clone()).ok()?,
        Host::Ipv4(address) => ServerName::IpAddress((*address).into()),
        Host::Ipv6(address) => ServerName::IpAddress((*address).into()),
    })
}

/// Asks the proxy for a tunnel to `authority`. What follows its response belongs to the tunnel and
/// stays in the buffer of `connection`.
async fn open(connection: &mut BufReader<Box<dyn Connection>>, authority: &str, proxy: &Url) -> Result<(), TunnelFailure> {
    let login = Login::of(proxy);
    let request = connect_request(authority, login.as_ref());
    connection.write_all(&request).await.map_err(TunnelFailure::Broken)?;
    connection.flush().await.map_err(TunnelFailure::Broken)?;

    let mut head = connection.take(LONGEST_HEAD);
    let status_line = read_line(&mut head).await.map_err(TunnelFailure::Broken)?.ok_or(TunnelFailure::NotHttp)?;
    let (status, reason) = parse_status_line(&status_line).ok_or(TunnelFailure::NotHttp)?;
    let headers = read_headers(&mut head).await;
    if (200..300).contains(&status) {
        return match headers.map_err(TunnelFailure::Broken)? {
            Some(_) => Ok(()),
            None => Err(TunnelFailure::NotHttp),
        };
    }
    // The status is known, whatever becomes of the rest.
    let body = match headers.ok().flatten().and_then(|headers| length_of_text(&headers)) {
        Some(length) if status != 407 => {
            let mut body = Vec::with_capacity(length);
            let mut start = connection.take(length as u64);
            // A part of the body is better than nothing.
            let _ = timeout(LONGEST_BODY_TIME, start.read_to_end(&mut body)).await;
            body
        }
        _ => Vec::new(),
    };
    let secrets = login.map(|login| login.forms()).unwrap_or_default();
    Err(TunnelFailure::Refused(answer(status, reason, &body, &secrets)))
}

/// A line without its end. `None` if the head is too long.
async fn read_line<R: AsyncBufRead + Unpin>(head: &mut Take<R>) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    head.read_until(b'\n', &mut line).await?;
    if line.pop_if(|last| *last == b'\n').is_some() {
        line.pop_if(|last| *last == b'\r');
        return Ok(Some(line));
    }
    if head.limit() == 0 { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Reads the lines up to the empty one. `None` if the head is too long.
async fn read_headers<R: AsyncBufRead + Unpin>(head: &mut Take<R>) -> io::Result<Option<Vec<Vec<u8>>>> {
    let mut headers = Vec::new();
    loop {
        match read_line(head).await? {
            None => return Ok(None),
            Some(line) if line.is_empty() => return Ok(Some(headers)),
            Some(line) => headers.push(line),
        }
    }
}

/// The status and the reason in the first line of a response.
fn parse_status_line(line: &[u8]) -> Option<(u16, String)> {
    let line = String::from_utf8_lossy(line);
    let (version, rest) = line.split_once(' ')?;
    let (status, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    if !matches!(version, "HTTP/1.0" | "HTTP/1.1") || status.len() != 3 {
        return None;
    }
    let status = status.parse().ok().filter(|status| (100..600).contains(status))?;
    Some((status, reason.trim().to_owned()))
}

/// How much of a body to read: nothing unless the headers say that it is plain text or JSON, and how
/// long it is. A page in HTML is not for a message.
fn length_of_text(headers: &[Vec<u8>]) -> Option<usize> {
    let value = |name: &str| {
        headers.iter().find_map(|line| {
            let line = std::str::from_utf8(line).ok()?;
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_ascii_lowercase())
        })
    };
    let media_type = value("content-type").unwrap_or_else(|| "text/plain".to_owned());
    let is_text = ["text/plain", "application/json", "application/problem+json"].iter().any(|text| media_type.starts_with(text));
    let is_encoded = value("transfer-encoding").is_some() || value("content-encoding").is_some();
    let length = value("content-length")?.parse::<usize>().ok()?;
    (is_text && !is_encoded && length > 0).then_some(length.min(LONGEST_BODY))
}

/// What the proxy said, for a message.
fn answer(status: u16, reason: String, body: &[u8], secrets: &[Zeroizing<String>]) -> ProxyAnswer {
    let reason = if reason.is_empty() { standard_reason(status).to_owned() } else { shown(&reason, LONGEST_REASON, secrets) };
    let body = String::from_utf8_lossy(body);
    // A page in HTML that is not declared as one.
    let words = if body.trim_start().starts_with('<') { String::new() } else { body.split_whitespace().collect::<Vec<_>>().join(" ") };
    let words = shown(&words, LONGEST_WORDS, secrets);
    let separator = if reason.is_empty() { "" } else { " " };
    let said = if words.is_empty() { String::new() } else { format!("; the proxy says: \"{words}\"") };
    ProxyAnswer { status, text: format!("{status}{separator}{reason}{said}") }
}

/// The standard reason of a status; may be empty.
pub(super) fn standard_reason(status: u16) -> &'static str {
    StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default()
}

/// The user and password in the URL of a proxy, decoded.
struct Login {
    user: Zeroizing<String>,
    password: Secret,
}

impl Login {
    fn of(proxy: &Url) -> Option<Self> {
        if proxy.username().is_empty() && proxy.password().is_none() {
            return None;
        }
        let mut password = percent_decoded(proxy.password().unwrap_or_default());
        Some(Self { user: percent_decoded(proxy.username()), password: Secret::new(std::mem::take(&mut *password)) })
    }

    /// The value of `Proxy-Authorization` without the scheme.
    fn encoded(&self) -> Zeroizing<String> {
        let mut pair = Zeroizing::new(String::with_capacity(self.user.len() + 1 + self.password.expose().len()));
        pair.push_str(&self.user);
        pair.push(':');
        pair.push_str(self.password.expose());
        let mut encoded = Zeroizing::new(String::with_capacity(pair.len().div_ceil(3) * 4));
        STANDARD.encode_string(pair.as_bytes(), &mut encoded);
        encoded
    }

    /// All encodings in which a proxy may repeat the password.
    fn forms(&self) -> Vec<Zeroizing<String>> {
        let mut forms = authentication::forms(&self.password);
        forms.push(authentication::unpadded(self.encoded()));
        forms
    }
}

fn connect_request(authority: &str, login: Option<&Login>) -> Zeroizing<Vec<u8>> {
    const LOGIN: &str = "Proxy-Authorization: Basic ";
    const END: &str = "\r\n";

    let start = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    let login = login.map(Login::encoded);
    let longest = start.len() + login.as_ref().map_or(0, |login| LOGIN.len() + login.len() + END.len()) + END.len();
    // Large enough: a vector that reallocates itself frees its old buffer without wiping it.
    let mut request = Zeroizing::new(Vec::with_capacity(longest));
    request.extend_from_slice(start.as_bytes());
    if let Some(login) = &login {
        request.extend_from_slice(LOGIN.as_bytes());
        request.extend_from_slice(login.as_bytes());
        request.extend_from_slice(END.as_bytes());
    }
    request.extend_from_slice(END.as_bytes());
    request
}

/// Decodes `%XX`. Everything else stays as it is, also a `%` that does not begin such a sequence.
fn percent_decoded(encoded: &str) -> Zeroizing<String> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16)).and_then(|digit| u8::try_from(digit).ok());
    let bytes = encoded.as_bytes();
    let mut decoded = Zeroizing::new(Vec::with_capacity(bytes.len()));
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(high << 4 | low);
                at += 3;
            }
            _ => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    let text = String::from_utf8_lossy(&decoded);
    let mut value = Zeroizing::new(String::with_capacity(text.len()));
    value.push_str(&text);
    value
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn a_status_line_is_that_of_http_1() {
        for (line, expected) in [
            ("HTTP/1.1 200 Connection established", Some((200, "Connection established"))),
            ("HTTP/1.0 403 Filtered by policy", Some((403, "Filtered by policy"))),
            ("HTTP/1.1 407", Some((407, ""))),
            ("HTTP/1.1 407 ", Some((407, ""))),
            ("HTTP/2 200", None),
            ("HTTP/1.1 nonsense", None),
            ("HTTP/1.1 +40 x", None),
            ("HTTP/1.1 099 x", None),
            ("HTTP/1.1", None),
            ("220 mail.example ESMTP", None),
            ("", None),
        ] {
            let expected = expected.map(|(status, reason)| (status, reason.to_owned()));
            assert_eq!(parse_status_line(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn only_a_body_in_plain_text_of_known_length_is_read() {
        let length = |headers: &[&str]| length_of_text(&headers.iter().map(|line| line.as_bytes().to_vec()).collect::<Vec<_>>());

        assert_eq!(length(&["Content-Length: 20", "Content-Type: Text/Plain; charset=utf-8"]), Some(20));
        assert_eq!(length(&["content-length:20"]), Some(20));
        assert_eq!(length(&["Content-Length: 99999999", "Content-Type: application/json"]), Some(LONGEST_BODY));
        for headers in [
            &["Content-Type: text/plain"][..],
            &["Content-Length: 0"],
            &["Content-Length: -1"],
            &["Content-Length: 20", "Content-Type: text/html"],
            &["Content-Length: 20", "Transfer-Encoding: chunked"],
            &["Content-Length: 20", "Content-Encoding: gzip"],
        ] {
            assert_eq!(length(headers), None, "{headers:?}");
        }
    }

    #[test]
    fn an_answer_has_the_words_of_the_proxy_and_no_secret() {
        let secrets = Login::of(&Url::parse("http://user:canary%2F@p").unwrap()).unwrap().forms();
        let text = |status, reason: &str, body: &str| answer(status, reason.to_owned(), body.as_bytes(), &secrets).text;

        assert_eq!(text(403, "", ""), "403 Forbidden");
        assert_eq!(text(599, "", ""), "599");
        assert_eq!(text(403, "Filtered", "RBAC:\r\n  access denied\n"), "403 Filtered; the proxy says: \"RBAC: access denied\"");
        assert_eq!(text(503, "Down", "<!doctype html><h1>Down"), "503 Down");
        assert_eq!(
            text(403, "canary/", "canary%2F dXNlcjpjYW5hcnkv \u{1b}"),
            "403 [redacted]; the proxy says: \"[redacted] [redacted] \\u{1b}\""
        );
        assert!(text(403, &"x".repeat(1000), &"y".repeat(1000)).chars().count() < 320);
    }

    #[test]
    fn a_log_in_is_decoded_like_a_url() {
        for (encoded, decoded) in
            [("us%20er", "us er"), ("c%3Anary%zz", "c:nary%zz"), ("%e2%82%AC", "€"), ("%", "%"), ("a%4", "a%4"), ("", "")]
        {
            assert_eq!(percent_decoded(encoded).as_str(), decoded, "{encoded}");
        }
        assert!(Login::of(&Url::parse("http://p").unwrap()).is_none());
        let only_user = Login::of(&Url::parse("http://user@p").unwrap()).unwrap();
        assert_eq!(only_user.encoded().as_str(), STANDARD.encode("user:"));
    }
}
