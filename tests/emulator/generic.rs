//! The generic endpoints: the behavior of an RFC-compliant authorization server that Atlas does not
//! have.

use crate::client::{FORM, Reply, api, basic, emulator, request_token, send};
use serde_json::json;
use tokenwell::emulator::Emulator;

fn generic(emulator: &Emulator, authorization: Option<&str>, body: &str) -> Reply {
    let mut headers = vec![("Content-Type", FORM)];
    headers.extend(authorization.map(|value| ("Authorization", value)));
    send(emulator, "POST", "/generic/oauth/token", &headers, body)
}

fn own(emulator: &Emulator) -> String {
    basic(emulator.client_id(), emulator.client_secret())
}

#[test]
fn form_encoded_credentials_are_decoded() {
    let emulator = emulator();
    let encoded = |value: &str| value.replace('_', "%5F");
    let authorization = basic(&encoded(emulator.client_id()), &encoded(emulator.client_secret()));

    let reply = generic(&emulator, Some(&authorization), "grant_type=client_credentials");

    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let token = reply.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(api(&emulator, &token, "GET", "/orgs", None).status, 200);
    assert_eq!(emulator.counters().token_requests, 1);
}

#[test]
fn the_credentials_may_be_in_the_body() {
    let emulator = emulator();
    let body = format!("grant_type=client_credentials&client_id={}&client_secret={}", emulator.client_id(), emulator.client_secret());

    assert_eq!(generic(&emulator, None, &body).status, 200);
}

#[test]
fn two_authentication_methods_in_one_request_are_rejected() {
    let emulator = emulator();
    let body = format!("grant_type=client_credentials&client_id={}&client_secret={}", emulator.client_id(), emulator.client_secret());

    let reply = generic(&emulator, Some(&own(&emulator)), &body);

    assert_eq!((reply.status, &reply.json()["error"]), (400, &json!("invalid_request")));
}

#[test]
fn the_scope_is_echoed_or_narrowed() {
    let emulator = emulator();
    let ask = |body: &str| generic(&emulator, Some(&own(&emulator)), body).json();

    assert_eq!(ask("grant_type=client_credentials&scope=read+write")["scope"], json!("read write"));
    assert_eq!(ask("grant_type=client_credentials").get("scope"), None);
    emulator.set_settings(json!({ "granted_scope": "read" })).unwrap();
    assert_eq!(ask("grant_type=client_credentials&scope=read+write")["scope"], json!("read"));
    emulator.set_settings(json!({ "granted_scope": null })).unwrap();
    assert_eq!(ask("grant_type=client_credentials&scope=write")["scope"], json!("write"));
}

#[test]
fn a_scope_with_invalid_characters_is_rejected() {
    let emulator = emulator();

    for scope in ["a%22b", "a%5Cb", "a++b", "a%0Ab", "%C3%A9"] {
        let reply = generic(&emulator, Some(&own(&emulator)), &format!("grant_type=client_credentials&scope={scope}"));
        assert_eq!((reply.status, &reply.json()["error"]), (400, &json!("invalid_scope")), "{scope}");
    }
}

#[test]
fn resources_are_absolute_uris_and_may_repeat() {
    let emulator = emulator();
    let ask = |resources: &str| generic(&emulator, Some(&own(&emulator)), &format!("grant_type=client_credentials&audience=a&{resources}"));

    assert_eq!(ask("resource=https%3A%2F%2Fa.example&resource=https%3A%2F%2Fb.example").status, 200);
    for wrong in ["resource=relative", "resource=https%3A%2F%2Fa.example%23fragment"] {
        let reply = ask(wrong);
        assert_eq!((reply.status, &reply.json()["error"]), (400, &json!("invalid_target")), "{wrong}");
    }
}

#[test]
fn the_generic_endpoint_revokes_a_token() {
    let emulator = emulator();
    let token = request_token(&emulator).json()["access_token"].as_str().unwrap().to_owned();
    let body = format!("token={token}&client_id={}&client_secret={}", emulator.client_id(), emulator.client_secret());

    let reply = send(&emulator, "POST", "/generic/oauth/revoke", &[("Content-Type", FORM)], &body);

    assert_eq!(reply.status, 200);
    assert_eq!(emulator.counters().live_tokens, 0);
    assert_eq!(emulator.counters().revoke_requests, 1);
}
