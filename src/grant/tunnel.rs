//! A tunnel through an HTTP proxy: the CONNECT request (RFC 9110 section 9.3.6).

use super::connection::Stream;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;
use zeroize::Zeroizing;

/// The maximum size of the head of the proxy's response.
const LONGEST_HEAD: usize = 16 * 1024;

/// Why the proxy did not open a tunnel.
pub(super) enum TunnelFailure {
    /// The connection to the proxy broke.
    Broken(io::Error),
    /// The proxy answered, but not in HTTP.
    NotHttp,
    /// The proxy answered with a status that is not 2xx.
    Answered {
        status: u16,
        /// The authentication schemes that the proxy offers, in its words.
        schemes: Vec<String>,
    },
}

/// Requests a tunnel to the server of `target`, with the user and password of the proxy's URL.
pub(super) async fn open(stream: &mut impl Stream, target: &Url, proxy: &Url) -> Result<(), TunnelFailure> {
    let request = request(target, proxy);
    stream.write_all(&request).await.map_err(TunnelFailure::Broken)?;
    stream.flush().await.map_err(TunnelFailure::Broken)?;
    let mut head = Vec::with_capacity(1024);
    loop {
        if stream.read_buf(&mut head).await.map_err(TunnelFailure::Broken)? == 0 {
            return Err(TunnelFailure::Broken(io::ErrorKind::UnexpectedEof.into()));
        }
        if let Some(end) = end_of_head(&head) {
            return read_answer(&String::from_utf8_lossy(&head[..end]));
        }
        // Not HTTP: the head of a response begins with its version.
        let start = &head[..head.len().min(b"HTTP/1.".len())];
        if head.len() > LONGEST_HEAD || !b"HTTP/1.".starts_with(start) {
            return Err(TunnelFailure::NotHttp);
        }
    }
}

fn request(target: &Url, proxy: &Url) -> Zeroizing<Vec<u8>> {
    let authority = format!("{}:{}", target.host_str().unwrap_or_default(), target.port_or_known_default().unwrap_or(443));
    let head = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    let login = login(proxy);
    const FIELD: &str = "Proxy-Authorization: Basic ";
    // Allocated at its final size: a buffer that grows leaves copies of the password in freed memory.
    let mut request = Zeroizing::new(Vec::with_capacity(head.len() + FIELD.len() + login.as_ref().map_or(0, |login| login.len()) + 4));
    request.extend_from_slice(head.as_bytes());
    if let Some(login) = login {
        request.extend_from_slice(FIELD.as_bytes());
        request.extend_from_slice(login.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    request
}

/// The user and password of the proxy's URL, in base64. `None` if the URL contains none.
fn login(proxy: &Url) -> Option<Zeroizing<String>> {
    let (user, password) = (proxy.username(), proxy.password().unwrap_or_default());
    if user.is_empty() && password.is_empty() {
        return None;
    }
    let mut pair = Zeroizing::new(Vec::with_capacity(user.len() + 1 + password.len()));
    append_decoded(&mut pair, user);
    pair.push(b':');
    append_decoded(&mut pair, password);
    let mut encoded = Zeroizing::new(String::with_capacity(pair.len().div_ceil(3) * 4));
    STANDARD.encode_string(&pair, &mut encoded);
    Some(encoded)
}

/// Percent-decodes `value` (RFC 3986 section 2.1). The result is never longer than `value`.
fn append_decoded(bytes: &mut Zeroizing<Vec<u8>>, value: &str) {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        match (byte, digit(ahead.next()), digit(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                bytes.extend(u8::try_from(high * 16 + low));
                rest = ahead;
            }
            _ => bytes.push(byte),
        }
    }
}

/// The position after the empty line that ends a head.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let crlf = bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|start| start + 4);
    let lf = bytes.windows(2).position(|window| window == b"\n\n").map(|start| start + 2);
    crlf.into_iter().chain(lf).min()
}

fn read_answer(head: &str) -> Result<(), TunnelFailure> {
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.")).and_then(|rest| rest.split_ascii_whitespace().nth(1));
    let status = status.filter(|status| status.len() == 3).and_then(|status| status.parse().ok()).ok_or(TunnelFailure::NotHttp)?;
    if (200..300).contains(&status) {
        return Ok(());
    }
    let schemes = lines
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| name.eq_ignore_ascii_case("proxy-authenticate"))
        .filter_map(|(_, value)| value.split_ascii_whitespace().next())
        .filter(|scheme| scheme.len() < 32 && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
        .map(str::to_owned)
        .collect();
    Err(TunnelFailure::Answered { status, schemes })
}
