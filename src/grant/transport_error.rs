//! Errors of a request that got no usable response: network, TLS, timeout and protocol errors.

use super::connection_hint::ConnectionHint;
use crate::error::{Error, printable};
use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The maximum length of an error string from another library, in characters.
const LONGEST_REASON: usize = 300;

/// The error for a request that got no complete response. Its strings contain neither a URL nor a
/// proxy's password.
pub(super) fn from_reqwest(failure: reqwest::Error, server: &str, hint: &ConnectionHint) -> Error {
    let failure = failure.without_url();
    let server = server.to_owned();
    if let Some(tls) = find::<rustls::Error>(&failure) {
        let problem = tls_problem(tls);
        return Error::Tls { server, problem, source: Some(Arc::new(failure)) };
    }
    if find::<hyper::Error>(&failure).is_some_and(hyper::Error::is_parse) {
        return protocol(&server, "it is not HTTP/1.1, or its headers are too long", None);
    }
    let problem = network_problem(&failure);
    let reached = !failure.is_connect();
    let advice = if reached { String::new() } else { hint.message(innermost_kind(&failure) == Some(io::ErrorKind::ConnectionRefused)) };
    Error::Network { server, problem, reached, advice, source: Some(Arc::new(failure)) }
}

/// The error for a request that was not sent because the operating system did not provide a
/// resource.
pub(super) fn before_the_request(server: &str, problem: &str, failure: io::Error) -> Error {
    Error::Network {
        server: server.to_owned(),
        problem: format!("{problem}: {failure}"),
        reached: false,
        advice: String::new(),
        source: Some(Arc::new(failure)),
    }
}

/// The error for a request that timed out. This is a network error and not [`Error::Deadline`]: the
/// cache watches the caller's deadline, which may be shorter or longer.
pub(super) fn timed_out(server: &str, total: Duration, connected: bool, hint: &ConnectionHint) -> Error {
    let missing = if connected { "complete response" } else { "connection" };
    Error::Network {
        server: server.to_owned(),
        problem: format!("no {missing} within {} s", rounded_seconds(total)),
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

fn innermost_kind(failure: &reqwest::Error) -> Option<io::ErrorKind> {
    chain(failure).filter_map(|error| error.downcast_ref::<io::Error>().map(io::Error::kind)).last()
}

fn network_problem(failure: &reqwest::Error) -> String {
    let innermost = printable(&chain(failure).last().map(ToString::to_string).unwrap_or_default(), LONGEST_REASON);
    if failure.is_dns() {
        return format!("DNS lookup failed ({innermost})");
    }
    if failure.is_timeout() && failure.is_connect() {
        return "connection timed out".to_owned();
    }
    match innermost_kind(failure) {
        Some(io::ErrorKind::ConnectionRefused) => "connection refused".to_owned(),
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
            "the connection was reset before the response was complete".to_owned()
        }
        Some(io::ErrorKind::UnexpectedEof) => "the connection was closed before the response was complete".to_owned(),
        _ if find::<hyper::Error>(failure).is_some_and(hyper::Error::is_incomplete_message) => {
            "the connection was closed before the response was complete".to_owned()
        }
        _ => innermost,
    }
}

fn tls_problem(error: &rustls::Error) -> String {
    use rustls::CertificateError as Bad;

    let problem = match error {
        rustls::Error::InvalidCertificate(Bad::UnknownIssuer) => "the certificate is signed by an authority that is not trusted",
        rustls::Error::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => {
            "the certificate is for another host name"
        }
        rustls::Error::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. }) => "the certificate has expired",
        rustls::Error::InvalidCertificate(Bad::NotValidYet | Bad::NotValidYetContext { .. }) => "the certificate is not valid yet",
        rustls::Error::InvalidCertificate(Bad::BadSignature) => "the certificate's signature does not match its issuer",
        rustls::Error::InvalidCertificate(Bad::Revoked) => "the certificate has been revoked",
        rustls::Error::InvalidMessage(_) => "the server does not speak TLS",
        other => return printable(&other.to_string(), LONGEST_REASON),
    };
    problem.to_owned()
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
