//! Errors as JSON: one object on standard error, described by docs/error.schema.json, for every command
//! and every kind of error.

mod schema;

use crate::support::{Scene, command_path};
use assert_cmd::Command;
use serde_json::{Value, json};
use tokenwell::Status;
use tokenwell::error::ExitCode;

const SCHEMA: &str = include_str!("../../../docs/error.schema.json");

/// The commands that need a token or a cache, with what they require besides.
const WITH_ACCOUNT: [&[&str]; 15] = [
    &["token"],
    &["header"],
    &["env"],
    &["exec", "--", "true"],
    &["api", "orgs"],
    &["sa", "list"],
    &["sink", "--once", "t"],
    &["status"],
    &["whoami"],
    &["invalidate"],
    &["revoke"],
    &["bench", "--gets", "1"],
    &["token", "--force-refresh"],
    &["api", "orgs", "--paginate"],
    &["whoami", "--check"],
];

/// Every command, with arguments that are wrong.
const WRONG: [&[&str]; 34] = [
    &["token", "--nonsense"],
    &["header", "--nonsense"],
    &["env", "--shell", "nonsense"],
    &["exec"],
    &["exec", "--nonsense", "--", "true"],
    &["api"],
    &["api", "orgs", "--jq", "{"],
    &["sa"],
    &["sa", "list", "--org", "a/b"],
    &["sa", "show", "mdb_sa_sk_x"],
    &["sink"],
    &["sink", "--mode", "9", "t"],
    &["status", "more"],
    &["doctor", "--nonsense"],
    &["login", "--nonsense"],
    &["logout", "--force"],
    &["profile"],
    &["profile", "list", "more"],
    &["profile", "show", "a/b"],
    &["profile", "rename", "a"],
    &["whoami", "more"],
    &["invalidate", "more"],
    &["revoke", "--nonsense"],
    &["cache"],
    &["cache", "clear", "--older-than", "5"],
    &["bench", "--gets", "none"],
    &["emulator", "--port", "many"],
    &["emulator", "--token-lifetime", "0"],
    &["completions", "nonsense"],
    &["man", "nonsense"],
    &["help", "nonsense"],
    &["nonsense"],
    &["token", "--min-ttl", "5"],
    &[],
];

/// Puts `--json` where it is a flag of tokenwell and not of another program.
fn with_json<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let end = arguments.iter().position(|argument| *argument == "--").unwrap_or(arguments.len());
    [&arguments[..end], &["--json"], &arguments[end..]].concat()
}

/// Runs the command and returns the error object, which is all that it prints.
fn error(mut command: Command) -> Value {
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let shown = format!("{command:?}\n{out}\n{err}");
    assert_eq!(out, "", "{shown}");
    assert_eq!(err.lines().count(), 1, "{shown}");
    let object: Value = serde_json::from_str(&err).expect(&shown);
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    assert_eq!(schema::violation(&schema, &object, "$"), None, "{shown}");
    assert_eq!(object["error"]["exit_code"].as_i64(), output.status.code().map(i64::from), "{shown}");
    object["error"].clone()
}

#[test]
fn an_error_in_the_arguments_of_every_command_is_one_object() {
    let scene = Scene::new();

    for arguments in WRONG {
        let error = error(scene.tokenwell(with_json(arguments)));
        assert_eq!((&error["code"], &error["exit_code"]), (&json!("INVALID_ARGUMENT"), &json!(2)), "{arguments:?}: {error}");
    }
    assert_eq!(scene.emulator.counters().connections, 0);
}

/// Also for commands that the list above does not have.
#[test]
fn no_command_has_errors_of_another_form() {
    let scene = Scene::new();
    let help = String::from_utf8(scene.tokenwell(["--help"]).assert().success().get_output().stdout.clone()).unwrap();
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let is_name = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    let commands: Vec<_> = list.lines().take_while(|line| line.starts_with("  ")).filter(is_name).collect();
    let commands: Vec<_> = commands.into_iter().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() >= 20, "{help}");

    for command in commands {
        let error = error(scene.tokenwell([command, "--nonsense", "--json"]));
        assert_eq!(error["code"], "INVALID_ARGUMENT", "{command}: {error}");
    }
}

#[test]
fn json_is_requested_by_a_flag_before_the_command_and_by_a_format_too() {
    let scene = Scene::new();

    for arguments in [
        &["--json", "token", "--nonsense"][..],
        &["token", "--format", "json", "--nonsense"],
        &["token", "--format=json", "--min-ttl", "2h"],
        &["sink", "--once", "--format", "json", "none/t"],
        &["emulator", "--format", "json", "--nonsense"],
    ] {
        error(scene.tokenwell(arguments.iter().copied()));
    }
    // After `--` it belongs to the program.
    let text = scene.tokenwell(["exec", "--nonsense", "--", "true", "--json"]).assert().code(2).get_output().stderr.clone();
    assert!(text.starts_with(b"tokenwell: "));
}

#[test]
fn a_missing_credential_is_one_object_that_lists_the_sources() {
    let scene = Scene::new();

    for arguments in WITH_ACCOUNT {
        let mut command = scene.tokenwell(with_json(arguments));
        let error = error(without_account(&mut command));
        assert_eq!((&error["code"], &error["status"], &error["exit_code"]), (&json!("NOT_CONFIGURED"), &json!(2), &json!(3)), "{error}");
        assert!(error["checked_sources"].as_array().is_some_and(|sources| sources.len() >= 4), "{error}");
    }
}

fn without_account(command: &mut Command) -> Command {
    for name in ["MONGODB_ATLAS_CLIENT_ID", "MONGODB_ATLAS_CLIENT_SECRET"] {
        command.env_remove(name);
    }
    std::mem::replace(command, Command::new(command_path()))
}

#[test]
fn a_rejected_secret_is_one_object_with_the_code_of_the_server_and_the_pause() {
    let scene = Scene::new();
    let requests = |arguments: &[&str]| !matches!(arguments[0], "status" | "invalidate" | "revoke");

    for arguments in WITH_ACCOUNT.into_iter().filter(|arguments| requests(arguments)) {
        let mut command = scene.tokenwell(with_json(arguments));
        command.env("MONGODB_ATLAS_CLIENT_SECRET", "mdb_sa_sk_wrong");
        let error = error(command);
        assert_eq!((&error["code"], &error["exit_code"]), (&json!("CREDENTIAL_REJECTED"), &json!(4)), "{error}");
        assert_eq!((&error["oauth_error"], &error["http_status"]), (&json!("invalid_client"), &json!(401)), "{error}");
    }
    // All but the first one are remembered, and say when the next request is sent.
    let mut command = scene.tokenwell(["token", "--json"]);
    let again = error(std::mem::replace(command.env("MONGODB_ATLAS_CLIENT_SECRET", "mdb_sa_sk_wrong"), Command::new(command_path())));
    assert!(again["retry_after_seconds"].as_i64().is_some_and(|seconds| (1..=60).contains(&seconds)), "{again}");
}

#[test]
fn each_kind_of_error_has_its_code() {
    let scene = Scene::new();
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = scene.tokenwell(arguments.iter().copied());
        command.envs(variables.iter().copied());
        error(command)
    };

    for (arguments, variables, code) in [
        (&["token", "--json"][..], &[("MONGODB_ATLAS_BASE_URL", "http://127.0.0.1:1")][..], "NETWORK"),
        (&["token", "--json"], &[("MONGODB_ATLAS_BASE_URL", "http://192.0.2.1")], "REFUSED"),
        (&["exec", "--json", "--", "there-is-no-such-program"], &[], "NO_SUCH_COMMAND"),
        (&["sink", "--json", "--once", "none/file"], &[], "CANNOT_WRITE"),
        (&["profile", "use", "none", "--json"], &[], "NOT_CONFIGURED"),
        (&["logout", "--json", "--profile", "none"], &[], "NOT_CONFIGURED"),
        (&["login", "--json"], &[("MONGODB_ATLAS_CLIENT_ID", ""), ("MONGODB_ATLAS_CLIENT_SECRET", "")], "NOT_CONFIGURED"),
        (&["cache", "list", "--json"], &[("TOKENWELL_CACHE_DIR", "relative")], "INVALID_ARGUMENT"),
    ] {
        let error = run(arguments, variables);
        assert_eq!(error["code"], code, "{arguments:?}: {error}");
        assert!(error["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{arguments:?}: {error}");
    }
}

#[test]
fn a_deadline_is_one_object_that_says_what_the_command_does() {
    let scene = Scene::new();
    scene.emulator.set_faults(json!([{"path": "/api/oauth/token", "delay_ms": 60_000, "then_serve": true}])).unwrap();

    let error = error(scene.tokenwell(["token", "--json", "--timeout", "200ms"]));

    assert_eq!((&error["code"], &error["exit_code"]), (&json!("DEADLINE"), &json!(9)), "{error}");
    assert!(error["hint"].as_str().is_some_and(|hint| hint.contains("--timeout")), "{error}");
}

#[test]
fn an_error_of_the_api_is_one_object_after_the_response() {
    let scene = Scene::new();

    let output = scene.tokenwell(["api", "nothing/here", "--json", "-q"]).output().unwrap();

    assert_eq!(output.status.code(), Some(5));
    assert!(!output.stdout.is_empty(), "the response is printed for every status");
    let object: Value = serde_json::from_slice(&output.stderr).unwrap();
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    assert_eq!(schema::violation(&schema, &object, "$"), None, "{object}");
    assert_eq!((&object["error"]["code"], &object["error"]["http_status"]), (&json!("SERVER"), &json!(404)), "{object}");
}

#[test]
fn the_object_is_the_last_line_and_notes_precede_it() {
    let scene = Scene::new();
    scene.tokenwell(["token"]).assert().success();
    scene.emulator.set_faults(json!([{"path": "/api/oauth/revoke", "status": 503}])).unwrap();

    let run = |arguments: &[&str]| {
        String::from_utf8(scene.tokenwell(arguments.iter().copied()).assert().code(5).get_output().stderr.clone()).unwrap()
    };
    let (all, quiet) = (run(&["revoke", "--json"]), run(&["revoke", "--json", "-q"]));

    let last: Value = serde_json::from_str(all.lines().last().unwrap()).unwrap();
    assert!(all.lines().count() > 1 && last["error"]["code"] == "SERVER", "{all}");
    assert!(serde_json::from_str::<Value>(&quiet).is_ok(), "{quiet}");
}

#[test]
fn a_result_in_json_has_the_same_flag_in_every_command_that_has_one() {
    let scene = Scene::new();

    for arguments in [
        &["token", "--json"][..],
        &["status", "--json"],
        &["whoami", "--json"],
        &["doctor", "--json"],
        &["bench", "--gets", "1", "--json"],
        &["cache", "list", "--json"],
        &["profile", "list", "--json"],
        &["sink", "--once", "--json", "-"],
    ] {
        crate::support::json(&scene.tokenwell(arguments.iter().copied()).assert().success());
    }
    let token = crate::support::json(&scene.tokenwell(["token", "--json"]).assert().success());
    assert!(token["access_token"].is_string(), "{token}");
}

#[test]
fn the_schema_has_every_code_and_every_exit_code() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let properties = &schema["properties"]["error"]["properties"];
    let never = [Status::Ok, Status::Pending];

    let mut codes: Vec<_> = Status::all().filter(|status| !never.contains(status)).map(|status| json!(status.name())).collect();
    codes.extend(["TARGET_FAILED", "HALF_DONE", "EMULATOR_FAILED", "CANNOT_START", "NO_SUCH_COMMAND"].map(Value::from));
    assert_eq!(properties["code"]["enum"], Value::from(codes));
    let mut exit_codes: Vec<_> = Status::all().filter(|status| !never.contains(status)).map(|status| status.exit_code().number()).collect();
    exit_codes.extend([ExitCode::HalfDone, ExitCode::EmulatorFailed, ExitCode::CannotStart, ExitCode::NoSuchCommand].map(ExitCode::number));
    exit_codes.sort_unstable();
    exit_codes.dedup();
    assert_eq!(properties["exit_code"]["enum"], json!(exit_codes));
}
