//! Where unsafe code may be: `src/ffi`, one file for each system in `src/platform`, and two files of tests and benchmarks (docs/architecture.md).
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code)] // Its tests run in tests/prose.
#[path = "prose/passages.rs"]
mod passages;

use passages::Syntax;
use std::fs;
use std::path::{Path, PathBuf};

const ROOMS: [&str; 6] = [
    "src/ffi/",
    "src/platform/unix/sys.rs",
    "src/platform/windows/sys.rs",
    "tests/file_store/child.rs",
    "benches/get.rs",
    "tests/more/sanitizers/standard_library/src/main.rs",
];

/// The words in code: of a block, a function or an attribute, and of the attribute that allows them.
const WORDS: [&str; 2] = ["unsafe", "unsafe_code"];

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().unwrap() != "target" {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The lines with unsafe code, as `FILE:LINE`. What is in a comment or a string is none; a comment behind unsafe code does not hide it.
fn unsafe_lines(name: &str, source: &str) -> Vec<String> {
    let of_a_name = |character: char| character.is_alphanumeric() || character == '_';
    let code = Syntax::Rust.code(source);
    let is_unsafe = |line: &str| line.split(|character| !of_a_name(character)).any(|word| WORDS.contains(&word));
    code.lines().enumerate().filter(|(_, line)| is_unsafe(line)).map(|(index, _)| format!("{name}:{}", index + 1)).collect()
}

fn all_unsafe_lines() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for directory in ["src", "tests", "benches"] {
        sources(&root.join(directory), &mut files);
    }
    assert!(files.len() > 150, "only {} files were read", files.len());
    files
        .iter()
        .flat_map(|file| unsafe_lines(file.strip_prefix(root).unwrap().to_str().unwrap(), &fs::read_to_string(file).unwrap()))
        .collect()
}

#[test]
fn unsafe_code_is_in_its_rooms_alone() {
    let outside: Vec<_> = all_unsafe_lines().into_iter().filter(|line| !ROOMS.iter().any(|room| line.starts_with(room))).collect();

    assert!(outside.is_empty(), "unsafe code outside {ROOMS:?}:\n{}", outside.join("\n"));
}

#[test]
fn every_room_has_unsafe_code() {
    let lines = all_unsafe_lines();

    for room in ROOMS {
        assert!(lines.iter().any(|line| line.starts_with(room)), "{room} needs no exception");
    }
}

#[test]
fn a_line_with_a_comment_counts_and_a_comment_alone_does_not() {
    let source =
        "let x = unsafe { f() }; // SAFETY: none\n// unsafe\nlet y = \"unsafe\"; // unsafe\n#![allow(unsafe_code)]\nlet cache_unsafe = 1;";

    assert_eq!(unsafe_lines("f.rs", source), ["f.rs:1", "f.rs:4"]);
}
