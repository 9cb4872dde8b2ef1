//! `revoke` and `invalidate` of the shared token.

use crate::support::{Scene, command_path, is_token, stderr, stdout};
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

/// The commands whose revocation fails: the server answers 503, nobody listens, no endpoint is set.
fn failing(scene: &Scene, arguments: &[&str]) -> Vec<(assert_cmd::Command, i32, &'static str)> {
    let command = |variable: &str, value: &str| {
        let mut command = scene.tokenwell(arguments.iter().copied());
        let token_url = format!("{}/generic/oauth/token", scene.emulator.base_url());
        command.env_remove("MONGODB_ATLAS_BASE_URL").env("TOKENWELL_TOKEN_URL", token_url).env(variable, value);
        command
    };
    let broken = format!("{}/broken", scene.emulator.base_url());
    scene.emulator.set_faults(json!([{"path": "/broken", "status": 503, "body": {"error": "server_error"}}])).unwrap();
    vec![
        (command("TOKENWELL_REVOCATION_URL", &broken), 5, "503"),
        (command("TOKENWELL_REVOCATION_URL", "http://127.0.0.1:1/revoke"), 5, "127.0.0.1:1"),
        (command("TOKENWELL_SCOPE", ""), 3, "revocation_url"),
    ]
}

/// The token of the server that [`failing`] uses.
fn generic_token(scene: &Scene) -> String {
    let token_url = format!("{}/generic/oauth/token", scene.emulator.base_url());
    let mut command = scene.tokenwell(["token"]);
    command.env_remove("MONGODB_ATLAS_BASE_URL").env("TOKENWELL_TOKEN_URL", token_url);
    stdout(&command.assert().success()).trim_end().to_owned()
}

#[test]
fn s3_a_failed_revocation_keeps_the_token_and_fails_again() {
    let scene = Scene::new();
    let first = generic_token(&scene);

    for attempt in 1..=2 {
        for (mut command, code, cause) in failing(&scene, &["revoke"]) {
            let message = stderr(&command.assert().code(code).stdout(""));

            assert!(message.contains("the token was not revoked: ") && message.contains(cause), "{attempt}: {message}");
            assert!(message.contains("valid at the server until it expires (20") && message.contains("--forget"), "{attempt}: {message}");
        }
    }

    assert_eq!(generic_token(&scene), first);
    assert_eq!(scene.emulator.counters().live_tokens, 1);
}

#[test]
fn s3_after_a_failed_revocation_another_one_can_succeed() {
    let scene = Scene::new();
    let first = token(&scene);
    scene
        .emulator
        .set_faults(json!([{"path": "/api/oauth/revoke", "times": 1, "status": 503, "body": {"error": "server_error"}}]))
        .unwrap();

    scene.tokenwell(["revoke"]).assert().code(5);
    let message = stderr(&scene.tokenwell(["revoke"]).assert().success());

    assert!(message.contains("revoked the cached token"), "{message}");
    assert_eq!(scene.emulator.counters().live_tokens, 0);
    assert_ne!(token(&scene), first);
}

#[test]
fn s3_forget_drops_a_token_that_cannot_be_revoked_and_says_until_when_it_is_valid() {
    for index in 0..3 {
        let scene = Scene::new();
        let first = generic_token(&scene);
        let (mut command, code, cause) = failing(&scene, &["revoke", "--forget"]).remove(index);

        let message = stderr(&command.assert().code(code).stdout(""));

        assert!(message.contains("dropped from the cache but not revoked: ") && message.contains(cause), "{message}");
        assert!(message.contains("valid at the server until it expires (20"), "{message}");
        assert_eq!(scene.emulator.counters().live_tokens, 1);
        assert_ne!(generic_token(&scene), first);
    }
}

#[test]
fn s3_forget_revokes_where_that_is_possible() {
    let scene = Scene::new();
    token(&scene);

    scene.tokenwell(["revoke", "--forget"]).assert().success().stdout("");

    let counters = scene.emulator.counters();
    assert_eq!((counters.revoke_requests, counters.live_tokens), (1, 0));
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
        traced.args([command_path(), command]);
        let assert = assert_cmd::Command::from_std(traced).assert().code(8).stdout("");

        assert!(stderr(&assert).contains("the token is still in the token cache at"), "{}", stderr(&assert));
    }
    assert_eq!(scene.emulator.counters().live_tokens, 0, "the token was still revoked at the server");
}

#[test]
fn n37_a_token_that_is_not_in_the_cache_can_be_revoked() {
    let scene = Scene::new();
    let leaked = stdout(&scene.tokenwell(["token", "--no-cache"]).assert().success());
    let current = token(&scene);
    assert_eq!(scene.emulator.counters().live_tokens, 2);

    let assert = scene.tokenwell(["revoke", "--token-stdin"]).write_stdin(leaked.clone()).assert().success().stdout("");

    let message = stderr(&assert);
    assert!(message.contains("which is not the cached one") && message.contains("the server confirmed"), "{message}");
    assert!(!message.contains(leaked.trim_end()), "{message}");
    assert_eq!(scene.emulator.counters().live_tokens, 1);
    assert_eq!(token(&scene), current, "the cached token is still valid");
}

#[test]
fn n37_the_cached_token_is_dropped_too_if_it_is_the_one_on_standard_input() {
    let scene = Scene::new();
    let first = token(&scene);

    let message = stderr(&scene.tokenwell(["revoke", "--token-stdin"]).write_stdin(first.clone()).assert().success());

    assert!(message.contains("revoked the cached token"), "{message}");
    assert_eq!(scene.emulator.counters().live_tokens, 0);
    assert_ne!(token(&scene), first);
}

#[test]
fn n37_a_failed_revocation_of_another_token_is_an_error() {
    let scene = Scene::new();
    let leaked = stdout(&scene.tokenwell(["token", "--no-cache"]).assert().success());
    let body = json!({"error": "server_error"});
    scene.emulator.set_faults(json!([{"path": "/api/oauth/revoke", "status": 503, "body": body}])).unwrap();

    let message = stderr(&scene.tokenwell(["revoke", "--token-stdin"]).write_stdin(leaked).assert().code(5).stdout(""));

    assert!(message.contains("the token was not revoked: ") && message.contains("until it expires"), "{message}");
    let empty = stderr(&scene.tokenwell(["revoke", "--token-stdin"]).write_stdin("").assert().code(3));
    assert!(empty.contains("cannot read the token: standard input is empty"), "{empty}");
}

#[test]
fn n37_a_token_is_revoked_in_each_form_in_which_it_is_printed() {
    for format in ["raw", "header", "curl", "json"] {
        let scene = Scene::new();
        let leaked = stdout(&scene.tokenwell(["token", "--no-cache", "--format", format]).assert().success());

        scene.tokenwell(["revoke", "--token-stdin"]).write_stdin(leaked).assert().success();

        assert_eq!(scene.emulator.counters().live_tokens, 0, "{format}");
    }
    let scene = Scene::new();
    let message = stderr(&scene.tokenwell(["revoke", "--token-stdin"]).write_stdin("no token here").assert().code(2));
    assert!(message.contains("standard input is not a token") && !message.contains("no token here"), "{message}");
}

#[test]
fn n37_a_token_of_another_account_is_not_reported_as_revoked() {
    let scene = Scene::new();
    let leaked = stdout(&scene.tokenwell(["token", "--no-cache"]).assert().success());
    let mut command = scene.tokenwell(["revoke", "--token-stdin"]);
    let other = "mdb_sa_id_00000000000000000000abcd";

    let message = stderr(&command.env("MONGODB_ATLAS_CLIENT_ID", other).write_stdin(leaked).assert().code(2).stdout(""));

    assert!(message.contains("was issued to mdb_sa_id_0e0000000000000000000004, not to"), "{message}");
    assert_eq!(scene.emulator.counters().revoke_requests, 0);
}
