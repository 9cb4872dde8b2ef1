//! The log of changes of `tokenwell sa`, and what a command says about an earlier one that was killed.

use crate::sa::{ACCOUNTS, created, id_of, org};
use crate::support::{Scene, command_path, json, stderr, stdout, until};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Stdio};
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_ORG_ID, DEFAULT_PROJECT_ID};

const STATE: &str = ".local/state/tokenwell";
const CREATE: [&str; 9] = ["sa", "create", "deploy", "--role", "ORG_MEMBER", "--to", "file:x", "--org", DEFAULT_ORG_ID];

fn lines(scene: &Scene) -> Vec<Value> {
    let text = std::fs::read_to_string(scene.path(STATE).join("changes.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn outcomes(scene: &Scene, operation: &str) -> Vec<String> {
    let of_operation = lines(scene).into_iter().filter(|line| line["operation"] == operation);
    of_operation.map(|line| line["outcome"].as_str().unwrap().to_owned()).collect()
}

fn accounts(scene: &Scene) -> Vec<Value> {
    let mut command = scene.tokenwell(["sa", "list", "--org", DEFAULT_ORG_ID, "--json"]);
    let list = json(&command.env("TOKENWELL_CHANGE_LOG", "off").assert().success());
    list.as_array().unwrap().iter().filter(|account| account["clientId"] != DEFAULT_CLIENT_ID).cloned().collect()
}

fn start(scene: &Scene, arguments: &[&str]) -> Child {
    let mut command = scene.plain(command_path());
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Runs the command with a fault of the emulator, and kills it when `moment` has come.
fn killed(scene: &Scene, arguments: &[&str], fault: Value, mut moment: impl FnMut() -> bool) {
    scene.emulator.set_faults(json!([fault])).unwrap();
    let mut child = start(scene, arguments);
    until("the moment", || moment().then_some(()));
    child.kill().unwrap();
    child.wait().unwrap();
    scene.emulator.set_faults(json!([])).unwrap();
}

/// A create that is killed after its request was processed: the reply takes minutes.
fn killed_before_the_reply(scene: &Scene, arguments: &[&str], path: &str) {
    let fault = json!({ "path": path, "method": "POST", "times": 1, "drip_ms": 60_000 });
    let before = posts(scene, path);
    killed(scene, arguments, fault, || posts(scene, path) > before);
}

/// A create that is killed after its request was lost, while it waits for the second read.
fn killed_without_a_request(scene: &Scene) {
    let fault = json!({ "path": ACCOUNTS, "method": "POST", "times": 1, "close": "before_reply" });
    let before = posts(scene, ACCOUNTS);
    killed(scene, &CREATE, fault, || posts(scene, ACCOUNTS) > before);
}

fn posts(scene: &Scene, path: &str) -> usize {
    scene.emulator.requests().requests.iter().filter(|request| request.method == "POST" && request.path == path).count()
}

/// What `sa list` says on standard error.
fn report(scene: &Scene) -> String {
    stderr(&scene.tokenwell(["sa", "list", "--org", DEFAULT_ORG_ID]).assert().success())
}

/// Runs a command that a message names in backticks. It is given `--yes`: there is no terminal.
fn run_named(scene: &Scene, message: &str, begins_with: &str) {
    let command = message.split('`').find(|part| part.starts_with(begins_with)).unwrap_or_else(|| panic!("{begins_with}: {message}"));
    let words = shlex::split(command).unwrap();
    let yes = if begins_with.contains("delete") { Some("--yes") } else { None };
    scene.tokenwell(words.iter().skip(1).map(String::as_str).chain(yes)).assert().success();
}

/// Makes the record of the killed command older: it is not too early to say that nothing was created.
fn age(scene: &Scene) {
    let entry = std::fs::read_dir(scene.path(STATE).join("creates")).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(&entry).unwrap();
    let mut record: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    record["time"] = json!("2026-01-02T03:04:05Z");
    std::fs::write(entry, format!("{record}\n")).unwrap();
}

#[test]
fn every_change_is_logged_before_and_after_it_and_only_this_user_can_read_the_log() {
    let scene = Scene::new();
    let run = |arguments: &[&str]| stdout(&scene.tokenwell([arguments, &["--org", DEFAULT_ORG_ID]].concat()).assert().success());
    let id =
        run(&["sa", "create", "deploy", "--role", "ORG_MEMBER", "--access", "192.0.2.1", "--to", "file:x", "-q"]).trim_end().to_owned();
    run(&["sa", "update", &id, "--name", "renamed", "--dry-run"]);
    run(&["sa", "update", &id, "--name", "renamed"]);
    run(&["sa", "secret", "add", &id, "--to", "file:y"]);
    let secret = json(&scene.tokenwell(["sa", "secret", "list", &id, "--json"]).assert().success())[0]["id"].as_str().unwrap().to_owned();
    run(&["sa", "secret", "delete", &id, &secret, "--yes"]);
    run(&["sa", "access", "delete", &id, "192.0.2.1", "--yes"]);
    scene.tokenwell(["sa", "invite", &id, "--project", DEFAULT_PROJECT_ID, "--role", "GROUP_OWNER"]).assert().success();
    run(&["sa", "delete", &id, "--yes"]);
    let before = lines(&scene);
    run(&["sa", "list"]);
    scene.tokenwell([&CREATE[..], &["--dry-run"]].concat()).assert().failure();
    scene.tokenwell(["sa", "create", "b", "--role", "ORG_MEMBER", "--show-secret", "--dry-run"]).assert().success();
    assert_eq!(lines(&scene), before, "a read and --dry-run are no changes");

    let mut changes = BTreeMap::<String, Vec<&Value>>::new();
    before.iter().for_each(|line| changes.entry(line["id"].as_str().unwrap().to_owned()).or_default().push(line));
    let operations: BTreeSet<_> = before.iter().map(|line| line["operation"].as_str().unwrap()).collect();
    let all =
        ["sa access add", "sa access delete", "sa create", "sa delete", "sa invite", "sa secret add", "sa secret delete", "sa update"];
    assert_eq!(operations, BTreeSet::from(all));
    for pair in changes.values() {
        assert!(pair.len() == 2 && pair[0]["outcome"] == "begun" && pair[1]["outcome"] == "done", "{pair:?}");
        let user = pair[0]["user"].as_str().is_some_and(|user| user.parse::<u32>().is_ok());
        assert!(pair[0]["by"] == DEFAULT_CLIENT_ID && user && pair[0]["pid"].is_u64(), "{pair:?}");
        assert!(pair[1]["client_id"] == *id && pair[1]["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{pair:?}");
    }
    let create = &before[0];
    assert_eq!(
        (create["method"].as_str(), create["path"].as_str(), create["name"].as_str()),
        (Some("POST"), Some(ACCOUNTS), Some("deploy"))
    );
    assert_eq!(create["org_id"], DEFAULT_ORG_ID);

    let file = scene.path(STATE).join("changes.jsonl");
    assert!(!std::fs::read_to_string(&file).unwrap().contains("mdb_sa_sk_"));
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(&scene.path(STATE))), (0o600, 0o700));
    assert_eq!(std::fs::read_dir(scene.path(STATE).join("creates")).unwrap().count(), 0, "nothing is open");
}

#[test]
fn a_refused_change_is_logged_with_its_reason() {
    let scene = Scene::new();
    scene
        .emulator
        .set_faults(json!([{ "path": ACCOUNTS, "method": "POST", "status": 403, "body": { "errorCode": "USER_UNAUTHORIZED" } }]))
        .unwrap();

    scene.tokenwell(CREATE).assert().failure();

    assert_eq!(outcomes(&scene, "sa create"), ["begun", "failed"]);
    assert!(lines(&scene)[1]["detail"].as_str().unwrap().contains("403"), "{:?}", lines(&scene));
    assert!(!report(&scene).contains("interrupted"));
}

#[test]
fn the_log_is_off_on_request_and_a_wrong_value_is_an_error() {
    let scene = Scene::new();

    scene.tokenwell(CREATE).env("TOKENWELL_CHANGE_LOG", "off").assert().success();
    assert!(!scene.path(STATE).exists());

    let requests = scene.emulator.counters().requests;
    let message = stderr(&scene.tokenwell(["sa", "list"]).env("TOKENWELL_CHANGE_LOG", "debug").assert().code(2));
    assert!(message.contains("TOKENWELL_CHANGE_LOG: `debug` is neither on nor off"), "{message}");
    assert_eq!(scene.emulator.counters().requests, requests);
}

#[test]
fn without_a_log_nothing_is_created_and_other_changes_go_on_with_a_warning() {
    let scene = Scene::new();
    let account = created(&scene, &org(), "other", "ORG_MEMBER", 24);
    let before = posts(&scene, ACCOUNTS);
    scene.write(".local", "not a directory");

    let message = stderr(&scene.tokenwell(CREATE).assert().code(10));
    assert!(message.contains("Nothing was created") && message.contains("TOKENWELL_CHANGE_LOG=off"), "{message}");
    let mut command = scene.tokenwell(["sa", "secret", "add", id_of(&account), "--to", "file:y"]);
    command.assert().code(10);
    assert!(posts(&scene, ACCOUNTS) == before && !scene.path("x").exists() && !scene.path("y").exists());

    let message = stderr(&scene.tokenwell(["sa", "update", id_of(&account), "--name", "b"]).assert().success());
    assert_eq!(message.matches("cannot write the log of changes").count(), 1, "{message}");
    scene.tokenwell(CREATE).env("TOKENWELL_CHANGE_LOG", "off").assert().success();
    // Without HOME there is no directory for it.
    let mut command = scene.tokenwell(["sa", "secret", "add", id_of(&account), "--to", "file:y"]);
    let message = stderr(&command.env_remove("HOME").assert().code(10));
    assert!(message.contains("neither XDG_STATE_HOME nor HOME"), "{message}");
}

#[test]
fn a_large_log_is_renamed_and_a_line_that_was_cut_off_spoils_no_other() {
    let scene = Scene::new();
    let account = created(&scene, &org(), "other", "ORG_MEMBER", 24);
    std::fs::create_dir_all(scene.path(STATE)).unwrap();
    let log = format!("{STATE}/changes.jsonl");
    scene.write(&log, &"x".repeat(1024 * 1024));

    scene.tokenwell(["sa", "update", id_of(&account), "--name", "b"]).assert().success();
    assert_eq!(outcomes(&scene, "sa update"), ["begun", "done"]);
    assert_eq!(std::fs::metadata(scene.path(STATE).join("changes.1.jsonl")).unwrap().len(), 1024 * 1024);

    scene.write(&log, "{\"time\":\"20");
    scene.tokenwell(["sa", "update", id_of(&account), "--name", "c"]).assert().success();
    let text = std::fs::read_to_string(scene.path(&log)).unwrap();
    assert!(text.lines().count() == 3 && text.starts_with("{\"time\":\"20\n{"), "{text}");
}

#[test]
fn l2_a_create_that_was_killed_before_the_reply_is_reported_until_it_is_completed() {
    let scene = Scene::new();
    killed_before_the_reply(&scene, &CREATE, ACCOUNTS);
    let all = until("the account", || Some(accounts(&scene)).filter(|all| !all.is_empty()));
    let id = id_of(&all[0]).to_owned();

    let message = report(&scene);
    assert_eq!(message.matches("an earlier `sa create` (name deploy, begun 20").count(), 1, "{message}");
    assert!(message.contains(&format!("account {id} was created, and its secret is not in file:")), "{message}");
    assert_eq!(report(&scene), message, "until it is completed");
    scene.tokenwell(["sa", "list", "--org", DEFAULT_ORG_ID, "--json"]).assert().success().stderr("");

    // A second account is not created, also with another target.
    let other = [&CREATE[..6], &["file:other", "--org", DEFAULT_ORG_ID]].concat();
    for again in [&CREATE[..], &other] {
        let message = stderr(&scene.tokenwell(again.iter().copied()).assert().code(15));
        let commands = [
            format!("`tokenwell sa secret add --org {DEFAULT_ORG_ID} {id} --to file:"),
            format!("`tokenwell sa delete --org {DEFAULT_ORG_ID} {id}`"),
        ];
        assert!(commands.iter().all(|command| message.contains(command)) && message.matches("interrupted").count() == 1, "{message}");
    }
    assert_eq!((posts(&scene, ACCOUNTS), accounts(&scene).len()), (1, 1));
    // One with another name is.
    scene.tokenwell(["sa", "create", "another", "--role", "ORG_MEMBER", "--to", "file:a", "--org", DEFAULT_ORG_ID]).assert().success();

    run_named(&scene, &message, "tokenwell sa secret add");
    let secret = std::fs::read_to_string(scene.path("x")).unwrap();
    let mut token = scene.tokenwell(["token", "--no-cache"]);
    token.env("MONGODB_ATLAS_CLIENT_ID", &id).env("MONGODB_ATLAS_CLIENT_SECRET", secret.trim_end()).assert().success();
    assert!(!report(&scene).contains("interrupted"));
    assert!(lines(&scene).iter().any(|line| line["outcome"] == "interrupted" && line["client_id"] == *id), "{:?}", lines(&scene));
    scene.tokenwell(other).assert().success();
}

#[test]
fn l2_a_create_that_was_killed_before_the_reply_can_be_undone() {
    let scene = Scene::new();
    killed_before_the_reply(&scene, &CREATE, ACCOUNTS);
    until("the account", || Some(accounts(&scene)).filter(|all| !all.is_empty()));

    run_named(&scene, &report(&scene), "tokenwell sa delete");

    assert!(accounts(&scene).is_empty() && !report(&scene).contains("interrupted"));
    scene.tokenwell(CREATE).assert().success();
}

#[test]
fn l2_a_create_whose_request_was_lost_before_it_was_killed_has_created_nothing() {
    let scene = Scene::new();
    killed_without_a_request(&scene);

    let message = report(&scene);
    assert!(message.contains("no account of it is visible yet"), "{message}");
    age(&scene);
    for unshown in ["--json", "-q"] {
        scene.tokenwell(["sa", "list", "--org", DEFAULT_ORG_ID, unshown]).assert().success().stderr("");
    }
    let message = report(&scene);
    assert!(message.contains("(name deploy, begun 2026-01-02T03:04:05Z) was interrupted: no account of it exists"), "{message}");

    assert!(!report(&scene).contains("interrupted"), "once");
    assert_eq!(outcomes(&scene, "sa create"), ["begun", "interrupted"]);
    scene.tokenwell(CREATE).assert().success();
    assert_eq!(accounts(&scene).len(), 1);
}

#[test]
fn l2_a_create_that_could_not_replace_its_lost_secret_is_reported_again() {
    let scene = Scene::new();
    let refused = json!({ "path": format!("{ACCOUNTS}/*"), "method": "POST", "status": 403, "body": { "errorCode": "USER_UNAUTHORIZED" } });
    let lost = json!({ "path": ACCOUNTS, "method": "POST", "times": 1, "close": "after_effect" });
    scene.emulator.set_faults(json!([lost, refused])).unwrap();

    let message = stderr(&scene.tokenwell(CREATE).assert().failure());
    scene.emulator.set_faults(json!([])).unwrap();

    let id = id_of(&accounts(&scene)[0]).to_owned();
    assert!(message.contains(&format!("the account {id} exists, and its secret could not be replaced")), "{message}");
    assert_eq!(outcomes(&scene, "sa create"), ["begun", "unresolved"]);
    let message = report(&scene);
    assert!(message.contains(&format!(") ended without a known result: account {id} was created, and it has no secret")), "{message}");
    run_named(&scene, &message, "tokenwell sa secret add");
    assert!(scene.path("x").exists() && !report(&scene).contains("an earlier"));
}

#[test]
fn l2_an_account_that_another_host_has_completed_is_closed() {
    let scene = Scene::new();
    killed_before_the_reply(&scene, &CREATE, ACCOUNTS);
    let all = until("the account", || Some(accounts(&scene)).filter(|all| !all.is_empty()));
    let mut command = scene.tokenwell(["sa", "secret", "add", id_of(&all[0]), "--to", "file:x", "--org", DEFAULT_ORG_ID]);
    command.env("TOKENWELL_CHANGE_LOG", "off").assert().success();

    let message = report(&scene);

    assert!(message.contains("its secret is stored; nothing is left to do"), "{message}");
    assert!(!report(&scene).contains("interrupted"));
}

#[test]
fn l2_accounts_of_others_with_the_same_name_are_not_those_of_the_killed_command() {
    let scene = Scene::new();
    let attributes = ["--role", "ORG_MEMBER", "--org", DEFAULT_ORG_ID, "--show-secret"];
    scene.tokenwell([&["sa", "create", "deploy"], &attributes[..]].concat()).assert().success();
    killed_without_a_request(&scene);
    // One that another host creates later, and one that this log knows.
    scene.emulator.advance_clock(20 * 60 * 1000);
    let mut command = scene.tokenwell([&["sa", "create", "deploy"], &attributes[..]].concat());
    command.env("TOKENWELL_CHANGE_LOG", "off").assert().success();
    age(&scene);

    let message = report(&scene);

    assert!(message.contains("no account of it exists"), "{message}");
    assert_eq!(accounts(&scene).len(), 2);
}

#[test]
fn l1_a_create_that_was_killed_before_its_access_list_names_what_is_missing() {
    let scene = Scene::new();
    let arguments = [&CREATE[..], &["--access", "192.0.2.0/24"]].concat();
    let fault = json!({ "path": format!("{ACCOUNTS}/*"), "method": "POST", "delay_ms": 60_000, "status": 500 });
    killed(&scene, &arguments, fault, || scene.path("x").exists());
    let id = id_of(&accounts(&scene)[0]).to_owned();

    let message = report(&scene);

    assert!(
        message.contains(&format!("account {id} was created and its secret is stored, but its access list has no 192.0.2.0/24")),
        "{message}"
    );
    scene.tokenwell([&CREATE[..6], &["file:other"]].concat()).assert().code(15);
    run_named(&scene, &message, "tokenwell sa access add");
    let message = report(&scene);
    assert!(message.contains("nothing is left to do"), "{message}");
    assert!(!report(&scene).contains("interrupted"));
}

#[test]
fn l2_a_secret_that_was_killed_before_the_reply_is_reported_and_replaced() {
    let scene = Scene::new();
    let account = created(&scene, &org(), "other", "ORG_MEMBER", 24);
    let id = id_of(&account);
    let add = ["sa", "secret", "add", id, "--to", "file:dir with space/x", "--org", DEFAULT_ORG_ID];
    std::fs::create_dir(scene.path("dir with space")).unwrap();
    killed_before_the_reply(&scene, &add, &format!("{ACCOUNTS}/{id}/secrets"));
    let secrets = || accounts(&scene)[0]["secrets"].as_array().unwrap().clone();
    let all = until("the secret", || Some(secrets()).filter(|all| all.len() == 2));
    let lost = all.iter().find(|secret| secret["id"] != account["secrets"][0]["id"]).unwrap()["id"].as_str().unwrap().to_owned();

    let message = report(&scene);

    assert!(message.contains(&format!("secret {lost} of {id} was created, and it is not in file:")), "{message}");
    run_named(&scene, &message, "tokenwell sa secret delete");
    assert!(!report(&scene).contains("interrupted"));
    run_named(&scene, &message, "tokenwell sa secret add");
    assert!(scene.path("dir with space/x").exists() && secrets().len() == 2 && secrets().iter().all(|secret| secret["id"] != *lost));
}

#[test]
fn a_create_in_progress_is_not_interrupted() {
    let scene = Scene::new();
    scene.emulator.set_faults(json!([{ "path": ACCOUNTS, "method": "POST", "times": 1, "delay_ms": 3000, "then_serve": true }])).unwrap();
    let mut child = start(&scene, &CREATE);
    let creates = scene.path(STATE).join("creates");
    until("the record", || {
        std::fs::read_dir(&creates).ok()?.flatten().find(|entry| entry.path().extension().is_some_and(|end| end == "json"))
    });

    assert!(!report(&scene).contains("interrupted"));

    assert!(child.wait().unwrap().success());
    assert_eq!(
        (outcomes(&scene, "sa create"), std::fs::read_dir(&creates).unwrap().count()),
        (vec!["begun".to_owned(), "done".to_owned()], 0)
    );
}
