//! The limits on valid tokens and on requests.

use crate::client::{api, emulator, request_token, request_token_as, revoke, token};
use serde_json::json;
use tokenwell::emulator::{Emulator, EmulatorOptions};

#[test]
fn token_101_is_refused_until_another_token_is_revoked() {
    let emulator = emulator();
    let first = token(&emulator);
    for _ in 1..100 {
        assert_eq!(request_token(&emulator).status, 200);
    }

    let refused = request_token(&emulator);

    assert_eq!((refused.status, &refused.json()["error"]), (403, &json!("access_denied")));
    assert!(
        refused.json()["error_description"]
            .as_str()
            .unwrap()
            .contains("Access Token limit reached. A service account can have at most 100 "),
        "{refused:?}"
    );
    assert_eq!(emulator.counters().live_tokens, 100);
    revoke(&emulator, &first);
    assert_eq!(request_token(&emulator).status, 200);
    assert_eq!(request_token(&emulator).status, 403);
}

#[test]
fn the_token_cap_can_be_set_and_counts_only_valid_tokens() {
    let emulator = emulator();
    emulator.set_settings(json!({ "token_cap": 1 })).unwrap();
    emulator.advance_clock(0);
    assert_eq!([request_token(&emulator).status, request_token(&emulator).status], [200, 403]);

    emulator.advance_clock(3_600_000);

    assert_eq!(request_token(&emulator).status, 200);
}

#[test]
fn ten_token_requests_per_minute_are_accepted() {
    let emulator = Emulator::start(EmulatorOptions::default()).unwrap();
    emulator.advance_clock(0);
    for _ in 0..10 {
        assert_eq!(request_token(&emulator).status, 200);
    }
    emulator.advance_clock(15_000);

    let refused = request_token(&emulator);
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("45")));
    assert_eq!(refused.json()["error"], json!("rate_limited"));
    let text = "Resource /api/oauth/token is limited to 10 requests every 1 minutes.";
    assert_eq!(refused.json()["error_description"], json!(text));
    assert_eq!(request_token_as(&emulator, "another", "client").status, 401);

    emulator.advance_clock(45_000);
    assert_eq!(request_token(&emulator).status, 200);
}

#[test]
fn the_api_format_of_a_429_names_path_requests_and_minutes() {
    let emulator = emulator();
    let limit = json!({ "requests": 1, "window_s": 120, "shape": "api", "retry_after": false });
    emulator.set_settings(json!({ "rate_limit": limit })).unwrap();
    request_token(&emulator);

    let refused = request_token(&emulator);

    assert_eq!((refused.status, refused.header("retry-after")), (429, None));
    let body = refused.json();
    assert_eq!((&body["error"], &body["errorCode"]), (&json!(429), &json!("RATE_LIMITED")));
    assert_eq!(body["parameters"], json!(["/api/oauth/token", 1, 2]));
    assert_eq!(body["reason"], json!("Too Many Requests"));
}

#[test]
fn null_disables_the_rate_limit() {
    let emulator = Emulator::start(EmulatorOptions::default()).unwrap();
    emulator.set_settings(json!({ "rate_limit": null })).unwrap();

    for _ in 0..30 {
        assert_eq!(request_token(&emulator).status, 200);
    }
}

#[test]
fn the_admin_api_reports_the_remaining_requests() {
    let emulator = emulator();
    let token = token(&emulator);
    emulator.set_settings(json!({ "api_rate_limit": { "requests": 2, "window_s": 60 } })).unwrap();
    emulator.advance_clock(0);

    let replies = [0; 3].map(|_| api(&emulator, &token, "GET", "/orgs", None));

    let limits = replies.each_ref().map(|reply| (reply.status, reply.header("ratelimit-limit"), reply.header("ratelimit-remaining")));
    assert_eq!(limits, [(200, Some("2"), Some("1")), (200, Some("2"), Some("0")), (429, Some("2"), Some("0"))]);
    assert_eq!(replies[2].header("retry-after"), Some("60"));
    assert_eq!(replies[2].json()["parameters"], json!(["/api/atlas/v2/orgs", 2, 1]));
}
