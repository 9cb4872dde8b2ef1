//! "Did you mean": names of flags and commands that users of other programs write.

use crate::support::{Scene, stderr};

#[test]
fn a_flag_of_another_program_is_answered_with_ours() {
    let scene = Scene::new();

    for (arguments, suggestion) in [
        (&["status", "--format", "json"][..], "Did you mean `--json`?"),
        (&["doctor", "--output=json"], "Did you mean `--json`?"),
        (&["whoami", "-o", "json"], "Did you mean `--json`?"),
        (&["profile", "list", "--format", "json"], "Did you mean `--json`?"),
        (&["token", "--output", "json"], "Did you mean `--format`?"),
        (&["token", "--fromat", "json"], "Did you mean `--format`?"),
        (&["status", "--jsn"], "Did you mean `--json`?"),
        (&["revoke", "--token", "x"], "Did you mean `--token-stdin`?"),
        (&["invalidate", "--token", "x"], "Did you mean `--token-stdin`?"),
        (&["token", "--url", "x"], "Did you mean `--base-url`?"),
        (&["token", "--ttl", "5m"], "Did you mean `--min-ttl`?"),
        (&["api", "orgs", "--max-time", "5"], "Did you mean `--timeout`?"),
        (&["token", "--refresh"], "Did you mean `--force-refresh`?"),
        (&["env", "--format", "github"], "Did you mean `--shell`?"),
        (&["token", "-p", "x"], "Did you mean `--profile`?"),
        (&["--token"], "Did you mean the command `tokenwell token`?"),
        (&["--login"], "Did you mean the command `tokenwell login`?"),
    ] {
        let message = stderr(&scene.tokenwell(arguments.iter().copied()).assert().code(2).stdout(""));
        assert!(message.contains(suggestion), "{arguments:?}: {message}");
    }
}

#[test]
fn a_command_of_another_program_is_answered_with_ours() {
    let scene = Scene::new();

    for (arguments, suggestion) in [
        (&["version"][..], "Did you mean `tokenwell --version`?"),
        (&["get-token"], "Did you mean `tokenwell token`?"),
        (&["print-access-token"], "Did you mean `tokenwell token`?"),
        (&["run", "--", "true"], "Did you mean `tokenwell exec`?"),
        (&["auth"], "Did you mean `tokenwell login`?"),
        (&["profiles"], "Did you mean `tokenwell profile list`?"),
        (&["profile", "ls"], "Did you mean `tokenwell profile list`?"),
        (&["profile", "delete", "x"], "Did you mean `tokenwell profile remove`?"),
        (&["profile", "create", "x"], "Did you mean `tokenwell login --profile`?"),
        (&["cache", "rm"], "Did you mean `tokenwell cache clear`?"),
        (&["tokn"], "Did you mean `token`?"),
    ] {
        let message = stderr(&scene.tokenwell(arguments.iter().copied()).assert().code(2).stdout(""));
        assert!(message.contains(suggestion), "{arguments:?}: {message}");
    }
}

#[test]
fn nothing_is_suggested_for_what_nobody_could_mean() {
    let scene = Scene::new();

    for arguments in [&["token", "--nonsense"][..], &["nonsense"], &["exec", "--auto-approve"]] {
        let message = stderr(&scene.tokenwell(arguments.iter().copied()).assert().code(2).stdout(""));
        assert!(!message.contains("Did you mean"), "{message}");
    }
}
