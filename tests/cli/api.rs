//! `api`: unchanged response bodies, and exit codes.

use crate::support::{Scene, json, stderr, stdout, text};
use serde_json::json;
use tokenwell::emulator::DEFAULT_ORG_ID;

#[test]
fn the_body_is_printed_unchanged() {
    let scene = Scene::new();
    scene.emulator.set_faults(json!([{"path": "/api/atlas/v2/orgs", "status": 200, "body": " {\"a\" : 1}\r\n\r\n"}])).unwrap();

    scene.tokenwell(["api", "GET", "/api/atlas/v2/orgs"]).assert().success().stdout(" {\"a\" : 1}\r\n\r\n").stderr("");
}

#[test]
fn a_path_keeps_its_query() {
    let scene = Scene::new();

    scene.tokenwell(["api", "get", "/api/atlas/v2/orgs?itemsPerPage=1"]).assert().success();

    let request = scene.emulator.last_request("/api/atlas/v2/orgs").unwrap();
    assert_eq!((request.method.as_str(), request.query.as_deref()), ("GET", Some("itemsPerPage=1")));
}

#[test]
fn data_is_read_from_the_argument_a_file_and_standard_input() {
    let scene = Scene::new();
    let path = format!("/api/atlas/v2/orgs/{DEFAULT_ORG_ID}/serviceAccounts");
    let account = |name: &str| {
        json!({"name": name, "description": "made by a test", "roles": ["ORG_MEMBER"], "secretExpiresAfterHours": 8}).to_string()
    };
    let file = scene.write("account.json", &account("file"));

    let answers = [
        scene.tokenwell(["api", "POST", &path, "--data", &account("text")]).assert().success(),
        scene.tokenwell(["api", "POST", &path, "--data", &format!("@{}", text(&file))]).assert().success(),
        scene.tokenwell(["api", "POST", &path, "--data", "-"]).write_stdin(account("stdin")).assert().success(),
    ];

    let names: Vec<_> =
        answers.iter().map(|answer| serde_json::from_str::<serde_json::Value>(&stdout(answer)).unwrap()["name"].clone()).collect();
    assert_eq!(names, ["text", "file", "stdin"]);
}

#[test]
fn data_that_is_not_json_or_cannot_be_read_is_not_sent() {
    let scene = Scene::new();

    let long = "x".repeat(100);
    for data in ["{", "@missing.json", "@", "", "x", &long] {
        let assert = scene.tokenwell(["api", "POST", "/api/atlas/v2/orgs", "--data", data]).assert().code(2).stdout("");
        let message = stderr(&assert);
        assert!(message.contains("--data") && !message.contains(&"x".repeat(61)), "{data}: {message}");
        let advice = message.contains("`x` is not JSON (line 1, column 1)") && message.contains("write --data @x.");
        assert!(data != "x" || advice, "{message}");
    }
    assert_eq!(scene.emulator.counters().api_requests, 0);
}

#[test]
fn include_shows_the_status_and_the_headers() {
    let scene = Scene::new();

    let answer = stdout(&scene.tokenwell(["api", "GET", "/api/atlas/v2/orgs", "--include"]).assert().success());

    let (head, body) = answer.split_once("\n\n").unwrap();
    assert!(head.starts_with("HTTP 200\n") && head.contains("content-type: ") && head.contains("ratelimit-limit: "), "{head}");
    assert!(serde_json::from_str::<serde_json::Value>(body).is_ok(), "{body}");
}

#[test]
fn the_version_is_in_the_media_type() {
    let scene = Scene::new();

    scene.tokenwell(["api", "GET", "/api/atlas/v2/orgs", "--api-version", "2025-03-12"]).assert().success();

    let request = scene.emulator.last_request("/api/atlas/v2/orgs").unwrap();
    assert!(format!("{request:?}").contains("application/vnd.atlas.2025-03-12+json"), "{request:?}");
}

#[test]
fn an_error_response_is_printed_and_sets_the_exit_code() {
    let scene = Scene::new();

    for (status, code) in [(400, 5), (403, 4), (404, 5), (429, 6), (503, 5)] {
        scene.emulator.set_faults(json!([{"path": "/api/atlas/v2/orgs", "status": status, "body": {"error": status}}])).unwrap();

        let assert = scene.tokenwell(["api", "GET", "/api/atlas/v2/orgs"]).assert().code(code);

        assert_eq!(serde_json::from_str::<serde_json::Value>(&stdout(&assert)).unwrap()["error"], status);
        assert!(stderr(&assert).contains(&format!("HTTP status {status}")), "{}", stderr(&assert));
    }
}

#[test]
fn a_429_shows_the_seconds_of_retry_after() {
    let scene = Scene::new();
    let fault = json!({"path": "/api/atlas/v2/orgs", "status": 429, "headers": {"Retry-After": "17"}, "body": {"error": 429}});
    scene.emulator.set_faults(json!([fault])).unwrap();

    let message = stderr(&scene.tokenwell(["api", "GET", "/api/atlas/v2/orgs"]).assert().code(6));

    assert!(message.contains("HTTP status 429 (Too Many Requests)") && message.contains("Try again in 17 s."), "{message}");
}

#[test]
fn item_15_a_401_is_tried_once_more_with_another_token() {
    let scene = Scene::new();
    scene.emulator.set_faults(json!([{"path": "/api/atlas/v2/orgs", "times": 1, "status": 401, "body": {"error": 401}}])).unwrap();

    let assert = scene.tokenwell(["api", "GET", "/api/atlas/v2/orgs"]).assert().success();

    assert!(stdout(&assert).contains("results"), "{}", stdout(&assert));
    assert_eq!(scene.emulator.counters().tokens_minted, 2);
}

#[test]
fn item_24_a_refusal_that_is_no_401_brings_no_other_token() {
    let scene = Scene::new();

    for (status, error) in [(403, "insufficient_scope"), (400, "invalid_request"), (404, "invalid_token"), (429, "slow_down")] {
        let challenge = format!("Bearer error=\"{error}\"");
        let fault =
            json!({"path": "/api/atlas/v2/orgs", "status": status, "headers": {"WWW-Authenticate": challenge}, "body": {"error": status}});
        scene.emulator.set_faults(json!([fault])).unwrap();
        let before = scene.emulator.counters().api_requests;

        scene.tokenwell(["api", "GET", "/api/atlas/v2/orgs"]).assert().failure();

        assert_eq!(scene.emulator.counters().api_requests, before + 1, "{status}: one call");
    }
    assert_eq!(scene.emulator.counters().tokens_minted, 1);
}

#[test]
fn item_15_item_24_a_401_that_stays_is_exit_code_4_after_two_calls() {
    let scene = Scene::new();
    scene.emulator.set_faults(json!([{"path": "/api/atlas/v2/orgs", "status": 401, "body": {"error": 401}}])).unwrap();

    let assert = scene.tokenwell(["api", "GET", "/api/atlas/v2/orgs"]).assert().code(4);

    assert_eq!(json_line(&stdout(&assert))["error"], 401);
    let counters = scene.emulator.counters();
    assert_eq!((counters.tokens_minted, counters.api_requests), (2, 2));
}

fn json_line(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn i5_a_path_that_names_another_host_is_not_called() {
    let scene = Scene::new();

    for path in ["//evil.example/", "https://evil.example/", "/\\evil.example", "api/atlas"] {
        let assert = scene.tokenwell(["api", "GET", path]).assert().failure().stdout("");
        let code = assert.get_output().status.code().unwrap();
        assert!(code == 2 || code == 8, "{path}: {code}");
    }
    assert_eq!(scene.emulator.counters().api_requests, 0);
}

#[test]
fn servers_other_than_atlas_have_no_admin_api() {
    let scene = Scene::new();
    let token_url = format!("{}/generic/oauth/token", scene.emulator.base_url());

    let mut command = scene.tokenwell(["api", "GET", "/", "--token-url", &token_url]);

    command.env_remove("MONGODB_ATLAS_BASE_URL").assert().code(3).stdout("");
}

#[test]
fn bench_prints_one_object() {
    let scene = Scene::new();

    let answer = json(&scene.tokenwell(["bench", "--gets", "100", "--json"]).assert().success());

    assert_eq!((answer["gets"].as_u64(), answer["api_status"].as_u64()), (Some(100), Some(200)));
}

#[cfg(target_os = "linux")]
#[test]
fn a_final_newline_is_added_on_a_terminal_only() {
    let scene = Scene::new();
    let body = r#"{"detail":"no"}"#;
    scene.emulator.set_faults(json!([{"path": "/api/atlas/v2/orgs", "status": 403, "body": body}])).unwrap();

    let shown = on_a_terminal(&scene, &["api", "GET", "/api/atlas/v2/orgs"]);
    let piped = stdout(&scene.tokenwell(["api", "GET", "/api/atlas/v2/orgs"]).assert().code(4));

    assert!(shown.starts_with(&format!("{body}\r\ntokenwell: GET /api/atlas/v2/orgs: HTTP status 403 (Forbidden)\r\n")), "{shown}");
    assert_eq!(piped, body);
}

/// The output of the command on a terminal for standard output and standard error.
#[cfg(target_os = "linux")]
fn on_a_terminal(scene: &Scene, arguments: &[&str]) -> String {
    use std::io::Read as _;

    let pair = nix::pty::openpty(None, None).unwrap();
    let theirs = std::fs::File::from(pair.slave);
    let mut command = scene.plain(crate::support::command_path());
    command.env("NO_COLOR", "1").args(arguments).stdin(std::process::Stdio::null()).stdout(theirs.try_clone().unwrap()).stderr(theirs);
    let mut child = command.spawn().unwrap();
    // Closes its copies of the terminal, so that a read fails once the child has exited.
    drop(command);
    let (mut shown, mut buffer) = (Vec::new(), [0; 1024]);
    let mut terminal = std::fs::File::from(pair.master);
    while let Ok(count @ 1..) = terminal.read(&mut buffer) {
        shown.extend_from_slice(&buffer[..count]);
    }
    child.wait().unwrap();
    String::from_utf8(shown).unwrap()
}

#[test]
fn r7_a_resource_that_answers_401_to_everything_costs_two_tokens() {
    let scene = Scene::new();
    scene.emulator.set_faults(json!([{"path": "/api/atlas/v2/orgs", "status": 401, "body": {"error": 401}}])).unwrap();

    scene.tokenwell(["api", "GET", "/api/atlas/v2/orgs"]).assert().code(4);
    for _ in 0..20 {
        let message = stderr(&scene.tokenwell(["api", "GET", "/api/atlas/v2/orgs"]).assert().code(4).stdout(""));
        assert!(message.contains("the last 2 tokens of") && message.contains("the API answers 401"), "{message}");
    }

    assert_eq!(scene.emulator.counters().tokens_minted, 2);
}
