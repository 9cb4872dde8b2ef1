//! `tokenwell emulator -- COMMAND`.
#![cfg(unix)]

use crate::client::TIMEOUT;
use crate::command::{command_path, get, value};
use assert_cmd::Command as Check;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// `tokenwell emulator FLAGS -- sh -c SCRIPT`, in which `$0` is the command under test.
fn emulator(flags: &[&str], script: &str) -> Check {
    let mut check = Check::new(command_path());
    check.arg("emulator").args(flags).args(["--", "sh", "-c", script, command_path()]).timeout(TIMEOUT);
    check
}

fn printed(check: &mut Check) -> String {
    String::from_utf8(check.assert().success().stderr("").get_output().stdout.clone()).unwrap()
}

#[test]
fn e7_the_command_gets_a_token_of_the_emulator_and_only_its_own_output_is_printed() {
    let output = printed(&mut emulator(&[], "\"$0\" token && \"$0\" token && echo \"$TOKENWELL_CACHE_DIR\""));

    let lines: Vec<_> = output.lines().collect();
    assert!(lines.len() == 3 && lines[0].starts_with("ey") && lines[0] == lines[1], "{output}");
    assert!(!Path::new(lines[2]).parent().unwrap().exists(), "the directory is left");
}

#[test]
fn e7_its_exit_code_is_returned_also_for_a_signal() {
    emulator(&[], "exit 0").assert().code(0).stdout("");
    emulator(&[], "exit 7").assert().code(7).stderr("");
    emulator(&[], "kill -KILL $$").assert().code(137);
    emulator(&[], "kill -TERM $$").assert().code(143);
}

#[test]
fn e7_a_command_that_cannot_be_started_has_the_exit_codes_of_a_shell() {
    let directory = tempfile::tempdir().unwrap();
    for (command, code) in [("/no/such/command", 127), (directory.path().to_str().unwrap(), 126)] {
        let done = Check::new(command_path()).args(["emulator", "--", command]).timeout(TIMEOUT).assert().code(code);
        assert!(String::from_utf8_lossy(&done.get_output().stderr).contains(command));
    }
}

#[test]
fn a_failed_start_does_not_start_the_command() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ran");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();

    emulator(&["--port", &port], &format!("touch '{}'", file.display())).assert().code(2).stdout("");

    assert!(!file.exists());
}

#[test]
fn e7_signals_are_passed_on() {
    for (signal, code) in [(Signal::SIGTERM, 41), (Signal::SIGINT, 42), (Signal::SIGHUP, 43)] {
        let script = "trap 'exit 41' TERM; trap 'exit 42' INT; trap 'exit 43' HUP; echo ready; while :; do sleep 0.01; done";
        let mut command = Command::new(command_path());
        // In a group of its own: a terminal that runs the tests does not send it signals.
        command.args(["emulator", "--", "sh", "-c", script]).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");

        kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();

        assert_eq!(child.wait().unwrap().code(), Some(code), "{signal}");
    }
}

#[test]
fn e7_it_ends_with_the_command_although_its_children_live_on() {
    let start = Instant::now();
    let output = printed(&mut emulator(&[], "sleep 600 >/dev/null 2>&1 & echo $! $MONGODB_ATLAS_BASE_URL"));

    let (pid, url) = output.trim_end().split_once(' ').unwrap();
    assert!(start.elapsed() < TIMEOUT);
    assert!(std::net::TcpStream::connect(url.trim_start_matches("http://")).is_err(), "the emulator is left");
    kill(Pid::from_raw(pid.parse().unwrap()), Signal::SIGKILL).unwrap();
}

#[test]
fn e4_no_variable_of_another_account_reaches_the_command() {
    let mut check = emulator(&[], "\"$0\" token >/dev/null && env");
    for name in ["TOKENWELL_BASE_URL", "TOKENWELL_TOKEN_URL", "MONGODB_ATLAS_OPS_MANAGER_URL", "MCLI_BASE_URL", "TOKENWELL_CLIENT_SECRET"] {
        check.env(name, "https://live.example");
    }
    check.env("TOKENWELL_EMULATOR_TOKEN_CAP", "5").env("TOKENWELL_PROFILE", "live").env("TOKENWELL_TIMEOUT_MS", "20000");

    let environment = printed(&mut check);

    assert!(!environment.contains("live"), "{environment}");
    assert!(!environment.contains("TOKENWELL_EMULATOR_TOKEN_CAP"), "{environment}");
    assert!(environment.contains("TOKENWELL_TIMEOUT_MS=20000\n") && environment.contains("\nTOKENWELL_EMULATOR=1\n"), "{environment}");
}

#[test]
fn e4_atlas_is_refused_in_the_command_unless_it_is_allowed() {
    let script = "export MONGODB_ATLAS_CLIENT_ID=mdb_sa_id_live MONGODB_ATLAS_CLIENT_SECRET=mdb_sa_sk_live
        \"$0\" status --base-url https://cloud.mongodb.com >/dev/null";

    let refused = emulator(&[], script).assert().code(8);
    emulator(&["--allow-live"], script).assert().success();

    let message = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    assert!(message.contains("https://cloud.mongodb.com") && message.contains("--allow-live"), "{message}");
}

#[test]
fn e4_a_client_id_of_the_emulator_is_not_sent_to_atlas() {
    let process = crate::process::Process::start();
    let created = process.api(&process.token(), "POST", crate::admin::ACCOUNTS, &crate::admin::account(&["ORG_MEMBER"]).to_string());
    let created = created.json();
    for id in [process.id.as_str(), created["clientId"].as_str().unwrap()] {
        let mut status = Check::new(command_path());
        status.arg("status").env("MONGODB_ATLAS_CLIENT_ID", id).env("MONGODB_ATLAS_CLIENT_SECRET", "mdb_sa_sk_of_a_live_account");

        let refused = status.env("MONGODB_ATLAS_BASE_URL", "https://cloud.mongodb.com").timeout(TIMEOUT).assert().code(8);

        let message = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
        assert!(message.contains("is a client id of the emulator, and the server is cloud.mongodb.com"), "{message}");
    }
}

#[test]
fn e7_a_hundred_at_the_same_time_do_not_collide() {
    let start =
        || Command::new(command_path()).args(["emulator", "--", "printenv", "MONGODB_ATLAS_BASE_URL"]).stdout(Stdio::piped()).spawn();
    let running: Vec<_> = (0..100).map(|_| start().unwrap()).collect();

    for child in running {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && output.stdout.starts_with(b"http://127.0.0.1:"), "{output:?}");
    }
}

#[test]
fn e7_the_log_goes_to_standard_error_or_to_a_file_and_never_to_the_output_of_the_command() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("requests.log");
    let line = "127.0.0.1 POST /api/oauth/token 200\n";

    emulator(&["--log", file.to_str().unwrap()], "\"$0\" token >/dev/null").assert().success().stdout("").stderr("");
    let verbose = emulator(&["-v"], "\"$0\" token >/dev/null").assert().success().stdout("");

    assert_eq!(std::fs::read_to_string(&file).unwrap(), line);
    assert_eq!(String::from_utf8_lossy(&verbose.get_output().stderr), line);
}

#[test]
fn e12_every_flag_is_also_a_variable() {
    let help = Check::new(command_path()).args(["emulator", "--help"]).timeout(TIMEOUT).assert().success().get_output().stdout.clone();
    let help = String::from_utf8(help).unwrap();
    let own = help.lines().filter_map(|line| line.strip_prefix("      --")?.split([' ', '[', '=']).next());
    let own: Vec<_> = own.filter(|flag| !matches!(*flag, "health" | "help" | "json" | "color" | "verbose" | "quiet")).collect();
    assert!(own.len() > 15, "{own:?}");
    for flag in own {
        let variable = format!("TOKENWELL_EMULATOR_{}", flag.to_uppercase().replace('-', "_"));
        assert!(help.contains(&format!("[env: {variable}")), "{variable} in {help}");
    }
}

#[test]
fn e12_variables_set_the_flags_and_an_empty_one_does_not() {
    let mut background = Check::new(command_path());
    background.arg("emulator").env("TOKENWELL_EMULATOR_UNTIL_PID", std::process::id().to_string()).timeout(TIMEOUT);
    for (name, text) in [("BACKGROUND", "true"), ("FORMAT", "dotenv"), ("TOKEN_CAP", "7"), ("NO_RATE_LIMIT", "1"), ("PORT", "")] {
        background.env(format!("TOKENWELL_EMULATOR_{name}"), text);
    }
    let lines: Vec<_> = printed(&mut background).lines().map(str::to_owned).collect();

    let settings = get(value(&lines, "MONGODB_ATLAS_BASE_URL"), "/_emulator/settings", "");

    kill(Pid::from_raw(value(&lines, "TOKENWELL_EMULATOR_PID").parse().unwrap()), Signal::SIGTERM).unwrap();
    assert!(settings.contains("\"token_cap\":7") && settings.contains("\"rate_limit\":null"), "{settings}");
    let wrong = Check::new(command_path()).arg("emulator").env("TOKENWELL_EMULATOR_PORT", "many").timeout(TIMEOUT).assert().code(2);
    assert!(String::from_utf8_lossy(&wrong.get_output().stderr).contains("many"));
}
