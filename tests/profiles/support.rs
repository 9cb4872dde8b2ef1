//! A home directory with configuration files, variables and a keyring, and the checks for every
//! message.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokenwell::config::keyring::{Keyring, KeyringError};
use tokenwell::config::{Config, ConfigBuilder};
use tokenwell::error::{Error, Status};
use tokenwell::secret::Secret;

pub const ID: &str = "mdb_sa_id_0123456789abcdef01234567";
pub const SECRET: &str = "mdb_sa_sk_canary_0123456789";

/// The only inputs of a test: a user's configuration directory, environment variables and a
/// keyring.
pub struct Home {
    pub directory: TempDir,
    pub variables: BTreeMap<String, OsString>,
    pub keyring: Arc<FakeKeyring>,
}

impl Home {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let variables = BTreeMap::from([
            ("XDG_CONFIG_HOME".to_owned(), directory.path().join("config").into_os_string()),
            ("HOME".to_owned(), directory.path().as_os_str().to_owned()),
            ("APPDATA".to_owned(), directory.path().join("config").into_os_string()),
        ]);
        Self { directory, variables, keyring: Arc::default() }
    }

    /// With our configuration file.
    pub fn ours(self, text: &str) -> Self {
        write(&self.our_file(), text.as_bytes());
        self
    }

    /// With the configuration file of the Atlas CLI.
    pub fn theirs(self, text: &str) -> Self {
        write(&self.their_file(), text.as_bytes());
        self
    }

    pub fn variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    pub fn kept(self, service: &str, account: &str, secret: &str) -> Self {
        self.keyring.kept.lock().unwrap().insert((service.to_owned(), account.to_owned()), secret.to_owned());
        self
    }

    pub fn our_file(&self) -> PathBuf {
        self.directory.path().join("config/tokenwell/config.toml")
    }

    pub fn their_file(&self) -> PathBuf {
        let directory = if cfg!(target_os = "macos") { "Library/Application Support" } else { "config" };
        self.directory.path().join(directory).join("atlascli/config.toml")
    }

    pub fn builder(&self) -> ConfigBuilder {
        let variables = self.variables.clone();
        Config::builder().environment(move |name| variables.get(name).cloned()).keyring(self.keyring.clone())
    }

    pub fn build(&self) -> Config {
        self.builder().build().unwrap()
    }

    pub fn error(&self) -> Error {
        checked(self.builder().build().unwrap_err())
    }

    /// The error, which must be NOT_CONFIGURED, as a string.
    pub fn not_configured(&self) -> String {
        let error = self.error();
        assert_eq!(error.status(), Status::NotConfigured, "{}", shown(&error));
        shown(&error)
    }
}

/// Writes a private file to a private directory, with any umask.
pub fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    set_mode(path.parent().unwrap(), 0o700);
    fs::write(path, content).unwrap();
    set_mode(path, 0o600);
}

#[cfg(unix)]
pub fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
pub fn set_mode(_path: &Path, _mode: u32) {}

pub fn shown(error: &Error) -> String {
    format!("{error} | {} | {error:?}", error.hint())
}

/// Checks every error: it is printable, has a hint and shows no secret.
pub fn checked(error: Error) -> Error {
    let text = shown(&error);
    assert!(!text.contains("canary"), "{text}");
    assert!(!error.to_string().chars().any(char::is_control) && !error.hint().chars().any(char::is_control), "{text}");
    assert!(!error.hint().is_empty(), "{text}");
    error
}

pub fn assert_has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

pub fn origin<'a>(config: &'a Config, setting: &str) -> Option<&'a str> {
    config.provenance().iter().find(|origin| origin.setting() == setting).map(|origin| origin.source())
}

/// A profile with the account `id`.
pub fn profile(name: &str, id: &str) -> String {
    format!("[{name}]\nclient_id = \"{id}\"\nclient_secret = \"{SECRET}\"\n")
}

/// A keyring in memory, which records the entries that are read.
#[derive(Default)]
pub struct FakeKeyring {
    pub kept: Mutex<BTreeMap<(String, String), String>>,
    pub asked: Mutex<Vec<(String, String)>>,
    pub fault: Mutex<Option<Fault>>,
}

#[derive(Clone, Copy)]
pub enum Fault {
    Locked,
    Hangs,
}

impl FakeKeyring {
    fn begin(&self, service: &str, account: &str) -> Result<(String, String), KeyringError> {
        let key = (service.to_owned(), account.to_owned());
        self.asked.lock().unwrap().push(key.clone());
        let fault = *self.fault.lock().unwrap();
        match fault {
            None => Ok(key),
            Some(Fault::Locked) => Err(KeyringError::new("the keyring is locked")),
            // Like a message bus that accepts and never answers: until the process exits.
            Some(Fault::Hangs) => loop {
                std::thread::park();
            },
        }
    }
}

impl Keyring for FakeKeyring {
    fn read(&self, service: &str, account: &str) -> Result<Option<Secret>, KeyringError> {
        let key = self.begin(service, account)?;
        Ok(self.kept.lock().unwrap().get(&key).map(|secret| Secret::from(secret.as_str())))
    }

    fn write(&self, service: &str, account: &str, secret: &Secret) -> Result<(), KeyringError> {
        let key = self.begin(service, account)?;
        self.kept.lock().unwrap().insert(key, secret.expose().to_owned());
        Ok(())
    }

    fn delete(&self, service: &str, account: &str) -> Result<bool, KeyringError> {
        let key = self.begin(service, account)?;
        Ok(self.kept.lock().unwrap().remove(&key).is_some())
    }
}
