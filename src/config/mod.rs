//! From options, environment and files to one validated [`Config`].
//!
//! May depend on: atlas, grant (for `Credential`), error, secret, clock. Opens no connection and never starts a thread.
//! Start reading at [`Config`], then [`ConfigBuilder`]; `endpoint` says which URLs are acceptable.

mod endpoint;

pub use endpoint::Endpoint;

use crate::error::Error;
use crate::grant::{Credential, Credentials};
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

impl Credentials for CredentialSource {
    fn current(&self) -> Result<Credential, Error> {
        match self {
            Self::Fixed(credential) => Ok(credential.clone()),
        }
    }

    fn reload(&self, _rejected: &Credential) -> Result<Option<Credential>, Error> {
        match self {
            Self::Fixed(_) => Ok(None),
        }
    }
}

impl Config {
    /// Everything but the secret that two requests must have in common before they may share a token.
    pub(crate) fn identity(&self) -> Result<Vec<(&'static str, String)>, Error> {
        let method = match self.authentication {
            ClientAuthentication::BasicRaw => "client_secret_basic_raw",
            ClientAuthentication::Basic => "client_secret_basic",
            ClientAuthentication::Post => "client_secret_post",
        };
        let optional = |value: &Option<String>| value.clone().unwrap_or_default();
        Ok(vec![
            ("token_endpoint", self.token_endpoint.as_str().to_owned()),
            ("client_id", self.credentials.current()?.client_id),
            ("auth_method", method.to_owned()),
            ("scope", optional(&self.scope)),
            ("audience", optional(&self.audience)),
            ("resource", optional(&self.resource)),
        ])
    }
}
