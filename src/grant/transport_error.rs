//! Errors of a request that got no usable response: network, TLS, timeout and protocol errors.

use super::connection_hint::ConnectionHint;
use super::tls_problem;
use super::transport::Route;
use crate::error::{Error, Exchange, NOT_HTTP, TimeIsOver, duration_text, os_reason, printable};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tower_service::Service;

/// The maximum length of an error string from another library, in characters.
const LONGEST_REASON: usize = 300;

/// The failure of a proxy's tunnel, as reqwest reports it. hyper-util does not export the name of the
/// type. A renamed variant does not compile; a changed message would not be noticed.
type TunnelError = <Tunnel<HttpConnector> as Service<hyper::Uri>>::Error;

/// The error for a request that got no complete response. Its strings contain neither a URL nor a
/// proxy's password.
pub(super) fn from_reqwest(failure: reqwest::Error, server: &str, route: &Route) -> Error {
    let failure = failure.without_url();
    let hint = &route.hint;
    let tunnel = find::<TunnelError>(&failure);
    match tunnel {
        Some(TunnelError::ProxyAuthRequired) => return rejected_by_proxy(route),
        Some(TunnelError::TunnelUnsuccessful | TunnelError::ProxyHeadersTooLong) => return by_proxy(None, route),
        _ => {}
    }
    if let Some(tls) = find::<rustls::Error>(&failure) {
        let (problem, advice) = tls_problem::explain(tls, hint);
        let proxy = matches!(tunnel, Some(TunnelError::ConnectFailed(_))).then(|| hint.proxy_name()).flatten();
        let server = proxy.unwrap_or_else(|| server.to_owned());
        return Error::Tls { server, problem, advice, source: Some(Arc::new(failure)), exchange: Exchange::default() };
    }
    if let Some(error) = find::<hyper::Error>(&failure).filter(|error| error.is_parse()) {
        return protocol(server, parse_problem(error), None);
    }
    let server = server.to_owned();
    if !failure.is_connect() {
        let problem = broken_connection(&failure);
        return Error::Network {
            server,
            problem,
            reached: true,
            advice: String::new(),
            source: Some(Arc::new(failure)),
            exchange: Exchange::default(),
        };
    }
    let problem = hint.problem(&connect_problem(&failure));
    let advice = hint.message(innermost_kind(&failure) == Some(io::ErrorKind::ConnectionRefused));
    Error::Network { server, problem, reached: false, advice, source: Some(Arc::new(failure)), exchange: Exchange::default() }
}

/// The error for a proxy that rejects the log-in.
pub(super) fn rejected_by_proxy(route: &Route) -> Error {
    by_proxy(Some(407), route)
}

/// The error for a proxy that answered, but did not open a tunnel.
fn by_proxy(status: Option<u16>, route: &Route) -> Error {
    let has_login = route.proxy.as_ref().is_some_and(|proxy| !proxy.url().username().is_empty() || proxy.url().password().is_some());
    Error::Proxy {
        server: route.endpoint.origin(),
        proxy: route.hint.proxy_name().unwrap_or_default().into(),
        proxy_status: status,
        has_login,
        advice: route.hint.proxy_advice(status, has_login).into(),
        exchange: Exchange::default(),
    }
}

/// A hyper client tells the causes apart only in the message of its error.
fn parse_problem(error: &hyper::Error) -> &'static str {
    let message = error.to_string();
    if message.contains("version") {
        NOT_HTTP
    } else if message.contains("too large") {
        "the headers of the response are too long"
    } else {
        "the response has an invalid HTTP header or status"
    }
}

/// The error for a request that was not sent because the operating system did not provide a
/// resource.
pub(super) fn before_the_request(server: &str, problem: &str, failure: io::Error) -> Error {
    Error::Network {
        server: server.to_owned(),
        problem: format!("{problem}: {}", os_reason(&failure)),
        reached: false,
        advice: String::new(),
        source: Some(Arc::new(failure)),
        exchange: Exchange::default(),
    }
}

/// The error for a request that timed out. This is a network error and not [`Error::Deadline`]: the
/// cache watches the caller's deadline, which may be shorter or longer.
pub(super) fn timed_out(server: &str, total: Duration, connected: bool, hint: &ConnectionHint) -> Error {
    let total = duration_text(total);
    Error::Network {
        server: server.to_owned(),
        problem: if connected {
            format!("did not send a complete response within {total}")
        } else {
            hint.problem(&format!("no connection within {total}"))
        },
        reached: connected,
        advice: if connected { String::new() } else { hint.message(false) },
        source: Some(Arc::new(TimeIsOver)),
        exchange: Exchange::default(),
    }
}

/// The error for a caller that stops waiting while a connection is being established.
pub(super) fn no_connection_yet(server: &str, waited: Duration, hint: &ConnectionHint) -> Error {
    Error::Network {
        server: server.to_owned(),
        problem: hint.problem(&format!("no connection yet after {}", duration_text(waited))),
        reached: false,
        advice: hint.message(false),
        source: Some(Arc::new(TimeIsOver)),
        exchange: Exchange::default(),
    }
}

/// The error for a response that is neither a token nor a refusal.
pub(super) fn protocol(server: &str, problem: &str, http_status: Option<u16>) -> Error {
    Error::Protocol { server: server.to_owned(), problem: problem.to_owned(), http_status, exchange: Exchange::default() }
}

fn innermost_kind(failure: &reqwest::Error) -> Option<io::ErrorKind> {
    chain(failure).filter_map(|error| error.downcast_ref::<io::Error>().map(io::Error::kind)).last()
}

fn innermost_reason(failure: &reqwest::Error) -> String {
    let reason = chain(failure).last().map(|error| match error.downcast_ref::<io::Error>() {
        Some(error) => os_reason(error),
        None => error.to_string(),
    });
    printable(&reason.unwrap_or_default(), LONGEST_REASON)
}

/// The problem of a connection that was not established.
fn connect_problem(failure: &reqwest::Error) -> String {
    let innermost = innermost_reason(failure);
    if failure.is_dns() {
        return format!("DNS lookup failed ({innermost})");
    }
    if failure.is_timeout() {
        return "connection timed out".to_owned();
    }
    if matches!(find(failure), Some(TunnelError::TunnelUnexpectedEof)) {
        return "the connection was closed".to_owned();
    }
    match innermost_kind(failure) {
        Some(io::ErrorKind::ConnectionRefused) => "connection refused".to_owned(),
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => "the connection was reset".to_owned(),
        Some(io::ErrorKind::UnexpectedEof) => "the connection was closed".to_owned(),
        _ => innermost,
    }
}

/// The problem of a connection that broke after the request was sent, as the end of a sentence that
/// begins with the server.
fn broken_connection(failure: &reqwest::Error) -> String {
    match innermost_kind(failure) {
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
            "reset the connection before its response was complete".to_owned()
        }
        Some(io::ErrorKind::UnexpectedEof) => "closed the connection before its response was complete".to_owned(),
        _ if find::<hyper::Error>(failure).is_some_and(hyper::Error::is_incomplete_message) => {
            "closed the connection before its response was complete".to_owned()
        }
        _ => format!("did not send a complete response: {}", innermost_reason(failure)),
    }
}

fn find<T: StdError + 'static>(error: &reqwest::Error) -> Option<&T> {
    chain(error).find_map(|error| error.downcast_ref())
}

/// The error and its underlying causes. An `io::Error` does not return the error that it wraps from
/// `source()`, so `get_ref()` is used for it.
fn chain(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    let first: &(dyn StdError + 'static) = error;
    std::iter::successors(Some(first), |error| {
        let error: &(dyn StdError + 'static) = *error;
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => error.source(),
        }
    })
}
