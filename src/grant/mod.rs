//! How a token is asked for: the client credentials grant (RFC 6749 section 4.4) and revocation (RFC 7009), over HTTP.
//!
//! May depend on: config, atlas, credential, clock, error, secret, platform. Knows nothing of caches, stores or the C ABI.
//! Start reading at [`Grant`]; [`HttpGrant`] is the one that talks to a server, by way of `transport`. What comes back is a token (`reply`), a refusal
//! (`refusal`, `challenge`, `rejection`) or nothing (`breakdown`).

mod arrival;
mod authentication;
mod breakdown;
mod challenge;
mod http;
mod names;
mod proxy;
mod refusal;
mod rejection;
mod reply;
mod retry;
mod signpost;
#[cfg(test)]
pub(crate) mod test_server;
#[cfg(test)]
mod tests;
pub(crate) mod transport;
mod trust;
mod way;

pub use crate::credential::{Credential, Credentials};
pub use http::HttpGrant;
pub(crate) use rejection::named;
pub use way::{Knock, Way};

use crate::error::Error;
use crate::secret::Secret;
use std::fmt;
use std::time::Duration;

/// Asks an authorization server for tokens. Methods block; the cache calls them on the refresh's own thread.
pub trait Grant: Send + Sync + fmt::Debug {
    /// Asks for one access token, trying again within `budget` where that can help.
    ///
    /// # Errors
    /// What the server or the network answered, as the error that callers will see.
    fn mint(&self, credential: &Credential, budget: Duration) -> Result<Minted, Error>;

    /// Asks the server to end `token` (RFC 7009). An unknown token counts as ended.
    ///
    /// # Errors
    /// The token must be assumed alive.
    fn revoke(&self, credential: &Credential, token: &Secret, budget: Duration) -> Result<(), Error>;
}

/// What the server granted.
#[derive(Clone, Debug)]
pub struct Minted {
    /// The access token: not empty, and nothing but visible ASCII characters (RFC 6749 appendix A.12).
    pub value: Secret,
    /// The scope that the server granted, where it said so.
    pub scope: Option<String>,
    /// For how long it lives.
    pub lifetime: GrantedLifetime,
}

/// What the reply's `expires_in` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantedLifetime {
    /// The server named a lifetime above zero.
    Stated(Duration),
    /// The server named none: five minutes, in this process's memory only.
    Unstated,
    /// The server said zero: good for the caller at hand, not to be kept.
    DoNotCache,
}
