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

    let mut command = scene.tokenwell(["api", "GET", "/api/atlas/v2/orgs"]);
    let message = stderr(&command.env("TOKENWELL_TIMEOUT_MS", "5000").assert().code(6));

    assert!(message.contains("HTTP status 429 (Too Many Requests)") && message.contains("Try again in 17 s."), "{message}");
    assert_eq!(scene.emulator.counters().api_requests, 1);
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

    for path in ["//evil.example/", "https://evil.example/", "/\\evil.example", "ftp://evil.example/", "https://user@127.0.0.1/"] {
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
    let body = "no JSON";
    scene.emulator.set_faults(json!([{"path": "/api/atlas/v2/orgs", "status": 403, "body": body}])).unwrap();

    let shown = on_a_terminal(&scene, &["api", "GET", "/api/atlas/v2/orgs"]);
    let piped = stdout(&scene.tokenwell(["api", "GET", "/api/atlas/v2/orgs"]).assert().code(4));

    assert!(shown.starts_with(&format!("{body}\r\ntokenwell: GET /api/atlas/v2/orgs: HTTP status 403 (Forbidden)\r\n")), "{shown}");
    assert_eq!(piped, body);
}

#[cfg(target_os = "linux")]
#[test]
fn n18_json_is_indented_on_a_terminal_only() {
    let scene = Scene::new();
    let body = r#"{"z":[1.50,"a\u001bb"],"a":{}}"#;
    scene.emulator.set_faults(json!([{"path": "/api/atlas/v2/orgs", "status": 200, "body": body}])).unwrap();

    let plain = on_a_terminal(&scene, &["api", "GET", "/api/atlas/v2/orgs"]);
    let colored = on_a_terminal(&scene, &["--color", "always", "api", "GET", "/api/atlas/v2/orgs"]);
    let piped = scene.tokenwell(["--color", "always", "api", "GET", "/api/atlas/v2/orgs"]).assert().success();

    let indented = "{\r\n  \"z\": [\r\n    1.50,\r\n    \"a\\u001bb\"\r\n  ],\r\n  \"a\": {}\r\n}\r\n";
    assert_eq!(plain, indented);
    let parts = colored.split('\u{1b}').map(|part| part.split_once('m').filter(|_| part.starts_with('[')).map_or(part, |(_, rest)| rest));
    assert_eq!((parts.collect::<String>().as_str(), colored == plain), (indented, false));
    assert_eq!(stdout(&piped), body);
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

#[test]
fn n18_the_prefix_and_get_are_implied() {
    let scene = Scene::new();
    let complete = stdout(&scene.tokenwell(["api", "GET", "/api/atlas/v2/orgs"]).assert().success());
    let url = format!("{}/api/atlas/v2/orgs", scene.emulator.base_url());

    for arguments in
        [&["orgs"][..], &["/orgs"], &["/api/atlas/v2/orgs"], &["api/atlas/v2/orgs"], &["get", "orgs"], &["-X", "get", "orgs"], &[&url]]
    {
        let answer = scene.tokenwell([&["api"], arguments].concat()).assert().success();
        assert_eq!(stdout(&answer), complete, "{arguments:?}");
    }
    assert!(complete.contains(DEFAULT_ORG_ID), "{complete}");
}

#[test]
fn n18_a_body_makes_it_a_post_and_fields_make_the_body() {
    let scene = Scene::new();
    let path = format!("orgs/{DEFAULT_ORG_ID}/serviceAccounts");
    let account = r#"{"name":"file","description":"d","roles":["ORG_MEMBER"],"secretExpiresAfterHours":8}"#;
    let file = scene.write("account.json", account);
    let fields = ["-f", "name=123", "-f", "description=d", "-F", "roles[]=ORG_MEMBER", "-F", "secretExpiresAfterHours=8"];

    let calls: [Vec<&str>; 4] = [vec!["--data", account], vec!["--input", text(&file)], vec!["--input", "-"], fields.to_vec()];
    let names: Vec<_> = calls
        .iter()
        .map(|call| {
            let arguments = ["api", &path, "--jq", ".name"].into_iter().chain(call.iter().copied());
            stdout(&scene.tokenwell(arguments).write_stdin(account.replace("file", "stdin")).assert().success())
        })
        .collect();

    assert_eq!(names, ["file\n", "file\n", "stdin\n", "123\n"]);
    assert_eq!(scene.emulator.last_request(&format!("/api/atlas/v2/{path}")).unwrap().method, "POST");
}

#[test]
fn n18_fields_of_a_get_are_its_query() {
    let scene = Scene::new();

    scene.tokenwell(["api", "-X", "GET", "orgs?includeCount=false", "-F", "itemsPerPage=1", "-f", "name=a b&c"]).assert().success();

    let request = scene.emulator.last_request("/api/atlas/v2/orgs").unwrap();
    assert_eq!((request.method.as_str(), request.query.as_deref()), ("GET", Some("includeCount=false&name=a+b%26c&itemsPerPage=1")));
}

#[test]
fn n18_placeholders_are_the_ids_of_the_environment() {
    let scene = Scene::new();
    let with = |name: &str, value: &str, path: &str| {
        let mut command = scene.tokenwell(["api", path, "--jq", ".id"]);
        command.env(name, value).assert()
    };

    for (name, path) in [("MONGODB_ATLAS_ORG_ID", "orgs/{org}"), ("MCLI_ORG_ID", "/api/atlas/v2/orgs/{orgId}")] {
        assert_eq!(stdout(&with(name, DEFAULT_ORG_ID, path).success()), format!("{DEFAULT_ORG_ID}\n"));
    }
    let missing = stderr(&with("MONGODB_ATLAS_ORG_ID", DEFAULT_ORG_ID, "groups/{project}").code(2));
    assert!(missing.contains("contains {project}, but MONGODB_ATLAS_PROJECT_ID is not set"), "{missing}");
    assert!(scene.emulator.last_request("/api/atlas/v2/groups/{project}").is_none());
}

#[test]
fn n18_jq_selects_parts_of_the_response() {
    let scene = Scene::new();
    let body = r#"{"results":[{"name":"a","n":1.50},{"name":"b\tc","n":null}]}"#;
    scene.emulator.set_faults(json!([{"path": "/api/atlas/v2/orgs", "status": 200, "body": body}])).unwrap();
    let selected = |expression: &str| stdout(&scene.tokenwell(["api", "orgs", "--jq", expression]).assert().success());

    assert_eq!(selected(".results[].name"), "a\nb\tc\n");
    assert_eq!(selected(".results | map(.n)"), "[1.50,null]\n");
    assert_eq!(selected(".results[] | [.name, .n] | @csv"), "\"a\",1.50\n\"b\tc\",\n");
    assert_eq!(selected(".results[] | [.name, .n] | @tsv"), "a\t1.50\nb\\tc\t\n");
    assert_eq!(selected(".results[] | select(.name | test(\"^A\"; \"i\")) | .n"), "1.50\n");
    assert_eq!(selected("empty"), "");
    let failed = scene.tokenwell(["api", "orgs", "--jq", ".results[0].name, .results.name"]).assert().code(2).stdout("a\n");
    assert!(stderr(&failed).contains("--jq: cannot index"), "{}", stderr(&failed));
}

#[test]
fn n18_a_bad_jq_expression_is_refused_before_a_request_is_sent() {
    let scene = Scene::new();

    let message = stderr(&scene.tokenwell(["api", "orgs", "--jq", ".results["]).assert().code(2).stdout(""));

    assert!(message.contains("--jq: `.results[`: there is no closing delimiter for `[`"), "{message}");
    assert_eq!(scene.emulator.counters().connections, 0);
}

#[test]
fn n18_an_error_is_printed_whole_and_explained_whatever_the_filter() {
    let scene = Scene::new();
    let path = "orgs/0e00000000000000000000ff";

    for extra in [&["--jq", ".id"][..], &["--paginate"], &[]] {
        let assert = scene.tokenwell([&["api", path], extra].concat()).assert().code(5);

        let body = json_line(&stdout(&assert));
        let (detail, code) = (body["detail"].as_str().unwrap(), body["errorCode"].as_str().unwrap());
        let message = stderr(&assert);
        let words = format!("GET /api/atlas/v2/{path}");
        assert!(message.contains(&words) && message.contains("HTTP status 404 (Not Found): "), "{message}");
        assert!(
            message.contains(detail) && message.contains(&format!("[{code}]")) && message.contains("`tokenwell api orgs`"),
            "{message}"
        );
    }
}

#[test]
fn n18_paginate_merges_the_results_of_all_pages() {
    let scene = Scene::new();
    let accounts = format!("orgs/{DEFAULT_ORG_ID}/serviceAccounts");
    for number in 0..4 {
        let name = format!("name=account {number}");
        let create = ["api", &accounts, "-f", &name, "-f", "description=d", "-F", "roles[]=ORG_MEMBER", "-F", "secretExpiresAfterHours=8"];
        scene.tokenwell(create).assert().success();
    }
    let names = |extra: &[&str], path: &str| stdout(&scene.tokenwell([&["api", path, "--paginate"], extra].concat()).assert().success());
    let of_two = format!("{accounts}?itemsPerPage=2");
    let before = scene.emulator.counters().api_requests;

    let merged: Vec<serde_json::Value> = serde_json::from_str(&names(&[], &of_two)).unwrap();
    assert_eq!(merged.len(), 5);
    assert_eq!(scene.emulator.counters().api_requests - before, 3);
    let expected: String = merged.iter().map(|account| format!("{}\n", account["name"].as_str().unwrap())).collect();
    assert_eq!(names(&["--jq", ".results[].name"], &of_two), expected);

    assert_eq!(names(&["--jq", ".results | length"], &accounts), "5\n");
    let query = scene.emulator.last_request(&format!("/api/atlas/v2/{accounts}")).unwrap().query;
    assert_eq!(query.as_deref(), Some("itemsPerPage=500"));
    assert_eq!(names(&[], &format!("{accounts}?pageNum=9")), "[]\n");
}

#[test]
fn n18_a_page_that_fails_leaves_no_half_array() {
    let scene = Scene::new();
    let page = r#"{"results":[{"id":1}],"totalCount":2}"#;
    let faults = || {
        let first = json!({"path": "/api/atlas/v2/orgs", "times": 1, "status": 200, "body": page});
        json!([first, {"path": "/api/atlas/v2/orgs", "status": 503, "body": {"detail": "down"}}])
    };
    scene.emulator.set_faults(faults()).unwrap();
    let whole = scene.tokenwell(["api", "orgs", "--paginate"]).assert().code(5);
    scene.emulator.set_faults(faults()).unwrap();
    let streamed = scene.tokenwell(["api", "orgs", "--paginate", "--jq", ".results[].id"]).assert().code(5);

    assert_eq!(json_line(&stdout(&whole))["detail"], "down");
    assert!(stdout(&streamed).starts_with("1\n{"), "{}", stdout(&streamed));
    assert!(stderr(&whole).contains("HTTP status 503 (Service Unavailable): down"), "{}", stderr(&whole));
}

#[test]
fn n18_a_next_page_on_another_server_is_refused() {
    let scene = Scene::new();
    let page = r#"{"results":[],"links":[{"rel":"next","href":"https://evil.example/api/atlas/v2/orgs?cursor=1"}]}"#;
    scene.emulator.set_faults(json!([{"path": "/api/atlas/v2/orgs", "status": 200, "body": page}])).unwrap();

    let message = stderr(&scene.tokenwell(["api", "orgs", "--paginate"]).assert().code(8).stdout(""));

    assert!(message.contains("leads to a server other than the base URL"), "{message}");
}

#[test]
fn n18_what_is_no_list_has_no_pages() {
    let scene = Scene::new();

    let one = stderr(&scene.tokenwell(["api", &format!("orgs/{DEFAULT_ORG_ID}"), "--paginate"]).assert().code(2).stdout(""));
    let post = stderr(&scene.tokenwell(["api", "-X", "POST", "orgs", "--paginate"]).assert().code(2).stdout(""));

    assert!(one.contains("it has no array `results`") && post.contains("--paginate requires GET, not POST"), "{one}{post}");
}

#[test]
fn n18_a_header_is_sent_but_none_that_moves_the_token() {
    let scene = Scene::new();

    scene.tokenwell(["api", "orgs", "-H", "X-Note: a: b", "-H", "Accept: application/vnd.atlas.2023-01-01+json"]).assert().success();
    let request = format!("{:?}", scene.emulator.last_request("/api/atlas/v2/orgs").unwrap());
    assert!(request.contains("application/vnd.atlas.2023-01-01+json") && !request.contains("2024-08-05"), "{request}");

    for header in ["authorization: Bearer canary", "Host: evil.example", "Content-Length: 1", "Bad Name: canary", "canary"] {
        let message = stderr(&scene.tokenwell(["api", "groups", "-H", header]).assert().code(2).stdout(""));
        assert!(message.contains("header") && (header == "canary" || !message.contains("canary")), "{message}");
    }
    assert!(scene.emulator.last_request("/api/atlas/v2/groups").is_none());
}

#[test]
fn n18_a_429_is_repeated_when_retry_after_is_over() {
    let scene = Scene::new();
    let fault = json!({"path": "/api/atlas/v2/orgs", "times": 1, "status": 429, "headers": {"Retry-After": "1"}, "body": {"error": 429}});
    scene.emulator.set_faults(json!([fault])).unwrap();

    let assert = scene.tokenwell(["-v", "api", "orgs", "--jq", ".totalCount"]).assert().success().stdout("1\n");

    assert!(stderr(&assert).contains("HTTP status 429: the request is sent again in 1 s"), "{}", stderr(&assert));
    assert_eq!(scene.emulator.counters().api_requests, 2);
}

#[test]
fn n18_contradictory_arguments_are_refused() {
    let scene = Scene::new();

    for (arguments, expected) in [
        (&["GET"][..], "GET: the path is missing"),
        (&["-X", "GET", "POST", "orgs"], "--method is set and there are two arguments"),
        (&["orgs", "-f", "a"], "`a` is not NAME=VALUE"),
        (&["GET", "orgs", "--data", "{}"], "a GET request has no body"),
        (&["orgs/{id}"], "unknown placeholder {id}"),
        (&[""], "the path is empty"),
    ] {
        let message = stderr(&scene.tokenwell([&["api"], arguments].concat()).assert().code(2).stdout(""));
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
    assert_eq!(scene.emulator.counters().connections, 0);
}

#[test]
fn n18_an_id_that_looks_like_a_number_stays_a_string() {
    let scene = Scene::new();

    for id in ["0e0000000000000000000001", "123456789012345678901234", "007", "1.50"] {
        scene.tokenwell(["api", "orgs", "-X", "POST", "-F", &format!("id={id}"), "-F", "count=12"]).assert().failure();

        let sent = scene.emulator.last_request("/api/atlas/v2/orgs").unwrap();
        assert_eq!(sent.body, format!(r#"{{"count":12,"id":"{id}"}}"#));
    }
}

#[test]
fn n18_a_word_that_is_no_method_is_not_sent_as_one() {
    let scene = Scene::new();

    for (first, path) in [("orgs", "groups"), ("orgs", "GET"), ("FETCH", "orgs")] {
        let message = stderr(&scene.tokenwell(["api", first, path]).assert().code(2).stdout(""));

        assert!(message.contains(&format!("`{first}` is not a method")), "{message}");
    }
    assert_eq!(scene.emulator.counters().requests, 0);
}
