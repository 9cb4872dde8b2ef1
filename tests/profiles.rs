//! Profiles in files: which one is used for what, what a file may look like and who may write to it, and what the messages say.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(unused_imports)]
use proptest::prelude::*;
#[allow(unused_imports)]
use proptest::test_runner::RngSeed;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokenwell::config::keyring::{Keyring, KeyringError};
use tokenwell::config::{ClientAuthentication, Config, ConfigBuilder};
use tokenwell::error::{Error, Status};
use tokenwell::secret::Secret;

const ID: &str = "mdb_sa_id_0123456789abcdef01234567";
const SECRET: &str = "mdb_sa_sk_canary_0123456789";

/// A user's folder of settings, the variables of an environment, and a keyring; nothing else is looked at.
struct Home {
    folder: TempDir,
    variables: BTreeMap<String, OsString>,
    keyring: Arc<FakeKeyring>,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let variables = BTreeMap::from([
            ("XDG_CONFIG_HOME".to_owned(), folder.path().join("config").into_os_string()),
            ("HOME".to_owned(), folder.path().as_os_str().to_owned()),
            ("APPDATA".to_owned(), folder.path().join("config").into_os_string()),
        ]);
        Self { folder, variables, keyring: Arc::default() }
    }

    /// With our file of profiles.
    fn ours(self, text: &str) -> Self {
        write(&self.our_file(), text.as_bytes());
        self
    }

    /// With the Atlas CLI's file of profiles.
    fn theirs(self, text: &str) -> Self {
        write(&self.their_file(), text.as_bytes());
        self
    }

    fn variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    fn kept(self, service: &str, account: &str, secret: &str) -> Self {
        self.keyring.kept.lock().unwrap().insert((service.to_owned(), account.to_owned()), secret.to_owned());
        self
    }

    fn our_file(&self) -> PathBuf {
        self.folder.path().join("config/tokenwell/config.toml")
    }

    fn their_file(&self) -> PathBuf {
        let folder = if cfg!(target_os = "macos") { "Library/Application Support" } else { "config" };
        self.folder.path().join(folder).join("atlascli/config.toml")
    }

    fn builder(&self) -> ConfigBuilder {
        let variables = self.variables.clone();
        Config::builder().environment(move |name| variables.get(name).cloned()).keyring(self.keyring.clone())
    }

    fn build(&self) -> Config {
        self.builder().build().unwrap()
    }

    fn error(&self) -> Error {
        checked(self.builder().build().unwrap_err())
    }

    /// The error, which must be NOT_CONFIGURED, as text.
    fn not_configured(&self) -> String {
        let error = self.error();
        assert_eq!(error.status(), Status::NotConfigured, "{}", shown(&error));
        shown(&error)
    }
}

fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    set_mode(path, 0o600);
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn set_mode(_path: &Path, _mode: u32) {}

fn shown(error: &Error) -> String {
    format!("{error} | {} | {error:?}", error.hint())
}

/// What holds for every error: it is presentable, and it keeps quiet.
fn checked(error: Error) -> Error {
    let text = shown(&error);
    assert!(!text.contains("canary"), "{text}");
    assert!(!error.to_string().chars().any(char::is_control) && !error.hint().chars().any(char::is_control), "{text}");
    assert!(!error.hint().is_empty(), "{text}");
    error
}

fn assert_has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

fn origin<'a>(config: &'a Config, setting: &str) -> Option<&'a str> {
    config.provenance().iter().find(|origin| origin.setting() == setting).map(|origin| origin.source())
}

/// A profile with the account `id`.
fn profile(name: &str, id: &str) -> String {
    format!("[{name}]\nclient_id = \"{id}\"\nclient_secret = \"{SECRET}\"\n")
}

/// A keyring in memory, which writes down what it is asked.
#[derive(Default)]
struct FakeKeyring {
    kept: Mutex<BTreeMap<(String, String), String>>,
    asked: Mutex<Vec<(String, String)>>,
    fault: Mutex<Option<Fault>>,
}

#[derive(Clone, Copy)]
enum Fault {
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
            // As a message bus that accepts and never answers: until the process ends.
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

mod our_file {
    use super::*;

    #[test]
    fn the_default_profile_is_used_without_asking() {
        let home = Home::new().ours(&profile("default", ID));

        let config = home.build();

        assert_eq!(config.client_id(), ID);
        let place = format!("profile default in {}", home.our_file().display());
        assert_eq!((origin(&config, "client_id"), origin(&config, "client_secret")), (Some(&*place), Some(&*place)));
    }

    #[test]
    fn every_setting_of_a_profile_arrives_in_the_configuration() {
        let text = format!(
            "[default]\nclient_id = '{ID}'\nclient_secret_file = 'secrets/default'\ntoken_url = 'https://login.example.com/token'\n\
             revocation_url = 'https://login.example.com/revoke'\nauth_method = 'client_secret_post'\nscope = 'a b'\naudience = 'aud'\n\
             resource = 'urn:example:api'\ntimeout_ms = 1_500\nca_file = '/etc/ca.pem'\ncache = false\ncache_dir = '../tokens'\n\
             cache_unsafe = 'on' # a string does as well\n"
        );
        let home = Home::new().ours(&text);
        write(&home.our_file().with_file_name("secrets").join("default"), SECRET.as_bytes());

        let config = home.build();

        assert_eq!(config.token_endpoint().as_str(), "https://login.example.com/token");
        assert_eq!(config.revocation_endpoint().unwrap().as_str(), "https://login.example.com/revoke");
        assert_eq!(config.authentication(), ClientAuthentication::Post);
        assert_eq!((config.scope(), config.audience(), config.resource()), (Some("a b"), Some("aud"), Some("urn:example:api")));
        assert_eq!(config.timeout(), Duration::from_millis(1500));
        assert_eq!(config.ca_file().unwrap(), Path::new("/etc/ca.pem"));
        assert_eq!((config.cache(), config.cache_unsafe()), (false, true));
        assert_eq!(config.cache_dir().unwrap(), home.our_file().with_file_name("../tokens"));
    }

    #[test]
    fn a_profile_is_chosen_by_option_and_by_each_variable_in_order() {
        let text: String = ["default", "a", "b", "c", "d"].iter().map(|name| profile(name, name)).collect();
        let home = Home::new().ours(&text);
        assert_eq!(home.build().client_id(), "default");

        let home = home.variable("MCLI_PROFILE", "a");
        assert_eq!(home.build().client_id(), "a");
        let home = home.variable("MONGODB_ATLAS_PROFILE", "b");
        assert_eq!(home.build().client_id(), "b");
        let home = home.variable("TOKENWELL_PROFILE", "c");
        assert_eq!(home.build().client_id(), "c");
        assert_eq!(home.builder().profile("d").build().unwrap().client_id(), "d");
        assert_eq!(home.variable("TOKENWELL_PROFILE", "").build().client_id(), "b");
    }

    #[test]
    fn a_variable_may_name_the_file() {
        let home = Home::new().ours(&profile("default", "usual"));
        let path = home.folder.path().join("elsewhere.toml");
        write(&path, profile("default", ID).as_bytes());

        let home = home.variable("TOKENWELL_CONFIG_FILE", path);

        assert_eq!(home.build().client_id(), ID);
    }

    #[test]
    fn i27_a_file_that_a_variable_names_must_be_there() {
        let home = Home::new().variable("TOKENWELL_CONFIG_FILE", "/no/such/file.toml").variable("TOKENWELL_CLIENT_ID", ID);

        assert_has(
            &home.variable("TOKENWELL_CLIENT_SECRET", SECRET).not_configured(),
            &["TOKENWELL_CONFIG_FILE", "/no/such/file.toml", "no such file"],
        );
    }

    #[test]
    fn without_xdg_the_file_is_below_the_home_folder() {
        let mut home = Home::new();
        home.variables.remove("XDG_CONFIG_HOME");
        let below = if cfg!(target_os = "macos") { "Library/Application Support/tokenwell" } else { ".config/tokenwell" };
        write(&home.folder.path().join(below).join("config.toml"), profile("default", ID).as_bytes());

        assert_eq!(home.build().client_id(), ID);
    }

    #[test]
    fn files_are_not_read_unless_the_environment_is() {
        let home = Home::new().ours("this is no TOML");

        let config = home.builder().from_environment(false).client_id(ID).client_secret(SECRET).build().unwrap();

        assert_eq!(config.client_id(), ID);
        let error = Config::builder().client_id(ID).client_secret(SECRET).profile("staging").build().unwrap_err();
        assert_eq!(error.status(), Status::NotConfigured);
        assert_has(&shown(&error), &["profile is set", "from-environment constructor"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_path_beside_a_file_with_a_name_that_is_not_utf8_is_named_as_such() {
        use std::os::unix::ffi::OsStringExt;
        let home = Home::new();
        let folder = home.folder.path().join(OsString::from_vec(b"\xff".to_vec()));
        let path = folder.join("c.toml");
        write(&path, format!("[default]\nclient_id = '{ID}'\nclient_secret_file = 's'\n").as_bytes());

        let error = home.variable("TOKENWELL_CONFIG_FILE", path).error();

        assert_eq!(error.status(), Status::InvalidArgument);
        assert_has(&error.to_string(), &["client_secret_file in profile default", "is not UTF-8"]);
    }
}

mod unknown_profiles {
    use super::*;

    #[test]
    fn i27_a_profile_that_was_asked_for_and_is_not_there_is_an_error_with_those_that_are() {
        let home = Home::new().ours(&(profile("default", ID) + &profile("prod", ID))).theirs(&profile("other", ID));

        let shown = home.variable("TOKENWELL_PROFILE", "staging").not_configured();

        assert_has(&shown, &["there is no profile staging (TOKENWELL_PROFILE)", "tokenwell/config.toml", "the file has default, prod"]);
        assert_has(&shown, &["atlascli/config.toml", "the file has other", "Correct or take away TOKENWELL_PROFILE"]);
    }

    #[test]
    fn i27_a_credential_elsewhere_is_no_way_around_a_profile_that_is_not_there() {
        let home = Home::new().variable("MONGODB_ATLAS_CLIENT_ID", ID).variable("MONGODB_ATLAS_CLIENT_SECRET", SECRET);
        assert_eq!(home.build().client_id(), ID);

        assert_has(
            &home.variable("MCLI_PROFILE", "staging").not_configured(),
            &["there is no profile staging (MCLI_PROFILE)", "no such file"],
        );
    }

    #[test]
    fn a_profile_of_the_atlas_cli_alone_is_there() {
        let home = Home::new().ours(&profile("default", "usual")).theirs(&profile("prod", ID)).variable("MONGODB_ATLAS_PROFILE", "prod");

        assert_eq!(home.build().client_id(), ID);
    }

    #[test]
    fn a_file_without_a_default_profile_is_no_error_of_its_own() {
        let home = Home::new().ours(&profile("prod", ID));

        assert_has(&home.not_configured(), &["profile default in ", "no such profile; the file has prod"]);
        let home = home.variable("MCLI_CLIENT_ID", ID).variable("MCLI_CLIENT_SECRET", SECRET);
        assert_eq!(home.build().client_id(), ID);
    }
}
