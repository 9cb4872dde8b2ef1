//! Errors of a request that got no usable response: network, TLS, timeout and protocol errors.

use super::connection_hint::ConnectionHint;
use super::resolver::LookupFailure;
use super::tls_problem;
use super::transport::Route;
use super::tunnel::{ProxyAnswer, TunnelFailure, standard_reason};
use crate::error::{Cause, Error, Exchange, NOT_HTTP, TimeIsOver, duration_text, os_reason, printable};
use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The maximum length of an error string from another library, in characters.
const LONGEST_REASON: usize = 300;

/// Why a request got no complete response.
pub(super) enum Failure {
    /// From reqwest, without the URL.
    Http(reqwest::Error),
    Tunnel(TunnelFailure),
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        Self::Http(error.without_url())
    }
}

impl From<TunnelFailure> for Failure {
    fn from(failure: TunnelFailure) -> Self {
        Self::Tunnel(failure)
    }
}

impl Failure {
    fn is_connect(&self) -> bool {
        match self {
            Self::Http(error) => error.is_connect(),
            Self::Tunnel(failure) => !matches!(failure, TunnelFailure::Request(_)),
        }
    }

    fn is_dns(&self) -> bool {
        match self {
            Self::Http(error) => error.is_dns(),
            Self::Tunnel(_) => find::<LookupFailure>(self).is_some(),
        }
    }

    fn is_timeout(&self) -> bool {
        match self {
            Self::Http(error) => error.is_timeout(),
            Self::Tunnel(failure) => matches!(failure, TunnelFailure::TimedOut),
        }
    }

    fn as_error(&self) -> &(dyn StdError + 'static) {
        match self {
            Self::Http(error) => error,
            Self::Tunnel(failure) => failure,
        }
    }

    fn into_cause(self) -> Option<Cause> {
        Some(match self {
            Self::Http(error) => Arc::new(error),
            Self::Tunnel(failure) => Arc::new(failure),
        })
    }
}

/// The error for a request that got no complete response. Its strings contain neither a URL nor a
/// proxy's password.
pub(super) fn without_response(failure: Failure, server: &str, route: &Route) -> Error {
    let hint = &route.hint;
    match &failure {
        // Without the words of the proxy: a process that remembers this error does not know them.
        Failure::Tunnel(TunnelFailure::Refused(ProxyAnswer { status: 407, .. })) => return rejected_by_proxy(route),
        Failure::Tunnel(TunnelFailure::Refused(answer)) => return by_proxy(Some(answer), route),
        Failure::Tunnel(TunnelFailure::NotHttp) => return by_proxy(None, route),
        Failure::Tunnel(TunnelFailure::Internal(problem)) => return Error::internal(*problem),
        _ => {}
    }
    if let Some(tls) = find::<rustls::Error>(&failure) {
        let (problem, advice) = tls_problem::explain(tls, hint);
        let proxy = matches!(failure, Failure::Tunnel(TunnelFailure::ProxyTls(_))).then(|| hint.proxy_name()).flatten();
        let server = proxy.unwrap_or_else(|| server.to_owned());
        return Error::Tls { server, problem, advice, source: failure.into_cause(), exchange: Exchange::default() };
    }
    if let Some(error) = find::<hyper::Error>(&failure).filter(|error| error.is_parse()) {
        return protocol(server, parse_problem(error), None);
    }
    let server = server.to_owned();
    if !failure.is_connect() {
        let problem = broken_connection(&failure);
        let advice = String::new();
        return Error::Network { server, problem, reached: true, advice, source: failure.into_cause(), exchange: Exchange::default() };
    }
    let problem = hint.problem(&connect_problem(&failure));
    let advice = hint.message(innermost_kind(&failure) == Some(io::ErrorKind::ConnectionRefused));
    Error::Network { server, problem, reached: false, advice, source: failure.into_cause(), exchange: Exchange::default() }
}

/// The error for a proxy that rejects the log-in.
pub(super) fn rejected_by_proxy(route: &Route) -> Error {
    const STATUS: u16 = 407;

    by_proxy(Some(&ProxyAnswer { status: STATUS, text: format!("{STATUS} {}", standard_reason(STATUS)) }), route)
}

/// The error for a proxy that opened no tunnel. `answer`: none if it was not HTTP.
fn by_proxy(answer: Option<&ProxyAnswer>, route: &Route) -> Error {
    let has_login = route.proxy.as_ref().is_some_and(|proxy| !proxy.url().username().is_empty() || proxy.url().password().is_some());
    let status = answer.map(|answer| answer.status);
    Error::Proxy {
        server: route.endpoint.origin(),
        proxy: route.hint.proxy_name().unwrap_or_default().into(),
        proxy_status: status,
        answer: answer.map(|answer| answer.text.as_str()).unwrap_or_default().into(),
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

fn innermost_kind(failure: &Failure) -> Option<io::ErrorKind> {
    chain(failure).filter_map(|error| error.downcast_ref::<io::Error>().map(io::Error::kind)).last()
}

fn innermost_reason(failure: &Failure) -> String {
    let reason = chain(failure).last().map(|error| match error.downcast_ref::<io::Error>() {
        Some(error) => os_reason(error),
        None => error.to_string(),
    });
    printable(&reason.unwrap_or_default(), LONGEST_REASON)
}

/// The problem of a connection that was not established.
fn connect_problem(failure: &Failure) -> String {
    let innermost = innermost_reason(failure);
    if failure.is_dns() {
        return format!("DNS lookup failed ({innermost})");
    }
    if failure.is_timeout() {
        return "connection timed out".to_owned();
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
fn broken_connection(failure: &Failure) -> String {
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

fn find<T: StdError + 'static>(failure: &Failure) -> Option<&T> {
    chain(failure).find_map(|error| error.downcast_ref())
}

/// The error and its underlying causes. An `io::Error` does not return the error that it wraps from
/// `source()`, so `get_ref()` is used for it.
fn chain(failure: &Failure) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(Some(failure.as_error()), |error| {
        let error: &(dyn StdError + 'static) = *error;
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => error.source(),
        }
    })
}
