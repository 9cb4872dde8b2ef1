//! `cache`: the files of the shared cache.

use crate::support::{Scene, json, stderr, stdout, text};
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
    assert_eq!(names.len(), 3, "two locks and the foreign file: {names:?}");
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
