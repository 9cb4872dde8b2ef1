//! An access token as callers hold it.

use crate::cache::Lifetime;
use crate::clock::Moment;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

const SCHEME: &str = "Bearer ";

/// A live access token. Cheap to clone; wiped from memory when the last clone is dropped.
///
/// `Debug` shows everything but the token itself. Reading it is explicit: [`Token::value`], [`Token::authorization`].
#[derive(Clone)]
pub struct Token(Arc<Arc<Content>>);

struct Content {
    /// `Bearer <value>` and a NUL, so that every form a caller wants is a slice of one allocation.
    authorization: Zeroizing<String>,
    scope: Option<String>,
    lifetime: Lifetime,
    generation: u64,
}

impl Token {
    /// The token's text, as the authorization server issued it. Opaque: do not parse it.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.authorization()[SCHEME.len()..]
    }

    /// The value for the `Authorization` header: `Bearer …` (RFC 6750 section 2.1).
    #[must_use]
    pub fn authorization(&self) -> &str {
        let text = &self.0.authorization;
        &text[..text.len() - 1]
    }

    /// The scope that the server granted, where it said so.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.0.scope.as_deref()
    }

    /// When the token ends, by the wall clock.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.0.lifetime.expires.system_time()
    }

    /// The number of the client's generation that this token began; see [`Client::generation`](crate::Client::generation).
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.0.generation
    }

    pub(crate) fn new(value: &str, scope: Option<String>, lifetime: Lifetime, generation: u64) -> Self {
        let mut authorization = Zeroizing::new(String::with_capacity(SCHEME.len() + value.len() + 1));
        authorization.push_str(SCHEME);
        authorization.push_str(value);
        authorization.push('\0');
        Self(Arc::new(Arc::new(Content { authorization, scope, lifetime, generation })))
    }

    /// The same token behind a reference count of its own, so that threads that copy it do not contend for one cache line.
    pub(crate) fn with_own_count(&self) -> Self {
        Self(Arc::new(Arc::clone(&self.0)))
    }

    pub(crate) fn lifetime(&self) -> &Lifetime {
        &self.0.lifetime
    }

    pub(crate) fn remaining(&self, now: Moment) -> Duration {
        now.until(self.0.lifetime.expires)
    }

    /// `Bearer <value>` and its NUL.
    #[cfg(feature = "capi")]
    pub(crate) fn authorization_with_nul(&self) -> &str {
        &self.0.authorization
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("value", &"[redacted]")
            .field("scope", &self.0.scope)
            .field("expires_at", &self.expires_at())
            .field("generation", &self.0.generation)
            .finish()
    }
}
