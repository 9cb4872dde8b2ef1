//! Writing and removing profiles and their secrets.

use crate::support::{Fault, Home, ID, SECRET, assert_has, checked, origin, set_mode, shown, write};
use std::fs;
use std::path::Path;
use tokenwell::config::profiles::{ConfigFile, KeyringOutcome, Profile, SecretLocation, remove_profile, store_profile};
use tokenwell::config::{ClientAuthentication, Config};
use tokenwell::error::{Error, Status};
use tokenwell::secret::Secret;

impl Home {
    fn file(&self) -> ConfigFile {
        ConfigFile::at(self.our_file()).keyring(self.keyring.clone())
    }

    fn store(&self, name: &str, profile: &Profile, secret: &str, location: SecretLocation) -> Result<(), Error> {
        store_profile(&self.file(), name, profile, &Secret::from(secret), location).map(drop).map_err(checked)
    }

    fn text(&self) -> String {
        fs::read_to_string(self.our_file()).unwrap()
    }

    fn secrets(&self) -> Vec<String> {
        let directory = self.our_file().with_file_name("secrets");
        let mut names: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
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
        ca_file: Some("/etc/ssl/example.pem".to_owned()),
        ca_pem: None,
        proxy: Some("http://proxy.example:3128".to_owned()),
        no_proxy: Some("localhost".to_owned()),
        unchanged: Vec::new(),
    };

    let stored = store_profile(&home.file(), "staging", &profile, &Secret::from(SECRET), SecretLocation::File).unwrap();

    let config = home.named("staging");
    assert_eq!((config.client_id(), config.token_endpoint().as_str()), (ID, "https://login.example.com/token"));
    assert_eq!(
        (config.scope(), config.audience(), config.resource()),
        (Some("read write"), Some("aud \"quoted\""), Some("urn:example:api"))
    );
    assert_eq!(config.authentication(), ClientAuthentication::Post);
    assert_eq!(config.ca_file(), Some(Path::new("/etc/ssl/example.pem")));
    for setting in ["proxy", "no_proxy"] {
        assert!(origin(&config, setting).unwrap().starts_with("profile staging"), "{setting}");
    }
    assert!(!stored.replaced && stored.path == home.our_file());
    assert_eq!(fs::read_to_string(stored.secret_file.unwrap()).unwrap(), SECRET);
    assert!(!home.text().contains("canary"), "{}", home.text());
}

#[cfg(unix)]
#[test]
fn i10_what_is_written_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();

    home.store("default", &account(ID), SECRET, SecretLocation::File).unwrap();

    let directory = home.our_file().parent().unwrap().to_owned();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&directory), mode(&directory.join("secrets"))), (0o700, 0o700));
    assert_eq!((mode(&home.our_file()), mode(&directory.join(secret_file(&home, "default")))), (0o600, 0o600));
    set_mode(&home.our_file(), 0o644);
    home.store("other", &account(ID), SECRET, SecretLocation::File).unwrap();
    assert_eq!(mode(&home.our_file()), 0o600);
}

#[test]
fn comments_and_other_profiles_stay_as_they_are() {
    let before = "# our accounts\n\n# the usual one\n[default]\nclient_id = 'first' # mine\ntimeout_ms = 1_000\nbase_url = 'https://old.example'\n\n\
                  [prod]   # careful\nclient_id=\"p\"\nclient_secret = 'canary'\n";
    let home = Home::new().ours(before);

    home.store("default", &account(ID), SECRET, SecretLocation::File).unwrap();
    home.store("staging", &account("s"), SECRET, SecretLocation::File).unwrap();

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
    home.store("default", &account("d"), SECRET, SecretLocation::File).unwrap();
    home.store("staging", &account("s"), SECRET, SecretLocation::File).unwrap();

    let (default, staging) = (secret_file(&home, "default"), secret_file(&home, "staging"));

    let removed = remove_profile(&home.file(), "default").unwrap();

    assert!(removed.secret_file.unwrap().ends_with(default));
    assert_eq!(removed.keyring, KeyringOutcome::NotUsed);
    assert_eq!(home.secrets(), [staging.strip_prefix("secrets/").unwrap()]);
    let expected = format!(
        "# our accounts\n\n# the careful one\n[prod]\nclient_id = 'p'\nclient_secret = 'x'\n\n[staging]\nclient_id = \"s\"\n\
         client_secret_file = \"{staging}\"\n"
    );
    assert_eq!(home.text(), expected);
    assert_eq!(remove_profile(&home.file(), "staging").unwrap().keyring, KeyringOutcome::NotUsed);
    remove_profile(&home.file(), "prod").unwrap();
    assert_eq!(home.text().trim(), "# our accounts");
}

#[test]
fn a_new_secret_of_the_same_client_replaces_the_old_one() {
    let home = Home::new();
    home.store("default", &account(ID), "first", SecretLocation::File).unwrap();
    let file = secret_file(&home, "default");

    home.store("default", &account(ID), "second", SecretLocation::File).unwrap();

    assert_eq!(secret_file(&home, "default"), file);
    assert_eq!(home.secrets(), [file.strip_prefix("secrets/").unwrap()]);
    assert_eq!(fs::read_to_string(home.our_file().with_file_name(&file)).unwrap(), "second");
}

/// The secret file of the profile `name`; its name contains that of the profile.
fn secret_file(home: &Home, name: &str) -> String {
    let text = home.text();
    let profile = text.split_once(&format!("[{name}]")).unwrap().1;
    let file = profile.split_once("client_secret_file = \"").unwrap().1.split_once('"').unwrap().0;
    assert!(file.starts_with(&format!("secrets/{name}~")), "{file}");
    file.to_owned()
}

fn at(server: &str) -> Profile {
    Profile { base_url: Some(server.to_owned()), ..account(ID) }
}

#[test]
fn i14_the_secret_of_another_id_or_server_goes_to_a_place_that_no_other_had() {
    let home = Home::new();
    let accounts = [account("mdb_sa_id_first"), account("second"), account(ID), at("https://one.example"), at("https://two.example")];
    let mut files = Vec::new();

    for (index, account) in accounts.iter().enumerate() {
        let secret = format!("secret {index}");
        home.store("default", account, &secret, SecretLocation::File).unwrap();

        let file = secret_file(&home, "default");
        assert!(!files.contains(&file), "{file} in {files:?}");
        assert_eq!(home.secrets(), [file.strip_prefix("secrets/").unwrap()], "the old one is deleted");
        assert_eq!(fs::read_to_string(home.our_file().with_file_name(&file)).unwrap(), secret);
        files.push(file);
    }
    home.store("default", &accounts[0], "again", SecretLocation::File).unwrap();
    assert_eq!(secret_file(&home, "default"), files[0], "programs with this account find its secret again");
    assert_eq!(home.build().client_id(), "mdb_sa_id_first");
}

#[test]
fn i14_what_a_profile_of_this_name_left_behind_is_neither_used_nor_kept() {
    let home = Home::new();
    home.store("default", &at("https://old.example"), "old secret", SecretLocation::File).unwrap();
    let old = secret_file(&home, "default");
    remove_profile(&home.file(), "default").unwrap();
    let directory = home.our_file().parent().unwrap().to_owned();
    for left in [&directory.join(&old), &directory.join("secrets/default")] {
        write(left, b"left behind");
    }

    home.store("default", &at("https://new.example"), "new secret", SecretLocation::File).unwrap();

    let new = secret_file(&home, "default");
    assert_ne!(new, old);
    assert_eq!(home.secrets(), [new.strip_prefix("secrets/").unwrap()], "a program that still reads the old file finds nothing");
    assert_eq!(fs::read_to_string(directory.join(new)).unwrap(), "new secret");
}

#[cfg(unix)]
#[test]
fn i14_where_the_profile_cannot_be_written_no_new_secret_stands_beside_the_old_server() {
    let home = Home::new();
    let directory = home.our_file().parent().unwrap().to_owned();
    // The name is so long that the temporary file cannot be created: the secret can be written, and
    // the profile cannot.
    let path = directory.join(format!("{}.toml", "x".repeat(245)));
    write(
        &path,
        format!("[default]\nclient_id = '{ID}'\nclient_secret_file = 'secrets/default'\nbase_url = 'https://old.example'\n").as_bytes(),
    );
    write(&directory.join("secrets/default"), b"old secret");
    for directory in [&directory, &directory.join("secrets")] {
        set_mode(directory, 0o700);
    }
    let file = ConfigFile::at(&path).keyring(home.keyring.clone());
    let store = |profile| store_profile(&file, "default", &profile, &Secret::from("new secret"), SecretLocation::File).unwrap_err();

    let error = store(at("https://new.example"));

    assert_has(&shown(&error), &["cannot write"]);
    assert_eq!(fs::read_to_string(directory.join("secrets/default")).unwrap(), "old secret");
    assert_eq!(fs::read_dir(directory.join("secrets")).unwrap().count(), 2, "the new secret is in a file that nothing reads");
}

#[test]
fn i14_secrets_that_a_change_left_behind_are_swept_up_and_no_others() {
    let home = Home::new();
    home.store("default", &account(ID), SECRET, SecretLocation::File).unwrap();
    home.store("default-2", &account(ID), SECRET, SecretLocation::File).unwrap();
    for name in ["default~0123456789abcdef", "default~notes", "mine"] {
        fs::write(home.our_file().with_file_name("secrets").join(name), "left").unwrap();
    }

    home.store("default", &account(ID), "another", SecretLocation::File).unwrap();

    let [default, second] = ["default", "default-2"].map(|name| secret_file(&home, name).replace("secrets/", ""));
    let mut expected = [default.as_str(), second.as_str(), "default~notes", "mine"];
    expected.sort_unstable();
    assert_eq!(home.secrets(), expected);
}

#[test]
fn a_secret_in_the_keyring_is_in_no_file() {
    let home = Home::new();
    home.store("staging", &account(ID), SECRET, SecretLocation::File).unwrap();

    home.store("staging", &account(ID), SECRET, SecretLocation::Keyring).unwrap();

    assert_eq!(home.keyring.kept.lock().unwrap().get(&("tokenwell_staging".to_owned(), "client_secret".to_owned())).unwrap(), SECRET);
    assert_eq!(home.secrets(), [""; 0]);
    assert!(!home.text().contains("client_secret"), "{}", home.text());
    assert_eq!(home.named("staging").client_id(), ID);

    home.store("staging", &account(ID), SECRET, SecretLocation::File).unwrap();
    assert!(home.keyring.kept.lock().unwrap().is_empty());
    home.store("staging", &account(ID), SECRET, SecretLocation::Keyring).unwrap();
    assert_eq!(remove_profile(&home.file(), "staging").unwrap().keyring, KeyringOutcome::Deleted);
    assert!(home.keyring.kept.lock().unwrap().is_empty());
}

#[test]
fn i14_a_keyring_that_gets_the_secret_of_another_server_finds_a_profile_without_an_account() {
    let home = Home::new();
    home.store("default", &at("https://old.example"), "old secret", SecretLocation::Keyring).unwrap();
    *home.keyring.fault.lock().unwrap() = Some(Fault::Locked);

    let error = home.store("default", &at("https://new.example"), "new secret", SecretLocation::Keyring).unwrap_err();

    assert_has(&shown(&error), &["the keyring is locked", "profile default now has no account", "log in again"]);
    assert!(!home.text().contains("client_id") && !home.text().contains(".example"), "{}", home.text());
    *home.keyring.fault.lock().unwrap() = None;
    home.store("default", &at("https://new.example"), "new secret", SecretLocation::Keyring).unwrap();
    assert_eq!(home.build().token_endpoint().origin(), "https://new.example");
}

#[test]
fn r9_a_keyring_is_checked_with_an_entry_that_is_deleted_again() {
    let home = Home::new().kept("tokenwell_staging", "client_secret", SECRET);

    home.file().prepare_keyring("staging").unwrap();

    let kept: Vec<_> = home.keyring.kept.lock().unwrap().keys().cloned().collect();
    assert_eq!(kept, [("tokenwell_staging".to_owned(), "client_secret".to_owned())]);
    for (fault, problem) in [(Fault::Locked, "the keyring is locked"), (Fault::Hangs, "the keyring did not answer within 2 s")] {
        *home.keyring.fault.lock().unwrap() = Some(fault);
        let error = checked(home.file().prepare_keyring("staging").unwrap_err());
        assert_eq!(error.status(), Status::NotConfigured);
        assert_has(&shown(&error), &[problem, "Start the keyring and unlock it"]);
    }
}

#[test]
fn a_keyring_that_fails_for_the_same_account_keeps_the_profile() {
    let home = Home::new();
    home.store("default", &at("https://old.example"), "old secret", SecretLocation::Keyring).unwrap();
    let before = home.text();
    *home.keyring.fault.lock().unwrap() = Some(Fault::Locked);

    home.store("default", &at("https://old.example"), "new secret", SecretLocation::Keyring).unwrap_err();

    assert_eq!(home.text(), before);
}

#[test]
fn i18_a_secret_too_long_for_a_keyring_is_refused_before_anything_is_written() {
    let home = Home::new();

    let error = home.store("default", &account(ID), &"s".repeat(2561), SecretLocation::Keyring).unwrap_err();

    assert_eq!(error.status(), Status::InvalidArgument);
    assert_has(&shown(&error), &["2561 bytes", "at most 2560", "Store the secret in a file"]);
    assert!(home.keyring.asked.lock().unwrap().is_empty() && !home.our_file().exists());
    home.store("default", &account(ID), &"s".repeat(2560), SecretLocation::Keyring).unwrap();
    home.store("default", &account(ID), &"s".repeat(2561), SecretLocation::File).unwrap();
}

#[test]
fn a_keyring_that_fails_keeps_the_profile() {
    let home = Home::new();
    home.store("default", &account("mdb_sa_id_first"), SECRET, SecretLocation::File).unwrap();
    let before = home.text();
    *home.keyring.fault.lock().unwrap() = Some(Fault::Locked);

    let error = home.store("default", &account("second"), SECRET, SecretLocation::Keyring).unwrap_err();

    assert_has(&shown(&error), &["cannot store the secret in the keyring: the keyring is locked", "in a file"]);
    assert_eq!((home.text(), home.build().client_id()), (before, "mdb_sa_id_first"));
}

#[test]
fn an_invalid_profile_is_not_written() {
    let home = Home::new();
    let with = |change: fn(&mut Profile)| {
        let mut profile = account(ID);
        change(&mut profile);
        profile
    };
    let table = [
        ("bad name", account(ID), SECRET, Status::InvalidArgument, "profile contains a space"),
        ("..", account(ID), SECRET, Status::InvalidArgument, "profile begins with a `.`"),
        ("a", account(""), SECRET, Status::InvalidArgument, "client_id is empty"),
        ("a", account(ID), "canary\n", Status::InvalidArgument, "client_secret contains a newline"),
        ("a", with(|p| p.base_url = Some("http://cloud.mongodb.com".to_owned())), SECRET, Status::Refused, "base_url"),
        ("a", with(|p| p.scope = Some(" ".to_owned())), SECRET, Status::InvalidArgument, "scope has a leading"),
    ];
    for (name, profile, secret, status, part) in table {
        let error = home.store(name, &profile, secret, SecretLocation::File).unwrap_err();
        assert_eq!(error.status(), status, "{}", shown(&error));
        assert_has(&error.to_string(), &[part]);
    }
    assert!(!home.our_file().exists());
    let home = home.ours("[default]\nclient_id = canary\n");
    assert_has(
        &home.store("a", &account(ID), SECRET, SecretLocation::File).unwrap_err().to_string(),
        &["config.toml:2", "is not valid TOML"],
    );
    let home = home.ours("a = 'canary'\n");
    assert_has(&home.store("a", &account(ID), SECRET, SecretLocation::File).unwrap_err().to_string(), &["a exists, but is not a profile"]);
}

#[test]
fn i27_a_profile_that_is_not_there_cannot_be_removed() {
    let home = Home::new();
    let remove = |home: &Home| checked(remove_profile(&home.file(), "staging").unwrap_err());
    assert_has(&remove(&home).to_string(), &["there is no profile staging in ", "no such file"]);

    let home = home.ours("[default]\n[prod]\n");

    let error = remove(&home);
    assert_eq!(error.status(), Status::NotConfigured);
    assert_has(&error.to_string(), &["the file has default and prod"]);
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
    example.store("default", &account(ID), SECRET, SecretLocation::File).unwrap();
    for link in ["config.toml", "secrets", ".lock", &secret_file(&example, "default"), ""] {
        let home = Home::new();
        let directory = home.our_file().parent().unwrap().to_owned();
        let at = directory.join(link);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        for directory in [&directory, at.parent().unwrap()].into_iter().filter(|directory| directory.exists()) {
            set_mode(directory, 0o700);
        }
        let leads_to_a_folder = matches!(link, "secrets" | "");
        symlink(if leads_to_a_folder { elsewhere.path() } else { &target }, directory.join(link).components().as_path()).unwrap();

        let error = home.store("default", &account(ID), SECRET, SecretLocation::File).unwrap_err();

        assert_eq!(error.status(), Status::Refused, "{link}: {}", shown(&error));
        assert_has(&error.to_string(), &["is a symbolic link, and tokenwell does not write through links"]);
        assert_eq!(fs::read(&target).unwrap(), b"", "{link}");
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1, "{link}");
    }
}

#[cfg(unix)]
#[test]
fn i10_a_folder_or_file_that_others_may_write_to_is_not_used() {
    let home = Home::new().ours("[default]\n");
    let directory = home.our_file().parent().unwrap().to_owned();
    for (path, mode, usual) in [(&directory, 0o775, 0o700), (&directory, 0o707, 0o700), (&home.our_file(), 0o660, 0o600)] {
        set_mode(path, mode);

        let error = home.store("default", &account(ID), SECRET, SecretLocation::File).unwrap_err();

        assert_eq!(error.status(), Status::Refused, "{}", shown(&error));
        assert_has(&error.hint(), &["chmod"]);
        set_mode(path, usual);
    }
    home.store("default", &account(ID), SECRET, SecretLocation::File).unwrap();
}

#[test]
fn concurrent_changes_are_all_written() {
    let home = Home::new();
    let names: Vec<_> = (0..8).map(|number| format!("mdb_sa_id_{number}")).collect();

    std::thread::scope(|scope| {
        for name in &names {
            scope.spawn(|| home.store(name, &account(name), SECRET, SecretLocation::File).unwrap());
        }
    });

    for name in &names {
        assert_eq!(home.named(name).client_id(), *name);
    }
    let left: Vec<_> = fs::read_dir(home.our_file().parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "a file is left behind: {left:?}");
}
