//! An access token.
//!
//! May depend on: lifetime. Start reading at [`Token`].

use crate::lifetime::Lifetime;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;
use zeroize::Zeroizing;

const SCHEME: &str = "Bearer ";

/// A valid access token. Cheap to clone; wiped from memory when the last clone is dropped.
///
/// `Debug` shows everything except the token itself. To read it, call [`Token::value`] or
/// [`Token::authorization`].
#[derive(Clone)]
pub struct Token(Shared);

/// The outer count belongs to one shard of threads, the inner one to the token.
pub(crate) type Shared = Arc<Shard>;

/// What the threads of one shard share.
///
/// Its alignment is also that of the allocation with the outer count, so no two counts are on the
/// same cache line. Otherwise threads that clone the token slow each other down although each
/// changes its own count. 128 bytes, because current processors fetch lines in pairs.
#[repr(align(128))]
pub(crate) struct Shard(Arc<Content>);

pub(crate) struct Content {
    /// `Bearer <value>` and a NUL, so that every form that callers need is a slice of one
    /// allocation.
    authorization: Zeroizing<String>,
    /// The scope and a NUL.
    scope: Option<String>,
    lifetime: Lifetime,
    generation: u64,
}

impl Token {
    /// The generation of a token that was never the client's current one, because its server
    /// forbids caching.
    pub const NO_GENERATION: u64 = u64::MAX;

    /// Returns the token as the authorization server issued it. It is opaque: do not parse it.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.authorization()[SCHEME.len()..]
    }

    /// Returns the value for the `Authorization` header: `Bearer …` (RFC 6750 section 2.1).
    #[must_use]
    pub fn authorization(&self) -> &str {
        let authorization = &self.content().authorization;
        &authorization[..authorization.len() - 1]
    }

    /// Returns whether the server stated when the token expires. Otherwise
    /// [`expires_at`](Self::expires_at) is an assumption: the token is kept for five minutes.
    #[must_use]
    pub fn is_lifetime_stated(&self) -> bool {
        self.lifetime().is_stated
    }

    /// Returns the scope that the server granted, if it stated one.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.content().scope.as_ref().map(|scope| &scope[..scope.len() - 1])
    }

    /// Returns the time at which the token expires, by the wall clock.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.content().lifetime.expires_at.system_time()
    }

    /// Returns the client's generation that began with this token, or [`Token::NO_GENERATION`]; see
    /// [`Client::generation`](crate::Client::generation).
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.content().generation
    }

    pub(crate) fn new(value: &str, scope: Option<String>, lifetime: Lifetime, generation: u64) -> Self {
        let mut authorization = Zeroizing::new(String::with_capacity(SCHEME.len() + value.len() + 1));
        authorization.push_str(SCHEME);
        authorization.push_str(value);
        authorization.push('\0');
        let scope = scope.map(|scope| scope + "\0");
        Self(Arc::new(Shard(Arc::new(Content { authorization, scope, lifetime, generation }))))
    }

    /// Returns the same token with a separate reference count, so that threads that clone it do not
    /// contend for one cache line.
    pub(crate) fn with_own_count(&self) -> Self {
        Self(Arc::new(Shard(Arc::clone(&self.0.0))))
    }

    fn content(&self) -> &Content {
        &self.0.0
    }

    pub(crate) fn lifetime(&self) -> &Lifetime {
        &self.content().lifetime
    }

    /// For the C ABI, which represents a token as one pointer.
    #[cfg(feature = "capi")]
    pub(crate) fn into_shared(self) -> Shared {
        self.0
    }

    /// The inverse of [`Token::into_shared`].
    #[cfg(feature = "capi")]
    pub(crate) fn from_shared(shared: Shared) -> Self {
        Self(shared)
    }

    /// `Bearer <value>` and its NUL.
    #[cfg(feature = "capi")]
    pub(crate) fn authorization_with_nul(&self) -> &str {
        &self.content().authorization
    }

    /// The scope and its NUL.
    #[cfg(feature = "capi")]
    pub(crate) fn scope_with_nul(&self) -> Option<&str> {
        self.content().scope.as_deref()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("value", &"[redacted]")
            .field("scope", &self.scope())
            .field("expires_at", &self.expires_at())
            .field("generation", &self.content().generation)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;

    fn token() -> Token {
        let sent = Moment { wall_ms: 1_800_000_000_000, monotonic_ms: 0 };
        Token::new("canary", Some("read write".to_owned()), Lifetime::granted(sent, std::time::Duration::from_secs(3600), 0.0), 7)
    }

    #[test]
    fn debug_output_does_not_contain_the_token() {
        let printed = format!("{:?} {:#?}", token(), vec![token()]);

        assert!(!printed.contains("canary"), "{printed}");
        assert_eq!(token().value(), "canary");
        assert_eq!(token().authorization(), "Bearer canary");
        assert_eq!(token().scope(), Some("read write"));
    }

    #[test]
    fn r9_no_two_reference_counts_share_a_pair_of_cache_lines() {
        const PAIR: usize = 128;
        let token = token();

        let copies: Vec<Token> = (0..16).map(|_| token.with_own_count()).collect();

        // The counts are at the start of the allocation, and the content at the next multiple of its alignment.
        let pairs: std::collections::BTreeSet<usize> = copies.iter().map(|copy| Arc::as_ptr(&copy.0) as usize / PAIR).collect();
        assert_eq!(pairs.len(), 16, "the contents of the copies");
        assert!(copies.iter().all(|copy| (Arc::as_ptr(&copy.0) as usize).is_multiple_of(PAIR)), "each is at the start of a pair");
    }
}
