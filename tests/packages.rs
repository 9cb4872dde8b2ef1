//! The packages of the other languages have the version and the licences of this crate.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}

#[test]
fn every_package_has_the_version_of_the_library() {
    let version = env!("CARGO_PKG_VERSION");

    for (file, line) in [
        ("Makefile", format!("VERSION := {version}\n")),
        ("bindings/python/pyproject.toml", format!("version = \"{version}\"\n")),
        ("bindings/python/pyproject.toml", format!("cli = [\"tokenwell-cli=={version}\"]\n")),
        ("bindings/python/cli/pyproject.toml", format!("version = \"{version}\"\n")),
        ("bindings/python/pytest-plugin/pyproject.toml", format!("version = \"{version}\"\n")),
        (
            "bindings/python/pytest-plugin/pyproject.toml",
            format!("dependencies = [\"pytest>=7\", \"tokenwell=={version}\", \"tokenwell-cli=={version}\"]\n"),
        ),
        ("bindings/python/tokenwell/__init__.py", format!("__version__ = \"{version}\"\n")),
        ("bindings/node/package.json", format!("\"version\": \"{version}\",\n")),
    ] {
        assert!(read(file).contains(&line), "{file} does not contain {line:?}");
    }
}

#[test]
fn every_package_contains_the_licences() {
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        for package in ["python", "python/cli", "python/pytest-plugin", "go", "node"] {
            assert_eq!(read(&format!("bindings/{package}/{licence}")), read(licence), "{licence} of {package}");
        }
    }
}
