//! `exec`: the child's environment, exit code and process id.

use crate::support::{Scene, command_path, is_token, stderr, stdout, text};
use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET};

/// The environment of a child, as the system reports it.
fn environment_of_a_child(command: &mut assert_cmd::Command) -> HashMap<String, String> {
    let answer = stdout(&command.args(["--", "env", "-0"]).assert().success());
    answer.split_terminator('\0').map(|line| line.split_once('=').unwrap()).map(|(name, value)| (name.into(), value.into())).collect()
}

#[test]
fn the_child_has_the_token() {
    let scene = Scene::new();

    let environment = environment_of_a_child(&mut scene.tokenwell(["exec"]));

    assert!(is_token(&environment["MONGODB_ATLAS_ACCESS_TOKEN"]), "{environment:?}");
    assert_eq!(environment["TOKENWELL_EXEC_DEPTH"], "1");
    assert_eq!(environment["MONGODB_ATLAS_BASE_URL"], scene.emulator.base_url());
}

#[test]
fn i23_the_child_has_no_secret_by_any_name() {
    let scene = Scene::new();
    let file = scene.private("secret", DEFAULT_CLIENT_SECRET);
    let mut command = scene.tokenwell(["exec"]);
    command.env("TOKENWELL_CLIENT_ID", DEFAULT_CLIENT_ID).env("TOKENWELL_CLIENT_SECRET_FILE", &file);
    command.env("MCLI_CLIENT_SECRET", "canary");

    let environment = environment_of_a_child(&mut command);

    for (name, value) in &environment {
        assert!(!name.contains("SECRET"), "{name}");
        assert!(!value.contains(DEFAULT_CLIENT_SECRET) && !value.contains("canary") && value != text(&file), "{name}");
    }
}

#[test]
fn a_child_that_looks_for_an_account_finds_the_profile_and_not_half_a_pair() {
    let scene = Scene::new();
    let login = ["login", "--client-id", DEFAULT_CLIENT_ID, "--client-secret-stdin"];
    scene.tokenwell(login).write_stdin(DEFAULT_CLIENT_SECRET).assert().success();

    let answer = stdout(&scene.tokenwell(["exec", "--", command_path(), "token"]).assert().success());

    assert!(is_token(answer.trim_end()), "{answer}");
    let environment = environment_of_a_child(&mut scene.tokenwell(["exec"]));
    assert!(!environment.contains_key("MONGODB_ATLAS_CLIENT_ID"), "{environment:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn i23_the_systems_own_view_of_the_child_holds_no_secret() {
    let scene = Scene::new();

    let assert = scene.tokenwell(["exec", "--", "cat", "/proc/self/environ", "/proc/self/cmdline"]).assert().success();

    let seen = stdout(&assert);
    assert!(seen.contains("MONGODB_ATLAS_ACCESS_TOKEN=") && !seen.contains(DEFAULT_CLIENT_SECRET), "{seen}");
}

#[test]
fn the_exit_code_is_the_childs() {
    let scene = Scene::new();

    scene.tokenwell(["exec", "--", "sh", "-c", "exit 42"]).assert().code(42).stdout("").stderr("");
}

#[test]
fn the_child_replaces_the_command() {
    let scene = Scene::new();

    let child =
        scene.plain(command_path()).args(["exec", "--", "sh", "-c", "echo $$"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let pid = child.id();

    assert_eq!(String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap(), format!("{pid}\n"));
}

#[test]
fn arguments_are_passed_unchanged() {
    let scene = Scene::new();

    let answer = stdout(&scene.tokenwell(["exec", "printf", "[%s]", "-v", "--help", "a b", "$HOME", ""]).assert().success());

    assert_eq!(answer, "[-v][--help][a b][$HOME][]");
}

#[test]
fn a_missing_command_is_127() {
    let scene = Scene::new();

    for command in ["no-such-command", "./no-such-file"] {
        let message = stderr(&scene.tokenwell(["exec", "--", command]).assert().code(127).stdout(""));
        assert!(message.contains(command) && message.contains("PATH"), "{message}");
    }
}

#[test]
fn a_file_that_is_not_a_program_is_126() {
    let scene = Scene::new();
    let file = scene.write("data", "not a program");

    let message = stderr(&scene.tokenwell(["exec", "--", text(&file)]).assert().code(126).stdout(""));

    assert!(message.contains("cannot start"), "{message}");
}

#[test]
fn without_a_token_the_command_is_not_started() {
    let scene = Scene::new();

    let mut command = scene.tokenwell(["exec", "--", "sh", "-c", "echo started"]);

    command.env("MONGODB_ATLAS_CLIENT_SECRET", "wrong").assert().code(4).stdout("");
}

#[test]
fn without_a_command_the_call_is_wrong() {
    Scene::new().tokenwell(["exec"]).assert().code(2).stdout("");
}

#[test]
fn i28_a_program_of_the_same_name_in_the_current_directory_is_not_started() {
    let scene = Scene::new();
    let trap = scene.write("sh", "#!/bin/sh\necho trapped\n");
    std::fs::set_permissions(&trap, std::fs::Permissions::from_mode(0o755)).unwrap();

    scene.tokenwell(["exec", "--", "sh", "-c", "echo the real one"]).assert().success().stdout("the real one\n");
}

#[test]
fn i29_a_command_that_starts_itself_ends_after_four_levels() {
    let scene = Scene::new();
    let secret = scene.private("secret", DEFAULT_CLIENT_SECRET);
    let script = scene.write(
        "loop.sh",
        "#!/bin/sh\necho level >> levels\nexec \"$TOKENWELL\" exec --client-id \"$ID\" --client-secret-file secret -- ./loop.sh\n",
    );
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();

    let mut command = scene.tokenwell(["exec", "--client-id", DEFAULT_CLIENT_ID, "--client-secret-file", text(&secret), "--", "./loop.sh"]);
    let assert = command.env("TOKENWELL", command_path()).env("ID", DEFAULT_CLIENT_ID).assert().code(8);

    assert_eq!(std::fs::read_to_string(scene.path("levels")).unwrap(), "level\n".repeat(4));
    assert!(stderr(&assert).contains("TOKENWELL_EXEC_DEPTH"), "{}", stderr(&assert));
}

#[test]
fn i24_the_childs_core_files_are_its_own_affair() {
    let scene = Scene::new();
    // The hard limit, which is not 0 on most systems.
    let script = "ulimit -Sc $(ulimit -Hc); ulimit -Sc; ulimit -Hc; exec \"$0\" exec -- sh -c 'ulimit -Sc; ulimit -Hc'";

    let output = scene.plain("sh").args(["-c", script, command_path()]).output().unwrap();

    let limits = String::from_utf8(output.stdout).unwrap();
    let limits: Vec<_> = limits.lines().collect();
    assert_eq!(limits.len(), 4, "{limits:?}");
    assert_eq!(limits[..2], limits[2..]);
}

#[cfg(target_os = "linux")]
#[test]
fn the_child_does_not_ignore_sigpipe() {
    const SIGPIPE: u64 = 1 << 12;
    let scene = Scene::new();

    let answer = stdout(&scene.tokenwell(["exec", "--", "grep", "^SigIgn:", "/proc/self/status"]).assert().success());

    let ignored = u64::from_str_radix(answer.trim_start_matches("SigIgn:").trim(), 16).unwrap();
    assert_eq!(ignored & SIGPIPE, 0, "{answer}");
}

/// A profile with a server of its own.
fn with_profile(scene: &Scene) {
    let url = scene.emulator.base_url();
    scene.write_profile(&format!(
        "[stg]\nbase_url = \"{url}\"\nclient_id = \"{DEFAULT_CLIENT_ID}\"\nclient_secret = \"{DEFAULT_CLIENT_SECRET}\"\n"
    ));
}

fn from_profile<'a>(scene: &Scene, arguments: impl IntoIterator<Item = &'a str>) -> assert_cmd::Command {
    let mut command = scene.tokenwell(arguments);
    for variable in ["MONGODB_ATLAS_BASE_URL", "MONGODB_ATLAS_CLIENT_ID", "MONGODB_ATLAS_CLIENT_SECRET"] {
        command.env_remove(variable);
    }
    command
}

#[test]
fn n3_the_server_of_a_profile_travels_with_the_token() {
    let scene = Scene::new();
    with_profile(&scene);

    let environment = environment_of_a_child(&mut from_profile(&scene, ["exec", "--profile", "stg"]));
    assert_eq!(environment["MONGODB_ATLAS_BASE_URL"], scene.emulator.base_url());

    let mut exec = from_profile(&scene, ["exec", "--profile", "stg", "--base-url", scene.emulator.base_url()]);
    let environment = environment_of_a_child(exec.env("MCLI_OPS_MANAGER_URL", "https://cloud.mongodb.com/"));
    assert_eq!(environment["MONGODB_ATLAS_BASE_URL"], scene.emulator.base_url());
    assert!(!environment.contains_key("MCLI_OPS_MANAGER_URL"), "it names another server");

    for (shell, expected) in [
        ("sh", format!("; export MONGODB_ATLAS_BASE_URL='{}'\n", scene.emulator.base_url())),
        ("fish", format!("; set -gx MONGODB_ATLAS_BASE_URL '{}'\n", scene.emulator.base_url())),
        ("powershell", format!("; $Env:MONGODB_ATLAS_BASE_URL = '{}'\n", scene.emulator.base_url())),
        ("dotenv", format!("\nMONGODB_ATLAS_BASE_URL={}\n", scene.emulator.base_url())),
        ("github", format!("\nMONGODB_ATLAS_BASE_URL={}\n", scene.emulator.base_url())),
    ] {
        let answer = stdout(&from_profile(&scene, ["env", "--shell", shell, "--profile", "stg"]).assert().success());
        assert!(answer.ends_with(&expected), "{shell}: {answer}");
    }
}

#[test]
fn n3_a_shell_that_evaluates_the_line_has_both() {
    let scene = Scene::new();
    with_profile(&scene);
    let script = r#"line=$("$0" env --profile stg); eval "$line"; printenv MONGODB_ATLAS_BASE_URL MONGODB_ATLAS_ACCESS_TOKEN"#;
    let mut shell = scene.plain("sh");
    for variable in ["MONGODB_ATLAS_BASE_URL", "MONGODB_ATLAS_CLIENT_ID", "MONGODB_ATLAS_CLIENT_SECRET"] {
        shell.env_remove(variable);
    }

    let output = String::from_utf8(shell.args(["-euc", script, command_path()]).output().unwrap().stdout).unwrap();

    let (url, token) = output.trim_end().split_once('\n').unwrap();
    assert!(url == scene.emulator.base_url() && is_token(token), "{output}");
}

#[test]
fn n40_a_tokenwell_inside_exec_says_where_its_account_went() {
    let scene = Scene::new();

    let message = stderr(&scene.tokenwell(["exec", "--", command_path(), "token"]).assert().code(3).stdout(""));

    assert!(message.contains("runs inside `tokenwell exec`, which removed the secret"), "{message}");
    assert!(message.contains("Use the token in MONGODB_ATLAS_ACCESS_TOKEN") && message.contains("tokenwell login"), "{message}");
    assert!(!message.contains("checked:"), "{message}");
}

#[test]
fn i23_a_variable_of_another_name_with_the_secret_as_its_value_is_removed() {
    let scene = Scene::new();
    let mut command = scene.tokenwell(["exec"]);
    command.env("MDB_MCP_API_CLIENT_SECRET", DEFAULT_CLIENT_SECRET).env("UNRELATED", "kept");

    let environment = environment_of_a_child(&mut command);

    assert!(!environment.contains_key("MDB_MCP_API_CLIENT_SECRET") && environment["UNRELATED"] == "kept", "{environment:?}");
}
