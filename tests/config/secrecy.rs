//! No value makes a message show a secret, end a line or name another server.

use crate::support::{ID, SECRET, assert_has, configured, everything_shown};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tokenwell::config::{Config, settings};
use tokenwell::error::Status;

#[test]
fn i21_debug_of_a_builder_and_of_a_configuration_never_shows_the_secret() {
    let builder = configured().scope("read").environment(|name| (name == "MONGODB_ATLAS_CLIENT_SECRET").then(|| SECRET.into()));
    let config = builder.build().unwrap();

    for shown in [format!("{builder:?}"), format!("{builder:#?}"), format!("{config:?}"), format!("{config:#?}")] {
        assert!(!shown.contains("canary"), "{shown}");
        assert_has(&shown, &[ID, "[redacted]", "read"]);
    }
}

/// Values around a string that must not be shown, with every kind of character that a rule rejects.
fn around_canary() -> impl Strategy<Value = Vec<u8>> {
    let noise = || prop_oneof![proptest::collection::vec(any::<u8>(), 0..40), "[ -~\\PC\n\r\t]{0,20}".prop_map(String::into_bytes)];
    (noise(), noise()).prop_map(|(before, after)| [&before[..], b"CANARY-7f3a", &after[..]].concat())
}

/// URLs assembled from pieces that parsers read differently; about one in ten is valid.
fn assembled_url() -> impl Strategy<Value = String> {
    let scheme =
        proptest::sample::select(vec!["https://", "https://", "https://", "http://", "HTTPS://", "https:", "https:/\t/", "https:\\\\"]);
    let piece = proptest::sample::select(vec![
        "cloud.mongodb.com",
        "localhost",
        "127.0.0.1",
        "[::1]",
        "evil.example",
        "xn--bcher-kva",
        ":443",
        ":80",
        ":8443",
        ":",
        ".",
        "@",
        "/",
        "//",
        "\\",
        "?",
        "#",
        "%2e",
        "%",
        "..",
        "\t",
        " ",
        "0x7f.1",
        "1",
        "A",
        "-",
        "_",
        "\u{43e}",
    ]);
    (scheme, proptest::collection::vec(piece, 1..4)).prop_map(|(scheme, pieces)| format!("{scheme}{}", pieces.concat()))
}

fn setting_name() -> impl Strategy<Value = String> {
    let known: Vec<String> = settings().map(|setting| setting.name().to_owned()).collect();
    prop_oneof![4 => proptest::sample::select(known), 1 => any::<String>()]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: RngSeed::Fixed(0x70_6b_65_6e), cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn i21_set_never_panics_and_never_shows_what_it_was_given(name in setting_name(), value in around_canary()) {
        let mut builder = Config::builder();

        let outcome = builder.set(&name, &value);

        if let Err(error) = outcome {
            let shown = everything_shown(&error);
            prop_assert!(!shown.contains("CANARY-7f3a"), "{name}: {shown}");
            prop_assert!(matches!(error.status(), Status::InvalidArgument | Status::Refused), "{shown}");
        } else if name == "client_secret" {
            let shown = format!("{builder:?}");
            prop_assert!(!shown.contains("CANARY-7f3a"));
        }
    }

    #[test]
    fn i3_no_setting_takes_a_carriage_return_or_a_line_feed_wherever_it_stands(
        // PEM has lines, and no part of it is ever sent.
        setting in proptest::sample::select(settings().map(|setting| setting.name()).filter(|name| *name != "ca_pem").collect::<Vec<_>>()),
        before in "[ -~]{0,12}",
        end in proptest::sample::select(vec!["\r", "\n", "\r\n", "\n\r"]),
        after in "([ -~]{0,12})|(host=evil\\.example)",
    ) {
        let error = Config::builder().set(setting, format!("{before}{end}{after}").as_bytes()).unwrap_err();

        let message = error.to_string();
        prop_assert_eq!(error.status(), Status::InvalidArgument, "{}", message);
        prop_assert!(message.contains("a newline") || message.contains("a carriage return"), "{message}");
        prop_assert!(!message.chars().chain(error.hint().chars()).any(char::is_control), "{message:?}");
    }

    #[test]
    fn i21_build_never_panics_and_never_shows_the_secret(id in around_canary(), secret in around_canary(), base in any::<String>()) {
        let mut builder = Config::builder();
        // An invalid value is not set: the pair is then incomplete, and that message must not show
        // it either.
        let _ = (builder.set("client_id", &id), builder.set("client_secret", &secret), builder.set("base_url", base.as_bytes()));

        match builder.build() {
            Ok(config) => prop_assert_eq!(config.token_endpoint().origin(), "https://cloud.mongodb.com"),
            Err(error) => prop_assert!(!everything_shown(&error).contains("CANARY-7f3a")),
        }
    }

    #[test]
    fn i6_an_accepted_base_url_is_the_origin_that_was_written(url in assembled_url()) {
        if let Ok(config) = configured().base_url(&url).build() {
            let written = url.to_ascii_lowercase();
            let written = written.trim_end_matches('/');
            let origin = config.token_endpoint().origin();
            let with_default_port = format!("{origin}:{}", if origin.starts_with("https") { 443 } else { 80 });
            prop_assert!(written == origin || written == with_default_port, "{url} became {origin}");
        }
    }
}
