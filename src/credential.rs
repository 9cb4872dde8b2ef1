//! A client id and its secret, and their source.
//!
//! May depend on: error, secret. Start reading at [`Credential`]; `config` creates credentials from
//! options, environment variables and files.

use crate::error::Error;
use crate::platform::ProcessId;
use crate::secret::Secret;
use std::cell::Cell;
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

    /// Returns the credential without asking a program for it: the one that was returned last. For
    /// calls that only read or change the shared cache.
    ///
    /// # Errors
    /// The same as for [`Credentials::current`], or no credential was returned yet.
    fn known(&self) -> Result<Credential, Error> {
        self.current()
    }

    /// Returns whether the credential is a different one by now than `rejected`. Callers may not be
    /// able to wait: at most a file is read.
    fn is_replaced(&self, rejected: &Credential) -> bool {
        matches!(self.reload(rejected), Ok(Some(_)))
    }

    /// Returns whether a program has been asked for the credential and has not answered yet.
    fn is_awaited(&self) -> bool {
        false
    }
}

thread_local! {
    /// The process and the number of the client whose secret callback runs on this thread. In a child that
    /// the callback forks nothing waits for it.
    static INSIDE_CALLBACK_OF: Cell<Option<(ProcessId, u64)>> = const { Cell::new(None) };
}

/// Runs `callback`, which delivers the secret of the client with this number, on a thread of its
/// own.
pub(crate) fn inside_secret_callback(client: Option<u64>, callback: impl FnOnce()) {
    INSIDE_CALLBACK_OF.set(client.map(|client| (ProcessId::current(), client)));
    callback();
}

/// Refuses a call of a client inside the callback that delivers its secret: the call would wait for
/// the callback that makes it.
pub(crate) fn refuse_inside_secret_callback(client: u64) -> Result<(), Error> {
    if INSIDE_CALLBACK_OF.get() != Some((ProcessId::current(), client)) {
        return Ok(());
    }
    Err(Error::invalid(
        "client",
        "is waiting for the secret callback that makes this call",
        "Do not use a client inside the callback that delivers its client secret. Another client can be used there.",
    ))
}
