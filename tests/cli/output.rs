//! Standard output: the result or a failure, and nothing else.

use crate::support::{Scene, stdout};

/// Commands that print a result without a request.
const ANSWERING: [&[&str]; 7] =
    [&["status"], &["status", "--json"], &["completions", "bash"], &["man"], &["--help"], &["exec", "-h"], &["--version"]];

#[cfg(target_os = "linux")]
#[test]
fn i31_a_full_disk_is_a_failure_without_a_panic() {
    let scene = Scene::new();

    for arguments in ANSWERING.iter().chain([&["token"][..], &["doctor"], &["env"], &["api", "GET", "/api/atlas/v2/orgs"]].iter()) {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = scene.plain(crate::support::command_path()).args(*arguments).stdout(full).output().unwrap();

        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(10), "{arguments:?}: {message}");
        assert!(message.contains("Free space on the device") && !message.contains("panic"), "{arguments:?}: {message}");
    }
}

#[test]
fn i31_a_reader_that_is_gone_is_a_failure_without_a_panic() {
    let scene = Scene::new();

    for arguments in ANSWERING.iter().chain([&["token"][..]].iter()) {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = scene.plain(crate::support::command_path()).args(*arguments).stdout(writer).output().unwrap();

        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(10), "{arguments:?}: {message}");
        assert!(
            message.contains("The program that reads the output has exited.") && !message.contains("panic"),
            "{arguments:?}: {message}"
        );
    }
}

#[test]
fn a_reader_that_is_gone_before_the_output_begins_has_the_same_exit_code_in_every_command() {
    let scene = Scene::new();
    scene.tokenwell(["token"]).assert().success();

    for arguments in [
        &["doctor"][..],
        &["doctor", "--json"],
        &["doctor", "--report"],
        &["whoami"],
        &["env"],
        &["header"],
        &["token", "--json"],
        &["cache", "list"],
        &["cache", "path"],
        &["bench", "--gets", "1"],
        &["help", "settings"],
        &["help", "exec"],
        &["-h"],
        &["profile", "list", "--json"],
        &["api", "orgs"],
        &["api", "orgs", "--jq", "."],
        &["api", "orgs", "--paginate"],
        &["api", "orgs", "--include"],
        &["emulator"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = scene.plain(crate::support::command_path()).args(arguments).stdout(writer).output().unwrap();

        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(10), "{arguments:?}: {message}");
        assert!(message.contains("The program that reads the output has exited."), "{arguments:?}: {message}");
    }
}

#[cfg(unix)]
#[test]
fn i31_a_closed_standard_output_is_a_failure_and_a_discarded_one_is_none() {
    let scene = Scene::new();
    let run = |redirection: &str| {
        let script = format!("exec \"$0\" token {redirection}");
        scene.plain("sh").args(["-c", &script, crate::support::command_path()]).output().unwrap()
    };

    let closed = run(">&-");
    assert_eq!(closed.status.code(), Some(10), "{closed:?}");
    assert!(String::from_utf8(closed.stderr).unwrap().contains("standard output: it is closed\n  hint: Open standard output."));

    for discarded in [">/dev/null", "1<>/dev/null", "<&- >/dev/null 2>&-"] {
        assert_eq!(run(discarded).status.code(), Some(0), "{discarded}");
    }
}

#[test]
fn i31_verbosity_leaves_standard_output_as_it_is() {
    let scene = Scene::new();

    for arguments in [&["status"][..], &["completions", "zsh"], &["man", "exec"], &["status", "--json"]] {
        let quiet = stdout(&scene.tokenwell(arguments.iter().copied()).assert().success());
        let loud = stdout(&scene.tokenwell(arguments.iter().copied().chain(["-vvv"])).assert().success());

        assert_eq!(loud, quiet, "{arguments:?}");
    }
    let loud = scene.tokenwell(["-vv", "token"]).assert().success();
    assert!(crate::support::is_token(stdout(&loud).trim_end()));
}

#[test]
fn i31_verbosity_leaves_answers_from_a_warm_cache_as_they_are() {
    let scene = Scene::new();
    scene.tokenwell(["token"]).assert().success();

    for arguments in [
        &["token"][..],
        &["token", "--format", "curl"],
        &["token", "--format", "json"],
        &["header"],
        &["env"],
        &["env", "--shell", "github"],
        &["cache", "path"],
        &["cache", "list"],
        &["cache", "list", "--json"],
        &["api", "GET", "/api/atlas/v2/orgs"],
        &["status"],
        &["status", "--json"],
    ] {
        let answer = |verbose: Option<&str>| {
            let assert = scene.tokenwell(arguments.iter().copied().chain(verbose)).assert().success();
            (stdout(&assert), crate::support::stderr(&assert))
        };
        // Some results change every second. Therefore a verbose result is compared with quiet ones
        // before and after it, within the same second.
        let (quiet, loud, log) = crate::support::until("two equal answers", || {
            let (before, (loud, log), after) = (answer(None).0, answer(Some("-vvv")), answer(None).0);
            (before == after).then_some((after, loud, log))
        });

        assert!(!quiet.is_empty(), "{arguments:?}");
        assert_eq!(loud, quiet, "{arguments:?}: {log}");
    }
    assert_eq!(scene.emulator.counters().token_requests, 1);

    let verbose = scene.tokenwell(["token", "--force-refresh", "-vvv"]).assert().success();
    assert!(!crate::support::stderr(&verbose).is_empty(), "the log has messages");
    assert!(crate::support::is_token(stdout(&verbose).trim_end()));
}

#[test]
fn nothing_is_decorated() {
    let scene = Scene::new();

    for arguments in [&["status"][..], &["doctor"], &["--help"], &["token", "--nonsense"]] {
        let output = scene.tokenwell(arguments.iter().copied()).env("TERM", "xterm").output().unwrap();
        assert!(!output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b), "{arguments:?}");
    }
}
