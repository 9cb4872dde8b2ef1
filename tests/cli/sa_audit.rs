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
