//! What kept a reply from coming, or from being one: the network, TLS, the time, the protocol.

use super::signpost::Signpost;
use crate::error::{Error, printable};
use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How much of a reason in somebody else's words is shown.
const LONGEST_REASON: usize = 300;

/// The error for a request that got no complete reply. Its texts hold neither a URL nor a proxy's password.
pub(super) fn of_transport(failure: reqwest::Error, server: &str, way: &Signpost) -> Error {
    let failure = failure.without_url();
    let server = server.to_owned();
    if let Some(tls) = find::<rustls::Error>(&failure) {
        let problem = tls_problem(tls);
        return Error::Tls { server, problem, source: Some(Arc::new(failure)) };
    }
    if find::<hyper::Error>(&failure).is_some_and(hyper::Error::is_parse) {
        return protocol(&server, "it is not HTTP/1.1, or its head is too long", None);
    }
    let problem = network_problem(&failure);
    let reached = !failure.is_connect();
    let advice = if reached { String::new() } else { way.advice(innermost_kind(&failure) == Some(io::ErrorKind::ConnectionRefused)) };
    Error::Network { server, problem, reached, advice, source: Some(Arc::new(failure)) }
}

/// The error for a request that could not be begun for want of something that the system would have to give.
pub(super) fn before_the_request(server: &str, missing: &str, failure: io::Error) -> Error {
    Error::Network {
        server: server.to_owned(),
        problem: format!("{missing}: {failure}"),
        reached: false,
        advice: String::new(),
        source: Some(Arc::new(failure)),
    }
}

/// The error for a budget that ended. It is the way to the server that failed, and not the caller's own deadline: that one is
/// the cache's to watch, and may be shorter or longer.
pub(super) fn no_reply_within(server: &str, total: Duration, connected: bool, way: &Signpost) -> Error {
    let missing = if connected { "complete reply" } else { "connection" };
    Error::Network {
        server: server.to_owned(),
        problem: format!("no {missing} within {} s", total.as_secs_f64()),
        reached: connected,
        advice: if connected { String::new() } else { way.advice(false) },
        source: None,
    }
}

/// The error for a reply that is neither a token nor a refusal.
pub(super) fn protocol(server: &str, problem: &str, http_status: Option<u16>) -> Error {
    Error::Protocol { server: server.to_owned(), problem: problem.to_owned(), http_status }
}

fn innermost_kind(failure: &reqwest::Error) -> Option<io::ErrorKind> {
    chain(failure).filter_map(|error| error.downcast_ref::<io::Error>().map(io::Error::kind)).last()
}

fn network_problem(failure: &reqwest::Error) -> String {
    let innermost = printable(&chain(failure).last().map(ToString::to_string).unwrap_or_default(), LONGEST_REASON);
    if failure.is_dns() {
        return format!("the name cannot be looked up ({innermost})");
    }
    if failure.is_timeout() && failure.is_connect() {
        return "no connection in time".to_owned();
    }
    match innermost_kind(failure) {
        Some(io::ErrorKind::ConnectionRefused) => "connection refused".to_owned(),
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
            "the connection was reset before the reply was complete".to_owned()
        }
        Some(io::ErrorKind::UnexpectedEof) => "the connection was closed before the reply was complete".to_owned(),
        _ if find::<hyper::Error>(failure).is_some_and(hyper::Error::is_incomplete_message) => {
            "the connection was closed before the reply was complete".to_owned()
        }
        _ => innermost,
    }
}

fn tls_problem(error: &rustls::Error) -> String {
    use rustls::CertificateError as Bad;

    let problem = match error {
        rustls::Error::InvalidCertificate(Bad::UnknownIssuer) => "the certificate is signed by an authority that is not trusted here",
        rustls::Error::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => {
            "the certificate is for another name"
        }
        rustls::Error::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. }) => "the certificate has expired",
        rustls::Error::InvalidCertificate(Bad::NotValidYet | Bad::NotValidYetContext { .. }) => "the certificate is not valid yet",
        rustls::Error::InvalidCertificate(Bad::BadSignature) => "the certificate is not signed by the authority that it names",
        rustls::Error::InvalidCertificate(Bad::Revoked) => "the certificate has been revoked",
        rustls::Error::InvalidMessage(_) => "what answers there does not speak TLS",
        other => return printable(&other.to_string(), LONGEST_REASON),
    };
    problem.to_owned()
}

fn find<T: StdError + 'static>(error: &reqwest::Error) -> Option<&T> {
    chain(error).find_map(|error| error.downcast_ref())
}

/// The error and the reasons beneath it. An `io::Error` that wraps another error does not name it as its source, so it is looked into.
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
