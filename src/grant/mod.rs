//! Token requests (the client credentials grant, RFC 6749 section 4.4) and revocation (RFC 7009)
//! over HTTP.
//!
//! May depend on: config, atlas, credential, clock, error, secret, platform. Independent of caches,
//! stores and the C ABI. Start reading at [`Grant`]; [`HttpGrant`] is the implementation over HTTP
//! and uses `transport`. A response is a token (`reply`) or a refusal (`refusal`, `challenge`,
//! `rejection`); a failed request is an error (`transport_error`).

mod authentication;
mod challenge;
mod connection_hint;
mod connection_watch;
mod content_encoding;
mod http;
mod key_exchange;
mod method_search;
mod proxy;
mod refusal;
mod rejection;
mod reply;
mod resolver;
mod retry;
mod server_route;
mod signatures;
#[cfg(test)]
pub(crate) mod test_server;
#[cfg(test)]
mod tests;
mod tls_problem;
pub(crate) mod transport;
mod transport_error;
mod trust;
mod tunnel;

pub use crate::credential::{Credential, Credentials};
pub use http::HttpGrant;
pub(crate) use rejection::with_client;
pub use server_route::{ProbeReply, ServerRoute};

use crate::error::Error;
use crate::secret::Secret;
use std::fmt;
use std::time::Duration;

/// Obtains tokens from an authorization server and revokes them. Methods block; the cache calls
/// them on the thread of the refresh.
pub trait Grant: Send + Sync + fmt::Debug {
    /// Requests one access token and retries within `budget` if a retry can help.
    ///
    /// # Errors
    /// The server's refusal or the network error, as callers of the library receive it.
    fn mint(&self, credential: &Credential, budget: Duration) -> Result<Minted, Error>;

    /// Revokes `token` at the server (RFC 7009). A token that the server does not know counts as
    /// revoked.
    ///
    /// # Errors
    /// The revocation failed. The token must be assumed to be still valid.
    fn revoke(&self, credential: &Credential, token: &Secret, budget: Duration) -> Result<(), Error>;

    /// Returns the error for a caller that stops waiting after `waited` while a token request is in
    /// progress that has no connection to the server yet. Returns `None` if there is a connection, or
    /// if that is not known.
    fn no_connection_yet(&self, waited: Duration) -> Option<Error> {
        let _ = waited;
        None
    }

    /// Returns whether `error` may concern processes that reach the server in another way. Otherwise
    /// it is not shared with them.
    fn is_shared(&self, _error: &Error) -> bool {
        true
    }

    /// Is called with what the shared record says about the authentication methods that the server
    /// accepts from the client with this secret.
    fn recall_methods(&self, _secret: &Secret, _tried: &MethodsTried) {}

    /// What is known about these methods, for the shared record.
    fn methods_tried(&self, _secret: &Secret) -> Option<MethodsTried> {
        None
    }

    /// The log-in to the proxy of this grant, if it uses a proxy.
    fn proxy_login(&self, _credential: &Credential) -> Option<ProxyLogin> {
        None
    }
}

/// A log-in to a proxy. A proxy that has rejected it is not asked again by other processes that would
/// send the same one, because repeated log-ins can lock an account.
#[derive(Clone, Debug)]
pub struct ProxyLogin {
    /// Equal for the same proxy, user and password, and for the same credential. The password
    /// cannot be found from it.
    pub id: String,
    /// The error for a rejection of this log-in.
    pub rejection: Error,
}

/// The result of sending a second authentication method after the first one was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodsTried {
    /// The name of the method that the server accepted. `None` if it accepted none.
    pub accepted: Option<String>,
    /// The name of the method that the server rejected, if it has not answered the other one yet. `None`
    /// if it rejected both, or accepted one.
    pub rejected: Option<String>,
    /// When they were tried: milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// A token as the server issued it.
#[derive(Clone, Debug)]
pub struct Minted {
    /// The access token: not empty, visible ASCII characters only (RFC 6749 appendix A.12).
    pub value: Secret,
    /// The granted scope, if the response contains it.
    pub scope: Option<String>,
    /// The lifetime of the token.
    pub lifetime: GrantedLifetime,
}

/// The meaning of `expires_in` in a token response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantedLifetime {
    /// The lifetime is greater than zero.
    Stated(Duration),
    /// The response contains no lifetime. The token is kept for five minutes, in this process's
    /// memory only.
    Unstated,
    /// The lifetime is zero. The token is returned to the current caller and not cached.
    DoNotCache,
}
