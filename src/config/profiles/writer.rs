//! Writes one profile into our file or takes one away, for `tokenwell login` and `tokenwell logout`.
//!
//! A change is one rename: whoever reads sees the file before it or after it. Comments and other profiles stay as they are. Nothing is written
//! through a link, into a folder that others may write to, or over a file of somebody else.

use super::super::environment::Environment;
use super::super::keyring::{self, Keyring, LONGEST_SECRET, delete_within, write_within};
use super::super::setting::{Key, by_name, profile_name};
use super::file::{Text, judge, listed, refused, shown};
use super::our_path;
use crate::error::Error;
use crate::platform;
use crate::secret::Secret;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use toml_edit::{DocumentMut, Item, Table, TableLike, value};

/// For how long another change of the same file is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

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
        let document = read(&self.path)?;
        if document.get(name).is_some_and(Item::is_table_like) {
            return Ok(document);
        }
        let names: Vec<_> = document.iter().filter(|(_, item)| item.is_table_like()).map(|(name, _)| name.to_owned()).collect();
        let found = if self.path.exists() { format!("the file has {}", listed(&names)) } else { "no such file".to_owned() };
        Err(Error::NotConfigured {
            problem: format!("there is no profile {name} in {}: {found}", shown(&self.path)),
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
    let mut document = read(&file.path)?;
    let before = Before::of(&document, name);
    let table = table(&mut document, &file.path, name)?;
    for (setting, text) in &account {
        put(table, setting, text.as_deref());
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
            put(table, "client_secret_file", Some(&relative));
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
    remove_table(&mut document, name);
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

/// The settings of an account by their names, with those that are to be absent.
type AccountSettings = Vec<(&'static str, Option<String>)>;

/// The settings of an account, each of them checked.
fn checked(profile: &Profile) -> Result<AccountSettings, Error> {
    let settings = [
        ("client_id", Some(&profile.client_id)),
        ("base_url", profile.base_url.as_ref()),
        ("token_url", profile.token_url.as_ref()),
        ("revocation_url", profile.revocation_url.as_ref()),
        ("auth_method", profile.auth_method.as_ref()),
        ("scope", profile.scope.as_ref()),
        ("audience", profile.audience.as_ref()),
        ("resource", profile.resource.as_ref()),
    ];
    if profile.base_url.is_some() && profile.token_url.is_some() {
        return Err(Error::invalid("base_url", "names the server in another way than token_url", "Give one of the two."));
    }
    let check = |(name, text): (&'static str, Option<&String>)| {
        if let Some(text) = text {
            by_name(name)?.check(name, text.as_bytes())?;
        }
        Ok((name, text.cloned()))
    };
    settings.into_iter().map(check).collect()
}

fn service(name: &str) -> String {
    format!("tokenwell_{name}")
}

/// Takes the account of a profile away, and leaves the rest: a keyring has one place for the profile's secret, and no rename that changes it together
/// with the file.
fn without_account(file: &ConfigFile, account: &AccountSettings, name: &str) -> Result<(), Error> {
    let mut document = read(&file.path)?;
    let table = table(&mut document, &file.path, name)?;
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

/// What a profile was before the change.
struct Before {
    there: bool,
    /// Its values of [`OF_ONE_SECRET`].
    account: [Option<String>; 4],
    secret_file: Option<String>,
    /// Whether its secret is not in the keyring.
    secret_elsewhere: bool,
}

/// The settings that say whose secret it is and where it is sent.
const OF_ONE_SECRET: [&str; 4] = ["client_id", "base_url", "token_url", "revocation_url"];

impl Before {
    fn of(document: &DocumentMut, name: &str) -> Self {
        let table = document.get(name).and_then(Item::as_table_like);
        let text = |key| table.and_then(|table| table.get(key)).and_then(Item::as_str).map(str::to_owned);
        let secret_file = text("client_secret_file");
        let secret_elsewhere = secret_file.is_some() || table.is_some_and(|table| table.contains_key("client_secret"));
        Self { there: table.is_some(), account: OF_ONE_SECRET.map(text), secret_file, secret_elsewhere }
    }

    fn secret_is_in_keyring(&self) -> bool {
        self.there && !self.secret_elsewhere
    }

    /// Whether a secret for `account` is for the same client at the same server.
    fn is_for(&self, account: &AccountSettings) -> bool {
        let new = |name| account.iter().find(|(setting, _)| *setting == name).and_then(|(_, text)| text.as_ref());
        self.account.iter().zip(OF_ONE_SECRET).all(|(old, name)| old.as_ref() == new(name))
    }

    /// The file with its secret, if that is one which we made for it.
    fn our_secret_file(&self, name: &str) -> Option<&str> {
        let ours = |file: &&str| file.strip_prefix("secrets/").is_some_and(|file| is_secret_file(name, file));
        self.secret_file.as_deref().filter(ours)
    }
}

/// Where the secret for `account` goes: to a file that no other account ever has, not even one that had this profile's name before.
///
/// A program goes on reading the file that its profile named when the program was started, also after a logout. Were it a file by the profile's name
/// alone, the secret of the next login would be sent to the server of the one before.
fn secret_file_of(name: &str, account: &AccountSettings) -> String {
    let value = |setting| account.iter().find(|(name, _)| *name == setting).and_then(|(_, text)| text.as_deref());
    let mut told_apart = Vec::new();
    for setting in OF_ONE_SECRET {
        let text = value(setting).unwrap_or_default();
        told_apart.extend_from_slice(&(text.len() as u64).to_be_bytes());
        told_apart.extend_from_slice(text.as_bytes());
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, &told_apart);
    let digits: String = digest.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("secrets/{name}~{digits}")
}

/// Whether `file` in `secrets` is one that holds, or held, the secret of the profile `name`. `~` is in no profile's name.
fn is_secret_file(name: &str, file: &str) -> bool {
    match file.strip_prefix(name) {
        Some("") => true,
        Some(rest) => rest.strip_prefix('~').is_some_and(|random| random.bytes().all(|byte| byte.is_ascii_hexdigit())),
        None => false,
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

/// The file as a document that can be changed; an empty one where there is no file.
fn read(path: &Path) -> Result<DocumentMut, Error> {
    not_a_link(path)?;
    let text = match Text::read(path)? {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(DocumentMut::new()),
        Err(error) => return Err(cannot_write(path, &error, "Check the path and that this user may read the file.")),
    };
    // The rules of reading hold here too; what they find is better said before anything is changed.
    text.contents("")?;
    let text_of_file = text.text()?;
    text_of_file.parse::<DocumentMut>().map_err(|error| text.not_toml(text_of_file, error.message(), error.span()))
}

/// The table of the profile, made if it is missing.
fn table<'a>(document: &'a mut DocumentMut, path: &Path, name: &str) -> Result<&'a mut dyn TableLike, Error> {
    if !document.contains_key(name) {
        let mut table = Table::new();
        if !document.is_empty() {
            table.decor_mut().set_prefix("\n");
        }
        document.insert(name, Item::Table(table));
    }
    document.get_mut(name).and_then(Item::as_table_like_mut).ok_or_else(|| {
        Error::invalid(shown(path), format!("{name} is there, and it is no profile"), format!("Take the line with {name} = … away."))
    })
}

/// Sets a text or takes it away; a comment behind the old value stays.
fn put(table: &mut dyn TableLike, key: &str, text: Option<&str>) {
    let Some(text) = text else {
        table.remove(key);
        return;
    };
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            let decor = old.decor().clone();
            *old = text.into();
            *old.decor_mut() = decor;
        }
        None => {
            table.insert(key, value(text));
        }
    }
}

/// Takes a table away, but not what stands above it and apart from it: the comment at the head of the file.
fn remove_table(document: &mut DocumentMut, name: &str) {
    let Some(removed) = document.remove(name) else { return };
    let prefix = removed.as_table().and_then(|table| table.decor().prefix()).and_then(|prefix| prefix.as_str()).unwrap_or_default();
    let Some((apart, _)) = prefix.rsplit_once("\n\n") else { return };
    if apart.trim().is_empty() {
        return;
    }
    let after = removed.as_table().and_then(Table::position);
    let next = document
        .iter_mut()
        .filter_map(|(_, item)| item.as_table_mut())
        .filter(|table| table.position() > after)
        .min_by_key(|table| table.position());
    match next {
        Some(table) => {
            let own = table.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default().trim_start_matches('\n').to_owned();
            table.decor_mut().set_prefix(format!("{apart}\n\n{own}"));
        }
        None => {
            let trailing = document.trailing().as_str().unwrap_or_default().to_owned();
            document.set_trailing(format!("{apart}\n{trailing}"));
        }
    }
}

/// The folder that a file is in; an empty path is the current folder's.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Sees that there is a folder here that only its owner writes to; makes it if it is missing.
fn private_folder(path: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => Err(refused(
            format!("{} is a link, and nothing is written through one", shown(path)),
            "Put a real folder there, or name the file itself with TOKENWELL_CONFIG_FILE.".to_owned(),
        )),
        Ok(metadata) if !metadata.is_dir() => {
            Err(refused(format!("{} is not a folder", shown(path)), format!("Move {} out of the way.", shown(path))))
        }
        Ok(metadata) => {
            let exposure = platform::exposure(&metadata);
            if exposure.stranger.is_none() && !exposure.writable {
                return Ok(());
            }
            Err(refused(
                format!("other users may change what is in the folder {}", shown(path)),
                format!("Make it yours alone: {}", platform::closing_command(&shown(path), "700")),
            ))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => platform::create_private_folder(path)
            .map_err(|error| cannot_write(path, &error, "Check the path and that this user may make folders there.")),
        Err(error) => Err(cannot_write(path, &error, "Check the path.")),
    }
}

fn not_a_link(path: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => Err(refused(
            format!("{} is a link, and nothing is written through one", shown(path)),
            "Change the file that it leads to by hand, or name that file with TOKENWELL_CONFIG_FILE.".to_owned(),
        )),
        _ => Ok(()),
    }
}

/// Puts a new private file in the place of the one at `path`, whole or not at all.
fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    not_a_link(path)?;
    if let Ok(metadata) = fs::symlink_metadata(path) {
        if !metadata.is_file() {
            return Err(refused(format!("{} is not a regular file", shown(path)), format!("Move {} out of the way.", shown(path))));
        }
        judge(&shown(path), platform::exposure(&metadata), false)?;
    }
    let folder = folder_of(path);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let temporary = Temporary(folder.join(format!(".{name}.{}.{:016x}", std::process::id(), fastrand::u64(..))));
    let written = (|| {
        let mut file = platform::create_private_file(&temporary.0)?;
        file.write_all(content)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&temporary.0, path)?;
        platform::settle_folder(folder)
    })();
    written.map_err(|error| cannot_write(path, &error, "Check the disk's space and that this user may write to the folder."))
}

/// A file that is deleted unless it was renamed.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The right to change the files of one folder, given back when the process ends at the latest.
struct Lock(#[allow(dead_code)] File);

impl Lock {
    fn take(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(".lock");
        not_a_link(&path)?;
        let failed = |error: &io::Error| cannot_write(&path, error, "Check that this user may write to the folder.");
        let file = match platform::create_private_file(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => OpenOptions::new().write(true).open(&path),
            other => other,
        };
        let file = file.map_err(|error| failed(&error))?;
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::Error(error)) => return Err(failed(&error)),
                Err(TryLockError::WouldBlock) if start.elapsed() > LOCK_PATIENCE => {
                    return Err(Error::NotConfigured {
                        problem: format!(
                            "another program has been changing the files in {} for {} s",
                            shown(folder),
                            LOCK_PATIENCE.as_secs()
                        ),
                        hint: "Let the other tokenwell finish, or end it.".to_owned(),
                    });
                }
                // No call waits for a lock with a limit.
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

fn cannot_write(path: &Path, error: &io::Error, hint: &str) -> Error {
    Error::NotConfigured { problem: format!("{} cannot be written: {error}", shown(path)), hint: hint.to_owned() }
}
