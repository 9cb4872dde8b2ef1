//! The errors of tokenwell, shared by all languages.
//!
//! Each error has a message ([`Display`](std::fmt::Display)), a hint that says what to do
//! ([`Error::hint`]) and a stable name and number ([`Error::status`]). The C ABI, the language
//! wrappers and the command line show these same values.
//!
//! May depend on: nothing. Start reading at [`Error`]; `status` defines the numbers, `printable`
//! escapes strings from servers and files.

mod duration_text;
mod exchange;
mod exit_code;
mod printable;
mod status;

pub use duration_text::duration_text;
pub use exchange::Exchange;
pub(crate) use exchange::{EndpointKind, EndpointName};
pub use exit_code::ExitCode;
pub(crate) use printable::os_reason;
pub use printable::{printable, printable_path};
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
    #[error("{name}: {problem}")]
    InvalidArgument {
        /// The name of the argument or setting, as the caller wrote it: `base_url`.
        name: String,
        /// What is wrong with the value. Never contains a secret.
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

    /// The sources that were searched for a credential, in order, each with what was found there.
    /// Empty for all errors except [`Error::NoCredential`].
    ///
    /// The message contains the same entries on one line, for logs.
    #[must_use]
    pub fn checked_sources(&self) -> &[String] {
        match self {
            Self::NoCredential { checked_sources, .. } => checked_sources,
            _ => &[],
        }
    }

    /// The HTTP status of the server's response, if there was a response.
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

    /// The error code that the server sent: the member `error` of its response (RFC 6749 section 5.2)
    /// or of its `WWW-Authenticate` header, for example `invalid_client`. `None` if it sent none.
    ///
    /// It is escaped for display and at most 64 characters long.
    #[must_use]
    pub fn oauth_code(&self) -> Option<&str> {
        match self {
            Self::Cooldown { original, .. } => original.oauth_code(),
            other => other.exchange()?.oauth_code(),
        }
    }

    /// How many requests this failure took, including retries and requests for which no connection
    /// was established. 0 if the failure is not that of a request.
    ///
    /// For a remembered error these are the requests of the earlier call, in this process or another
    /// one.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        match self {
            Self::Cooldown { original, .. } => original.attempts(),
            other => other.exchange().map_or(0, Exchange::attempts),
        }
    }

    /// Whether this is the remembered error of an earlier call: it was returned during a cooldown, and
    /// no request was sent for it.
    #[must_use]
    pub fn is_remembered(&self) -> bool {
        matches!(self, Self::Cooldown { .. })
    }

    /// How long ago the call failed that this error is from. Zero unless the error is
    /// [remembered](Self::is_remembered).
    #[must_use]
    pub fn age(&self) -> Duration {
        match self {
            Self::Cooldown { age, .. } => *age,
            _ => Duration::ZERO,
        }
    }

    /// How long to wait before the next request, if that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TokenLimit { retry_after, .. } | Self::RateLimited { retry_after, .. } => Some(*retry_after),
            Self::Server { retry_after, .. } => *retry_after,
            Self::Cooldown { ends_in, .. } => Some(*ends_in),
            _ => None,
        }
    }

    /// Records that this failure took `attempts` requests.
    pub(crate) fn with_attempts(mut self, attempts: u32) -> Self {
        if let Some(exchange) = self.exchange_mut() {
            *exchange = std::mem::take(exchange).with_attempts(attempts);
        }
        self
    }

    /// Records the endpoint that the request was sent to.
    pub(crate) fn at(mut self, endpoint: &EndpointName) -> Self {
        if let Some(exchange) = self.exchange_mut() {
            *exchange = std::mem::take(exchange).at(endpoint.clone());
        }
        self
    }

    /// The endpoint that the request was sent to, if it is known.
    fn endpoint(&self) -> Option<&EndpointName> {
        self.exchange()?.endpoint()
    }

    fn is_of_revocation(&self) -> bool {
        self.endpoint().is_some_and(|endpoint| endpoint.kind == EndpointKind::Revocation)
    }

    fn is_of_api(&self) -> bool {
        self.endpoint().is_some_and(|endpoint| endpoint.kind == EndpointKind::Api)
    }

    /// The setting with the URL of the request. An error of another process does not name it.
    fn url_setting(&self) -> &str {
        match self.endpoint() {
            Some(endpoint) => &endpoint.setting,
            None => "the base or token URL",
        }
    }

    /// Records the requests that led to this failure.
    pub(crate) fn with_exchange(mut self, exchange: Exchange) -> Self {
        if let Some(own) = self.exchange_mut() {
            *own = exchange;
        }
        self
    }

    /// The requests that led to this failure. `None` for a failure that is never that of a request.
    pub(crate) fn exchange(&self) -> Option<&Exchange> {
        match self {
            Self::CredentialRejected { exchange, .. }
            | Self::TokenLimit { exchange, .. }
            | Self::RateLimited { exchange, .. }
            | Self::Network { exchange, .. }
            | Self::Tls { exchange, .. }
            | Self::Proxy { exchange, .. }
            | Self::Server { exchange, .. }
            | Self::Protocol { exchange, .. }
            | Self::Refused { exchange, .. } => Some(exchange),
            _ => None,
        }
    }

    fn exchange_mut(&mut self) -> Option<&mut Exchange> {
        match self {
            Self::CredentialRejected { exchange, .. }
            | Self::TokenLimit { exchange, .. }
            | Self::RateLimited { exchange, .. }
            | Self::Network { exchange, .. }
            | Self::Tls { exchange, .. }
            | Self::Proxy { exchange, .. }
            | Self::Server { exchange, .. }
            | Self::Protocol { exchange, .. }
            | Self::Refused { exchange, .. } => Some(exchange),
            _ => None,
        }
    }

    /// Returns whether the time that this process allowed for the request was over. This says nothing
    /// about the server: another process may allow more.
    pub(crate) fn is_own_timeout(&self) -> bool {
        matches!(self, Self::Network { source: Some(source), .. } if source.is::<TimeIsOver>())
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

fn kind_of_request(exchange: &Exchange) -> &'static str {
    match exchange.endpoint().map(|endpoint| endpoint.kind) {
        Some(EndpointKind::Revocation) => "revocation",
        Some(EndpointKind::Api) => "API",
        Some(EndpointKind::Token) | None => "token",
    }
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

fn network_message(server: &str, problem: &str, reached: bool) -> String {
    if reached { format!("{server} {problem}") } else { format!("cannot reach {server}: {problem}") }
}

/// What follows "rejected the client".
fn rejection(code: &str, http_status: u16) -> String {
    if code.is_empty() { format!(" (HTTP {http_status} without an error code)") } else { format!(": {code}") }
}

fn proxy_answer(status: Option<u16>, answer: &str, has_login: bool) -> String {
    match (status, has_login) {
        (Some(407), true) => format!("answered CONNECT with {answer}: it rejected the user and password"),
        (Some(407), false) => format!("answered CONNECT with {answer}: it requires a user and password"),
        (Some(_), _) => format!("answered CONNECT with {answer}"),
        (None, _) => "did not answer CONNECT with an HTTP response".to_owned(),
    }
}

fn client_suffix(client: &str) -> String {
    if client.is_empty() { String::new() } else { format!(" {client}") }
}

fn next_request(original: &Error) -> &'static str {
    match original {
        Error::CredentialRejected { .. } => "tokenwell sends this client id and secret again only after",
        _ => "next request in",
    }
}

fn result(original: &Error) -> &'static str {
    if original.http_status().is_some() { "answer" } else { "error" }
}

/// The server's own words, quoted so that a reader can see whose they are.
fn server_says(description: &str) -> String {
    if description.is_empty() { String::new() } else { format!("; the server says: \"{description}\"") }
}

fn blocked_suffix(blocked_by: &str) -> String {
    if blocked_by.is_empty() { String::new() } else { format!(": {blocked_by}") }
}

/// A time that has passed, for a sentence.
fn whole_seconds(duration: &Duration) -> String {
    duration_text(Duration::from_secs(duration.as_secs()))
}

/// A time to wait, for a sentence: not shorter than it is by a part of a second.
fn at_least(duration: &Duration) -> String {
    duration_text(Duration::from_secs(duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s13_a_hint_about_another_server_names_no_page_of_atlas() {
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
    fn s13_an_error_of_a_revocation_speaks_of_the_revocation_url() {
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

    #[test]
    fn a_cooldown_keeps_the_status_of_its_original_and_reports_its_age_and_end() {
        let original = Error::RateLimited {
            server: "https://cloud.mongodb.com".into(),
            description: "slow down".into(),
            http_status: 429,
            retry_after: Duration::from_secs(30),
            exchange: Exchange::new(2, Some("slow_down")),
        };
        let cooldown =
            Error::Cooldown { original: Box::new(original), age: Duration::from_secs(10), ends_in: Duration::from_millis(19_500) };

        assert_eq!(cooldown.status(), Status::RateLimited);
        assert_eq!(cooldown.http_status(), Some(429));
        assert_eq!(cooldown.retry_after(), Some(Duration::from_millis(19_500)));
        assert!(cooldown.is_remembered());
        assert_eq!((cooldown.age(), cooldown.attempts()), (Duration::from_secs(10), 2));
        assert_eq!(cooldown.oauth_code(), Some("slow_down"));
        let message = cooldown.to_string();
        assert!(message.contains("10 s ago") && message.contains("in 20 s"), "{message}");
    }
}
