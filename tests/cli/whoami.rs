//! `whoami`: the account, its source and the claims of the token.

use crate::support::{Scene, json, stderr, stdout};
use tokenwell::emulator::DEFAULT_CLIENT_ID;

#[test]
fn it_shows_the_account_its_source_and_the_claims() {
    let scene = Scene::new();
    let token = stdout(&scene.tokenwell(["token"]).assert().success()).trim_end().to_owned();

    let shown = stdout(&scene.tokenwell(["whoami"]).assert().success().stderr(""));
    let answer = json(&scene.tokenwell(["whoami", "--json"]).assert().success());

    for part in [DEFAULT_CLIENT_ID, "environment variable MONGODB_ATLAS_CLIENT_ID", "not verified", "aud", "api://admin", "expires in "] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert_eq!((&answer["client_id"], &answer["profile"]), (&DEFAULT_CLIENT_ID.into(), &serde_json::Value::Null));
    assert_eq!((&answer["claims"]["sub"], &answer["claims_verified"]), (&DEFAULT_CLIENT_ID.into(), &false.into()));
    assert!(answer["organizations"].is_null(), "{answer}");
    let signature = token.rsplit('.').next().unwrap();
    assert!(!shown.contains(signature) && !answer.to_string().contains(signature));
    assert_eq!(scene.emulator.counters().token_requests, 1);
}

#[test]
fn it_names_the_profile() {
    let scene = Scene::new();
    let arguments = ["login", "--profile", "stg"];
    scene.tokenwell(arguments).assert().success();
    let mut command = scene.tokenwell(["whoami", "--json", "--profile", "stg"]);

    let answer = json(&command.env_remove("MONGODB_ATLAS_CLIENT_ID").env_remove("MONGODB_ATLAS_CLIENT_SECRET").assert().success());

    assert_eq!(answer["profile"], "stg");
    assert!(answer["sources"]["client_secret"].as_str().unwrap().contains("/secrets/stg~"), "{answer}");
}

#[test]
fn check_lists_the_organizations_that_the_api_returns() {
    let scene = Scene::new();

    let shown = stdout(&scene.tokenwell(["whoami", "--check"]).assert().success());
    let answer = json(&scene.tokenwell(["whoami", "--check", "--json"]).assert().success());

    let organization = &answer["organizations"][0];
    let (id, name) = (organization["id"].as_str().unwrap(), organization["name"].as_str().unwrap());
    assert!(!id.is_empty() && shown.contains(&format!("organizations  {id} {name}")), "{shown}");
}

#[test]
fn check_fails_if_the_api_does_not_accept_the_token() {
    let scene = Scene::new();
    for (status, code) in [(401, 4), (403, 4), (429, 6), (500, 5)] {
        let fault = serde_json::json!({"path": "/api/atlas/v2/orgs", "status": status, "body": {"error": status}});
        scene.emulator.set_faults(serde_json::json!([fault])).unwrap();

        let message = stderr(&scene.tokenwell(["whoami", "--check"]).assert().code(code).stdout(""));

        assert!(message.contains(&format!("HTTP status {status}")), "{message}");
    }
}

#[test]
fn an_opaque_token_of_another_server_has_no_claims() {
    let scene = Scene::new();
    let body = serde_json::json!({"access_token": "opaque-canary", "token_type": "Bearer", "expires_in": 3600});
    scene.emulator.set_faults(serde_json::json!([{"path": "/opaque", "status": 200, "body": body}])).unwrap();
    let url = format!("{}/opaque", scene.emulator.base_url());
    let command = |arguments: &[&str]| {
        let mut command = scene.tokenwell(arguments.iter().copied().chain(["--token-url", &url]));
        command.env_remove("MONGODB_ATLAS_BASE_URL");
        command
    };

    let shown = stdout(&command(&["whoami"]).assert().success());
    let answer = json(&command(&["whoami", "--json"]).assert().success());
    let message = stderr(&command(&["whoami", "--check"]).assert().code(2));

    assert!(shown.contains("none: the token is opaque") && !shown.contains("canary"), "{shown}");
    assert!(answer["claims"].is_null() && !answer.to_string().contains("canary"), "{answer}");
    assert!(message.contains("is not Atlas"), "{message}");
}
