//! The token and revocation endpoints of Atlas.

use crate::client::{FORM, address, api, basic, emulator, post_token, request_token, request_token_as, revoke, send, token};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokenwell::emulator::DEFAULT_CLIENT_ID;

const GRANT: &str = "grant_type=client_credentials";

fn authorization() -> String {
    let emulator = DEFAULT_CLIENT_ID;
    basic(emulator, tokenwell::emulator::DEFAULT_CLIENT_SECRET)
}

#[test]
fn raw_credentials_get_a_token_for_an_hour() {
    let emulator = emulator();

    let reply = request_token(&emulator);

    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/json;charset=ISO-8859-1"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let body = reply.json();
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(3600)));
    assert_eq!(body.as_object().unwrap().len(), 3, "{body}");
    let counters = emulator.counters();
    assert_eq!((counters.token_requests, counters.tokens_minted, counters.live_tokens), (1, 1, 1));
}

#[test]
fn a_token_has_the_format_of_a_jwt_for_its_client() {
    let emulator = emulator();
    emulator.set_clock(1_800_000_000_000);

    let token = token(&emulator);

    let parts: Vec<_> = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
    let [header, claims] = [0, 1].map(|index: usize| serde_json::from_slice::<Value>(&parts[index]).unwrap());
    assert_eq!((parts.len(), &header["alg"]), (3, &json!("ES512")));
    assert_eq!(claims["iss"], json!(emulator.base_url()));
    assert_eq!(claims["aud"], json!("api://admin"));
    assert_eq!((&claims["sub"], &claims["cid"]), (&json!(DEFAULT_CLIENT_ID), &json!(DEFAULT_CLIENT_ID)));
    assert_eq!((&claims["iat"], &claims["exp"]), (&json!(1_800_000_000), &json!(1_800_003_600)));
    assert!(claims["jti"].is_string());
}

#[test]
fn every_token_is_different() {
    let emulator = emulator();

    assert_ne!(token(&emulator), token(&emulator));
}

#[test]
fn percent_encoded_credentials_are_rejected_as_by_atlas() {
    let emulator = emulator();
    let encoded = |value: &str| value.replace('_', "%5F");

    let reply = request_token_as(&emulator, &encoded(emulator.client_id()), &encoded(emulator.client_secret()));

    assert_eq!((reply.status, &reply.json()["error"]), (401, &json!("invalid_client")));
}

#[test]
fn an_unknown_id_and_a_wrong_secret_get_the_same_response() {
    let emulator = emulator();

    let unknown = request_token_as(&emulator, "mdb_sa_id_ffffffffffffffffffffffff", emulator.client_secret());
    let wrong = request_token_as(&emulator, emulator.client_id(), "mdb_sa_sk_wrong");

    for reply in [unknown, wrong] {
        assert_eq!(reply.status, 401);
        assert_eq!(reply.json(), json!({ "error": "invalid_client", "error_description": "Invalid credentials provided." }));
        assert!(reply.header("www-authenticate").unwrap().starts_with("Basic "), "{reply:?}");
    }
    assert_eq!(emulator.counters().tokens_minted, 0);
}

#[test]
fn an_expired_secret_is_rejected() {
    let emulator = emulator();
    emulator.advance_clock(8760 * 3_600_000);

    assert_eq!(request_token(&emulator).status, 401);
}

#[test]
fn only_post_is_accepted() {
    let emulator = emulator();
    let authorization = authorization();

    for method in ["GET", "PUT", "DELETE"] {
        let reply = send(&emulator, method, "/api/oauth/token", &[("Authorization", &authorization), ("Content-Type", FORM)], GRANT);
        assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")), "{method}");
    }
}

#[test]
fn a_malformed_token_request_is_an_invalid_request() {
    let emulator = emulator();
    let authorization = authorization();
    let authorization = ("Authorization", authorization.as_str());
    let form = ("Content-Type", FORM);

    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);
    let cases: [Case; 7] = [
        ("no media type", &[authorization], GRANT),
        ("another media type", &[authorization, ("Content-Type", "application/json")], "{}"),
        ("two Authorization headers", &[authorization, authorization, form], GRANT),
        ("no grant type", &[authorization, form], "a=b"),
        ("an empty grant type", &[authorization, form], "grant_type="),
        ("a parameter twice", &[authorization, form], "grant_type=client_credentials&grant_type=client_credentials"),
        ("a second method", &[authorization, form], "grant_type=client_credentials&client_id=a&client_secret=b"),
    ];
    for (name, headers, body) in cases {
        let reply = post_token(&emulator, headers, body);
        assert_eq!((reply.status, &reply.json()["error"]), (400, &json!("invalid_request")), "{name}");
    }
}

#[test]
fn a_media_type_with_parameters_is_accepted() {
    let reply = post_token(&emulator(), &[("Authorization", &authorization()), ("Content-Type", &format!("{FORM}; charset=UTF-8"))], GRANT);

    assert_eq!(reply.status, 200);
}

#[test]
fn another_grant_is_not_supported() {
    let reply = post_token(&emulator(), &[("Authorization", &authorization()), ("Content-Type", FORM)], "grant_type=password");

    assert_eq!((reply.status, &reply.json()["error"]), (400, &json!("unsupported_grant_type")));
}

#[test]
fn basic_authentication_is_required_even_with_credentials_in_the_body() {
    let emulator = emulator();
    let in_body = format!("{GRANT}&client_id={}&client_secret={}", emulator.client_id(), emulator.client_secret());

    for body in [GRANT, &in_body] {
        let reply = post_token(&emulator, &[("Content-Type", FORM)], body);
        assert_eq!((reply.status, &reply.json()["error"]), (401, &json!("invalid_client")));
    }
    for broken in ["Basic", "Basic !!!", "Bearer abc", &format!("Basic {}", STANDARD.encode("no colon"))] {
        let reply = post_token(&emulator, &[("Authorization", broken), ("Content-Type", FORM)], GRANT);
        assert_eq!((reply.status, &reply.json()["error"]), (401, &json!("invalid_client")), "{broken}");
    }
}

#[test]
fn credentials_in_the_uri_are_rejected() {
    let emulator = emulator();

    let path = "/api/oauth/token?client_secret=abc";
    let reply = send(&emulator, "POST", path, &[("Authorization", &authorization()), ("Content-Type", FORM)], GRANT);

    assert_eq!((reply.status, &reply.json()["error"]), (400, &json!("invalid_request")));
}

#[test]
fn a_revoked_token_is_invalid_and_no_longer_counts() {
    let emulator = emulator();
    let token = token(&emulator);
    assert_eq!(api(&emulator, &token, "GET", "/orgs", None).status, 200);

    let reply = revoke(&emulator, &token);

    assert_eq!((reply.status, reply.body.as_str()), (200, ""));
    assert_eq!(api(&emulator, &token, "GET", "/orgs", None).status, 401);
    let counters = emulator.counters();
    assert_eq!((counters.live_tokens, counters.revoke_requests), (0, 1));
}

#[test]
fn an_unknown_token_is_revoked_with_success() {
    assert_eq!(revoke(&emulator(), "unknown").status, 200);
}

#[test]
fn a_revocation_without_a_token_or_with_a_wrong_secret_fails() {
    let emulator = emulator();
    let wrong = basic(emulator.client_id(), "wrong");

    let empty = revoke(&emulator, "");
    let stranger = send(&emulator, "POST", "/api/oauth/revoke", &[("Authorization", &wrong), ("Content-Type", FORM)], "token=a");

    assert_eq!((empty.status, &empty.json()["error"]), (400, &json!("invalid_request")));
    assert_eq!((stranger.status, &stranger.json()["error"]), (401, &json!("invalid_client")));
}

#[test]
fn a_token_expires_by_the_emulators_clock() {
    let emulator = emulator();
    emulator.set_settings(json!({ "token_lifetime_s": 600 })).unwrap();
    emulator.advance_clock(0);
    let reply = request_token(&emulator).json();
    assert_eq!(reply["expires_in"], json!(600));
    let token = reply["access_token"].as_str().unwrap().to_owned();

    emulator.advance_clock(599_999);
    assert_eq!(api(&emulator, &token, "GET", "/orgs", None).status, 200);
    emulator.advance_clock(1);

    let refused = api(&emulator, &token, "GET", "/orgs", None);
    assert_eq!((refused.status, &refused.json()["error"]), (401, &json!(401)));
    assert!(refused.header("www-authenticate").unwrap().contains("invalid_token"));
    assert_eq!(emulator.counters().live_tokens, 0);
}

#[test]
fn expires_in_is_sent_as_set_or_omitted() {
    let emulator = emulator();

    for value in [json!("3600"), json!(3600.0), json!(-1), json!(null), json!({ "a": [] })] {
        emulator.set_settings(json!({ "expires_in": value })).unwrap();
        assert_eq!(request_token(&emulator).json().get("expires_in"), Some(&value));
    }
    emulator.set_settings(json!({ "omit_expires_in": true })).unwrap();
    assert_eq!(request_token(&emulator).json().get("expires_in"), None);
}

#[test]
fn it_listens_on_loopback() {
    assert!(address(&emulator()).ip().is_loopback());
}
