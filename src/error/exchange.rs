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
}

impl Exchange {
    /// Creates the description of `attempts` requests. `oauth_code`: the error code that the server
    /// sent, escaped for display.
    #[must_use]
    pub fn new(attempts: u32, oauth_code: Option<&str>) -> Self {
        Self((attempts != 0 || oauth_code.is_some()).then(|| Box::new(Details { attempts, oauth_code: oauth_code.map(Box::from) })))
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.0.as_ref().map_or(0, |details| details.attempts)
    }

    pub(crate) fn oauth_code(&self) -> Option<&str> {
        self.0.as_ref()?.oauth_code.as_deref()
    }
}
