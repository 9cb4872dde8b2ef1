//! `sa secret add` for an account that has one secret, or two.

use crate::sa::{created, id_of, org};
use crate::sa_changes::changes;
use crate::support::{Scene, json, stderr};
use serde_json::Value;
use tokenwell::emulator::DEFAULT_ORG_ID;

fn secrets(scene: &Scene, client_id: &str) -> Vec<Value> {
    let list = json(&scene.tokenwell(["sa", "secret", "list", client_id, "--org", DEFAULT_ORG_ID, "--json"]).assert().success());
    list.as_array().unwrap().clone()
}

#[test]
fn a_new_secret_says_when_the_other_one_ends_now() {
    let scene = Scene::new();
    let account = created(&scene, &org(), "deploy", "ORG_MEMBER", 720);
    let (id, first) = (id_of(&account), account["secrets"][0]["id"].as_str().unwrap());

    let message = stderr(&scene.tokenwell(["sa", "secret", "add", id, "--org", DEFAULT_ORG_ID, "--to", "file:x"]).assert().success());

    let end = secrets(&scene, id).into_iter().find(|secret| secret["id"] == first).unwrap()["expiresAt"].as_str().unwrap().to_owned();
    assert_ne!(account["secrets"][0]["expiresAt"], end.as_str());
    assert!(
        message.contains(&format!("Atlas now ends the secret {first} at {end}: programs that use it need the new one by then")),
        "{message}"
    );
}

#[test]
fn a_secret_that_ends_before_it_would_be_shortened_is_not_mentioned() {
    let scene = Scene::new();
    let account = created(&scene, &org(), "deploy", "ORG_MEMBER", 8);

    let add = ["sa", "secret", "add", id_of(&account), "--org", DEFAULT_ORG_ID, "--to", "file:x"];
    let message = stderr(&scene.tokenwell(add).assert().success());

    assert!(!message.contains("Atlas now ends"), "{message}");
}

#[test]
fn a_third_secret_is_refused_before_the_request_with_what_there_is() {
    let scene = Scene::new();
    let account = created(&scene, &org(), "deploy", "ORG_MEMBER", 720);
    let id = id_of(&account);
    let add = ["sa", "secret", "add", id, "--org", DEFAULT_ORG_ID, "--to", "file:x"];
    scene.tokenwell(add).assert().success();
    let before = changes(&scene);

    for dry in [&[][..], &["--dry-run"]] {
        let message = stderr(&scene.tokenwell([&add[..], dry].concat()).assert().failure().stdout(""));

        for secret in secrets(&scene, id) {
            let shown = format!("{} (never used, ends in ", secret["id"].as_str().unwrap());
            assert!(message.contains(&shown), "{message}");
        }
        assert!(
            message.contains(&format!(
                "Delete the one that no program uses: `tokenwell sa secret delete --org {DEFAULT_ORG_ID} {id} SECRET_ID`"
            )),
            "{message}"
        );
    }
    assert_eq!(changes(&scene), before);
}

#[test]
fn an_expired_secret_is_the_one_to_delete() {
    const DAY_MS: u64 = 24 * 3600 * 1000;
    let scene = Scene::new();
    let now_ms = scene.emulator.now_ms();
    scene.emulator.set_clock(now_ms - 10 * DAY_MS);
    let account = created(&scene, &org(), "deploy", "ORG_MEMBER", 8);
    let (id, expired) = (id_of(&account), account["secrets"][0]["id"].as_str().unwrap());
    scene.emulator.set_clock(now_ms);
    let add = ["sa", "secret", "add", id, "--org", DEFAULT_ORG_ID, "--to", "file:x"];
    scene.tokenwell(add).assert().success();

    let message = stderr(&scene.tokenwell(add).assert().failure().stdout(""));

    assert!(message.contains(&format!("{expired} (never used, expired (")), "{message}");
    assert!(
        message.contains(&format!("Delete the expired one: `tokenwell sa secret delete --org {DEFAULT_ORG_ID} {id} {expired}`")),
        "{message}"
    );
}
