//! Who may use the control API: programs on this machine, never a web page of another site.
//!
//! A web page could reach a server on loopback through DNS rebinding, which the check of `Host`
//! prevents, or send it a form, which the checks of `Origin` and `Content-Type` prevent.

use super::Peer;
use super::replies::ApiError;
use crate::emulator::server::Shared;
use axum::body::HttpBody as _;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, ORIGIN};
use hyper::{HeaderMap, Method};
use std::net::IpAddr;
use std::sync::Arc;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Passes a control request on, or rejects it with 403.
pub(super) async fn control(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    match check(&shared.allow_hosts, &request) {
        Ok(()) => next.run(request).await,
        Err(detail) => ApiError::new(403, "CONTROL_FORBIDDEN", detail).into_response(),
    }
}

fn check(allowed: &[String], request: &Request) -> Result<(), String> {
    const HOW: &str = "use 127.0.0.1, ::1 or localhost, or start the emulator with this name in allow_hosts (--allow-host)";
    let headers = request.headers();
    let peer = request.extensions().get::<Peer>().is_some_and(|Peer(peer)| peer.ip().is_loopback());
    if !peer && allowed.is_empty() {
        return Err(format!("The control API is available on this machine only: {HOW}."));
    }
    let host = only(headers, &HOST).ok_or_else(|| format!("The request must have exactly one Host: {HOW}."))?;
    let name = host_name(host);
    if !name.is_some_and(|name| is_loopback(name) || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))) {
        return Err(format!("The control API is not available by the host name {host:?}: {HOW}."));
    }
    if headers.contains_key(ORIGIN) {
        let origin = only(headers, &ORIGIN).and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
        if !origin.is_some_and(|authority| authority.eq_ignore_ascii_case(host)) {
            return Err(format!("A page of another origin must not use the control API: {HOW}."));
        }
    }
    if request.method() != Method::GET {
        let given = only(headers, &CONTENT_TYPE).map(|given| given.split(';').next().unwrap_or_default().trim());
        let is_json = given.is_some_and(|given| given.eq_ignore_ascii_case("application/json"));
        let is_empty = request.body().size_hint().exact() == Some(0) && !headers.contains_key(CONTENT_TYPE);
        if !is_json && !is_empty {
            return Err("A request that changes something must have Content-Type: application/json.".to_owned());
        }
    }
    match headers.get(FETCH_SITE).map(|site| site.to_str()) {
        None | Some(Ok("same-origin" | "none")) => Ok(()),
        Some(_) => Err(format!("A page of another site must not use the control API: {HOW}.")),
    }
}

/// The value of a header that occurs exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    value.to_str().ok()
}

/// The host name of `name`, `name:port` or `[address]:port`.
fn host_name(host: &str) -> Option<&str> {
    let (name, rest) = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').filter(|(address, _)| address.contains(':'))?,
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let is_port = rest.strip_prefix(':').is_some_and(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    (rest.is_empty() || is_port).then_some(name)
}

/// Returns whether a name is `localhost`, 127.0.0.1 or ::1 in their usual forms. Other forms of
/// these addresses occur only in attacks.
fn is_loopback(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{host_name, is_loopback};

    #[test]
    fn only_exact_loopback_names_are_loopback() {
        for host in ["127.0.0.1", "127.0.0.1:80", "localhost:9", "LOCALHOST", "[::1]:443", "[::1]"] {
            assert!(host_name(host).is_some_and(is_loopback), "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example:80",
            "localhost.evil.example",
            "192.0.2.1:80",
            "",
            ":80",
            "2130706433",
            "0x7f000001",
            "0x7f.0.0.1",
            "0177.0.0.1",
            "127.1",
            "[::1",
            "::1",
            "[127.0.0.1]",
            "[::1].evil.example",
            "localhost:80@evil.example",
            "localhost:",
        ] {
            assert!(!host_name(host).is_some_and(is_loopback), "{host}");
        }
    }
}
