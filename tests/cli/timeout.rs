//! `--timeout`: a flag of every command with an account, with the limits of the setting `timeout_ms`.

use crate::support::{Scene, stderr, stdout};
use std::time::{Duration, Instant};
use tokenwell::emulator::DEFAULT_CLIENT_ID;

const COMMANDS: [&[&str]; 13] = [
    &["token"],
    &["header"],
    &["env"],
    &["exec", "--", "true"],
    &["api", "orgs"],
    &["sink", "--once", "t"],
    &["status"],
    &["doctor"],
    &["whoami"],
    &["invalidate"],
    &["revoke"],
    &["bench", "--gets", "1"],
    &["login", "--client-id", DEFAULT_CLIENT_ID],
];

/// Puts flags where they are flags of tokenwell and not of another program.
fn with<'a>(arguments: &[&'a str], flags: &[&'a str]) -> Vec<&'a str> {
    [&arguments[..1], flags, &arguments[1..]].concat()
}

#[test]
fn every_command_with_an_account_has_a_timeout_with_the_limits_of_the_setting() {
    let scene = Scene::new();

    for arguments in COMMANDS {
        for (value, problem) in [("0s", "too short"), ("20m", "too long"), ("10m1s", "too long"), ("500us", "too short")] {
            let message = stderr(&scene.tokenwell(with(arguments, &["--timeout", value])).assert().code(2).stdout(""));
            let expected = format!("--timeout: `{value}` is {problem}: a timeout is from 1 ms to 10 min");
            assert!(message.contains(&expected), "{arguments:?}: {message}");
        }
        scene.tokenwell(with(arguments, &["--timeout", "10m"])).assert().success();
    }
}

#[test]
fn the_timeout_limits_the_wait_of_commands_that_send_requests() {
    let scene = Scene::new();
    scene.emulator.set_faults(serde_json::json!([{"path": "/api/oauth/token", "delay_ms": 60_000, "then_serve": true}])).unwrap();

    for arguments in [&["api", "orgs"][..], &["sink", "--once", "t"], &["whoami"], &["bench", "--gets", "1"]] {
        let started = Instant::now();
        let message = stderr(&scene.tokenwell(with(arguments, &["--timeout", "300ms", "--no-cache"])).assert().failure().stdout(""));
        assert!(started.elapsed() < Duration::from_secs(20), "{arguments:?}: {message}");
        assert!(message.contains("--timeout") && !message.contains("timeout_ms"), "{arguments:?}: {message}");
    }
}

#[test]
fn a_timeout_that_is_longer_than_the_setting_is_not_cut_to_it() {
    let scene = Scene::new();
    scene.emulator.set_faults(serde_json::json!([{"path": "/api/oauth/token", "delay_ms": 1500, "then_serve": true}])).unwrap();

    let mut command = scene.tokenwell(["token", "--timeout", "60s"]);
    let token = stdout(&command.env("TOKENWELL_TIMEOUT_MS", "500").assert().success());

    assert!(crate::support::is_token(token.trim_end()));
}

#[test]
fn the_message_names_the_timeout_as_the_user_wrote_it() {
    let scene = Scene::new();
    scene.emulator.set_faults(serde_json::json!([{"path": "/api/oauth/token", "delay_ms": 60_000, "then_serve": true}])).unwrap();
    let url = scene.emulator.base_url().to_owned();
    scene.write_profile(&format!(
        "[slow]\nclient_id = '{DEFAULT_CLIENT_ID}'\nclient_secret = '{}'\nbase_url = '{url}'\ntimeout_ms = 300\n",
        tokenwell::emulator::DEFAULT_CLIENT_SECRET
    ));

    // The request and its caller have the same limit, so either may report it.
    let by_variable = stderr(&scene.tokenwell(["whoami"]).env("TOKENWELL_TIMEOUT_MS", "300").assert().failure());
    assert!(by_variable.contains("TOKENWELL_TIMEOUT_MS") && !by_variable.contains("timeout_ms"), "{by_variable}");
    assert!(!by_variable.contains("--timeout"), "{by_variable}");
    let by_flag = stderr(&scene.tokenwell(["whoami", "--timeout", "300ms"]).assert().failure());
    assert!(by_flag.contains("--timeout") && !by_flag.to_lowercase().contains("timeout_ms"), "{by_flag}");
    let mut command = scene.tokenwell(["whoami", "--profile", "slow"]);
    let by_profile = stderr(&command.env_remove("MONGODB_ATLAS_CLIENT_ID").env_remove("MONGODB_ATLAS_CLIENT_SECRET").assert().failure());
    assert!(by_profile.contains("timeout_ms in profile slow in "), "{by_profile}");
}

#[test]
fn a_min_ttl_that_no_token_has_is_named_by_its_flag() {
    let scene = Scene::new();

    for arguments in [&["token", "--min-ttl", "2h"][..], &["header", "--min-ttl", "2h"], &["exec", "--min-ttl", "2h", "--", "true"]] {
        let message = stderr(&scene.tokenwell(arguments.iter().copied()).assert().code(2).stdout(""));
        assert!(message.starts_with("tokenwell: --min-ttl: 2 h was requested"), "{message}");
    }
}
