//! Servers other than Atlas: the emulator's endpoints, named by `token_url` and `revocation_url`.

use crate::support::{PATIENCE, Scene, stderr, stdout};
use assert_cmd::Command;
use serde_json::{Value, json};

/// The command with the account at another server.
fn elsewhere<'a>(scene: &Scene, arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = scene.tokenwell(arguments);
    command
        .env("TOKENWELL_TOKEN_URL", format!("{}/api/oauth/token", scene.emulator.base_url()))
        .env("TOKENWELL_REVOCATION_URL", format!("{}/api/oauth/revoke", scene.emulator.base_url()));
    command
}

fn answering(status: u16, body: &Value) -> Scene {
    let scene = Scene::new();
    let faults = ["/api/oauth/token", "/api/oauth/revoke"].map(|path| json!({"path": path, "status": status, "body": body}));
    scene.emulator.set_faults(Value::from(faults.to_vec())).unwrap();
    scene
}

#[test]
fn s6_a_wrong_path_is_about_the_url_and_not_about_the_client() {
    for status in [404, 405, 501] {
        let scene = answering(status, &json!({"error": "Unable to find matching target resource method"}));

        let message = stderr(&elsewhere(&scene, ["token"]).assert().code(5).stdout(""));

        assert!(message.contains(&format!("HTTP status {status}")) && !message.contains("rejected the client"), "{message}");
        assert!(message.contains("no token endpoint at this URL. Check token_url (environment variable TOKENWELL_TOKEN_URL)"), "{message}");
        assert_eq!(scene.emulator.counters().token_requests, 1, "a retry cannot help");
    }
}

#[test]
fn s13_a_hint_about_another_server_does_not_speak_of_atlas() {
    for (status, code, body) in
        [(503, 5, json!({})), (401, 4, json!({"error": "invalid_client"})), (401, 4, json!({"error": "unauthorized_client"}))]
    {
        let scene = answering(status, &body);

        let message = stderr(&elsewhere(&scene, ["token"]).assert().code(code).stdout(""));

        assert!(!message.contains("mongodb.com") && !message.contains("mongodbgov"), "{message}");
    }
}

#[test]
fn s13_a_failed_revocation_names_the_revocation_url() {
    let scene = answering(404, &json!({"error": "not found"}));
    scene.emulator.set_faults(json!([{"path": "/api/oauth/revoke", "status": 404, "body": {"error": "not found"}}])).unwrap();
    elsewhere(&scene, ["token"]).assert().success();

    let message = stderr(&elsewhere(&scene, ["revoke"]).assert().code(5).stdout(""));

    assert!(message.contains("no revocation endpoint at this URL"), "{message}");
    assert!(message.contains("Check revocation_url (environment variable TOKENWELL_REVOCATION_URL)"), "{message}");
}

#[test]
fn s13_a_method_that_is_not_supported_is_no_misspelling() {
    let scene = Scene::new();

    for method in ["client_secret_jwt", "private_key_jwt", "tls_client_auth"] {
        let message = stderr(&elsewhere(&scene, ["token"]).env("TOKENWELL_AUTH_METHOD", method).assert().code(2).stdout(""));

        assert!(message.contains(&format!("is {method}, a method that tokenwell does not support")), "{message}");
        assert!(!message.contains("Did you mean"), "{message}");
    }
}

#[test]
fn s7_the_method_that_the_server_accepts_is_found_and_shared_by_all_processes() {
    let scene = Scene::new();
    let rejection = json!([{"path": "/generic/oauth/token", "times": 1, "status": 401, "body": {"error": "invalid_client"}}]);
    scene.emulator.set_faults(rejection).unwrap();
    let generic = |arguments: &[&'static str]| {
        let mut command = scene.tokenwell(arguments.iter().copied());
        command.env("TOKENWELL_TOKEN_URL", format!("{}/generic/oauth/token", scene.emulator.base_url()));
        command
    };

    generic(&["token"]).assert().success();
    assert_eq!(scene.emulator.counters().token_requests, 2);
    generic(&["token", "--force-refresh"]).assert().success();

    assert_eq!(scene.emulator.counters().token_requests, 3, "the second process knows the method");
}

#[test]
fn s7_two_rejected_methods_are_remembered_by_all_processes() {
    let scene = Scene::new();
    let rejection = json!([{"path": "/generic/oauth/token", "status": 401, "body": {"error": "invalid_client"}}]);
    scene.emulator.set_faults(rejection).unwrap();
    let token = || {
        let mut command = scene.tokenwell(["token"]);
        command.env("TOKENWELL_TOKEN_URL", format!("{}/generic/oauth/token", scene.emulator.base_url()));
        stderr(&command.assert().code(4).stdout(""))
    };

    let messages = [token(), token()];

    for message in messages {
        assert!(message.contains("The server rejected client_secret_basic and client_secret_post"), "{message}");
        assert!(message.contains("if it expects client_secret_basic_raw, set --auth-method."), "{message}");
    }
    assert_eq!(scene.emulator.counters().token_requests, 2, "the second process is in the pause");
}

#[test]
fn s7_a_rejected_method_is_sent_once_while_the_server_fails() {
    let scene = Scene::new();
    let token = || {
        let mut command = scene.tokenwell(["token"]);
        command.env("TOKENWELL_TOKEN_URL", format!("{}/generic/oauth/token", scene.emulator.base_url()));
        command.assert()
    };
    let rejected = json!({"path": "/generic/oauth/token", "times": 1, "status": 401, "body": {"error": "invalid_client"}});
    scene.emulator.set_faults(json!([rejected, {"path": "/generic/oauth/token", "status": 503}])).unwrap();
    token().code(5);
    scene.emulator.set_faults(json!([])).unwrap();

    // The 503 is remembered for a while: until then no request is sent.
    let deadline = std::time::Instant::now() + PATIENCE;
    while !token().get_output().status.success() {
        assert!(std::time::Instant::now() < deadline, "no token");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }

    let last = scene.emulator.last_request("/generic/oauth/token").unwrap();
    assert!(last.body.contains("client_secret="), "the method that was not rejected: {last:?}");
}

#[test]
fn s7_a_token_is_revoked_at_a_server_that_accepts_only_post() {
    let scene = Scene::new();
    let generic = |arguments: &[&'static str]| {
        let mut command = scene.tokenwell(arguments.iter().copied());
        command.env("TOKENWELL_TOKEN_URL", format!("{}/generic/oauth/token", scene.emulator.base_url()));
        command.env("TOKENWELL_REVOCATION_URL", format!("{}/generic/oauth/revoke", scene.emulator.base_url()));
        command
    };
    let reject =
        |path: &str| scene.emulator.set_faults(json!([{"path": path, "times": 1, "status": 401, "body": {"error": "invalid_client"}}]));
    let revoke = |leaked: String| {
        generic(&["revoke", "--token-stdin"]).write_stdin(leaked).assert().success();
        assert!(scene.emulator.last_request("/generic/oauth/revoke").unwrap().body.contains("client_secret="));
        scene.emulator.counters()
    };
    let leaked = [(), ()].map(|()| stdout(&generic(&["token", "--no-cache"]).assert().success()));
    let [first, second] = leaked;

    // The method is not known: it is found.
    reject("/generic/oauth/revoke").unwrap();
    let counters = revoke(first);
    assert_eq!((counters.revoke_requests, counters.live_tokens), (2, 1));

    // Another process has found it for a token.
    reject("/generic/oauth/token").unwrap();
    generic(&["token"]).assert().success();
    let counters = revoke(second);
    assert_eq!((counters.revoke_requests, counters.live_tokens), (3, 1));
}

#[test]
fn a_revocation_url_at_atlas_is_refused_for_another_server() {
    let scene = Scene::new();
    let mut command = elsewhere(&scene, ["token"]);
    command.env("TOKENWELL_REVOCATION_URL", "https://cloud.mongodb.com/api/oauth/revoke");

    let message = stderr(&command.assert().code(8).stdout(""));

    assert!(
        message.contains("revocation_url (environment variable TOKENWELL_REVOCATION_URL) is at https://cloud.mongodb.com"),
        "{message}"
    );
    assert_eq!(scene.emulator.counters().requests, 0);
}

#[test]
fn s11_a_lifetime_that_the_server_does_not_state_is_null() {
    let scene = Scene::new();
    scene.emulator.set_settings(json!({"omit_expires_in": true})).unwrap();

    let assert = elsewhere(&scene, ["token", "--format", "json"]).assert().success();

    let answer: Value = serde_json::from_str(&stdout(&assert)).unwrap();
    assert!(answer["access_token"].is_string(), "{answer}");
    for member in ["expires_in", "expires_at"] {
        assert_eq!(answer.get(member), Some(&Value::Null), "{member} in {answer}");
    }
    assert!(stderr(&assert).contains("did not state when the token expires"), "{}", stderr(&assert));
}

#[test]
fn s12_a_scope_that_the_server_narrows_is_shown_and_noted() {
    let scene = Scene::new();
    scene.emulator.set_settings(json!({"granted_scope": "read"})).unwrap();
    let token = |scope: &str| {
        let mut command = scene.tokenwell(["token", "--format", "json"]);
        command.env("TOKENWELL_TOKEN_URL", format!("{}/generic/oauth/token", scene.emulator.base_url()));
        command.env("TOKENWELL_SCOPE", scope).assert().success()
    };

    let (narrowed, same) = (token("read write"), token("read"));

    for assert in [&narrowed, &same] {
        let answer: Value = serde_json::from_str(&stdout(assert)).unwrap();
        assert_eq!(answer["scope"], "read");
    }
    assert!(stderr(&narrowed).contains("did not grant all of the requested scope: write is missing"), "{}", stderr(&narrowed));
    assert_eq!(stderr(&same), "");
}

#[test]
fn n21_https_to_a_plain_http_port_is_explained() {
    let scene = Scene::new();
    let server = scene.emulator.base_url().replace("http://", "https://");

    let message = stderr(&scene.tokenwell(["token"]).env("MONGODB_ATLAS_BASE_URL", server).assert().code(7).stdout(""));

    assert!(message.contains("the server does not speak TLS: is it http://?") && !message.contains("ca_file"), "{message}");
}
