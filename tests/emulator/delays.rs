//! Settings and faults for what breaks the rotation of secrets, each through the command.

use crate::admin::{ACCOUNTS, account};
use crate::client::{FORM, Reply, basic};
use crate::process::Process;
use serde_json::{Value, json};
use tokenwell::emulator::{DEFAULT_CLIENT_SECRET, DEFAULT_ORG_ID};

fn set(emulator: &Process, settings: &Value) {
    let reply = emulator.control("POST", "/settings", &settings.to_string());
    assert_eq!(reply.status, 200, "{reply:?}");
}

fn stop(emulator: &Process) {
    emulator.control("POST", "/clock", r#"{"set_ms":1800000000000}"#);
}

fn advance(emulator: &Process, seconds: u64) {
    emulator.control("POST", "/clock", &json!({ "advance_ms": seconds * 1000 }).to_string());
}

fn mint(emulator: &Process, id: &str, secret: &str) -> Reply {
    let authorization = basic(id, secret);
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", FORM)];
    emulator.send("POST", "/api/oauth/token", &headers, "grant_type=client_credentials")
}

/// Creates a second secret of the default account.
fn second_secret(emulator: &Process, token: &str) -> (String, String) {
    let path = format!("{}/secrets", emulator.own_path());
    let created = emulator.api(token, "POST", &path, r#"{"secretExpiresAfterHours":24}"#);
    assert_eq!(created.status, 201, "{created:?}");
    let string = |name: &str| created.json()[name].as_str().unwrap().to_owned();
    (string("id"), string("secret"))
}

fn own_account(emulator: &Process, token: &str) -> Value {
    emulator.api(token, "GET", &emulator.own_path(), "").json()
}

#[test]
fn e5_a_new_secret_can_become_valid_later() {
    let emulator = Process::start();
    stop(&emulator);
    let token = emulator.token();
    set(&emulator, &json!({ "new_secret_valid_after_s": 30 }));
    let (_, secret) = second_secret(&emulator, &token);
    let created = emulator.api(&token, "POST", ACCOUNTS, &account(&["ORG_MEMBER"]).to_string()).json();
    let (id, first) = (created["clientId"].as_str().unwrap(), created["secrets"][0]["secret"].as_str().unwrap());

    advance(&emulator, 29);
    let refused = mint(&emulator, &emulator.id, &secret);
    assert_eq!((refused.status, &refused.json()["error"]), (401, &json!("invalid_client")));
    assert_eq!((mint(&emulator, id, first).status, mint(&emulator, &emulator.id, DEFAULT_CLIENT_SECRET).status), (401, 200));
    advance(&emulator, 1);
    assert_eq!((mint(&emulator, id, first).status, mint(&emulator, &emulator.id, &secret).status), (200, 200));
}

#[test]
fn e5_every_nth_token_request_can_be_rejected() {
    let emulator = Process::start();
    emulator.token();
    set(&emulator, &json!({ "reject_every_nth_token_request": 3 }));
    let statuses = [0; 7].map(|_| mint(&emulator, &emulator.id, DEFAULT_CLIENT_SECRET).status);
    assert_eq!(statuses, [200, 200, 401, 200, 200, 401, 200]);

    set(&emulator, &json!({ "reject_every_nth_token_request": null }));
    assert_eq!([0; 3].map(|_| mint(&emulator, &emulator.id, DEFAULT_CLIENT_SECRET).status), [200; 3]);
    assert_eq!(emulator.control("POST", "/settings", r#"{"reject_every_nth_token_request":0}"#).status, 400);
}

#[test]
fn e5_a_deleted_secret_can_stay_valid_for_some_time() {
    let emulator = Process::start();
    stop(&emulator);
    let token = emulator.token();
    set(&emulator, &json!({ "deleted_secret_valid_for_s": 60 }));
    let (id, secret) = second_secret(&emulator, &token);
    let path = format!("{}/secrets/{id}", emulator.own_path());

    assert_eq!(emulator.api(&token, "DELETE", &path, "").status, 204);

    assert_eq!(emulator.api(&token, "DELETE", &path, "").status, 404);
    assert_eq!(own_account(&emulator, &token)["secrets"].as_array().unwrap().len(), 1);
    advance(&emulator, 59);
    assert_eq!(mint(&emulator, &emulator.id, &secret).status, 200);
    advance(&emulator, 1);
    assert_eq!(mint(&emulator, &emulator.id, &secret).status, 401);
}

#[test]
fn e5_new_objects_can_be_not_found_for_some_time() {
    let emulator = Process::start();
    stop(&emulator);
    let token = emulator.token();
    set(&emulator, &json!({ "visible_after_s": 10 }));
    let created = emulator.api(&token, "POST", ACCOUNTS, &account(&["ORG_MEMBER"]).to_string()).json();
    let path = format!("{ACCOUNTS}/{}", created["clientId"].as_str().unwrap());
    let project = emulator.api(&token, "POST", "/groups", &json!({ "name": "late", "orgId": DEFAULT_ORG_ID }).to_string()).json();
    let project = format!("/groups/{}", project["id"].as_str().unwrap());
    let (secret, _) = second_secret(&emulator, &token);
    let secret = format!("{}/secrets/{secret}", emulator.own_path());
    let counts = |emulator: &Process| {
        let accounts = emulator.api(&token, "GET", ACCOUNTS, "").json()["totalCount"].clone();
        (accounts, own_account(emulator, &token)["secrets"].as_array().unwrap().len())
    };

    advance(&emulator, 9);
    let status = |path: &str| emulator.api(&token, "GET", path, "").status;
    assert_eq!([&path, &project, &format!("{project}/serviceAccounts")].map(|path| status(path)), [404; 3]);
    assert_eq!(emulator.api(&token, "DELETE", &secret, "").status, 404);
    assert_eq!(counts(&emulator), (json!(1), 1));
    advance(&emulator, 1);
    assert_eq!([&path, &project, &format!("{project}/serviceAccounts")].map(|path| status(path)), [200; 3]);
    assert_eq!(counts(&emulator), (json!(2), 2));
    assert_eq!(emulator.api(&token, "DELETE", &secret, "").status, 204);
}

#[test]
fn e5_the_last_use_of_a_secret_can_be_shown_late() {
    let emulator = Process::start();
    stop(&emulator);
    set(&emulator, &json!({ "last_used_late_s": 120 }));
    let token = emulator.token();
    let shown = |emulator: &Process| own_account(emulator, &token)["secrets"][0]["lastUsedAt"].clone();
    advance(&emulator, 60);
    emulator.token();

    assert_eq!(shown(&emulator), Value::Null);
    advance(&emulator, 60);
    assert_eq!(shown(&emulator), json!("2027-01-15T08:00:00Z"));
    emulator.token();
    advance(&emulator, 60);
    assert_eq!(shown(&emulator), json!("2027-01-15T08:01:00Z"));
    assert_eq!(emulator.control("POST", "/settings", r#"{"last_used_late_s":604801}"#).status, 400);
}

#[test]
fn e5_a_reply_can_be_lost_for_one_method_before_or_after_the_effect() {
    let emulator = Process::start();
    let token = emulator.token();
    let path = format!("{}/secrets", emulator.own_path());
    let fault = |close: &str| json!([{ "path": "/api/atlas/*", "method": "POST", "times": 1, "close": close }]).to_string();
    let secrets = || own_account(&emulator, &token)["secrets"].as_array().unwrap().len();
    let lose = |close: &str| {
        assert_eq!(emulator.control("POST", "/faults", &fault(close)).status, 200);
        assert_eq!(secrets(), 1, "the fault does not apply to GET");
        let authorization = format!("Bearer {token}");
        let headers = [("Authorization", authorization.as_str()), ("Accept", crate::client::VERSION), ("Content-Type", "application/json")];
        let received = emulator.received("POST", &format!("/api/atlas/v2{path}"), &headers, r#"{"secretExpiresAfterHours":24}"#);
        assert!(!received.contains("mdb_sa_sk_") || !received.ends_with('}'), "{received}");
    };

    lose("before_reply");
    assert_eq!(secrets(), 1);
    lose("mid_reply");
    assert_eq!(secrets(), 2);
}

#[test]
fn e5_a_reply_can_be_lost_completely_after_the_effect() {
    use std::io::{Read as _, Write as _};

    let emulator = Process::start();
    let token = emulator.token();
    let path = format!("{}/secrets", emulator.own_path());
    let secrets = || own_account(&emulator, &token)["secrets"].as_array().unwrap().len();
    let authorization = format!("Bearer {token}");
    let headers = [("Authorization", authorization.as_str()), ("Accept", crate::client::VERSION), ("Content-Type", "application/json")];
    let post = crate::client::request("POST", &format!("/api/atlas/v2{path}"), &headers, r#"{"secretExpiresAfterHours":24}"#);

    for (close, is_reset, count) in [("reset", true, 1), ("after_effect", false, 2), ("reset_after_effect", true, 2)] {
        if let (2, Some(second)) = (secrets(), own_account(&emulator, &token)["secrets"][1]["id"].as_str()) {
            assert_eq!(emulator.api(&token, "DELETE", &format!("{path}/{second}"), "").status, 204);
        }
        let fault = json!([{ "path": "/api/atlas/*", "method": "POST", "times": 1, "close": close }]);
        assert_eq!(emulator.control("POST", "/faults", &fault.to_string()).status, 200, "{close}");
        let mut socket = emulator.connect();
        socket.write_all(&post).unwrap();

        let mut received = Vec::new();
        let outcome = socket.read_to_end(&mut received);

        assert_eq!((received.as_slice(), outcome.is_err()), (&b""[..], is_reset), "{close}: {outcome:?}");
        assert_eq!(secrets(), count, "{close}");
    }
    let logged = emulator.control("GET", "/requests", "").json();
    let lost = logged["requests"].as_array().unwrap().iter().filter(|request| request["fault"] == json!(true));
    assert!(lost.clone().count() == 3 && lost.clone().all(|request| request["status"] == Value::Null), "{logged}");
    let both = json!([{ "path": "/a", "close": "after_effect", "status": 200 }]);
    assert_eq!(emulator.control("POST", "/faults", &both.to_string()).status, 400);
}

#[test]
fn e5_an_access_that_is_not_allowed_can_get_401_as_at_atlas() {
    let emulator = Process::start();
    let owner = emulator.token();
    let created = emulator.api(&owner, "POST", ACCOUNTS, &account(&["ORG_MEMBER"]).to_string()).json();
    let (id, secret) = (created["clientId"].as_str().unwrap(), created["secrets"][0]["secret"].as_str().unwrap());
    let member = mint(&emulator, id, secret).json()["access_token"].as_str().unwrap().to_owned();
    let refused = || {
        let reply = emulator.api(&member, "GET", ACCOUNTS, "");
        (reply.status, reply.json()["error"].clone(), reply.json()["errorCode"].clone(), reply.json()["detail"].clone())
    };
    let detail = json!("Current user is not authorized to perform this action.");
    assert_eq!(refused(), (403, json!(403), json!("USER_UNAUTHORIZED"), detail.clone()));

    set(&emulator, &json!({ "forbidden_as_401": true }));

    assert_eq!(refused(), (401, json!(401), json!("USER_UNAUTHORIZED"), detail));
    assert_eq!(emulator.api(&member, "GET", "/orgs", "").status, 200, "the token is valid");
    let list = format!("{ACCOUNTS}/{id}/accessList");
    assert_eq!(emulator.api(&owner, "POST", &list, r#"[{"ipAddress":"192.0.2.1"}]"#).status, 200);
    let detail = json!("IP address 127.0.0.1 is not allowed to access this resource.");
    assert_eq!(refused(), (401, json!(401), json!("IP_ADDRESS_NOT_ON_ACCESS_LIST"), detail));
}

#[test]
fn e9_a_fault_can_be_limited_to_one_client_id() {
    let emulator = Process::start();
    let token = emulator.token();
    let created = emulator.api(&token, "POST", ACCOUNTS, &account(&["ORG_READ_ONLY"]).to_string()).json();
    let (id, secret) = (created["clientId"].as_str().unwrap(), created["secrets"][0]["secret"].as_str().unwrap());
    let other = mint(&emulator, id, secret).json()["access_token"].as_str().unwrap().to_owned();
    let faults = json!([{ "path": "/api/*", "client_id": id, "status": 503, "times": 2 }]);
    assert_eq!(emulator.control("POST", "/faults", &faults.to_string()).status, 200);

    assert_eq!((mint(&emulator, &emulator.id, DEFAULT_CLIENT_SECRET).status, mint(&emulator, id, secret).status), (200, 503));
    let remaining = emulator.control("GET", "/faults", "").json();
    assert_eq!(remaining, json!([{ "path": "/api/*", "client_id": id, "status": 503, "times": 1 }]));
    assert_eq!((emulator.api(&token, "GET", "/orgs", "").status, emulator.api(&other, "GET", "/orgs", "").status), (200, 503));
    assert_eq!(emulator.control("GET", "/faults", "").json(), json!([]));
    assert_eq!(emulator.control("POST", "/faults", r#"[{"path":"/a","method":"post"}]"#).status, 400);
}
