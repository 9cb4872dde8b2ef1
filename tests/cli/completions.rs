//! Completions, asked for as the shells do it.

use crate::support::{Scene, command_path, stderr, stdout, text, until};
use std::os::unix::fs::{PermissionsExt as _, symlink};

const PROFILES: &str =
    "[staging]\nclient_id = \"mdb_sa_id_1\"\n\n[stable]\nclient_id = \"mdb_sa_id_2\"\n\n[prod]\nclient_id = \"mdb_sa_id_3\"\n";

/// A scene with profiles, and a directory with the command and one more program.
fn scene() -> Scene {
    let scene = Scene::new();
    scene.write_profile(PROFILES);
    std::fs::create_dir(scene.path("bin")).unwrap();
    symlink(command_path(), scene.path("bin/tokenwell")).unwrap();
    let program = scene.write("bin/zz-program", "#!/bin/sh\n");
    std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
    scene.write("bin/zz-not-executable", "");
    scene.write("ca.pem", "");
    scene
}

fn path(scene: &Scene) -> String {
    format!("{}:/usr/bin:/bin", text(&scene.path("bin")))
}

/// What bash offers after `words`: it sources the script and calls the function with the variables
/// that it sets. The last word is the one that is completed.
fn bash(scene: &Scene, words: &[&str]) -> Vec<String> {
    let current = words.last().unwrap();
    let script = r#"
        source <(tokenwell completions bash)
        function=$(complete -p tokenwell | sed 's/.* -F \([^ ]*\) .*/\1/')
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_TYPE=9 COMP_KEY=9 COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
        "$function" tokenwell "$CURRENT" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let mut bash = scene.plain("bash");
    bash.args(["--norc", "-c", script, "bash"]).args(words).env("CURRENT", current.trim_start_matches('=')).env("PATH", path(scene));
    let output = bash.output().unwrap();
    assert!(output.stderr.is_empty(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Tries again, because the candidates from files are left out if this machine takes more than 50 ms.
fn offers(scene: &Scene, words: &[&str], expected: &[&str]) {
    let mut last = Vec::new();
    for _ in 0..40 {
        last = bash(scene, words);
        if last == expected {
            return;
        }
    }
    panic!("{words:?}: {last:?} instead of {expected:?}");
}

#[test]
fn n26_bash_completes_the_names_of_profiles() {
    let scene = scene();

    for command in ["token", "exec", "login", "logout", "whoami"] {
        offers(&scene, &["tokenwell", command, "--profile", "st"], &["stable", "staging"]);
    }
    // bash has split `--profile=st`.
    offers(&scene, &["tokenwell", "sa", "list", "--as", "st"], &["stable", "staging"]);
    offers(&scene, &["tokenwell", "token", "--profile", "=", "st"], &["stable", "staging"]);
    offers(&scene, &["tokenwell", "token", "--profile", "="], &["prod", "stable", "staging"]);
    for command in ["show", "use", "remove", "rename"] {
        offers(&scene, &["tokenwell", "profile", command, "p"], &["prod"]);
    }
    offers(&scene, &["tokenwell", "profile", "rename", "prod", "p"], &[]);
}

#[test]
fn n26_bash_completes_programs_after_exec_and_files_after_those() {
    let scene = scene();

    offers(&scene, &["tokenwell", "exec", "--", "zz-"], &["zz-program"]);
    offers(&scene, &["tokenwell", "exec", "zz-"], &["zz-program"]);
    offers(&scene, &["tokenwell", "emulator", "--", "zz-"], &["zz-program"]);
    offers(&scene, &["tokenwell", "exec", "--", "zz-program", "ca"], &["ca.pem"]);
    offers(&scene, &["tokenwell", "exec", "--", "bin/zz"], &["bin/zz-program"]);
    offers(&scene, &["tokenwell", "exec", "--min-ttl", "30m", "--", "zz-"], &["zz-program"]);
    offers(&scene, &["tokenwell", "exec", "zz-program", "x", "ca"], &["ca.pem"]);
    offers(&scene, &["tokenwell", "emulator", "--", "zz-program", "x", "ca"], &["ca.pem"]);
    assert_eq!(bash(&scene, &["tokenwell", "emulator", ""]).iter().filter(|word| !word.starts_with('-')).count(), 0);
}

#[test]
fn n26_bash_completes_values_topics_and_requests() {
    let scene = scene();

    let basic = ["client_secret_basic_raw", "client_secret_basic"];
    offers(&scene, &["tokenwell", "token", "--auth-method", "client_secret_b"], &basic);
    offers(&scene, &["tokenwell", "token", "--format", "c"], &["curl"]);
    offers(&scene, &["tokenwell", "man", "ex"], &["exec"]);
    offers(&scene, &["tokenwell", "man", "cache", "l"], &["list"]);
    offers(&scene, &["tokenwell", "help", "se"], &["settings"]);
    offers(&scene, &["tokenwell", "help", "profile", "re"], &["rename", "remove"]);
    offers(&scene, &["tokenwell", "api", "P"], &["POST", "PATCH", "PUT"]);
    offers(&scene, &["tokenwell", "api", "GET", "groups/"], &["groups/{project}", "groups/{project}/clusters"]);
    offers(&scene, &["tokenwell", "api", "-X", "DEL"], &["DELETE"]);
    offers(&scene, &["tokenwell", "api", "orgs", "--data", "@ca"], &["@ca.pem"]);
    offers(&scene, &["tokenwell", "token", "--ca-file", "ca"], &["ca.pem"]);
}

#[test]
fn n26_flags_are_offered_when_nothing_else_fits() {
    let scene = scene();

    offers(&scene, &["tokenwell", "do"], &["doctor"]);
    assert_eq!(bash(&scene, &["tokenwell", ""]).iter().filter(|word| word.starts_with('-')).count(), 0);
    offers(&scene, &["tokenwell", "token", "--min"], &["--min-ttl"]);
    assert!(bash(&scene, &["tokenwell", "token", ""]).contains(&"--min-ttl".to_owned()));
    assert!(!bash(&scene, &["tokenwell", "emulator", "--"]).contains(&"--detached".to_owned()));
    offers(&scene, &["tokenwell", "nonsense", "x"], &[]);
}

/// The scripts of the other shells put the words after `--`, and read one candidate a line with its
/// description.
#[test]
fn n26_the_other_shells_get_the_candidates_with_their_descriptions() {
    let scene = scene();
    let lines = |shell: &str, words: &[&str], index: &str| {
        let mut command = scene.tokenwell(["--"].into_iter().chain(words.iter().copied()));
        command.env("_TOKENWELL_COMPLETE", shell).env("_CLAP_COMPLETE_INDEX", index).env("_CLAP_IFS", "\n").env("PATH", path(&scene));
        stdout(&command.assert().success().stderr(""))
    };

    for (shell, separator) in [("fish", "\t"), ("powershell", "\t"), ("zsh", ":")] {
        let expected = format!("stable{separator}https");
        let shown = until("the profiles", || {
            Some(lines(shell, &["tokenwell", "token", "--profile", "stab"], "3")).filter(|shown| !shown.is_empty())
        });
        assert!(shown.starts_with(&expected) && shown.lines().count() == 1, "{shell}: {shown}");
        let commands = lines(shell, &["tokenwell", "prof"], "1");
        assert!(commands.starts_with(&format!("profile{separator}List, show")), "{shell}: {commands}");
    }
    assert_eq!(lines("elvish", &["tokenwell", "man", "doc"], "2"), "doctor");
}

#[test]
fn n26_a_completion_needs_no_account_and_sends_nothing() {
    let scene = Scene::new();
    scene.write_profile("this is not TOML");
    let mut command = scene.tokenwell(["--", "tokenwell", "token", "--profile", ""]);
    command.env("_TOKENWELL_COMPLETE", "fish").env_remove("MONGODB_ATLAS_CLIENT_SECRET");

    command.assert().success().stdout("").stderr("");

    assert_eq!(scene.emulator.counters().connections, 0);
    let unknown =
        scene.tokenwell(["--", "tokenwell", ""]).env("_TOKENWELL_COMPLETE", "nu").assert().code(2).stdout("").get_output().clone();
    assert!(String::from_utf8(unknown.stderr).unwrap().contains("unknown shell `nu`\n  hint: Use one of: bash, "));
}

#[test]
fn each_shell_gets_a_script_that_asks_the_command() {
    let scene = Scene::new();

    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = stdout(&scene.tokenwell(["completions", shell]).assert().success().stderr(""));
        assert!(script.contains("_TOKENWELL_COMPLETE") && script.contains("tokenwell"), "{shell}: {script}");
        assert!(!script.contains(text(&scene.path(""))), "{shell}: a path of this machine: {script}");
    }
    let message = stderr(&scene.tokenwell(["completions", "nu"]).assert().code(2).stdout(""));
    assert!(message.contains("Use one of: bash, elvish, fish, powershell, zsh."), "{message}");
}

#[test]
fn bash_accepts_its_script() {
    let scene = Scene::new();
    let file = scene.write("completions.bash", &stdout(&scene.tokenwell(["completions", "bash"]).assert().success()));

    assert!(scene.plain("bash").arg("-n").arg(&file).status().unwrap().success());
}

/// bash itself, on a terminal: a tab completes the name of the profile, and the command runs.
#[cfg(target_os = "linux")]
#[test]
fn n26_a_tab_in_an_interactive_bash_completes_the_profile() {
    use nix::pty::openpty;
    use std::fs::File;
    use std::io::{Read as _, Write as _};

    let scene = scene();
    let pair = openpty(None, None).unwrap();
    let (mut terminal, theirs) = (File::from(pair.master), File::from(pair.slave));
    let mut bash = scene.plain("setsid");
    bash.args(["--ctty", "bash", "--norc", "--noprofile", "-i"]).env("PATH", path(&scene)).env("TERM", "dumb").env("PS1", "> ");
    bash.stdin(theirs.try_clone().unwrap()).stdout(theirs.try_clone().unwrap()).stderr(theirs);
    let mut child = bash.spawn().unwrap();
    drop(bash);
    let shown = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let (mut reader, sink) = (terminal.try_clone().unwrap(), std::sync::Arc::clone(&shown));
    std::thread::spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            sink.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    });

    terminal.write_all(b"source <(tokenwell completions bash); echo ready=$?\n").unwrap();
    until("the script", || shown.lock().unwrap().contains("ready=0").then_some(()));
    // On a busy machine a completion may find nothing in its time: then the line is tried again.
    until("the settings of the profile", || {
        let before = shown.lock().unwrap().len();
        terminal.write_all(b"tokenwell profile show stag\t; echo end=$?\n").unwrap();
        until("the end of the command", || shown.lock().unwrap()[before..].contains("\nend=").then_some(()));
        shown.lock().unwrap().contains("mdb_sa_id_1").then_some(())
    });

    assert!(shown.lock().unwrap().contains("tokenwell profile show staging ;"), "{}", shown.lock().unwrap());
    terminal.write_all(b"exit\n").unwrap();
    child.wait().unwrap();
}
