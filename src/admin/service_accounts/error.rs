//! Why an operation on service accounts failed.

use crate::admin::api::Reply;
use crate::error::{Error, Status, duration_text, printable};
use serde::Deserialize;
use serde_json::Value;
use std::fmt;
use std::time::{Duration, SystemTime};

/// The codes with which Atlas refuses a request because of the API access list of the account.
const ACCESS_LIST_CODES: [&str; 3] = ["IP_ADDRESS_NOT_ON_ACCESS_LIST", "ORG_REQUIRES_ACCESS_LIST", "NOT_ON_ACCESS_LIST"];

/// The error of an operation on service accounts. No message contains a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// An argument is invalid, there is no token, or no response arrived.
    #[error(transparent)]
    Library(#[from] Error),

    /// The API refused the request.
    #[error(transparent)]
    Api(Box<ApiError>),

    /// The response of the API is not what its reference describes.
    #[error("{request}: {problem}")]
    Response {
        /// Method and path.
        request: String,
        /// What is wrong with the response.
        problem: String,
    },

    /// The reply to a request that creates something was lost, and what exists now could not be
    /// determined or is ambiguous. Nothing was deleted.
    #[error("{request}: the reply was lost, and {problem}")]
    Unresolved {
        /// Method and path.
        request: String,
        /// What was found.
        problem: String,
        /// The ids that appeared since the request, one of which may be the result.
        candidates: Vec<String>,
        /// The error of the request.
        #[source]
        cause: Box<Self>,
    },
}

/// An error status of the API, in its own words.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ApiError {
    /// Method and path.
    pub request: String,
    /// The HTTP status.
    pub status: u16,
    /// `errorCode` of the response.
    pub error_code: Option<String>,
    /// `detail` of the response.
    pub detail: Option<String>,
    /// `parameters` of the response.
    pub parameters: Vec<Value>,
    /// When the API allows another request.
    pub retry_after: Option<Duration>,
    /// The role that the operation needs, as the reference of the API names it.
    pub needed_role: &'static str,
}

#[derive(Default, Deserialize)]
struct Body {
    detail: Option<String>,
    #[serde(rename = "errorCode")]
    error_code: Option<String>,
    #[serde(default)]
    parameters: Option<Vec<Value>>,
}

impl ApiError {
    /// The error for a reply with an error status. `request` is its method and path.
    #[must_use]
    pub fn from_reply(request: &str, reply: &Reply, needed_role: &'static str) -> Self {
        let body: Body = serde_json::from_slice(&reply.body).unwrap_or_default();
        Self {
            request: request.to_owned(),
            status: reply.status,
            error_code: body.error_code,
            detail: body.detail,
            parameters: body.parameters.unwrap_or_default(),
            retry_after: retry_after(reply),
            needed_role,
        }
    }

    /// Whether the API access list of the account refused the request.
    #[must_use]
    pub fn is_access_list(&self) -> bool {
        matches!(self.status, 401 | 403) && self.error_code.as_deref().is_some_and(|code| ACCESS_LIST_CODES.contains(&code))
    }

    /// Whether the roles of the account do not allow the request. Atlas answers 401 for that too.
    #[must_use]
    pub fn is_about_roles(&self) -> bool {
        !self.is_access_list() && (self.status == 403 || (self.status == 401 && self.error_code.as_deref() == Some("USER_UNAUTHORIZED")))
    }

    /// The address of the caller as Atlas saw it, if the error has it.
    #[must_use]
    pub fn caller_address(&self) -> Option<std::net::IpAddr> {
        let parameter = self.parameters.iter().filter_map(Value::as_str).find_map(|parameter| parameter.parse().ok());
        let in_detail = || {
            let words =
                self.detail.as_deref().unwrap_or_default().split(|character: char| character.is_whitespace() || "(),".contains(character));
            words.map(|word| word.trim_end_matches('.')).find_map(|word| word.parse().ok())
        };
        self.is_access_list().then(|| parameter.or_else(in_detail)).flatten()
    }

    /// What to do.
    #[must_use]
    pub fn hint(&self) -> String {
        if self.is_access_list() {
            let address = self.caller_address().map_or("the address of this host".to_owned(), |address| address.to_string());
            return format!(
                "Add {address} to the API access list of the service account: an Organization Owner, or a Project Access Manager for the \
                 account of a project, can do that from an address that is allowed. The access list of a project for its clusters is another one."
            );
        }
        match self.status {
            401 | 403 if self.is_about_roles() => {
                format!("This needs the role {}. Check the roles of the account that is used.", self.needed_role)
            }
            401 => format!(
                "The API rejected a new token too. Atlas answers 401 for a missing role or access list entry too: check that the account has \
                 {}, and that its API access list contains this host.",
                self.needed_role
            ),
            404 => "Check the ids, and that the account belongs to this organization or project.".to_owned(),
            429 => self.retry_after.map_or("Send fewer requests.".to_owned(), |pause| format!("Try again in {}.", duration_text(pause))),
            500..=599 => "This is a server error. Try again later.".to_owned(),
            _ => "Correct the request as the message says.".to_owned(),
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: HTTP status {}", self.request, self.status)?;
        match (&self.detail, &self.error_code) {
            (Some(detail), Some(code)) => write!(f, ": {} [{}]", printable(detail, 1000), printable(code, 100)),
            (Some(text), None) | (None, Some(text)) => write!(f, ": {}", printable(text, 1000)),
            (None, None) => Ok(()),
        }
    }
}

impl std::error::Error for ApiError {}

impl AdminError {
    pub(super) fn response(request: &str, problem: impl Into<String>) -> Self {
        Self::Response { request: request.to_owned(), problem: problem.into() }
    }

    /// The stable number of this error.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::Library(error) => error.status(),
            Self::Api(error) => match error.status {
                401 | 403 => Status::CredentialRejected,
                429 => Status::RateLimited,
                _ => Status::Server,
            },
            Self::Response { .. } => Status::Protocol,
            Self::Unresolved { cause, .. } => cause.status(),
        }
    }

    /// What to do about this error.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            // The API answered 401 to two new tokens, which says nothing about the credential.
            Self::Library(error) if is_about_rejected_tokens(error) => {
                "Atlas answers 401 for a missing role or access list entry too: check the roles of the account, and that its API access list \
                 contains this host."
                    .to_owned()
            }
            Self::Library(error) => error.hint(),
            Self::Api(error) => error.hint(),
            Self::Response { .. } => "Check the base URL, and any proxy in between. If both are right, report it with this message.".to_owned(),
            Self::Unresolved { candidates, .. } if candidates.is_empty() => {
                "List what exists before you repeat the operation: it may have been completed.".to_owned()
            }
            Self::Unresolved { candidates, .. } => {
                format!("One of these may be the result of this request: {}. Check them, and delete what nobody uses.", candidates.join(", "))
            }
        }
    }

    /// The refusal of the API, if this is one.
    #[must_use]
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            Self::Api(error) => Some(error),
            _ => None,
        }
    }

    /// Whether the object does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.api().is_some_and(|error| error.status == 404)
    }
}

fn is_about_rejected_tokens(error: &Error) -> bool {
    match error {
        Error::TokensRejected { .. } => true,
        Error::Cooldown { original, .. } => is_about_rejected_tokens(original),
        _ => false,
    }
}

/// The pause that the API requests: seconds, or a date.
pub(super) fn retry_after(reply: &Reply) -> Option<Duration> {
    let header = reply.headers.iter().find(|(name, _)| name == "retry-after").filter(|_| matches!(reply.status, 429 | 503))?;
    let date = || httpdate::parse_http_date(&header.1).ok().map(|date| date.duration_since(SystemTime::now()).unwrap_or_default());
    header.1.parse().ok().map(Duration::from_secs).or_else(date)
}
