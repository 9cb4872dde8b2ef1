//! A client id and its secret, and their source.
//!
//! May depend on: error, secret. Start reading at [`Credential`]; `config` creates credentials from
//! options, environment variables and files.

use crate::error::Error;
use crate::secret::Secret;
use std::fmt;

/// A client id and its client secret. Both always come from the same source.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The client id.
    pub client_id: String,
    /// The client secret.
    pub client_secret: Secret,
    /// The source of the id and the secret, for messages: "id from environment variable
    /// MONGODB_ATLAS_CLIENT_ID, secret from …"; may be empty.
    pub origin: String,
}

/// A source of credentials.
pub trait Credentials: Send + Sync + fmt::Debug {
    /// Returns the current credential.
    ///
    /// # Errors
    /// The credential is not available; for example, its file cannot be read.
    fn current(&self) -> Result<Credential, Error>;

    /// Reads the credential again after the server rejected `rejected`. Returns `None` if it has
    /// not changed.
    ///
    /// # Errors
    /// The same as for [`Credentials::current`].
    fn reload(&self, rejected: &Credential) -> Result<Option<Credential>, Error>;
}
