//! No file makes a message show its values.

use crate::support::{Home, shown};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use std::fs;
use tokenwell::error::Status;

/// Valid and invalid lines of a configuration file, around a string that must not be shown.
fn any_lines() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        proptest::sample::select(vec![
            "client_id",
            "client_secret",
            "clientSecret",
            "base_url",
            "timeout_ms",
            "cache",
            "auth_type",
            "a.b",
            "\"\"",
            "''"
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,12}",
    ];
    let value = prop_oneof![
        Just("'CANARY-7f3a'".to_owned()),
        Just("\"CANARY-7f3a\\n\\u001b\"".to_owned()),
        Just("CANARY-7f3a".to_owned()),
        Just("'''\nCANARY-7f3a\n'''".to_owned()),
        Just("['CANARY-7f3a', {a = 'CANARY-7f3a'}]".to_owned()),
        Just("\"CANARY-7f3a".to_owned()),
        "\\PC{0,16}",
        "[0-9+.e_-]{0,8}",
    ];
    let line = prop_oneof![
        4 => (key, value).prop_map(|(key, value)| format!("{key} = {value}")),
        2 => proptest::sample::select(vec!["[default]", "[default.more]", "[[default]]", "[other]", "[", "# CANARY-7f3a", ""]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    proptest::collection::vec(line, 0..8).prop_map(|lines| lines.join("\n"))
}

#[test]
fn i21_no_file_makes_it_panic_or_show_a_value() {
    // One directory for all cases: creating and deleting a thousand takes most of the time.
    let home = Home::new().ours("").theirs("");
    let config =
        ProptestConfig { failure_persistence: None, rng_seed: RngSeed::Fixed(0x70_6b_65_6e), cases: 500, ..ProptestConfig::default() };

    let outcome = TestRunner::new(config).run(&(any_lines(), any_lines()), |(ours, theirs)| {
        for (ours, theirs) in [(&*ours, ""), ("", &*theirs), (&format!("[default]\n{ours}"), &theirs)] {
            fs::write(home.our_file(), ours)?;
            fs::write(home.their_file(), theirs)?;
            if let Err(error) = home.builder().build() {
                let shown = shown(&error);
                prop_assert!(!shown.contains("CANARY-7f3a"), "{shown}");
                prop_assert!(!error.to_string().chars().any(char::is_control) && !error.hint().chars().any(char::is_control), "{shown}");
                prop_assert!(matches!(error.status(), Status::InvalidArgument | Status::NotConfigured | Status::Refused), "{shown}");
            }
        }
        Ok(())
    });

    outcome.unwrap();
}
