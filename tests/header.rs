//! include/tokenwell.h is what cbindgen makes of src/ffi today. `make header` writes it anew.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

#[test]
fn the_checked_in_header_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let header = root.join("include/tokenwell.h");
    let generated = generate(root);
    if std::env::var_os("TOKENWELL_WRITE_HEADER").is_some() {
        std::fs::write(&header, &generated).unwrap();
    }

    let checked_in = std::fs::read_to_string(&header).unwrap_or_default();

    assert!(checked_in == generated, "include/tokenwell.h is stale: run `make header` and commit what it changed");
}

#[test]
fn every_function_of_the_header_says_since_which_version() {
    let generated = generate(Path::new(env!("CARGO_MANIFEST_DIR")));
    let functions = generated.matches("(").count();

    assert!(functions > 20, "the header has its functions");
    for line in
        generated.lines().filter(|line| !line.starts_with([' ', '/', '*', '#', '}']) && line.contains("tokenwell_") && line.contains('('))
    {
        let name = line.split('(').next().unwrap_or_default().rsplit([' ', '*']).next().unwrap_or_default();
        let documentation = generated.split(line).next().unwrap_or_default();
        let nearest = documentation.rsplit("\n\n").next().unwrap_or_default();
        assert!(name.is_empty() || line.starts_with("typedef") || nearest.contains("Since 0.1"), "{name}: {nearest}");
    }
}

#[test]
fn the_header_names_every_setting() {
    let generated = generate(Path::new(env!("CARGO_MANIFEST_DIR")));
    let text = generated.split("// The names: ").nth(1).and_then(|text| text.split("//\n").next()).unwrap();
    let words: Vec<&str> = text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_').collect();

    for setting in tokenwell::config::settings() {
        assert!(words.contains(&setting.name()), "{} is not among the names of tokenwell_config_set", setting.name());
    }
}

fn generate(root: &Path) -> String {
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let mut builder = cbindgen::Builder::new().with_config(config).with_src(root.join("src/error/status.rs"));
    for file in ["library", "error", "config", "token", "stats", "client", "log"] {
        builder = builder.with_src(root.join("src/ffi").join(file).with_extension("rs"));
    }
    let mut text = Vec::new();
    builder.generate().unwrap().write(&mut text);
    // rustdoc's heading for what a caller must see to; C readers know no such heading.
    String::from_utf8(text).unwrap().replace("// # Safety", "// Requirements:")
}
