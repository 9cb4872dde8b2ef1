//! `env`: each reader gets the token from the assignment.

use crate::support::{Scene, is_token, stderr, stdout, text};

const NAME: &str = "MONGODB_ATLAS_ACCESS_TOKEN";

/// The token between the expected strings before and after it.
fn inside<'a>(answer: &'a str, before: &str, after: &str) -> &'a str {
    answer.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).unwrap_or_else(|| panic!("{answer}"))
}

#[test]
fn each_reader_gets_its_own_assignment_and_nothing_else() {
    let scene = Scene::new();
    let cases = [
        ("sh", format!("export {NAME}='"), "'\n"),
        ("fish", format!("set -gx {NAME} '"), "'\n"),
        ("powershell", format!("$Env:{NAME} = '"), "'\n"),
        ("cmd", format!("set \"{NAME}="), "\"\n"),
        ("dotenv", format!("{NAME}="), "\n"),
        ("gitlab", format!("{NAME}="), "\n"),
    ];
    let server = format!("MONGODB_ATLAS_BASE_URL={}\n", scene.emulator.base_url());

    for (shell, before, after) in cases {
        let answer = stdout(&scene.tokenwell(["env", "--shell", shell]).assert().success().stderr(""));
        // A file is read in another environment: it names the server too.
        let answer = answer.strip_suffix(&server).unwrap_or(&answer);
        assert!(is_token(inside(answer, &before, after)), "{shell}: {answer}");
    }
}

#[test]
fn n41_bash_and_zsh_are_shells_and_the_variable_can_be_named() {
    let scene = Scene::new();

    for shell in ["bash", "zsh"] {
        let answer = stdout(&scene.tokenwell(["env", "--shell", shell]).assert().success().stderr(""));
        assert!(is_token(inside(&answer, &format!("export {NAME}='"), "'\n")), "{shell}: {answer}");
    }
    let answer = stdout(&scene.tokenwell(["env", "--variable", "TF_VAR_atlas_token"]).assert().success());
    assert!(is_token(inside(&answer, "export TF_VAR_atlas_token='", "'\n")), "{answer}");
    for wrong in ["A B", "1A", "A;B", "", "A=B", "MONGODB_ATLAS_BASE_URL"] {
        let message = stderr(&scene.tokenwell(["env", "--variable", wrong]).assert().code(2).stdout(""));
        assert!(message.contains("is not a name for the token"), "{wrong}: {message}");
    }
}

#[test]
fn b21_a_token_that_readers_of_dotenv_files_read_differently_is_refused() {
    let scene = Scene::new();

    for token in ["a${HOME}b", r"ends-in-\", r"a\'b", r"a\\b"] {
        let body = serde_json::json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600});
        scene.emulator.set_faults(serde_json::json!([{"path": "/api/oauth/token", "status": 200, "body": body}])).unwrap();
        let message = stderr(&scene.tokenwell(["env", "--shell", "dotenv", "--force-refresh"]).assert().code(2).stdout(""));
        assert!(message.contains("cannot be quoted for --shell dotenv") && !message.contains(token), "{message}");
    }
}

#[cfg(unix)]
#[test]
fn a_posix_shell_reads_it() {
    let scene = Scene::new();

    let mut shell = scene.plain("sh");
    let output = shell.args(["-eu", "-c", r#"assignment=$("$0" env); eval "$assignment"; printenv MONGODB_ATLAS_ACCESS_TOKEN"#]);
    let output = output.arg(crate::support::command_path()).output().unwrap();

    let token = String::from_utf8(output.stdout).unwrap();
    assert!(is_token(token.trim_end()), "{token} {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn i34_a_github_step_masks_the_token_before_it_is_anywhere_else() {
    let scene = Scene::new();
    let file = scene.write("github.env", "EARLIER=1\n");

    let answer = stdout(&scene.tokenwell(["env", "--shell", "github"]).env("GITHUB_ENV", &file).assert().success().stderr(""));

    let token = inside(&answer, "::add-mask::", "\n");
    assert!(is_token(token), "{answer}");
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        format!("EARLIER=1\n{NAME}={token}\nMONGODB_ATLAS_BASE_URL={}\n", scene.emulator.base_url())
    );
}

#[test]
fn a_line_that_another_step_has_left_without_an_end_is_not_gone_on_with() {
    let scene = Scene::new();

    for (before, between) in [("EARLIER=1", "\n"), ("", ""), ("EARLIER=1\n", "")] {
        let file = scene.write("github.env", before);
        scene.tokenwell(["env", "--shell", "github"]).env("GITHUB_ENV", &file).assert().success();

        let after = std::fs::read_to_string(&file).unwrap();
        let server = format!("\nMONGODB_ATLAS_BASE_URL={}\n", scene.emulator.base_url());
        let token = inside(&after, &format!("{before}{between}{NAME}="), &server);
        assert!(is_token(token), "{after}");
    }
}

#[cfg(unix)]
#[test]
fn the_shell_example_in_the_help_ends_the_script_without_a_token() {
    let scene = Scene::new();
    let help = stdout(&scene.tokenwell(["env", "--help"]).assert().success());
    let line = help.lines().map(str::trim).find(|line| line.starts_with("line=$(tokenwell env)")).unwrap();
    let script = format!("tokenwell() {{ \"$0\" \"$@\"; }}\n{line}\nprintenv {NAME}");
    let run = |secret: Option<&str>| {
        let mut shell = scene.plain("sh");
        shell.envs(secret.map(|secret| ("MONGODB_ATLAS_CLIENT_SECRET", secret)));
        shell.args(["-c", &script, crate::support::command_path()]).output().unwrap()
    };

    let (good, bad) = (run(None), run(Some("wrong")));

    assert!(is_token(String::from_utf8(good.stdout).unwrap().trim_end()), "{script}");
    assert_eq!((bad.status.code(), bad.stdout.len()), (Some(4), 0), "{script}");
}

#[test]
fn i34_without_a_runner_the_mask_is_the_first_line() {
    let scene = Scene::new();

    let answer = stdout(&scene.tokenwell(["env", "--shell", "github"]).assert().success());

    let lines: Vec<_> = answer.lines().collect();
    let token = lines[0].strip_prefix("::add-mask::").unwrap();
    let server = format!("MONGODB_ATLAS_BASE_URL={}", scene.emulator.base_url());
    assert_eq!(lines, [format!("::add-mask::{token}"), format!("{NAME}={token}"), server]);
}

#[test]
fn a_missing_file_of_the_runner_is_an_error_with_its_path() {
    let scene = Scene::new();
    let file = scene.path("missing.env");

    let message = stderr(&scene.tokenwell(["env", "--shell", "github"]).env("GITHUB_ENV", &file).assert().code(10));

    assert!(message.contains("GITHUB_ENV") && message.contains(text(&file)), "{message}");
}

#[test]
fn a_failure_prints_no_assignment() {
    let scene = Scene::new();

    for shell in ["sh", "github"] {
        scene.tokenwell(["env", "--shell", shell]).env("MONGODB_ATLAS_CLIENT_SECRET", "wrong").assert().code(4).stdout("");
    }
}

#[test]
fn a_github_step_that_cannot_write_prints_nothing_and_requests_no_token() {
    let scene = Scene::new();

    for file in [scene.path("none/github.env"), scene.path("")] {
        let mut command = scene.tokenwell(["env", "--shell", "github"]);
        let message = stderr(&command.env("GITHUB_ENV", &file).assert().code(10).stdout(""));
        assert!(message.contains("GITHUB_ENV"), "{message}");
    }
    assert_eq!(scene.emulator.counters().token_requests, 0);
}
