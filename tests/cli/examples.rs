//! Every example of every `--help` is run as it is printed, against the emulator.
//!
//! All examples, and each new one, must succeed in bash, except those in [`FOREIGN`]. What an example
//! expects is in [`PRELUDE`], [`PROGRAMS`] and [`REPLACED`].

use crate::help::every_command;
use crate::support::{Scene, command_path, stdout, text};
use serde_json::json;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_ORG_ID, DEFAULT_PROJECT_ID};

/// Parts of the examples whose language is not that of bash, with the language. Only the commands of
/// tokenwell in them are run.
const FOREIGN: [(&str, &str); 4] = [
    ("set -l line (tokenwell", "fish"),
    ("$line = tokenwell env --shell powershell", "PowerShell"),
    ("for /f \"delims=\"", "cmd.exe"),
    ("| Out-String | Invoke-Expression", "PowerShell"),
];

/// The scripts below "Examples:". A block is a description and its script, which is indented
/// further, or only a script.
fn scripts(help: &str) -> Vec<String> {
    let examples = help.split_once("Examples:\n").unwrap_or_else(|| panic!("no examples: {help}")).1;
    // The next heading, or prose, is not indented.
    let examples: Vec<_> = examples.lines().take_while(|line| line.is_empty() || line.starts_with("  ")).collect();
    let blocks = examples.split(|line| line.is_empty()).filter(|block| !block.is_empty());
    let script = |block: &[&str]| {
        let indent = if block.iter().any(|line| line.starts_with("    ")) { "    " } else { "  " };
        block.iter().filter_map(|line| line.strip_prefix(indent)).collect::<Vec<_>>().join("\n")
    };
    blocks.map(script).collect()
}

/// The commands of tokenwell in `script`. One of these characters follows each of them.
fn own_commands(script: &str) -> Vec<String> {
    let starts = script.match_indices("tokenwell ").map(|(start, _)| &script[start..]);
    let commands: Vec<_> = starts.map(|rest| rest.split([')', '\'', '|', ';', '\n']).next().unwrap().trim().to_owned()).collect();
    assert!(!commands.is_empty(), "{script}");
    commands
}

/// Examples name addresses and files that a test cannot use. They are replaced by those of the test.
const REPLACED: [(&str, &str); 5] = [
    ("mdb_sa_id_…", DEFAULT_CLIENT_ID),
    ("https://cloud.mongodb.com", "$MONGODB_ATLAS_BASE_URL"),
    ("/run/user/1000", "$HOME/run"),
    ("/shared", "$HOME/shared"),
    // The port may be in use.
    ("--port 8080", "--port 0"),
];

/// Functions and variables that an example expects. A command that runs until it is stopped is
/// stopped as soon as it has a result, and must then exit with 0.
const PRELUDE: &str = r#"
set -eu -o pipefail
stopped_after() { # stopped_after PATTERN FILE COMMAND...: runs the command until the file has the pattern
    local pattern=$1 file=$2 pid
    shift 2
    "$TOKENWELL" "$@" >"$HOME/output" &
    pid=$!
    until grep -qs "$pattern" "$file"; do
        kill -0 "$pid" || { wait "$pid"; return 70; }
        sleep 0.02
    done
    kill "$pid"
    wait "$pid"
}
tokenwell() {
    case " $* " in
        " sink "*"--once "* | *" -- "*) "$TOKENWELL" "$@" ;;
        " sink "*)
            local metrics
            metrics=$(mktemp -d)/metrics
            stopped_after 'renewals_total 1' "$metrics" "$@" --metrics "$metrics" ;;
        *"--background "*"--until-pid "*) "$TOKENWELL" "$@" ;;
        *" --background "*) "$TOKENWELL" "$@" --until-pid $$ ;;
        " emulator "*) : >"$HOME/output"; stopped_after '^# ready' "$HOME/output" "$@" ;;
        *) "$TOKENWELL" "$@" ;;
    esac
}
compdef() { :; } # of zsh
source() { # without a file, as in fish
    if [ $# = 0 ]; then cat >/dev/null; else builtin source "$@"; fi
}
fish_pid=$$ ORG=$MONGODB_ATLAS_ORG_ID GITHUB_ENV=$HOME/github_env
token=$("$TOKENWELL" token)
"$TOKENWELL" token >leaked.txt
"#;

/// Changes are made to another account than the one that is signed in: `$id`, with the secret `$secret_id`.
const OTHER_ACCOUNT: &str = r#"
id=$("$TOKENWELL" sa create other --role ORG_READ_ONLY --to "file:$(mktemp -d)/secret" -q)
secret_id=$("$TOKENWELL" sa secret list "$id" -q)
"$TOKENWELL" sa access add "$id" 192.0.2.7
case $EXAMPLE in *"sa delete"*--project*) "$TOKENWELL" sa invite "$id" --project "$MONGODB_ATLAS_PROJECT_ID" --role GROUP_OWNER ;; esac
"#;

/// The programs that examples call: each checks what it gets.
const PROGRAMS: [(&str, &str); 8] = [
    ("terraform", "[ -n \"$MONGODB_ATLAS_ACCESS_TOKEN\" ] && [ -z \"${MONGODB_ATLAS_CLIENT_SECRET-}\" ]"),
    ("npm", "[ \"$TOKENWELL_EMULATOR\" = 1 ] && [ -n \"$MONGODB_ATLAS_CLIENT_SECRET\" ]"),
    ("systemctl", "[ \"$1\" = reload ]"),
    ("curl", "exec \"$CURL\" --fail --silent --show-error \"$@\""),
    ("man", "[ \"$*\" = '-l -' ] && grep -q '^.TH tokenwell 1'"),
    ("kubectl", "grep -q '^kind: Secret'"),
    ("vault", "[ \"$*\" = 'kv put secret/ci atlas=-' ] && grep -q '^mdb_sa_sk_'"),
    ("job", "[ -n \"$MONGODB_ATLAS_ACCESS_TOKEN\" ]"),
];

struct Stage {
    scene: Scene,
}

impl Stage {
    fn new() -> Self {
        let scene = Scene::new();
        // Resources of Atlas that the emulator does not have.
        let stubs = json!([
            { "method": "POST", "path": "/api/atlas/v2/groups", "status": 201, "body": { "name": "staging" } },
            { "method": "DELETE", "path": "/api/atlas/v2/groups/{groupId}/accessList/{entry}", "status": 204 },
        ]);
        scene.emulator.set_stubs(stubs).unwrap();
        let stage = Self { scene };
        for directory in ["bin", "run", "shared"] {
            std::fs::create_dir(stage.scene.path(directory)).unwrap();
        }
        for (name, script) in PROGRAMS {
            stage.program(&format!("bin/{name}"), script);
        }
        for name in ["job", "a-long-job"] {
            stage.program(name, PROGRAMS.iter().find(|(name, _)| *name == "job").unwrap().1);
        }
        stage.scene.private("secret.txt", DEFAULT_CLIENT_SECRET);
        stage.scene.write("app.tmpl", "token = {{ token }}\n");
        stage.scene.write("new.json", r#"{"name": "new", "description": "new", "roles": ["ORG_READ_ONLY"], "secretExpiresAfterHours": 8}"#);
        stage
    }

    fn program(&self, name: &str, script: &str) {
        let file = self.scene.write(name, &format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The profiles that examples name. `rename` needs a new name that does not exist.
    fn write_profiles(&self, script: &str) {
        let names: &[&str] = if script.contains("profile rename") { &["default", "stg"] } else { &["default", "staging"] };
        let secret = self.scene.path("secret.txt");
        let profile = |name: &&str| {
            let base_url = self.scene.emulator.base_url();
            format!(
                "[{name}]\nclient_id = \"{DEFAULT_CLIENT_ID}\"\nclient_secret_file = \"{}\"\nbase_url = \"{base_url}\"\n",
                text(&secret)
            )
        };
        self.scene.write_profile(&names.iter().map(profile).collect::<String>());
    }

    /// Runs one example, and returns what is wrong.
    fn run(&self, command: &str, script: &str) -> Option<String> {
        self.write_profiles(script);
        let is_foreign = FOREIGN.iter().any(|(part, _)| script.contains(part));
        let printed = if is_foreign { own_commands(script).join("\n") } else { script.to_owned() };
        let replaced = REPLACED.iter().fold(printed, |script, (from, to)| script.replace(from, to));
        // The function `tokenwell` runs in the background of an example that ends with `&`.
        let other = if script.contains("tokenwell sa ") && script.contains("$id") { OTHER_ACCOUNT } else { "" };
        let whole = format!("{PRELUDE}\n{other}\n{replaced}\nfor job in $(jobs -p); do wait \"$job\"; done\n");
        let path = std::env::var("PATH").unwrap();
        let mut bash = self.scene.plain("bash");
        bash.args(["-c", &whole, "bash"]).env("PATH", format!("{}:{path}", text(&self.scene.path("bin"))));
        bash.env("EXAMPLE", script).env("TOKENWELL", command_path()).env("CURL", which("curl")).env("MONGODB_ATLAS_ORG_ID", DEFAULT_ORG_ID);
        let output = bash.env("MONGODB_ATLAS_PROJECT_ID", DEFAULT_PROJECT_ID).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        // bash reports a mistake in the middle of a pipe only here.
        let is_mistake = errors.contains("bash: line") || errors.contains("command not found");
        (!output.status.success() || is_mistake)
            .then(|| format!("{command}: {script}\n{}: {errors}{}", output.status, String::from_utf8_lossy(&output.stdout)))
    }
}

fn which(program: &str) -> String {
    let output = Command::new("sh").args(["-c", "command -v \"$0\"", program]).output().unwrap();
    let path = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    assert!(!path.is_empty(), "{program} is missing: the examples of the help need it");
    path
}

#[test]
fn every_example_of_the_help_runs() {
    which("jq");
    let pages = every_command(&Scene::new());
    let count = std::sync::atomic::AtomicUsize::new(0);

    // Most of the time of an example is spent waiting for a process.
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = pages
            .chunks(pages.len().div_ceil(4))
            .map(|pages| {
                let count = &count;
                scope.spawn(move || {
                    let mut wrong = Vec::new();
                    for page in pages {
                        let stage = Stage::new();
                        let words = page.iter().map(String::as_str).chain(["--help"]);
                        for script in scripts(&stdout(&stage.scene.tokenwell(words).assert().success())) {
                            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                            wrong.extend(stage.run(&page.join(" "), &script));
                        }
                    }
                    wrong
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });

    assert!(wrong.is_empty(), "{}", wrong.join("\n---\n"));
    let count = count.into_inner();
    assert!(count > 50, "the scan found only {count} examples");
}

/// The check itself must see a mistake: in a flag, in a path, and in a pipe.
#[test]
fn an_example_that_cannot_run_is_found() {
    let stage = Stage::new();

    for wrong in [
        "tokenwell token --nonsense",
        "tokenwell api nonsense",
        "tokenwell status --json | jk .token",
        "set -l line (tokenwell env --shell nonsense); or exit; eval $line",
        "tokenwell sink --format nonsense /shared/token",
        "eval \"$(tokenwell emulator --background --until-pid none)\"\n[ -n \"$TOKENWELL_EMULATOR_PID\" ]",
    ] {
        assert!(stage.run("example", wrong).is_some(), "{wrong}");
    }
}

#[test]
fn the_manual_page_has_the_examples_of_the_help() {
    let scene = Scene::new();

    for page in every_command(&scene) {
        let words = |first: &'static str| [first].into_iter().chain(page.iter().map(String::as_str));
        let manual = stdout(&scene.tokenwell(words("man")).assert().success());
        let plain = ["\\-", "\\(aq", "\\(dq", "\\(ha", "\\(ti", "\\e"]
            .into_iter()
            .zip(["-", "'", "\"", "^", "~", "\\"])
            .fold(manual, |manual, (escape, character)| manual.replace(escape, character));
        for script in scripts(&stdout(&scene.tokenwell(words("help")).assert().success())) {
            // The manual page has no backquotes and no character that roff does not read.
            let line = script.lines().next().unwrap().replace('`', "").replace('…', "...");
            assert!(plain.contains(&line), "{page:?}: {line}\n{plain}");
        }
    }
}
