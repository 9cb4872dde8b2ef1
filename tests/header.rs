//! include/tokenwell.h is generated from src/ffi with cbindgen. `make header` writes it.
//!
//! These tests check that it is up to date and that it documents every function and parameter.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

const LONGEST_LINE: usize = 100;

#[test]
fn the_checked_in_header_is_current() {
    let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/tokenwell.h");
    let generated = generate();
    if std::env::var_os("TOKENWELL_WRITE_HEADER").is_some() {
        std::fs::write(&header, &generated).unwrap();
    }

    let checked_in = std::fs::read_to_string(&header).unwrap_or_default();

    assert!(checked_in == generated, "include/tokenwell.h is stale: run `make header` and commit the result");
}

#[test]
fn r28_the_version_macros_of_the_checked_in_header_follow_cargo_toml() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let header = std::fs::read_to_string(root.join("include/tokenwell.h")).unwrap();
    let cargo = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let version = cargo.lines().find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"')).unwrap();
    let value = |name: &str| header.lines().find_map(|line| line.strip_prefix(&format!("#define TOKENWELL_{name} "))).unwrap_or_default();

    let parts: Vec<u32> = version.split('-').next().unwrap().split('.').map(|part| part.parse().unwrap()).collect();
    let number = parts.iter().fold(0, |number, part| 1000 * number + part);

    assert_eq!(value("VERSION"), format!("\"{version}\""));
    assert_eq!(["VERSION_MAJOR", "VERSION_MINOR", "VERSION_PATCH"].map(value), [0, 1, 2].map(|index| parts[index].to_string()));
    assert_eq!(value("VERSION_NUMBER"), number.to_string());
}

#[test]
fn no_line_of_the_header_is_longer_than_100_columns() {
    let generated = generate();
    let long: Vec<&str> = generated.lines().filter(|line| line.chars().count() > LONGEST_LINE).collect();

    assert!(long.is_empty(), "lines longer than {LONGEST_LINE} columns: {long:#?}");
}

#[test]
fn every_function_of_the_header_says_since_which_version() {
    for function in functions(&generate()).iter().filter(|function| !function.is_callback) {
        assert!(function.has_tag("@since"), "{} has no @since", function.name);
    }
}

#[test]
fn every_parameter_of_the_header_is_documented() {
    for function in functions(&generate()) {
        assert_eq!(function.documented_parameters(), function.parameters, "the @param lines of {}", function.name);
    }
}

#[test]
fn every_result_of_the_header_is_documented() {
    for function in functions(&generate()) {
        let documented = function.has_tag("@return");

        assert_eq!(documented, function.returns_a_value, "{} has @return: {documented}", function.name);
    }
}

#[test]
fn the_parser_of_these_tests_finds_each_mistake() {
    let header = "/// Does it.\n///\n/// @param a One.\n/// @param gone Removed.\nint32_t tokenwell_do(const char *a,\n                     size_t b);\n";

    let found = functions(header);

    assert_eq!(found.len(), 1);
    assert_eq!(found[0].name, "tokenwell_do");
    assert_eq!(found[0].parameters, ["a", "b"]);
    assert_eq!(found[0].documented_parameters(), ["a", "gone"]);
    assert!(found[0].returns_a_value && !found[0].has_tag("@return") && !found[0].has_tag("@since"));
}

#[test]
fn the_header_names_every_setting() {
    let generated = generate();
    let set = functions(&generated).into_iter().find(|function| function.name == "tokenwell_config_set").unwrap();
    let listed: Vec<&str> = set.documentation.iter().filter_map(|line| line.strip_prefix("- `")?.split('`').next()).collect();

    let settings: Vec<&str> = tokenwell::config::settings().map(|setting| setting.name()).collect();

    for setting in settings {
        assert!(listed.contains(&setting), "{setting} is not among the settings of tokenwell_config_set");
    }
}

/// A function of the header, or the type of a callback.
struct Function {
    name: String,
    is_callback: bool,
    returns_a_value: bool,
    parameters: Vec<String>,
    /// The lines of its comment, without the comment mark.
    documentation: Vec<String>,
}

impl Function {
    fn has_tag(&self, tag: &str) -> bool {
        self.documentation.iter().any(|line| line.split(' ').next() == Some(tag) && line.len() > tag.len())
    }

    /// The names in the `@param` lines, in order. A line without a description does not count.
    fn documented_parameters(&self) -> Vec<&str> {
        self.documentation
            .iter()
            .filter_map(|line| line.strip_prefix("@param ")?.split_once(' '))
            .filter(|(_, description)| !description.trim().is_empty())
            .map(|(name, _)| name)
            .collect()
    }
}

/// The functions and callback types of `header`, with the comments above them.
fn functions(header: &str) -> Vec<Function> {
    let mut found = Vec::new();
    let mut documentation = Vec::new();
    let mut lines = header.lines();
    while let Some(line) = lines.next() {
        if let Some(comment) = line.strip_prefix("///") {
            documentation.push(comment.strip_prefix(' ').unwrap_or(comment).to_owned());
            continue;
        }
        let documentation = std::mem::take(&mut documentation);
        let begins_a_function = line.starts_with(|first: char| first.is_ascii_lowercase()) && line.contains('(');
        if !begins_a_function {
            continue;
        }
        let mut declaration = line.to_owned();
        while !declaration.ends_with(';') {
            declaration.push_str(lines.next().expect("a declaration ends with a semicolon"));
        }
        found.push(function(&declaration, documentation));
    }
    found
}

fn function(declaration: &str, documentation: Vec<String>) -> Function {
    let (head, parameters) = declaration.trim_end_matches(");").rsplit_once('(').unwrap();
    let parameters = parameters.split(',').map(last_name).filter(|name| name != "void").collect();
    Function {
        name: last_name(head),
        is_callback: head.starts_with("typedef"),
        returns_a_value: !head.trim_start_matches("typedef ").starts_with("void "),
        parameters,
        documentation,
    }
}

/// The last identifier in `text`: the declared name.
fn last_name(text: &str) -> String {
    let is_part_of_a_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    text.rsplit(|character| !is_part_of_a_name(character)).find(|word| !word.is_empty()).unwrap_or_default().to_owned()
}

/// The values of the placeholders in cbindgen.toml.
fn version_macros() -> [(&'static str, String); 5] {
    let [major, minor, patch] = [env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"), env!("CARGO_PKG_VERSION_PATCH")]
        .map(|part| part.parse::<u32>().unwrap());
    [
        ("MAJOR", major.to_string()),
        ("MINOR", minor.to_string()),
        ("PATCH", patch.to_string()),
        ("VERSION", env!("CARGO_PKG_VERSION").to_owned()),
        ("NUMBER", (1_000_000 * major + 1000 * minor + patch).to_string()),
    ]
}

fn generate() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let mut builder = cbindgen::Builder::new().with_config(config).with_src(root.join("src/error/status.rs"));
    for file in [
        "library",
        "error",
        "config",
        "secret",
        "token",
        "stats",
        "operation",
        "queue",
        "client",
        "description",
        "client_async",
        "api_request",
        "api_response",
        "client_request",
        "log",
    ] {
        builder = builder.with_src(root.join("src/ffi").join(file).with_extension("rs"));
    }
    let mut header = Vec::new();
    builder.generate().unwrap().write(&mut header);
    // Clippy requires rustdoc's heading for preconditions. Doxygen's command for them is @pre.
    let mut header = String::from_utf8(header).unwrap().replace("/// # Safety\n/// ", "/// @pre ");
    for (name, value) in version_macros() {
        header = header.replace(&format!("@{name}@"), &value);
    }
    // cbindgen documents the enum and not the type that C programs use for it.
    for typedef in ["typedef enum tokenwell_status tokenwell_status;", "typedef int32_t tokenwell_status;"] {
        assert!(header.contains(typedef), "the header has no {typedef}");
        header = header.replace(typedef, &format!("/// A status: a value of `enum tokenwell_status`.\n{typedef}"));
    }
    assert!(functions(&header).len() > 30, "the header has its functions");
    header
}
