//! `login` and `logout` with the secret from standard input. `prompt` tests the terminal.

#[cfg(target_os = "linux")]
use crate::support::command_path;
use crate::support::{Scene, is_token, json, stderr, stdout, text};
use assert_cmd::Command;
use std::path::PathBuf;
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET};

/// The command without an account in the environment, but with the server.
fn without_account<'a>(scene: &Scene, arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = scene.tokenwell(arguments);
    command.env_remove("MONGODB_ATLAS_CLIENT_ID").env_remove("MONGODB_ATLAS_CLIENT_SECRET");
    command
}

fn login(scene: &Scene, arguments: &[&str]) -> Command {
    let all = ["login", "--client-id", DEFAULT_CLIENT_ID, "--client-secret-stdin"].into_iter().chain(arguments.iter().copied());
    let mut command = without_account(scene, all);
    command.write_stdin(format!("{DEFAULT_CLIENT_SECRET}\n"));
    command
}

/// The only file with a secret.
fn secret_file(scene: &Scene) -> PathBuf {
    let mut files = std::fs::read_dir(scene.path("config/tokenwell/secrets")).unwrap();
    let (file, another) = (files.next().unwrap().unwrap().path(), files.next());
    assert!(another.is_none() && text(&file).contains("default~"), "{file:?} {another:?}");
    file
}

fn profiles(scene: &Scene) -> Option<String> {
    std::fs::read_to_string(scene.path("config/tokenwell/config.toml")).ok()
}

#[test]
fn after_a_login_tokens_need_no_environment() {
    let scene = Scene::new();

    let assert = login(&scene, &[]).assert().success().stdout("");
    let token = without_account(&scene, ["token"]).env_remove("MONGODB_ATLAS_BASE_URL").assert().success();

    let added = format!("added profile default for {} ", scene.emulator.base_url());
    assert!(stderr(&assert).contains(&added), "{}", stderr(&assert));
    assert!(is_token(stdout(&token).trim_end()));
    assert_eq!(scene.emulator.counters().token_requests, 1, "the token that verified the pair is shared");
}

#[test]
fn a_profile_is_used_by_its_name_and_status_tells_of_it() {
    let scene = Scene::new();
    login(&scene, &["--profile", "staging"]).assert().success();

    without_account(&scene, ["token"]).assert().code(3);
    let answer = json(&without_account(&scene, ["status", "--json", "--profile", "staging"]).assert().success());

    assert_eq!(answer["client_id"], DEFAULT_CLIENT_ID);
    assert!(answer["sources"]["client_id"].as_str().unwrap().contains("profile staging"), "{answer}");
}

#[cfg(unix)]
#[test]
fn i10_the_secret_is_in_a_private_file_and_not_among_the_profiles() {
    use std::os::unix::fs::PermissionsExt;

    let scene = Scene::new();

    login(&scene, &[]).assert().success();

    let secret = secret_file(&scene);
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), DEFAULT_CLIENT_SECRET);
    assert_eq!(secret.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let profiles = profiles(&scene).unwrap();
    assert!(profiles.contains(DEFAULT_CLIENT_ID) && !profiles.contains(DEFAULT_CLIENT_SECRET), "{profiles}");
}

#[test]
fn a_pair_that_the_server_rejects_is_not_kept() {
    let scene = Scene::new();

    let mut command = login(&scene, &[]);
    let message = stderr(&command.write_stdin("canary-wrong").assert().code(4).stdout(""));

    assert!(message.contains("invalid_client") && !message.contains("canary"), "{message}");
    assert_eq!(profiles(&scene), None);
}

#[test]
fn a_pair_that_the_server_rejects_by_now_is_not_verified_by_a_token_that_is_kept() {
    let scene = Scene::new();
    scene.tokenwell(["token"]).assert().success();
    let body = serde_json::json!({"error": "invalid_client"});
    scene.emulator.set_faults(serde_json::json!([{"path": "/api/oauth/token", "status": 401, "body": body}])).unwrap();

    let message = stderr(&login(&scene, &[]).assert().code(4).stdout(""));

    assert!(!message.contains("verified"), "{message}");
    assert_eq!(profiles(&scene), None);
}

#[test]
fn the_file_that_a_variable_names_is_made() {
    let scene = Scene::new();
    let file = scene.path("config/new/profiles.toml");
    let with_file = |mut command: Command| {
        command.env("TOKENWELL_CONFIG_FILE", &file);
        command
    };

    with_file(login(&scene, &[])).assert().success();

    assert!(std::fs::read_to_string(&file).unwrap().contains(DEFAULT_CLIENT_ID));
    with_file(without_account(&scene, ["token"])).assert().success();
    assert_eq!(profiles(&scene), None);
}

#[test]
fn another_profile_does_not_decide_how_a_pair_is_verified() {
    let scene = Scene::new();
    scene.write_profile("[default]\nca_file = '/no/such/ca.pem'\nbase_url = 'http://127.0.0.1:1'\n");

    let mut command = login(&scene, &["--profile", "staging", "--base-url", scene.emulator.base_url()]);

    command.env_remove("MONGODB_ATLAS_BASE_URL").assert().success();
    assert!(profiles(&scene).unwrap().contains("[staging]"));
}

#[test]
fn without_verification_nothing_is_sent() {
    let scene = Scene::new();

    login(&scene, &["--no-verify"]).write_stdin("not-checked").assert().success();

    assert!(profiles(&scene).unwrap().contains(DEFAULT_CLIENT_ID));
    assert_eq!(scene.emulator.counters().connections, 0);
}

#[test]
fn the_server_that_verified_the_pair_is_the_one_in_the_profile() {
    let scene = Scene::new();
    let token_url = format!("{}/generic/oauth/token", scene.emulator.base_url());
    let mut command = login(&scene, &["--token-url", &token_url, "--auth-method", "client_secret_post", "--scope", "read"]);

    command.env_remove("MONGODB_ATLAS_BASE_URL").assert().success();
    let status = without_account(&scene, ["status", "--json"]).env_remove("MONGODB_ATLAS_BASE_URL").assert().success();

    let answer = json(&status);
    assert_eq!(answer["token_endpoint"], token_url);
    assert_eq!((answer["auth_method"].as_str(), answer["scope"].as_str()), (Some("client_secret_post"), Some("read")));
}

#[test]
fn login_warns_about_variables_that_override_the_profile() {
    let scene = Scene::new();
    let mut command = scene.tokenwell(["login", "--client-id", DEFAULT_CLIENT_ID, "--client-secret-stdin"]);

    let message = stderr(&command.write_stdin(DEFAULT_CLIENT_SECRET).assert().success());

    let expected =
        "MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET are set and override profile default; unset them to use the profile";
    assert!(message.contains(expected), "{message}");
}

#[test]
fn the_warning_about_a_single_variable_is_in_the_singular() {
    let scene = Scene::new();
    let mut command = login(&scene, &["--no-verify"]);

    let message = stderr(&command.env("MCLI_CLIENT_ID", "half").assert().success());

    assert!(message.contains("MCLI_CLIENT_ID is set and overrides profile default; unset it to use the profile"), "{message}");
}

#[test]
fn a_second_login_replaces_the_first() {
    let scene = Scene::new();
    login(&scene, &["--no-verify"]).write_stdin("old").assert().success();

    let message = stderr(&login(&scene, &[]).assert().success());

    assert!(message.contains("replaced profile default"), "{message}");
    assert!(is_token(stdout(&without_account(&scene, ["token"]).assert().success()).trim_end()));
}

#[test]
fn i27_an_unknown_profile_is_an_error_and_nothing_is_sent() {
    let scene = Scene::new();

    for command in ["token", "status", "doctor"] {
        without_account(&scene, [command, "--profile", "nobody"]).assert().code(3);
    }
    without_account(&scene, ["logout", "--profile", "nobody"]).assert().code(3).stdout("");

    assert_eq!(scene.emulator.counters().connections, 0);
}

#[test]
fn the_error_for_a_missing_profile_names_the_file_its_profiles_and_the_login_command() {
    let scene = Scene::new();
    login(&scene, &["--profile", "production", "--no-verify"]).assert().success();

    let message = stderr(&without_account(&scene, ["token", "--profile", "prod"]).assert().code(3).stdout(""));

    assert!(message.contains("there is no profile prod (set by --profile)"), "{message}");
    assert!(message.contains(text(&scene.path("config/tokenwell/config.toml"))), "{message}");
    assert!(message.contains("config.toml has only production"), "{message}");
    assert!(message.contains("`tokenwell login --profile prod`"), "{message}");
}

#[test]
fn an_invalid_profile_name_is_an_invalid_argument() {
    let scene = Scene::new();

    login(&scene, &["--no-verify", "--profile", "../evil"]).assert().code(2).stdout("");
    assert_eq!(profiles(&scene), None);
}

#[test]
fn without_a_terminal_the_missing_part_is_named() {
    let scene = Scene::new();

    let id = stderr(&without_account(&scene, ["login", "--client-secret-stdin"]).write_stdin("secret").assert().code(3).stdout(""));

    assert!(id.contains("--client-id"), "{id}");
}

#[test]
fn an_empty_standard_input_is_reported_for_a_secret_from_it() {
    let scene = Scene::new();

    for nothing in ["", "\n", "\r\n"] {
        let message = stderr(&login(&scene, &[]).write_stdin(nothing).assert().code(3).stdout(""));

        assert!(message.contains("cannot read the client secret: standard input is empty"), "{message}");
        assert!(message.contains("tokenwell login --client-id ID --client-secret-stdin <"), "{message}");
    }
    assert_eq!(scene.emulator.counters().connections, 0);
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_terminal_the_hint_shows_how_to_redirect_the_secret() {
    let scene = Scene::new();
    let mut command = scene.plain("setsid");
    command.args(["--wait", command_path(), "login", "--client-id", DEFAULT_CLIENT_ID]).stdin(std::process::Stdio::null());
    command.env_remove("MONGODB_ATLAS_CLIENT_ID").env_remove("MONGODB_ATLAS_CLIENT_SECRET");

    let output = command.output().expect("setsid is missing: install it (util-linux), this test needs a session without a terminal");

    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(message.contains("no terminal for a prompt") && message.contains("--client-secret-stdin"), "{message}");
}

#[test]
fn a_logout_without_a_profile_is_an_error() {
    let scene = Scene::new();
    let file = scene.path("config/tokenwell/config.toml");

    let no_file = stderr(&scene.tokenwell(["logout"]).assert().code(3).stdout(""));
    scene.write_profile("# nothing\n");
    let no_profile = stderr(&scene.tokenwell(["logout"]).assert().code(3).stdout(""));

    for (message, found) in [(no_file, "no such file"), (no_profile, "the file has no profile")] {
        assert!(message.contains(&format!("there is no profile default in {}: {found}", text(&file))), "{message}");
        assert!(message.contains("This file has no profile to remove") && message.contains("MONGODB_ATLAS_CLIENT_ID"), "{message}");
    }
}

#[test]
fn logout_removes_profile_secret_and_cached_token() {
    let scene = Scene::new();
    login(&scene, &[]).assert().success();
    let secret = secret_file(&scene);

    let message = stderr(&without_account(&scene, ["logout"]).assert().success().stdout(""));

    assert!(message.contains("removed profile default"), "{message}");
    assert!(!secret.exists());
    without_account(&scene, ["token"]).assert().code(3);
    let status = json(&scene.tokenwell(["status", "--json"]).assert().success());
    assert!(status["token"].is_null(), "{status}");
    assert_eq!(scene.emulator.counters().live_tokens, 1, "the token lives on at the server");
}

#[test]
fn logout_can_end_the_token_at_the_server() {
    let scene = Scene::new();
    login(&scene, &[]).assert().success();

    let message = stderr(&without_account(&scene, ["logout", "--revoke"]).assert().success());

    assert!(message.contains("revoked the cached token of profile default"), "{message}");
    assert_eq!(scene.emulator.counters().live_tokens, 0);
}

#[test]
fn s3_a_logout_whose_revocation_fails_removes_nothing() {
    let scene = Scene::new();
    login(&scene, &[]).assert().success();
    let secret = secret_file(&scene);
    let token = stdout(&without_account(&scene, ["token"]).assert().success());
    let fault = serde_json::json!({"path": "/api/oauth/revoke", "times": 2, "status": 503, "body": {"error": "server_error"}});
    scene.emulator.set_faults(serde_json::json!([fault])).unwrap();

    for _ in 0..2 {
        let message = stderr(&without_account(&scene, ["logout", "--revoke"]).assert().code(5));
        assert!(message.contains("The profile was kept") && message.contains("until it expires (20"), "{message}");
    }

    assert!(secret.exists());
    assert_eq!(stdout(&without_account(&scene, ["token"]).assert().success()), token);
    without_account(&scene, ["logout", "--revoke"]).assert().success();
    assert!(!secret.exists());
    assert_eq!(scene.emulator.counters().live_tokens, 0);
}

#[test]
fn i14_a_login_after_a_logout_does_not_give_its_secret_to_programs_that_know_the_old_server() {
    let scene = Scene::new();
    login(&scene, &[]).assert().success();
    let old = secret_file(&scene);
    let content = std::fs::read(&old).unwrap();
    without_account(&scene, ["logout"]).assert().success();
    // The state after an interrupted logout.
    std::fs::write(&old, content).unwrap();

    // A client id of the emulator would be refused for Atlas.
    let id = "mdb_sa_id_0123456789abcdef01234567";
    let arguments = ["login", "--client-id", id, "--client-secret-stdin", "--no-verify", "--base-url", "https://cloud.mongodbgov.com"];
    let mut elsewhere = without_account(&scene, arguments);
    elsewhere.write_stdin("another-secret").assert().success();

    let new = secret_file(&scene);
    assert_ne!(new, old);
    assert_eq!(std::fs::read_to_string(new).unwrap(), "another-secret");
    assert!(!old.exists(), "a program that uses the old profile finds no secret in {}", old.display());
}

#[test]
fn logout_revokes_the_token_of_the_profile_and_not_that_of_the_environment() {
    let scene = Scene::new();
    login(&scene, &["--no-verify"]).write_stdin("another-secret").assert().success();
    let token = stdout(&scene.tokenwell(["token"]).assert().success());

    scene.tokenwell(["logout"]).assert().success();

    assert_eq!(stdout(&scene.tokenwell(["token"]).assert().success()), token);
}

#[test]
fn logout_does_not_touch_the_token_of_another_programs_profile() {
    let scene = Scene::new();
    let theirs = format!("[default]\nclient_id = '{DEFAULT_CLIENT_ID}'\nclient_secret = '{DEFAULT_CLIENT_SECRET}'\n");
    let folder = if cfg!(target_os = "macos") { "Library/Application Support/atlascli" } else { "config/atlascli" };
    std::fs::create_dir_all(scene.path(folder)).unwrap();
    scene.private(&format!("{folder}/config.toml"), &theirs);
    let token = stdout(&without_account(&scene, ["token"]).assert().success());

    let missing = stderr(&without_account(&scene, ["logout", "--revoke"]).assert().code(3).stdout(""));
    // The same applies if our file has a profile of that name without an account.
    scene.write_profile("[default]\ntimeout_ms = 20000\n");
    without_account(&scene, ["logout"]).assert().success();

    assert!(missing.contains("there is no profile default"), "{missing}");
    assert_eq!(scene.emulator.counters().revoke_requests, 0);
    assert_eq!(stdout(&without_account(&scene, ["token"]).assert().success()), token);
}

#[test]
fn i21_login_and_logout_show_no_secret_at_the_highest_verbosity() {
    let scene = Scene::new();

    let mut seen = stderr(&login(&scene, &["-vv"]).assert().success());
    let secret = secret_file(&scene);
    let token = stdout(&without_account(&scene, ["token", "-vv"]).assert().success());
    seen.push_str(&stderr(&without_account(&scene, ["logout", "--revoke", "-vv"]).assert().success()));

    assert!(!seen.contains(DEFAULT_CLIENT_SECRET) && !seen.contains(token.trim_end()), "{seen}");
    assert!(seen.contains(text(&secret)), "{seen}");
}

#[test]
fn n42_a_profile_that_cannot_be_written_has_the_exit_code_of_any_output_that_cannot() {
    let scene = Scene::new();
    let file = scene.write("a-file", "");

    let mut command = login(&scene, &["--no-verify"]);
    let assert = command.env("XDG_CONFIG_HOME", file.join("below")).write_stdin("secret").assert().code(10).stdout("");

    assert!(stderr(&assert).contains("cannot write ") && stderr(&assert).contains("a-file"), "{}", stderr(&assert));
}

#[test]
fn a_login_in_a_command_of_the_emulator_does_not_send_a_secret_to_atlas() {
    let scene = Scene::new();
    let arguments =
        ["login", "--client-id", "mdb_sa_id_00000000000000000000abcd", "--client-secret-stdin", "--base-url", "https://cloud.mongodb.com"];
    let mut command = scene.tokenwell(arguments);
    // A connection would fail with another exit code.
    command.env("TOKENWELL_EMULATOR", "1").env("HTTPS_PROXY", "http://127.0.0.1:1");

    let message = stderr(&command.write_stdin("mdb_sa_sk_canary0000000000000000").assert().code(8).stdout(""));

    assert!(message.contains("TOKENWELL_EMULATOR is set"), "{message}");
    assert!(!scene.path("config/tokenwell/config.toml").exists());
}
