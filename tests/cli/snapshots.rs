//! What the command shows on a terminal, page by page, compared with the files in `snapshots/`.
//!
//! A change of a message shows up in a review there, as users see it. `TOKENWELL_WRITE_SNAPSHOTS=1`
//! writes the files. Each page is shown at 80 and at 120 columns; its colors are listed below it.

mod scrub;

use crate::help::every_command;
use crate::support::{Scene, command_path};
use crate::terminal::on_terminal;
use scrub::Scrub;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use tokenwell::emulator::DEFAULT_CLIENT_SECRET;

const WIDTHS: [u16; 2] = [80, 120];

/// A home directory whose path has the same length on every machine, so that lines are wrapped at
/// the same words, and a copy of the command in it: `doctor` shows its path.
struct Stage {
    scene: Scene,
    home: TempDir,
}

impl Stage {
    fn new() -> Self {
        let home = tempfile::Builder::new().prefix("tokenwell-").rand_bytes(6).tempdir_in("/tmp").unwrap();
        Self { scene: Scene::new(), home }
    }

    fn with_a_copy_of_the_command(self) -> Self {
        let copy = self.home.path().join("tokenwell");
        if std::fs::hard_link(command_path(), &copy).is_err() {
            std::fs::copy(command_path(), &copy).unwrap();
        }
        self
    }

    fn command(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
        let copy = self.home.path().join("tokenwell");
        let mut command = self.scene.plain(if copy.exists() { copy.to_str().unwrap() } else { command_path() });
        let below = |name: &str| self.home.path().join(name);
        command.args(arguments).current_dir(self.home.path()).env("HOME", self.home.path()).env("PATH", "/usr/bin:/bin");
        command.env("XDG_CACHE_HOME", below("cache")).env("XDG_CONFIG_HOME", below("config")).env("XDG_RUNTIME_DIR", below("runtime"));
        for (name, value) in variables {
            // An empty variable counts as not set.
            command.env(name, value);
        }
        command
    }

    /// A home without files, in which these commands were run.
    fn prepare(&self, before: &[&[&str]]) {
        for directory in ["cache", "config", "runtime"].map(|name| self.home.path().join(name)) {
            if directory.exists() {
                std::fs::remove_dir_all(directory).unwrap();
            }
        }
        for arguments in before {
            let output = self.command(arguments, &[]).output().unwrap();
            assert!(output.status.success(), "{arguments:?}: {output:?}");
        }
    }

    fn page(&self, arguments: &[&str], variables: &[(&str, &str)]) -> String {
        self.page_after(&[], arguments, variables)
    }

    /// The page of a command, each time after the commands `before`: at each width without colors,
    /// and the painted words.
    fn page_after(&self, before: &[&[&str]], arguments: &[&str], variables: &[(&str, &str)]) -> String {
        let scrub = Scrub { home: self.home.path(), base_url: self.scene.emulator.base_url() };
        let set: String = variables.iter().map(|(name, value)| format!("{name}={value} ")).collect();
        let mut page = String::new();
        let mut painted_before = None;
        let mut plain_before = None;
        for width in WIDTHS {
            let with = |color: &[(&str, &str)]| {
                let variables: Vec<_> = variables.iter().chain(color).copied().collect();
                self.prepare(before);
                scrub.apply(&on_terminal(self.command(arguments, &variables), width))
            };
            let (plain, colored) = (with(&[("NO_COLOR", "1")]), with(&[]));
            let (words, painted) = without_colors(&colored);
            assert_eq!(words, plain, "{arguments:?}: the words depend on the colors");
            let _ = writeln!(page, "$ {set}tokenwell {}    # {width} columns", arguments.join(" "));
            page += if plain_before.as_ref() == Some(&plain) { "(the same)\n" } else { &plain };
            if painted_before.as_ref() != Some(&painted) {
                painted
                    .iter()
                    .for_each(|(codes, parts)| page += &format!("# color {codes}: {}\n", Vec::from_iter(parts.clone()).join(" | ")));
            }
            page.push('\n');
            (plain_before, painted_before) = (Some(plain), Some(painted));
        }
        page
    }
}

/// The words of a page, and for each color the different parts that have it.
fn without_colors(page: &str) -> (String, BTreeMap<String, BTreeSet<String>>) {
    let (mut words, mut painted, mut codes, mut part) = (String::new(), BTreeMap::new(), Vec::new(), String::new());
    for (index, piece) in page.split("\u{1b}[").enumerate() {
        let shown = if index == 0 {
            piece
        } else {
            let (code, shown) = piece.split_once('m').unwrap_or_else(|| panic!("not a color: {piece:?}"));
            if code == "0" {
                let parts: &mut BTreeSet<String> = painted.entry(codes.join(" ")).or_default();
                parts.insert(std::mem::take(&mut part));
                codes.clear();
            } else {
                codes.push(code.to_owned());
            }
            shown
        };
        if !codes.is_empty() {
            assert!(!shown.contains('\n'), "a pager would lose the color: {shown:?}");
            part += shown;
        }
        words += shown;
    }
    assert!(codes.is_empty(), "the page ends with a color: {page:?}");
    (words, painted)
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/snapshots")
}

/// Compares the pages with the files, or writes them.
fn compare(pages: &BTreeMap<String, String>) {
    let mut different = Vec::new();
    for (name, page) in pages {
        let file = directory().join(name).with_extension("txt");
        if std::env::var_os("TOKENWELL_WRITE_SNAPSHOTS").is_some() {
            std::fs::write(&file, page).unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        if expected != *page {
            let line = expected.lines().zip(page.lines()).position(|(old, new)| old != new);
            let line = line.unwrap_or_else(|| expected.lines().count().min(page.lines().count()));
            let near = |page: &str| page.lines().skip(line.saturating_sub(2)).take(5).collect::<Vec<_>>().join("\n  ");
            different.push(format!("{name}.txt:{}\n- {}\n+ {}", line + 1, near(&expected), near(page)));
        }
    }
    let advice = "if the new wording is right, run this test with TOKENWELL_WRITE_SNAPSHOTS=1 and read `git diff`";
    assert!(different.is_empty(), "{advice}\n{}", different.join("\n\n"));
}

#[test]
fn the_help_of_every_command_is_the_one_in_the_snapshots() {
    let stage = Stage::new();
    let commands = every_command(&stage.scene);
    // Most of the time is that of a process that starts.
    let page = |command: &Vec<String>| {
        let name = if command.is_empty() { "tokenwell".to_owned() } else { command.join("-") };
        let words: Vec<_> = command.iter().map(String::as_str).collect();
        let both = ["-h", "--help"].map(|flag| stage.page(&[&words[..], &[flag]].concat(), &[]));
        (format!("help-{name}"), both.concat())
    };
    let page = &page;
    let pages: BTreeMap<String, String> = std::thread::scope(|scope| {
        let parts = commands.chunks(commands.len().div_ceil(4));
        let threads: Vec<_> = parts.map(|part| scope.spawn(move || part.iter().map(page).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    compare(&pages);

    let files = std::fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let stale: Vec<_> = files.filter(|name| name.starts_with("help-") && !pages.contains_key(name.trim_end_matches(".txt"))).collect();
    assert!(stale.is_empty(), "no command has these pages: {stale:?}");
}

#[test]
fn the_pages_of_the_commands_are_those_in_the_snapshots() {
    let stage = Stage::new().with_a_copy_of_the_command();
    let (token, login): (&[&str], &[&str]) = (&["token"], &["login", "--profile", "staging"]);
    let unreachable = [("MONGODB_ATLAS_BASE_URL", "http://127.0.0.1:1")];
    let pages = [
        ("settings", stage.page(&["help", "settings"], &[])),
        ("login", [stage.page(login, &[]), stage.page_after(&[login], login, &[])].concat()),
        ("status", [stage.page(&["status"], &[]), stage.page_after(&[token], &["status"], &[])].concat()),
        ("profile-list", [stage.page(&["profile", "list"], &[]), stage.page_after(&[login], &["profile", "list"], &[])].concat()),
        ("doctor", [stage.page_after(&[token], &["doctor"], &[]), stage.page(&["doctor"], &unreachable)].concat()),
    ];
    compare(&pages.into_iter().map(|(name, page)| (name.to_owned(), page)).collect());
}

#[test]
fn the_errors_are_those_in_the_snapshots() {
    let stage = Stage::new();
    let none: &[(&str, &str)] = &[("MONGODB_ATLAS_CLIENT_ID", ""), ("MONGODB_ATLAS_CLIENT_SECRET", "")];
    let wrong_secret = DEFAULT_CLIENT_SECRET.to_lowercase();
    let errors = [
        stage.page(&["token"], none),
        stage.page(&["token", "--profile", "nonsense"], none),
        stage.page(&["token"], &[("MONGODB_ATLAS_CLIENT_SECRET", &wrong_secret)]),
        stage.page(&["token"], &[("MONGODB_ATLAS_BASE_URL", "http://127.0.0.1:1")]),
        stage.page(&["token"], &[("TOKENWELL_TOKEN_ENDPOINT", "https://login.example.com/token")]),
        stage.page(&["token", "--min-ttl", "5"], &[]),
        stage.page(&["token", "--format", "yaml"], &[]),
        stage.page(&["tokn"], &[]),
        stage.page(&["token", "--client-secret", "x"], &[]),
        stage.page(&["exec", "--", "./nonsense"], &[]),
        stage.page(&["api", "groups/{project}/clusters"], &[]),
        stage.page(&["api", "nonsense"], &[]),
        stage.page(&["sink", "/nonsense/token"], &[]),
        stage.page(&["emulator", "--tls"], &[]),
        stage.page(&["revoke", "--token-stdin"], &[]),
    ];
    compare(&BTreeMap::from([("errors".to_owned(), errors.concat())]));
}

#[test]
fn a_page_without_its_colors_has_the_same_words() {
    let (words, painted) = without_colors("\u{1b}[1m\u{1b}[4mUsage:\u{1b}[0m x \u{1b}[32mok\u{1b}[0m\n");

    assert_eq!(words, "Usage: x ok\n");
    assert_eq!(painted, BTreeMap::from([("1 4".to_owned(), ["Usage:".to_owned()].into()), ("32".to_owned(), ["ok".to_owned()].into())]));
}
