//! From options, environment and files to one validated [`Config`].
//!
//! May depend on: atlas, grant (for `Credential`), error, secret, clock. Opens no connection and never starts a thread.
//! Start reading at [`Config`], then [`ConfigBuilder`]; `endpoint` says which URLs are acceptable.

mod endpoint;

pub use endpoint::Endpoint;

use crate::error::Error;
use crate::grant::Credential;
use std::path::PathBuf;
use std::time::Duration;

/// How the client proves who it is at the token endpoint (RFC 6749 section 2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAuthentication {
    /// HTTP Basic with the raw id and secret, as MongoDB Atlas wants it.
    BasicRaw,
    /// HTTP Basic with id and secret form-urlencoded first, as RFC 6749 says.
    Basic,
    /// `client_id` and `client_secret` in the request's body.
    Post,
}

/// A complete and valid configuration: what exists of this type can be used.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) credentials: CredentialSource,
    pub(crate) token_endpoint: Endpoint,
    pub(crate) revocation_endpoint: Option<Endpoint>,
    /// The Admin API's base; `None` when only a token URL was given.
    pub(crate) api_base: Option<Endpoint>,
    pub(crate) authentication: ClientAuthentication,
    pub(crate) scope: Option<String>,
    pub(crate) audience: Option<String>,
    pub(crate) resource: Option<String>,
    /// The budget of one refresh and the default deadline of a caller.
    pub(crate) timeout: Duration,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) manual_clock_ms: Option<u64>,
}

/// Where the id and the secret come from, together.
#[derive(Clone, Debug)]
pub(crate) enum CredentialSource {
    /// Given once, in code or in the environment.
    Fixed(Credential),
}

impl CredentialSource {
    /// The pair to use now.
    pub(crate) fn current(&self) -> Result<Credential, Error> {
        match self {
            Self::Fixed(credential) => Ok(credential.clone()),
        }
    }

    /// After a rejection: the pair, if it is another one than `rejected`.
    pub(crate) fn reload(&self, _rejected: &Credential) -> Result<Option<Credential>, Error> {
        match self {
            Self::Fixed(_) => Ok(None),
        }
    }
}
