//! Each "never" and "always" of docs/architecture.md names a test that shows it.

use std::path::{Path, PathBuf};

const PAGE: &str = "docs/architecture.md";

#[test]
fn each_never_and_always_names_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join(PAGE)).unwrap();
    let tests = names_of_tests(root);
    assert!(tests.len() > 500, "{} tests were found", tests.len());

    let unproven: Vec<_> = promises(&page).into_iter().filter(|promise| !names_a_test(promise, &tests)).collect();

    assert!(unproven.is_empty(), "paragraphs of {PAGE} that name no test:\n{}", unproven.join("\n\n"));
}

#[test]
fn a_promise_without_a_test_or_with_one_that_is_gone_is_found() {
    let page = "- It never fails.\n- It always works (`a_test`).\n- It never ends\n  (`a_lost_test`).\n\nA paragraph that is never long\n(`a_test`).\n";
    let tests = vec!["a_test".to_owned()];

    let found = promises(page);

    assert_eq!(found.len(), 4);
    assert_eq!(found.iter().filter(|promise| !names_a_test(promise, &tests)).count(), 2);
}

/// The paragraphs and list items with one of the words.
fn promises(page: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut starts = true;
    for line in page.lines() {
        let item = line.trim_start().starts_with("- ") || line.starts_with('|') || line.starts_with('#');
        if line.trim().is_empty() {
            starts = true;
        } else if starts || item {
            parts.push(line.to_owned());
            starts = false;
        } else if let Some(part) = parts.last_mut() {
            *part += "\n";
            *part += line;
        }
    }
    let is_promise = |part: &String| {
        part.split(|character: char| !character.is_alphabetic())
            .any(|word| word.eq_ignore_ascii_case("never") || word.eq_ignore_ascii_case("always"))
    };
    parts.retain(is_promise);
    parts
}

fn names_a_test(promise: &str, tests: &[String]) -> bool {
    promise.split('`').skip(1).step_by(2).any(|quoted| tests.iter().any(|test| test == quoted))
}

/// The names of all tests in Rust, C and Python.
fn names_of_tests(root: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for folder in ["src", "tests", "bindings/c/tests", "bindings/python/tests"] {
        for file in files(&root.join(folder)) {
            let Ok(source) = std::fs::read_to_string(&file) else { continue };
            for line in source.lines().map(str::trim) {
                let name = line.strip_prefix("fn ").or_else(|| line.strip_prefix("async fn ")).or_else(|| line.strip_prefix("def "));
                let name = name.or_else(|| line.strip_prefix("TEST(")).or_else(|| line.strip_prefix("NATIVE_TEST("));
                names.extend(name.and_then(|name| name.split(['(', ')', ',']).next()).map(str::to_owned));
            }
        }
    }
    names
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).filter(|path| is_source(path)).collect()
}

fn is_source(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs" || extension == "c" || extension == "py")
}
