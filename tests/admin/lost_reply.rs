//! Requests that create something, and whose reply is lost.

use crate::support::{ACCOUNTS, Bench, account};
use serde_json::json;
use std::time::Duration;
use tokenwell::admin::service_accounts::{AdminError, ServiceAccount};
use tokenwell::emulator::DEFAULT_CLIENT_ID;

/// Processed by the server, and not answered.
const REPLY_LOST: &str = "mid_reply";
/// Not processed.
const REQUEST_LOST: &str = "before_reply";

fn lose(bench: &Bench, path: &str, how: &str, times: u32) {
    bench.faults(json!([{ "path": path, "method": "POST", "times": times, "close": how }]));
}

fn others(bench: &Bench) -> Vec<ServiceAccount> {
    let all: Result<Vec<_>, _> = bench.of_organization().list().collect();
    all.unwrap().into_iter().filter(|account| account.client_id != DEFAULT_CLIENT_ID).collect()
}

#[test]
fn l2_an_account_whose_reply_was_lost_is_adopted_with_another_secret() {
    let bench = Bench::new();
    lose(&bench, ACCOUNTS, REPLY_LOST, 1);

    let created = bench.of_organization().create(&account("deploy", "ORG_MEMBER")).unwrap();

    let all = others(&bench);
    assert_eq!((all.len(), all[0].secrets.len()), (1, 1), "{all:?}");
    assert!(created.recovered && created.account == all[0], "{created:?}");
    assert_eq!(created.secret.replaced.len(), 1);
    assert_eq!(created.secret.description.id, all[0].secrets[0].id);
    assert!(bench.is_valid(&created.account.client_id, created.secret.value.expose()));
    assert_eq!(bench.requests("POST", ACCOUNTS), 2, "one account and one secret");
}

#[test]
fn l2_a_request_that_did_not_arrive_is_repeated_once_after_two_reads() {
    let bench = Bench::new();
    lose(&bench, ACCOUNTS, REQUEST_LOST, 1);

    let created = bench.of_organization().create(&account("deploy", "ORG_MEMBER")).unwrap();

    assert_eq!(others(&bench).len(), 1);
    assert!(!created.recovered);
    assert!(bench.clock.slept() >= Duration::from_secs(10), "{:?}", bench.clock.slept());
    assert_eq!((bench.requests("POST", ACCOUNTS), bench.requests("DELETE", ACCOUNTS)), (2, 0));
}

#[test]
fn l2_a_server_error_is_a_lost_reply() {
    let bench = Bench::new();
    bench.faults(json!([{ "path": ACCOUNTS, "method": "POST", "times": 1, "status": 503 }]));

    bench.of_organization().create(&account("deploy", "ORG_MEMBER")).unwrap();

    assert_eq!(others(&bench).len(), 1);
}

#[test]
fn l2_after_the_second_lost_request_the_error_says_that_nothing_exists() {
    let bench = Bench::new();
    lose(&bench, ACCOUNTS, REQUEST_LOST, 9);

    let error = bench.of_organization().create(&account("deploy", "ORG_MEMBER")).unwrap_err();

    let AdminError::Unresolved { candidates, problem, .. } = &error else { panic!("{error:?}") };
    assert!(candidates.is_empty() && problem.contains("no new account appeared"), "{error}");
    assert_eq!((others(&bench).len(), bench.requests("POST", ACCOUNTS)), (0, 2));
}

#[test]
fn l2_two_new_accounts_with_the_same_name_are_listed_and_none_is_deleted() {
    let bench = Bench::new();
    let other = bench.of_organization().create(&account("deploy", "ORG_MEMBER")).unwrap().account.client_id;
    // The account of another process appears between the first read and the request.
    let before = json!({ "results": [], "totalCount": 0 });
    bench.faults(json!([
        { "path": ACCOUNTS, "method": "GET", "times": 1, "status": 200, "body": before },
        { "path": ACCOUNTS, "method": "POST", "times": 1, "close": REPLY_LOST },
    ]));

    let error = bench.of_organization().create(&account("deploy", "ORG_MEMBER")).unwrap_err();

    let AdminError::Unresolved { candidates, .. } = &error else { panic!("{error:?}") };
    assert!(candidates.len() == 2 && candidates.contains(&other), "{candidates:?}");
    assert!(error.hint().contains(&other), "{}", error.hint());
    assert_eq!((others(&bench).len(), bench.requests("DELETE", ACCOUNTS)), (2, 0));
}

#[test]
fn l2_an_older_account_of_the_same_name_is_not_the_result() {
    let bench = Bench::new();
    let older = bench.of_organization().create(&account("deploy", "ORG_MEMBER")).unwrap().account.client_id;
    let older = bench.of_organization().get(&older).unwrap();
    lose(&bench, ACCOUNTS, REPLY_LOST, 1);

    let created = bench.of_organization().create(&account("deploy", "ORG_MEMBER")).unwrap().account;

    assert_ne!(created.client_id, older.client_id);
    assert!(others(&bench).contains(&older), "{older:?}");
}

#[test]
fn l2_a_secret_whose_reply_was_lost_is_deleted_and_created_again() {
    let bench = Bench::new();
    let id = bench.of_organization().create(&account("deploy", "ORG_MEMBER")).unwrap().account.client_id;
    lose(&bench, &format!("{ACCOUNTS}/{id}/secrets"), REPLY_LOST, 1);

    let secret = bench.of_organization().create_secret(&id, 8).unwrap();

    let secrets = bench.of_organization().get(&id).unwrap().secrets;
    assert_eq!((secrets.len(), secret.replaced.len()), (2, 1), "{secrets:?}");
    assert!(secrets.iter().any(|each| each.id == secret.description.id) && !secrets.iter().any(|each| each.id == secret.replaced[0]));
    assert!(bench.is_valid(&id, secret.value.expose()));
}

#[test]
fn l2_a_secret_that_never_arrives_leaves_none_that_nobody_knows() {
    for how in [REPLY_LOST, REQUEST_LOST] {
        let bench = Bench::new();
        let id = bench.of_organization().create(&account("deploy", "ORG_MEMBER")).unwrap().account.client_id;
        let before = bench.of_organization().get(&id).unwrap().secrets.len();
        lose(&bench, &format!("{ACCOUNTS}/{id}/secrets"), how, 99);

        let error = bench.of_organization().create_secret(&id, 8).unwrap_err();

        assert!(matches!(error, AdminError::Unresolved { .. }), "{error:?}");
        assert_eq!(bench.of_organization().get(&id).unwrap().secrets.len(), before, "{how}");
        assert!(bench.requests("POST", "/secrets") <= 3, "{how}");
    }
}

#[test]
fn l2_if_the_account_cannot_be_read_after_the_lost_reply_the_error_says_so() {
    let bench = Bench::new();
    bench.faults(json!([
        { "path": ACCOUNTS, "method": "GET", "times": 1, "then_serve": true },
        { "path": ACCOUNTS, "method": "POST", "times": 1, "close": REPLY_LOST },
        { "path": ACCOUNTS, "method": "GET", "status": 500 },
    ]));

    let error = bench.of_organization().create(&account("deploy", "ORG_MEMBER")).unwrap_err();

    assert!(error.to_string().contains("not known whether the account exists"), "{error}");
    assert_eq!(bench.requests("POST", ACCOUNTS), 1);
}

#[test]
fn l2_an_account_that_gets_no_other_secret_is_named() {
    let bench = Bench::new();
    bench.faults(json!([
        { "path": ACCOUNTS, "method": "POST", "times": 1, "close": REPLY_LOST },
        { "path": format!("{ACCOUNTS}/*"), "method": "POST", "status": 403, "body": { "errorCode": "USER_UNAUTHORIZED" } },
    ]));

    let error = bench.of_organization().create(&account("deploy", "ORG_MEMBER")).unwrap_err();

    let id = others(&bench)[0].client_id.clone();
    assert!(matches!(&error, AdminError::Unresolved { candidates, .. } if *candidates == [id.clone()]), "{error:?}");
    assert!(error.to_string().contains(&format!("the account {id} exists, and its secret could not be replaced")), "{error}");
}

#[test]
fn l2_a_new_secret_is_not_lost_if_the_account_cannot_be_read_after_it() {
    let bench = Bench::new();
    bench.faults(json!([
        { "path": ACCOUNTS, "method": "POST", "times": 1, "close": REPLY_LOST },
        { "path": format!("{ACCOUNTS}/*"), "method": "GET", "times": 1, "then_serve": true },
        { "path": format!("{ACCOUNTS}/*"), "method": "GET", "status": 500 },
    ]));

    let created = bench.of_organization().create(&account("deploy", "ORG_MEMBER")).unwrap();

    assert!(created.recovered && bench.is_valid(&created.account.client_id, created.secret.value.expose()));
    assert_eq!(created.account.secrets, [created.secret.description]);
}

#[test]
fn an_error_of_the_record_is_returned_before_anything_is_created() {
    let bench = Bench::new();
    let accounts = bench.of_organization();
    let id = accounts.create(&account("deploy", "ORG_MEMBER")).unwrap().account.client_id;
    let posts = bench.requests("POST", ACCOUNTS);
    let refused = || Err(tokenwell::Error::Internal { problem: "on purpose".to_owned() });

    let mut existing = Vec::new();
    let record = |ids: &[String], date_ms: Option<u64>| {
        existing.extend_from_slice(ids);
        assert!(date_ms.is_some());
        refused()
    };
    let error = accounts.create_recorded(&account("b", "ORG_MEMBER"), record).unwrap_err();
    assert!(error.to_string().contains("on purpose") && existing == [DEFAULT_CLIENT_ID.to_owned(), id.clone()], "{error} {existing:?}");
    accounts.create_secret_recorded(&id, 8, |ids, _| if ids.len() == 1 { refused() } else { Ok(()) }).unwrap_err();

    assert_eq!(bench.requests("POST", ACCOUNTS), posts);
}

#[test]
fn l14_a_new_account_that_is_not_visible_yet_is_not_gone() {
    let bench = Bench::new();
    bench.emulator.set_settings(json!({ "visible_after_s": 5 })).unwrap();
    let accounts = bench.of_organization();
    let id = accounts.create(&account("deploy", "ORG_MEMBER")).unwrap().account.client_id;

    let networks = ["192.0.2.1".parse().map(tokenwell::admin::service_accounts::Network::of).unwrap()];
    let added = accounts.add_access(&id, &networks).unwrap();

    assert_eq!((added.len(), others(&bench).len()), (1, 1));
    let gone = accounts.get("mdb_sa_id_000000000000000000000009").unwrap_err();
    assert!(gone.is_not_found() && bench.clock.slept() <= Duration::from_secs(6), "{gone}: {:?}", bench.clock.slept());
}
