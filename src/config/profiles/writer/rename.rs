//! Renames a profile, and selects the default profile.

use super::account::{PreviousProfile, secret_file_of};
use super::files::{Lock, ensure_private_directory, parent_directory, replace};
use super::{ConfigFile, delete_old_secrets, document, service};
use crate::config::bounded::read_bounded;
use crate::config::keyring::{delete_with_timeout, read_with_timeout, write_with_timeout};
use crate::config::profiles::DEFAULT_PROFILE;
use crate::config::rules::{SECRET_LIMIT, profile_name};
use crate::error::{Error, os_reason, printable_path};
use crate::platform;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The result of [`rename_profile`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// The configuration file.
    pub path: PathBuf,
    /// The new file with the secret, if tokenwell had created the old one.
    pub secret_file: Option<PathBuf>,
    /// Whether the secret in the keyring has been moved.
    pub in_keyring: bool,
    /// Whether it is the default profile, under its new name too.
    pub is_default: bool,
}

/// Renames the profile `old` to `new`. The secret is copied first, then the file is replaced with one
/// rename, then the old secret is deleted: whenever this is interrupted, one of the two names works.
///
/// A running program that uses the old name does not find its secret any more.
///
/// # Errors
/// [`Error::InvalidArgument`] if the profile `new` exists; otherwise as
/// [`store_profile`](super::store_profile). Nothing is changed after an error.
pub fn rename_profile(file: &ConfigFile, old: &str, new: &str) -> Result<Renamed, Error> {
    profile_name("profile", old)?;
    profile_name("profile", new)?;
    let directory = parent_directory(file.path());
    if !directory.exists() {
        file.require(old)?;
    }
    ensure_private_directory(directory)?;
    let _lock = Lock::acquire(directory)?;
    let mut document = file.document_with(old)?;
    if document.contains_key(new) {
        return Err(Error::invalid(
            "profile",
            format!("{new} exists in {}", printable_path(file.path())),
            format!("Use another name, or remove that profile first with `tokenwell profile remove {new}`."),
        ));
    }
    let before = PreviousProfile::of(&document, old);
    document::rename_table(&mut document, old, new);

    let mut secret_file = None;
    if let Some(relative) = before.our_secret_file(old) {
        let secret = read_secret(&directory.join(relative))?;
        let relative = secret_file_of(new, &before.account_settings());
        let path = directory.join(&relative);
        ensure_private_directory(parent_directory(&path))?;
        replace(&path, &secret)?;
        let table = document::table(&mut document, file.path(), new)?;
        document::put(table, "client_secret_file", Some(&relative));
        secret_file = Some(path);
    }
    let in_keyring = before.has_account() && before.secret_is_in_keyring() && copy_in_keyring(file, old, new)?;
    let is_default = document::default_profile(&document) == Some(old);
    if is_default {
        document::set_default_profile(&mut document, Some(new));
    }
    if let Err(error) = replace(file.path(), document.to_string().as_bytes()) {
        delete_old_secrets(directory, new, None);
        if in_keyring {
            let _ = delete_with_timeout(&file.keyring, &service(new), "client_secret");
        }
        return Err(error);
    }
    delete_old_secrets(directory, old, None);
    if in_keyring {
        let _ = delete_with_timeout(&file.keyring, &service(old), "client_secret");
    }
    Ok(Renamed { path: file.path().to_owned(), secret_file, in_keyring, is_default })
}

/// Makes `name` the profile that is used if no other one is selected. Whether it exists is not
/// checked: it may be a profile of the Atlas CLI.
///
/// # Errors
/// As [`store_profile`](super::store_profile).
pub fn set_default_profile(file: &ConfigFile, name: &str) -> Result<(), Error> {
    profile_name("profile", name)?;
    let directory = parent_directory(file.path());
    if name == DEFAULT_PROFILE && !file.path().exists() {
        return Ok(());
    }
    ensure_private_directory(directory)?;
    let _lock = Lock::acquire(directory)?;
    let mut document = document::read(file.path())?;
    document::set_default_profile(&mut document, (name != DEFAULT_PROFILE).then_some(name));
    replace(file.path(), document.to_string().as_bytes())
}

fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let read = platform::open_nonblocking(path).and_then(|mut file| read_bounded(&mut file, SECRET_LIMIT + 2));
    read.map_err(|error| Error::NotConfigured {
        problem: format!("cannot read the secret in {}: {}", printable_path(path), os_reason(&error)),
        hint: "Check the file. If it is lost, remove the profile and log in again.".to_owned(),
    })
}

/// Copies the secret of `old` to `new`. Returns whether there was one.
fn copy_in_keyring(file: &ConfigFile, old: &str, new: &str) -> Result<bool, Error> {
    let secrets = read_with_timeout(&file.keyring, &service(old), &["client_secret"]).map_err(|problem| Error::NotConfigured {
        problem: format!("cannot read the secret of profile {old} in the keyring: {problem}"),
        hint: "Unlock the keyring and try again. The profile was not renamed.".to_owned(),
    })?;
    let Some(secret) = secrets.into_iter().next().flatten() else { return Ok(false) };
    write_with_timeout(&file.keyring, &service(new), "client_secret", &secret)?;
    Ok(true)
}

impl PreviousProfile {
    fn has_account(&self) -> bool {
        self.account_settings().iter().any(|(name, value)| *name == "client_id" && value.is_some())
    }
}
