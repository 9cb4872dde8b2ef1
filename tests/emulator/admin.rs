//! The Admin API: the checks for every request, organizations and projects.

use crate::client::{VERSION, api, emulator, send, token, token_as};
use serde_json::{Value, json};
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_ORG_ID, DEFAULT_PROJECT_ID, Emulator};

pub const ACCOUNTS: &str = "/orgs/0e0000000000000000000001/serviceAccounts";
pub const PROJECT_ACCOUNTS: &str = "/groups/0e0000000000000000000002/serviceAccounts";

/// The body that creates an account with these roles.
pub fn account(roles: &[&str]) -> Value {
    json!({ "name": "CI runner", "description": "For tests, it's fine", "roles": roles, "secretExpiresAfterHours": 8 })
}

/// Creates an account and returns its client id and secret.
pub fn create(emulator: &Emulator, token: &str, path: &str, roles: &[&str]) -> (String, String) {
    let reply = api(emulator, token, "POST", path, Some(account(roles)));
    assert_eq!(reply.status, 201, "{reply:?}");
    let created = reply.json();
    let string = |value: &Value| value.as_str().unwrap().to_owned();
    (string(&created["clientId"]), string(&created["secrets"][0]["secret"]))
}

/// A token of a new account with these roles.
pub fn token_with(emulator: &Emulator, path: &str, roles: &[&str]) -> String {
    let (id, secret) = create(emulator, &token(emulator), path, roles);
    token_as(emulator, &id, &secret)
}

#[test]
fn the_path_constants_contain_the_default_ids() {
    assert!(ACCOUNTS.contains(DEFAULT_ORG_ID) && PROJECT_ACCOUNTS.contains(DEFAULT_PROJECT_ID));
}

#[test]
fn organizations_and_projects_are_listed_and_shown() {
    let emulator = emulator();
    let token = token(&emulator);

    let orgs = api(&emulator, &token, "GET", "/orgs", None).json();
    let projects = api(&emulator, &token, "GET", "/groups", None).json();

    assert_eq!((&orgs["totalCount"], &orgs["results"][0]["id"]), (&json!(1), &json!(DEFAULT_ORG_ID)));
    assert_eq!((&projects["totalCount"], &projects["results"][0]["id"]), (&json!(1), &json!(DEFAULT_PROJECT_ID)));
    assert_eq!(projects["results"][0]["orgId"], json!(DEFAULT_ORG_ID));
    assert_eq!(api(&emulator, &token, "GET", &format!("/orgs/{DEFAULT_ORG_ID}"), None).json(), orgs["results"][0]);
    assert_eq!(api(&emulator, &token, "GET", &format!("/groups/{DEFAULT_PROJECT_ID}"), None).json(), projects["results"][0]);
    assert_eq!(emulator.counters().api_requests, 4);
}

#[test]
fn an_unknown_object_is_a_404_in_the_format_of_the_api() {
    let emulator = emulator();
    let token = token(&emulator);

    for (path, code) in [
        ("/orgs/unknown", "ORG_NOT_FOUND"),
        ("/groups/unknown", "GROUP_NOT_FOUND"),
        ("/orgs/unknown/serviceAccounts", "ORG_NOT_FOUND"),
        ("/groups/unknown/serviceAccounts", "GROUP_NOT_FOUND"),
        (&format!("{ACCOUNTS}/unknown"), "SERVICE_ACCOUNT_NOT_FOUND"),
        (&format!("{PROJECT_ACCOUNTS}/{DEFAULT_CLIENT_ID}"), "SERVICE_ACCOUNT_NOT_FOUND"),
        ("/nothing", "RESOURCE_NOT_FOUND"),
    ] {
        let body = api(&emulator, &token, "GET", path, None).json();
        assert_eq!((&body["error"], &body["errorCode"], &body["reason"]), (&json!(404), &json!(code), &json!("Not Found")), "{path}");
        assert!(body["detail"].is_string() && body["parameters"].is_array());
    }
}

#[test]
fn an_invalid_token_is_a_401_in_the_format_of_the_api() {
    let emulator = emulator();
    let token = token(&emulator);
    let good = format!("Bearer {token}");
    let get = |headers: &[(&str, &str)]| send(&emulator, "GET", "/api/atlas/v2/orgs", &[headers, &[("Accept", VERSION)]].concat(), "");

    let cases: [&[(&str, &str)]; 5] = [
        &[],
        &[("Authorization", "Bearer unknown")],
        &[("Authorization", &token)],
        &[("Authorization", "Basic abc")],
        &[("Authorization", &good), ("Authorization", &good)],
    ];
    for headers in cases {
        let reply = get(headers);
        assert_eq!((reply.status, &reply.json()["error"]), (401, &json!(401)), "{headers:?}");
        assert!(reply.header("www-authenticate").unwrap().starts_with("Bearer "));
    }
    assert_eq!(get(&[("Authorization", &format!("bearer {token}"))]).status, 200);
}

#[test]
fn an_accepted_version_is_required() {
    let emulator = emulator();
    let authorization = format!("Bearer {}", token(&emulator));
    let get = |path: &str, accept: &str| {
        send(&emulator, "GET", &format!("/api/atlas/v2{path}"), &[("Authorization", &authorization), ("Accept", accept)], "")
    };

    for wrong in ["*/*", "application/json", "application/vnd.atlas.2022-12-31+json", "application/vnd.atlas.2024-08-05+csv"] {
        assert_eq!(get("/orgs", wrong).status, 406, "{wrong}");
    }
    assert_eq!(get(ACCOUNTS, "application/vnd.atlas.2023-01-01+json").status, 406);

    let reply = get("/orgs", "text/html, application/vnd.atlas.2030-01-01+json;q=1");
    assert_eq!(reply.header("content-type"), Some("application/vnd.atlas.2023-01-01+json;charset=utf-8"));
    let reply = get(ACCOUNTS, "application/vnd.atlas.2030-01-01+json");
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/vnd.atlas.2024-08-05+json;charset=utf-8")));
}

#[test]
fn lists_are_paginated_with_links() {
    let emulator = emulator();
    let token = token(&emulator);
    for _ in 0..4 {
        create(&emulator, &token, ACCOUNTS, &["ORG_MEMBER"]);
    }
    let page = |query: &str| api(&emulator, &token, "GET", &format!("{ACCOUNTS}{query}"), None);

    let middle = page("?itemsPerPage=2&pageNum=2").json();
    let last = page("?itemsPerPage=2&pageNum=3").json();

    assert_eq!((middle["results"].as_array().unwrap().len(), &middle["totalCount"]), (2, &json!(5)));
    let rels =
        |page: &Value| page["links"].as_array().unwrap().iter().map(|link| link["rel"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(rels(&middle), ["self", "previous", "next"]);
    assert_eq!((rels(&last), last["results"].as_array().unwrap().len()), (vec!["self".to_owned(), "previous".to_owned()], 1));
    let next =
        middle["links"][2]["href"].as_str().unwrap().strip_prefix(emulator.base_url()).unwrap().strip_prefix("/api/atlas/v2").unwrap();
    assert_eq!(api(&emulator, &token, "GET", next, None).json()["results"], last["results"]);
    assert_eq!(page("?includeCount=false").json().get("totalCount"), None);
    for wrong in ["?itemsPerPage=0", "?itemsPerPage=501", "?pageNum=0", "?pageNum=x"] {
        assert_eq!(page(wrong).status, 400, "{wrong}");
    }
}

#[test]
fn roles_determine_read_and_write_access() {
    let emulator = emulator();
    let may = |token: &str, method: &str, path: &str, body: Option<Value>| api(&emulator, token, method, path, body).status;
    let org = |role: &str| token_with(&emulator, ACCOUNTS, &[role]);
    let project = |role: &str| token_with(&emulator, PROJECT_ACCOUNTS, &[role]);

    let (reader, member) = (org("ORG_READ_ONLY"), org("ORG_MEMBER"));
    assert_eq!(may(&reader, "GET", ACCOUNTS, None), 200);
    assert_eq!(may(&reader, "POST", ACCOUNTS, Some(account(&["ORG_MEMBER"]))), 403);
    assert_eq!(may(&member, "GET", ACCOUNTS, None), 403);
    assert_eq!(may(&member, "GET", "/orgs", None), 200);
    assert_eq!(api(&emulator, &member, "GET", "/groups", None).json()["totalCount"], 0);

    let (owner, reader, gate) = (project("GROUP_OWNER"), project("GROUP_READ_ONLY"), project("GROUP_ACCESS_MANAGER"));
    let list = format!("{PROJECT_ACCOUNTS}/{}/accessList", id_of(&reader));
    let entry = json!([{ "ipAddress": "127.0.0.1" }]);
    assert_eq!(may(&owner, "POST", PROJECT_ACCOUNTS, Some(account(&["GROUP_READ_ONLY"]))), 201);
    assert_eq!(may(&owner, "GET", ACCOUNTS, None), 403);
    assert_eq!(may(&reader, "GET", PROJECT_ACCOUNTS, None), 200);
    assert_eq!(may(&reader, "POST", PROJECT_ACCOUNTS, Some(account(&["GROUP_READ_ONLY"]))), 403);
    assert_eq!(may(&reader, "POST", &list, Some(entry.clone())), 403);
    assert_eq!(may(&gate, "POST", &list, Some(entry)), 200);
    assert_eq!(may(&gate, "POST", PROJECT_ACCOUNTS, Some(account(&["GROUP_READ_ONLY"]))), 403);
    let refused = api(&emulator, &member, "GET", ACCOUNTS, None).json();
    assert_eq!(refused["errorCode"], json!("USER_UNAUTHORIZED"));
}

/// Returns the client id of a token.
fn id_of(token: &str) -> String {
    crate::client::claims(token)["sub"].as_str().unwrap().to_owned()
}

#[test]
fn a_newer_version_is_served_unless_versions_are_strict() {
    use std::sync::Mutex;
    use tokenwell::emulator::EmulatorOptions;

    static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let log: fn(&str) = |line| LINES.lock().unwrap().push(line.to_owned());
    let emulator = Emulator::start(EmulatorOptions { log: Some(log), ..EmulatorOptions::default() }).unwrap();
    let authorization = format!("Bearer {}", token(&emulator));
    let get = |date: &str| {
        let accept = format!("application/vnd.atlas.{date}+json");
        send(&emulator, "GET", &format!("/api/atlas/v2{ACCOUNTS}"), &[("Authorization", &authorization), ("Accept", &accept)], "")
    };

    assert_eq!((get("2025-03-12").status, get("2027-01-01").status), (200, 200));
    let newer = LINES.lock().unwrap().iter().filter(|line| line.contains("requests version 2027-01-01, which is newer")).count();
    assert_eq!(newer, 1, "{LINES:?}");
    assert_eq!([get("2027-02-29").status, get("2024-08-04").status], [406, 406]);

    emulator.set_settings(json!({ "strict_api_version": true })).unwrap();
    assert_eq!((get("2025-03-12").status, get("2027-01-01").status), (200, 406));
}
