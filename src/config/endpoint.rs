//! Which URLs a secret may be sent to.

use std::fmt;
use url::Url;

/// A URL that has passed the rules: https, or http on loopback only; no userinfo, no fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    /// The URL as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Scheme, host and port: `https://cloud.mongodb.com`.
    #[must_use]
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    #[cfg(test)]
    #[allow(clippy::unwrap_used)]
    pub(crate) fn for_tests(text: &str) -> Self {
        Self(Url::parse(text).unwrap())
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
