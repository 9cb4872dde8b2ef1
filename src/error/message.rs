//! The parts of the messages of errors.

use super::{EndpointKind, Error, Exchange, duration_text};
use std::time::Duration;

pub(super) fn kind_of_request(exchange: &Exchange) -> &'static str {
    match exchange.endpoint().map(|endpoint| endpoint.kind) {
        Some(EndpointKind::Revocation) => "revocation",
        Some(EndpointKind::Api) => "API",
        Some(EndpointKind::Token) | None => "token",
    }
}

pub(super) fn network_message(server: &str, problem: &str, reached: bool) -> String {
    if reached { format!("{server} {problem}") } else { format!("cannot reach {server}: {problem}") }
}

/// What follows "rejected the client".
pub(super) fn rejection(code: &str, http_status: u16) -> String {
    if code.is_empty() { format!(" (HTTP {http_status} without an error code)") } else { format!(": {code}") }
}

pub(super) fn proxy_answer(status: Option<u16>, answer: &str, has_login: bool) -> String {
    match (status, has_login) {
        (Some(407), true) => format!("answered CONNECT with {answer}: it rejected the user and password"),
        (Some(407), false) => format!("answered CONNECT with {answer}: it requires a user and password"),
        (Some(_), _) => format!("answered CONNECT with {answer}"),
        (None, _) => "did not answer CONNECT with an HTTP response".to_owned(),
    }
}

pub(super) fn client_suffix(client: &str) -> String {
    if client.is_empty() { String::new() } else { format!(" {client}") }
}

pub(super) fn next_request(original: &Error) -> &'static str {
    match original {
        Error::CredentialRejected { .. } => "tokenwell sends this client id and secret again only after",
        _ => "next request in",
    }
}

pub(super) fn result(original: &Error) -> &'static str {
    if original.http_status().is_some() { "answer" } else { "error" }
}

/// The server's own words, quoted so that a reader can see whose they are.
pub(super) fn server_says(description: &str) -> String {
    if description.is_empty() { String::new() } else { format!("; the server says: \"{description}\"") }
}

pub(super) fn blocked_suffix(blocked_by: &str) -> String {
    if blocked_by.is_empty() { String::new() } else { format!(": {blocked_by}") }
}

/// A time that has passed, for a sentence.
pub(super) fn whole_seconds(duration: &Duration) -> String {
    duration_text(Duration::from_secs(duration.as_secs()))
}

/// A time to wait, for a sentence: not shorter than it is by a part of a second.
pub(super) fn at_least(duration: &Duration) -> String {
    duration_text(Duration::from_secs(duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))))
}
