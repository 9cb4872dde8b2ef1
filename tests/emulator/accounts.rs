//! Service accounts, their secrets and their access lists.

use crate::admin::{ACCOUNTS, PROJECT_ACCOUNTS, account, create};
use crate::client::{api, emulator, request_token_as, send, token, token_as};
use serde_json::{Value, json};
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_PROJECT_ID};

const HOUR_MS: u64 = 3_600_000;

#[test]
fn a_new_account_mints_and_shows_its_secret_once() {
    let emulator = emulator();
    emulator.set_clock(1_800_000_000_000);
    let owner = token(&emulator);

    let created = api(&emulator, &owner, "POST", ACCOUNTS, Some(account(&["ORG_MEMBER", "ORG_BILLING_ADMIN"]))).json();

    let (id, secret) = (created["clientId"].as_str().unwrap(), created["secrets"][0]["secret"].as_str().unwrap());
    assert!(id.strip_prefix("mdb_sa_id_").is_some_and(|hex| hex.len() == 24 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())), "{id}");
    assert!(secret.strip_prefix("mdb_sa_sk_").is_some_and(|rest| rest.len() == 40), "{secret}");
    assert_eq!(created["roles"], json!(["ORG_MEMBER", "ORG_BILLING_ADMIN"]));
    assert_eq!(created["secrets"][0]["expiresAt"], json!("2027-01-15T16:00:00Z"));
    token_as(&emulator, id, secret);

    let shown = api(&emulator, &owner, "GET", &format!("{ACCOUNTS}/{id}"), None);
    assert!(!shown.body.contains(secret));
    let shown = shown.json();
    assert_eq!(shown["secrets"][0]["maskedSecretValue"], json!(format!("mdb_sa_sk_****{}", &secret[secret.len() - 4..])));
    assert_eq!(shown["secrets"][0]["lastUsedAt"], json!("2027-01-15T08:00:00Z"));
    assert_eq!(shown["name"], json!("CI runner"));
}

#[test]
fn bodies_are_checked_by_atlas_rules() {
    let emulator = emulator();
    let token = token(&emulator);
    let changed = |name: &str, value: Value| {
        let mut body = account(&["ORG_MEMBER"]);
        body[name] = value;
        body
    };

    for (name, value) in [
        ("name", json!("")),
        ("name", json!("a".repeat(65))),
        ("name", json!("a/b")),
        ("name", json!(5)),
        ("description", json!("a".repeat(251))),
        ("description", json!("line\nbreak")),
        ("roles", json!([])),
        ("roles", json!(["ORG_EMPEROR"])),
        ("roles", json!(["GROUP_OWNER"])),
        ("roles", json!("ORG_OWNER")),
        ("secretExpiresAfterHours", json!(7)),
        ("secretExpiresAfterHours", json!(8761)),
        ("secretExpiresAfterHours", json!("8")),
        ("surprise", json!(true)),
    ] {
        let body = api(&emulator, &token, "POST", ACCOUNTS, Some(changed(name, value.clone()))).json();
        assert_eq!((&body["error"], &body["errorCode"]), (&json!(400), &json!("INVALID_ATTRIBUTE")), "{name} {value}");
        assert_eq!(body["parameters"], json!([name]));
    }
    for name in ["name", "description", "roles", "secretExpiresAfterHours"] {
        let mut body = account(&["ORG_MEMBER"]);
        body.as_object_mut().unwrap().remove(name);
        let body = api(&emulator, &token, "POST", ACCOUNTS, Some(body)).json();
        assert_eq!((&body["errorCode"], &body["parameters"]), (&json!("MISSING_ATTRIBUTE"), &json!([name])));
    }
    for (name, value) in [("name", json!("a".repeat(64))), ("name", json!("É-_. ,'")), ("secretExpiresAfterHours", json!(8760))] {
        assert_eq!(api(&emulator, &token, "POST", ACCOUNTS, Some(changed(name, value.clone()))).status, 201, "{name} {value}");
    }
}

#[test]
fn a_body_must_be_json_with_a_json_media_type() {
    let emulator = emulator();
    let authorization = format!("Bearer {}", token(&emulator));
    let post = |media_type: &str, body: &str| {
        let headers = [("Authorization", authorization.as_str()), ("Accept", crate::client::VERSION), ("Content-Type", media_type)];
        send(&emulator, "POST", &format!("/api/atlas/v2{ACCOUNTS}"), &headers, body).status
    };

    assert_eq!(post("text/plain", &account(&["ORG_MEMBER"]).to_string()), 415);
    assert_eq!(post("application/json", "{"), 400);
    assert_eq!(post("application/json", "5"), 400);
    assert_eq!(post("application/json; charset=utf-8", &account(&["ORG_MEMBER"]).to_string()), 201);
}

#[test]
fn an_update_changes_only_the_given_attributes() {
    let emulator = emulator();
    let token = token(&emulator);
    let (id, _) = create(&emulator, &token, ACCOUNTS, &["ORG_MEMBER"]);

    let reply = api(&emulator, &token, "PATCH", &format!("{ACCOUNTS}/{id}"), Some(json!({ "name": "New", "roles": ["ORG_READ_ONLY"] })));

    assert_eq!(reply.status, 200);
    let changed = reply.json();
    assert_eq!((&changed["name"], &changed["roles"]), (&json!("New"), &json!(["ORG_READ_ONLY"])));
    assert_eq!(changed["description"], json!("For tests, it's fine"));
}

#[test]
fn the_deletion_of_an_account_revokes_its_tokens() {
    let emulator = emulator();
    let owner = token(&emulator);
    let (id, secret) = create(&emulator, &owner, ACCOUNTS, &["ORG_READ_ONLY"]);
    let token = token_as(&emulator, &id, &secret);

    let reply = api(&emulator, &owner, "DELETE", &format!("{ACCOUNTS}/{id}"), None);

    assert_eq!((reply.status, reply.body.as_str()), (204, ""));
    assert_eq!(api(&emulator, &token, "GET", "/orgs", None).status, 401);
    assert_eq!(request_token_as(&emulator, &id, &secret).status, 401);
    assert_eq!(api(&emulator, &owner, "DELETE", &format!("{ACCOUNTS}/{id}"), None).status, 404);
}

#[test]
fn an_organization_has_at_most_200_accounts() {
    let emulator = emulator();
    let token = token(&emulator);
    for _ in 1..200 {
        create(&emulator, &token, ACCOUNTS, &["ORG_MEMBER"]);
    }

    let refused = api(&emulator, &token, "POST", ACCOUNTS, Some(account(&["ORG_MEMBER"])));

    assert_eq!((refused.status, &refused.json()["errorCode"]), (400, &json!("MAX_SERVICE_ACCOUNTS_PER_ORG_EXCEEDED")));
}

#[test]
fn an_owner_rotates_its_own_secret() {
    let emulator = emulator();
    emulator.set_clock(1_800_000_000_000);
    let token = token(&emulator);
    let secrets = format!("{ACCOUNTS}/{DEFAULT_CLIENT_ID}/secrets");
    let hours = || Some(json!({ "secretExpiresAfterHours": 720 }));

    let created = api(&emulator, &token, "POST", &secrets, hours());
    assert_eq!(created.status, 201);
    let new = created.json()["secret"].as_str().unwrap().to_owned();
    let too_many = api(&emulator, &token, "POST", &secrets, hours());
    assert_eq!((too_many.status, &too_many.json()["errorCode"]), (400, &json!("MAX_SECRETS_REACHED")));

    // Both secrets are valid for seven days, then only the new one.
    emulator.advance_clock(7 * 24 * HOUR_MS - 1);
    assert_eq!(request_token_as(&emulator, DEFAULT_CLIENT_ID, emulator.client_secret()).status, 200);
    emulator.advance_clock(1);
    assert_eq!(request_token_as(&emulator, DEFAULT_CLIENT_ID, emulator.client_secret()).status, 401);
    let token = token_as(&emulator, DEFAULT_CLIENT_ID, &new);

    let known = api(&emulator, &token, "GET", &format!("{ACCOUNTS}/{DEFAULT_CLIENT_ID}"), None).json();
    let old = known["secrets"][0]["id"].as_str().unwrap();
    assert_eq!(api(&emulator, &token, "DELETE", &format!("{secrets}/{old}"), None).status, 204);
    assert_eq!(api(&emulator, &token, "DELETE", &format!("{secrets}/{old}"), None).status, 404);
    assert_eq!(api(&emulator, &token, "POST", &secrets, hours()).status, 201);
}

#[test]
fn a_setting_decides_whether_a_deleted_secret_revokes_its_tokens() {
    for (ends, status) in [(false, 200), (true, 401)] {
        let emulator = emulator();
        emulator.set_settings(json!({ "deleted_secret_ends_tokens": ends })).unwrap();
        let owner = token(&emulator);
        let (id, secret) = create(&emulator, &owner, ACCOUNTS, &["ORG_READ_ONLY"]);
        let minted = token_as(&emulator, &id, &secret);
        let known = api(&emulator, &owner, "GET", &format!("{ACCOUNTS}/{id}"), None).json();
        let secret_id = known["secrets"][0]["id"].as_str().unwrap();

        assert_eq!(api(&emulator, &owner, "DELETE", &format!("{ACCOUNTS}/{id}/secrets/{secret_id}"), None).status, 204);

        assert_eq!(api(&emulator, &minted, "GET", "/orgs", None).status, status);
        assert_eq!(request_token_as(&emulator, &id, &secret).status, 401);
    }
}

#[test]
fn an_access_list_applies_to_use_and_not_to_minting() {
    let emulator = emulator();
    let owner = token(&emulator);
    let (id, secret) = create(&emulator, &owner, ACCOUNTS, &["ORG_READ_ONLY"]);
    let token = token_as(&emulator, &id, &secret);
    let list = format!("{ACCOUNTS}/{id}/accessList");
    assert_eq!(api(&emulator, &token, "GET", "/orgs", None).status, 200);

    let added = api(&emulator, &owner, "POST", &list, Some(json!([{ "ipAddress": "192.0.2.1" }, { "cidrBlock": "203.0.113.0/24" }])));

    assert_eq!((added.status, &added.json()["totalCount"]), (200, &json!(2)));
    let refused = api(&emulator, &token, "GET", "/orgs", None);
    assert_eq!((refused.status, &refused.json()["errorCode"]), (403, &json!("IP_ADDRESS_NOT_ON_ACCESS_LIST")));
    assert_eq!(request_token_as(&emulator, &id, &secret).status, 200);

    api(&emulator, &owner, "POST", &list, Some(json!([{ "cidrBlock": "127.0.0.0/8" }])));
    assert_eq!(api(&emulator, &token, "GET", "/orgs", None).status, 200);
    let entries = api(&emulator, &owner, "GET", &list, None).json();
    assert_eq!((&entries["results"][2]["requestCount"], &entries["results"][2]["lastUsedAddress"]), (&json!(1), &json!("127.0.0.1")));
    assert_eq!(entries["results"][0]["ipAddress"], json!("192.0.2.1"));

    for address in ["192.0.2.1", "203.0.113.0%2F24", "127.0.0.0%2F8"] {
        assert_eq!(api(&emulator, &owner, "DELETE", &format!("{list}/{address}"), None).status, 204, "{address}");
    }
    assert_eq!(api(&emulator, &owner, "DELETE", &format!("{list}/192.0.2.1"), None).status, 404);
    assert_eq!(api(&emulator, &token, "GET", "/orgs", None).status, 200);
}

#[test]
fn access_list_entries_are_checked_and_at_most_200() {
    let emulator = emulator();
    let token = token(&emulator);
    let list = format!("{ACCOUNTS}/{DEFAULT_CLIENT_ID}/accessList");

    for wrong in [
        json!({}),
        json!([5]),
        json!([{}]),
        json!([{ "ipAddress": "192.0.2.0/24" }]),
        json!([{ "cidrBlock": "192.0.2.0" }]),
        json!([{ "cidrBlock": "192.0.2.0/33" }]),
        json!([{ "cidrBlock": "192.0.2.1/24" }]),
        json!([{ "cidrBlock": "192.0.2.0/+24" }]),
        json!([{ "ipAddress": "010.0.0.1" }]),
        json!([{ "ipAddress": "::ffff:192.0.2.1" }]),
        json!([{ "ipAddress": "::1", "cidrBlock": "::/0" }]),
        json!([{ "host": "a" }]),
    ] {
        assert_eq!(api(&emulator, &token, "POST", &list, Some(wrong.clone())).status, 400, "{wrong}");
    }
    let refused = api(&emulator, &token, "POST", &list, Some(json!([{ "cidrBlock": "192.0.2.1/24" }]))).json();
    assert!(refused["detail"].as_str().unwrap().contains("the network is 192.0.2.0/24"), "{refused}");
    let many = |count: u8| (0..count).map(|number| json!({ "ipAddress": format!("192.0.2.{number}") })).collect::<Vec<_>>();
    let refused = api(&emulator, &token, "POST", &list, Some(json!(many(201))));
    assert_eq!((refused.status, &refused.json()["errorCode"]), (400, &json!("MAX_ACCESS_LIST_REACHED")));
    assert_eq!(api(&emulator, &token, "GET", &list, None).json()["totalCount"], 0, "none of them was added");

    let (other, _) = create(&emulator, &token, ACCOUNTS, &["ORG_MEMBER"]);
    let list = format!("{ACCOUNTS}/{other}/accessList");
    assert_eq!(api(&emulator, &token, "POST", &list, Some(json!(many(200)))).json()["totalCount"], 200);
    // One that is on the list already is no further entry, in either form.
    let again = json!([{ "cidrBlock": "192.0.2.7/32" }, { "ipAddress": "192.0.2.8" }]);
    assert_eq!(api(&emulator, &token, "POST", &list, Some(again)).json()["totalCount"], 200);
    let one_more = json!([{ "ipAddress": "2001:DB8:0::1" }]);
    assert_eq!(api(&emulator, &token, "POST", &list, Some(one_more.clone())).status, 400);
    assert_eq!(api(&emulator, &token, "DELETE", &format!("{list}/192.0.2.7%2F32"), None).status, 204);
    let added = api(&emulator, &token, "POST", &format!("{list}?itemsPerPage=500"), Some(one_more)).json();
    let last = &added["results"][199];
    assert_eq!((&last["ipAddress"], &last["cidrBlock"]), (&json!("2001:db8::1"), &json!("2001:db8::1/128")));
}

#[test]
fn a_project_account_belongs_to_its_project() {
    let emulator = emulator();
    let owner = token(&emulator);

    let (id, secret) = create(&emulator, &owner, PROJECT_ACCOUNTS, &["GROUP_OWNER"]);

    let token = token_as(&emulator, &id, &secret);
    assert_eq!(api(&emulator, &token, "GET", "/groups", None).json()["results"][0]["id"], json!(DEFAULT_PROJECT_ID));
    assert_eq!(api(&emulator, &token, "GET", &format!("{PROJECT_ACCOUNTS}/{id}"), None).json()["roles"], json!(["GROUP_OWNER"]));
    assert_eq!(api(&emulator, &owner, "GET", &format!("{ACCOUNTS}/{id}"), None).json()["roles"], json!(["ORG_MEMBER"]));
    let hours = json!({ "secretExpiresAfterHours": 8 });
    assert_eq!(api(&emulator, &token, "POST", &format!("{PROJECT_ACCOUNTS}/{id}/secrets"), Some(hours)).status, 201);
}

#[test]
fn an_account_is_invited_to_a_project_and_deleting_it_there_only_detaches_it() {
    let emulator = emulator();
    let owner = token(&emulator);
    let (id, secret) = create(&emulator, &owner, ACCOUNTS, &["ORG_MEMBER"]);
    let token = token_as(&emulator, &id, &secret);
    let groups = || api(&emulator, &owner, "GET", &format!("{ACCOUNTS}/{id}/groups"), None).json()["results"].clone();
    assert_eq!(groups(), json!([]));

    for body in [json!({ "roles": ["GROUP_READ_ONLY"] }), json!([{ "roles": ["GROUP_READ_ONLY"] }])] {
        let invited = api(&emulator, &owner, "POST", &format!("{PROJECT_ACCOUNTS}/{id}:invite"), Some(body));
        assert_eq!((invited.status, &invited.json()["roles"]), (200, &json!(["GROUP_READ_ONLY"])));
    }
    assert_eq!(groups(), json!([{ "groupId": DEFAULT_PROJECT_ID }]));
    assert_eq!(api(&emulator, &token, "GET", PROJECT_ACCOUNTS, None).json()["totalCount"], 1);

    assert_eq!(api(&emulator, &owner, "DELETE", &format!("{PROJECT_ACCOUNTS}/{id}"), None).status, 204);
    assert_eq!(groups(), json!([]));
    assert_eq!(api(&emulator, &token, "GET", "/orgs", None).status, 200);
    let body = Some(json!({ "roles": ["GROUP_READ_ONLY"] }));
    assert_eq!(api(&emulator, &owner, "POST", &format!("{PROJECT_ACCOUNTS}/unknown:invite"), body.clone()).status, 404);
    assert_eq!(api(&emulator, &owner, "POST", &format!("{ACCOUNTS}/{id}:invite"), body).status, 405);
}
