//! `revoke` and `invalidate` of the shared token.

use crate::support::{Scene, TOKENWELL, is_token, stderr, stdout};
use serde_json::json;

fn token(scene: &Scene) -> String {
    stdout(&scene.tokenwell(["token"]).assert().success()).trim_end().to_owned()
}

#[test]
fn revoke_revokes_the_token_of_another_process() {
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
fn a_failed_revocation_is_reported_and_drops_the_cached_token() {
    let scene = Scene::new();
    let first = token(&scene);
    scene.emulator.set_faults(json!([{"path": "/api/oauth/revoke", "status": 503, "body": {"error": "server_error"}}])).unwrap();

    let message = stderr(&scene.tokenwell(["revoke"]).assert().code(5).stdout(""));

    let failure = "the token was dropped from the cache, but its revocation failed: http://";
    assert!(message.contains(failure) && message.contains("503"), "{message}");
    assert!(message.contains("stays valid at the server until it expires (20") && message.contains("second revoke"), "{message}");
    assert_eq!(scene.emulator.counters().live_tokens, 1);
    assert_ne!(token(&scene), first);
}

#[test]
fn invalidate_drops_the_cached_token_but_does_not_revoke_it() {
    let scene = Scene::new();
    let first = token(&scene);

    let assert = scene.tokenwell(["invalidate"]).assert().success().stdout("");

    assert!(stderr(&assert).contains("dropped"), "{}", stderr(&assert));
    assert_ne!(token(&scene), first);
    let counters = scene.emulator.counters();
    assert_eq!((counters.revoke_requests, counters.live_tokens), (0, 2));
}

#[test]
fn invalidate_of_a_replaced_token_keeps_the_newer_one() {
    let scene = Scene::new();
    let old = token(&scene);
    let new = stdout(&scene.tokenwell(["token", "--force-refresh"]).assert().success()).trim_end().to_owned();

    let assert = scene.tokenwell(["invalidate", "--token-stdin"]).write_stdin(old).assert().success();

    assert!(stderr(&assert).contains("is not the cached one; nothing was dropped"), "{}", stderr(&assert));
    assert_eq!(token(&scene), new);

    scene.tokenwell(["invalidate", "--token-stdin"]).write_stdin(format!("{new}\n")).assert().success();
    let newest = token(&scene);
    assert!(is_token(&newest) && newest != new);
}

#[test]
fn invalidate_without_a_cached_token_says_so() {
    let scene = Scene::new();

    let message = stderr(&scene.tokenwell(["invalidate"]).assert().success());

    assert!(message.contains("no token in the cache; nothing was dropped"), "{message}");
}

#[test]
fn invalidate_without_a_token_on_standard_input_is_an_error() {
    let scene = Scene::new();

    scene.tokenwell(["invalidate", "--token-stdin"]).write_stdin("").assert().code(3).stdout("");
}

#[cfg(unix)]
#[test]
fn a_cache_that_cannot_be_read_is_not_reported_as_empty() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new();
    token(&scene);
    std::fs::set_permissions(scene.path("cache/tokenwell"), std::fs::Permissions::from_mode(0o777)).unwrap();

    for command in ["revoke", "invalidate"] {
        let assert = scene.tokenwell([command]).assert().code(8).stdout("");

        let said = stderr(&assert);
        assert!(said.contains("cannot read the token cache") && said.contains("it may contain a valid token"), "{said}");
    }
    assert_eq!(scene.emulator.counters().live_tokens, 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_token_that_remains_in_the_cache_is_an_error() {
    let scene = Scene::new();
    token(&scene);

    for command in ["invalidate", "revoke"] {
        let mut traced = scene.plain("strace");
        traced.args(["-f", "-qq", "-o", "/dev/null", "-e", "inject=rename,renameat,renameat2:error=EROFS"]);
        traced.args([TOKENWELL, command]);
        let assert = assert_cmd::Command::from_std(traced).assert().code(8).stdout("");

        assert!(stderr(&assert).contains("the token is still in the token cache at"), "{}", stderr(&assert));
    }
    assert_eq!(scene.emulator.counters().live_tokens, 0, "the token was still revoked at the server");
}
