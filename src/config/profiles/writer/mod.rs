//! Writes one profile into our file or takes one away, for `tokenwell login` and `tokenwell logout`.
//!
//! A change is one rename: whoever reads sees the file before it or after it. Comments and other profiles stay as they are. Nothing is written
//! through a link, into a folder that others may write to, or over a file of somebody else.
//!
//! May depend on: the rest of config, platform, error, secret. Start reading at [`store_profile`]; `account` says whose secret it is, `document` changes
//! the text, `files` writes it.

mod account;
mod document;
mod files;

use super::file::listed;
use super::our_path;
use crate::config::environment::Environment;
use crate::config::keyring::{self, Keyring, LONGEST_SECRET, delete_within, write_within};
use crate::config::rules::profile_name;
use crate::config::setting::Key;
use crate::error::{Error, printable_path};
use crate::secret::Secret;
use account::{AccountSettings, Before, checked, is_secret_file, secret_file_of};
use files::{Lock, cannot_write, folder_of, private_folder, replace};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml_edit::{DocumentMut, Item};

const NOTHING_KEPT: &str = "No profile is kept there, so there is none to take away. An account in variables, such as MONGODB_ATLAS_CLIENT_ID, is used \
                            until they are unset; `tokenwell login` makes a profile.";

/// The account of a profile: what `tokenwell login` asks for. Everything but the id may be left out.
///
/// ```no_run
/// use tokenwell::config::profiles::{ConfigFile, Profile, SecretPlace, store_profile};
///
/// let account = Profile { client_id: "mdb_sa_id_0123456789abcdef01234567".to_owned(), ..Profile::default() };
/// let secret = "a secret from standard input".into();
/// store_profile(&ConfigFile::of_this_user()?, "staging", &account, &secret, SecretPlace::File)?;
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
}

/// Where the secret of a profile is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretPlace {
    /// In a file of its own that only this user may read: `secrets/PROFILE~…` beside the file of profiles. The rest of its name follows from client id
    /// and server, so that no file is ever that of two accounts.
    File,
    /// In the keyring: service `tokenwell_PROFILE`, account `client_secret`.
    Keyring,
}

/// What [`store_profile`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Whether there was a profile of this name before.
    pub replaced: bool,
    /// The file of profiles.
    pub path: PathBuf,
    /// The file with the secret; `None`: it is in the keyring.
    pub secret_file: Option<PathBuf>,
}

/// What [`remove_profile`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The file of profiles.
    pub path: PathBuf,
    /// The file with the secret, which is gone now. One that is not in `secrets/` is not ours, and stays.
    pub secret_file: Option<PathBuf>,
    /// What became of a secret in the keyring.
    pub keyring: KeyringOutcome,
}

/// What became of a secret in the keyring when its profile was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyringOutcome {
    /// The profile had its secret elsewhere: the keyring was not asked.
    NotAsked,
    /// It is gone now.
    Deleted,
    /// There was none.
    NotThere,
    /// The keyring could not be used, and may still have it: why.
    Failed(String),
}

/// The file of profiles that is changed, and the keyring beside it.
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
    /// The file that this process's environment leads to, whether it exists or not.
    ///
    /// # Errors
    /// [`Error::NotConfigured`] where no variable leads anywhere.
    pub fn of_this_user() -> Result<Self, Error> {
        let (path, _) = our_path(&Environment::Process).map_err(|why| Error::NotConfigured {
            problem: format!("there is no folder for the file of profiles, because {why}"),
            hint: "Set HOME, or name the file itself with TOKENWELL_CONFIG_FILE.".to_owned(),
        })?;
        Ok(Self::at(path))
    }

    /// The file at `path`.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), keyring: keyring::system() }
    }

    /// With this keyring in place of the system's.
    #[must_use]
    pub fn keyring(mut self, keyring: Arc<dyn Keyring>) -> Self {
        self.keyring = keyring;
        self
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sees that this file has a profile called `name`, whatever other programs' files have.
    ///
    /// # Errors
    /// [`Error::NotConfigured`] where there is no such profile, listing those that there are; else as [`store_profile`].
    pub fn require(&self, name: &str) -> Result<(), Error> {
        profile_name("profile", name)?;
        self.document_with(name).map(|_| ())
    }

    /// The file as a document that has the profile `name`.
    fn document_with(&self, name: &str) -> Result<DocumentMut, Error> {
        let document = document::read(&self.path)?;
        if document.get(name).is_some_and(Item::is_table_like) {
            return Ok(document);
        }
        let names: Vec<_> = document.iter().filter(|(_, item)| item.is_table_like()).map(|(name, _)| name.to_owned()).collect();
        let found = if self.path.exists() { format!("the file has {}", listed(&names)) } else { "no such file".to_owned() };
        Err(Error::NotConfigured {
            problem: format!("there is no profile {name} in {}: {found}", printable_path(&self.path)),
            hint: if names.is_empty() { NOTHING_KEPT } else { "Name a profile that is there." }.to_owned(),
        })
    }
}

/// Writes the account and its secret as the profile `name`.
///
/// In a profile that exists the settings of [`Profile`] are replaced, also by nothing: an old URL must not get a new secret. Its other settings
/// (`timeout_ms`, `ca_file` …) and comments stay. The new secret of the same client id at the same server takes the place of the old one at once, so that
/// programs that run with this profile see it at their next token request. At no moment, whatever fails, does a new secret stand beside an old server
/// or id.
///
/// # Errors
/// - [`Error::InvalidArgument`] for a name or value that is not acceptable, a secret too long for a keyring, and a file that is no TOML.
/// - [`Error::Refused`] for a link, a file or folder of another user, or one that others may write to.
/// - [`Error::NotConfigured`] where the file or the keyring cannot be written.
///
/// After an error the file of profiles is as it was, with one exception: where the old secret was in the keyring, and the new one is for another id or
/// server, the profile may be left without an account.
pub fn store_profile(file: &ConfigFile, name: &str, profile: &Profile, secret: &Secret, place: SecretPlace) -> Result<Stored, Error> {
    profile_name("profile", name)?;
    let account = checked(profile)?;
    Key::ClientSecret.setting().check("client_secret", secret.expose().as_bytes())?;

    let folder = folder_of(&file.path);
    private_folder(folder)?;
    let _lock = Lock::take(folder)?;
    let mut document = document::read(&file.path)?;
    let before = Before::of(&document, name);
    let table = document::table(&mut document, &file.path, name)?;
    for (setting, text) in &account {
        document::put(table, setting, text.as_deref());
    }
    table.remove("client_secret");
    let secret_file = match place {
        SecretPlace::Keyring => {
            table.remove("client_secret_file");
            let keep = || write_within(&file.keyring, &service(name), "client_secret", secret);
            // What a keyring refuses for its length is not written, so nothing has to make way for it.
            if before.secret_is_in_keyring() && !before.is_for(&account) && secret.expose().len() <= LONGEST_SECRET {
                without_account(file, &account, name)?;
                keep().map_err(|error| left_without_account(name, error))?;
            } else {
                keep()?;
            }
            None
        }
        SecretPlace::File => {
            let relative = secret_file_of(name, &account);
            document::put(table, "client_secret_file", Some(&relative));
            let path = folder.join(&relative);
            private_folder(folder_of(&path))?;
            replace(&path, secret.expose().as_bytes())?;
            Some(path)
        }
    };
    replace(&file.path, document.to_string().as_bytes())?;

    // From here on the change is made. What the profile had before is swept up; where that fails, a secret of nobody's is left in a private file.
    sweep(folder, name, secret_file.as_deref());
    if place == SecretPlace::File && before.secret_is_in_keyring() {
        let _ = delete_within(&file.keyring, &service(name), "client_secret");
    }
    Ok(Stored { replaced: before.there, path: file.path.clone(), secret_file })
}

/// Takes the profile `name` away, and its secret if that is in a file of ours or in the keyring.
///
/// # Errors
/// [`Error::NotConfigured`] where there is no such profile, listing those that there are, or where the file cannot be written; else as [`store_profile`].
pub fn remove_profile(file: &ConfigFile, name: &str) -> Result<Removed, Error> {
    profile_name("profile", name)?;
    let folder = folder_of(&file.path);
    if !folder.exists() {
        // Nothing is made where nothing is to be removed.
        file.require(name)?;
    }
    private_folder(folder)?;
    let _lock = Lock::take(folder)?;
    let mut document = file.document_with(name)?;
    let before = Before::of(&document, name);
    document::remove_table(&mut document, name);
    replace(&file.path, document.to_string().as_bytes())?;

    let secret_file = before.our_secret_file(name).map(|relative| folder.join(relative));
    if let Some(path) = &secret_file {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(cannot_write(path, &error, "The profile is gone, and its secret is still there: delete this file."));
            }
            _ => {}
        }
    }
    sweep(folder, name, None);
    let keyring = if !before.secret_is_in_keyring() {
        KeyringOutcome::NotAsked
    } else {
        match delete_within(&file.keyring, &service(name), "client_secret") {
            Ok(true) => KeyringOutcome::Deleted,
            Ok(false) => KeyringOutcome::NotThere,
            Err(error) => KeyringOutcome::Failed(error.problem),
        }
    };
    Ok(Removed { path: file.path.clone(), secret_file, keyring })
}

fn service(name: &str) -> String {
    format!("tokenwell_{name}")
}

/// Takes the account of a profile away, and leaves the rest: a keyring has one place for the profile's secret, and no rename that changes it together
/// with the file.
fn without_account(file: &ConfigFile, account: &AccountSettings, name: &str) -> Result<(), Error> {
    let mut document = document::read(&file.path)?;
    let table = document::table(&mut document, &file.path, name)?;
    for (setting, _) in account {
        table.remove(setting);
    }
    replace(&file.path, document.to_string().as_bytes())
}

/// The old account is not put back: a keyring that did not answer in time may still keep the new secret.
fn left_without_account(name: &str, error: Error) -> Error {
    Error::NotConfigured {
        problem: format!("{error}; profile {name} has no account now, so that no other server gets the new secret"),
        hint: format!("{} Then log in again.", error.hint()),
    }
}

/// Deletes the secrets that the profile `name` had before, all but `current`. They may be those of a change that was cut short.
fn sweep(folder: &Path, name: &str, current: Option<&Path>) {
    let Ok(entries) = fs::read_dir(folder.join("secrets")) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let is_old = path.file_name().and_then(|file| file.to_str()).is_some_and(|file| is_secret_file(name, file));
        if is_old && Some(path.as_path()) != current {
            let _ = fs::remove_file(path);
        }
    }
}
