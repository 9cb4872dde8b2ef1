//! `sa audit`: findings as a table, JSON and metrics, and what could not be read.

use crate::sa::{ACCOUNTS, created, id_of, org};
use crate::support::{Scene, json, stderr, stdout};
use serde_json::{Value, json};
use tokenwell::emulator::DEFAULT_ORG_ID;

fn kinds(report: &Value, client_id: &str) -> Vec<String> {
    let account = report["accounts"].as_array().unwrap().iter().find(|account| account["client_id"] == client_id).unwrap();
    account["findings"].as_array().unwrap().iter().map(|finding| finding["kind"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn findings_are_a_table_json_and_ids_with_exit_code_12() {
    let scene = Scene::new();
    let soon = created(&scene, &org(), "soon", "ORG_MEMBER", 24);
    let fine = created(&scene, &org(), "fine", "ORG_MEMBER", 8760);
    for account in [&soon, &fine] {
        scene.tokenwell(["sa", "access", "add", id_of(account), "192.0.2.1"]).assert().success();
    }

    let table = stdout(&scene.tokenwell(["sa", "audit", "--org", DEFAULT_ORG_ID]).assert().code(12).stderr(""));
    let report = json(&scene.tokenwell(["sa", "audit", "--json"]).assert().code(12));

    assert!(
        table.lines().any(|line| line.starts_with(id_of(&soon)) && line.contains("secret_expiring") && line.contains("ends in 23 h")),
        "{table}"
    );
    assert!(!table.contains(id_of(&fine)), "{table}");
    assert_eq!((kinds(&report, id_of(&soon)), kinds(&report, id_of(&fine))), (vec!["secret_expiring".to_owned()], Vec::new()));
    assert_eq!((report["id"].as_str(), report["level"].as_str()), (Some(DEFAULT_ORG_ID), Some("organization")));
    let ids = stdout(&scene.tokenwell(["sa", "audit", "-q"]).assert().code(12));
    assert!(ids.contains(id_of(&soon)) && !ids.contains(id_of(&fine)), "{ids}");
    assert!(!report.to_string().contains(soon["secrets"][0]["secret"].as_str().unwrap()));
}

#[test]
fn l11_a_list_that_may_not_be_read_is_unknown_and_has_an_exit_code() {
    let scene = Scene::new();
    let account = created(&scene, &org(), "deploy", "ORG_MEMBER", 8760);
    let path = format!("{ACCOUNTS}/{}/accessList", id_of(&account));
    scene
        .emulator
        .set_faults(json!([{ "path": path, "status": 403, "body": { "error": 403, "errorCode": "USER_UNAUTHORIZED" } }]))
        .unwrap();

    let table = stdout(&scene.tokenwell(["sa", "audit"]).assert().code(4));
    let report = json(&scene.tokenwell(["sa", "audit", "--json", "--metrics", "a.prom"]).assert().code(4));

    assert!(table.contains("access_list_unknown") && table.contains("unknown (needs Organization Read Only (ORG_READ_ONLY))"), "{table}");
    let found = report["accounts"].as_array().unwrap().iter().find(|found| found["client_id"] == account["clientId"]).unwrap();
    assert!(found["access_list"].is_null() && kinds(&report, id_of(&account)).is_empty(), "{found}");
    let metrics = std::fs::read_to_string(scene.path("a.prom")).unwrap();
    assert!(
        !metrics.lines().any(|line| line.starts_with("tokenwell_sa_access_list_entries{") && line.contains(id_of(&account))),
        "{metrics}"
    );
}

#[test]
fn l12_the_metrics_are_for_a_textfile_directory() {
    let scene = Scene::new();
    let account = created(&scene, &org(), "deploy", "ORG_MEMBER", 24);

    scene.tokenwell(["sa", "audit", "--metrics", "sa.prom"]).assert().code(12);

    let metrics = std::fs::read_to_string(scene.path("sa.prom")).unwrap();
    let labels = format!("{{client_id=\"{}\",name=\"deploy\"", id_of(&account));
    assert!(metrics.contains(&format!("tokenwell_sa_secret_expiry_timestamp_seconds{labels},secret_id=")), "{metrics}");
    assert!(metrics.contains(&format!("tokenwell_sa_findings{labels},kind=\"open_access_list\"}} 1\n")), "{metrics}");
    assert!(metrics.contains("\ntokenwell_sa_audit_last_success_timestamp_seconds ") && !metrics.contains("mdb_sa_sk_"), "{metrics}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(scene.path("sa.prom")).unwrap().permissions().mode() & 0o777, 0o644);
    }
    // A failed run leaves the earlier file.
    scene.emulator.set_faults(json!([{ "path": ACCOUNTS, "status": 404 }])).unwrap();
    scene.tokenwell(["sa", "audit", "--metrics", "sa.prom"]).assert().code(5);
    assert_eq!(std::fs::read_to_string(scene.path("sa.prom")).unwrap(), metrics);
    let message = stderr(&scene.tokenwell(["sa", "audit", "--metrics", "sa.txt"]).assert().code(2));
    assert!(message.contains("does not end in .prom"), "{message}");
}

/// A time so many days ago, as the API writes it.
fn days_ago(days: u64) -> String {
    let then = std::time::SystemTime::now() - std::time::Duration::from_secs(days * 24 * 3600);
    humantime::format_rfc3339_seconds(then).to_string()
}

/// An account that was never used, with a secret that is valid for long.
fn never_used(id: &str, name: &str, created: &str) -> Value {
    let secret = json!({ "id": format!("{id}s"), "createdAt": created, "expiresAt": "2096-01-01T00:00:00Z", "maskedSecretValue": "****" });
    json!({ "clientId": id, "name": name, "description": "", "createdAt": created, "roles": ["ORG_MEMBER"], "secrets": [secret] })
}

/// What the API answers about the accounts, and about the access list of each.
fn answers(scene: &Scene, accounts: &[Value], list: &Value) {
    let page = |results: &Value| json!({ "results": results, "totalCount": results.as_array().unwrap().len() });
    let faults = json!([
        { "path": ACCOUNTS, "status": 200, "body": page(&json!(accounts)) },
        { "path": format!("{ACCOUNTS}/*"), "status": 200, "body": page(list) },
    ]);
    scene.emulator.set_faults(faults).unwrap();
}

#[test]
fn l12_an_account_that_was_never_used_is_reported_by_its_age() {
    let scene = Scene::new();
    let accounts = [never_used("mdb_sa_id_new", "new", &days_ago(2)), never_used("mdb_sa_id_old", "old", &days_ago(91))];
    answers(&scene, &accounts, &json!([{ "ipAddress": "192.0.2.1" }]));

    let report = json(&scene.tokenwell(["sa", "audit", "--org", DEFAULT_ORG_ID, "--json"]).assert().code(12));
    let table = stdout(&scene.tokenwell(["sa", "audit", "--org", DEFAULT_ORG_ID]).assert().code(12));

    assert_eq!(kinds(&report, "mdb_sa_id_new"), Vec::<String>::new());
    assert_eq!(kinds(&report, "mdb_sa_id_old"), ["secret_unused", "account_unused"]);
    assert!(table.contains("not used for 91 d") && !table.contains("mdb_sa_id_new"), "{table}");
    let ids = stdout(&scene.tokenwell(["sa", "audit", "--org", DEFAULT_ORG_ID, "-q"]).assert().code(12));
    assert_eq!(ids, "mdb_sa_id_old\n");
    scene.tokenwell(["sa", "audit", "--org", DEFAULT_ORG_ID, "--unused-for", "100d"]).assert().success();
}

#[test]
fn l11_both_names_of_a_field_are_read() {
    let scene = Scene::new();
    let list = json!([
        { "ipAddress": "192.0.2.1", "cidrBlock": "192.0.2.1/32", "created": "2026-01-01T00:00:00Z", "count": 5 },
        { "cidrBlock": "192.0.2.0/24", "createdAt": "2026-02-01T00:00:00Z", "requestCount": 7 },
    ]);
    answers(&scene, &[never_used("mdb_sa_id_new", "new", &days_ago(2))], &list);

    let report = json(&scene.tokenwell(["sa", "audit", "--org", DEFAULT_ORG_ID, "--json"]).assert().success());

    let found = &report["accounts"][0]["access_list"];
    let entry = |index: usize| (found[index]["requestCount"].as_u64(), found[index]["createdAt"].as_str());
    assert_eq!(entry(0), (Some(5), Some("2026-01-01T00:00:00Z")), "{found}");
    assert_eq!(entry(1), (Some(7), Some("2026-02-01T00:00:00Z")), "{found}");
}

#[test]
fn l12_labels_are_escaped_and_a_failed_run_keeps_the_metrics_and_their_time() {
    let scene = Scene::new();
    let run = || scene.tokenwell(["sa", "audit", "--org", DEFAULT_ORG_ID, "--metrics", "sa.prom"]).assert();
    answers(&scene, &[never_used("mdb_sa_id_new", "a\"b\\c\nd", &days_ago(2))], &json!([{ "ipAddress": "192.0.2.1" }]));

    run().success();

    let metrics = std::fs::read_to_string(scene.path("sa.prom")).unwrap();
    assert!(metrics.contains("{client_id=\"mdb_sa_id_new\",name=\"a\\\"b\\\\c\\nd\",secret_id="), "{metrics}");
    let samples = metrics.lines().filter(|line| !line.starts_with('#'));
    for sample in samples {
        let (_, value) = sample.rsplit_once(' ').unwrap();
        let name = sample.split(['{', ' ']).next().unwrap();
        assert!(value.parse::<u64>().is_ok() && name.starts_with("tokenwell_sa_"), "a sample has a name and one number: {sample}");
    }
    // No leftover that a collector could read, and nothing of a run that failed.
    for status in [403, 500] {
        scene.emulator.set_faults(json!([{ "path": ACCOUNTS, "status": status, "body": { "error": status } }])).unwrap();
        let assert = run();
        assert!(!assert.get_output().status.success(), "{status}");
        assert_eq!(std::fs::read_to_string(scene.path("sa.prom")).unwrap(), metrics);
    }
    let names = std::fs::read_dir(scene.path(".")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: Vec<_> = names.filter(|name| name.contains("prom")).collect();
    assert_eq!(left, ["sa.prom"]);
}
