//! `cache`: the files of the shared cache.

use crate::support::{Scene, command_path, json, stderr, stdout, text};
use std::path::PathBuf;
use tokenwell::secret::Secret;
use tokenwell::store::{FileStore, Record, SlotKey, Store};

fn directory(scene: &Scene) -> PathBuf {
    scene.path("cache-directory")
}

fn cache(scene: &Scene, arguments: &[&str]) -> assert_cmd::Command {
    let mut command = scene.tokenwell(["cache"].into_iter().chain(arguments.iter().copied()));
    command.env("TOKENWELL_CACHE_DIR", directory(scene));
    command
}

fn save_records(scene: &Scene, secrets: &[&str]) {
    let store = FileStore::open(directory(scene), false);
    for secret in secrets {
        let key = SlotKey { identity: vec![("client_id", "canary-id".to_owned())], secret: Secret::from(*secret) };
        store.save(&key, &Record::default()).unwrap();
        drop(store.lock(&key, std::time::Duration::ZERO).unwrap().unwrap());
    }
}

#[test]
fn the_path_is_printed_whether_or_not_it_exists() {
    let scene = Scene::new();

    cache(&scene, &["path"]).assert().success().stdout(format!("{}\n", text(&directory(&scene))));

    assert!(!directory(&scene).exists());
}

#[cfg(all(unix, not(target_os = "macos")))]
#[test]
fn by_default_it_is_in_the_users_cache_directory() {
    let scene = Scene::new();

    let expected = format!("{}\n", text(&scene.path("cache/tokenwell")));

    scene.tokenwell(["cache", "path"]).assert().success().stdout(expected);
}

#[cfg(all(unix, not(target_os = "macos")))]
#[test]
fn without_a_home_the_error_names_the_variable_to_set() {
    let scene = Scene::new();

    let assert = scene.tokenwell(["cache", "path"]).env_remove("HOME").env_remove("XDG_CACHE_HOME").assert().code(3).stdout("");

    assert!(stderr(&assert).contains("Set TOKENWELL_CACHE_DIR"), "{}", stderr(&assert));
}

#[test]
fn the_list_shows_size_and_age_but_no_account() {
    let scene = Scene::new();
    save_records(&scene, &["one", "two"]);

    let lines = stdout(&cache(&scene, &["list"]).assert().success());
    let array = json(&cache(&scene, &["list", "--json"]).assert().success());

    assert_eq!(lines.lines().count(), 2, "{lines}");
    assert!(lines.lines().all(|line| line.contains(".token") && line.contains(" bytes") && line.ends_with(" old")), "{lines}");
    assert!(!lines.contains("canary"), "{lines}");
    let size = array[0]["size"].as_u64().unwrap();
    assert!(size > 50 && array[1]["age"].is_u64(), "{array}");
}

#[test]
fn an_empty_cache_lists_nothing() {
    let scene = Scene::new();

    cache(&scene, &["list"]).assert().success().stdout("");
    assert_eq!(json(&cache(&scene, &["list", "--json"]).assert().success()), serde_json::json!([]));
}

#[test]
fn clear_removes_our_own_files_and_no_others() {
    let scene = Scene::new();
    save_records(&scene, &["one", "two"]);
    let foreign = directory(&scene).join("notes.token");
    std::fs::write(&foreign, "mine").unwrap();

    let message = stderr(&cache(&scene, &["clear"]).assert().success().stdout(""));

    assert!(message.contains("removed 2 files"), "{message}");
    assert_eq!(std::fs::read_to_string(&foreign).unwrap(), "mine");
    assert_eq!(json(&cache(&scene, &["list", "--json"]).assert().success()), serde_json::json!([]));
    let names: Vec<_> = std::fs::read_dir(directory(&scene)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 4, "two locks, the stamp and the foreign file: {names:?}");
}

#[test]
fn b20_clear_removes_only_the_files_that_are_older_than_the_given_age() {
    let scene = Scene::new();
    save_records(&scene, &["one", "two", "three"]);
    let files = || -> Vec<PathBuf> { std::fs::read_dir(directory(&scene)).unwrap().map(|entry| entry.unwrap().path()).collect() };
    let age = |file: &PathBuf, days: u64| {
        let old = std::time::SystemTime::now() - std::time::Duration::from_secs(days * 86_400);
        std::fs::OpenOptions::new().write(true).open(file).unwrap().set_modified(old).unwrap();
    };
    let records: Vec<_> = files().into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "token")).collect();
    for (record, days) in records.iter().zip([31, 29, 0]) {
        age(record, days);
        age(&record.with_extension("lock"), 40);
    }

    let message = stderr(&cache(&scene, &["clear", "--older-than", "30d"]).assert().success().stdout(""));

    assert!(message.contains(if cfg!(unix) { "removed 2 files" } else { "removed 1 file" }), "{message}");
    assert!(!records[0].exists() && records[1].exists() && records[2].exists());
    assert_eq!(records[0].with_extension("lock").exists(), !cfg!(unix));
    assert!(records[1].with_extension("lock").exists());
    assert!(stderr(&cache(&scene, &["clear", "--older-than", "30"]).assert().code(2)).contains("`30` has no unit"));
}

#[cfg(target_os = "linux")]
#[test]
fn b20_a_file_that_is_not_removed_is_an_error() {
    let scene = Scene::new();
    save_records(&scene, &["one"]);
    for file in std::fs::read_dir(directory(&scene)).unwrap() {
        let old = std::time::SystemTime::now() - std::time::Duration::from_secs(40 * 86_400);
        std::fs::OpenOptions::new().write(true).open(file.unwrap().path()).unwrap().set_modified(old).unwrap();
    }
    for arguments in [&["clear"][..], &["clear", "--older-than", "30d"]] {
        let mut traced = scene.plain("strace");
        traced.args(["-f", "-qq", "-o", "/dev/null", "-e", "inject=unlink,unlinkat:error=EROFS"]);
        traced.args([command_path(), "cache"]).args(arguments).env("TOKENWELL_CACHE_DIR", directory(&scene));

        let message = stderr(&assert_cmd::Command::from_std(traced).assert().failure());

        assert!(message.contains("cannot remove") && message.contains("read-only file system"), "{arguments:?}: {message}");
        assert!(message.contains(text(&directory(&scene))), "{arguments:?}: {message}");
    }
}

#[cfg(unix)]
#[test]
fn n31_a_missing_home_directory_is_not_created() {
    let scene = Scene::new();
    let home = scene.path("gone");

    let mut command = scene.tokenwell(["token"]);
    let assert = command.env("HOME", &home).env_remove("XDG_CACHE_HOME").env_remove("XDG_CONFIG_HOME").assert().success();

    let message = stderr(&assert);
    assert!(message.contains("does not exist") && message.contains("TOKENWELL_CACHE_DIR"), "{message}");
    assert_eq!(message.lines().filter(|line| line.contains("token cache")).count(), 1, "{message}");
    assert!(!home.exists());
}

#[cfg(unix)]
#[test]
fn b19_root_creates_nothing_in_the_home_of_another_user() {
    use std::os::unix::fs::{PermissionsExt, chown};

    let scene = Scene::new();
    let home = scene.path("home-of-another");
    std::fs::create_dir(&home).unwrap();
    std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o755)).unwrap();
    if !nix::unistd::geteuid().is_root() {
        assert!(chown(&home, Some(65_534), None).is_err());
        return;
    }
    chown(&home, Some(65_534), None).unwrap();
    let token = || {
        let mut command = scene.tokenwell(["token"]);
        command.env("HOME", &home).env_remove("XDG_CACHE_HOME").env_remove("XDG_CONFIG_HOME");
        command
    };

    let message = stderr(&token().assert().success());
    assert!(message.contains("runs as root") && message.contains("(65534)") && message.contains("TOKENWELL_CACHE_DIR"), "{message}");
    assert_eq!(message.lines().filter(|line| line.contains("token cache")).count(), 1, "{message}");
    assert_eq!(std::fs::read_dir(&home).unwrap().count(), 0);

    let own = scene.path("of-root/cache");
    assert_eq!(stderr(&token().env("TOKENWELL_CACHE_DIR", &own).assert().success()), "");
    assert!(own.exists());
}

#[test]
fn clear_succeeds_without_a_cache() {
    let scene = Scene::new();

    assert!(stderr(&cache(&scene, &["clear"]).assert().success().stdout("")).contains("removed 0 files"));
    assert!(!directory(&scene).exists());
}

#[cfg(unix)]
#[test]
fn i10_a_directory_that_is_open_to_others_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let scene = Scene::new();
    save_records(&scene, &["one"]);
    std::fs::set_permissions(directory(&scene), std::fs::Permissions::from_mode(0o755)).unwrap();

    for action in ["list", "clear"] {
        let message = stderr(&cache(&scene, &[action]).assert().code(8).stdout(""));
        assert!(message.contains("mode 0755") && message.contains("chmod"), "{message}");
    }
}

#[test]
fn i28_a_relative_directory_is_refused() {
    let scene = Scene::new();

    let mut command = scene.tokenwell(["cache", "path"]);

    let message = stderr(&command.env("TOKENWELL_CACHE_DIR", "here").assert().code(2).stdout(""));

    assert!(message.contains("TOKENWELL_CACHE_DIR"), "{message}");
}

/// The command without an account, which it does not need.
fn without_account(scene: &Scene, arguments: &[&str]) -> assert_cmd::Command {
    let mut command = cache(scene, arguments);
    command.env_remove("MONGODB_ATLAS_CLIENT_ID").env_remove("MONGODB_ATLAS_CLIENT_SECRET");
    command
}

#[cfg(unix)]
#[test]
fn without_an_account_an_open_directory_is_allowed_by_each_spelling_of_on() {
    use std::os::unix::fs::PermissionsExt;

    let scene = Scene::new();
    save_records(&scene, &["one"]);
    std::fs::set_permissions(directory(&scene), std::fs::Permissions::from_mode(0o755)).unwrap();

    without_account(&scene, &["list"]).assert().code(8);
    for word in ["on", "true", "yes", "1", "ON"] {
        let mut command = without_account(&scene, &["list", "--json"]);
        let list = json(&command.env("TOKENWELL_CACHE_UNSAFE", word).assert().success());
        assert_eq!(list.as_array().unwrap().len(), 1, "{word}");
    }
}

#[test]
fn without_an_account_the_directory_of_the_profile_is_used() {
    let scene = Scene::new();
    std::fs::create_dir_all(scene.path("config/tokenwell")).unwrap();
    scene.private("config/tokenwell/config.toml", "[default]\ncache_dir = '../../of-the-profile'\n");

    let mut command = without_account(&scene, &["path"]);
    let path = stdout(&command.env_remove("TOKENWELL_CACHE_DIR").assert().success());

    assert!(path.trim_end().ends_with("of-the-profile"), "{path}");
}

#[test]
fn a_configuration_that_cannot_be_read_does_not_clear_the_default_directory() {
    let scene = Scene::new();
    scene.tokenwell(["token"]).assert().success();
    let records = || std::fs::read_dir(scene.path("cache/tokenwell")).unwrap().count();
    let before = records();
    assert!(before > 0);
    std::fs::create_dir_all(scene.path("config/tokenwell")).unwrap();
    scene.private("config/tokenwell/config.toml", "[default]\ncache_dir = \n");

    for account in [true, false] {
        let mut command = if account { cache(&scene, &["clear"]) } else { without_account(&scene, &["clear"]) };
        let message = stderr(&command.env_remove("TOKENWELL_CACHE_DIR").assert().code(2).stdout(""));
        assert!(message.contains("config.toml:2"), "{message}");
    }
    assert_eq!(records(), before);
}

#[cfg(unix)]
#[test]
fn b19_login_creates_no_profile_in_the_home_of_another_user_and_no_home() {
    use std::os::unix::fs::chown;

    let scene = Scene::new();
    let login = |home: &std::path::Path| {
        let mut command = scene.tokenwell(["login", "--client-id", "mdb_sa_id_1", "--client-secret-stdin", "--no-verify"]);
        command.env("HOME", home).env_remove("XDG_CACHE_HOME").env_remove("XDG_CONFIG_HOME").write_stdin("secret\n");
        command
    };

    let gone = scene.path("gone");
    let message = stderr(&login(&gone).assert().failure());
    assert!(message.contains("gone does not exist") && message.contains("set HOME"), "{message}");
    assert!(!gone.exists());

    let home = scene.path("home-of-another");
    std::fs::create_dir(&home).unwrap();
    if chown(&home, Some(65_534), None).is_ok() {
        let message = stderr(&login(&home).assert().code(8));
        assert!(message.contains("runs as root") && message.contains("(65534)"), "{message}");
        assert_eq!(std::fs::read_dir(&home).unwrap().count(), 0);
    }
}
