//! Writes or removes one profile of our configuration file, for `tokenwell login` and
//! `tokenwell logout`.
//!
//! A change is one rename: a reader sees the file before the change or after it. Comments and other
//! profiles are kept. Nothing is written through a link, to a directory that other users can write
//! to, or over a file of another user.
//!
//! May depend on: the rest of config, platform, error, secret. Start reading at [`store_profile`];
//! `account` identifies the account, `document` edits the file, `files` writes it. `prepare` checks
//! that it can be written, `rename` renames profiles, `of_config` makes a profile from a configuration.

mod account;
mod document;
mod files;
mod of_config;
mod prepare;
mod rename;

use super::file::{DEFAULT_PROFILE_KEY, profile_list};
use super::our_path;
use crate::config::environment::Environment;
use crate::config::keyring::{self, Keyring, LONGEST_SECRET, delete_with_timeout, write_with_timeout};
use crate::config::rules::profile_name;
use crate::config::setting::Key;
use crate::error::{Error, printable_path};
use crate::secret::Secret;
use account::{AccountSettings, PreviousProfile, is_secret_file, secret_file_of, validated};
use files::{Lock, cannot_write, ensure_private_directory, parent_directory, replace};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml_edit::{DocumentMut, Item};

pub use prepare::Prepared;
pub use rename::{Renamed, rename_profile, set_default_profile};

const NO_PROFILE: &str = "This file has no profile to remove. An account in environment variables, such as MONGODB_ATLAS_CLIENT_ID, is used until \
                          they are unset. `tokenwell login` creates a profile.";

/// The account of a profile, as `tokenwell login` stores it. Everything except the id is optional.
///
/// ```no_run
/// use tokenwell::config::profiles::{ConfigFile, Profile, SecretLocation, store_profile};
///
/// let account = Profile { client_id: "mdb_sa_id_0123456789abcdef01234567".to_owned(), ..Profile::default() };
/// let secret = "a secret from standard input".into();
/// store_profile(&ConfigFile::for_current_user()?, "staging", &account, &secret, SecretLocation::File)?;
/// # Ok::<(), tokenwell::error::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The setting `client_id`.
    pub client_id: String,
    /// The setting `base_url`.
    pub base_url: Option<String>,
    /// The setting `token_url`.
    pub token_url: Option<String>,
    /// The setting `revocation_url`.
    pub revocation_url: Option<String>,
    /// The setting `auth_method`.
    pub auth_method: Option<String>,
    /// The setting `scope`.
    pub scope: Option<String>,
    /// The setting `audience`.
    pub audience: Option<String>,
    /// The setting `resource`.
    pub resource: Option<String>,
    /// The setting `ca_file`, as an absolute path or `system`.
    pub ca_file: Option<String>,
    /// The setting `ca_pem`.
    pub ca_pem: Option<String>,
    /// The setting `proxy`, without a user and password.
    pub proxy: Option<String>,
    /// The setting `no_proxy`.
    pub no_proxy: Option<String>,
    /// The settings that remain as they are in an existing profile, although they are `None` here.
    pub unchanged: Vec<&'static str>,
}

/// The location of a profile's secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretLocation {
    /// In a separate file that only this user can read: `secrets/PROFILE~…` beside the
    /// configuration file. The rest of the name is derived from client id and server, so that two
    /// accounts never share a file.
    File,
    /// In the keyring: service `tokenwell_PROFILE`, account `client_secret`.
    Keyring,
}

/// The result of [`store_profile`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Whether a profile of this name existed.
    pub replaced: bool,
    /// The configuration file.
    pub path: PathBuf,
    /// The file that contains the secret; `None` if the secret is in the keyring.
    pub secret_file: Option<PathBuf>,
}

/// The result of [`remove_profile`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The configuration file.
    pub path: PathBuf,
    /// The deleted file with the secret. A file outside of `secrets/` is not ours and is not
    /// deleted.
    pub secret_file: Option<PathBuf>,
    /// The result for a secret in the keyring.
    pub keyring: KeyringOutcome,
    /// Whether the file named it as its default profile. The file no longer names one.
    pub was_default: bool,
}

/// The result for a secret in the keyring when its profile is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyringOutcome {
    /// The secret of the profile was not in the keyring, which was not accessed.
    NotUsed,
    /// The secret was deleted.
    Deleted,
    /// The keyring had no such secret.
    NotFound,
    /// The keyring could not be used and may still have the secret; with the reason.
    Failed(String),
}

/// A configuration file to change, and the keyring that belongs to it.
#[derive(Clone)]
pub struct ConfigFile {
    path: PathBuf,
    keyring: Arc<dyn Keyring>,
}

impl std::fmt::Debug for ConfigFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConfigFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl ConfigFile {
    /// Returns the configuration file of this user, whether it exists or not.
    ///
    /// # Errors
    /// [`Error::NotConfigured`] if the environment does not define its path.
    pub fn for_current_user() -> Result<Self, Error> {
        let (path, _) = our_path(&Environment::of_the_process()).map_err(|why| Error::NotConfigured {
            problem: format!("cannot find a directory for the configuration file: {why}"),
            hint: "Set HOME, or set TOKENWELL_CONFIG_FILE to the path of the file.".to_owned(),
        })?;
        Ok(Self::at(path))
    }

    /// Returns the configuration file at `path`.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), keyring: keyring::system() }
    }

    /// Sets a keyring to be used instead of the system's.
    #[must_use]
    pub fn keyring(mut self, keyring: Arc<dyn Keyring>) -> Self {
        self.keyring = keyring;
        self
    }

    /// Returns the path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Checks that this file has the profile `name`. Files of other programs do not count.
    ///
    /// # Errors
    /// [`Error::NotConfigured`] if the profile does not exist (the message lists the existing
    /// ones); otherwise as [`store_profile`].
    pub fn require(&self, name: &str) -> Result<(), Error> {
        profile_name("profile", name)?;
        self.document_with(name).map(|_| ())
    }

    /// Reads the file as a document that has the profile `name`.
    fn document_with(&self, name: &str) -> Result<DocumentMut, Error> {
        let document = document::read(&self.path)?;
        if document.get(name).is_some_and(Item::is_table_like) {
            return Ok(document);
        }
        let names: Vec<_> = document.iter().filter(|(_, item)| item.is_table_like()).map(|(name, _)| name.to_owned()).collect();
        let found = if self.path.exists() { format!("the file has {}", profile_list(&names)) } else { "no such file".to_owned() };
        Err(Error::NotConfigured {
            problem: format!("there is no profile {name} in {}: {found}", printable_path(&self.path)),
            hint: if names.is_empty() { NO_PROFILE } else { "Use the name of an existing profile." }.to_owned(),
        })
    }
}

/// Writes the account and its secret as the profile `name`.
///
/// In an existing profile, the settings of [`Profile`] are replaced or, if `None`, removed: a new
/// secret must not be sent to an old URL. Its other settings (`timeout_ms`, `cache` …) and
/// comments are kept. A new secret of the same client id at the same server replaces the old one
/// immediately, so that running programs use it for their next token request. Even after a failure,
/// a new secret is never stored with an old server or an old id.
///
/// # Errors
/// - [`Error::InvalidArgument`] for an invalid name or value, a secret that is too long for a
///   keyring, or a file that is not valid TOML.
/// - [`Error::Refused`] for a link, for a file or directory that another user owns or can write to.
/// - [`Error::CannotWrite`] if the file cannot be written.
/// - [`Error::NotConfigured`] if the keyring cannot be written.
///
/// After an error the configuration file is unchanged, with one exception: if the old secret was in
/// the keyring and the new one is for another id or server, the profile may have no account.
pub fn store_profile(file: &ConfigFile, name: &str, profile: &Profile, secret: &Secret, location: SecretLocation) -> Result<Stored, Error> {
    profile_name("profile", name)?;
    let account = validated(profile)?;
    Key::ClientSecret.setting().check("client_secret", secret.expose().as_bytes())?;

    let directory = parent_directory(&file.path);
    ensure_private_directory(directory)?;
    let _lock = Lock::acquire(directory)?;
    let mut document = document::read(&file.path)?;
    let before = PreviousProfile::of(&document, name);
    let table = document::table(&mut document, &file.path, name)?;
    for (setting, text) in &account {
        document::put(table, setting, text.as_deref());
    }
    table.remove("client_secret");
    if !before.is_same_account(&account) {
        // They belong to the account before.
        super::ids::KEYS.iter().for_each(|key| {
            table.remove(key);
        });
    }
    let secret_file = match location {
        SecretLocation::Keyring => {
            table.remove("client_secret_file");
            let store = || write_with_timeout(&file.keyring, &service(name), "client_secret", secret);
            // A secret that is too long for a keyring is not written, so the old one can stay.
            if before.secret_is_in_keyring() && !before.is_same_account(&account) && secret.expose().len() <= LONGEST_SECRET {
                write_without_account(file, &account, name)?;
                store().map_err(|error| account_removed(name, error))?;
            } else {
                store()?;
            }
            None
        }
        SecretLocation::File => {
            let relative = secret_file_of(name, &account);
            document::put(table, "client_secret_file", Some(&relative));
            let path = directory.join(&relative);
            ensure_private_directory(parent_directory(&path))?;
            replace(&path, secret.expose().as_bytes())?;
            Some(path)
        }
    };
    replace(&file.path, document.to_string().as_bytes())?;

    // The change is complete. Delete the old secrets. If this fails, an unused secret remains in a
    // private file.
    delete_old_secrets(directory, name, secret_file.as_deref());
    if location == SecretLocation::File && before.secret_is_in_keyring() {
        let _ = delete_with_timeout(&file.keyring, &service(name), "client_secret");
    }
    Ok(Stored { replaced: before.existed, path: file.path.clone(), secret_file })
}

/// Removes the profile `name`, and its secret if that is in a file of ours or in the keyring.
///
/// # Errors
/// [`Error::NotConfigured`] if the profile does not exist (the message lists the existing ones);
/// otherwise as [`store_profile`].
pub fn remove_profile(file: &ConfigFile, name: &str) -> Result<Removed, Error> {
    profile_name("profile", name)?;
    let directory = parent_directory(&file.path);
    if !directory.exists() {
        // Do not create a directory if there is nothing to remove.
        file.require(name)?;
    }
    ensure_private_directory(directory)?;
    let _lock = Lock::acquire(directory)?;
    let mut document = file.document_with(name)?;
    let before = PreviousProfile::of(&document, name);
    let was_default = document::default_profile(&document) == Some(name);
    document::remove_table(&mut document, name);
    if was_default {
        document.remove(DEFAULT_PROFILE_KEY);
    }
    replace(&file.path, document.to_string().as_bytes())?;

    let secret_file = before.our_secret_file(name).map(|relative| directory.join(relative));
    if let Some(path) = &secret_file {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(cannot_write(path, &error, "The profile was removed, but its secret was not. Delete this file."));
            }
            _ => {}
        }
    }
    delete_old_secrets(directory, name, None);
    let keyring = if !before.secret_is_in_keyring() {
        KeyringOutcome::NotUsed
    } else {
        match delete_with_timeout(&file.keyring, &service(name), "client_secret") {
            Ok(true) => KeyringOutcome::Deleted,
            Ok(false) => KeyringOutcome::NotFound,
            Err(error) => KeyringOutcome::Failed(error.problem),
        }
    };
    Ok(Removed { path: file.path.clone(), secret_file, keyring, was_default })
}

fn service(name: &str) -> String {
    format!("tokenwell_{name}")
}

/// Removes the account from a profile and keeps the rest. A keyring has one entry for the secret of
/// a profile, and the entry and the file cannot be changed together atomically.
fn write_without_account(file: &ConfigFile, account: &AccountSettings, name: &str) -> Result<(), Error> {
    let mut document = document::read(&file.path)?;
    let table = document::table(&mut document, &file.path, name)?;
    for (setting, _) in account {
        table.remove(setting);
    }
    replace(&file.path, document.to_string().as_bytes())
}

/// Adds the state of the profile to `error`. The old account is not restored: a keyring that did
/// not answer in time may still store the new secret.
fn account_removed(name: &str, error: Error) -> Error {
    Error::NotConfigured {
        problem: format!("{error}; profile {name} now has no account, so that the new secret is not sent to the old server"),
        hint: format!("{} Then log in again.", error.hint()),
    }
}

/// Deletes the old secrets of the profile `name`, all except `current`. They may be left from an
/// interrupted change.
fn delete_old_secrets(directory: &Path, name: &str, current: Option<&Path>) {
    let Ok(entries) = fs::read_dir(directory.join("secrets")) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let is_old = path.file_name().and_then(|file| file.to_str()).is_some_and(|file| is_secret_file(name, file));
        if is_old && Some(path.as_path()) != current {
            let _ = fs::remove_file(path);
        }
    }
}
