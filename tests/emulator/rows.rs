//! Reported faults, each through the command.

use crate::admin::{ACCOUNTS, account};
use crate::process::Process;
use serde_json::json;

#[test]
fn n11_last_request_without_a_path_is_a_json_error_with_detail() {
    let emulator = Process::start();

    for (query, problem) in [("", "path is missing"), ("?pth=/a", "\"pth\" is unknown"), ("?path=/a&path=/b", "more than once")] {
        let reply = emulator.control("GET", &format!("/last_request{query}"), "");

        assert_eq!((reply.status, reply.header("content-type")), (400, Some("application/json")), "{query}");
        let body = reply.json();
        assert_eq!((&body["error"], &body["errorCode"]), (&json!(400), &json!("INVALID_CONTROL_REQUEST")));
        assert!(body["detail"].as_str().unwrap().contains(problem), "{body}");
    }
}

#[test]
fn g7_a_list_keeps_its_order_while_accounts_are_added() {
    let emulator = Process::start();
    let token = emulator.token();
    let created: Vec<_> =
        (0..8).map(|_| emulator.api(&token, "POST", ACCOUNTS, &account(&["ORG_MEMBER"]).to_string()).json()["clientId"].clone()).collect();

    let list = emulator.api(&token, "GET", ACCOUNTS, "").json();

    let listed: Vec<_> = list["results"].as_array().unwrap().iter().skip(1).map(|account| account["clientId"].clone()).collect();
    assert_eq!(listed, created);
}
