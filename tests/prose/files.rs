//! The files whose prose is checked: pages, the header, the sources of the library, the command, the wrappers and the
//! examples, and the comments of the tests and scripts.

use crate::passages::{Kind, Syntax};
use crate::words::Words;
use std::fs;
use std::path::{Path, PathBuf};

/// Directories and files whose prose users and maintainers read.
const READ: [&str; 16] = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "Makefile",
    "cbindgen.toml",
    "Cargo.toml",
    "docs",
    "include",
    "src",
    "bindings",
    "examples",
    "benches",
    "tests",
    "packaging",
    ".ci",
];

/// Not read: the output of builds, the code of others, and the tests of the word list, which contain its words.
const PASSED_OVER: [&str; 7] = ["node_modules", "build", "target", "prose", "__pycache__", ".mypy_cache", ".pytest_cache"];

fn files_below(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_file() {
        found.push(path.to_owned());
        return;
    }
    let mut entries: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        let name = entry.file_name().unwrap().to_str().unwrap().to_owned();
        if !PASSED_OVER.contains(&name.as_str()) && !name.starts_with("LICENSE") {
            files_below(&entry, found);
        }
    }
}

/// Each finding as `FILE:LINE: "phrase": write "replacement"`.
fn findings(words: &Words) -> (usize, Vec<String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for place in READ {
        files_below(&root.join(place), &mut files);
    }
    let mut read = 0;
    let mut found = Vec::new();
    for file in files {
        let name = file.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let Some(syntax) = Syntax::of(&name) else { continue };
        let source = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
        read += 1;
        // The strings of tests are mostly data: what a server sends, what a program prints.
        let is_prose = |kind| kind == Kind::Comment || !name.starts_with("tests/");
        for passage in syntax.passages(&source).into_iter().filter(|passage| is_prose(passage.kind)) {
            for finding in words.in_prose(&passage.text) {
                let line = passage.line + finding.line - 1;
                found.push(format!("{name}:{line}: \"{}\": write \"{}\"", finding.phrase, finding.replacement));
            }
        }
        for finding in words.names_in(&source) {
            found.push(format!("{name}:{}: the name {}: use {}", finding.line, finding.phrase, finding.replacement));
        }
    }
    (read, found)
}

#[test]
fn no_retired_word_is_in_pages_comments_and_strings() {
    let (read, found) = findings(&Words::of_this_project());

    assert!(read > 200, "only {read} files were read");
    assert!(found.is_empty(), "{} retired words:\n{}", found.len(), found.join("\n"));
}

/// The messages of the library and the command that show the `Display` of an I/O error: it ends with
/// "(os error 2)". The rule is one of names: a message that begins with "cannot" or has a flag in front
/// of it shows a `problem`, or `os_reason` of the error.
fn shown_io_errors(source: &str) -> Vec<usize> {
    let is_shown = |text: &str| {
        let start = text.find("cannot ").map(|start| &text[start..]);
        start.is_some_and(|message| {
            ["read", "write", "open", "create", "start", "wait", "listen", "remove", "connect", "signal", "lock", "use"]
                .iter()
                .any(|act| message["cannot ".len()..].starts_with(act))
        }) && [": {error}", "({error})", ": {e}", ": {err}"].iter().any(|shown| text.contains(shown))
    };
    Syntax::Rust
        .passages(source)
        .into_iter()
        .filter(|passage| passage.kind != Kind::Comment && is_shown(&passage.text))
        .map(|passage| passage.line)
        .collect()
}

#[test]
fn no_message_shows_an_io_error_with_its_number() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    files_below(&root.join("src"), &mut files);
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs")) {
        let source = fs::read_to_string(file).unwrap();
        found.extend(shown_io_errors(&source).into_iter().map(|line| format!("{}:{line}", file.display())));
    }

    assert!(files.len() > 200, "only {} files were read", files.len());
    assert!(found.is_empty(), "use os_reason in:\n{}", found.join("\n"));
    assert_eq!(shown_io_errors("let a = 1;\nlet b = format!(\"cannot read {x}: {error}\");"), [2]);
}

#[test]
fn the_check_can_fail() {
    let (_, found) = findings(&Words::parse("token = none\nname Client = none").unwrap());

    assert!(found.iter().any(|line| line.starts_with("README.md:")), "no page was searched");
    assert!(found.iter().any(|line| line.starts_with("include/tokenwell.h:")), "the header was not searched");
    assert!(found.iter().any(|line| line.starts_with("src/client.rs:") && line.contains("the name Client")), "no name was searched");
    assert!(found.iter().any(|line| line.starts_with("bindings/python/tokenwell/client.py:")), "no wrapper was searched");
}
