//! Secrets in the keyring of the operating system, by exact service and account, with a time limit.
//!
//! [`Keyring`] is the interface. [`system`] returns the keyring of this machine, if the crate was
//! built with the feature `keyring`. A program can provide its own:
//! [`ConfigBuilder::keyring`](super::ConfigBuilder::keyring).

use crate::error::{Error, duration_text, os_reason};
use crate::platform;
use crate::secret::Secret;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::Builder;
use std::time::Duration;

/// The time limit of a read. A user or a service is waiting for the configuration.
const READ_TIMEOUT: Duration = Duration::from_secs(2);
/// The time limit of a change. A user may have to unlock the keyring first.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// The maximum length of a secret, in bytes: the limit of Windows, the lowest of all keyrings.
pub const LONGEST_SECRET: usize = 2560;

/// The problem of every call in a build without the feature `keyring`. It selects a hint.
const UNSUPPORTED: &str = "this build of tokenwell has no keyring support (feature `keyring`)";

/// Secrets by service and account. They cannot be listed: secrets of other programs must not be
/// read.
///
/// A method may block indefinitely: it runs on a separate thread, which is abandoned after a
/// timeout.
pub trait Keyring: Send + Sync {
    /// Returns the secret of exactly this service and account; `None` if there is no such entry.
    ///
    /// # Errors
    /// The keyring is not available, or the entry is not UTF-8.
    fn read(&self, service: &str, account: &str) -> Result<Option<Secret>, KeyringError>;

    /// Stores `secret` under this service and account, and replaces a previous one.
    ///
    /// # Errors
    /// The keyring cannot be used; the previous secret may still be stored.
    fn write(&self, service: &str, account: &str, secret: &Secret) -> Result<(), KeyringError>;

    /// Deletes the secret of exactly this service and account. Returns whether it existed.
    ///
    /// # Errors
    /// The keyring cannot be used.
    fn delete(&self, service: &str, account: &str) -> Result<bool, KeyringError>;
}

/// The reason why a keyring cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct KeyringError {
    /// What failed, as the end of a sentence: "the keyring is locked". Never contains a secret.
    pub problem: String,
}

impl KeyringError {
    /// Creates an error with this `problem`.
    #[must_use]
    pub fn new(problem: impl Into<String>) -> Self {
        Self { problem: problem.into() }
    }
}

/// Returns the keyring of this machine. Without the feature `keyring`, every call of it fails.
#[must_use]
pub fn system() -> Arc<dyn Keyring> {
    #[cfg(feature = "keyring")]
    {
        Arc::new(machine::SystemKeyring)
    }
    #[cfg(not(feature = "keyring"))]
    {
        Arc::new(UnsupportedKeyring)
    }
}

/// Returns whether this build can use the keyring of the machine. Whether there is one shows only a
/// call.
#[must_use]
pub const fn is_supported() -> bool {
    cfg!(feature = "keyring")
}

/// The keyring of a build without keyring support.
#[cfg(not(feature = "keyring"))]
#[derive(Debug)]
struct UnsupportedKeyring;

#[cfg(not(feature = "keyring"))]
impl UnsupportedKeyring {
    fn missing<T>() -> Result<T, KeyringError> {
        Err(KeyringError::new(UNSUPPORTED))
    }
}

#[cfg(not(feature = "keyring"))]
impl Keyring for UnsupportedKeyring {
    fn read(&self, _service: &str, _account: &str) -> Result<Option<Secret>, KeyringError> {
        Self::missing()
    }

    fn write(&self, _service: &str, _account: &str, _secret: &Secret) -> Result<(), KeyringError> {
        Self::missing()
    }

    fn delete(&self, _service: &str, _account: &str) -> Result<bool, KeyringError> {
        Self::missing()
    }
}

/// Reads the secrets of `accounts` of one service, all of them within two seconds.
pub(super) fn read_with_timeout(
    keyring: &Arc<dyn Keyring>,
    service: &str,
    accounts: &[&'static str],
) -> Result<Vec<Option<Secret>>, KeyringError> {
    let (keyring, service, accounts) = (Arc::clone(keyring), service.to_owned(), accounts.to_vec());
    run_with_timeout(READ_TIMEOUT, move || accounts.into_iter().map(|account| keyring.read(&service, account)).collect())
}

/// Stores a secret. A secret that some keyrings would truncate or reject is rejected before the
/// write.
#[cfg_attr(not(feature = "cli"), allow(dead_code))]
pub(super) fn write_with_timeout(keyring: &Arc<dyn Keyring>, service: &str, account: &'static str, secret: &Secret) -> Result<(), Error> {
    let length = secret.expose().len();
    if length > LONGEST_SECRET {
        return Err(Error::invalid(
            account,
            format!("is {length} bytes long; a keyring accepts at most {LONGEST_SECRET} bytes"),
            "Store the secret in a file, which has no such limit.",
        ));
    }
    let (keyring, service, secret) = (Arc::clone(keyring), service.to_owned(), secret.clone());
    run_with_timeout(WRITE_TIMEOUT, move || keyring.write(&service, account, &secret)).map_err(|error| Error::NotConfigured {
        problem: format!("cannot store the secret in the keyring: {error}"),
        hint: if error.problem == UNSUPPORTED {
            "Store the secret in a file, or build tokenwell with the feature `keyring`.".to_owned()
        } else {
            "Unlock the keyring, or store the secret in a file.".to_owned()
        },
    })
}

/// Deletes a secret. Returns whether it existed.
#[cfg_attr(not(feature = "cli"), allow(dead_code))]
pub(super) fn delete_with_timeout(keyring: &Arc<dyn Keyring>, service: &str, account: &'static str) -> Result<bool, KeyringError> {
    let (keyring, service) = (Arc::clone(keyring), service.to_owned());
    run_with_timeout(WRITE_TIMEOUT, move || keyring.delete(&service, account))
}

/// Runs `work` on a separate thread. A keyring blocks while its message bus blocks, and its calls
/// have no timeout.
fn run_with_timeout<T: Send + 'static>(
    timeout: Duration,
    work: impl FnOnce() -> Result<T, KeyringError> + Send + 'static,
) -> Result<T, KeyringError> {
    let (sender, receiver) = channel();
    let work = move || {
        // If the caller has given up, the answer is dropped and its secrets are wiped.
        let _ = sender.send(work());
    };
    platform::spawn_without_signals(Builder::new().name("tokenwell-keyring".to_owned()), work)
        .map_err(|error| KeyringError::new(format!("cannot create a thread to call the keyring: {}", os_reason(&error))))?;
    match receiver.recv_timeout(timeout) {
        Ok(answer) => answer,
        Err(RecvTimeoutError::Timeout) => Err(KeyringError::new(format!("the keyring did not answer within {}", duration_text(timeout)))),
        Err(RecvTimeoutError::Disconnected) => Err(KeyringError::new("the call to the keyring failed")),
    }
}

/// The keyrings of the operating systems.
#[cfg(feature = "keyring")]
mod machine {
    use super::{Keyring, KeyringError};
    use crate::error::{printable, without_os_number};
    use crate::secret::Secret;
    use keyring_core::api::CredentialStoreApi;
    use keyring_core::{Entry, Error};
    use zeroize::{Zeroize, Zeroizing};

    #[derive(Debug)]
    pub(super) struct SystemKeyring;

    impl Keyring for SystemKeyring {
        fn read(&self, service: &str, account: &str) -> Result<Option<Secret>, KeyringError> {
            match entry(service, account)?.get_secret().map(Zeroizing::new) {
                Ok(bytes) => decode(&bytes).map(Some),
                Err(Error::NoEntry) => Ok(None),
                Err(error) => Err(describe(error)),
            }
        }

        fn write(&self, service: &str, account: &str, secret: &Secret) -> Result<(), KeyringError> {
            entry(service, account)?.set_secret(secret.expose().as_bytes()).map_err(describe)
        }

        fn delete(&self, service: &str, account: &str) -> Result<bool, KeyringError> {
            match entry(service, account)?.delete_credential() {
                Ok(()) => Ok(true),
                Err(Error::NoEntry) => Ok(false),
                Err(error) => Err(describe(error)),
            }
        }
    }

    /// Opens the entry under the name that programs in Go, such as the Atlas CLI, use.
    fn entry(service: &str, account: &str) -> Result<Entry, KeyringError> {
        #[cfg(target_os = "macos")]
        let entry = apple_native_keyring_store::keychain::Store::new().and_then(|store| store.build(service, account, None));
        #[cfg(target_os = "windows")]
        let entry = windows_native_keyring_store::Store::new().and_then(|store| {
            let target = format!("{service}:{account}");
            store.build(service, account, Some(&std::collections::HashMap::from([("target", target.as_str())])))
        });
        #[cfg(not(any(target_os = "macos", target_os = "windows")))]
        let entry = zbus_secret_service_keyring_store::Store::new().and_then(|store| store.build(service, account, None));
        entry.map_err(describe)
    }

    /// Decodes the string in the keyring. On macOS, programs in Go encode it because they pass it
    /// to another program as a line.
    fn decode(bytes: &[u8]) -> Result<Secret, KeyringError> {
        use base64::Engine as _;

        let not_a_string = || KeyringError::new("the keyring entry is not a valid string");
        let text = std::str::from_utf8(bytes).map_err(|_| not_a_string())?;
        let Some(encoded) = text.strip_prefix("go-keyring-base64:") else { return Ok(Secret::from(text)) };
        let decoded = base64::engine::general_purpose::STANDARD.decode(encoded).map_err(|_| not_a_string())?;
        String::from_utf8(decoded).map(Secret::new).map_err(|error| {
            error.into_bytes().zeroize();
            not_a_string()
        })
    }

    /// Describes the error. Our own message replaces one that could contain the content of the
    /// entry.
    fn describe(error: Error) -> KeyringError {
        let reason = match error {
            Error::BadEncoding(mut bytes) | Error::BadDataFormat(mut bytes, _) => {
                bytes.zeroize();
                "the entry is not readable".to_owned()
            }
            Error::Ambiguous(_) => "there are several entries for this service and account".to_owned(),
            other => other.to_string(),
        };
        KeyringError::new(format!("the keyring cannot be used: {}", printable(&without_os_number(&reason), 300)))
    }

    #[cfg(test)]
    mod tests {
        #![allow(clippy::unwrap_used, clippy::expect_used)]

        use super::*;

        #[test]
        fn text_of_programs_in_go_is_decoded() {
            assert_eq!(decode(b"plain").unwrap().expose(), "plain");
            assert_eq!(decode(b"go-keyring-base64:Y2FuYXJ5").unwrap().expose(), "canary");
            for bad in [&b"\xff"[..], b"go-keyring-base64:!", b"go-keyring-base64:/w=="] {
                assert!(decode(bad).is_err());
            }
        }

        #[test]
        fn i21_what_the_keyring_holds_is_not_in_its_errors() {
            let error = describe(Error::BadEncoding(b"canary".to_vec()));

            assert!(!format!("{error} {error:?}").contains("canary"));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn work_that_panics_is_answered_and_not_waited_for() {
        let outcome: Result<(), _> = run_with_timeout(Duration::from_secs(60), || panic!("as if the keyring's own code did"));

        assert!(outcome.unwrap_err().problem.contains("failed"));
    }
}
