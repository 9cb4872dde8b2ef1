//! The errors of tokenwell, shared by all languages.
//!
//! Each error has a message ([`Display`](std::fmt::Display)), a hint that says what to do
//! ([`Error::hint`]) and a stable name and number ([`Error::status`]). The C ABI, the language
//! wrappers and the command line show these same values.
//!
//! May depend on: nothing. Start reading at [`Error`]; `status` defines the numbers, `message` and
//! `hint` are the sentences, `details` is what else an error tells. `printable` escapes strings from
//! servers and files, and `sentence` joins a name and what is wrong with it.

mod details;
mod duration_text;
mod exchange;
mod exit_code;
mod hint;
mod message;
mod printable;
mod sentence;
mod status;

pub use duration_text::duration_text;
pub use exchange::Exchange;
pub(crate) use exchange::{EndpointKind, EndpointName};
pub use exit_code::ExitCode;
#[cfg(feature = "capi")]
pub(crate) use hint::AWAITING_API;
pub(crate) use hint::{AWAITING_SECRET, CHECK_CONNECTION, NOT_HTTP};
use message::{
    at_least, blocked_suffix, client_suffix, kind_of_request, network_message, next_request, proxy_answer, rejection, result, server_says,
    whole_seconds,
};
pub(crate) use printable::without_os_number;
pub use printable::{os_reason, printable, printable_path};
pub use sentence::sentence;
pub use status::Status;

use std::sync::Arc;
use std::time::Duration;

/// The underlying cause of an error. It is shared because one failed refresh can return its error
/// to many callers.
pub type Cause = Arc<dyn std::error::Error + Send + Sync + 'static>;

/// An error: what failed, on which input or server, and what to do about it.
///
/// No variant contains a client secret or a token. Strings from a server have passed [`printable`],
/// so they are safe to write to a terminal or a log (RFC 6749 section 10.14).
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument or setting of this call is invalid.
    #[error("{}", sentence(.name, .problem))]
    InvalidArgument {
        /// The name of the argument or setting, as the caller wrote it: `base_url`.
        name: String,
        /// What is wrong with the value: the end of a sentence that begins with the name, or a sentence.
        /// Never contains a secret.
        problem: String,
        /// What to do about it.
        hint: String,
    },

    /// No usable credential was found, or settings contradict each other.
    #[error("{problem}")]
    NotConfigured {
        /// Which setting is missing, unusable or contradictory, and where it was searched for.
        problem: String,
        /// What to do about it.
        hint: String,
    },

    /// None of the checked sources contains a client id and secret.
    #[error("there is no client id and secret; checked: {}", .checked_sources.join("; "))]
    NoCredential {
        /// The checked sources in order, each with what was found there. Never contains a value.
        checked_sources: Vec<String>,
        /// What to do about it.
        hint: String,
    },

    /// The authorization server rejected the client. A retry with the same credential cannot
    /// succeed.
    #[error("{server} rejected the client{}{}{}", client_suffix(.client), rejection(.code, *.http_status), server_says(.description))]
    CredentialRejected {
        /// The server's origin: `https://cloud.mongodb.com`.
        server: String,
        /// The client id and the sources of the id and the secret; may be empty.
        // This is the largest variant: boxed strings keep every `Result` small.
        client: Box<str>,
        /// The server's error code: `invalid_client` (RFC 6749 section 5.2). Empty if it sent none.
        code: Box<str>,
        /// The server's description of the error, escaped for display; may be empty.
        description: String,
        /// The HTTP status of the response.
        http_status: u16,
        /// A likely mistake seen in the form of the id or secret: swapped, an API key, enclosed in
        /// quotation marks; may be empty.
        advice: Box<str>,
        /// The requests that led to this error, and the error code that the server sent.
        exchange: Exchange,
    },

    /// The resource server rejected several new tokens in a row. No token is requested for a while,
    /// because it would be rejected too.
    #[error("the last {count} tokens of {server} were rejected by the API less than a minute after they were issued")]
    TokensRejected {
        /// The origin of the authorization server.
        server: String,
        /// How many new tokens in a row were rejected.
        count: u32,
    },

    /// The account already has the maximum number of valid tokens.
    #[error("{server} issued no token: the account has reached its limit of valid access tokens{}", server_says(.description))]
    TokenLimit {
        /// The server's origin.
        server: String,
        /// The server's description of the error, escaped for display; may be empty.
        description: String,
        /// The HTTP status of the response.
        http_status: u16,
        /// How long to wait before the next request.
        retry_after: Duration,
        /// The requests that led to this error, and the error code that the server sent.
        exchange: Exchange,
    },

    /// The authorization server rejected the request because of a rate limit.
    #[error("{server} rejected the request: rate limit exceeded{}", server_says(.description))]
    RateLimited {
        /// The server's origin.
        server: String,
        /// The server's description of the error, escaped for display; may be empty.
        description: String,
        /// The HTTP status of the response.
        http_status: u16,
        /// How long to wait before the next request.
        retry_after: Duration,
        /// The requests that led to this error, and the error code that the server sent.
        exchange: Exchange,
    },

    /// The server could not be reached, or the connection failed.
    #[error("{}", network_message(.server, .problem, *.reached))]
    Network {
        /// The server's origin.
        server: String,
        /// What failed: DNS lookup, connect, timeout … If the server was reached, the end of a
        /// sentence that begins with the server: "closed the connection …".
        problem: String,
        /// Whether the request may have reached the server. Only such a failure is relevant to
        /// other processes.
        reached: bool,
        /// A more specific hint than the general one for network errors; may be empty.
        advice: String,
        /// The underlying cause.
        #[source]
        source: Option<Cause>,
        /// The requests that led to this error, and the error code that the server sent.
        exchange: Exchange,
    },

    /// The proxy answered, but did not connect to the server.
    #[error("cannot reach {server}: {proxy} {}", proxy_answer(*.proxy_status, .answer, *.has_login))]
    Proxy {
        /// The server's origin.
        server: String,
        /// The proxy and the setting that it comes from: `the proxy http://p.example:3128 (set by
        /// HTTPS_PROXY)`. Never contains a user or a password.
        proxy: Box<str>,
        /// The HTTP status of the proxy's response to CONNECT, which is not a status of the server.
        /// `None` if the response was not HTTP.
        proxy_status: Option<u16>,
        /// The status and the reason that the proxy sent, and the first words of its body if that is
        /// plain text, escaped for display: `403 Forbidden`. Empty if the response was not HTTP.
        answer: Box<str>,
        /// Whether a user and password were sent to the proxy.
        has_login: bool,
        /// What to do about it.
        advice: Box<str>,
        /// The requests that led to this error.
        exchange: Exchange,
    },

    /// The TLS handshake failed.
    #[error("TLS connection to {server} failed: {problem}")]
    Tls {
        /// The server's origin.
        server: String,
        /// What failed: unknown authority, wrong host name, expired certificate …
        problem: String,
        /// What to do about it.
        advice: String,
        /// The underlying cause.
        #[source]
        source: Option<Cause>,
        /// The requests that led to this error, and the error code that the server sent.
        exchange: Exchange,
    },

    /// The caller's deadline passed.
    #[error("deadline exceeded after {}{}", duration_text(*.waited), blocked_suffix(.blocked_by))]
    Deadline {
        /// How long this caller waited.
        waited: Duration,
        /// What blocked the refresh, if it was not the server; may be empty.
        blocked_by: String,
    },

    /// The server returned a 5xx status.
    #[error("{server} failed with HTTP status {http_status}{}", server_says(.description))]
    Server {
        /// The server's origin.
        server: String,
        /// The server's description of the error, escaped for display; may be empty.
        description: String,
        /// The HTTP status of the response.
        http_status: u16,
        /// How long the server asks clients to wait, if it says so.
        retry_after: Option<Duration>,
        /// The requests that led to this error, and the error code that the server sent.
        exchange: Exchange,
    },

    /// The server's response is not a valid token response.
    #[error("{server} sent an invalid {} response: {problem}", kind_of_request(.exchange))]
    Protocol {
        /// The server's origin.
        server: String,
        /// What is wrong with the response. Never contains its body.
        problem: String,
        /// The HTTP status of the response.
        http_status: Option<u16>,
        /// The requests that led to this error, and the error code that the server sent.
        exchange: Exchange,
    },

    /// The operation was refused for security reasons.
    #[error("refused: {problem}")]
    Refused {
        /// What was refused, and why.
        problem: String,
        /// What to do about it.
        hint: String,
        /// The HTTP status that caused the refusal (a redirect), if any.
        http_status: Option<u16>,
        /// The requests that led to this error, and the error code that the server sent.
        exchange: Exchange,
    },

    /// A file cannot be written.
    #[error("{problem}")]
    CannotWrite {
        /// The file, and what the system reported.
        problem: String,
        /// What to do.
        hint: String,
    },

    /// The client was closed.
    #[error("the client is closed")]
    Closed,

    /// The completion queue was closed.
    #[error("the queue is closed")]
    QueueClosed,

    /// The operation was canceled by its caller.
    #[error("the operation was canceled")]
    Canceled,

    /// No usable token is in memory, and the caller allowed nothing else.
    #[error("no usable token is in memory")]
    NotCached,

    /// A bug in tokenwell.
    #[error("internal error: {problem}")]
    Internal {
        /// The violated assumption.
        problem: String,
    },

    /// An earlier request failed, and its error is still remembered. No request was sent.
    #[error("{original} ({} of {} ago; no new request was sent; {} {})", result(.original), whole_seconds(.age), next_request(.original), at_least(.ends_in))]
    Cooldown {
        /// The error of the earlier request.
        original: Box<Error>,
        /// How long ago the earlier request failed.
        age: Duration,
        /// How long no request will be sent.
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
            Self::CredentialRejected { .. } | Self::TokensRejected { .. } => Status::CredentialRejected,
            Self::TokenLimit { .. } => Status::TokenLimit,
            Self::RateLimited { .. } => Status::RateLimited,
            Self::Network { .. } | Self::Proxy { .. } => Status::Network,
            Self::Tls { .. } => Status::Tls,
            Self::Deadline { .. } => Status::Deadline,
            Self::Server { .. } => Status::Server,
            Self::Protocol { .. } => Status::Protocol,
            Self::Refused { .. } => Status::Refused,
            Self::CannotWrite { .. } => Status::CannotWrite,
            Self::Closed | Self::QueueClosed | Self::Canceled => Status::Closed,
            Self::NotCached => Status::NotCached,
            Self::Internal { .. } => Status::Internal,
            Self::Cooldown { original, .. } => original.status(),
        }
    }

    pub(crate) fn invalid(name: impl Into<String>, problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::InvalidArgument { name: name.into(), problem: problem.into(), hint: hint.into() }
    }

    pub(crate) fn internal(problem: impl Into<String>) -> Self {
        Self::Internal { problem: problem.into() }
    }
}

/// The cause of a network error if this process stopped waiting.
#[derive(Debug, thiserror::Error)]
#[error("the time that this process allowed for the request was over")]
pub(crate) struct TimeIsOver;
