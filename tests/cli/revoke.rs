//! `revoke` and `invalidate`: the token that processes share.

use crate::support::{Scene, is_token, stderr, stdout};
use serde_json::json;

fn token(scene: &Scene) -> String {
    stdout(&scene.tokenwell(["token"]).assert().success()).trim_end().to_owned()
}

#[test]
fn revoke_ends_the_token_that_another_process_got() {
    let scene = Scene::new();
    let first = token(&scene);

    let assert = scene.tokenwell(["revoke"]).assert().success().stdout("");

    assert!(stderr(&assert).contains("revoked"), "{}", stderr(&assert));
    let counters = scene.emulator.counters();
    assert_eq!((counters.revoke_requests, counters.live_tokens), (1, 0));
    assert_ne!(token(&scene), first);
}

#[test]
fn revoke_without_a_cached_token_sends_nothing() {
    let scene = Scene::new();

    let assert = scene.tokenwell(["revoke"]).assert().success().stdout("");

    assert!(stderr(&assert).contains("no token"), "{}", stderr(&assert));
    assert_eq!(scene.emulator.counters().connections, 0);
}

#[test]
fn a_revocation_that_fails_is_told_and_drops_the_token_here() {
    let scene = Scene::new();
    let first = token(&scene);
    scene.emulator.set_faults(json!([{"path": "/api/oauth/revoke", "status": 503, "body": {"error": "server_error"}}])).unwrap();

    scene.tokenwell(["revoke"]).assert().code(5).stdout("");

    assert_eq!(scene.emulator.counters().live_tokens, 1);
    assert_ne!(token(&scene), first);
}

#[test]
fn invalidate_drops_the_cached_token_and_leaves_it_alive_at_the_server() {
    let scene = Scene::new();
    let first = token(&scene);

    let assert = scene.tokenwell(["invalidate"]).assert().success().stdout("");

    assert!(stderr(&assert).contains("dropped"), "{}", stderr(&assert));
    assert_ne!(token(&scene), first);
    let counters = scene.emulator.counters();
    assert_eq!((counters.revoke_requests, counters.live_tokens), (0, 2));
}

#[test]
fn invalidate_of_a_token_that_was_replaced_leaves_the_newer_one() {
    let scene = Scene::new();
    let old = token(&scene);
    let new = stdout(&scene.tokenwell(["token", "--force-refresh"]).assert().success()).trim_end().to_owned();

    let assert = scene.tokenwell(["invalidate", "--token-stdin"]).write_stdin(old).assert().success();

    assert!(stderr(&assert).contains("no such token"), "{}", stderr(&assert));
    assert_eq!(token(&scene), new);

    scene.tokenwell(["invalidate", "--token-stdin"]).write_stdin(format!("{new}\n")).assert().success();
    let newest = token(&scene);
    assert!(is_token(&newest) && newest != new);
}

#[test]
fn invalidate_of_nothing_is_a_wrong_call() {
    let scene = Scene::new();

    scene.tokenwell(["invalidate", "--token-stdin"]).write_stdin("").assert().code(3).stdout("");
}
