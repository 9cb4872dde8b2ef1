//! The refusals of the Admin API, each as docs/emulator.md lists it.

use crate::admin::{ACCOUNTS, PROJECT_ACCOUNTS, account};
use crate::client::{Reply, VERSION};
use crate::process::Process;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokenwell::emulator::{DEFAULT_ORG_ID, DEFAULT_PROJECT_ID};

/// Status by error code, from the table.
fn documented() -> BTreeMap<String, u16> {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/emulator.md")).unwrap();
    let section = page.split("### Refusals of the Admin API\n").nth(1).unwrap().split("\n### ").next().unwrap();
    let row = |line: &str| {
        let cells: Vec<_> = line.strip_prefix("| ")?.split(" | ").collect();
        let status = cells[0].parse().ok()?;
        Some(cells[1].split(", ").map(|code| (code.trim_matches('`').to_owned(), status)).collect::<Vec<_>>())
    };
    section.lines().filter_map(row).flatten().collect()
}

fn check(reply: &Reply, code: &str, status: u16) {
    let body = reply.json();
    let code = if code == "none" { Value::Null } else { json!(code) };
    assert_eq!((reply.status, &body["error"], &body["errorCode"]), (status, &json!(status), &code), "{reply:?}");
    assert!(body["detail"].as_str().is_some_and(|detail| detail.len() > 10) && body["reason"].is_string(), "{reply:?}");
    assert!(body["parameters"].is_array(), "{reply:?}");
    assert_eq!(reply.header("content-type"), Some("application/json"), "{reply:?}");
    assert_eq!(reply.header("www-authenticate").is_some(), status == 401, "{reply:?}");
    assert_eq!(reply.header("retry-after").is_some(), status == 429, "{reply:?}");
    // The first two checks come before the rate limit.
    let is_limited = status != 401 && body["errorCode"] != json!("IP_ADDRESS_NOT_ON_ACCESS_LIST");
    assert_eq!(reply.header("ratelimit-limit").is_some() && reply.header("ratelimit-remaining").is_some(), is_limited, "{reply:?}");
}

#[test]
fn e3_each_refusal_has_the_documented_status_headers_and_body() {
    let emulator = Process::start();
    let token = emulator.token();
    let bearer = format!("Bearer {token}");
    let settings = |settings: Value| assert_eq!(emulator.control("POST", "/settings", &settings.to_string()).status, 200);
    let send = |method: &str, path: &str, body: &Value| emulator.api(&token, method, path, &body.to_string());
    let get = |path: &str| emulator.api(&token, "GET", path, "");
    settings(json!({ "api_rate_limit": { "requests": 100_000, "window_s": 60 } }));
    let own = emulator.own_path();
    let hours = json!({ "secretExpiresAfterHours": 8 });
    let new = |role: &str| {
        let created = send("POST", ACCOUNTS, &account(&[role])).json();
        (created["clientId"].as_str().unwrap().to_owned(), created["secrets"][0]["secret"].as_str().unwrap().to_owned())
    };
    let (other, other_secret) = new("ORG_MEMBER");
    let other_token = {
        let headers = [("Authorization", crate::client::basic(&other, &other_secret)), ("Content-Type", crate::client::FORM.to_owned())];
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let minted = emulator.send("POST", "/api/oauth/token", &headers, "grant_type=client_credentials").json();
        minted["access_token"].as_str().unwrap().to_owned()
    };
    let other_path = format!("{ACCOUNTS}/{other}");
    let many: Vec<_> = (0..201).map(|number| json!({ "ipAddress": format!("192.0.2.{number}") })).collect();
    let project = |number: usize| json!({ "name": format!("p{number}"), "orgId": DEFAULT_ORG_ID });
    let mut seen = BTreeMap::new();
    let mut is = |code: &'static str, reply: Reply| {
        seen.entry(code.to_owned()).or_insert(reply.status);
        check(&reply, code, seen[code]);
    };

    let with = |name: &str, value: Value| {
        let mut body = account(&["ORG_MEMBER"]);
        body[name] = value;
        body
    };
    for body in [
        with("name", json!("a/b")),
        with("description", json!("a".repeat(251))),
        with("roles", json!([])),
        with("roles", json!(["GROUP_OWNER"])),
        with("secretExpiresAfterHours", json!(7)),
        with("secretExpiresAfterHours", json!(8761)),
        with("unknown", json!(1)),
    ] {
        is("INVALID_ATTRIBUTE", send("POST", ACCOUNTS, &body));
    }
    is("INVALID_ATTRIBUTE", send("POST", &format!("{own}/accessList"), &json!([{ "cidrBlock": "192.0.2.1/24" }])));
    is("MISSING_ATTRIBUTE", send("POST", ACCOUNTS, &json!({ "name": "a", "description": "a", "secretExpiresAfterHours": 8 })));
    is("MISSING_ATTRIBUTE", send("POST", &format!("{own}/secrets"), &json!({})));
    is("MALFORMED_JSON", emulator.api(&token, "POST", ACCOUNTS, "{"));
    is("MALFORMED_JSON", send("POST", &format!("{own}/accessList"), &json!({})));
    is("INVALID_QUERY_PARAMETER", get(&format!("{ACCOUNTS}?pageNum=0")));
    is("INVALID_QUERY_PARAMETER", get(&format!("{ACCOUNTS}?itemsPerPage=501")));
    is("MAX_ACCESS_LIST_REACHED", send("POST", &format!("{own}/accessList"), &json!(many)));
    assert_eq!(send("POST", &format!("{own}/secrets"), &hours).status, 201);
    is("MAX_SECRETS_REACHED", send("POST", &format!("{own}/secrets"), &hours));
    let refused = loop {
        let reply = send("POST", ACCOUNTS, &account(&["ORG_MEMBER"]));
        if reply.status != 201 {
            break reply;
        }
    };
    is("MAX_SERVICE_ACCOUNTS_PER_ORG_EXCEEDED", refused);
    assert_eq!(get(ACCOUNTS).json()["totalCount"], json!(200));

    is("none", emulator.send("GET", "/api/atlas/v2/orgs", &[("Accept", VERSION)], ""));
    is("none", emulator.api("unknown", "GET", "/orgs", ""));
    is("USER_UNAUTHORIZED", emulator.api(&other_token, "GET", ACCOUNTS, ""));
    is("ORG_NOT_FOUND", get("/orgs/0e0000000000000000000099/serviceAccounts"));
    is("GROUP_NOT_FOUND", get("/groups/0e0000000000000000000099/serviceAccounts"));
    is("GROUP_NAME_NOT_FOUND", get("/groups/byName/nothing"));
    is("SERVICE_ACCOUNT_NOT_FOUND", get(&format!("{ACCOUNTS}/mdb_sa_id_0e0000000000000000000099")));
    is("SERVICE_ACCOUNT_NOT_FOUND", get(&format!("{PROJECT_ACCOUNTS}/{other}")));
    is("SERVICE_ACCOUNT_SECRET_NOT_FOUND", emulator.api(&token, "DELETE", &format!("{own}/secrets/0e0000000000000000000099"), ""));
    is("ACCESS_LIST_ENTRY_NOT_FOUND", emulator.api(&token, "DELETE", &format!("{own}/accessList/192.0.2.1"), ""));
    is("RESOURCE_NOT_FOUND", get("/nothing"));
    is("METHOD_NOT_ALLOWED", send("PUT", ACCOUNTS, &json!({})));
    for accept in ["*/*", "application/json", "application/vnd.atlas.2022-01-01+json", "application/vnd.atlas.2025-02-30+json"] {
        is("INVALID_VERSION_DATE", emulator.send("GET", "/api/atlas/v2/orgs", &[("Authorization", &bearer), ("Accept", accept)], ""));
    }
    is("INVALID_VERSION_DATE", emulator.send("GET", "/api/atlas/v2/orgs", &[("Authorization", &bearer)], ""));
    let headers = [("Authorization", bearer.as_str()), ("Accept", VERSION), ("Content-Type", "text/plain")];
    is("UNSUPPORTED_MEDIA_TYPE", emulator.send("POST", &format!("/api/atlas/v2{ACCOUNTS}"), &headers, "{}"));
    for number in 1..250 {
        assert_eq!(send("POST", "/groups", &project(number)).status, 200);
    }
    is("GROUP_ALREADY_EXISTS", send("POST", "/groups", &project(1)));
    is("MAX_GROUPS_FOR_ORG", send("POST", "/groups", &project(250)));
    assert_eq!(send("POST", &format!("{own}/accessList"), &json!([{ "ipAddress": "127.0.0.1" }])).status, 200);
    is("CANNOT_REMOVE_CALLER_FROM_ACCESS_LIST", emulator.api(&token, "DELETE", &format!("{own}/accessList/127.0.0.1"), ""));
    assert_eq!(send("POST", &format!("{other_path}/accessList"), &json!([{ "ipAddress": "192.0.2.1" }])).status, 200);
    is("IP_ADDRESS_NOT_ON_ACCESS_LIST", emulator.api(&other_token, "GET", "/orgs", ""));
    settings(json!({ "api_rate_limit": { "requests": 1, "window_s": 60 } }));
    is("RATE_LIMITED", get("/orgs"));
    assert_eq!(seen, documented(), "the table of docs/emulator.md");
    assert!(PROJECT_ACCOUNTS.contains(DEFAULT_PROJECT_ID));
}

#[test]
fn e11_a_newer_version_is_served_and_unknown_attributes_are_rejected_in_every_body() {
    let emulator = Process::start();
    let token = emulator.token();
    let bearer = format!("Bearer {token}");
    let get = |date: &str| {
        let accept = format!("application/vnd.atlas.{date}+json");
        emulator.send("GET", &format!("/api/atlas/v2{ACCOUNTS}"), &[("Authorization", &bearer), ("Accept", &accept)], "")
    };
    let newest = get("2027-01-01");
    assert_eq!((newest.status, newest.header("content-type")), (200, Some("application/vnd.atlas.2024-08-05+json;charset=utf-8")));
    assert_eq!(["2024-08-04", "2027-13-01", "2027-1-1", "latest"].map(|date| get(date).status), [406; 4]);
    assert_eq!(emulator.control("POST", "/settings", r#"{"strict_api_version":true}"#).status, 200);
    assert_eq!((get("2027-01-01").status, get("2025-03-12").status), (406, 200));

    let own = emulator.own_path();
    let full = |body: Value| {
        let mut body = body;
        body["surprise"] = json!(true);
        body.to_string()
    };
    for (method, path, body) in [
        ("POST", ACCOUNTS.to_owned(), account(&["ORG_MEMBER"])),
        ("POST", PROJECT_ACCOUNTS.to_owned(), account(&["GROUP_OWNER"])),
        ("PATCH", own.clone(), json!({ "name": "changed" })),
        ("POST", format!("{own}/secrets"), json!({ "secretExpiresAfterHours": 8 })),
        ("POST", format!("{PROJECT_ACCOUNTS}/{}:invite", emulator.id), json!({ "roles": ["GROUP_OWNER"] })),
        ("PATCH", format!("/orgs/{DEFAULT_ORG_ID}/settings"), json!({ "apiAccessListRequired": true })),
        ("POST", "/groups".to_owned(), json!({ "name": "new", "orgId": DEFAULT_ORG_ID })),
    ] {
        let refused = emulator.api(&token, method, &path, &full(body));
        assert_eq!((refused.status, &refused.json()["parameters"]), (400, &json!(["surprise"])), "{method} {path}: {refused:?}");
    }
    let entry = emulator.api(&token, "POST", &format!("{own}/accessList"), r#"[{"ipAddress":"192.0.2.1","surprise":true}]"#);
    assert_eq!(entry.status, 400);
    let unchanged = emulator.api(&token, "GET", &own, "").json();
    assert_eq!((&unchanged["name"], unchanged["secrets"].as_array().unwrap().len()), (&json!("Emulator"), 1));
    assert_eq!(emulator.api(&token, "GET", ACCOUNTS, "").json()["totalCount"], json!(1));
}
