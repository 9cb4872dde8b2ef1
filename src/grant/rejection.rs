//! Adds the client id, its source and advice to a rejection of the client.

use crate::config::{advice_on, client_id_in_sentence};
use crate::credential::Credential;
use crate::error::{Error, printable};

/// Adds advice on the form of `credential` and the client to a rejection. The form alone proves
/// nothing, so it never causes an error; after a rejection it is a useful hint.
/// `methods`: advice on the authentication methods, for a credential whose form is usual.
pub(super) fn with_advice(mut error: Error, credential: &Credential, methods: Option<String>) -> Error {
    if let Error::CredentialRejected { advice, .. } = &mut error {
        *advice = advice_on(credential).map_or_else(|| methods.unwrap_or_default(), str::to_owned).into();
    }
    with_client(error, credential)
}

/// Adds the client id and its source to a rejection. Other processes that share the rejection use
/// the same credential, but possibly from another source.
pub(crate) fn with_client(mut error: Error, credential: &Credential) -> Error {
    if let Error::CredentialRejected { client, .. } = &mut error {
        let origin = if credential.origin.is_empty() { String::new() } else { format!(" ({})", printable(&credential.origin, 1000)) };
        *client = (client_id_in_sentence(&credential.client_id) + &origin).into();
    }
    error
}
