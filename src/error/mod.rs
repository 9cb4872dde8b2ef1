//! Everything that can go wrong, once, for every language.
//!
//! Each error says what happened ([`Display`](std::fmt::Display)), what to do about it ([`Error::hint`]) and which
//! stable number it has ([`Error::status`]). The C ABI, the wrappers and the command line show these same four things.
//!
//! May depend on: nothing. Start reading at [`Error`]; `status` has the numbers, `printable` makes the text of others safe to show.

mod printable;
mod status;

pub use printable::{printable, printable_path};
pub use status::Status;

use std::sync::Arc;
use std::time::Duration;

/// The reason beneath an error, shared because one failed refresh answers many callers.
pub type Cause = Arc<dyn std::error::Error + Send + Sync + 'static>;

/// What went wrong, to what, and what to do about it.
///
/// No variant ever holds a secret or a token. Texts that came from a server have passed
/// [`printable`], so they are safe on a terminal and in a log (RFC 6749 section 10.14).
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument or setting of this call is wrong.
    #[error("{name}: {problem}")]
    InvalidArgument {
        /// The argument or setting, by the name the caller knows it: `base_url`.
        name: String,
        /// What is wrong with it. Never holds the value of a secret.
        problem: String,
        /// The way out.
        hint: String,
    },

    /// There is no usable credential, or settings contradict each other.
    #[error("{problem}")]
    NotConfigured {
        /// What is missing or contradictory, and where it was looked for.
        problem: String,
        /// The way out.
        hint: String,
    },

    /// There is no credential in any of the places where one may be.
    #[error("there is no client id and secret; looked at: {}", .looked_at.join("; "))]
    NoCredential {
        /// Each place that was looked at, in order, and what was found there; never a value.
        looked_at: Vec<String>,
        /// The way out.
        hint: String,
    },

    /// The authorization server rejected the client; trying again cannot help.
    #[error("{server} rejected the client{}: {code}{}", named(.client), described(.description))]
    CredentialRejected {
        /// The server's origin: `https://cloud.mongodb.com`.
        server: String,
        /// The client id, and where it and the secret came from; may be empty.
        // The longest variant: as boxes its texts keep every `Result` small.
        client: Box<str>,
        /// The server's error code: `invalid_client` (RFC 6749 section 5.2).
        code: String,
        /// The server's own words, made printable; may be empty.
        description: String,
        /// The HTTP status of the reply.
        http_status: u16,
        /// What the look of the id and the secret hints at: swapped, an API key, quotation marks around them; may be empty.
        advice: Box<str>,
    },

    /// The account has as many live tokens as the server allows.
    #[error("{server} refuses another token: the account's limit of live access tokens is reached{}", described(.description))]
    TokenLimit {
        /// The server's origin.
        server: String,
        /// The server's own words, made printable; may be empty.
        description: String,
        /// The HTTP status of the reply.
        http_status: u16,
        /// When to ask again.
        retry_after: Duration,
    },

    /// The authorization server asked to be left alone for a while.
    #[error("{server} limits token requests{}", described(.description))]
    RateLimited {
        /// The server's origin.
        server: String,
        /// The server's own words, made printable; may be empty.
        description: String,
        /// The HTTP status of the reply.
        http_status: u16,
        /// When to ask again.
        retry_after: Duration,
    },

    /// The server could not be reached, or the connection broke.
    #[error("cannot reach {server}: {problem}")]
    Network {
        /// The server's origin.
        server: String,
        /// What failed: name look-up, connect, reset, time over …
        problem: String,
        /// Whether the request may have reached the server: only then does the failure say anything to another process.
        reached: bool,
        /// What to look at, where more is known than for every failure of the network; may be empty.
        advice: String,
        /// The reason beneath.
        #[source]
        source: Option<Cause>,
    },

    /// The TLS handshake failed.
    #[error("no trusted TLS connection to {server}: {problem}")]
    Tls {
        /// The server's origin.
        server: String,
        /// What failed: unknown authority, wrong name, expired …
        problem: String,
        /// The reason beneath.
        #[source]
        source: Option<Cause>,
    },

    /// The caller's own time was over.
    #[error("no token within {} ms: the call's deadline is over{}", .waited.as_millis(), described(.held_up))]
    Deadline {
        /// For how long this caller waited.
        waited: Duration,
        /// What the refresh was waiting for, where that is not the server; may be empty.
        held_up: String,
    },

    /// The server answered with a 5xx status.
    #[error("{server} failed with HTTP status {http_status}{}", described(.description))]
    Server {
        /// The server's origin.
        server: String,
        /// The server's own words, made printable; may be empty.
        description: String,
        /// The HTTP status of the reply.
        http_status: u16,
        /// When the server asked to be tried again, if it said so.
        retry_after: Option<Duration>,
    },

    /// The server's reply is not a token response.
    #[error("{server} sent a reply that is not a token response: {problem}")]
    Protocol {
        /// The server's origin.
        server: String,
        /// What is wrong with the reply. Never holds its body.
        problem: String,
        /// The HTTP status of the reply.
        http_status: Option<u16>,
    },

    /// Not done for safety's sake.
    #[error("refused: {problem}")]
    Refused {
        /// What was not done, and why.
        problem: String,
        /// The way out.
        hint: String,
        /// The HTTP status that led here (a redirect), if any.
        http_status: Option<u16>,
    },

    /// The client was closed.
    #[error("the client is closed")]
    Closed,

    /// A bug in tokenwell.
    #[error("internal error: {problem}")]
    Internal {
        /// What was found to be impossible.
        problem: String,
    },

    /// The answer to an earlier request still stands: nothing was sent.
    #[error("{original} (answered from memory: this was the reply {} s ago; {} in {} s)", .age.as_secs(), next_request(.original), ceil_secs(.ends_in))]
    Cooldown {
        /// The error of the request that was sent.
        original: Box<Error>,
        /// How long ago that was.
        age: Duration,
        /// For how long no request will be sent.
        ends_in: Duration,
    },
}

impl Error {
    /// The stable number of this error.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::InvalidArgument { .. } => Status::InvalidArgument,
            Self::NotConfigured { .. } | Self::NoCredential { .. } => Status::NotConfigured,
            Self::CredentialRejected { .. } => Status::CredentialRejected,
            Self::TokenLimit { .. } => Status::TokenLimit,
            Self::RateLimited { .. } => Status::RateLimited,
            Self::Network { .. } => Status::Network,
            Self::Tls { .. } => Status::Tls,
            Self::Deadline { .. } => Status::Deadline,
            Self::Server { .. } => Status::Server,
            Self::Protocol { .. } => Status::Protocol,
            Self::Refused { .. } => Status::Refused,
            Self::Closed => Status::Closed,
            Self::Internal { .. } => Status::Internal,
            Self::Cooldown { original, .. } => original.status(),
        }
    }

    /// What to do about it, in one or two sentences.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::InvalidArgument { hint, .. }
            | Self::NotConfigured { hint, .. }
            | Self::NoCredential { hint, .. }
            | Self::Refused { hint, .. } => hint.clone(),
            Self::CredentialRejected { advice, .. } if !advice.is_empty() => format!("{advice} {CORRECTED}"),
            Self::CredentialRejected { code, .. } if code == "invalid_client" => format!(
                "Check that the client id and secret belong together, that the secret has not expired or been \
                 deleted, and that the account lives on this server (cloud.mongodb.com and cloud.mongodbgov.com are separate). {CORRECTED}"
            ),
            Self::CredentialRejected { .. } => "The server knows the request's form but will not grant it: check the client's \
                 scope, audience and allowed grants. Sending it again cannot help."
                .to_owned(),
            Self::TokenLimit { .. } => "Atlas allows 100 live tokens per service account. Let processes share one token (see the token \
                 cache), revoke tokens that are not needed, or wait: each ends an hour after it was made."
                .to_owned(),
            Self::RateLimited { .. } => {
                "Wait for retry_after. If many processes on this host ask at once, let them share one token cache.".to_owned()
            }
            Self::Network { advice, .. } if !advice.is_empty() => advice.clone(),
            Self::Network { .. } => CHECK_THE_WAY.to_owned(),
            Self::Tls { .. } => "If a proxy or a private authority signs this server's certificate, name its PEM file with ca_file \
                 (TOKENWELL_CA_FILE). Check the host name and this machine's clock."
                .to_owned(),
            Self::Deadline { held_up, .. } if !held_up.is_empty() => {
                "See which process holds it (`fuser -v` on the .lock files there) and let it go on or end it; or allow more time, or go on \
                 without sharing: TOKENWELL_CACHE=off."
                    .to_owned()
            }
            Self::Deadline { .. } => "Allow more time, or try again: the refresh may still finish for the next caller.".to_owned(),
            Self::Server { .. } => {
                "The fault is on the server's side. Try again later; https://status.mongodb.com tells of known outages.".to_owned()
            }
            Self::Protocol { .. } => {
                "Check that the base or token URL points at an OAuth 2.0 token endpoint and not at a login page or a proxy's notice."
                    .to_owned()
            }
            Self::Closed => "Make a new client; a closed one hands out nothing.".to_owned(),
            Self::Internal { .. } => "This is a bug in tokenwell: please report it with this message.".to_owned(),
            Self::Cooldown { original, .. } => original.hint(),
        }
    }

    /// Where a credential was looked for in vain and what was found there, in order: one line for each place. Empty for other errors.
    ///
    /// The message has the same in one line, for logs.
    #[must_use]
    pub fn looked_at(&self) -> &[String] {
        match self {
            Self::NoCredential { looked_at, .. } => looked_at,
            _ => &[],
        }
    }

    /// The HTTP status of the server's reply, if there was a reply.
    #[must_use]
    pub fn http_status(&self) -> Option<u16> {
        match self {
            Self::CredentialRejected { http_status, .. }
            | Self::TokenLimit { http_status, .. }
            | Self::RateLimited { http_status, .. }
            | Self::Server { http_status, .. } => Some(*http_status),
            Self::Protocol { http_status, .. } | Self::Refused { http_status, .. } => *http_status,
            Self::Cooldown { original, .. } => original.http_status(),
            _ => None,
        }
    }

    /// For how long it is useless to ask again, where that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TokenLimit { retry_after, .. } | Self::RateLimited { retry_after, .. } => Some(*retry_after),
            Self::Server { retry_after, .. } => *retry_after,
            Self::Cooldown { ends_in, .. } => Some(*ends_in),
            _ => None,
        }
    }

    pub(crate) fn invalid(name: impl Into<String>, problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::InvalidArgument { name: name.into(), problem: problem.into(), hint: hint.into() }
    }

    pub(crate) fn internal(problem: impl Into<String>) -> Self {
        Self::Internal { problem: problem.into() }
    }
}

/// What to do about a server that cannot be reached.
pub(crate) const CHECK_THE_WAY: &str = "Check the name and the route to the server, HTTPS_PROXY and NO_PROXY, and any firewall.";

/// A rejection stands for the very pair that was rejected.
const CORRECTED: &str = "A corrected secret is tried at once.";

fn named(client: &str) -> String {
    if client.is_empty() { String::new() } else { format!(" {client}") }
}

fn next_request(original: &Error) -> &'static str {
    match original {
        Error::CredentialRejected { .. } => "the same id and secret may be sent again",
        _ => "the next request may be sent",
    }
}

fn described(description: &str) -> String {
    if description.is_empty() { String::new() } else { format!(": {description}") }
}

fn ceil_secs(duration: &Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cooldown_keeps_the_status_of_its_original_and_tells_age_and_end() {
        let original = Error::RateLimited {
            server: "https://cloud.mongodb.com".into(),
            description: "slow down".into(),
            http_status: 429,
            retry_after: Duration::from_secs(30),
        };
        let cooldown =
            Error::Cooldown { original: Box::new(original), age: Duration::from_secs(10), ends_in: Duration::from_millis(19_500) };

        assert_eq!(cooldown.status(), Status::RateLimited);
        assert_eq!(cooldown.http_status(), Some(429));
        assert_eq!(cooldown.retry_after(), Some(Duration::from_millis(19_500)));
        let text = cooldown.to_string();
        assert!(text.contains("10 s ago") && text.contains("in 20 s"), "{text}");
    }
}
