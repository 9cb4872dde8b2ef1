//! `status`: shows the configuration and the cache, and sends no request.

use crate::support::{Scene, json, stdout, text};
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET};

#[test]
fn it_shows_the_account_and_the_server_and_sends_nothing() {
    let scene = Scene::new();

    let assert = scene.tokenwell(["status"]).assert().success().stderr("");

    let answer = stdout(&assert);
    let endpoint = format!("{}/api/oauth/token", scene.emulator.base_url());
    for part in [DEFAULT_CLIENT_ID, endpoint.as_str(), "client_secret_basic_raw", "none in the cache"] {
        assert!(answer.contains(part), "{part} in {answer}");
    }
    assert!(!answer.contains(DEFAULT_CLIENT_SECRET), "{answer}");
    assert_eq!(scene.emulator.counters().connections, 0);
}

#[test]
fn the_file_of_the_secret_is_shown_with_the_profile_that_names_it() {
    let scene = Scene::new();
    let profiles = scene.write_profile(&format!("[default]\nclient_id = '{DEFAULT_CLIENT_ID}'\nclient_secret_file = 'mine'\n"));
    let file = scene.private("config/tokenwell/mine", DEFAULT_CLIENT_SECRET);
    let mut command = scene.tokenwell(["status"]);
    command.env_remove("MONGODB_ATLAS_CLIENT_ID").env_remove("MONGODB_ATLAS_CLIENT_SECRET");

    let answer = stdout(&command.assert().success());

    let expected = format!("{} (client_secret_file in profile default in {})", text(&file), text(&profiles));
    assert!(answer.contains(&expected), "{answer}");
}

#[test]
fn json_has_the_same_values() {
    let scene = Scene::new();

    let answer = json(&scene.tokenwell(["status", "--json"]).assert().success());

    assert_eq!(answer["client_id"], DEFAULT_CLIENT_ID);
    assert_eq!(answer["admin_api"], scene.emulator.base_url());
    assert_eq!(answer["auth_method"], "client_secret_basic_raw");
    assert!(answer["token"].is_null() && answer["cooldown"].is_null() && answer["proxy"].is_null(), "{answer}");
}

#[test]
fn i9_the_proxy_is_named_without_its_password() {
    let scene = Scene::new();
    let mut command = scene.tokenwell(["status", "--json", "--base-url", "https://atlas.example"]);

    let answer = json(&command.env("HTTPS_PROXY", "http://user:canary@proxy.example:3128").assert().success());

    assert_eq!(answer["proxy"], "http://proxy.example:3128");
    assert!(!answer.to_string().contains("canary"), "{answer}");
}

#[test]
fn the_authorities_in_use_are_named() {
    let scene = Scene::new();
    let authorities = |variable: Option<&str>| {
        let mut command = scene.tokenwell(["status", "--json", "--base-url", "https://atlas.example"]);
        command.envs(variable.map(|path| ("SSL_CERT_FILE", path)));
        json(&command.assert().success())["authorities"].as_str().unwrap().to_owned()
    };

    assert_eq!(authorities(None), "the system's certificate store");
    assert!(authorities(Some("/somewhere/ca.pem")).starts_with("/somewhere/ca.pem"));
}

#[test]
fn servers_other_than_atlas_have_neither_admin_api_nor_revocation() {
    let scene = Scene::new();
    let token_url = format!("{}/generic/oauth/token", scene.emulator.base_url());
    let mut command = scene.tokenwell(["status", "--json", "--token-url", &token_url, "--scope", "read write"]);

    let answer = json(&command.env_remove("MONGODB_ATLAS_BASE_URL").assert().success());

    assert_eq!(answer["token_endpoint"], token_url);
    assert_eq!((answer["auth_method"].as_str(), answer["scope"].as_str()), (Some("auto"), Some("read write")));
    assert!(answer["admin_api"].is_null() && answer["revocation_endpoint"].is_null(), "{answer}");
}

#[test]
fn a_token_of_another_process_is_shown_with_its_remaining_validity() {
    let scene = Scene::new();
    scene.tokenwell(["token"]).assert().success();

    let answer = json(&scene.tokenwell(["status", "--json"]).assert().success());
    let text = stdout(&scene.tokenwell(["status"]).assert().success());

    let left = answer["token"]["expires_in"].as_u64().unwrap();
    assert!((3000..3600).contains(&left), "{answer}");
    assert!(text.contains("expires in 5"), "{text}");
    assert_eq!(scene.emulator.counters().token_requests, 1);
}

#[test]
fn a_refusal_of_another_process_is_shown_until_it_ends() {
    let scene = Scene::new();
    scene
        .emulator
        .set_faults(serde_json::json!([{"path": "/api/oauth/token", "status": 429, "headers": {"Retry-After": "300"},
            "body": {"error": "rate_limited", "error_description": "slow down"}}]))
        .unwrap();
    scene.tokenwell(["token"]).assert().code(6);

    let answer = json(&scene.tokenwell(["status", "--json"]).assert().success());

    assert_eq!(answer["cooldown"]["status"], "RATE_LIMITED");
    let left = answer["cooldown"]["ends_in"].as_f64().unwrap();
    assert!((200.0..=330.0).contains(&left), "{answer}");
    assert!(stdout(&scene.tokenwell(["status"]).assert().success()).contains("slow down"));
    assert_eq!(scene.emulator.counters().token_requests, 1);
}

#[test]
fn an_unknown_variable_is_shown_without_its_value() {
    let scene = Scene::new();
    let status = |form: &[&str]| {
        let mut command = scene.tokenwell(["status"].into_iter().chain(form.iter().copied()));
        command.env("TOKENWELL_CACHE_DIRXYZ", "/canary").env("TOKENWELL_EMPTY", "").env("TOKENWELL_HOME", "/");
        command.assert().success()
    };

    let (answer, text) = (json(&status(&["--json"])), stdout(&status(&[])));

    assert_eq!(answer["unknown_variables"], serde_json::json!({"TOKENWELL_CACHE_DIRXYZ": "TOKENWELL_CACHE_DIR"}));
    let line = "warning             TOKENWELL_CACHE_DIRXYZ is set, but is not a setting: did you mean TOKENWELL_CACHE_DIR?";
    assert!(text.lines().any(|found| found == line) && !text.contains("canary"), "{text}");
}

#[test]
fn it_shows_the_source_of_each_setting() {
    let scene = Scene::new();

    let text = stdout(&scene.tokenwell(["status"]).assert().success());
    let answer = json(&scene.tokenwell(["status", "--json", "--auth-method", "client_secret_post"]).assert().success());

    for variable in ["MONGODB_ATLAS_CLIENT_ID", "MONGODB_ATLAS_CLIENT_SECRET", "MONGODB_ATLAS_BASE_URL"] {
        assert!(text.contains(&format!("environment variable {variable}")), "{text}");
    }
    assert_eq!(answer["sources"]["client_id"], "environment variable MONGODB_ATLAS_CLIENT_ID");
    assert_eq!(answer["sources"]["auth_method"], "option --auth-method");
}

#[cfg(unix)]
#[test]
fn a_cache_that_cannot_be_read_is_shown_with_its_path() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new();
    scene.tokenwell(["token"]).assert().success();
    std::fs::set_permissions(scene.path("cache/tokenwell"), std::fs::Permissions::from_mode(0o777)).unwrap();

    let text = stdout(&scene.tokenwell(["status"]).assert().success());
    let report = json(&scene.tokenwell(["status", "--json"]).assert().success());

    assert!(text.contains("cannot be read") && text.contains("mode 0777"), "{text}");
    assert!(report["cache_problem"].as_str().unwrap().contains("mode 0777"), "{report}");
}
