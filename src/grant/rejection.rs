//! What a rejection of the client tells of the pair that was rejected: whose it is, and what may be wrong with it.

use crate::config::{advice_on, client_id_to_show};
use crate::credential::Credential;
use crate::error::{Error, printable};

/// The error of a request with `credential`, with advice on it. A look is no proof, so it is a reason for nothing; once the pair was rejected it is worth telling.
pub(super) fn advised(mut error: Error, credential: &Credential) -> Error {
    if let Error::CredentialRejected { advice, .. } = &mut error {
        *advice = advice_on(credential).unwrap_or_default().into();
    }
    named(error, credential)
}

/// The error of a request with `credential`: a rejection tells whose it is. Other processes that share it have the same pair, maybe from elsewhere.
pub(crate) fn named(mut error: Error, credential: &Credential) -> Error {
    if let Error::CredentialRejected { client, .. } = &mut error {
        let origin = if credential.origin.is_empty() { String::new() } else { format!(" ({})", printable(&credential.origin, 1000)) };
        *client = (client_id_to_show(&credential.client_id) + &origin).into();
    }
    error
}
