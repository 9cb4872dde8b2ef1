//! What `login` and `logout` check and say before they store, replace or remove anything.

use crate::support::{Scene, is_token, json, stderr, stdout, text};
use assert_cmd::Command;
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET};

const OTHER_ID: &str = "mdb_sa_id_0000000000000000000000aa";

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

fn profiles(scene: &Scene) -> Option<String> {
    std::fs::read_to_string(scene.path("config/tokenwell/config.toml")).ok()
}

#[test]
fn n2_login_and_logout_use_the_profile_of_the_variable_and_name_it_first() {
    for variable in ["TOKENWELL_PROFILE", "MONGODB_ATLAS_PROFILE", "MCLI_PROFILE"] {
        let scene = Scene::new();
        login(&scene, &[]).assert().success();

        login(&scene, &[]).env(variable, "stg").assert().success();
        assert!(profiles(&scene).unwrap().contains("[stg]"), "{variable}");
        let message = stderr(&without_account(&scene, ["logout"]).env(variable, "stg").assert().success());

        let (first, rest) = message.split_once('\n').unwrap();
        assert_eq!(
            first,
            format!("tokenwell: removing profile stg (set by {variable}): {DEFAULT_CLIENT_ID} at {}", scene.emulator.base_url())
        );
        assert!(rest.contains("removed profile stg"), "{message}");
        let left = profiles(&scene).unwrap();
        assert!(left.contains("[default]") && !left.contains("[stg]"), "{variable}: {left}");
    }
}

#[test]
fn n5_login_takes_the_pair_of_the_environment() {
    let scene = Scene::new();
    let file = scene.private("secret", DEFAULT_CLIENT_SECRET);
    let table: [&[(&str, &str)]; 4] = [
        &[("MONGODB_ATLAS_CLIENT_ID", DEFAULT_CLIENT_ID), ("MONGODB_ATLAS_CLIENT_SECRET", DEFAULT_CLIENT_SECRET)],
        &[("TOKENWELL_CLIENT_ID", DEFAULT_CLIENT_ID), ("TOKENWELL_CLIENT_SECRET", DEFAULT_CLIENT_SECRET)],
        &[("MCLI_CLIENT_ID", DEFAULT_CLIENT_ID), ("MCLI_CLIENT_SECRET", DEFAULT_CLIENT_SECRET)],
        &[("TOKENWELL_CLIENT_ID", DEFAULT_CLIENT_ID), ("TOKENWELL_CLIENT_SECRET_FILE", text(&file))],
    ];
    for (number, variables) in table.into_iter().enumerate() {
        let name = format!("p{number}");
        let mut command = without_account(&scene, ["login", "--profile", &name]);

        let message = stderr(&command.envs(variables.iter().copied()).assert().success().stdout(""));

        let from = format!("the client id is from {}, the secret from {}", variables[0].0, variables[1].0);
        assert!(message.contains(&from) && message.contains(&format!("added profile {name}")), "{message}");
        assert!(!message.contains(DEFAULT_CLIENT_SECRET), "{message}");
        let token = without_account(&scene, ["token", "--profile", &name]).env_remove("MONGODB_ATLAS_BASE_URL").assert().success();
        assert!(is_token(stdout(&token).trim_end()), "{name}");
    }
}

#[test]
fn n5_the_help_of_login_names_the_variables_that_login_takes() {
    let scene = Scene::new();

    let help = stdout(&scene.tokenwell(["login", "--help"]).assert().success());

    for variable in ["TOKENWELL_CLIENT_SECRET_FILE", "MONGODB_ATLAS_CLIENT_ID", "MCLI_CLIENT_SECRET", "TOKENWELL_PROFILE"] {
        assert!(help.contains(variable), "{variable}: {help}");
    }
}

#[test]
fn a_flag_for_another_account_does_not_take_the_secret_of_the_environment() {
    let scene = Scene::new();

    // Standard input is no terminal, and the test has none, or it would wait for an answer.
    let mut command = scene.tokenwell(["login", "--client-id", OTHER_ID, "--client-secret-stdin"]);
    let message = stderr(&command.write_stdin("another").assert().code(4));

    assert!(message.contains("invalid_client"), "{message}");
    assert_eq!(profiles(&scene), None);
}

#[test]
fn n13_an_invalid_profile_name_is_refused_before_the_secret_is_read() {
    let scene = Scene::new();

    // An empty standard input would be the error, if it was read first.
    let message = stderr(&login(&scene, &["--profile", "bad name"]).write_stdin("").assert().code(2).stdout(""));

    assert!(message.contains("--profile contains a space"), "{message}");
    let mut command = login(&scene, &[]);
    let message = stderr(&command.env("TOKENWELL_PROFILE", "../evil").write_stdin("").assert().code(2));
    assert!(message.contains("TOKENWELL_PROFILE begins with a `.`"), "{message}");
}

#[test]
fn n13_a_file_that_cannot_be_changed_is_reported_before_the_secret_is_read() {
    let scene = Scene::new();
    scene.write_profile("not toml");

    let message = stderr(&login(&scene, &[]).write_stdin("").assert().code(2));

    assert!(message.contains("config.toml:1 is not valid TOML"), "{message}");
    assert_eq!(scene.emulator.counters().connections, 0);
}

#[test]
fn n13_wrong_flags_are_reported_before_the_secret_is_read() {
    let scene = Scene::new();
    for flags in [["--base-url", "http://cloud.mongodb.com"], ["--auth-method", "magic"], ["--resource", "x"]] {
        let message = stderr(&login(&scene, &flags).write_stdin("").assert().failure());

        assert!(message.contains(flags[0]) && !message.contains("standard input"), "{message}");
    }
}

#[cfg(not(feature = "keyring"))]
#[test]
fn n13_a_build_without_a_keyring_does_not_offer_one() {
    let scene = Scene::new();

    let help = stdout(&scene.tokenwell(["login", "--help"]).assert().success());
    let message = stderr(&login(&scene, &["--keyring"]).write_stdin("").assert().code(2));

    assert!(!help.contains("--keyring"), "{help}");
    assert!(message.contains("--keyring: this build of tokenwell has no keyring support"), "{message}");
}

#[test]
fn n23_a_swapped_pair_is_neither_stored_nor_sent() {
    for arguments in [&["--no-verify"][..], &[]] {
        let scene = Scene::new();
        let secret = "mdb_sa_sk_canary0000000000000000000000000000";
        let all = ["login", "--client-id", secret, "--client-secret-stdin"].into_iter().chain(arguments.iter().copied());

        let message = stderr(&without_account(&scene, all).write_stdin(DEFAULT_CLIENT_ID).assert().code(2));

        assert!(message.contains("client secret") && message.contains("mdb_sa_id_") && !message.contains("canary"), "{message}");
        let all = ["login", "--client-id", OTHER_ID, "--client-secret-stdin"].into_iter().chain(arguments.iter().copied());
        without_account(&scene, all).write_stdin(DEFAULT_CLIENT_ID).assert().code(2);
        assert_eq!(profiles(&scene), None);
        assert_eq!(scene.emulator.counters().connections, 0);
        assert!(!scene.path("config").exists(), "no directory was left behind");
    }
}

#[test]
fn n35_another_account_replaces_a_profile_only_with_force() {
    let scene = Scene::new();
    login(&scene, &["--profile", "stg"]).assert().success();
    let before = profiles(&scene);
    let other = [
        "login",
        "--profile",
        "stg",
        "--client-id",
        OTHER_ID,
        "--client-secret-stdin",
        "--no-verify",
        "--base-url",
        "https://other.example",
    ];

    let message = stderr(&without_account(&scene, other).write_stdin("secret").assert().code(8).stdout(""));

    for part in [DEFAULT_CLIENT_ID, scene.emulator.base_url(), OTHER_ID, "https://other.example", "--force"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(profiles(&scene), before);

    let message = stderr(&without_account(&scene, other.into_iter().chain(["--force"])).write_stdin("secret").assert().success());

    assert!(message.contains(&format!("now: {DEFAULT_CLIENT_ID} at {}", scene.emulator.base_url())), "{message}");
    assert!(message.contains(&format!("new: {OTHER_ID} at https://other.example (option --base-url)")), "{message}");
    assert!(profiles(&scene).unwrap().contains(OTHER_ID));
}

#[test]
fn n35_an_unverified_secret_does_not_replace_a_verified_one_without_force() {
    let scene = Scene::new();
    login(&scene, &[]).assert().success();

    let message = stderr(&login(&scene, &["--no-verify"]).write_stdin("typo").assert().code(8));

    assert!(message.contains("the new secret would not be verified"), "{message}");
    without_account(&scene, ["token", "--force-refresh"]).assert().success();
    login(&scene, &["--no-verify", "--force"]).write_stdin("typo").assert().success();
}

#[test]
fn a_new_secret_of_the_same_account_is_verified_and_needs_no_force() {
    let scene = Scene::new();
    login(&scene, &[]).assert().success();

    let message = stderr(&login(&scene, &[]).assert().success());

    assert!(message.contains("profile default exists in ") && message.contains("its secret is replaced"), "{message}");
}

#[test]
fn n42_no_token_is_requested_if_the_profile_cannot_be_written() {
    let scene = Scene::new();
    let file = scene.write("a-file", "");

    login(&scene, &[]).env("XDG_CONFIG_HOME", file.join("below")).assert().code(10);

    assert_eq!(scene.emulator.counters().token_requests, 0);
}

#[test]
fn s1_the_profile_has_the_settings_that_its_verification_needed() {
    use tokenwell::emulator::{Certificate, EmulatorOptions};
    let scene = Scene::with(EmulatorOptions { certificate: Some(Certificate::Loopback), ..EmulatorOptions::default() });
    let authority = scene.write("ca.pem", scene.emulator.ca_pem().unwrap());

    // A relative path, and from an option or a variable.
    login(&scene, &["--ca-file", "ca.pem"]).assert().success();
    login(&scene, &["--profile", "stg"]).env("TOKENWELL_CA_FILE", "ca.pem").assert().success();

    for profile in ["default", "stg"] {
        let mut command = without_account(&scene, ["token", "--profile", profile]);
        let token = command.env_remove("MONGODB_ATLAS_BASE_URL").current_dir("/").assert().success();
        assert!(is_token(stdout(&token).trim_end()));
    }
    let stored = profiles(&scene).unwrap();
    assert_eq!(stored.matches(&format!("ca_file = \"{}\"", text(&authority.canonicalize().unwrap()))).count(), 2, "{stored}");
    // The next login for the same server needs the flag no longer.
    login(&scene, &[]).assert().success();
    assert_eq!(profiles(&scene).unwrap(), stored);
}

#[test]
fn s1_a_proxy_is_stored_but_not_its_password() {
    let scene = Scene::new();
    let at_atlas = ["--no-verify", "--base-url", "https://atlas.example"];

    login(&scene, &at_atlas).env("TOKENWELL_PROXY", "http://proxy.example:3128").assert().success();
    let stored = profiles(&scene).unwrap();
    assert!(stored.contains("proxy = \"http://proxy.example:3128\""), "{stored}");

    let mut command = login(&scene, &["--profile", "stg", "--no-verify", "--base-url", "https://atlas.example"]);
    let message = stderr(&command.env("TOKENWELL_PROXY", "http://user:canary@proxy.example:3128").assert().success());
    assert!(message.contains("the setting proxy is not stored in profile stg: set TOKENWELL_PROXY"), "{message}");
    assert!(!profiles(&scene).unwrap().contains("canary") && !message.contains("canary"));
}

#[test]
fn login_uses_the_proxy_of_the_environment() {
    let scene = Scene::new();
    let mut command = login(&scene, &["--base-url", "https://atlas.example"]);

    let message = stderr(&command.env("HTTPS_PROXY", "http://127.0.0.1:1").assert().code(5));

    assert!(message.contains("127.0.0.1:1"), "{message}");
}

#[test]
fn s2_force_removes_a_profile_whose_token_cannot_be_revoked() {
    let scene = Scene::new();
    login(&scene, &[]).assert().success();
    let fault = serde_json::json!({"path": "/api/oauth/revoke", "status": 503, "body": {"error": "server_error"}});
    scene.emulator.set_faults(serde_json::json!([fault])).unwrap();

    let message = stderr(&without_account(&scene, ["logout", "--revoke"]).assert().code(5));
    assert!(message.contains("The profile was kept") && message.contains("--force"), "{message}");
    assert!(profiles(&scene).unwrap().contains("[default]"));
    let message = stderr(&without_account(&scene, ["logout", "--revoke", "--force"]).assert().code(5));

    assert!(message.contains("removed profile default") && message.contains("not revoked"), "{message}");
    assert!(!profiles(&scene).unwrap().contains("[default]"));
    assert!(json(&scene.tokenwell(["status", "--json"]).assert().success())["token"].is_null());
}

#[cfg(unix)]
#[test]
fn n22_a_profile_file_that_this_user_cannot_read_is_named_with_its_owner() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;

    let scene = Scene::new();
    login(&scene, &["--profile", "stg"]).assert().success();
    let file = scene.path("config/tokenwell/config.toml");
    let set_mode = |name: &str, mode| std::fs::set_permissions(scene.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    let as_other_user = |arguments: &[&str]| {
        let mut command = scene.plain(crate::support::command_path());
        command.args(arguments).env_remove("MONGODB_ATLAS_CLIENT_ID").env_remove("MONGODB_ATLAS_CLIENT_SECRET");
        // root may read every file.
        if nix::unistd::geteuid().is_root() {
            command.uid(65534).gid(65534);
        } else {
            set_mode("config/tokenwell/config.toml", 0);
        }
        Command::from_std(command)
    };
    for name in ["", "config", "config/tokenwell"] {
        set_mode(name, 0o755);
    }

    let named = stderr(&as_other_user(&["token", "--profile", "stg"]).assert().code(3));
    let unnamed = stderr(&as_other_user(&["token"]).assert().code(3));

    for message in [named, unnamed] {
        assert!(
            message.contains(&format!("{} cannot be read: permission denied", text(&file)))
                || message.contains("cannot be read: permission denied; it belongs to user"),
            "{message}"
        );
        assert!(message.contains("has mode 0") && message.contains("this process runs as user"), "{message}");
        assert!(!message.contains("tokenwell login --profile"), "{message}");
    }
}

#[test]
fn messages_name_the_source_of_the_credential_and_not_flags_that_were_not_used() {
    let scene = Scene::new();

    let mut by_variables = scene.tokenwell(["login"]);
    let by_variables = stderr(&by_variables.env("MONGODB_ATLAS_CLIENT_SECRET", "wrong").assert().code(4));
    let expected = "(id from environment variable MONGODB_ATLAS_CLIENT_ID, secret from environment variable MONGODB_ATLAS_CLIENT_SECRET)";
    assert!(by_variables.contains(expected) && !by_variables.contains("--client-"), "{by_variables}");

    let mut by_stdin = scene.tokenwell(["login", "--client-secret-stdin"]);
    let by_stdin = stderr(&by_stdin.write_stdin("wrong again").assert().code(4));
    let expected = "(id from environment variable MONGODB_ATLAS_CLIENT_ID, secret from option --client-secret-stdin)";
    assert!(by_stdin.contains(expected) && !by_stdin.contains("--client-id"), "{by_stdin}");

    let mut by_flag = scene.tokenwell(["login", "--client-id", "mdb_sa_id_a\u{7}b", "--client-secret-stdin"]);
    let by_flag = stderr(&by_flag.write_stdin("x").assert().code(2));
    assert!(by_flag.starts_with("tokenwell: --client-id contains "), "{by_flag}");
    let mut none = scene.tokenwell(["login"]);
    let none = stderr(&none.env_remove("MONGODB_ATLAS_CLIENT_ID").env_remove("MONGODB_ATLAS_CLIENT_SECRET").assert().code(3));
    assert!(none.contains("there is no client id, and no terminal for a prompt"), "{none}");
}
