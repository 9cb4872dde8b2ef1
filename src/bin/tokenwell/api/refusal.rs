//! What an error status of the Admin API means, and what to do.

use crate::failure::{Code, Facts, Failure};
use serde::Deserialize;
use std::time::{Duration, SystemTime};
use tokenwell::Status;
use tokenwell::admin::Reply;
use tokenwell::error::{duration_text, printable};

/// The body of an error of the Admin API.
#[derive(Default, Deserialize)]
struct Described {
    detail: Option<String>,
    #[serde(rename = "errorCode")]
    error_code: Option<String>,
}

/// The failure for the status of `reply` to `request`, in the words of the API where it has any.
pub(super) fn explain(request: &str, version: &str, reply: &Reply, body: &[u8]) -> Option<Failure> {
    let (status, hint) = advice(reply.status)?;
    let reason = reqwest::StatusCode::from_u16(reply.status).ok().and_then(|status| status.canonical_reason());
    let mut problem = format!("{request}: HTTP status {}", reply.status);
    if let Some(reason) = reason {
        problem += &format!(" ({reason})");
    }
    let described: Described = serde_json::from_slice(body).unwrap_or_default();
    match (described.detail.as_deref(), described.error_code.as_deref()) {
        (Some(detail), Some(code)) => problem += &format!(": {} [{}]", printable(detail, 1000), printable(code, 100)),
        (Some(text), None) | (None, Some(text)) => problem += &format!(": {}", printable(text, 1000)),
        (None, None) => {}
    }
    let hint = match (retry_after(reply), described.error_code.as_deref()) {
        (Some(pause), _) => format!("Send fewer requests. Try again in {}.", duration_text(pause)),
        (None, Some("IP_ADDRESS_NOT_ON_ACCESS_LIST" | "ORG_REQUIRES_ACCESS_LIST")) => {
            "Add the address of this host to the access list of the service account.".to_owned()
        }
        (None, _) if reply.status == 406 => {
            format!("The API has no version {version} of this resource. Set --api-version to a date in its documentation.")
        }
        _ => hint.to_owned(),
    };
    let facts = Facts { http_status: Some(reply.status), retry_after: retry_after(reply), oauth_error: None };
    Some(Failure::Own { code: Code::Status(status), problem, hint, facts })
}

/// The pause that a 429 requests: seconds, or a date.
pub(super) fn retry_after(reply: &Reply) -> Option<Duration> {
    let mut headers = reply.headers.iter().filter(|(name, _)| reply.status == 429 && name.eq_ignore_ascii_case("retry-after"));
    let value = &headers.next()?.1;
    let date = || httpdate::parse_http_date(value).ok().map(|date| date.duration_since(SystemTime::now()).unwrap_or_default());
    value.parse().ok().map(Duration::from_secs).or_else(date)
}

/// The status and the hint for an HTTP status that is an error.
fn advice(status: u16) -> Option<(Status, &'static str)> {
    Some(match status {
        200..=299 => return None,
        401 => (
            Status::CredentialRejected,
            "The server rejected a new token too. Check that the service account belongs to this server (see `tokenwell status`).",
        ),
        403 => (
            Status::CredentialRejected,
            "The token is valid. Check the service account's IP access list and its roles in the organization and project.",
        ),
        404 => (
            Status::Server,
            "Check the path and the ids in it. `tokenwell api orgs` and `tokenwell api groups` list what this account can access.",
        ),
        405 => (Status::Server, "The resource does not support this method. Set another one with --method."),
        429 => (Status::RateLimited, "Send fewer requests. --include shows Retry-After and the limits."),
        500..=599 => (Status::Server, "This is a server error. Try again later."),
        _ => (Status::Server, "Correct the request. The response body on standard output describes the error."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_depends_on_the_http_status() {
        let code = |status| advice(status).map_or(Status::Ok, |(status, _)| status).exit_code().number();

        let codes: Vec<_> = [200, 204, 400, 401, 403, 404, 409, 429, 500, 503].into_iter().map(code).collect();
        assert_eq!(codes, [0, 0, 5, 4, 4, 5, 5, 6, 5, 5]);
    }
}
