//! What to do about an error.

use super::Error;
use super::message::at_least;
use std::time::Duration;

impl Error {
    /// What to do about this error, in one or two sentences.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::InvalidArgument { hint, .. }
            | Self::NotConfigured { hint, .. }
            | Self::NoCredential { hint, .. }
            | Self::Refused { hint, .. }
            | Self::CannotWrite { hint, .. } => hint.clone(),
            Self::CredentialRejected { advice, .. } if !advice.is_empty() => format!("{advice} {CORRECTED}"),
            // A 401 is about the credentials, whatever its code (RFC 9110 section 15.5.2).
            Self::CredentialRejected { server, code, http_status, .. } if **code == *"invalid_client" || *http_status == 401 => {
                let separate = if is_atlas(server) { " (cloud.mongodb.com and cloud.mongodbgov.com are separate)" } else { "" };
                format!(
                    "Check that the client id and secret belong together, that the secret has not expired or been deleted, and that the \
                     account exists on this server{separate}. {CORRECTED}"
                )
            }
            Self::CredentialRejected { http_status, .. } if self.is_of_revocation() => format!(
                "Check that {} is the server's revocation endpoint (RFC 7009), and that the server allows this client to revoke its tokens.{}",
                self.url_setting(),
                if *http_status == 403 { FILTERS } else { "" }
            ),
            Self::CredentialRejected { http_status: 403, .. } => {
                format!("{CHECK_GRANT}{FILTERS}")
            }
            Self::CredentialRejected { .. } => CHECK_GRANT.to_owned(),
            Self::TokensRejected { .. } => {
                "The authorization server accepts the client and issues tokens, but the API answers 401 to them. Check that the API and \
                 the base or token URL belong to the same server, that the account still exists and its IP access list contains this \
                 host, and that the clock of this host is right."
                    .to_owned()
            }
            Self::TokenLimit { server, .. } if !is_atlas(server) && !is_loopback(server) => {
                "The server limits the valid tokens of a client. Wait until tokens expire, or find the programs that request their own tokens \
                 and turn on the token cache there."
                    .to_owned()
            }
            Self::TokenLimit { .. } => {
                "Atlas allows 100 valid tokens for each service account. Wait until tokens expire (one hour after they \
                 were issued), or find the programs that request their own tokens and turn on the token cache there."
                    .to_owned()
            }
            Self::RateLimited { retry_after, .. } => rate_limit_hint(retry_after),
            Self::Network { advice, .. } if !advice.is_empty() => advice.clone(),
            Self::Network { reached: true, .. } => {
                "Try again. If it happens again, check the server, and every proxy and load balancer in between.".to_owned()
            }
            Self::Network { .. } => CHECK_CONNECTION.to_owned(),
            Self::Proxy { advice, .. } => advice.to_string(),
            Self::Tls { advice, .. } => advice.clone(),
            Self::Deadline { blocked_by, .. } if blocked_by == AWAITING_SECRET => {
                "Let the secret callback answer sooner, or allow more time: it may use half of timeout_ms.".to_owned()
            }
            Self::Deadline { blocked_by, .. } if blocked_by == AWAITING_API => {
                "Allow more time. The request may have taken effect: check that before you repeat one that changes something.".to_owned()
            }
            Self::Deadline { blocked_by, .. } if !blocked_by.is_empty() => {
                "Find the process that holds the lock (`fuser -v` on the .lock files in that directory). Let it finish, or stop it. \
                 Otherwise allow more time, or disable the shared cache with TOKENWELL_CACHE=off."
                    .to_owned()
            }
            Self::Deadline { .. } => "Allow more time, or try again: the refresh may still finish for the next caller.".to_owned(),
            Self::Server { server, .. } if is_atlas(server) => {
                "The problem is on the server side. Try again later; https://status.mongodb.com lists known outages.".to_owned()
            }
            Self::Server { server, .. } => format!("The problem is on the server side. Try again later, or check the logs of {server}."),
            Self::Protocol { problem, .. } if problem == NOT_HTTP => {
                "Check the port. The server may expect TLS: if it does, use https:// in its URL.".to_owned()
            }
            Self::Protocol { .. } if self.is_of_api() => format!(
                "Request less, for example with a smaller itemsPerPage, or allow a longer response. If the response should be short, check that \
                 {} is the URL of the API, and every proxy in between.",
                self.url_setting()
            ),
            Self::Protocol { http_status: Some(401 | 403), .. } => {
                "A proxy, a web filter or an access list may have answered instead of the server: check what is between this host and the \
                 server. If it was the server, check the client id and secret and what the server allows the client."
                    .to_owned()
            }
            Self::Protocol { http_status: Some(404 | 405 | 501), .. } => {
                let endpoint = if self.is_of_revocation() { "revocation" } else { "token" };
                format!("The server has no {endpoint} endpoint at this URL. Check {}.", self.url_setting())
            }
            Self::Protocol { .. } if self.is_of_revocation() => {
                format!("Check that {} points to the server's revocation endpoint (RFC 7009).", self.url_setting())
            }
            Self::Protocol { .. } => format!(
                "Check that {} points to an OAuth 2.0 token endpoint and not to a login page or a proxy's error page.",
                self.url_setting()
            ),
            Self::Closed => "Create a new client. A closed client returns no tokens.".to_owned(),
            Self::QueueClosed => "Create a new queue. A closed queue has no entries.".to_owned(),
            Self::Canceled => "Start a new operation.".to_owned(),
            Self::NotCached => {
                "Call again without TOKENWELL_CACHED_ONLY to get a token from the shared cache or from the server.".to_owned()
            }
            Self::Internal { .. } => "This is a bug in tokenwell. Please report it with this message.".to_owned(),
            Self::Cooldown { original, ends_in, .. } if matches!(**original, Self::RateLimited { .. }) => rate_limit_hint(ends_in),
            Self::Cooldown { original, .. } => original.hint(),
        }
    }
}

/// The hint for a server that cannot be reached.
pub(crate) const CHECK_CONNECTION: &str = "Check the host name, the route to the server, HTTPS_PROXY and NO_PROXY, and any firewall.";

/// What blocks a refresh while the program has not delivered the client secret. It selects a hint.
pub(crate) const AWAITING_SECRET: &str = "the secret callback has not provided the client secret";

/// What a request of the program waits for at its deadline. It selects a hint.
pub(crate) const AWAITING_API: &str = "the API has not sent a complete response";

/// The problem of a response that is not HTTP, for example the alert of a TLS server. It selects a
/// hint.
pub(crate) const NOT_HTTP: &str = "the response is not HTTP/1.1";

/// Who else answers with HTTP 403.
const FILTERS: &str = " A proxy, a web filter or an IP access list can also return HTTP 403.";

/// Whether the origin is one of MongoDB. Hints about others must not name its pages.
fn is_atlas(server: &str) -> bool {
    let host = server.split("://").last().unwrap_or(server).split([':', '/']).next().unwrap_or_default();
    ["mongodb.com", "mongodbgov.com"]
        .iter()
        .any(|domain| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

/// Whether the origin may be the emulator's.
fn is_loopback(server: &str) -> bool {
    ["://127.", "://localhost", "://[::1]"].iter().any(|host| server.contains(host))
}

/// The hint for a client that the server knows but does not issue a token to.
const CHECK_GRANT: &str = "Check the client's scope, audience and allowed grant types. The same request will be rejected again.";

/// A rejection is remembered only for the rejected pair of client id and secret.
const CORRECTED: &str = "After you correct it, you do not have to wait.";

fn rate_limit_hint(wait: &Duration) -> String {
    format!(
        "Wait {} before the next request. If many processes on this host request tokens, let them share one token cache.",
        at_least(wait)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{EndpointKind, EndpointName, Exchange};

    #[test]
    fn a_hint_about_another_server_names_no_page_of_atlas() {
        let hints = |server: &str| {
            let server = server.to_owned();
            let (description, exchange) = (String::new(), Exchange::default());
            let all = [
                Error::Server { server: server.clone(), description: description.clone(), http_status: 503, retry_after: None, exchange },
                Error::CredentialRejected {
                    server: server.clone(),
                    client: Box::default(),
                    code: "invalid_client".into(),
                    description: description.clone(),
                    http_status: 401,
                    advice: Box::default(),
                    exchange: Exchange::default(),
                },
                Error::TokenLimit { server, description, http_status: 403, retry_after: Duration::ZERO, exchange: Exchange::default() },
            ];
            all.map(|error| error.hint()).join(" ")
        };

        for server in ["https://login.example", "https://mongodb.com.example", "https://notmongodb.com:8443", "https://[2001:db8::1]"] {
            let shown = hints(server);
            assert!(!shown.contains("mongodb") || shown.matches("mongodb").count() == shown.matches(server).count(), "{shown}");
            assert!(!shown.contains("Atlas"), "{shown}");
        }
        for server in ["https://cloud.mongodb.com", "https://cloud.mongodbgov.com:443"] {
            assert!(hints(server).contains("https://status.mongodb.com") && hints(server).contains("Atlas allows"), "{}", hints(server));
        }
    }

    #[test]
    fn an_error_of_a_revocation_speaks_of_the_revocation_url() {
        let endpoint = EndpointName { kind: EndpointKind::Revocation, setting: "revocation_url".into() };
        let protocol = |http_status| {
            let (server, problem) = ("https://login.example".to_owned(), "it is HTML".to_owned());
            Error::Protocol { server, problem, http_status: Some(http_status), exchange: Exchange::default() }
                .with_attempts(1)
                .at(&endpoint)
        };

        for (http_status, hint) in [
            (200, "Check that revocation_url points to the server's revocation endpoint (RFC 7009)."),
            (404, "The server has no revocation endpoint at this URL. Check revocation_url."),
        ] {
            let error = protocol(http_status);
            assert_eq!(error.to_string(), "https://login.example sent an invalid revocation response: it is HTML");
            assert_eq!((error.hint().as_str(), error.attempts()), (hint, 1));
        }
    }
}
