//! What was exchanged with a server before a failure.

/// The number of requests that led to an error, and the error code that the server sent.
///
/// [`Error::attempts`](super::Error::attempts) and [`Error::oauth_code`](super::Error::oauth_code)
/// return them. The default is an error without a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exchange(
    // Boxed, so that an `Error` and with it every `Result` stays small.
    Option<Box<Details>>,
);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Details {
    attempts: u32,
    oauth_code: Option<Box<str>>,
    endpoint: Option<EndpointName>,
}

/// The endpoint that a request was sent to, for messages and hints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EndpointName {
    pub(crate) kind: EndpointKind,
    /// The setting with its URL, and what sets it: `token_url (environment variable TOKENWELL_TOKEN_URL)`.
    pub(crate) setting: Box<str>,
}

/// What a request was sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndpointKind {
    /// The token endpoint (RFC 6749).
    Token,
    /// The revocation endpoint (RFC 7009).
    Revocation,
    /// The Admin API.
    Api,
}

impl Exchange {
    /// Creates the description of `attempts` requests. `oauth_code`: the error code that the server
    /// sent, escaped for display.
    #[must_use]
    pub fn new(attempts: u32, oauth_code: Option<&str>) -> Self {
        Self(
            (attempts != 0 || oauth_code.is_some())
                .then(|| Box::new(Details { attempts, oauth_code: oauth_code.map(Box::from), endpoint: None })),
        )
    }

    /// Records the number of requests.
    pub(crate) fn with_attempts(self, attempts: u32) -> Self {
        Self(match self.0 {
            Some(details) => Some(Box::new(Details { attempts, ..*details })),
            None => Self::new(attempts, None).0,
        })
    }

    /// Records the endpoint.
    pub(crate) fn at(self, endpoint: EndpointName) -> Self {
        let details = self.0.map_or(Details { attempts: 0, oauth_code: None, endpoint: None }, |details| *details);
        Self(Some(Box::new(Details { endpoint: Some(endpoint), ..details })))
    }

    pub(crate) fn endpoint(&self) -> Option<&EndpointName> {
        self.0.as_ref()?.endpoint.as_ref()
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.0.as_ref().map_or(0, |details| details.attempts)
    }

    pub(crate) fn oauth_code(&self) -> Option<&str> {
        self.0.as_ref()?.oauth_code.as_deref()
    }
}
