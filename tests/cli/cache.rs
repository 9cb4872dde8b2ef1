//! `cache`: the files that processes share.

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

#[test]
fn the_list_tells_size_and_age_and_not_whose() {
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
fn clear_is_content_where_there_is_nothing() {
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

    command.env("TOKENWELL_CACHE_DIR", "here").assert().code(8).stdout("");
}
