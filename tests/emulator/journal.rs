//! What the control API shows of requests and tokens.

use crate::admin::ACCOUNTS;
use crate::client::{api, basic, control, emulator, post_token, revoke, send, token};
use crate::process::Process;
use serde_json::json;
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET};

#[test]
fn e10_the_request_log_has_both_times_and_how_each_request_ended() {
    let emulator = Process::start();
    emulator.control("POST", "/clock", r#"{"set_ms":5000}"#);
    let token = emulator.token();
    emulator.control("POST", "/faults", r#"[{"path":"/gone","close":"before_reply"},{"path":"/late","status":503}]"#);
    emulator.api(&token, "GET", "/orgs?pretty=true", "");
    emulator.received("GET", "/gone", &[], "");
    emulator.send("GET", "/late", &[], "");

    let log = emulator.control("GET", "/requests", "").json();

    assert_eq!(log["dropped"], json!(0));
    let requests = log["requests"].as_array().unwrap();
    let summary: Vec<_> = requests
        .iter()
        .map(|request| {
            json!([request["number"], request["method"], request["path"], request["client_id"], request["status"], request["fault"]])
        })
        .collect();
    assert_eq!(
        summary,
        [
            json!([1, "POST", "/api/oauth/token", DEFAULT_CLIENT_ID, 200, false]),
            json!([2, "GET", "/api/atlas/v2/orgs", DEFAULT_CLIENT_ID, 200, false]),
            json!([3, "GET", "/gone", null, null, true]),
            json!([4, "GET", "/late", null, 503, true]),
        ]
    );
    assert!(requests.iter().all(|request| request["now_ms"] == 5000 && request["address"] == "127.0.0.1"));
    assert!(requests.iter().all(|request| request["system_ms"].as_u64().unwrap() > 1_600_000_000_000));
    emulator.control("POST", "/reset", "");
    assert_eq!(emulator.control("GET", "/requests", "").json(), json!({ "requests": [], "dropped": 0 }));
}

#[test]
fn the_last_thousand_requests_are_kept() {
    let emulator = emulator();
    for number in 0..1003 {
        send(&emulator, "GET", &format!("/{number}"), &[], "");
    }

    let log = emulator.requests();

    assert_eq!((log.requests.len(), log.dropped), (1000, 3));
    assert_eq!((log.requests[0].number, log.requests[0].path.as_str()), (4, "/3"));
    assert_eq!(control(&emulator, "GET", "/requests", "").json()["dropped"], json!(3));
    assert!(emulator.last_request("/0").is_none() && emulator.last_request("/1002").is_some());
}

#[test]
fn the_bytes_of_last_requests_are_bounded() {
    let emulator = emulator();
    let body = "a".repeat(1024 * 1024);
    for number in 0..20 {
        send(&emulator, "POST", &format!("/{number}"), &[], &body);
    }

    let kept = (0..20).filter(|number| emulator.last_request(&format!("/{number}")).is_some()).count();

    assert_eq!(kept, 15);
    assert_eq!(emulator.last_request("/19").unwrap().body.len(), body.len());
}

#[test]
fn the_log_and_the_list_of_tokens_have_no_usable_credential() {
    let emulator = emulator();
    let token = token(&emulator);
    api(&emulator, &token, "GET", &format!("{ACCOUNTS}?token={token}"), None);
    send(&emulator, "GET", &format!("/a/{token}"), &[], "");
    send(&emulator, "GET", &format!("/a/{DEFAULT_CLIENT_SECRET}"), &[], "");
    send(&emulator, "GET", "/a/mdb%5Fsa%5Fsk_emulator_not_a_real_secret_0123456789ABC", &[], "");
    let swapped = basic(DEFAULT_CLIENT_SECRET, DEFAULT_CLIENT_ID);
    post_token(&emulator, &[("Authorization", &swapped), ("Content-Type", crate::client::FORM)], "grant_type=client_credentials");

    let shown = ["/requests", "/tokens", "/health", "/faults", "/settings"].map(|path| control(&emulator, "GET", path, "").body).concat();

    assert!(!shown.contains(DEFAULT_CLIENT_SECRET) && !shown.contains("emulator_not_a_real_secret") && !shown.contains(&token));
    assert!(token.split('.').all(|part| !shown.contains(part)), "no part of the token is complete");
    assert!(shown.contains(r#""client_id":"…""#), "{shown}");
}

#[test]
fn e15_valid_tokens_are_listed_by_their_ends() {
    let process = Process::start();
    process.control("POST", "/clock", r#"{"set_ms":1800000000000}"#);
    let first = process.token();
    let shown = process.control("GET", "/tokens", "").json();

    assert_eq!(shown["total"], json!(1));
    let expected = json!({ "client_id": DEFAULT_CLIENT_ID, "secret_id": "0e0000000000000000000003", "token": format!("…{}", &first[first.len() - 8..]),
        "issued_ms": 1_800_000_000_000_u64, "expires_ms": 1_800_003_600_000_u64 });
    assert_eq!(shown["tokens"], json!([expected]));

    let emulator = emulator();
    revoke(&emulator, &token(&emulator));
    assert_eq!(control(&emulator, "GET", "/tokens", "").json(), json!({ "tokens": [], "total": 0 }));
}
