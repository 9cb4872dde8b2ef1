//! Error statuses, and requests that are repeated.

use crate::support::{ACCOUNTS, Bench, account};
use serde_json::{Value, json};
use std::time::Duration;
use tokenwell::Status;
use tokenwell::admin::service_accounts::{Change, Network, NewServiceAccount};
use tokenwell::emulator::DEFAULT_CLIENT_ID;

#[test]
fn l6_a_401_that_is_not_about_the_token_costs_two_tokens() {
    for code in [json!("IP_ADDRESS_NOT_ON_ACCESS_LIST"), Value::Null] {
        let bench = Bench::new();
        let body = json!({ "error": 401, "errorCode": code, "detail": "no" });
        bench.faults(json!([{ "path": "/api/atlas/*", "status": 401, "body": body }]));

        for call in 0..100 {
            let error = bench.of_organization().get(DEFAULT_CLIENT_ID).unwrap_err();
            let hint = error.hint();
            assert_eq!(error.status(), Status::CredentialRejected);
            assert!(hint.contains("access list") && !hint.contains("secret"), "{call}: {error}: {hint}");
        }

        assert_eq!(bench.emulator.counters().tokens_minted, 2);
        assert!(bench.requests("GET", ACCOUNTS) <= 3, "{}", bench.requests("GET", ACCOUNTS));
    }
}

#[test]
fn l9_an_address_that_is_not_on_the_access_list_is_named() {
    let bench = Bench::new();
    bench.of_organization().add_access(DEFAULT_CLIENT_ID, &[Network::parse("192.0.2.0/24").unwrap()]).unwrap();

    let error = bench.of_organization().get(DEFAULT_CLIENT_ID).unwrap_err();

    let api = error.api().unwrap();
    assert!(api.is_access_list() && api.caller_address() == "127.0.0.1".parse().ok(), "{error:?}");
    assert!(error.hint().contains("Add 127.0.0.1 to the API access list of the service account"), "{}", error.hint());
    assert!(error.hint().contains("for its clusters is another one"), "{}", error.hint());
}

#[test]
fn l8_a_missing_role_is_named() {
    let bench = Bench::new();
    let roles = ["ORG_READ_ONLY".to_owned()].to_vec();
    bench.of_organization().update(DEFAULT_CLIENT_ID, &Change { roles: Some(roles), ..Change::default() }).unwrap();

    let error = bench.of_organization().create(&account("a", "ORG_MEMBER")).unwrap_err();

    assert_eq!((error.status(), error.api().unwrap().error_code.as_deref()), (Status::CredentialRejected, Some("USER_UNAUTHORIZED")));
    assert!(error.hint().contains("Organization Owner (ORG_OWNER)"), "{}", error.hint());

    for status in [401, 403] {
        let bench = Bench::new();
        let body = json!({ "error": status, "errorCode": "USER_UNAUTHORIZED" });
        bench.faults(json!([{ "path": "/api/atlas/*", "status": status, "body": body }]));
        let error = bench.of_project().add_access(DEFAULT_CLIENT_ID, &[Network::parse("192.0.2.1").unwrap()]).unwrap_err();
        assert!(error.hint().contains("the role Project Access Manager"), "{status}: {}", error.hint());
    }
}

#[test]
fn invalid_requests_are_not_sent() {
    let bench = Bench::new();
    let of = bench.of_organization();
    let new = account("deploy", "ORG_MEMBER");
    for wrong in [
        NewServiceAccount { name: "a/b".to_owned(), ..new.clone() },
        NewServiceAccount { description: String::new(), ..new.clone() },
        NewServiceAccount { roles: Vec::new(), ..new.clone() },
        NewServiceAccount { roles: vec!["ORG_OWNR".to_owned()], ..new.clone() },
        NewServiceAccount { secret_expires_after_hours: 7, ..new.clone() },
    ] {
        assert_eq!(of.create(&wrong).unwrap_err().status(), Status::InvalidArgument, "{wrong:?}");
    }
    let many: Vec<_> = (0..201).map(|number| Network::parse(&format!("192.0.2.{number}")).unwrap()).collect();
    assert!(of.add_access(DEFAULT_CLIENT_ID, &many).unwrap_err().to_string().contains("201 entries"));
    assert!(of.add_access(DEFAULT_CLIENT_ID, &[]).is_err() && of.update(DEFAULT_CLIENT_ID, &Change::default()).is_err());
    assert!(of.get("../x").is_err() && of.delete_secret(DEFAULT_CLIENT_ID, "a/b").is_err() && of.invite(DEFAULT_CLIENT_ID, &[]).is_err());
    assert!(bench.of_project().projects(DEFAULT_CLIENT_ID).is_err());

    assert_eq!(bench.emulator.counters().requests, 0);
}

#[test]
fn a_429_is_repeated_when_retry_after_is_over_for_every_method() {
    let bench = Bench::new();
    let limited = json!({ "path": ACCOUNTS, "method": "POST", "times": 1, "status": 429, "headers": { "Retry-After": "17" } });
    bench.faults(json!([limited]));

    bench.of_organization().create(&account("deploy", "ORG_MEMBER")).unwrap();

    assert_eq!(bench.clock.slept(), Duration::from_secs(17));
    bench.faults(json!([{ "path": ACCOUNTS, "status": 429, "headers": { "Retry-After": "3600" } }]));
    let error = bench.of_organization().list().next().unwrap().unwrap_err();
    assert_eq!((error.status(), bench.clock.slept()), (Status::RateLimited, Duration::from_secs(17)));
    assert!(error.hint().contains("1 h"), "{}", error.hint());
}

#[test]
fn what_has_the_same_effect_twice_is_repeated_after_a_lost_reply() {
    let bench = Bench::new();
    let of = bench.of_organization();
    let id = of.create(&account("deploy", "ORG_MEMBER")).unwrap().account.client_id;
    let one = format!("{ACCOUNTS}/{id}");

    bench.faults(json!([{ "path": one, "times": 2, "status": 502 }]));
    assert_eq!(of.get(&id).unwrap().name, "deploy");
    bench.faults(json!([{ "path": one, "method": "PATCH", "times": 1, "close": "mid_reply" }]));
    assert_eq!(of.update(&id, &Change { name: Some("renamed".to_owned()), ..Change::default() }).unwrap().name, "renamed");
    bench.faults(json!([{ "path": format!("{one}/accessList"), "method": "POST", "times": 1, "close": "mid_reply" }]));
    assert_eq!(of.add_access(&id, &[Network::parse("192.0.2.1").unwrap()]).unwrap().len(), 1);
    bench.faults(json!([{ "path": one, "method": "DELETE", "times": 1, "close": "mid_reply" }]));
    of.delete(&id).unwrap();

    assert!(of.get(&id).unwrap_err().is_not_found());
    assert!(of.delete(&id).unwrap_err().is_not_found(), "without a lost reply, a missing account is an error");
}

#[test]
fn a_server_that_stays_unavailable_is_an_error_after_four_attempts() {
    let bench = Bench::new();
    bench.faults(json!([{ "path": ACCOUNTS, "status": 503 }]));

    let error = bench.of_organization().list().next().unwrap().unwrap_err();

    assert_eq!((error.status(), bench.requests("GET", ACCOUNTS)), (Status::Server, 4));
}
