//! The log of `-v`, and the secrets that it never shows.

use crate::support::{Scene, stderr, stdout};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET};

/// The forms in which the secret could leak.
fn forms(secret: &str) -> Vec<String> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    vec![
        secret.to_owned(),
        STANDARD.encode(secret),
        STANDARD.encode(format!("{DEFAULT_CLIENT_ID}:{secret}")).trim_end_matches('=').to_owned(),
        hex.to_uppercase(),
        hex,
        secret.replace('_', "%5F"),
    ]
}

#[test]
fn the_verbose_log_shows_requests() {
    let scene = Scene::new();

    assert_eq!(stderr(&scene.tokenwell(["token"]).assert().success()), "");
    let log = stderr(&scene.tokenwell(["token", "--force-refresh", "-v"]).assert().success());

    assert!(log.lines().all(|line| line.starts_with("tokenwell: debug: ")), "{log}");
    assert!(log.contains(": HTTP 200 after ") && log.contains(scene.emulator.base_url()), "{log}");
}

#[test]
fn the_log_shows_a_token_and_a_refusal_of_other_processes() {
    let scene = Scene::new();
    scene.tokenwell(["token"]).assert().success();

    let log = stderr(&scene.tokenwell(["token", "-v"]).assert().success());
    assert!(log.contains("using the token in the token cache") && log.contains("ends_in_s=3"), "{log}");

    scene.emulator.set_faults(json!([{"path": "/api/oauth/token", "status": 429, "headers": {"Retry-After": "3000"}}])).unwrap();
    scene.tokenwell(["token", "--force-refresh"]).assert().code(6);
    let log = stderr(&scene.tokenwell(["token", "--force-refresh", "-v"]).assert().code(6));
    assert!(log.contains("found a remembered refusal in the token cache"), "{log}");
}

#[test]
fn a_failure_is_shown_once_without_the_log() {
    let told = |flag: &[&'static str]| {
        let scene = Scene::new();
        let mut command = scene.tokenwell(["token"].into_iter().chain(flag.iter().copied()));
        let assert = command.env("MONGODB_ATLAS_CLIENT_SECRET", "wrong").assert().code(4);
        stderr(&assert).matches("invalid_client").count()
    };

    assert_eq!(told(&[]), 1);
    assert_eq!(told(&["-v"]), 2);
}

#[test]
fn i21_neither_secret_nor_token_is_on_standard_error_at_the_highest_verbosity() {
    let scene = Scene::new();
    let sink = scene.path("sink");
    let commands: [&[&str]; 12] = [
        &["token", "-vv"],
        &["token", "--force-refresh", "-vv"],
        &["header", "-vv"],
        &["env", "-vv"],
        &["exec", "-vv", "--", "printenv", "MONGODB_ATLAS_ACCESS_TOKEN"],
        &["api", "GET", "/api/atlas/v2/orgs", "-vv"],
        &["status", "-vv"],
        &["doctor", "-vv", "--mint"],
        &["invalidate", "-vv"],
        &["revoke", "-vv"],
        &["bench", "--gets", "10", "-vv"],
        &["sink", "--once", sink.to_str().unwrap(), "-vv"],
    ];
    let mut tokens = Vec::new();
    let mut seen = String::new();

    for arguments in commands {
        let assert = scene.tokenwell(arguments.iter().copied()).assert().success();
        seen.push_str(&stderr(&assert));
        let answer = stdout(&assert);
        assert!(!answer.contains(DEFAULT_CLIENT_SECRET), "{arguments:?}");
        tokens.extend(answer.split(['\n', ' ', '\'', '"']).filter(|word| crate::support::is_token(word)).map(str::to_owned));
    }
    tokens.push(std::fs::read_to_string(&sink).unwrap());

    assert!(tokens.len() >= 6, "{}", tokens.len());
    for canary in tokens.iter().map(String::as_str).flat_map(forms).chain(forms(DEFAULT_CLIENT_SECRET)) {
        assert!(!seen.contains(&canary), "{canary} in {seen}");
    }
}

#[test]
fn i21_failures_show_no_secret_even_where_the_server_repeats_it() {
    let scene = Scene::new();
    let echo = format!("you sent {DEFAULT_CLIENT_SECRET} and {}", STANDARD.encode(format!("{DEFAULT_CLIENT_ID}:{DEFAULT_CLIENT_SECRET}")));

    for (status, body) in [
        (401, json!({"error": "invalid_client", "error_description": echo})),
        (400, json!({"error": "invalid_request", "error_description": echo})),
        (429, json!({"error": "rate_limited", "error_description": echo})),
        (200, json!({"access_token": DEFAULT_CLIENT_SECRET, "token_type": "canary", "expires_in": 1})),
    ] {
        scene.emulator.set_faults(json!([{"path": "/api/oauth/token", "status": status, "body": body}])).unwrap();
        let shown = stderr(&scene.tokenwell(["token", "-vv"]).assert().failure().stdout(""));

        for canary in forms(DEFAULT_CLIENT_SECRET) {
            assert!(!shown.contains(&canary), "{status}: {shown}");
        }
    }
}

#[test]
fn i4_a_servers_words_do_not_reach_the_terminal_as_they_are() {
    let scene = Scene::new();
    let body = json!({"error": "invalid_client", "error_description": "red \u{1b}[31m bell \u{7} \u{202e}"});
    scene.emulator.set_faults(json!([{"path": "/api/oauth/token", "status": 401, "body": body}])).unwrap();

    let shown = stderr(&scene.tokenwell(["token", "-vv"]).assert().code(4));

    assert!(shown.contains("red ") && !shown.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{shown}");
}

#[test]
fn n24_each_request_is_one_line_and_the_second_level_shows_more() {
    let scene = Scene::new();
    let base = scene.emulator.base_url();
    let lines = |flag: &'static str| {
        let log = stderr(&scene.tokenwell(["api", "GET", "/api/atlas/v2/orgs?itemsPerPage=1", flag]).assert().success());
        log.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let count = |lines: &[String], part: &str| lines.iter().filter(|line| line.contains(part)).count();

    let first = lines("-v");
    assert_eq!(count(&first, &format!("POST {base}/api/oauth/token: HTTP 200 after ")), 1, "{first:?}");
    assert_eq!(count(&first, &format!("GET {base}/api/atlas/v2/orgs: HTTP 200 after ")), 1, "{first:?}");
    assert_eq!(count(&first, "itemsPerPage"), 0, "a query is not logged: {first:?}");

    let more = lines("-vv");
    assert!(count(&more, "client_id: environment variable MONGODB_ATLAS_CLIENT_ID") == 1, "{more:?}");
    assert!(count(&more, concat!("tokenwell ", env!("CARGO_PKG_VERSION"))) == 1 && count(&first, "client_id: ") == 0, "{more:?}");
}

#[test]
fn n24_each_attempt_of_a_request_is_a_line_with_its_number() {
    let scene = Scene::new();
    scene.emulator.set_faults(json!([{"path": "/api/oauth/token", "times": 1, "status": 503}])).unwrap();

    let log = stderr(&scene.tokenwell(["token", "-v"]).assert().success());

    assert!(log.contains("/api/oauth/token: HTTP 503 after ") && log.contains("/api/oauth/token: HTTP 200 after "), "{log}");
    assert!(log.lines().any(|line| line.contains("HTTP 200") && line.ends_with(", attempt 2")), "{log}");
}

#[test]
fn n30_the_cache_warning_is_shown_once_a_day_and_never_with_quiet() {
    let scene = Scene::new();
    std::fs::create_dir(scene.path("runtime")).unwrap();
    let warnings = |flag: Option<&'static str>| {
        let mut command = scene.tokenwell(["token"].into_iter().chain(flag));
        command.env_remove("HOME").env_remove("XDG_CACHE_HOME");
        stderr(&command.assert().success()).matches("the token cache is not used").count()
    };

    assert_eq!(warnings(Some("-q")), 0);
    assert_eq!(warnings(None), 1, "a quiet run does not count as shown");
    assert_eq!((warnings(None), warnings(None)), (0, 0));
    assert_eq!(warnings(Some("-v")), 1, "the log of a verbose run is complete");
}
