//! Reported faults and differences from Atlas, each through the command.

use crate::admin::{ACCOUNTS, PROJECT_ACCOUNTS, account};
use crate::client::{FORM, basic};
use crate::process::Process;
use serde_json::{Value, json};
use tokenwell::emulator::{DEFAULT_CLIENT_SECRET, DEFAULT_ORG_ID, DEFAULT_PROJECT_ID};

const HOUR_MS: u64 = 3_600_000;

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
fn n12_date_tokens_records_and_limits_follow_one_clock() {
    let emulator = Process::start();
    // 2027-01-15T08:00:00Z
    emulator.control("POST", "/clock", r#"{"set_ms":1800000000000}"#);
    let token = emulator.token();
    let created = emulator.api(&token, "POST", ACCOUNTS, &account(&["ORG_MEMBER"]).to_string());
    assert_eq!(created.header("date"), Some("Fri, 15 Jan 2027 08:00:00 GMT"));
    let created = created.json();
    assert_eq!(created["createdAt"], json!("2027-01-15T08:00:00Z"));
    assert_eq!(created["secrets"][0]["expiresAt"], json!("2027-01-15T16:00:00Z"));
    let claims = crate::client::claims(&token);
    assert_eq!((&claims["iat"], &claims["exp"]), (&json!(1_800_000_000), &json!(1_800_003_600)));

    emulator.control("POST", "/clock", r#"{"advance_ms":3600000}"#);
    let expired = emulator.api(&token, "GET", "/orgs", "");
    assert_eq!((expired.status, expired.header("date")), (401, Some("Fri, 15 Jan 2027 09:00:00 GMT")));
    for path in ["/_emulator/counters", "/elsewhere"] {
        assert_eq!(emulator.send("GET", path, &[], "").header("date"), Some("Fri, 15 Jan 2027 09:00:00 GMT"), "{path}");
    }
    let own = |emulator: &Process, token: &str| emulator.api(token, "GET", &emulator.own_path(), "").json();
    let second = emulator.token();
    assert_eq!(own(&emulator, &second)["secrets"][0]["lastUsedAt"], json!("2027-01-15T09:00:00Z"));

    emulator.control("POST", "/settings", r#"{"rate_limit":{"requests":1,"window_s":60}}"#);
    emulator.token();
    emulator.control("POST", "/clock", r#"{"advance_ms":45000}"#);
    let authorization = basic(&emulator.id, DEFAULT_CLIENT_SECRET);
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", FORM)];
    let refused = emulator.send("POST", "/api/oauth/token", &headers, "grant_type=client_credentials");
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("15")));
    assert_eq!(refused.header("date"), Some("Fri, 15 Jan 2027 09:00:45 GMT"));

    // Set back: the token of the first hour is valid again.
    emulator.control("POST", "/clock", &json!({ "advance_ms": -(HOUR_MS as i64) }).to_string());
    let valid = emulator.api(&token, "GET", "/orgs", "");
    assert_eq!((valid.status, valid.header("date")), (200, Some("Fri, 15 Jan 2027 08:00:45 GMT")));
}

#[test]
fn n12_a_fault_can_send_another_date_and_a_stopped_clock_can_run_again() {
    let emulator = Process::start();
    emulator.control("POST", "/faults", r#"[{"path":"/a","headers":{"Date":"Thu, 01 Jan 1970 00:00:00 GMT"},"status":200}]"#);
    assert_eq!(emulator.send("GET", "/a", &[], "").header("date"), Some("Thu, 01 Jan 1970 00:00:00 GMT"));

    let stopped = emulator.control("POST", "/clock", r#"{"set_ms":1800000000000}"#).json();
    assert_eq!(stopped, json!({ "now_ms": 1_800_000_000_000_u64, "running": false }));
    let started = emulator.control("POST", "/clock", r#"{"run":true}"#).json();
    assert_eq!(started["running"], json!(true));
    let begun = std::time::Instant::now();
    let now = || emulator.control("GET", "/clock", "").json()["now_ms"].as_u64().unwrap();
    while now() < 1_800_000_000_002 {
        assert!(begun.elapsed() < crate::client::TIMEOUT, "the clock does not run");
    }
    assert!(now() < 1_800_000_000_000 + HOUR_MS);
    let stopped = emulator.control("POST", "/clock", r#"{"run":false}"#).json();
    assert_eq!(stopped["now_ms"], now());
}

#[test]
fn e6_a_clock_that_is_set_back_is_set_back_everywhere() {
    let emulator = Process::with(&["--rate-limit", "2/60"]);
    emulator.control("POST", "/clock", r#"{"set_ms":1800000000000}"#);
    let first = emulator.token();
    emulator.control("POST", "/clock", r#"{"advance_ms":3601000}"#);
    assert_eq!(emulator.api(&first, "GET", "/orgs", "").status, 401);
    emulator.token();
    emulator.control("POST", "/clock", r#"{"advance_ms":-3600000}"#);

    // 2027-01-15T08:00:01Z: the first token is valid, and the requests of later times do not count.
    let valid = emulator.api(&first, "GET", "/orgs", "");
    assert_eq!((valid.status, valid.header("date")), (200, Some("Fri, 15 Jan 2027 08:00:01 GMT")));
    let claims = crate::client::claims(&emulator.token());
    assert_eq!((&claims["iat"], &claims["exp"]), (&json!(1_800_000_001), &json!(1_800_003_601)));
    let created = emulator.api(&first, "POST", ACCOUNTS, &account(&["ORG_MEMBER"]).to_string()).json();
    assert_eq!(
        (&created["createdAt"], &created["secrets"][0]["expiresAt"]),
        (&json!("2027-01-15T08:00:01Z"), &json!("2027-01-15T16:00:01Z"))
    );
    let own = emulator.api(&first, "GET", &emulator.own_path(), "").json();
    assert_eq!(own["secrets"][0]["lastUsedAt"], json!("2027-01-15T08:00:01Z"));
    let authorization = basic(&emulator.id, DEFAULT_CLIENT_SECRET);
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", FORM)];
    let mint = || emulator.send("POST", "/api/oauth/token", &headers, "grant_type=client_credentials");
    assert_eq!(mint().status, 200);
    let limited = mint();
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("60")));
    let log = emulator.control("GET", "/requests", "").json();
    assert_eq!(log["requests"].as_array().unwrap().last().unwrap()["now_ms"], json!(1_800_000_001_000_u64));
}

#[test]
fn g1_an_account_cannot_remove_its_own_address_from_its_access_list() {
    let emulator = Process::start();
    let token = emulator.token();
    let list = format!("{}/accessList", emulator.own_path());
    assert_eq!(emulator.api(&token, "POST", &list, r#"[{"cidrBlock":"127.0.0.0/8"},{"ipAddress":"192.0.2.1"}]"#).status, 200);

    let refused = emulator.api(&token, "DELETE", &format!("{list}/127.0.0.0%2F8"), "");

    assert_eq!((refused.status, &refused.json()["errorCode"]), (400, &json!("CANNOT_REMOVE_CALLER_FROM_ACCESS_LIST")));
    assert_eq!(emulator.api(&token, "DELETE", &format!("{list}/192.0.2.1"), "").status, 204);
    assert_eq!(emulator.api(&token, "GET", &list, "").json()["totalCount"], json!(1));
}

#[test]
fn g2_the_operations_that_clients_call_first_are_answered() {
    let emulator = Process::start();
    let token = emulator.token();
    let ok = |path: &str| {
        let reply = emulator.api(&token, "GET", path, "");
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        reply.json()
    };
    let (org, project) = (format!("/orgs/{DEFAULT_ORG_ID}"), format!("/groups/{DEFAULT_PROJECT_ID}"));

    assert_eq!(ok(&format!("{org}/groups"))["results"][0]["id"], json!(DEFAULT_PROJECT_ID));
    assert_eq!(ok(&format!("{org}/settings"))["maxServiceAccountSecretValidityInHours"], json!(8760));
    assert_eq!(ok("/groups/byName/Emulated%20project")["id"], json!(DEFAULT_PROJECT_ID));
    for list in ["apiKeys", "events", "users"] {
        assert_eq!(ok(&format!("{org}/{list}"))["results"], json!([]), "{list}");
    }
    for list in ["clusters", "accessList", "teams", "databaseUsers"] {
        assert_eq!(ok(&format!("{project}/{list}"))["totalCount"], json!(0), "{list}");
    }
    assert_eq!(ok("/clusters")["results"], json!([]));
    assert_eq!(ok("")["apiKey"]["publicKey"], json!(emulator.id));
    assert_eq!(emulator.api(&token, "GET", "/groups/byName/nothing", "").json()["errorCode"], json!("GROUP_NAME_NOT_FOUND"));
    assert_eq!(emulator.api(&token, "GET", "/orgs/unknown/users", "").json()["errorCode"], json!("ORG_NOT_FOUND"));

    let bearer = format!("Bearer {token}");
    let newer = [("Authorization", bearer.as_str()), ("Accept", "application/vnd.atlas.2025-03-12+json")];
    let limits = emulator.send("GET", "/api/atlas/v2/rateLimits", &newer, "").json();
    assert_eq!(limits["results"][0]["capacity"]["value"], json!(1200), "{limits}");
    let info = emulator.send("GET", "/api/private/ipinfo", &[("Authorization", &bearer)], "");
    assert_eq!(info.json(), json!({ "currentIpv4Address": "127.0.0.1" }));
    let addresses = emulator.send("GET", "/api/atlas/v2/unauth/controlPlaneIPAddresses", &[], "");
    assert!(addresses.json()["inbound"]["aws"].is_object());
}

#[test]
fn g3_a_project_can_be_created_and_deleted() {
    let emulator = Process::start();
    let token = emulator.token();
    let create = |body: Value| emulator.api(&token, "POST", "/groups", &body.to_string());

    let created = create(json!({ "name": "payments (test)", "orgId": DEFAULT_ORG_ID, "withDefaultAlertsSettings": false }));

    assert_eq!(created.status, 200, "{created:?}");
    let project = created.json();
    let path = format!("/groups/{}", project["id"].as_str().unwrap());
    assert_eq!(emulator.api(&token, "GET", &path, "").json(), project);
    let accounts = emulator.api(&token, "GET", &format!("{path}/serviceAccounts"), "").json();
    assert_eq!((&accounts["results"][0]["clientId"], &accounts["results"][0]["roles"]), (&json!(emulator.id), &json!(["GROUP_OWNER"])));
    assert_eq!(create(json!({ "name": "payments (test)", "orgId": DEFAULT_ORG_ID })).json()["errorCode"], json!("GROUP_ALREADY_EXISTS"));
    assert_eq!(create(json!({ "name": "a", "orgId": "0e00000000000000000000ff" })).status, 404);
    assert_eq!(create(json!({ "orgId": DEFAULT_ORG_ID })).json()["badRequestDetail"]["fields"][0]["field"], json!("name"));
    assert_eq!(emulator.api(&token, "DELETE", &path, "").status, 204);
    assert_eq!(emulator.api(&token, "GET", &path, "").status, 404);
}

#[test]
fn g4_an_invalid_attribute_is_named_in_the_bad_request_detail() {
    let emulator = Process::start();
    let token = emulator.token();
    let field = |reply: crate::client::Reply| {
        let fields = reply.json()["badRequestDetail"]["fields"].clone();
        assert!(fields[0]["description"].as_str().is_some_and(|text| !text.is_empty()), "{reply:?}");
        (reply.status, fields[0]["field"].as_str().unwrap().to_owned())
    };
    let mut body = account(&["ORG_MEMBER"]);
    body["name"] = json!("a/b");

    assert_eq!(field(emulator.api(&token, "POST", ACCOUNTS, &body.to_string())), (400, "name".to_owned()));
    assert_eq!(field(emulator.api(&token, "POST", ACCOUNTS, "{}")), (400, "name".to_owned()));
    assert_eq!(field(emulator.api(&token, "GET", &format!("{ACCOUNTS}?pageNum=0"), "")), (400, "pageNum".to_owned()));
}

#[test]
fn g5_an_account_can_be_created_without_a_secret_and_says_who_manages_it() {
    let emulator = Process::start();
    let token = emulator.token();
    let mut body = account(&["ORG_MEMBER"]);
    body["withoutInitialSecret"] = json!(true);
    assert_eq!(emulator.api(&token, "POST", ACCOUNTS, &body.to_string()).status, 400, "an account without a secret has no lifetime");
    body.as_object_mut().unwrap().remove("secretExpiresAfterHours");

    let created = emulator.api(&token, "POST", ACCOUNTS, &body.to_string());

    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!((&created.json()["secrets"], &created.json()["systemManaged"]), (&json!([]), &json!(false)));
}

#[test]
fn g6_links_keep_every_query_parameter() {
    let emulator = Process::start();
    let token = emulator.token();
    for _ in 0..2 {
        emulator.api(&token, "POST", ACCOUNTS, &account(&["ORG_MEMBER"]).to_string());
    }

    let page = emulator.api(&token, "GET", &format!("{ACCOUNTS}?includeCount=false&x=a%20b&itemsPerPage=1&pageNum=2"), "").json();

    for (rel, number) in [("self", 2), ("previous", 1), ("next", 3)] {
        let link = page["links"].as_array().unwrap().iter().find(|link| link["rel"] == rel).unwrap();
        let query = format!("?includeCount=false&x=a+b&itemsPerPage=1&pageNum={number}");
        assert!(link["href"].as_str().unwrap().ends_with(&query), "{link}");
    }
}

#[test]
fn g7_a_list_keeps_its_order_while_accounts_are_added() {
    let emulator = Process::start();
    let token = emulator.token();
    let create = |_| emulator.api(&token, "POST", ACCOUNTS, &account(&["ORG_MEMBER"]).to_string()).json()["clientId"].clone();
    let created: Vec<_> = (0..8).map(create).collect();

    let list = emulator.api(&token, "GET", ACCOUNTS, "").json();

    let listed: Vec<_> = list["results"].as_array().unwrap().iter().skip(1).map(|account| account["clientId"].clone()).collect();
    assert_eq!(listed, created);
}

#[test]
fn g8_a_request_without_a_token_is_rejected_before_its_path() {
    let emulator = Process::start();
    let token = emulator.token();

    for (method, path) in [("GET", "/nothing"), ("PUT", "/orgs"), ("DELETE", ACCOUNTS)] {
        let refused = emulator.send(method, &format!("/api/atlas/v2{path}"), &[], "");
        assert_eq!(refused.status, 401, "{method} {path}");

        let reply = emulator.api(&token, method, path, "");
        assert!(matches!(reply.status, 404 | 405), "{method} {path}: {reply:?}");
        assert_eq!(reply.header("ratelimit-limit"), Some("1200"), "{method} {path}");
    }
}

#[test]
fn g9_limits_have_the_texts_of_atlas() {
    let emulator = Process::start();
    let token = emulator.token();
    emulator.control("POST", "/settings", r#"{"token_cap":1,"api_rate_limit":{"requests":1,"window_s":60}}"#);
    let authorization = basic(&emulator.id, DEFAULT_CLIENT_SECRET);
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", FORM)];
    let ask = || emulator.send("POST", "/api/oauth/token", &headers, "grant_type=client_credentials");

    let refused = ask();
    assert_eq!(refused.status, 403);
    assert!(refused.json()["error_description"].as_str().unwrap().starts_with("Access Token limit reached. "), "{refused:?}");
    emulator.api(&token, "GET", "/orgs", "");
    let text = "Resource /api/atlas/v2/orgs is limited to 1 requests every 1 minutes.";
    assert_eq!(emulator.api(&token, "GET", "/orgs", "").json()["detail"], json!(text));
    emulator.control("POST", "/settings", r#"{"rate_limit":{"requests":1,"window_s":120}}"#);
    ask();
    let text = "Resource /api/oauth/token is limited to 1 requests every 2 minutes.";
    assert_eq!(ask().json()["error_description"], json!(text));
}

#[test]
fn g10_envelope_pretty_and_name_are_applied() {
    let emulator = Process::start();
    let token = emulator.token();
    let get = |path: &str| emulator.api(&token, "GET", path, "");
    let org = get(&format!("/orgs/{DEFAULT_ORG_ID}")).json();

    assert_eq!(get(&format!("/orgs/{DEFAULT_ORG_ID}?envelope=true")).json(), json!({ "status": 200, "content": org }));
    let list = get("/orgs?envelope=true").json();
    assert_eq!((&list["status"], &list["totalCount"]), (&json!(200), &json!(1)));
    let error = get("/orgs/unknown?envelope=true");
    assert_eq!((error.status, &error.json()["status"]), (200, &json!(404)));
    let pretty = get(&format!("/orgs/{DEFAULT_ORG_ID}?pretty=true"));
    assert!(pretty.body.lines().count() > 3 && pretty.json() == org, "{pretty:?}");
    assert_eq!(get("/orgs?name=EMULATED").json()["totalCount"], json!(1));
    assert_eq!(get("/orgs?name=other").json()["totalCount"], json!(0));
}

#[test]
fn g12_token_requests_that_fail_count_against_the_limit() {
    let emulator = Process::with(&["--rate-limit", "3/60"]);
    let authorization = basic("client", "wrong");
    let ask = |headers: &[(&str, &str)], body: &str| emulator.send("POST", "/api/oauth/token", headers, body).status;

    let in_body = "grant_type=client_credentials&client_id=client&client_secret=wrong";
    assert_eq!(ask(&[("Authorization", &authorization)], ""), 400);
    assert_eq!(ask(&[("Authorization", &authorization), ("Content-Type", FORM)], "grant_type=client_credentials"), 401);
    assert_eq!(ask(&[("Content-Type", FORM)], in_body), 401);
    assert_eq!(ask(&[("Content-Type", FORM)], in_body), 429);
    assert_eq!([0; 4].map(|_| ask(&[], "")), [400, 400, 400, 429]);
}

#[test]
fn g14_a_project_has_only_members_that_clients_know() {
    let emulator = Process::start();
    let token = emulator.token();
    emulator.api(&token, "POST", PROJECT_ACCOUNTS, &account(&["GROUP_OWNER"]).to_string());

    let project = emulator.api(&token, "GET", &format!("/groups/{DEFAULT_PROJECT_ID}"), "").json();

    let members: Vec<_> = project.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["clusterCount", "created", "id", "links", "name", "orgId"]);
}

#[test]
fn g15_other_paths_can_be_stubbed_behind_the_bearer_check() {
    let emulator = Process::start();
    let token = emulator.token();
    let stubs = json!([
        { "path": "/api/atlas/v2/groups/{groupId}/clusters", "body": { "results": [{ "name": "c0" }], "totalCount": 1 } },
        { "method": "POST", "path": "/api/atlas/v2/groups/{groupId}/clusters", "status": 201, "body": { "name": "c1" } },
        { "method": "DELETE", "path": "/api/atlas/v2/groups/{groupId}/clusters/{name}", "status": 202 },
    ]);
    assert_eq!(emulator.control("POST", "/stubs", &stubs.to_string()).status, 200);

    let path = format!("/groups/{DEFAULT_PROJECT_ID}/clusters");
    let reply = emulator.api(&token, "GET", &format!("{path}?itemsPerPage=5"), "");
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/vnd.atlas.2024-08-05+json;charset=utf-8")));
    assert_eq!(reply.json()["results"][0]["name"], json!("c0"));
    assert_eq!(emulator.api(&token, "POST", &path, "{}").status, 201);
    assert_eq!(emulator.api(&token, "DELETE", &format!("{path}/c0"), "").status, 202);
    assert_eq!(emulator.send("GET", &format!("/api/atlas/v2{path}"), &[], "").status, 401);
    assert_eq!(emulator.control("GET", "/stubs", "").json()[0]["status"], json!(200));

    for (stub, problem) in [
        (json!({ "path": "/api/atlas/v2/a", "bdy": 1 }), "bdy"),
        (json!({ "path": "/elsewhere" }), "path must start with"),
        (json!({ "path": format!("/api/atlas/v2{ACCOUNTS}") }), "service account API"),
        (json!({ "path": "/api/atlas/v2/a", "method": "get" }), "method \"get\""),
        (json!({ "path": "/api/atlas/v2/a", "status": 99 }), "99"),
    ] {
        let refused = emulator.control("POST", "/stubs", &json!([stub]).to_string());
        assert_eq!(refused.status, 400);
        assert!(refused.json()["detail"].as_str().unwrap().contains(problem), "{refused:?}");
    }
    assert_eq!(emulator.api(&token, "GET", &path, "").json()["totalCount"], json!(1), "a rejected list changes nothing");
}
