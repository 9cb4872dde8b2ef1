//! A client id and its secret, and where the two come from.
//!
//! May depend on: error, secret. Start reading at [`Credential`]; `config` makes them of options, variables and files.

use crate::error::Error;
use crate::secret::Secret;
use std::fmt;

/// A client id and the secret that belongs to it; both always come from one source.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The client id.
    pub client_id: String,
    /// The client secret.
    pub client_secret: Secret,
    /// Where the two came from, for messages: "id from environment variable MONGODB_ATLAS_CLIENT_ID, secret from …"; may be empty.
    pub origin: String,
}

/// Where the client id and secret come from.
pub trait Credentials: Send + Sync + fmt::Debug {
    /// The pair to use now.
    ///
    /// # Errors
    /// There is none: a file that cannot be read, say.
    fn current(&self) -> Result<Credential, Error>;

    /// After the server has rejected `rejected`: the pair to use now, if it is another one.
    ///
    /// # Errors
    /// As [`Credentials::current`].
    fn reload(&self, rejected: &Credential) -> Result<Option<Credential>, Error>;
}
