//! Errors of a request that got no usable response: network, TLS, timeout and protocol errors.

use super::connection::ConnectFailure;
use super::connection_hint::ConnectionHint;
use super::tls_problem;
use super::transport::Route;
use super::tunnel::TunnelFailure;
use crate::error::{Error, NOT_HTTP, os_reason, printable};
use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The maximum length of an error string from another library, in characters.
const LONGEST_REASON: usize = 300;

/// The error for a request that got no complete response over an established connection.
pub(super) fn from_hyper(failure: hyper::Error, server: &str, hint: &ConnectionHint) -> Error {
    // In TLS 1.3 a server rejects a client without a certificate after the handshake.
    let tls = chain(&failure).find_map(|error| error.downcast_ref::<rustls::Error>()).map(|tls| tls_problem::explain(tls, hint));
    if let Some((problem, advice)) = tls {
        return Error::Tls { server: server.to_owned(), problem, advice, source: Some(Arc::new(failure)) };
    }
    if failure.is_parse() {
        return protocol(server, parse_problem(&failure), None);
    }
    let (server, problem) = (server.to_owned(), broken_connection(&failure));
    Error::Network { server, problem, reached: true, advice: String::new(), source: Some(Arc::new(failure)) }
}

/// The error for a connection that was not established. Its strings contain neither a path nor a
/// proxy's password.
pub(super) fn not_connected(failure: ConnectFailure, server: &str, route: &Route) -> Error {
    let hint = &route.hint;
    let (problem, failure) = match failure {
        ConnectFailure::Lookup(failure) => {
            let reason = printable(&os_reason(&failure), LONGEST_REASON);
            (format!("DNS lookup failed ({reason})"), failure)
        }
        ConnectFailure::Tcp(failure) | ConnectFailure::Tunnel(TunnelFailure::Broken(failure)) => (broken_early(&failure), failure),
        ConnectFailure::Tunnel(TunnelFailure::NotHttp) => {
            return not_reached(server, hint.problem("the proxy did not answer with HTTP"), hint, None);
        }
        ConnectFailure::Tunnel(TunnelFailure::Answered { status, schemes }) => return by_proxy(status, &schemes, server, route),
        ConnectFailure::ProxyTls(failure) => {
            let server = route.hint.proxy_name().unwrap_or_else(|| server.to_owned());
            return no_tls(failure, &server, hint);
        }
        ConnectFailure::Tls(failure) => return no_tls(failure, server, hint),
    };
    not_reached(server, hint.problem(&problem), hint, Some(failure))
}

fn not_reached(server: &str, problem: String, hint: &ConnectionHint, failure: Option<io::Error>) -> Error {
    let was_refused = failure.as_ref().is_some_and(|failure| failure.kind() == io::ErrorKind::ConnectionRefused);
    let source = failure.map(|failure| Arc::new(failure) as crate::error::Cause);
    Error::Network { server: server.to_owned(), problem, reached: false, advice: hint.message(was_refused), source }
}

fn no_tls(failure: io::Error, server: &str, hint: &ConnectionHint) -> Error {
    let Some(tls) = failure.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) else {
        return not_reached(server, hint.problem(&broken_early(&failure)), hint, Some(failure));
    };
    let (problem, advice) = tls_problem::explain(tls, hint);
    Error::Tls { server: server.to_owned(), problem, advice, source: Some(Arc::new(failure)) }
}

/// The error for a proxy that answered a request for a tunnel with `status`.
fn by_proxy(status: u16, schemes: &[String], server: &str, route: &Route) -> Error {
    let has_login = route.proxy.as_ref().is_some_and(|proxy| !proxy.url().username().is_empty() || proxy.url().password().is_some());
    let advice = route.hint.proxy_advice(status, has_login, schemes);
    Error::Proxy {
        server: server.to_owned(),
        proxy: route.hint.proxy_name().unwrap_or_default().into(),
        proxy_status: status,
        has_login,
        advice: advice.into(),
    }
}

/// The error for a proxy that rejects the log-in.
pub(super) fn rejected_by_proxy(route: &Route) -> Error {
    by_proxy(407, &[], &route.endpoint.origin(), route)
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
    }
}

/// The error for a request that timed out. This is a network error and not [`Error::Deadline`]: the
/// cache watches the caller's deadline, which may be shorter or longer.
pub(super) fn timed_out(server: &str, total: Duration, connected: bool, hint: &ConnectionHint) -> Error {
    let seconds = rounded_seconds(total);
    Error::Network {
        server: server.to_owned(),
        problem: if connected {
            format!("did not send a complete response within {seconds} s")
        } else {
            hint.problem(&format!("no connection within {seconds} s"))
        },
        reached: connected,
        advice: if connected { String::new() } else { hint.message(false) },
        source: None,
    }
}

/// A duration in seconds for a message, rounded to tenths of a second, or to milliseconds if it is
/// shorter than a second.
fn rounded_seconds(duration: Duration) -> f64 {
    let seconds = duration.as_secs_f64();
    let steps = if seconds < 1.0 { 1000.0 } else { 10.0 };
    (seconds * steps).round() / steps
}

/// The error for a response that is neither a token nor a refusal.
pub(super) fn protocol(server: &str, problem: &str, http_status: Option<u16>) -> Error {
    Error::Protocol { server: server.to_owned(), problem: problem.to_owned(), http_status }
}

/// The problem of a connection that failed before it could be used.
fn broken_early(failure: &io::Error) -> String {
    match failure.kind() {
        io::ErrorKind::TimedOut => "connection timed out".to_owned(),
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "the connection was reset".to_owned(),
        io::ErrorKind::UnexpectedEof => "the connection was closed".to_owned(),
        _ => printable(&os_reason(failure), LONGEST_REASON),
    }
}

/// The problem of a connection that broke after the request was sent, as the end of a sentence that
/// begins with the server.
fn broken_connection(failure: &hyper::Error) -> String {
    let cause = chain(failure).filter_map(|error| error.downcast_ref::<io::Error>()).last();
    match cause.map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
            "reset the connection before its response was complete".to_owned()
        }
        Some(io::ErrorKind::UnexpectedEof) => "closed the connection before its response was complete".to_owned(),
        _ if failure.is_incomplete_message() => "closed the connection before its response was complete".to_owned(),
        _ => {
            let reason = cause.map_or_else(|| chain(failure).last().map(ToString::to_string).unwrap_or_default(), os_reason);
            format!("did not send a complete response: {}", printable(&reason, LONGEST_REASON))
        }
    }
}

/// The error and its underlying causes. An `io::Error` does not return the error that it wraps from
/// `source()`, so `get_ref()` is used for it.
fn chain(error: &hyper::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    let first: &(dyn StdError + 'static) = error;
    std::iter::successors(Some(first), |error| {
        let error: &(dyn StdError + 'static) = *error;
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => error.source(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n15_a_duration_in_a_message_is_rounded() {
        for (nanoseconds, shown) in
            [(2_999_985_755, "3"), (10_000_000_000, "10"), (2_540_000_000, "2.5"), (300_000_000, "0.3"), (299_985_755, "0.3"), (0, "0")]
        {
            assert_eq!(rounded_seconds(Duration::from_nanos(nanoseconds)).to_string(), shown);
        }
    }
}
