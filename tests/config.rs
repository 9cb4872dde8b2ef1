//! Options and environment to one configuration: which values are accepted, which source wins, and what the messages say.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::ffi::OsString;
use std::time::Duration;
use tokenwell::config::{ClientAuthentication, Config, ConfigBuilder, settings};
use tokenwell::error::{Error, Status};

const ID: &str = "mdb_sa_id_0123456789abcdef01234567";
const SECRET: &str = "mdb_sa_sk_canary_0123456789";

/// A builder with the environment that `variables` describe, and no other.
fn with_variables<const N: usize>(variables: [(&'static str, &'static str); N]) -> ConfigBuilder {
    Config::builder().environment(move |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value)))
}

fn configured() -> ConfigBuilder {
    Config::builder().client_id(ID).client_secret(SECRET)
}

fn everything_shown(error: &Error) -> String {
    format!("{error} | {} | {error:?}", error.hint())
}

fn not_configured(builder: &ConfigBuilder) -> String {
    let error = builder.build().unwrap_err();
    let shown = everything_shown(&error);
    assert_eq!(error.status(), Status::NotConfigured, "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
    shown
}

fn assert_has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[test]
fn the_page_about_configuration_has_every_setting_as_it_is() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md")).unwrap();
    for setting in settings() {
        let variables = setting.variables().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let variables = if variables.is_empty() { "never read from the environment".to_owned() } else { variables };
        assert_has(&page, &[&format!("\n| `{}` | {variables} | {} |\n", setting.name(), setting.about())]);
    }
}

mod defaults {
    use super::*;

    #[test]
    fn an_id_and_a_secret_are_enough_for_atlas() {
        // Where the cache is comes from the environment in any case: here it is an empty one.
        let config = configured().environment(|_| None).build().unwrap();

        assert_eq!(config.client_id(), ID);
        assert_eq!(config.token_endpoint().as_str(), "https://cloud.mongodb.com/api/oauth/token");
        assert_eq!(config.revocation_endpoint().unwrap().as_str(), "https://cloud.mongodb.com/api/oauth/revoke");
        assert_eq!(config.api_base().unwrap().origin(), "https://cloud.mongodb.com");
        assert_eq!(config.authentication(), ClientAuthentication::BasicRaw);
        assert_eq!(config.timeout(), Duration::from_secs(30));
        assert_eq!((config.scope(), config.audience(), config.resource()), (None, None, None));
        assert_eq!((config.ca_file(), config.manual_clock_ms()), (None, None));
        assert_eq!((config.cache(), config.cache_dir(), config.cache_unsafe()), (true, None, false));
    }

    #[test]
    fn a_token_url_names_a_server_that_is_not_atlas() {
        let config = configured().token_url("https://login.example.com/token?version=2").build().unwrap();

        assert_eq!(config.token_endpoint().as_str(), "https://login.example.com/token?version=2");
        assert!(config.revocation_endpoint().is_none());
        assert!(config.api_base().is_none());
        assert_eq!(config.authentication(), ClientAuthentication::Basic);
    }

    #[test]
    fn every_option_arrives_in_the_configuration() {
        let config = configured()
            .base_url("http://127.0.0.1:8080/")
            .revocation_url("https://revoke.example.com/r")
            .auth_method(ClientAuthentication::Post)
            .scope("read write")
            .audience("api://über")
            .resource("urn:example:api")
            .timeout(Duration::from_micros(1500))
            .ca_file("/etc/ca.pem")
            .cache(false)
            .cache_dir("/var/cache/tokens")
            .cache_unsafe(true)
            .manual_clock(1_700_000_000_000)
            .build()
            .unwrap();

        assert_eq!(config.token_endpoint().as_str(), "http://127.0.0.1:8080/api/oauth/token");
        assert_eq!(config.revocation_endpoint().unwrap().as_str(), "https://revoke.example.com/r");
        assert_eq!(config.authentication(), ClientAuthentication::Post);
        assert_eq!(config.scope(), Some("read write"));
        assert_eq!(config.audience(), Some("api://über"));
        assert_eq!(config.resource(), Some("urn:example:api"));
        assert_eq!(config.timeout(), Duration::from_millis(2));
        assert_eq!(config.ca_file().unwrap().to_str(), Some("/etc/ca.pem"));
        assert_eq!((config.cache(), config.cache_dir().unwrap().to_str(), config.cache_unsafe()), (false, Some("/var/cache/tokens"), true));
        assert_eq!(config.manual_clock_ms(), Some(1_700_000_000_000));
    }

    #[test]
    fn a_setting_by_name_is_the_same_as_by_method() {
        let mut by_name = Config::builder();
        for (name, value) in [
            ("client_id", ID),
            ("client_secret", SECRET),
            ("token_url", "https://login.example.com/token"),
            ("revocation_url", "https://login.example.com/revoke"),
            ("auth_method", "client_secret_post"),
            ("scope", "a b"),
            ("audience", "x"),
            ("resource", "https://api.example.com/"),
            ("timeout_ms", "1500"),
            ("ca_file", "ca.pem"),
            ("cache", "off"),
            ("cache_dir", "/cache"),
            ("cache_unsafe", "on"),
            ("manual_clock_ms", "5"),
        ] {
            by_name.set(name, value.as_bytes()).unwrap();
        }
        let by_method = configured()
            .token_url("https://login.example.com/token")
            .revocation_url("https://login.example.com/revoke")
            .auth_method(ClientAuthentication::Post)
            .scope("a b")
            .audience("x")
            .resource("https://api.example.com/")
            .timeout(Duration::from_millis(1500))
            .ca_file("ca.pem")
            .cache(false)
            .cache_dir("/cache")
            .cache_unsafe(true)
            .manual_clock(5);

        assert_eq!(format!("{:?}", by_name.build().unwrap()), format!("{:?}", by_method.build().unwrap()));
    }
}

mod values {
    use super::*;

    fn set(name: &str, value: &[u8]) -> Result<(), Error> {
        Config::builder().set(name, value)
    }

    #[test]
    fn acceptable_values_are_accepted() {
        let table: &[(&str, &str)] = &[
            ("client_id", "a"),
            ("client_id", "https://client.example/id with space ~"),
            ("client_secret", " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
            ("client_secret", "mdb_sa_id_shapes_are_no_reason_to_reject"),
            ("client_id", "mdb_sa_sk_shapes_are_no_reason_to_reject"),
            ("client_secret_file", "/run/secrets/atlas"),
            ("auth_method", "client_secret_basic"),
            ("auth_method", "client_secret_basic_raw"),
            ("auth_method", "client_secret_post"),
            ("scope", "!"),
            ("scope", "https://a.example/read [x] ~"),
            ("audience", "any text, even ünïcode"),
            ("resource", "https://api.example.com/v1?a=b"),
            ("resource", "urn:example:api"),
            ("resource", "api://admin"),
            ("timeout_ms", "1"),
            ("timeout_ms", "600000"),
            ("timeout_ms", "0005"),
            ("ca_file", "relative/ca.pem"),
            ("profile", "staging-2_a.b"),
            ("cache", "on"),
            ("cache", "OFF"),
            ("cache", "0"),
            ("cache", "false"),
            ("cache_dir", "/var/cache/tokens"),
            ("cache_unsafe", "1"),
            ("manual_clock_ms", "0"),
            ("manual_clock_ms", "253402300799999"),
        ];
        for (name, value) in table {
            let outcome = set(name, value.as_bytes());
            assert!(outcome.is_ok(), "{name} = {value:?}: {outcome:?}");
        }
    }

    #[test]
    fn unacceptable_values_are_answered_with_the_name_of_their_setting() {
        let table: &[(&str, &[u8], &str)] = &[
            ("client_id", "\u{e4}".as_bytes(), "outside ASCII"),
            ("client_id", b"a\x7f", "control character"),
            ("client_secret", b"canary\n", "newline at byte 7"),
            ("client_secret", b"canary\r", "carriage return"),
            ("client_secret", b"canary\0", "NUL"),
            ("client_secret", b"canary\xff", "not UTF-8 from byte 7"),
            ("client_secret", "canary\u{a0}".as_bytes(), "outside ASCII"),
            ("client_secret_file", b"a\0b", "NUL"),
            ("auth_method", b"basic", "no such authentication method"),
            ("auth_method", b"CLIENT_SECRET_POST", "no such authentication method"),
            ("scope", b" read", "space"),
            ("scope", b"read ", "space"),
            ("scope", b"read  write", "space"),
            ("scope", b" ", "space"),
            ("scope", b"re\"ad", "`\"`"),
            ("scope", b"re\\ad", "`\\`"),
            ("scope", "l\u{e9}er".as_bytes(), "outside ASCII"),
            ("scope", b"read\twrite", "tab"),
            ("audience", b"a\x1b[31m", "control character"),
            ("audience", "a\u{85}".as_bytes(), "control character"),
            ("resource", b"/relative", "absolute URI"),
            ("resource", b"api.example.com", "absolute URI"),
            ("resource", b"https://api.example.com/#x", "fragment"),
            ("resource", b"https://api.example.com/a b", "space"),
            ("resource", b"https://api.example.com/%zz", "%"),
            ("resource", "https://\u{e4}.example/".as_bytes(), "outside ASCII"),
            ("timeout_ms", b"0", "1 to 600000"),
            ("timeout_ms", b"600001", "1 to 600000"),
            ("timeout_ms", b"-1", "1 to 600000"),
            ("timeout_ms", b"+1", "1 to 600000"),
            ("timeout_ms", b"1.5", "1 to 600000"),
            ("timeout_ms", b"5s", "1 to 600000"),
            ("timeout_ms", b" 5", "1 to 600000"),
            ("timeout_ms", b"99999999999999999999999999", "1 to 600000"),
            ("timeout_ms", "\u{0661}".as_bytes(), "1 to 600000"),
            ("manual_clock_ms", b"-1", "whole number"),
            ("manual_clock_ms", b"253402300800000", "whole number"),
            ("manual_clock_ms", b"18446744073709551616", "whole number"),
            ("ca_file", b"a\nb", "newline"),
            ("profile", b"../etc", "begins with a `.`"),
            ("profile", b"a/b", "`/`"),
            ("profile", b"a b", "space"),
            ("profile", "\u{e4}".as_bytes(), "outside ASCII"),
            ("profile", &[b'a'; 65], "longer than 64"),
            ("cache", b"maybe", "neither `on` nor `off`"),
            ("cache_unsafe", b"2", "neither `on` nor `off`"),
            ("cache_dir", b"a\0b", "NUL"),
            ("cache_dir", b"relative/folder", "not an absolute path"),
        ];
        for (name, value, part) in table {
            let error = set(name, value).unwrap_err();
            let shown = everything_shown(&error);
            assert_eq!(error.status(), Status::InvalidArgument, "{name}: {shown}");
            assert!(error.to_string().starts_with(&format!("{name}: ")), "{shown}");
            assert!(error.to_string().contains(part) && !error.hint().is_empty(), "{part:?}: {shown}");
            assert!(!shown.contains("canary"), "{shown}");
        }
    }

    #[test]
    fn every_setting_refuses_what_is_empty_too_long_binary_or_has_control_characters() {
        let megabyte = vec![b'1'; 1024 * 1024];
        for setting in settings() {
            let limit = if setting.is_secret() { "64 KiB" } else { "4096 bytes" };
            for (value, part) in [(&b""[..], "empty"), (&megabyte, limit), (b"1\xc3\x28", "UTF-8"), (b"1\0", "NUL"), (b"1\n", "newline")] {
                let error = set(setting.name(), value).unwrap_err();
                let shown = everything_shown(&error);
                assert_eq!(error.status(), Status::InvalidArgument, "{shown}");
                assert!(
                    error.to_string().starts_with(&format!("{}: ", setting.name())) && error.to_string().contains(part),
                    "{part}: {shown}"
                );
                assert!(shown.len() < 1000, "{} shows {} bytes", setting.name(), shown.len());
            }
        }
    }

    #[test]
    fn a_value_as_long_as_its_limit_is_accepted() {
        assert!(set("client_id", &[b'a'; 4096]).is_ok());
        assert!(set("client_id", &[b'a'; 4097]).is_err());
        assert!(set("client_secret", &vec![b'a'; 64 * 1024]).is_ok());
        assert!(set("client_secret", &vec![b'a'; 64 * 1024 + 1]).is_err());
    }

    #[test]
    fn an_unknown_name_is_answered_with_all_names_and_the_nearest() {
        let error = set("clientId", b"x").unwrap_err();

        assert_eq!(error.status(), Status::InvalidArgument);
        assert_has(&error.to_string(), &["clientId"]);
        assert_has(&error.hint(), &["Did you mean client_id?", "client_secret_file", "manual_clock_ms"]);
    }

    #[test]
    fn a_name_that_may_be_a_misplaced_value_is_not_shown() {
        for name in [SECRET.repeat(2).as_str(), "canary secret", "canary\u{1b}[31m", ""] {
            let error = set(name, b"client_secret").unwrap_err();

            assert_eq!(error.status(), Status::InvalidArgument);
            assert!(!everything_shown(&error).contains("canary"));
        }
    }

    #[test]
    fn a_wrong_authentication_method_is_answered_with_the_three() {
        let error = set("auth_method", b"client_secret_bsic").unwrap_err();

        let hint = error.hint();
        assert_has(&hint, &["client_secret_basic, client_secret_basic_raw, client_secret_post", "Did you mean client_secret_basic?"]);
    }

    #[test]
    fn a_url_is_looked_at_when_it_is_set() {
        for name in ["base_url", "token_url", "revocation_url"] {
            assert_eq!(set(name, b"http://cloud.mongodb.com").unwrap_err().status(), Status::Refused);
            assert_eq!(set(name, b"https://user:canary@cloud.mongodb.com").unwrap_err().status(), Status::Refused);
            assert_eq!(set(name, b"cloud.mongodb.com").unwrap_err().status(), Status::InvalidArgument);
        }
    }

    #[test]
    fn a_value_that_is_not_accepted_leaves_the_one_before() {
        let mut builder = configured();
        builder.set("timeout_ms", b"5000").unwrap();

        builder.set("timeout_ms", b"soon").unwrap_err();

        assert_eq!(builder.build().unwrap().timeout(), Duration::from_secs(5));
    }

    #[test]
    fn a_chained_mistake_comes_out_of_build_unless_it_was_corrected() {
        let builder = configured().timeout(Duration::ZERO).scope("");
        assert!(builder.build().unwrap_err().to_string().starts_with("scope: "));

        let builder = builder.scope("read").timeout(Duration::MAX);
        assert!(builder.build().unwrap_err().to_string().starts_with("timeout_ms: "));

        assert!(builder.timeout(Duration::from_secs(1)).build().is_ok());
    }

    #[test]
    fn an_id_with_a_colon_is_refused_only_where_it_would_end_the_id() {
        let with = |method| Config::builder().client_id("https://client.example").client_secret("s").auth_method(method).build();

        let error = with(ClientAuthentication::BasicRaw).unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument);
        assert!(error.to_string().starts_with("client_id: "), "{error}");
        assert!(with(ClientAuthentication::Basic).is_ok());
        assert!(with(ClientAuthentication::Post).is_ok());
    }
}

mod environment {
    use super::*;

    #[test]
    fn the_environment_is_not_read_unless_that_was_asked_for() {
        let shown = not_configured(&Config::builder());

        assert_has(&shown, &["client_id (not set)", "client_secret (not set)", "client_secret_file (not set)"]);
        assert_has(&shown, &["environment was not read", "from-environment constructor"]);
        assert!(!shown.contains("MONGODB_ATLAS"), "{shown}");
    }

    #[test]
    fn a_builder_can_be_told_not_to_read_the_environment_after_all() {
        let builder = with_variables([("MONGODB_ATLAS_CLIENT_ID", ID), ("MONGODB_ATLAS_CLIENT_SECRET", SECRET)]);
        assert!(builder.build().is_ok());

        not_configured(&builder.from_environment(false));
    }

    #[test]
    fn each_family_of_variables_is_enough() {
        for (id, secret) in [
            ("TOKENWELL_CLIENT_ID", "TOKENWELL_CLIENT_SECRET"),
            ("MONGODB_ATLAS_CLIENT_ID", "MONGODB_ATLAS_CLIENT_SECRET"),
            ("MCLI_CLIENT_ID", "MCLI_CLIENT_SECRET"),
        ] {
            let config = with_variables([(id, ID), (secret, SECRET)]).build().unwrap();
            assert_eq!(config.client_id(), ID);
        }
    }

    #[test]
    fn every_variable_but_none_of_a_family_below_reaches_the_configuration() {
        let config = with_variables([
            ("TOKENWELL_CLIENT_ID", ID),
            ("TOKENWELL_CLIENT_SECRET", SECRET),
            ("TOKENWELL_TOKEN_URL", "https://login.example.com/token"),
            ("TOKENWELL_REVOCATION_URL", "https://login.example.com/revoke"),
            ("TOKENWELL_AUTH_METHOD", "client_secret_post"),
            ("TOKENWELL_SCOPE", "read"),
            ("TOKENWELL_AUDIENCE", "aud"),
            ("TOKENWELL_RESOURCE", "urn:example:api"),
            ("TOKENWELL_TIMEOUT_MS", "1234"),
            ("TOKENWELL_CA_FILE", "/ca.pem"),
            ("TOKENWELL_CACHE", "off"),
            ("TOKENWELL_CACHE_DIR", "/cache"),
            ("TOKENWELL_CACHE_UNSAFE", "1"),
            ("TOKENWELL_MANUAL_CLOCK_MS", "1"),
            ("MONGODB_ATLAS_BASE_URL", "https://cloud.mongodbgov.com"),
        ])
        .build()
        .unwrap();

        assert_eq!(config.token_endpoint().as_str(), "https://login.example.com/token");
        assert_eq!(config.revocation_endpoint().unwrap().as_str(), "https://login.example.com/revoke");
        assert_eq!(config.authentication(), ClientAuthentication::Post);
        assert_eq!((config.scope(), config.audience(), config.resource()), (Some("read"), Some("aud"), Some("urn:example:api")));
        assert_eq!(config.timeout(), Duration::from_millis(1234));
        assert_eq!(config.ca_file().unwrap().to_str(), Some("/ca.pem"));
        assert_eq!((config.cache(), config.cache_dir().unwrap().to_str(), config.cache_unsafe()), (false, Some("/cache"), true));
        assert_eq!(config.manual_clock_ms(), None, "a stray variable must not stop the clock");
    }

    #[test]
    fn a_complete_pair_higher_up_wins_over_everything_below() {
        let below = [
            ("TOKENWELL_CLIENT_ID", "tokenwell"),
            ("TOKENWELL_CLIENT_SECRET", "s1"),
            ("MONGODB_ATLAS_CLIENT_ID", "atlas"),
            ("MONGODB_ATLAS_CLIENT_SECRET", "s2"),
            ("MCLI_CLIENT_ID", "mcli"),
        ];

        assert_eq!(with_variables(below).build().unwrap().client_id(), "tokenwell");
        assert_eq!(with_variables(below).client_id(ID).client_secret(SECRET).build().unwrap().client_id(), ID);
        let atlas = with_variables([below[2], below[3], below[4], ("TOKENWELL_CLIENT_ID", "")]);
        assert_eq!(atlas.build().unwrap().client_id(), "atlas");
    }

    #[test]
    fn the_base_url_comes_from_the_first_variable_that_is_set() {
        let order = [
            ("TOKENWELL_BASE_URL", "https://a.example"),
            ("MONGODB_ATLAS_BASE_URL", "https://b.example"),
            ("MONGODB_ATLAS_OPS_MANAGER_URL", "https://c.example/"),
            ("MCLI_BASE_URL", "https://d.example"),
            ("MCLI_OPS_MANAGER_URL", "https://e.example/"),
        ];
        for first in 0..order.len() {
            let variables = order;
            let builder = Config::builder()
                .client_id(ID)
                .client_secret(SECRET)
                .environment(move |name| variables[first..].iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()));

            let expected = format!("{}/api/oauth/token", order[first].1.trim_end_matches('/'));
            assert_eq!(builder.build().unwrap().token_endpoint().as_str(), expected);
        }
    }

    #[test]
    fn nothing_anywhere_is_answered_with_every_place_in_order() {
        let builder = with_variables([("MONGODB_ATLAS_CLIENT_ID", "")]);

        let message = builder.build().unwrap_err().to_string();
        let order = [
            "options client_id (not set), client_secret (not set), client_secret_file (not set)",
            "environment variables TOKENWELL_CLIENT_ID (not set), TOKENWELL_CLIENT_SECRET (not set), TOKENWELL_CLIENT_SECRET_FILE (not set)",
            "environment variables MONGODB_ATLAS_CLIENT_ID (empty), MONGODB_ATLAS_CLIENT_SECRET (not set)",
            "environment variables MCLI_CLIENT_ID (not set), MCLI_CLIENT_SECRET (not set)",
            "profile default of tokenwell: no folder, because neither XDG_CONFIG_HOME nor HOME names an absolute path",
            "profile default of the Atlas CLI: no folder, because neither XDG_CONFIG_HOME nor HOME names an absolute path",
        ];
        assert_eq!(builder.build().unwrap_err().looked_at(), order);
        assert!(message.contains(&order.join("; ")), "{message}");
        assert!(!not_configured(&builder).contains("API key"));
    }

    #[test]
    fn an_option_is_called_by_the_name_that_the_program_gives_it() {
        let named = |name: &'static str| std::borrow::Cow::from(format!("--{name}"));

        let nothing = Config::builder().option_names(named).environment(|_| None).build().unwrap_err();
        let mut builder = Config::builder().option_names(named);
        let invalid = builder.set("base_url", b"cloud.mongodb.com").unwrap_err();
        let config = configured().option_names(named).build().unwrap();

        assert_eq!(nothing.looked_at()[0], "options --client_id (not set), --client_secret (not set), --client_secret_file (not set)");
        assert_has(&nothing.hint(), &["the options --client_id and --client_secret (or --client_secret_file)"]);
        assert!(invalid.to_string().starts_with("--base_url: "), "{invalid}");
        assert_eq!(config.provenance()[0].source(), "option --client_id");
    }

    #[test]
    fn variables_of_an_api_key_are_answered_with_what_to_create_instead() {
        let builder = with_variables([("MONGODB_ATLAS_PUBLIC_KEY", "abcdefgh"), ("MCLI_PRIVATE_API_KEY", "canary")]);

        let shown = not_configured(&builder);

        assert_has(&shown, &["MONGODB_ATLAS_PUBLIC_KEY, MCLI_PRIVATE_API_KEY", "programmatic API key", "service account"]);
        assert!(!shown.contains("abcdefgh"), "{shown}");
    }

    #[test]
    fn an_invalid_variable_is_named_and_one_that_loses_is_not_looked_at() {
        let variables = [
            ("MONGODB_ATLAS_CLIENT_ID", ID),
            ("MONGODB_ATLAS_CLIENT_SECRET", SECRET),
            ("MONGODB_ATLAS_BASE_URL", "http://cloud.mongodb.com"),
            ("TOKENWELL_TIMEOUT_MS", "soon"),
        ];

        let refused = with_variables(variables).build().unwrap_err();
        assert!(refused.status() == Status::Refused && refused.to_string().contains("MONGODB_ATLAS_BASE_URL"), "{refused}");
        let invalid = with_variables(variables).base_url("https://a.example").build().unwrap_err();
        assert!(invalid.to_string().starts_with("TOKENWELL_TIMEOUT_MS: "), "{invalid}");
        assert!(with_variables(variables).base_url("https://a.example").timeout(Duration::from_secs(1)).build().is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_not_utf8_counts_as_set_and_is_named() {
        use std::os::unix::ffi::OsStringExt;
        let builder = Config::builder().environment(|name| match name {
            "MONGODB_ATLAS_CLIENT_ID" => Some(ID.into()),
            "MONGODB_ATLAS_CLIENT_SECRET" => Some(OsString::from_vec(b"canary\xff".to_vec())),
            _ => None,
        });

        let error = builder.build().unwrap_err();

        assert_eq!(error.status(), Status::InvalidArgument);
        assert!(error.to_string().starts_with("MONGODB_ATLAS_CLIENT_SECRET: ") && !everything_shown(&error).contains("canary"), "{error}");
    }

    #[test]
    fn i21_a_secret_in_a_bad_variable_is_not_shown() {
        let error = with_variables([("MCLI_CLIENT_ID", ID), ("MCLI_CLIENT_SECRET", "canary\n")]).build().unwrap_err();

        assert!(error.to_string().starts_with("MCLI_CLIENT_SECRET: holds a newline"), "{error}");
        assert!(!everything_shown(&error).contains("canary"));
    }
}

mod contradictions {
    use super::*;

    #[test]
    fn an_id_and_a_secret_are_never_taken_from_two_sources() {
        let table = [
            (
                with_variables([("MONGODB_ATLAS_CLIENT_SECRET", SECRET)]).client_id(ID),
                &[
                    "client_id is set without client_secret or client_secret_file",
                    "MONGODB_ATLAS_CLIENT_SECRET is set",
                    "take away client_id",
                ][..],
            ),
            (
                with_variables([("TOKENWELL_CLIENT_ID", ID)]).client_secret(SECRET),
                &["client_secret is set without client_id", "TOKENWELL_CLIENT_ID is set", "Set client_id as well"],
            ),
            (
                with_variables([("TOKENWELL_CLIENT_ID", "t"), ("MONGODB_ATLAS_CLIENT_ID", ID), ("MONGODB_ATLAS_CLIENT_SECRET", SECRET)]),
                &[
                    "TOKENWELL_CLIENT_ID is set without TOKENWELL_CLIENT_SECRET or TOKENWELL_CLIENT_SECRET_FILE",
                    "MONGODB_ATLAS_CLIENT_SECRET is set",
                    "take away TOKENWELL_CLIENT_ID",
                ],
            ),
            (
                with_variables([("MONGODB_ATLAS_CLIENT_ID", ID), ("MCLI_CLIENT_SECRET", SECRET)]),
                &["MONGODB_ATLAS_CLIENT_ID is set without MONGODB_ATLAS_CLIENT_SECRET", "MCLI_CLIENT_SECRET is set"],
            ),
            (
                with_variables([("MCLI_CLIENT_ID", ID)]).client_secret_file("/run/canary-path"),
                &["client_secret_file is set without client_id", "MCLI_CLIENT_ID is set"],
            ),
        ];
        for (builder, parts) in table {
            assert_has(&not_configured(&builder), parts);
        }
    }

    #[test]
    fn half_a_pair_alone_says_what_is_missing_and_what_its_shape_hints_at() {
        assert_has(&not_configured(&Config::builder().client_id(ID)), &["client_id is set without client_secret or client_secret_file"]);
        assert_has(&not_configured(&Config::builder().client_id(SECRET)), &["looks like a client secret"]);
        assert_has(
            &not_configured(&Config::builder().client_secret(ID)),
            &["client_secret is set without client_id", "looks like a client id"],
        );
        assert_has(
            &not_configured(&with_variables([("MONGODB_ATLAS_CLIENT_ID", ID)])),
            &["MONGODB_ATLAS_CLIENT_ID is set without MONGODB_ATLAS_CLIENT_SECRET"],
        );
    }

    #[test]
    fn two_secrets_in_one_source_contradict_each_other() {
        let shown = not_configured(&configured().client_secret_file("/run/secrets/atlas"));

        assert_has(&shown, &["client_secret and client_secret_file are both set"]);
    }

    #[test]
    fn a_base_url_and_a_token_url_in_one_source_contradict_each_other() {
        let options = configured().base_url("https://a.example").token_url("https://b.example/token");
        assert_has(&not_configured(&options), &["base_url and token_url are both set"]);

        let variables = with_variables([("TOKENWELL_BASE_URL", "https://a.example"), ("TOKENWELL_TOKEN_URL", "https://b.example/token")]);
        let shown = not_configured(&variables.client_id(ID).client_secret(SECRET));
        assert_has(&shown, &["TOKENWELL_BASE_URL and TOKENWELL_TOKEN_URL are both set"]);
    }

    #[test]
    fn an_explicit_server_wins_over_the_other_way_to_name_one_in_the_environment() {
        let variables = [("TOKENWELL_TOKEN_URL", "https://env.example/token"), ("MONGODB_ATLAS_BASE_URL", "https://env2.example")];
        let with = |variables| with_variables(variables).client_id(ID).client_secret(SECRET);

        let base = with(variables).base_url("https://a.example").build().unwrap();
        assert_eq!(base.token_endpoint().as_str(), "https://a.example/api/oauth/token");
        let token = with(variables).token_url("https://b.example/token").build().unwrap();
        assert_eq!(token.token_endpoint().as_str(), "https://b.example/token");
        assert_eq!(with(variables).build().unwrap().token_endpoint().as_str(), "https://env.example/token");
    }

    #[test]
    fn i5_a_variable_below_cannot_send_the_secret_to_a_second_server() {
        let stray = [("TOKENWELL_REVOCATION_URL", "https://evil.example/revoke")];
        let with = |variables| with_variables(variables).client_id(ID).client_secret(SECRET);

        let config = with(stray).base_url("https://a.example").build().unwrap();
        assert_eq!(config.revocation_endpoint().unwrap().as_str(), "https://a.example/api/oauth/revoke");
        assert!(with(stray).token_url("https://a.example/t").build().unwrap().revocation_endpoint().is_none());
    }
}

mod secret_files {
    use super::*;

    #[test]
    fn a_file_with_the_secret_completes_the_pair() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("{SECRET}\n")).unwrap();

        let config = Config::builder().client_id(ID).client_secret_file(file.path()).build().unwrap();

        assert_eq!(config.client_id(), ID);
        assert!(!format!("{config:?}").contains("canary"));
    }

    #[test]
    fn a_file_named_by_a_variable_completes_the_pair() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), SECRET).unwrap();
        let path = file.path().as_os_str().to_owned();

        let config = Config::builder()
            .environment(move |name| match name {
                "TOKENWELL_CLIENT_ID" => Some(ID.into()),
                "TOKENWELL_CLIENT_SECRET_FILE" => Some(path.clone()),
                _ => None,
            })
            .build();

        assert_eq!(config.unwrap().client_id(), ID);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_when_the_configuration_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("no-such-file");

        let shown = not_configured(&Config::builder().client_id(ID).client_secret_file(&path));

        assert_has(&shown, &["no-such-file", "TOKENWELL_CLIENT_SECRET_FILE"]);
    }
}

mod secrecy {
    use super::*;

    #[test]
    fn i21_debug_of_a_builder_and_of_a_configuration_never_shows_the_secret() {
        let builder = configured().scope("read").environment(|name| (name == "MONGODB_ATLAS_CLIENT_SECRET").then(|| SECRET.into()));
        let config = builder.build().unwrap();

        for shown in [format!("{builder:?}"), format!("{builder:#?}"), format!("{config:?}"), format!("{config:#?}")] {
            assert!(!shown.contains("canary"), "{shown}");
            assert_has(&shown, &[ID, "[redacted]", "read"]);
        }
    }

    /// Values around a text that must not be shown, with every kind of character that a rule objects to.
    fn around_canary() -> impl Strategy<Value = Vec<u8>> {
        let noise = || prop_oneof![proptest::collection::vec(any::<u8>(), 0..40), "[ -~\\PC\n\r\t]{0,20}".prop_map(String::into_bytes)];
        (noise(), noise()).prop_map(|(before, after)| [&before[..], b"CANARY-7f3a", &after[..]].concat())
    }

    /// URLs put together from pieces that parsers trip over; about one in ten is acceptable.
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
            setting in proptest::sample::select(settings().map(|setting| setting.name()).collect::<Vec<_>>()),
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
            // What is not accepted is not set: the pair is then incomplete, and the message about that must keep quiet as well.
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
}
