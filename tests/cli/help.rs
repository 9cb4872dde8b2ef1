//! Help, completions and manual pages.

use crate::support::{Scene, stderr, stdout};

/// The commands as the help lists them.
fn commands(scene: &Scene) -> Vec<String> {
    let help = stdout(&scene.tokenwell(["-h"]).assert().success());
    let list = help.split_once("Commands:\n").unwrap().1.split("\n\n").next().unwrap();
    // Continuation lines of a description are indented further.
    let names =
        list.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).filter(|name| !name.is_empty() && *name != "help");
    let names: Vec<_> = names.map(str::to_owned).collect();
    assert!(names.len() >= 14, "{names:?}");
    names
}

#[test]
fn every_commands_help_shows_an_example_of_itself() {
    let scene = Scene::new();

    for command in commands(&scene) {
        let help = stdout(&scene.tokenwell([command.as_str(), "--help"]).assert().success().stderr(""));
        let examples = help.split_once("Examples:\n").unwrap_or_else(|| panic!("{command}: {help}")).1;
        assert!(examples.contains(&format!("tokenwell {command}")), "{command}: {examples}");
    }
}

#[test]
fn duration_errors_say_what_to_write() {
    let scene = Scene::new();

    for value in ["abc", "5", "1x", "99999999999999999999h"] {
        for flag in ["--min-ttl", "--timeout"] {
            let message = stderr(&scene.tokenwell(["token", flag, value]).assert().code(2).stdout(""));
            let expected = format!("`{value}` is not a duration: write a number and a unit, for example 500ms, 90s, 10m or 1h");
            assert!(message.contains(&expected), "{message}");
        }
    }
}

#[test]
fn help_needs_no_configuration_and_sends_nothing() {
    let scene = Scene::new();
    let mut command = scene.tokenwell(["--help"]);

    let help = stdout(&command.env_remove("MONGODB_ATLAS_CLIENT_SECRET").assert().success());

    assert!(help.contains("Exit codes:"), "{help}");
    assert_eq!(scene.emulator.counters().connections, 0);
}

#[test]
fn the_completions_of_each_shell_know_the_commands() {
    let scene = Scene::new();

    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = stdout(&scene.tokenwell(["completions", shell]).assert().success().stderr(""));
        for word in ["exec", "doctor", "client-secret-stdin"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

#[cfg(unix)]
#[test]
fn the_shell_accepts_its_completions() {
    let scene = Scene::new();
    let script = stdout(&scene.tokenwell(["completions", "bash"]).assert().success());
    let file = scene.write("completions.bash", &script);

    let status = scene.plain("bash").arg("-n").arg(&file).status().unwrap();

    assert!(status.success());
}

#[test]
fn there_is_a_manual_page_for_each_command() {
    let scene = Scene::new();

    assert!(stdout(&scene.tokenwell(["man"]).assert().success()).contains(".TH tokenwell 1"));
    for command in commands(&scene) {
        let page = stdout(&scene.tokenwell(["man", command.as_str()]).assert().success());
        assert!(page.contains(&format!(".TH tokenwell-{command} 1")), "{command}: {page}");
    }
}

#[test]
fn an_unknown_page_is_an_invalid_argument_with_a_list_of_pages() {
    let scene = Scene::new();

    let message = stderr(&scene.tokenwell(["man", "nonsense"]).assert().code(2).stdout(""));

    assert!(message.contains("nonsense") && message.contains("doctor"), "{message}");
}

#[test]
fn a_wrong_flag_is_exit_code_2() {
    let scene = Scene::new();

    for arguments in
        [&["nonsense"][..], &["token", "--nonsense"], &["token", "--min-ttl", "soon"], &["sink"], &["sink", "f", "--mode", "0666"]]
    {
        scene.tokenwell(arguments.iter().copied()).assert().code(2).stdout("");
    }
}
