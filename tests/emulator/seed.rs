//! The initial accounts from a seed, and readiness.

use crate::client::{address, api, claims, request_token_as, send, token_as};
use serde_json::json;
use std::net::{Ipv6Addr, TcpListener, TcpStream};
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Emulator, EmulatorOptions, Seed};
use tokenwell::error::Status;

const ORG: &str = "aaaaaaaaaaaaaaaaaaaaaaa1";
const OWNER: (&str, &str) = ("mdb_sa_id_aaaaaaaaaaaaaaaaaaaaaaaa", "mdb_sa_sk_owner");
const DEPLOYER: (&str, &str) = ("deploy-bot", "pass:word with é");

const DOCUMENT: &str = r#"{
  "organizations": [
    {
      "id": "aaaaaaaaaaaaaaaaaaaaaaa1",
      "name": "Shop",
      "projects": [
        {"id": "bbbbbbbbbbbbbbbbbbbbbbb1"},
        {"id": "bbbbbbbbbbbbbbbbbbbbbbb2", "name": "payments"}
      ],
      "serviceAccounts": [
        {"clientId": "watcher", "name": "no secret", "roles": ["ORG_READ_ONLY"]},
        {
          "clientId": "mdb_sa_id_aaaaaaaaaaaaaaaaaaaaaaaa",
          "name": "owner",
          "description": "Owns it",
          "roles": ["ORG_OWNER"],
          "secrets": [{"id": "ccccccccccccccccccccccc1", "secret": "mdb_sa_sk_owner", "expiresAfterHours": 8}]
        },
        {
          "clientId": "deploy-bot",
          "roles": ["ORG_MEMBER"],
          "projectRoles": {"bbbbbbbbbbbbbbbbbbbbbbb2": ["GROUP_READ_ONLY"]},
          "secrets": [{"secret": "expired", "expiresAfterHours": 0}, {"secret": "pass:word with é"}],
          "accessList": ["192.0.2.0/24", "2001:db8::1"]
        }
      ]
    },
    {"id": "aaaaaaaaaaaaaaaaaaaaaaa2", "name": "Other"}
  ]
}"#;

fn seeded(document: &str) -> Emulator {
    let seed = Some(Seed::parse(document).unwrap());
    Emulator::start(EmulatorOptions { seed, rate_limit: None, ..EmulatorOptions::default() }).unwrap()
}

#[test]
fn a_seed_replaces_the_default_account() {
    let emulator = seeded(DOCUMENT);
    assert_eq!((emulator.client_id(), emulator.client_secret()), OWNER);
    assert_eq!((emulator.org_id(), emulator.project_id()), (ORG, Some("bbbbbbbbbbbbbbbbbbbbbbb1")));
    assert_eq!(request_token_as(&emulator, DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET).status, 401);
    assert_eq!(request_token_as(&emulator, DEPLOYER.0, "expired").status, 401);

    let owner = token_as(&emulator, OWNER.0, OWNER.1);
    let accounts = api(&emulator, &owner, "GET", &format!("/orgs/{ORG}/serviceAccounts"), None).json();
    let ids: Vec<_> = accounts["results"].as_array().unwrap().iter().map(|account| account["clientId"].as_str().unwrap()).collect();
    assert_eq!(ids, ["watcher", OWNER.0, DEPLOYER.0]);
    let secret = &accounts["results"][1]["secrets"][0];
    assert_eq!((&secret["id"], &secret["maskedSecretValue"]), (&json!("ccccccccccccccccccccccc1"), &json!("mdb_sa_sk_****wner")));
    assert_eq!(accounts["results"][1]["description"], json!("Owns it"));
    let projects = api(&emulator, &owner, "GET", "/groups", None).json();
    assert_eq!((&projects["totalCount"], &projects["results"][1]["name"]), (&json!(2), &json!("payments")));
    assert_eq!(api(&emulator, &owner, "GET", "/orgs/aaaaaaaaaaaaaaaaaaaaaaa2", None).status, 404);

    let list = format!("/orgs/{ORG}/serviceAccounts/{}/accessList", DEPLOYER.0);
    let list = api(&emulator, &owner, "GET", &list, None).json();
    assert_eq!(list["results"][0]["cidrBlock"], json!("192.0.2.0/24"));
    let deployer = token_as(&emulator, DEPLOYER.0, DEPLOYER.1);
    assert_eq!(api(&emulator, &deployer, "GET", "/groups", None).json()["errorCode"], json!("IP_ADDRESS_NOT_ON_ACCESS_LIST"));
}

#[test]
fn a_reset_restores_the_seed_and_rejects_its_tokens() {
    let emulator = seeded(DOCUMENT);
    let owner = token_as(&emulator, OWNER.0, OWNER.1);
    let accounts = format!("/orgs/{ORG}/serviceAccounts");
    let before = api(&emulator, &owner, "GET", &accounts, None).json();
    assert_eq!(api(&emulator, &owner, "DELETE", &format!("{accounts}/{}", DEPLOYER.0), None).status, 204);

    emulator.reset();

    assert_eq!(api(&emulator, &owner, "GET", &accounts, None).status, 401);
    let owner = token_as(&emulator, OWNER.0, OWNER.1);
    let after = api(&emulator, &owner, "GET", &accounts, None).json();
    let ids = |list: &serde_json::Value| {
        list["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|account| (account["clientId"].clone(), account["secrets"][0]["id"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&after), ids(&before));
}

#[test]
fn an_error_in_a_seed_names_line_and_column() {
    for (from, to, line, column, problem) in [
        (r#""name": "Shop""#, r#""nmae": "Shop""#, 5, 12, "nmae"),
        (r#""name": "Shop","#, r#""name": "Shop""#, 6, 7, "expected"),
        ("bbbbbbbbbbbbbbbbbbbbbbb1", "b1", 7, 16, "\"b1\" is not an id"),
        ("bbbbbbbbbbbbbbbbbbbbbbb1", "aaaaaaaaaaaaaaaaaaaaaaa1", 7, 16, "occurs twice"),
        ("ORG_OWNER", "ORG_EMPEROR", 16, 21, "ORG_EMPEROR"),
        ("GROUP_READ_ONLY", "ORG_OWNER", 22, 56, "ORG_OWNER"),
        (r#"{"bbbbbbbbbbbbbbbbbbbbbbb2""#, r#"{"bbbbbbbbbbbbbbbbbbbbbbb3""#, 22, 56, "no project"),
        ("deploy-bot", "watcher", 20, 23, "occurs twice"),
        ("deploy-bot", "a:b", 20, 23, "without a colon"),
        (r#""expiresAfterHours": 8}"#, r#""expiresAfterHours": 8761}"#, 17, 108, "at most 8760"),
        ("192.0.2.0/24", "192.0.2.0/33", 24, 26, "192.0.2.0/33"),
    ] {
        assert!(DOCUMENT.contains(from), "{from}");
        let error = Seed::parse(&DOCUMENT.replacen(from, to, 1)).unwrap_err();

        assert_eq!(error.status(), Status::InvalidArgument);
        let message = error.to_string();
        assert!(message.contains(&format!("line {line}, column {column}: ")) && message.contains(problem), "{to}: {message}");
    }
    let message = Seed::parse(r#"{"organizations": [{"id": "aaaaaaaaaaaaaaaaaaaaaaa1"}]}"#).unwrap_err().to_string();
    assert!(message.contains("line 1, column 27: no service account has a secret"), "{message}");
    let beyond = r#""secrets": [{"secret": "1"}, {"secret": "2"}, {"secret": "3"}]"#;
    let document = format!(r#"{{"organizations": [{{"id": "{ORG}", "serviceAccounts": [{{"clientId": "a", {beyond}}}]}}]}}"#);
    assert!(Seed::parse(&document).unwrap_err().to_string().contains("at most two secrets"));
}

#[test]
fn a_seed_may_have_stubs_and_accounts_that_atlas_manages() {
    let document = r#"{"stubs": [{"path": "/api/atlas/v2/groups/{id}/clusters", "body": [1]}]}"#;
    let emulator = seeded(document);
    assert_eq!(emulator.client_id(), DEFAULT_CLIENT_ID);
    let owner = token_as(&emulator, DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET);
    emulator.set_stubs(json!([])).unwrap();
    assert_eq!(api(&emulator, &owner, "GET", "/groups/a/clusters", None).status, 404);
    emulator.reset();
    let owner = token_as(&emulator, DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET);
    assert_eq!(api(&emulator, &owner, "GET", "/groups/a/clusters", None).json(), json!([1]));
    let error = Seed::parse(r#"{"stubs": [{"path": "/a"}]}"#).unwrap_err().to_string();
    assert!(error.contains("line 1, column 11: stub 0: path must start with"), "{error}");

    let emulator = seeded(&DOCUMENT.replacen(r#""name": "no secret","#, r#""systemManaged": true,"#, 1));
    let owner = token_as(&emulator, OWNER.0, OWNER.1);
    let count =
        |query: &str| api(&emulator, &owner, "GET", &format!("/orgs/{ORG}/serviceAccounts{query}"), None).json()["totalCount"].clone();
    assert_eq!((count(""), count("?includeSystemManaged=true")), (json!(2), json!(3)));
}

#[test]
fn the_secrets_of_a_seed_are_not_in_debug_output() {
    let options = EmulatorOptions { seed: Some(Seed::parse(DOCUMENT).unwrap()), ..EmulatorOptions::default() };
    let shown = format!("{options:?}");
    assert!(shown.contains("Shop") && !shown.contains("mdb_sa_sk_owner"), "{shown}");
}

#[test]
fn health_needs_no_token_and_is_not_counted() {
    let emulator = seeded(DOCUMENT);

    let reply = send(&emulator, "GET", "/_emulator/health", &[], "");

    assert_eq!((reply.status, reply.json()), (200, json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") })));
    assert_eq!(emulator.counters(), Default::default());
}

#[test]
fn the_emulator_also_listens_on_ipv6_loopback() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        eprintln!("skipped: this machine has no ::1");
        return;
    }
    // Another program may have the same port on ::1, which says nothing about the emulator.
    let found = (0..10).any(|_| {
        let emulator = seeded(DOCUMENT);
        TcpStream::connect((Ipv6Addr::LOCALHOST, address(&emulator).port())).is_ok()
    });
    assert!(found);
}

#[test]
fn the_public_url_is_in_links_and_tokens() {
    let options = EmulatorOptions { public_url: Some("http://atlas.test:1/".to_owned()), ..EmulatorOptions::default() };
    let emulator = Emulator::start(options).unwrap();
    assert_eq!(emulator.base_url(), "http://atlas.test:1");

    let token = token_as(&emulator, DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET);
    assert_eq!(claims(&token)["iss"], json!("http://atlas.test:1"));
    let list = api(&emulator, &token, "GET", "/orgs", None).json();
    assert!(list["links"][0]["href"].as_str().unwrap().starts_with("http://atlas.test:1/api/atlas/v2/orgs"), "{list}");
}
