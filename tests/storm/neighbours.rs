//! Different accounts and servers share only the cache directory. Profiles of the same account
//! share the token too.

use crate::Storm;
use crate::crowd::{Member, TOGETHER, only_token};
use crate::scene::{Scene, files_of, path_str, token_of};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;

pub fn i16_two_ids_at_one_server_never_meet(storm: &mut Storm) {
    let scene = Scene::new();
    let (id, secret) = another_account(&scene);
    let before = scene.token_requests();
    let mut other = scene.settings();
    other.retain(|(name, _)| !name.starts_with("client_"));
    other.extend([("client_id", id), ("client_secret", secret)]);

    storm.crowd.clients_each(|index| (if is_first_half(index) { scene.settings() } else { other.clone() }, false));
    let [first, second] = tokens_of_the_halves(storm);

    assert_ne!(first, second);
    assert_eq!(scene.token_requests() - before, 2, "one request for each account");
    assert_eq!(files_of(&scene.cache()), ["lock", "lock", "token", "token"]);
}

pub fn i16_one_id_at_two_servers_never_meets_itself(storm: &mut Storm) {
    let (scene, elsewhere) = (Scene::new(), Scene::new());
    let mut there = elsewhere.account();
    there.push(("cache_dir", path_str(&scene.cache()).to_owned()));

    storm.crowd.clients_each(|index| (if is_first_half(index) { scene.settings() } else { there.clone() }, false));
    let [first, second] = tokens_of_the_halves(storm);

    assert_ne!(first, second);
    assert_eq!((scene.token_requests(), elsewhere.token_requests()), (1, 1), "one request at each server");
    assert_eq!(files_of(&scene.cache()), ["lock", "lock", "token", "token"]);
}

pub fn two_profiles_of_one_account_share_a_token(storm: &mut Storm) {
    let scene = Scene::new();
    let account: String = scene.account().iter().map(|(name, value)| format!("{name} = {value:?}\n")).collect();
    let directory = storm.crowd.config_directory().join("tokenwell");
    fs::create_dir_all(&directory).unwrap();
    let file = directory.join("config.toml");
    fs::write(&file, format!("[first]\n{account}\n[second]\n{account}")).unwrap();
    make_private(&file);

    storm.crowd.clients_each(|index| {
        let profile = if is_first_half(index) { "first" } else { "second" };
        (vec![("profile", profile.to_owned()), ("cache_dir", path_str(&scene.cache()).to_owned())], true)
    });
    let [first, second] = tokens_of_the_halves(storm);
    let mut command = scene.command(&["token", "--profile", "second"]);
    command.env("XDG_CONFIG_HOME", storm.crowd.config_directory());
    for variable in ["MONGODB_ATLAS_BASE_URL", "MONGODB_ATLAS_CLIENT_ID", "MONGODB_ATLAS_CLIENT_SECRET"] {
        command.env_remove(variable);
    }
    let third = token_of(&command.output().unwrap());
    fs::remove_file(&file).unwrap();

    assert_eq!((&first, &third), (&second, &second));
    assert_eq!(scene.token_requests(), 1);
}

/// Returns whether the process is in the first half. Both halves have processes of all languages.
fn is_first_half(index: usize) -> bool {
    index < crate::PROCESSES / 2
}

/// Gets a token in all callers concurrently and returns the token of each half.
fn tokens_of_the_halves(storm: &mut Storm) -> [String; 2] {
    storm.crowd.send(TOGETHER);
    let (first, second) = storm.crowd.members.split_at_mut(crate::PROCESSES / 2);
    let one = |half: &mut [Member]| only_token(half.iter_mut().map(Member::one_token).collect::<BTreeSet<_>>());
    [one(first), one(second)]
}

/// Creates another account at the server and returns its client id and secret.
fn another_account(scene: &Scene) -> (String, String) {
    let path = format!("/api/atlas/v2/orgs/{}/serviceAccounts", tokenwell::emulator::DEFAULT_ORG_ID);
    let wanted = json!({"name": "another", "description": "of the storm", "roles": ["ORG_OWNER"], "secretExpiresAfterHours": 8});
    // Use another cache directory, because the calling account is one of those under test.
    let output = scene
        .command(&["api", "POST", &path, "--data", &wanted.to_string()])
        .env("TOKENWELL_CACHE_DIR", scene.path("cache-of-the-administrator"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let created: Value = serde_json::from_slice(&output.stdout).unwrap();
    let string = |value: &Value| value.as_str().unwrap().to_owned();
    (string(&created["clientId"]), string(&created["secrets"][0]["secret"]))
}

fn make_private(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}
