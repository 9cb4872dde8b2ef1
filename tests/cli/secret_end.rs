//! When the secret of the account in use ends: `doctor` asks the API, `status` shows what was learned.

use crate::doctor::check;
use crate::sa::ACCOUNTS;
use crate::support::{Scene, json, stdout};
use assert_cmd::Command;
use serde_json::{Value, json as value};
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_ORG_ID, DEFAULT_PROJECT_ID};

/// A command without the account of the environment.
fn bare<'a>(scene: &Scene, arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = scene.tokenwell(arguments);
    command.env_remove("MONGODB_ATLAS_CLIENT_ID").env_remove("MONGODB_ATLAS_CLIENT_SECRET");
    command
}

fn doctor(scene: &Scene, arguments: &[&str]) -> Value {
    json(&bare(scene, ["doctor", "--json"].into_iter().chain(arguments.iter().copied())).assert().success())
}

fn status(scene: &Scene, arguments: &[&str]) -> Value {
    json(&bare(scene, ["status", "--json"].into_iter().chain(arguments.iter().copied())).assert().success())
}

/// Creates an account whose secret is in the profile `name`, and returns its client id.
fn account(scene: &Scene, name: &str, level: [&str; 2], role: &str, expires: &str) -> String {
    let to = format!("profile:{name}");
    let create = ["sa", "create", name, "--role", role, "--expires", expires, "--to", &to, "-q", level[0], level[1]];
    stdout(&scene.tokenwell(create).assert().success()).trim_end().to_owned()
}

const ORG: [&str; 2] = ["--org", DEFAULT_ORG_ID];

/// The answer of the API about the default account.
fn answer(scene: &Scene, secrets: &Value) {
    let body = value!({ "clientId": DEFAULT_CLIENT_ID, "name": "a", "roles": ["ORG_OWNER"], "secrets": secrets });
    let fault = value!([{ "path": format!("{ACCOUNTS}/{DEFAULT_CLIENT_ID}"), "status": 200, "body": body }]);
    scene.emulator.set_faults(fault).unwrap();
}

fn masked() -> String {
    format!("mdb_sa_sk_****{}", &DEFAULT_CLIENT_SECRET[DEFAULT_CLIENT_SECRET.len() - 4..])
}

#[test]
fn l11_status_knows_nothing_until_doctor_has_asked_and_sends_no_request() {
    let scene = Scene::new();

    let before = json(&scene.tokenwell(["status", "--json"]).assert().success());
    let page = stdout(&scene.tokenwell(["status"]).assert().success());
    assert!(before["secret_expires_at"].is_null() && before["secret_expires_in_seconds"].is_null(), "{before}");
    assert!(page.contains("its end is not known; `tokenwell doctor` asks the API"), "{page}");

    let report = json(&scene.tokenwell(["doctor", "--json"]).assert().success());
    let requests = scene.emulator.counters().connections;
    let after = json(&scene.tokenwell(["status", "--json"]).assert().success());

    assert_eq!(check(&report, "secret")["level"], "ok");
    assert!(report["secret_expires_at"].is_string() && report["secret_expires_in_seconds"].as_u64() > Some(30 * 24 * 3600), "{report}");
    assert_eq!(after["secret_expires_at"], report["secret_expires_at"]);
    assert!(after["secret_expires_in_seconds"].as_u64() <= report["secret_expires_in_seconds"].as_u64(), "{after}");
    assert_eq!(scene.emulator.counters().connections, requests);
    assert!(!stdout(&scene.tokenwell(["status"]).assert().success()).contains("warning"));
}

#[test]
fn l12_a_secret_that_ends_soon_is_a_warning_with_the_command_and_the_next_one_is_not() {
    let scene = Scene::new();
    let id = account(&scene, "soon", ORG, "ORG_READ_ONLY", "24h");
    let command = format!("`tokenwell sa secret add --org {DEFAULT_ORG_ID} {id} --to profile:soon`");

    let report = doctor(&scene, &["--profile", "soon"]);
    let page = stdout(&bare(&scene, ["status", "--profile", "soon"]).assert().success());

    let secret = check(&report, "secret");
    assert_eq!((&secret["level"], &secret["finding"]), (&value!("warn"), &value!("secret_expiring")), "{report}");
    assert!(secret["found"].as_str().unwrap().starts_with("ends in 23 h ("), "{secret}");
    assert!(secret["advice"].as_str().unwrap().contains(&command), "{secret}");
    assert!(page.contains("secret              ends in 23 h (") && page.contains("as of 20") && page.contains(&command), "{page}");

    scene.tokenwell(["sa", "secret", "add", &id, "--expires", "300d", "--to", "profile:soon", ORG[0], ORG[1]]).assert().success();
    assert!(status(&scene, &["--profile", "soon"])["secret_expires_at"].is_null(), "the new secret has the warning of the old one");
    let report = doctor(&scene, &["--profile", "soon"]);
    assert_eq!(check(&report, "secret")["level"], "ok", "{report}");
    assert!(status(&scene, &["--profile", "soon"])["secret_expires_in_seconds"].as_u64() > Some(290 * 24 * 3600));
}

#[test]
fn l11_an_end_that_may_not_be_read_is_unknown_and_another_account_can_read_it() {
    let scene = Scene::new();
    let profile = "[owner]\nclient_id = 'ID'\nclient_secret = 'SECRET'\nbase_url = 'URL'\n";
    let profile = profile.replace("ID", DEFAULT_CLIENT_ID).replace("SECRET", DEFAULT_CLIENT_SECRET);
    scene.write_profile(&profile.replace("URL", scene.emulator.base_url()));
    let id = account(&scene, "member", ORG, "ORG_MEMBER", "24h");

    let report = doctor(&scene, &["--profile", "member"]);
    let secret = check(&report, "secret");
    assert_eq!((&secret["level"], &report["exit_code"]), (&value!("skip"), &value!(0)), "{report}");
    let found = secret["found"].as_str().unwrap();
    assert!(found.contains("needs Organization Read Only (ORG_READ_ONLY); use --as PROFILE"), "{found}");
    assert!(report["secret_expires_at"].is_null() && status(&scene, &["--profile", "member"])["secret_expires_at"].is_null(), "{report}");

    let report = doctor(&scene, &["--profile", "member", "--as", "owner"]);
    assert!(check(&report, "secret")["advice"].as_str().unwrap().contains(&id), "{report}");
    assert!(status(&scene, &["--profile", "member"])["secret_expires_in_seconds"].as_u64() > Some(22 * 3600));
    // A later answer that is refused does not change what is known.
    doctor(&scene, &["--profile", "member"]);
    assert!(status(&scene, &["--profile", "member"])["secret_expires_at"].is_string());
}

#[test]
fn the_account_of_a_project_reads_itself_there() {
    let scene = Scene::new();
    let id = account(&scene, "project", ["--project", DEFAULT_PROJECT_ID], "GROUP_READ_ONLY", "24h");
    let mut command = bare(&scene, ["doctor", "--json", "--profile", "project"]);

    let report = json(&command.env("MONGODB_ATLAS_PROJECT_ID", DEFAULT_PROJECT_ID).assert());

    let command = format!("`tokenwell sa secret add --project {DEFAULT_PROJECT_ID} {id} --to profile:project`");
    assert!(check(&report, "secret")["advice"].as_str().unwrap_or_default().contains(&command), "{report}");
}

#[test]
fn a_secret_that_has_ended_and_two_that_look_alike_are_said() {
    let scene = Scene::new();
    let secret = |id: &str, end: &str| value!({ "id": id, "maskedSecretValue": masked(), "expiresAt": end });

    answer(&scene, &value!([secret("a", "2026-01-01T00:00:00Z")]));
    let report = json(&scene.tokenwell(["doctor", "--json"]).assert().success());
    assert_eq!(check(&report, "secret")["finding"], "secret_expired", "{report}");
    assert_eq!((&report["secret_expires_at"], &report["secret_expires_in_seconds"]), (&value!("2026-01-01T00:00:00Z"), &value!(0)));

    answer(&scene, &value!([secret("b", "2096-02-01T00:00:00Z"), secret("a", "2096-01-01T00:00:00Z")]));
    let report = json(&scene.tokenwell(["doctor", "--json"]).assert().success());
    let found = check(&report, "secret")["found"].as_str().unwrap().to_owned();
    assert!(found.contains("2096-01-01") && found.contains("two secrets that may be the one in use"), "{found}");
}

#[test]
fn what_is_remembered_is_private_has_no_secret_and_is_not_written_without_the_cache() {
    let scene = Scene::new();
    let directory = scene.path(".local/state/tokenwell/secret-ends");

    scene.tokenwell(["doctor", "--no-cache"]).assert().success();
    assert!(!directory.exists());
    scene.tokenwell(["sa", "show"]).assert().success();

    let files: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let content = std::fs::read_to_string(&files[0]).unwrap();
    assert!(!content.contains(DEFAULT_CLIENT_SECRET) && content.contains("expires_at"), "{content}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&files[0]).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
    }
    assert!(json(&scene.tokenwell(["status", "--json"]).assert().success())["secret_expires_at"].is_string());
    std::fs::write(&files[0], "{").unwrap();
    assert!(json(&scene.tokenwell(["status", "--json"]).assert().success())["secret_expires_at"].is_null());
}
