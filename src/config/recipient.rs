//! The server that receives a credential, and the credentials that it may receive.

use super::credential::format_hint;
use super::endpoint::Endpoint;
use super::rules::atlas_credential;
use crate::error::{Error, Exchange};

/// The prefix of Atlas client secrets.
pub(super) const SECRET_PREFIX: &str = "mdb_sa_sk_";

/// The prefix of Atlas client ids.
pub(super) const ID_PREFIX: &str = "mdb_sa_id_";

/// The prefix of every client secret of the emulator, which has the format of an Atlas secret.
pub(crate) const EMULATOR_SECRET_PREFIX: &str = "mdb_sa_sk_emulator";

/// The prefix of every client id of the emulator. It has the format of an Atlas client id, whose first
/// digits are the time of its creation: this one would be from 1977.
pub(crate) const EMULATOR_ID_PREFIX: &str = "mdb_sa_id_0e0000";

/// The domains of Atlas and of Atlas for Government.
const LIVE_DOMAINS: [&str; 2] = ["mongodb.com", "mongodbgov.com"];

/// Returns whether a client id has the format of Atlas.
#[must_use]
pub fn is_atlas_client_id(client_id: &str) -> bool {
    client_id.starts_with(ID_PREFIX)
}

/// The server that receives a credential.
#[derive(Clone, Debug)]
pub(crate) struct Recipient {
    host: String,
    /// Whether it is named by a base URL or is the default.
    at_atlas: bool,
    /// Whether nothing names it.
    is_default: bool,
}

impl Recipient {
    pub(super) fn new(endpoint: &Endpoint, at_atlas: bool, is_default: bool) -> Self {
        Self { host: endpoint.url().host_str().unwrap_or_default().to_owned(), at_atlas, is_default }
    }

    #[cfg(test)]
    pub(super) fn atlas() -> Self {
        Self { host: "cloud.mongodb.com".to_owned(), at_atlas: true, is_default: false }
    }

    /// Checks the client id. `secret`: the location and the value of the secret, if it is known already.
    pub(super) fn check_id(&self, location: &str, client_id: &str, secret: Option<(&str, &str)>) -> Result<(), Error> {
        if self.at_atlas {
            atlas_credential(location, client_id)?;
        }
        // It would be stored and shown as a client id is.
        if client_id.contains(SECRET_PREFIX) {
            return Err(match secret.filter(|(_, secret)| secret.starts_with(ID_PREFIX)) {
                Some((secret_location, _)) => Error::invalid(
                    location,
                    format!("looks like a client secret, and {secret_location} looks like a client id: the two values look swapped"),
                    "Swap the two values. Nothing was sent or stored.",
                ),
                None => Error::invalid(location, "looks like a client secret (mdb_sa_sk_…)", USE_AS_SHOWN),
            });
        }
        if self.is_default && !is_atlas_client_id(client_id) {
            let of_form = format_hint(Some(client_id), secret.map(|(_, secret)| secret)).map(|hint| format!("{hint} ")).unwrap_or_default();
            return Err(Error::invalid(
                location,
                format!(
                    "is not the client id of an Atlas service account (mdb_sa_id_…), and no server is set: it is not sent to {}",
                    self.host
                ),
                format!(
                    "{of_form}For another OAuth 2.0 server, set token_url (TOKENWELL_TOKEN_URL). If it is an id of Atlas, set base_url \
                     (MONGODB_ATLAS_BASE_URL) to https://{}.",
                    self.host
                ),
            ));
        }
        if client_id.starts_with(EMULATOR_ID_PREFIX) && self.is_live() {
            return Err(self.emulated(location, "client id"));
        }
        Ok(())
    }

    /// Checks the client secret.
    pub(super) fn check_secret(&self, location: &str, secret: &str) -> Result<(), Error> {
        if self.at_atlas {
            atlas_credential(location, secret)?;
        }
        if secret.starts_with(ID_PREFIX) {
            return Err(Error::invalid(location, "looks like a client id (mdb_sa_id_…)", USE_AS_SHOWN));
        }
        if secret.starts_with(EMULATOR_SECRET_PREFIX) && self.is_live() {
            return Err(self.emulated(location, "client secret"));
        }
        Ok(())
    }

    /// The error for a credential of the emulator that would be sent to Atlas.
    fn emulated(&self, location: &str, kind: &str) -> Error {
        Error::Refused {
            problem: format!("{location} is a {kind} of the emulator, and the server is {}", self.host),
            hint: "Set the base URL of the emulator as well (MONGODB_ATLAS_BASE_URL), or use the credential of an Atlas service account."
                .to_owned(),
            http_status: None,
            exchange: Exchange::default(),
        }
    }

    /// Whether the server is the real Atlas.
    fn is_live(&self) -> bool {
        is_live(&self.host)
    }
}

/// Whether the host is one of the real Atlas.
pub(super) fn is_live(host: &str) -> bool {
    LIVE_DOMAINS.iter().any(|domain| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

const USE_AS_SHOWN: &str =
    "Use the client id (mdb_sa_id_…) and the client secret (mdb_sa_sk_…) as Atlas shows them. Nothing was sent or stored.";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::error::Status;

    const ID: &str = "mdb_sa_id_0123456789abcdef01234567";
    const SECRET: &str = "mdb_sa_sk_canary";

    fn recipient(host: &str, at_atlas: bool, is_default: bool) -> Recipient {
        Recipient { host: host.to_owned(), at_atlas, is_default }
    }

    #[test]
    fn swapped_values_are_an_error_at_every_server_and_are_not_shown() {
        for at_atlas in [true, false] {
            let recipient = recipient("login.example", at_atlas, false);
            let swapped = recipient.check_id("--client-id", SECRET, Some(("client_secret", ID))).unwrap_err();
            let only_id = recipient.check_id("--client-id", SECRET, Some(("client_secret", SECRET))).unwrap_err();
            let only_secret = recipient.check_secret("client_secret", ID).unwrap_err();

            assert!(swapped.to_string().contains("look swapped") && swapped.hint().contains("Swap"), "{swapped}");
            assert!(only_id.to_string().starts_with("--client-id looks like a client secret"), "{only_id}");
            assert!(only_secret.to_string().starts_with("client_secret looks like a client id"), "{only_secret}");
            for error in [swapped, only_id, only_secret] {
                assert_eq!(error.status(), Status::InvalidArgument);
                assert!(!format!("{error} {error:?} {}", error.hint()).contains("canary"), "{error}");
            }
        }
    }

    #[test]
    fn another_client_id_goes_to_atlas_only_if_the_base_url_says_so() {
        let error = recipient("cloud.mongodb.com", true, true).check_id("client_id", "my-service", None).unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument);
        assert!(
            error.hint().contains("set token_url (TOKENWELL_TOKEN_URL)") && error.hint().contains("https://cloud.mongodb.com"),
            "{error}"
        );

        assert!(recipient("cloud.mongodb.com", true, true).check_id("client_id", ID, None).is_ok());
        assert!(recipient("cloud.mongodb.com", true, false).check_id("client_id", "my-service", None).is_ok());
        assert!(recipient("login.example", false, false).check_id("client_id", "my-service", None).is_ok());
    }

    #[test]
    fn a_client_id_of_the_emulator_is_not_sent_to_the_real_atlas() {
        let id = format!("{EMULATOR_ID_PREFIX}000000000000000004");
        for (host, refused) in [("cloud.mongodb.com", true), ("cloud.mongodbgov.com", true), ("127.0.0.1", false), ("login.example", false)]
        {
            let checked = recipient(host, true, false).check_id("client_id", &id, None);
            assert_eq!(checked.as_ref().err().map(Error::status), refused.then_some(Status::Refused), "{host}");
        }
    }

    #[test]
    fn a_secret_of_the_emulator_is_not_sent_to_the_real_atlas() {
        let secret = format!("{EMULATOR_SECRET_PREFIX}_canary");
        for (host, refused) in [
            ("cloud.mongodb.com", true),
            ("cloud.mongodbgov.com", true),
            ("mongodb.com", true),
            ("notmongodb.com", false),
            ("127.0.0.1", false),
            ("emulator", false),
            ("cloud.mongodb.com.example", false),
        ] {
            let checked = recipient(host, true, false).check_secret("client_secret", &secret);
            assert_eq!(checked.as_ref().err().map(Error::status), refused.then_some(Status::Refused), "{host}");
            assert!(!format!("{checked:?}").contains("canary"));
        }
        assert!(recipient("cloud.mongodb.com", true, false).check_secret("client_secret", SECRET).is_ok());
    }
}
