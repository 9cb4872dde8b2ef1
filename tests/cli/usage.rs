//! Errors in the command line: the form of all errors, exit code 2, and nothing on standard output.

use crate::support::{Scene, stderr, stdout};

#[test]
fn the_errors_of_the_command_line_have_the_form_of_all_errors() {
    let scene = Scene::new();
    let cases: &[(&[&str], &str, &str)] = &[
        (&["token", "--nonsense"], "unknown flag `--nonsense`", "See `tokenwell token --help`."),
        (&["token", "--min-tll", "5m"], "unknown flag `--min-tll`", "Did you mean `--min-ttl`? See `tokenwell token --help`."),
        (&["tokn"], "unknown command `tokn`", "Did you mean `token`? See `tokenwell --help`."),
        (&["cache", "lst"], "unknown command `lst`", "Did you mean `list`? See `tokenwell cache --help`."),
        (&["token", "--format", "yaml"], "--format: `yaml` is not an allowed value", "Use one of: raw, header, curl, json."),
        (&["token", "--min-ttl"], "--min-ttl needs a value", "See `tokenwell token --help`."),
        (&["token", "more"], "unexpected argument `more`", "See `tokenwell token --help`."),
        (&["completions", "bash", "b"], "unexpected argument `b`", "See `tokenwell completions --help`."),
        (
            &["sa", "list", "--expiring-within", "7"],
            "--expiring-within: `7` has no unit: it could be seconds or minutes; write 7s or 7m",
            "See `tokenwell sa list --help`.",
        ),
        (
            &["--color", "never", "cache", "clear", "--older-than", "7"],
            "--older-than: `7` has no unit: it could be seconds or minutes; write 7s or 7m",
            "See `tokenwell cache clear --help`.",
        ),
        (&["exec"], "missing: COMMAND", "See `tokenwell exec --help`."),
        (
            &["exec", "--auto-approve"],
            "unknown flag `--auto-approve`",
            "Flags of the program come after `--`: `tokenwell exec -- PROGRAM --auto-approve`. See `tokenwell exec --help`.",
        ),
        (
            &["--profile", "a", "token"],
            "unknown flag `--profile`",
            "Write the flags of a command after its name: `tokenwell token --profile`.",
        ),
        (
            &["token", "--token-url", "https://a/t", "--base-url", "https://a"],
            "--token-url cannot be used with --base-url",
            "Leave one of them out.",
        ),
        (&["token", "-q", "-v"], "--quiet cannot be used with --verbose", "Leave one of them out."),
    ];

    for (arguments, problem, hint) in cases {
        let message = stderr(&scene.tokenwell(arguments.iter().copied()).assert().code(2).stdout(""));
        assert_eq!(message, format!("tokenwell: {problem}\n  hint: {hint}\n"), "{arguments:?}");
    }
    assert_eq!(scene.emulator.counters().connections, 0);
}

#[test]
fn a_secret_in_the_wrong_place_is_not_shown() {
    let scene = Scene::new();

    for secret in ["mdb_sa_sk_0123456789abcdef", "eyJhbGciOiJFZERTQSJ9.e30.c2ln", "Bearer abc"] {
        for arguments in [&["token", secret][..], &[secret], &["token", "--format", secret], &["cache", secret]] {
            let message = stderr(&scene.tokenwell(arguments.iter().copied()).assert().code(2).stdout(""));
            assert!(message.contains("(not shown: it may be a secret)") && !message.contains(secret), "{arguments:?}: {message}");
        }
    }
}

#[test]
fn quiet_leaves_out_notes_and_warnings_but_no_error() {
    let scene = Scene::new();
    assert_ne!(stderr(&scene.tokenwell(["invalidate"]).assert().success()), "");

    scene.tokenwell(["invalidate", "-q"]).assert().success().stderr("");
    scene.tokenwell(["--quiet", "token"]).env_remove("HOME").env_remove("XDG_CACHE_HOME").assert().success().stderr("");
    let error = stderr(&scene.tokenwell(["token", "-q", "--force-refresh"]).env("MONGODB_ATLAS_CLIENT_SECRET", "x").assert().code(4));
    assert!(error.starts_with("tokenwell: ") && error.contains("\n  hint: "), "{error}");
}

#[test]
fn n7_commands_in_the_help_are_never_wrapped() {
    let scene = Scene::new();
    let examples = |command: &str, columns: &str| {
        let help = stdout(&scene.tokenwell([command, "--help"]).env("COLUMNS", columns).assert().success());
        help.split_once("Examples:\n").unwrap().1.to_owned()
    };

    for command in ["token", "login", "exec", "env", "invalidate", "doctor"] {
        assert_eq!(examples(command, "40"), examples(command, "120"), "{command}");
        assert!(!examples(command, "40").contains('\u{a0}'), "{command}: a space that a shell does not read as one");
    }
}

#[test]
fn the_help_is_wrapped_to_the_width_and_the_default_is_80_columns() {
    let scene = Scene::new();
    let longest = |columns: Option<&str>| {
        let mut command = scene.tokenwell(["token", "--help"]);
        columns.map(|columns| command.env("COLUMNS", columns));
        let help = stdout(&command.assert().success());
        help.split_once("Examples:").unwrap().0.lines().map(|line| line.chars().count()).max().unwrap()
    };

    assert!((70..=80).contains(&longest(None)), "{}", longest(None));
    assert!((100..=120).contains(&longest(Some("120"))), "{}", longest(Some("120")));
    assert!((100..=120).contains(&longest(Some("1000"))), "very long lines are hard to read: {}", longest(Some("1000")));
    assert_eq!(longest(Some("nonsense")), longest(None));
}
