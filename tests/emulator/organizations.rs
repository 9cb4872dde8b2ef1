//! The settings of an organization, and which roles allow what on service accounts.

use crate::admin::{ACCOUNTS, PROJECT_ACCOUNTS, account, create};
use crate::client::{api, emulator, request_token_as, token, token_as};
use serde_json::{Value, json};
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_ORG_ID, DEFAULT_PROJECT_ID, Emulator, EmulatorOptions, Seed};

const HOUR_MS: u64 = 3_600_000;

fn settings() -> String {
    format!("/orgs/{DEFAULT_ORG_ID}/settings")
}

fn body(roles: &[&str], hours: u64) -> Option<Value> {
    let mut body = account(roles);
    body["secretExpiresAfterHours"] = json!(hours);
    Some(body)
}

#[test]
fn the_organization_may_have_a_lower_maximum_for_the_lifetime_of_secrets() {
    let emulator = emulator();
    let token = token(&emulator);
    let changed = api(&emulator, &token, "PATCH", &settings(), Some(json!({ "maxServiceAccountSecretValidityInHours": 720 })));
    assert_eq!((changed.status, &changed.json()["maxServiceAccountSecretValidityInHours"]), (200, &json!(720)));
    assert_eq!(api(&emulator, &token, "GET", &settings(), None).json(), changed.json());
    let (id, _) = create(&emulator, &token, ACCOUNTS, &["ORG_MEMBER"]);
    let secrets = format!("{ACCOUNTS}/{id}/secrets");

    for (path, roles) in [(ACCOUNTS, "ORG_MEMBER"), (PROJECT_ACCOUNTS, "GROUP_READ_ONLY")] {
        let refused = api(&emulator, &token, "POST", path, body(&[roles], 721));
        assert_eq!((refused.status, &refused.json()["parameters"]), (400, &json!(["secretExpiresAfterHours"])), "{path}");
        assert!(refused.json()["detail"].as_str().unwrap().contains("from 8 to 720"), "{refused:?}");
        assert_eq!(api(&emulator, &token, "POST", path, body(&[roles], 720)).status, 201, "{path}");
    }
    assert_eq!(api(&emulator, &token, "POST", &secrets, Some(json!({ "secretExpiresAfterHours": 721 }))).status, 400);
    assert_eq!(api(&emulator, &token, "POST", &secrets, Some(json!({ "secretExpiresAfterHours": 720 }))).status, 201);

    for (name, wrong) in [
        ("maxServiceAccountSecretValidityInHours", json!(7)),
        ("maxServiceAccountSecretValidityInHours", json!(8761)),
        ("apiAccessListRequired", json!("yes")),
        ("surprise", json!(1)),
    ] {
        let refused = api(&emulator, &token, "PATCH", &settings(), Some(json!({ name: wrong }))).json();
        assert_eq!((&refused["error"], &refused["parameters"]), (&json!(400), &json!([name])));
    }
    emulator.reset();
    let token = self::token(&emulator);
    assert_eq!(api(&emulator, &token, "GET", &settings(), None).json()["maxServiceAccountSecretValidityInHours"], json!(8760));
}

#[test]
fn an_organization_that_requires_an_access_list_refuses_an_account_without_one() {
    let emulator = emulator();
    let owner = token(&emulator);
    let own_list = format!("{ACCOUNTS}/{DEFAULT_CLIENT_ID}/accessList");
    assert_eq!(api(&emulator, &owner, "POST", &own_list, Some(json!([{ "cidrBlock": "127.0.0.0/8" }]))).status, 200);
    let (id, secret) = create(&emulator, &owner, ACCOUNTS, &["ORG_READ_ONLY"]);
    let token = token_as(&emulator, &id, &secret);
    assert_eq!(api(&emulator, &token, "GET", "/orgs", None).status, 200);

    let changed = api(&emulator, &owner, "PATCH", &settings(), Some(json!({ "apiAccessListRequired": true })));

    assert_eq!((changed.status, &changed.json()["apiAccessListRequired"]), (200, &json!(true)));
    let refused = api(&emulator, &token, "GET", "/orgs", None);
    assert_eq!((refused.status, &refused.json()["errorCode"]), (403, &json!("IP_ADDRESS_NOT_ON_ACCESS_LIST")));
    assert_eq!(request_token_as(&emulator, &id, &secret).status, 200, "a token can be requested");
    let list = format!("{ACCOUNTS}/{id}/accessList");
    assert_eq!(api(&emulator, &owner, "POST", &list, Some(json!([{ "ipAddress": "127.0.0.1" }]))).status, 200);
    assert_eq!(api(&emulator, &token, "GET", "/orgs", None).status, 200);
}

#[test]
fn a_seed_may_have_the_settings_of_an_organization() {
    let document = |settings: &str| {
        format!(
            r#"{{"organizations":[{{"id":"aaaaaaaaaaaaaaaaaaaaaaaa","settings":{settings},
            "serviceAccounts":[{{"clientId":"owner","roles":["ORG_OWNER"],"secrets":[{{"secret":"the secret"}}]}}]}}]}}"#
        )
    };
    let seed = Seed::parse(&document(r#"{"maxServiceAccountSecretValidityInHours":24,"apiAccessListRequired":true}"#)).unwrap();
    let emulator = Emulator::start(EmulatorOptions { seed: Some(seed), ..EmulatorOptions::default() }).unwrap();
    let token = token_as(&emulator, "owner", "the secret");
    assert_eq!(api(&emulator, &token, "GET", "/orgs", None).json()["errorCode"], json!("IP_ADDRESS_NOT_ON_ACCESS_LIST"));

    for (settings, problem) in [
        (
            r#"{"maxServiceAccountSecretValidityInHours":7}"#,
            "line 1, column 105: the maximum lifetime of secrets must be from 8 to 8760 hours",
        ),
        (r#"{"apiAccessListRequried":true}"#, "apiAccessListRequried"),
    ] {
        let error = Seed::parse(&document(settings)).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
}

#[test]
fn a_role_that_does_not_exist_at_the_level_is_named_with_those_that_do() {
    let emulator = emulator();
    let token = token(&emulator);

    for (path, role, parts) in [
        (ACCOUNTS, "ORG_OWNR", ["\"ORG_OWNR\" is not a role of an organization", "ORG_OWNER, "]),
        (ACCOUNTS, "GROUP_OWNER", ["GROUP_OWNER is not a role of an organization", "ORG_MEMBER, "]),
        (PROJECT_ACCOUNTS, "ORG_READ_ONLY", ["ORG_READ_ONLY is not a role of a project", "GROUP_OWNER, "]),
        (PROJECT_ACCOUNTS, "GROUP_EMPEROR", ["\"GROUP_EMPEROR\" is not a role of a project", "GROUP_ACCESS_MANAGER, "]),
    ] {
        let refused = api(&emulator, &token, "POST", path, Some(account(&[role])));
        assert_eq!((refused.status, &refused.json()["errorCode"]), (400, &json!("INVALID_ATTRIBUTE")), "{role}");
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(parts.iter().all(|part| detail.contains(part)), "{detail}");
    }
    // Roles are a set.
    let created = api(&emulator, &token, "POST", ACCOUNTS, Some(account(&["ORG_READ_ONLY", "ORG_MEMBER", "ORG_READ_ONLY"]))).json();
    assert_eq!(created["roles"], json!(["ORG_READ_ONLY", "ORG_MEMBER"]));
}

#[test]
fn an_expired_secret_is_shown_and_counts_until_it_is_deleted() {
    let emulator = emulator();
    emulator.set_clock(1_800_000_000_000);
    let owner = token(&emulator);
    let (id, first) = create(&emulator, &owner, ACCOUNTS, &["ORG_MEMBER"]);
    let path = format!("{ACCOUNTS}/{id}");
    let new = || Some(json!({ "secretExpiresAfterHours": 8 }));
    assert_eq!(api(&emulator, &owner, "POST", &format!("{path}/secrets"), new()).status, 201);
    emulator.advance_clock(8 * HOUR_MS);
    let owner = token(&emulator);

    assert_eq!(request_token_as(&emulator, &id, &first).status, 401);
    let shown = api(&emulator, &owner, "GET", &path, None).json();
    assert_eq!(shown["secrets"].as_array().unwrap().len(), 2, "{shown}");
    assert_eq!(shown["secrets"][0]["expiresAt"], json!("2027-01-15T16:00:00Z"));
    assert_eq!(api(&emulator, &owner, "POST", &format!("{path}/secrets"), new()).json()["errorCode"], json!("MAX_SECRETS_REACHED"));
    for secret in shown["secrets"].as_array().unwrap() {
        let secret = format!("{path}/secrets/{}", secret["id"].as_str().unwrap());
        assert_eq!(api(&emulator, &owner, "DELETE", &secret, None).status, 204);
    }
    let created = api(&emulator, &owner, "POST", &format!("{path}/secrets"), new()).json();
    assert_eq!(request_token_as(&emulator, &id, created["secret"].as_str().unwrap()).status, 200);
}

/// Which callers may perform an operation, in the order of `CALLERS`.
/// Method, path and body; the roles that may do it, and the beginning of further ones.
type Operation = (&'static str, String, Option<Value>, [&'static str; 2], &'static str);

#[test]
fn each_operation_requires_the_documented_role() {
    const CALLERS: [(&str, &str); 7] = [
        (ACCOUNTS, "ORG_OWNER"),
        (ACCOUNTS, "ORG_READ_ONLY"),
        (ACCOUNTS, "ORG_MEMBER"),
        (PROJECT_ACCOUNTS, "GROUP_OWNER"),
        (PROJECT_ACCOUNTS, "GROUP_ACCESS_MANAGER"),
        (PROJECT_ACCOUNTS, "GROUP_READ_ONLY"),
        (PROJECT_ACCOUNTS, "GROUP_CLUSTER_MANAGER"),
    ];
    let emulator = emulator();
    emulator.set_settings(json!({ "api_rate_limit": null })).unwrap();
    let owner = token(&emulator);
    let (target, _) = create(&emulator, &owner, PROJECT_ACCOUNTS, &["GROUP_READ_ONLY"]);
    let callers = CALLERS.map(|(level, role)| {
        let (id, secret) = create(&emulator, &owner, level, &[role]);
        (role, token_as(&emulator, &id, &secret))
    });
    let hours = || Some(json!({ "secretExpiresAfterHours": 8 }));
    let entry = || Some(json!([{ "ipAddress": "127.0.0.1" }]));
    let roles = |role: &str| Some(json!({ "roles": [role] }));
    let (org, project) = (format!("{ACCOUNTS}/{target}"), format!("{PROJECT_ACCOUNTS}/{target}"));
    // A path that does not exist shows that the roles are checked first, and changes nothing.
    let operations: Vec<Operation> = vec![
        ("GET", ACCOUNTS.to_owned(), None, ["ORG_OWNER", "ORG_READ_ONLY"], ""),
        ("GET", org.clone(), None, ["ORG_OWNER", "ORG_READ_ONLY"], ""),
        ("GET", format!("{org}/groups"), None, ["ORG_OWNER", "ORG_READ_ONLY"], ""),
        ("GET", format!("{org}/accessList"), None, ["ORG_OWNER", "ORG_READ_ONLY"], ""),
        ("POST", ACCOUNTS.to_owned(), Some(account(&["ORG_MEMBER"])), ["ORG_OWNER"; 2], ""),
        ("PATCH", org.clone(), roles("ORG_MEMBER"), ["ORG_OWNER"; 2], ""),
        ("POST", format!("{org}/secrets"), hours(), ["ORG_OWNER"; 2], ""),
        ("DELETE", format!("{org}/secrets/unknown"), None, ["ORG_OWNER"; 2], ""),
        ("POST", format!("{org}/accessList"), entry(), ["ORG_OWNER"; 2], ""),
        ("DELETE", format!("{org}/accessList/192.0.2.9"), None, ["ORG_OWNER"; 2], ""),
        ("DELETE", format!("{ACCOUNTS}/unknown"), None, ["ORG_OWNER"; 2], ""),
        ("PATCH", settings(), Some(json!({})), ["ORG_OWNER"; 2], ""),
        ("GET", PROJECT_ACCOUNTS.to_owned(), None, ["ORG_OWNER", "ORG_READ_ONLY"], "GROUP_"),
        ("GET", project.clone(), None, ["ORG_OWNER", "ORG_READ_ONLY"], "GROUP_"),
        ("GET", format!("{project}/accessList"), None, ["ORG_OWNER", "ORG_READ_ONLY"], "GROUP_"),
        ("POST", PROJECT_ACCOUNTS.to_owned(), Some(account(&["GROUP_READ_ONLY"])), ["ORG_OWNER", "GROUP_OWNER"], ""),
        ("PATCH", project.clone(), roles("GROUP_READ_ONLY"), ["ORG_OWNER", "GROUP_OWNER"], ""),
        ("POST", format!("{project}:invite"), roles("GROUP_READ_ONLY"), ["ORG_OWNER", "GROUP_OWNER"], ""),
        ("POST", format!("{project}/secrets"), hours(), ["ORG_OWNER", "GROUP_OWNER"], ""),
        ("DELETE", format!("{project}/secrets/unknown"), None, ["ORG_OWNER", "GROUP_OWNER"], ""),
        ("POST", format!("{project}/accessList"), entry(), ["ORG_OWNER", "GROUP_OWNER"], "GROUP_ACCESS_MANAGER"),
        ("DELETE", format!("{project}/accessList/192.0.2.9"), None, ["ORG_OWNER", "GROUP_OWNER"], "GROUP_ACCESS_MANAGER"),
        ("DELETE", format!("{PROJECT_ACCOUNTS}/unknown"), None, ["ORG_OWNER", "GROUP_OWNER"], ""),
    ];

    for (method, path, body, allowed, more) in operations {
        for (role, token) in &callers {
            let reply = api(&emulator, token, method, &path, body.clone());
            let is_allowed = allowed.contains(role) || (!more.is_empty() && role.starts_with(more));
            if is_allowed {
                assert!(!matches!(reply.status, 401 | 403), "{role} {method} {path}: {reply:?}");
            } else {
                assert_eq!((reply.status, &reply.json()["errorCode"]), (403, &json!("USER_UNAUTHORIZED")), "{role} {method} {path}");
            }
        }
    }
    let secrets = api(&emulator, &owner, "GET", &org, None).json()["secrets"].as_array().unwrap().len();
    assert_eq!(secrets, 2, "the second secret was created once, and a third one was refused");
}

#[test]
fn an_account_of_another_organization_may_nothing() {
    let seed = Seed::parse(&format!(
        r#"{{"organizations":[
        {{"id":"{DEFAULT_ORG_ID}","projects":[{{"id":"{DEFAULT_PROJECT_ID}"}}],
          "serviceAccounts":[{{"clientId":"{DEFAULT_CLIENT_ID}","roles":["ORG_OWNER"],"secrets":[{{"secret":"{DEFAULT_CLIENT_SECRET}"}}]}}]}},
        {{"id":"aaaaaaaaaaaaaaaaaaaaaaaa",
          "serviceAccounts":[{{"clientId":"foreign","roles":["ORG_OWNER"],"secrets":[{{"secret":"the secret"}}]}}]}}]}}"#
    ));
    let emulator = Emulator::start(EmulatorOptions { seed: Some(seed.unwrap()), ..EmulatorOptions::default() }).unwrap();
    let token = token_as(&emulator, "foreign", "the secret");

    for path in [ACCOUNTS.to_owned(), format!("{ACCOUNTS}/{DEFAULT_CLIENT_ID}"), PROJECT_ACCOUNTS.to_owned(), settings()] {
        assert_eq!(api(&emulator, &token, "GET", &path, None).status, 403, "{path}");
    }
    let invited = api(&emulator, &token, "POST", &format!("{PROJECT_ACCOUNTS}/foreign:invite"), Some(json!({ "roles": ["GROUP_OWNER"] })));
    assert_eq!(invited.status, 403);
    // An account of another organization cannot be invited either.
    let owner = self::token(&emulator);
    let invite = format!("{PROJECT_ACCOUNTS}/foreign:invite");
    assert_eq!(api(&emulator, &owner, "POST", &invite, Some(json!({ "roles": ["GROUP_OWNER"] }))).status, 404);
}
