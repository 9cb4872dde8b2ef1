//! Profiles in files: which one is used for what, what a file may look like and who may write to it, and what the messages say.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
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

/// Writes a private file into a private folder, whatever the umask.
fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    set_mode(path.parent().unwrap(), 0o700);
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
        assert_has(
            &shown,
            &["atlascli/config.toml", "the file has other", "`tokenwell login --profile staging`", "take away TOKENWELL_PROFILE"],
        );
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

mod mistakes {
    use super::*;

    #[test]
    fn a_mistake_is_answered_with_file_line_and_key() {
        let table: &[(&str, &[&str])] = &[
            ("[default]\nclientId = 'x'\n", &[".toml:2", "there is no setting clientId", "Did you mean client_id?", "client_secret_file"]),
            ("[default]\nclient_secrt = 'canary'\n", &[".toml:2", "no setting client_secrt", "Did you mean client_secret?"]),
            ("[default]\nmdb_sa_sk_canary = 1\n", &[".toml:2", "no name of a setting"]),
            ("[default]\n\"can\\u0061ry\\u001b[31m canary\" = 1\n", &[".toml:2", "no name of a setting"]),
            ("[default]\nmanual_clock_ms = 5\n", &[".toml:2", "manual_clock_ms cannot be set in a profile"]),
            ("[default]\nprofile = 'a'\n", &[".toml:2", "profile cannot be set in a profile"]),
            (
                "# first\n[default]\n\ntimeout_ms = true\n",
                &[".toml:4", "timeout_ms in profile default", "is true or false and must be an integer", "timeout_ms = 30000"],
            ),
            ("[default]\ntimeout_ms = 1.5\n", &["is a number with a fraction"]),
            ("[default]\ncache = 1\n", &["cache in profile default", "is an integer and must be true or false"]),
            ("[default]\nclient_secret = ['canary']\n", &["client_secret in profile default", "is an array and must be a string"]),
            ("[default.client_secret]\nvalue = 'canary'\n", &["client_secret in profile default", "is a table and must be a string"]),
            ("[default]\nclient_id = 2024-01-01\n", &["is a date or a time"]),
            ("\nclient_secret = 'canary'\n", &[".toml:2", "client_secret stands outside of a profile", "[default]"]),
            ("[[default]]\nclient_id = 'x'\n", &[".toml:1", "default stands outside of a profile"]),
            ("[default]\nclient_secret = canary\n", &[".toml:2", "is not TOML"]),
            ("[default]\nclient_secret = 'canary\n", &[".toml:2", "is not TOML"]),
            ("[default]\nclient_id = 'a'\nclient_id = 'canary'\n", &[".toml:3", "is not TOML"]),
            ("[default\nclient_secret = 'canary'\n", &[".toml:1", "is not TOML"]),
            ("canary\n", &[".toml:1", "is not TOML"]),
            ("\u{0}", &[".toml:1", "is not TOML"]),
        ];
        for (text, parts) in table {
            let home = Home::new().ours(text);

            let error = home.error();

            assert_eq!(error.status(), Status::InvalidArgument, "{text}: {}", shown(&error));
            assert_has(&error.to_string(), &["tokenwell/config.toml"]);
            assert_has(&shown(&error), parts);
        }
    }

    #[test]
    fn a_value_that_is_not_acceptable_is_named_by_its_line_and_not_shown() {
        let table = [
            ("client_secret = \"canary\\n\"", Status::InvalidArgument, "client_secret in profile default", "newline"),
            ("client_secret = ''", Status::InvalidArgument, "client_secret in profile default", "empty"),
            ("client_secret = 'x'\nbase_url = 'http://cloud.mongodb.com'", Status::Refused, "base_url in profile default", "http"),
            ("client_secret = 'x'\ntimeout_ms = 0", Status::InvalidArgument, "timeout_ms in profile default", "1 to 600000"),
            ("client_secret = 'x'\ntimeout_ms = -5", Status::InvalidArgument, "timeout_ms in profile default", "1 to 600000"),
            ("client_secret = 'x'\ncache = 'maybe'", Status::InvalidArgument, "cache in profile default", "neither"),
        ];
        for (lines, status, place, part) in table {
            let error = Home::new().ours(&format!("[default]\nclient_id = 'id'\n{lines}\n")).error();

            assert_eq!(error.status(), status, "{lines}: {}", shown(&error));
            assert_has(&error.to_string(), &[place, "config.toml:", part]);
        }
    }

    #[test]
    fn a_mistake_in_another_profile_is_nobodys_business() {
        let home = Home::new().ours(&(profile("default", ID) + "[other]\nclientId = 5\n"));

        assert_eq!(home.build().client_id(), ID);
        assert_has(&shown(&home.variable("TOKENWELL_PROFILE", "other").error()), &["profile other", "Did you mean client_id?"]);
    }

    #[test]
    fn a_file_that_is_no_text_or_too_long_is_named() {
        let home = Home::new();
        write(&home.our_file(), b"[default]\n# \xff canary\n");
        assert_has(&home.error().to_string(), &["config.toml:2", "is not UTF-8"]);

        let home = Home::new().ours(&"# canary\n".repeat(40_000));
        assert_has(&home.error().to_string(), &["config.toml", "longer than 256 KiB"]);
    }

    #[test]
    fn half_a_pair_in_a_profile_is_not_completed_by_another_source() {
        let home = Home::new().ours(&format!("[default]\nclient_secret = '{SECRET}'\n")).theirs(&profile("default", ID));

        assert_has(&home.not_configured(), &["client_secret in profile default", ".toml:2 is set without client_id"]);
    }

    #[test]
    fn contradictions_in_a_profile_are_named() {
        let both = Home::new().ours(&(profile("default", ID) + "client_secret_file = '/run/secret'\n"));
        assert_has(
            &both.not_configured(),
            &["client_secret in profile default", "client_secret_file in profile default", "only one secret"],
        );

        let servers = "base_url = 'https://a.example'\ntoken_url = 'https://b.example/token'\n";
        let home = Home::new().ours(&(profile("default", ID) + servers));
        assert_has(&home.not_configured(), &["base_url in profile default", "token_url in profile default"]);
    }
}

mod permissions {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn i10_a_file_with_a_secret_must_be_closed_to_others() {
        let home = Home::new().ours(&profile("default", ID));
        for mode in [0o640, 0o604, 0o644, 0o660, 0o606, 0o666, 0o620, 0o602] {
            set_mode(&home.our_file(), mode);

            let error = home.error();

            assert_eq!(error.status(), Status::Refused, "{mode:o}");
            assert_has(&error.to_string(), &["tokenwell/config.toml"]);
            assert_has(&error.hint(), &["chmod 600 ", &home.our_file().display().to_string()]);
        }
        for mode in [0o600, 0o400, 0o700] {
            set_mode(&home.our_file(), mode);
            assert_eq!(home.build().client_id(), ID, "{mode:o}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn i10_a_secret_in_any_profile_or_outside_of_them_counts() {
        for text in [format!("[default]\n{}", profile("other", ID)), "client_secret = 'canary'\n".to_owned()] {
            let home = Home::new().ours(&text);
            set_mode(&home.our_file(), 0o644);

            assert_eq!(home.error().status(), Status::Refused);
        }
    }

    #[cfg(unix)]
    #[test]
    fn i10_a_file_without_a_secret_may_be_read_by_others_and_not_written() {
        let home = Home::new().ours("[default]\ntimeout_ms = 1000\n");
        let home = home.variable("TOKENWELL_CLIENT_ID", ID).variable("TOKENWELL_CLIENT_SECRET", SECRET);
        set_mode(&home.our_file(), 0o644);
        assert_eq!(home.build().timeout(), Duration::from_secs(1));

        for mode in [0o664, 0o646, 0o622] {
            set_mode(&home.our_file(), mode);
            let error = home.error();
            assert_eq!(error.status(), Status::Refused);
            assert_has(&shown(&error), &["may be written by other users", "chmod 600"]);
        }
    }

    /// Only the administrator can give a file away; for everybody else the rule itself is tested in `platform`.
    #[cfg(unix)]
    #[test]
    fn i10_a_file_of_another_user_is_refused() {
        use nix::unistd::{Uid, chown, geteuid};
        for text in [profile("default", ID), "[default]\ntimeout_ms = 1000\n".to_owned()] {
            let home = Home::new().ours(&text);
            let given_away = chown(&home.our_file(), Some(Uid::from_raw(12345)), None);

            if geteuid().is_root() {
                given_away.unwrap();
                let error = home.error();
                assert_eq!(error.status(), Status::Refused);
                assert_has(&shown(&error), &["belongs to user 12345", "chown", "chmod 600"]);
            } else {
                assert_eq!(given_away, Err(nix::errno::Errno::EPERM));
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn i10_what_is_not_a_regular_file_is_refused_without_waiting() {
        let pipe = Home::new();
        fs::create_dir_all(pipe.our_file().parent().unwrap()).unwrap();
        nix::unistd::mkfifo(&pipe.our_file(), nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR).unwrap();
        let folder = Home::new();
        fs::create_dir_all(folder.our_file()).unwrap();

        for home in [pipe, folder] {
            let error = home.error();
            assert_eq!(error.status(), Status::Refused);
            assert_has(&error.to_string(), &["config.toml is not a regular file"]);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_judged_by_the_file_that_it_leads_to() {
        let home = Home::new();
        let real = home.folder.path().join("dotfiles.toml");
        write(&real, profile("default", ID).as_bytes());
        fs::create_dir_all(home.our_file().parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&real, home.our_file()).unwrap();
        assert_eq!(home.build().client_id(), ID);

        set_mode(&real, 0o644);

        assert_eq!(home.error().status(), Status::Refused);
    }

    #[cfg(unix)]
    #[test]
    fn i10_the_file_of_the_atlas_cli_is_held_to_the_same_rules() {
        let home = Home::new().theirs(&profile("default", ID));
        assert_eq!(home.build().client_id(), ID);

        set_mode(&home.their_file(), 0o644);

        let error = home.error();
        assert_eq!(error.status(), Status::Refused);
        assert_has(&shown(&error), &["atlascli/config.toml holds a client_secret", "chmod 600"]);
    }
}

mod atlas_cli {
    use super::*;

    fn origin_of(text: &str) -> String {
        Home::new().theirs(text).build().token_endpoint().origin()
    }

    #[test]
    fn a_service_account_of_the_atlas_cli_is_used() {
        let text = "skip_update_check = true\n\n[default]\nauth_type = 'service_account'\nclient_id = 'their-id'\nclient_secret = 's'\norg_id = '5'\nsomething_new = 7\n";
        let home = Home::new().theirs(text);

        let config = home.build();

        assert_eq!(config.client_id(), "their-id");
        assert_eq!(config.token_endpoint().origin(), "https://cloud.mongodb.com");
        assert_eq!(origin(&config, "client_secret"), Some(&*format!("profile default in {}", home.their_file().display())));
        assert_eq!(origin(&config, "base_url"), Some("the default"));
    }

    #[test]
    fn its_server_is_that_of_its_url_or_of_its_service() {
        let with = |lines: &str| profile("default", ID) + lines;

        assert_eq!(origin_of(&with("service = 'cloudgov'\n")), "https://cloud.mongodbgov.com");
        assert_eq!(origin_of(&with("service = 'cloud'\nops_manager_url = ''\n")), "https://cloud.mongodb.com");
        assert_eq!(origin_of(&with("ops_manager_url = 'https://a.example/'\n")), "https://a.example");
        assert_eq!(origin_of(&with("base_url = 'https://b.example'\nservice = 'cloudgov'\n")), "https://b.example");
        let home = Home::new().theirs(&with("ops_manager_url = 'http://a.example'\n"));
        assert_has(&home.error().to_string(), &["ops_manager_url in profile default", "atlascli/config.toml:4"]);
    }

    #[test]
    fn what_is_no_service_account_is_named_as_what_it_is() {
        let table = [
            ("auth_type = 'api_keys'\npublic_api_key = 'abcdefgh'\nprivate_api_key = 'canary'", "holds an API key, not a service account"),
            ("public_api_key = 'abcdefgh'\nprivate_api_key = 'canary'", "holds an API key, not a service account"),
            ("auth_type = 'user_account'\naccess_token = 'canary'", "holds a person's login, not a service account"),
            ("auth_type = 'no_auth'", "holds something else than a service account"),
            ("org_id = '5'", "has no client_id"),
            ("client_id = 'x'\nclient_secret = 'canary'\nservice = 'ops-manager'", "is for another service than MongoDB Atlas"),
        ];
        for (lines, part) in table {
            let home = Home::new().theirs(&format!("[default]\n{lines}\n"));

            let error = home.error();

            assert_eq!(error.status(), Status::NotConfigured);
            let place = format!("profile default in {}: {part}", home.their_file().display());
            assert!(error.looked_at().last().unwrap().starts_with(&place), "{:?}", error.looked_at());
        }
    }

    #[test]
    fn its_file_is_not_opened_where_it_is_not_needed() {
        let home = Home::new().theirs("this is no TOML").ours(&profile("default", ID));

        assert_eq!(home.build().client_id(), ID);
        fs::remove_file(home.our_file()).unwrap();
        assert_has(&home.error().to_string(), &["atlascli/config.toml:1", "is not TOML"]);
    }
}

mod order {
    use super::*;

    #[test]
    fn each_source_wins_over_those_below_it() {
        let home = Home::new().theirs(&profile("default", "6")).ours(&profile("default", "5"));
        let home = [("4", "MCLI"), ("3", "MONGODB_ATLAS"), ("2", "TOKENWELL")].into_iter().fold(home, |home, (id, family)| {
            home.variable(&format!("{family}_CLIENT_ID"), id).variable(&format!("{family}_CLIENT_SECRET"), SECRET)
        });
        assert_eq!(home.builder().client_id("1").client_secret("s").build().unwrap().client_id(), "1");

        let mut home = home;
        for (id, family) in [("2", "TOKENWELL"), ("3", "MONGODB_ATLAS"), ("4", "MCLI")] {
            assert_eq!(home.build().client_id(), id);
            home.variables.retain(|name, _| !name.starts_with(family));
        }
        assert_eq!(home.build().client_id(), "5");
        fs::remove_file(home.our_file()).unwrap();
        assert_eq!(home.build().client_id(), "6");
    }

    #[test]
    fn settings_come_each_from_the_first_source_that_has_them() {
        let home = Home::new().ours(&(profile("default", ID) + "base_url = 'https://file.example'\nscope = 'file'\ntimeout_ms = 1000\n"));
        let home = home.variable("MONGODB_ATLAS_BASE_URL", "https://variable.example").variable("TOKENWELL_SCOPE", "variable");

        let config = home.builder().scope("option").build().unwrap();

        let file = format!("profile default in {}", home.our_file().display());
        assert_eq!(config.token_endpoint().origin(), "https://variable.example");
        assert_eq!((config.scope(), config.timeout()), (Some("option"), Duration::from_secs(1)));
        let origins: Vec<_> = config.provenance().iter().map(|origin| (origin.setting(), origin.source())).collect();
        let expected = [
            ("client_id", &*file),
            ("client_secret", &file),
            ("base_url", "environment variable MONGODB_ATLAS_BASE_URL"),
            ("auth_method", "the default"),
            ("scope", "option scope"),
            ("timeout_ms", &file),
            ("cache", "the default"),
        ];
        assert_eq!(origins, expected);
    }

    #[test]
    fn i6_the_server_of_a_profiles_account_does_not_get_the_secret_of_another_source() {
        let account =
            profile("default", "other") + "base_url = 'https://other.example'\nscope = 'other'\nca_file = '/ca.pem'\ntimeout_ms = 1000\n";
        let home = Home::new().ours(&account).variable("MONGODB_ATLAS_CLIENT_ID", ID).variable("MONGODB_ATLAS_CLIENT_SECRET", SECRET);

        let config = home.build();

        assert_eq!((config.client_id(), config.scope()), (ID, None));
        assert_eq!(config.token_endpoint().origin(), "https://cloud.mongodb.com");
        assert_eq!((config.ca_file(), config.timeout()), (Some(Path::new("/ca.pem")), Duration::from_secs(1)));
    }

    #[test]
    fn a_profile_without_a_credential_serves_that_of_another_source() {
        let home = Home::new().ours("[default]\nbase_url = 'https://a.example'\nscope = 'a'\n");

        let config = home.variable("MCLI_CLIENT_ID", ID).variable("MCLI_CLIENT_SECRET", SECRET).build();

        assert_eq!((config.token_endpoint().origin().as_str(), config.scope()), ("https://a.example", Some("a")));
    }

    #[test]
    fn a_profile_that_an_option_asks_for_does_not_lose_in_silence() {
        for home in [Home::new().ours(&profile("staging", "other")), Home::new().theirs(&profile("staging", "other"))] {
            let home = home.variable("MONGODB_ATLAS_CLIENT_ID", ID).variable("MONGODB_ATLAS_CLIENT_SECRET", SECRET);

            let error = checked(home.builder().profile("staging").build().unwrap_err());

            assert_eq!(error.status(), Status::NotConfigured);
            assert_has(&shown(&error), &["the option profile asks for profile staging in ", "win over those of a profile"]);
            assert_eq!(home.variable("TOKENWELL_PROFILE", "staging").build().client_id(), ID);
        }
    }

    #[test]
    fn nothing_anywhere_is_answered_with_one_line_for_each_place_in_order() {
        let home =
            Home::new().ours("[prod]\n").theirs("[default]\nauth_type = 'api_keys'\n").variable("MONGODB_ATLAS_ACCESS_TOKEN", "canary");

        let error = home.error();

        assert_eq!(error.status(), Status::NotConfigured);
        let expected = [
            "options client_id (not set), client_secret (not set), client_secret_file (not set)".to_owned(),
            "environment variables TOKENWELL_CLIENT_ID (not set), TOKENWELL_CLIENT_SECRET (not set), TOKENWELL_CLIENT_SECRET_FILE (not set)".to_owned(),
            "environment variables MONGODB_ATLAS_CLIENT_ID (not set), MONGODB_ATLAS_CLIENT_SECRET (not set)".to_owned(),
            "environment variables MCLI_CLIENT_ID (not set), MCLI_CLIENT_SECRET (not set)".to_owned(),
            format!("profile default in {}: no such profile; the file has prod", home.our_file().display()),
            format!("profile default in {}: holds an API key, not a service account", home.their_file().display()),
            "MONGODB_ATLAS_ACCESS_TOKEN: a static access token, which tokenwell does not use: it cannot be renewed".to_owned(),
        ];
        assert_eq!(error.looked_at(), expected);
        assert_has(&error.hint(), &["MONGODB_ATLAS_CLIENT_ID", "tokenwell login"]);
    }

    #[test]
    fn a_static_access_token_is_of_no_interest_where_there_is_a_credential() {
        let home = Home::new().ours(&profile("default", ID)).variable("MONGODB_ATLAS_ACCESS_TOKEN", "canary");

        assert_eq!(home.build().client_id(), ID);
    }

    #[test]
    fn i21_provenance_never_shows_a_value() {
        let config = Home::new().ours(&(profile("default", ID) + "scope = 'a-scope'\n")).build();

        let origins = format!("{:?}", config.provenance());
        assert!(!origins.contains("canary") && !origins.contains("a-scope") && !origins.contains(ID), "{origins}");
        assert!(!format!("{config:?}").contains("canary"));
    }
}

mod keyring {
    use super::*;

    fn pairs(home: &Home) -> Vec<(String, String)> {
        home.keyring.asked.lock().unwrap().clone()
    }

    fn pair(service: &str, account: &str) -> (String, String) {
        (service.to_owned(), account.to_owned())
    }

    #[test]
    fn the_secret_of_a_profile_may_be_in_the_keyring() {
        let home = Home::new().ours(&format!("[staging]\nclient_id = '{ID}'\n")).kept("tokenwell_staging", "client_secret", SECRET);

        let config = home.variable("TOKENWELL_PROFILE", "staging").build();

        assert_eq!(config.client_id(), ID);
        assert_eq!(origin(&config, "client_secret"), Some("the keyring (service tokenwell_staging, account client_secret)"));
        assert!(origin(&config, "client_id").unwrap().starts_with("profile staging in "));
        assert!(!format!("{config:?}").contains("canary"));
    }

    #[test]
    fn the_account_of_an_atlas_cli_profile_may_be_in_the_keyring() {
        let home = Home::new().theirs("[default]\nauth_type = 'service_account'\nservice = 'cloudgov'\n");
        let home = home.kept("atlascli_default", "client_id", ID).kept("atlascli_default", "client_secret", SECRET);

        let config = home.build();

        assert_eq!((config.client_id(), config.token_endpoint().origin().as_str()), (ID, "https://cloud.mongodbgov.com"));
        assert_eq!(origin(&config, "client_id"), Some("the keyring (service atlascli_default, account client_id)"));
    }

    #[test]
    fn i20_only_the_exact_service_and_account_are_asked_for() {
        let home = Home::new().ours("[default]\ntimeout_ms = 1000\n").theirs("[default]\nauth_type = 'service_account'\nclient_id = 'x'\n");
        let home = home.kept("atlascli_other", "client_secret", SECRET).kept("another program", "client_secret", SECRET);

        let shown = home.not_configured();

        assert_eq!(pairs(&home), [pair("atlascli_default", "client_secret")]);
        assert_has(&shown, &["client_id in profile default", "is set without client_secret"]);
        assert_has(&shown, &["client_secret is neither there nor in the keyring (service atlascli_default, account client_secret)"]);
    }

    #[test]
    fn the_keyring_is_not_asked_where_nothing_is_missing() {
        let complete = Home::new().ours(&profile("default", ID));
        let above = Home::new().ours("[default]\nclient_id = 'x'\n").variable("MCLI_CLIENT_ID", ID).variable("MCLI_CLIENT_SECRET", SECRET);
        let api_key = Home::new().theirs("[default]\nauth_type = 'api_keys'\n");

        complete.build();
        assert_eq!(above.build().client_id(), ID);
        api_key.not_configured();

        for home in [complete, above, api_key] {
            assert!(pairs(&home).is_empty());
        }
    }

    #[test]
    fn a_keyring_that_cannot_be_used_is_named_with_its_reason() {
        let ours = Home::new().ours(&format!("[default]\nclient_id = '{ID}'\n"));
        let theirs = Home::new().theirs("[default]\nauth_type = 'service_account'\n");
        for home in [ours, theirs] {
            *home.keyring.fault.lock().unwrap() = Some(Fault::Locked);

            assert_has(&home.not_configured(), &["profile default ", "not there, and the keyring is locked"]);
        }
    }

    #[test]
    fn i19_a_keyring_that_hangs_is_waited_for_two_seconds_and_not_longer() {
        let home = Home::new().theirs("[default]\nauth_type = 'service_account'\n");
        *home.keyring.fault.lock().unwrap() = Some(Fault::Hangs);

        let error = home.error();

        assert_eq!(error.status(), Status::NotConfigured);
        assert_has(error.looked_at().last().unwrap(), &["atlascli/config.toml", "the keyring did not answer within 2 s"]);
    }

    #[cfg(not(feature = "keyring"))]
    #[test]
    fn a_build_without_a_keyring_says_so() {
        let home = Home::new().ours(&format!("[default]\nclient_id = '{ID}'\n"));
        let variables = home.variables.clone();

        let error = checked(Config::builder().environment(move |name| variables.get(name).cloned()).build().unwrap_err());

        assert_has(&shown(&error), &["this build of tokenwell has no keyring"]);
    }
}

/// Lines that a file of profiles may have, well-formed and not, around a text that must not be shown.
fn any_lines() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        proptest::sample::select(vec![
            "client_id",
            "client_secret",
            "clientSecret",
            "base_url",
            "timeout_ms",
            "cache",
            "auth_type",
            "a.b",
            "\"\"",
            "''"
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,12}",
    ];
    let value = prop_oneof![
        Just("'CANARY-7f3a'".to_owned()),
        Just("\"CANARY-7f3a\\n\\u001b\"".to_owned()),
        Just("CANARY-7f3a".to_owned()),
        Just("'''\nCANARY-7f3a\n'''".to_owned()),
        Just("['CANARY-7f3a', {a = 'CANARY-7f3a'}]".to_owned()),
        Just("\"CANARY-7f3a".to_owned()),
        "\\PC{0,16}",
        "[0-9+.e_-]{0,8}",
    ];
    let line = prop_oneof![
        4 => (key, value).prop_map(|(key, value)| format!("{key} = {value}")),
        2 => proptest::sample::select(vec!["[default]", "[default.more]", "[[default]]", "[other]", "[", "# CANARY-7f3a", ""]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    proptest::collection::vec(line, 0..8).prop_map(|lines| lines.join("\n"))
}

#[test]
fn i21_no_file_makes_it_panic_or_show_a_value() {
    // One folder for all cases: making and deleting a thousand is most of the work.
    let home = Home::new().ours("").theirs("");
    let config =
        ProptestConfig { failure_persistence: None, rng_seed: RngSeed::Fixed(0x70_6b_65_6e), cases: 500, ..ProptestConfig::default() };

    let outcome = TestRunner::new(config).run(&(any_lines(), any_lines()), |(ours, theirs)| {
        for (ours, theirs) in [(&*ours, ""), ("", &*theirs), (&format!("[default]\n{ours}"), &theirs)] {
            fs::write(home.our_file(), ours)?;
            fs::write(home.their_file(), theirs)?;
            if let Err(error) = home.builder().build() {
                let shown = shown(&error);
                prop_assert!(!shown.contains("CANARY-7f3a"), "{shown}");
                prop_assert!(!error.to_string().chars().any(char::is_control) && !error.hint().chars().any(char::is_control), "{shown}");
                prop_assert!(matches!(error.status(), Status::InvalidArgument | Status::NotConfigured | Status::Refused), "{shown}");
            }
        }
        Ok(())
    });

    outcome.unwrap();
}

/// Each in a text of TOML between quotation marks.
const LINE_ENDS: [&str; 6] = ["\\r", "\\n", "\\r\\n", "\\u000d", "\\u000A", "\\U0000000D"];

fn with_line(key: &str, value: &str) -> String {
    let account = [("client_id", ID), ("client_secret", SECRET)];
    let lines: String = account.iter().filter(|(name, _)| *name != key).map(|(name, value)| format!("{name} = '{value}'\n")).collect();
    format!("[default]\n{lines}{key} = \"{value}\"\n")
}

#[test]
fn i3_no_value_of_a_profile_may_end_a_line() {
    let ours =
        ["client_id", "client_secret", "base_url", "auth_method", "scope", "audience", "resource", "ca_file", "cache_dir", "timeout_ms"];
    let theirs = ["client_id", "client_secret", "base_url", "ops_manager_url"];

    for end in LINE_ENDS {
        for value in [format!("https://a.example{end}"), format!("a{end}host=evil.example"), end.to_owned()] {
            for key in ours {
                let message = Home::new().ours(&with_line(key, &value)).error().to_string();
                assert!(message.contains(key) && !message.contains("evil"), "{key} = {value}: {message}");
            }
            for key in theirs {
                let message = Home::new().theirs(&with_line(key, &value)).error().to_string();
                assert!(message.contains(key) && !message.contains("evil"), "{key} = {value}: {message}");
            }
        }
    }
}

#[test]
fn i3_a_carriage_return_alone_ends_no_line_of_a_file() {
    let good = profile("default", ID) + "timeout_ms = 1500\n# a remark\n";
    let as_it_should_be = |config: &Config| (config.client_id() == ID, config.timeout().as_millis(), config.token_endpoint().origin());
    let expected = (true, 1500, "https://cloud.mongodb.com".to_owned());
    assert_eq!(as_it_should_be(&Home::new().ours(&good.replace('\n', "\r\n")).build()), expected);

    for (place, _) in good.match_indices('\n') {
        for evil in ["", "base_url = 'https://evil.example'"] {
            let text = format!("{}\r{evil}\r{}", &good[..place], &good[place + 1..]);
            for home in [Home::new().ours(&text), Home::new().theirs(&text)] {
                let message = home.error().to_string();
                assert!(message.contains("config.toml") && !message.contains("evil"), "{text:?}: {message}");
            }
        }
    }
    // In a comment, and in a text between quotation marks, as it is.
    for line in ["# a remark\rbase_url = 'https://evil.example'", "audience = 'a\rbase_url = https://evil.example'"] {
        let message = Home::new().ours(&format!("{good}{line}\n")).error().to_string();
        assert!(message.contains("config.toml:6") && !message.contains("evil"), "{line:?}: {message}");
    }
}

#[cfg(feature = "cli")]
mod writing {
    use super::*;
    use tokenwell::config::profiles::{ConfigFile, KeyringOutcome, Profile, SecretPlace, remove_profile, store_profile};

    impl Home {
        fn file(&self) -> ConfigFile {
            ConfigFile::at(self.our_file()).keyring(self.keyring.clone())
        }

        fn store(&self, name: &str, profile: &Profile, secret: &str, place: SecretPlace) -> Result<(), Error> {
            store_profile(&self.file(), name, profile, &Secret::from(secret), place).map(drop).map_err(checked)
        }

        fn text(&self) -> String {
            fs::read_to_string(self.our_file()).unwrap()
        }

        fn secrets(&self) -> Vec<String> {
            let folder = self.our_file().with_file_name("secrets");
            let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }

        fn named(&self, name: &str) -> Config {
            self.builder().profile(name).build().unwrap()
        }
    }

    fn account(id: &str) -> Profile {
        Profile { client_id: id.to_owned(), ..Profile::default() }
    }

    #[test]
    fn a_stored_profile_is_read_back() {
        let home = Home::new();
        let profile = Profile {
            client_id: ID.to_owned(),
            token_url: Some("https://login.example.com/token".to_owned()),
            revocation_url: Some("https://login.example.com/revoke".to_owned()),
            auth_method: Some("client_secret_post".to_owned()),
            scope: Some("read write".to_owned()),
            audience: Some("aud \"quoted\"".to_owned()),
            resource: Some("urn:example:api".to_owned()),
            base_url: None,
        };

        let stored = store_profile(&home.file(), "staging", &profile, &Secret::from(SECRET), SecretPlace::File).unwrap();

        let config = home.named("staging");
        assert_eq!((config.client_id(), config.token_endpoint().as_str()), (ID, "https://login.example.com/token"));
        assert_eq!(
            (config.scope(), config.audience(), config.resource()),
            (Some("read write"), Some("aud \"quoted\""), Some("urn:example:api"))
        );
        assert_eq!(config.authentication(), ClientAuthentication::Post);
        assert!(!stored.replaced && stored.path == home.our_file());
        assert_eq!(fs::read_to_string(stored.secret_file.unwrap()).unwrap(), SECRET);
        assert!(!home.text().contains("canary"), "{}", home.text());
    }

    #[cfg(unix)]
    #[test]
    fn i10_what_is_written_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let home = Home::new();

        home.store("default", &account(ID), SECRET, SecretPlace::File).unwrap();

        let folder = home.our_file().parent().unwrap().to_owned();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join("secrets"))), (0o700, 0o700));
        assert_eq!((mode(&home.our_file()), mode(&folder.join(secret_file(&home, "default")))), (0o600, 0o600));
        set_mode(&home.our_file(), 0o644);
        home.store("other", &account(ID), SECRET, SecretPlace::File).unwrap();
        assert_eq!(mode(&home.our_file()), 0o600);
    }

    #[test]
    fn comments_and_other_profiles_stay_as_they_are() {
        let before = "# our accounts\n\n# the usual one\n[default]\nclient_id = 'first' # mine\ntimeout_ms = 1_000\nbase_url = 'https://old.example'\n\n\
                      [prod]   # careful\nclient_id=\"p\"\nclient_secret = 'canary'\n";
        let home = Home::new().ours(before);

        home.store("default", &account(ID), SECRET, SecretPlace::File).unwrap();
        home.store("staging", &account("s"), SECRET, SecretPlace::File).unwrap();

        let (default, staging) = (secret_file(&home, "default"), secret_file(&home, "staging"));
        let expected = format!(
            "# our accounts\n\n# the usual one\n[default]\nclient_id = \"{ID}\" # mine\ntimeout_ms = 1_000\nclient_secret_file = \"{default}\"\n\n\
             [prod]   # careful\nclient_id=\"p\"\nclient_secret = 'canary'\n\n[staging]\nclient_id = \"s\"\nclient_secret_file = \"{staging}\"\n"
        );
        assert_eq!(home.text(), expected);
    }

    #[test]
    fn a_profile_that_is_removed_takes_its_comment_and_its_secret_with_it_and_no_other() {
        let before = "# our accounts\n\n# the usual one\n[default]\nclient_id = 'd'\n\n# the careful one\n[prod]\nclient_id = 'p'\nclient_secret = 'x'\n";
        let home = Home::new().ours(before);
        home.store("default", &account("d"), SECRET, SecretPlace::File).unwrap();
        home.store("staging", &account("s"), SECRET, SecretPlace::File).unwrap();

        let (default, staging) = (secret_file(&home, "default"), secret_file(&home, "staging"));

        let removed = remove_profile(&home.file(), "default").unwrap();

        assert!(removed.secret_file.unwrap().ends_with(default));
        assert_eq!(removed.keyring, KeyringOutcome::NotAsked);
        assert_eq!(home.secrets(), [staging.strip_prefix("secrets/").unwrap()]);
        let expected = format!(
            "# our accounts\n\n# the careful one\n[prod]\nclient_id = 'p'\nclient_secret = 'x'\n\n[staging]\nclient_id = \"s\"\n\
             client_secret_file = \"{staging}\"\n"
        );
        assert_eq!(home.text(), expected);
        assert_eq!(remove_profile(&home.file(), "staging").unwrap().keyring, KeyringOutcome::NotAsked);
        remove_profile(&home.file(), "prod").unwrap();
        assert_eq!(home.text().trim(), "# our accounts");
    }

    #[test]
    fn a_new_secret_of_the_same_client_takes_the_place_of_the_old_one() {
        let home = Home::new();
        home.store("default", &account(ID), "first", SecretPlace::File).unwrap();
        let place = secret_file(&home, "default");

        home.store("default", &account(ID), "second", SecretPlace::File).unwrap();

        assert_eq!(secret_file(&home, "default"), place);
        assert_eq!(home.secrets(), [place.strip_prefix("secrets/").unwrap()]);
        assert_eq!(fs::read_to_string(home.our_file().with_file_name(&place)).unwrap(), "second");
    }

    /// The file that the profile `name` names: one that is called by it.
    fn secret_file(home: &Home, name: &str) -> String {
        let text = home.text();
        let profile = text.split_once(&format!("[{name}]")).unwrap().1;
        let place = profile.split_once("client_secret_file = \"").unwrap().1.split_once('"').unwrap().0;
        assert!(place.starts_with(&format!("secrets/{name}~")), "{place}");
        place.to_owned()
    }

    fn at(server: &str) -> Profile {
        Profile { base_url: Some(server.to_owned()), ..account(ID) }
    }

    #[test]
    fn i14_the_secret_of_another_id_or_server_goes_to_a_place_that_no_other_had() {
        let home = Home::new();
        let accounts = [account("first"), account("second"), account(ID), at("https://one.example"), at("https://two.example")];
        let mut places = Vec::new();

        for (index, account) in accounts.iter().enumerate() {
            let secret = format!("secret {index}");
            home.store("default", account, &secret, SecretPlace::File).unwrap();

            let place = secret_file(&home, "default");
            assert!(!places.contains(&place), "{place} in {places:?}");
            assert_eq!(home.secrets(), [place.strip_prefix("secrets/").unwrap()], "the old one is gone");
            assert_eq!(fs::read_to_string(home.our_file().with_file_name(&place)).unwrap(), secret);
            places.push(place);
        }
        home.store("default", &accounts[0], "again", SecretPlace::File).unwrap();
        assert_eq!(secret_file(&home, "default"), places[0], "programs that know this account find its secret again");
        assert_eq!(home.build().client_id(), "first");
    }

    #[test]
    fn i14_what_a_profile_of_this_name_left_behind_is_neither_used_nor_kept() {
        let home = Home::new();
        home.store("default", &at("https://old.example"), "old secret", SecretPlace::File).unwrap();
        let old = secret_file(&home, "default");
        remove_profile(&home.file(), "default").unwrap();
        let folder = home.our_file().parent().unwrap().to_owned();
        for left in [&folder.join(&old), &folder.join("secrets/default")] {
            write(left, b"left behind");
        }

        home.store("default", &at("https://new.example"), "new secret", SecretPlace::File).unwrap();

        let new = secret_file(&home, "default");
        assert_ne!(new, old);
        assert_eq!(home.secrets(), [new.strip_prefix("secrets/").unwrap()], "a program that still reads the old file finds nothing");
        assert_eq!(fs::read_to_string(folder.join(new)).unwrap(), "new secret");
    }

    #[cfg(unix)]
    #[test]
    fn i14_where_the_profile_cannot_be_written_no_new_secret_stands_beside_the_old_server() {
        let home = Home::new();
        let folder = home.our_file().parent().unwrap().to_owned();
        // A name that leaves no room for that of the file that is renamed over it: the secret can be written, and the profile cannot.
        let path = folder.join(format!("{}.toml", "x".repeat(245)));
        write(
            &path,
            format!("[default]\nclient_id = '{ID}'\nclient_secret_file = 'secrets/default'\nbase_url = 'https://old.example'\n").as_bytes(),
        );
        write(&folder.join("secrets/default"), b"old secret");
        for folder in [&folder, &folder.join("secrets")] {
            set_mode(folder, 0o700);
        }
        let file = ConfigFile::at(&path).keyring(home.keyring.clone());
        let store = |profile| store_profile(&file, "default", &profile, &Secret::from("new secret"), SecretPlace::File).unwrap_err();

        let error = store(at("https://new.example"));

        assert_has(&shown(&error), &["cannot be written"]);
        assert_eq!(fs::read_to_string(folder.join("secrets/default")).unwrap(), "old secret");
        assert_eq!(fs::read_dir(folder.join("secrets")).unwrap().count(), 2, "the new secret was written, where nothing reads it");
    }

    #[test]
    fn i14_secrets_that_a_change_left_behind_are_swept_up_and_no_others() {
        let home = Home::new();
        home.store("default", &account(ID), SECRET, SecretPlace::File).unwrap();
        home.store("default-2", &account(ID), SECRET, SecretPlace::File).unwrap();
        for name in ["default~0123456789abcdef", "default~notes", "mine"] {
            fs::write(home.our_file().with_file_name("secrets").join(name), "left").unwrap();
        }

        home.store("default", &account(ID), "another", SecretPlace::File).unwrap();

        let [default, second] = ["default", "default-2"].map(|name| secret_file(&home, name).replace("secrets/", ""));
        let mut expected = [default.as_str(), second.as_str(), "default~notes", "mine"];
        expected.sort_unstable();
        assert_eq!(home.secrets(), expected);
    }

    #[test]
    fn a_secret_in_the_keyring_is_in_no_file() {
        let home = Home::new();
        home.store("staging", &account(ID), SECRET, SecretPlace::File).unwrap();

        home.store("staging", &account(ID), SECRET, SecretPlace::Keyring).unwrap();

        assert_eq!(home.keyring.kept.lock().unwrap().get(&("tokenwell_staging".to_owned(), "client_secret".to_owned())).unwrap(), SECRET);
        assert_eq!(home.secrets(), [""; 0]);
        assert!(!home.text().contains("client_secret"), "{}", home.text());
        assert_eq!(home.named("staging").client_id(), ID);

        home.store("staging", &account(ID), SECRET, SecretPlace::File).unwrap();
        assert!(home.keyring.kept.lock().unwrap().is_empty());
        home.store("staging", &account(ID), SECRET, SecretPlace::Keyring).unwrap();
        assert_eq!(remove_profile(&home.file(), "staging").unwrap().keyring, KeyringOutcome::Deleted);
        assert!(home.keyring.kept.lock().unwrap().is_empty());
    }

    #[test]
    fn i14_a_keyring_that_gets_the_secret_of_another_server_finds_a_profile_without_an_account() {
        let home = Home::new();
        home.store("default", &at("https://old.example"), "old secret", SecretPlace::Keyring).unwrap();
        *home.keyring.fault.lock().unwrap() = Some(Fault::Locked);

        let error = home.store("default", &at("https://new.example"), "new secret", SecretPlace::Keyring).unwrap_err();

        assert_has(&shown(&error), &["the keyring is locked", "profile default has no account now", "log in again"]);
        assert!(!home.text().contains("client_id") && !home.text().contains(".example"), "{}", home.text());
        *home.keyring.fault.lock().unwrap() = None;
        home.store("default", &at("https://new.example"), "new secret", SecretPlace::Keyring).unwrap();
        assert_eq!(home.build().token_endpoint().origin(), "https://new.example");
    }

    #[test]
    fn a_keyring_that_does_not_take_the_new_secret_of_the_same_account_leaves_the_profile_as_it_was() {
        let home = Home::new();
        home.store("default", &at("https://old.example"), "old secret", SecretPlace::Keyring).unwrap();
        let before = home.text();
        *home.keyring.fault.lock().unwrap() = Some(Fault::Locked);

        home.store("default", &at("https://old.example"), "new secret", SecretPlace::Keyring).unwrap_err();

        assert_eq!(home.text(), before);
    }

    #[test]
    fn i18_a_secret_too_long_for_a_keyring_is_refused_before_anything_is_written() {
        let home = Home::new();

        let error = home.store("default", &account(ID), &"s".repeat(2561), SecretPlace::Keyring).unwrap_err();

        assert_eq!(error.status(), Status::InvalidArgument);
        assert_has(&shown(&error), &["2561 bytes", "at most 2560", "Keep it in a file"]);
        assert!(home.keyring.asked.lock().unwrap().is_empty() && !home.our_file().exists());
        home.store("default", &account(ID), &"s".repeat(2560), SecretPlace::Keyring).unwrap();
        home.store("default", &account(ID), &"s".repeat(2561), SecretPlace::File).unwrap();
    }

    #[test]
    fn a_keyring_that_fails_leaves_the_profile_as_it_was() {
        let home = Home::new();
        home.store("default", &account("first"), SECRET, SecretPlace::File).unwrap();
        let before = home.text();
        *home.keyring.fault.lock().unwrap() = Some(Fault::Locked);

        let error = home.store("default", &account("second"), SECRET, SecretPlace::Keyring).unwrap_err();

        assert_has(&shown(&error), &["the secret cannot be kept in the keyring: the keyring is locked", "in a file"]);
        assert_eq!((home.text(), home.build().client_id()), (before, "first"));
    }

    #[test]
    fn what_would_not_be_read_is_not_written() {
        let home = Home::new();
        let with = |change: fn(&mut Profile)| {
            let mut profile = account(ID);
            change(&mut profile);
            profile
        };
        let table = [
            ("bad name", account(ID), SECRET, Status::InvalidArgument, "profile: holds a space"),
            ("..", account(ID), SECRET, Status::InvalidArgument, "profile: begins with a `.`"),
            ("a", account(""), SECRET, Status::InvalidArgument, "client_id: is empty"),
            ("a", account(ID), "canary\n", Status::InvalidArgument, "client_secret: holds a newline"),
            ("a", with(|p| p.base_url = Some("http://cloud.mongodb.com".to_owned())), SECRET, Status::Refused, "base_url"),
            ("a", with(|p| p.scope = Some(" ".to_owned())), SECRET, Status::InvalidArgument, "scope: "),
        ];
        for (name, profile, secret, status, part) in table {
            let error = home.store(name, &profile, secret, SecretPlace::File).unwrap_err();
            assert_eq!(error.status(), status, "{}", shown(&error));
            assert_has(&error.to_string(), &[part]);
        }
        assert!(!home.our_file().exists());
        let home = home.ours("[default]\nclient_id = canary\n");
        assert_has(&home.store("a", &account(ID), SECRET, SecretPlace::File).unwrap_err().to_string(), &["config.toml:2", "is not TOML"]);
        let home = home.ours("a = 'canary'\n");
        assert_has(
            &home.store("a", &account(ID), SECRET, SecretPlace::File).unwrap_err().to_string(),
            &["a is there, and it is no profile"],
        );
    }

    #[test]
    fn i27_a_profile_that_is_not_there_cannot_be_removed() {
        let home = Home::new();
        let remove = |home: &Home| checked(remove_profile(&home.file(), "staging").unwrap_err());
        assert_has(&remove(&home).to_string(), &["there is no profile staging in ", "no such file"]);

        let home = home.ours("[default]\n[prod]\n");

        let error = remove(&home);
        assert_eq!(error.status(), Status::NotConfigured);
        assert_has(&error.to_string(), &["the file has default, prod"]);
        assert_eq!(home.text(), "[default]\n[prod]\n");
    }

    #[cfg(unix)]
    #[test]
    fn i11_nothing_is_written_through_a_link() {
        use std::os::unix::fs::symlink;
        let elsewhere = tempfile::tempdir().unwrap();
        let target = elsewhere.path().join("target");
        write(&target, b"");
        let example = Home::new();
        example.store("default", &account(ID), SECRET, SecretPlace::File).unwrap();
        for link in ["config.toml", "secrets", ".lock", &secret_file(&example, "default"), ""] {
            let home = Home::new();
            let folder = home.our_file().parent().unwrap().to_owned();
            let at = folder.join(link);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            for folder in [&folder, at.parent().unwrap()].into_iter().filter(|folder| folder.exists()) {
                set_mode(folder, 0o700);
            }
            let leads_to_a_folder = matches!(link, "secrets" | "");
            symlink(if leads_to_a_folder { elsewhere.path() } else { &target }, folder.join(link).components().as_path()).unwrap();

            let error = home.store("default", &account(ID), SECRET, SecretPlace::File).unwrap_err();

            assert_eq!(error.status(), Status::Refused, "{link}: {}", shown(&error));
            assert_has(&error.to_string(), &["is a link, and nothing is written through one"]);
            assert_eq!(fs::read(&target).unwrap(), b"", "{link}");
            assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1, "{link}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn i10_a_folder_or_file_that_others_may_write_to_is_not_used() {
        let home = Home::new().ours("[default]\n");
        let folder = home.our_file().parent().unwrap().to_owned();
        for (path, mode, usual) in [(&folder, 0o775, 0o700), (&folder, 0o707, 0o700), (&home.our_file(), 0o660, 0o600)] {
            set_mode(path, mode);

            let error = home.store("default", &account(ID), SECRET, SecretPlace::File).unwrap_err();

            assert_eq!(error.status(), Status::Refused, "{}", shown(&error));
            assert_has(&error.hint(), &["chmod"]);
            set_mode(path, usual);
        }
        home.store("default", &account(ID), SECRET, SecretPlace::File).unwrap();
    }

    #[test]
    fn changes_at_the_same_time_all_arrive() {
        let home = Home::new();
        let names: Vec<_> = (0..8).map(|number| format!("p{number}")).collect();

        std::thread::scope(|scope| {
            for name in &names {
                scope.spawn(|| home.store(name, &account(name), SECRET, SecretPlace::File).unwrap());
            }
        });

        for name in &names {
            assert_eq!(home.named(name).client_id(), name);
        }
        let left: Vec<_> = fs::read_dir(home.our_file().parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 3, "a file is left behind: {left:?}");
    }
}

/// The command, with an environment of its own.
#[cfg(feature = "cli")]
mod command {
    use super::*;

    fn token(home: &Home) -> std::process::Output {
        assert_cmd::Command::cargo_bin("tokenwell").unwrap().arg("token").env_clear().envs(&home.variables).output().unwrap()
    }

    #[test]
    fn each_place_without_a_credential_is_a_line_and_then_comes_the_way_out() {
        let home = Home::new();

        let output = token(&home);

        let text = String::from_utf8(output.stderr).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 0), "{text}");
        assert_eq!(lines[0], "tokenwell: there is no client id and secret; looked at:");
        assert_eq!(lines[5], format!("    profile default in {}: no such file", home.our_file().display()));
        assert_eq!(lines[6], format!("    profile default in {}: no such file", home.their_file().display()));
        assert!(lines.len() == 8 && lines[7].starts_with("  hint: Set MONGODB_ATLAS_CLIENT_ID"), "{text}");
    }

    /// A session bus that accepts and never says a word.
    #[cfg(all(feature = "keyring", target_os = "linux"))]
    #[test]
    fn i19_a_message_bus_that_hangs_is_left_behind_after_two_seconds() {
        let home = Home::new().theirs("[default]\nauth_type = 'service_account'\n");
        let socket = home.folder.path().join("bus");
        let _black_hole = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let home = home.variable("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", socket.display()));

        let output = token(&home);

        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{text}");
        assert_has(&text, &["atlascli/config.toml", "the keyring did not answer within 2 s"]);
    }

    #[cfg(all(feature = "keyring", target_os = "linux"))]
    #[test]
    fn without_a_message_bus_the_keyring_is_named_as_the_reason() {
        let home = Home::new().theirs("[default]\nauth_type = 'service_account'\n");
        let nowhere = format!("unix:path={}", home.folder.path().join("no-bus").display());

        let output = token(&home.variable("DBUS_SESSION_BUS_ADDRESS", nowhere));

        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{text}");
        assert_has(&text, &["not there, and the keyring cannot be used"]);
    }
}
