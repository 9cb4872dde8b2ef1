//! The values that each setting accepts.

use crate::support::{SECRET, assert_has, configured, everything_shown};
use std::time::Duration;
use tokenwell::config::{ClientAuthentication, Config, settings};
use tokenwell::error::{Error, Status};

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
        ("client_id", "\u{fc}ber\u{a0}\u{65e5}\u{672c}"),
        ("client_secret", "p\u{e4}ssw\u{f6}rd\u{1f511}"),
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
        ("ca_file", "system"),
        ("ca_pem", "a comment\n-----BEGIN CERTIFICATE-----\r\n\tAAAA\n-----END CERTIFICATE-----\n"),
        ("proxy", "http://user:password@proxy.example:3128"),
        ("proxy", "https://proxy.example"),
        ("proxy", "proxy.example:3128"),
        ("proxy", "none"),
        ("proxy", "None"),
        ("no_proxy", "*"),
        ("no_proxy", "a.example, .b.example:8443, 10.0.0.0/8"),
        ("environment", "off"),
        ("environment", "on"),
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
fn an_invalid_value_is_an_error_that_names_the_setting() {
    let table: &[(&str, &[u8], &str)] = &[
        ("client_id", "\u{85}".as_bytes(), "control character"),
        ("client_id", b"a\x7f", "control character"),
        ("client_secret", b"canary\n", "newline at byte 7"),
        ("client_secret", b"canary\r", "carriage return"),
        ("client_secret", b"canary\0", "NUL"),
        ("client_secret", b"canary\xff", "not UTF-8 (invalid at byte 7)"),
        ("client_secret_file", b"a\0b", "NUL"),
        ("auth_method", b"basic", "not a known authentication method"),
        ("auth_method", b"CLIENT_SECRET_POST", "not a known authentication method"),
        ("scope", b" read", "space"),
        ("scope", b"read ", "space"),
        ("scope", b"read  write", "space"),
        ("scope", b" ", "space"),
        ("scope", b"re\"ad", "`\"`"),
        ("scope", b"re\\ad", "`\\`"),
        ("scope", "l\u{e9}er".as_bytes(), "non-ASCII character"),
        ("scope", b"read\twrite", "tab"),
        ("audience", b"a\x1b[31m", "control character"),
        ("audience", "a\u{85}".as_bytes(), "control character"),
        ("resource", b"/relative", "absolute URI"),
        ("resource", b"api.example.com", "absolute URI"),
        ("resource", b"https://api.example.com/#x", "fragment"),
        ("resource", b"https://api.example.com/a b", "space"),
        ("resource", b"https://api.example.com/%zz", "%"),
        ("resource", "https://\u{e4}.example/".as_bytes(), "non-ASCII character"),
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
        ("ca_pem", b"/etc/ca.pem", "no PEM certificate"),
        ("ca_pem", b"-----BEGIN CERTIFICATE-----\0", "NUL"),
        ("ca_pem", b"-----BEGIN EC PRIVATE KEY-----\ncanary", "private key"),
        ("proxy", b"socks5://user:canary@p", "SOCKS"),
        ("proxy", b"ftp://user:canary@p", "not an http or https URL"),
        ("proxy", b"http://user:canary@", "not a URL"),
        ("no_proxy", b"a\nb", "newline"),
        ("environment", b"maybe", "neither `on` nor `off`"),
        ("profile", b"../etc", "begins with a `.`"),
        ("profile", b"a/b", "`/`"),
        ("profile", b"a b", "space"),
        ("profile", "\u{e4}".as_bytes(), "non-ASCII character"),
        ("profile", &[b'a'; 65], "longer than 64"),
        ("cache", b"maybe", "neither `on` nor `off`"),
        ("cache_unsafe", b"2", "neither `on` nor `off`"),
        ("cache_dir", b"a\0b", "NUL"),
        ("cache_dir", b"relative/directory", "not an absolute path"),
    ];
    for (name, value, part) in table {
        let error = set(name, value).unwrap_err();
        let shown = everything_shown(&error);
        assert_eq!(error.status(), Status::InvalidArgument, "{name}: {shown}");
        assert!(error.to_string().starts_with(&format!("{name} ")), "{shown}");
        assert!(error.to_string().contains(part) && !error.hint().is_empty(), "{part:?}: {shown}");
        assert!(!shown.contains("canary"), "{shown}");
    }
}

#[test]
fn every_setting_rejects_empty_long_and_binary_values_and_control_characters() {
    let long = vec![b'1'; 1024 * 1024 + 1];
    for setting in settings() {
        let limit = match setting.name() {
            "ca_pem" => "1024 KiB",
            _ if setting.is_secret() => "64 KiB",
            _ => "4096 bytes",
        };
        // PEM has lines.
        let control = if setting.name() == "ca_pem" { (&b"1\x1b"[..], "control") } else { (&b"1\n"[..], "newline") };
        for (value, part) in [(&b""[..], "empty"), (&long, limit), (b"1\xc3\x28", "UTF-8"), (b"1\0", "NUL"), control] {
            let error = set(setting.name(), value).unwrap_err();
            let shown = everything_shown(&error);
            assert_eq!(error.status(), Status::InvalidArgument, "{shown}");
            assert!(error.to_string().starts_with(&format!("{} ", setting.name())) && error.to_string().contains(part), "{part}: {shown}");
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
fn an_unknown_name_lists_all_names_and_suggests_the_nearest() {
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
fn an_unknown_authentication_method_lists_the_three_methods() {
    let error = set("auth_method", b"client_secret_bsic").unwrap_err();

    let hint = error.hint();
    assert_has(&hint, &["client_secret_basic, client_secret_basic_raw, client_secret_post, auto", "Did you mean client_secret_basic?"]);
}

#[test]
fn a_url_is_validated_when_it_is_set() {
    for name in ["base_url", "token_url", "revocation_url"] {
        assert_eq!(set(name, b"http://cloud.mongodb.com").unwrap_err().status(), Status::Refused);
        assert_eq!(set(name, b"https://user:canary@cloud.mongodb.com").unwrap_err().status(), Status::Refused);
        assert_eq!(set(name, b"cloud.mongodb.com").unwrap_err().status(), Status::InvalidArgument);
    }
}

#[test]
fn an_invalid_value_keeps_the_previous_one() {
    let mut builder = configured();
    builder.set("timeout_ms", b"5000").unwrap();

    builder.set("timeout_ms", b"soon").unwrap_err();

    assert_eq!(builder.build().unwrap().timeout(), Duration::from_secs(5));
}

#[test]
fn build_returns_the_error_of_a_chained_method_unless_it_was_corrected() {
    let builder = configured().timeout(Duration::ZERO).scope("");
    assert!(builder.build().unwrap_err().to_string().starts_with("scope "));

    let builder = builder.scope("read").timeout(Duration::MAX);
    assert!(builder.build().unwrap_err().to_string().starts_with("timeout_ms "));

    assert!(builder.timeout(Duration::from_secs(1)).build().is_ok());
}

#[test]
fn an_id_with_a_colon_is_rejected_only_for_raw_basic_authentication() {
    let with = |method| {
        let builder = Config::builder().client_id("https://client.example").client_secret("s").token_url("https://login.example/token");
        builder.auth_method(method).build()
    };

    let error = with(ClientAuthentication::BasicRaw).unwrap_err();
    assert_eq!(error.status(), Status::InvalidArgument);
    assert!(error.to_string().starts_with("client_id "), "{error}");
    assert!(with(ClientAuthentication::Basic).is_ok());
    assert!(with(ClientAuthentication::Post).is_ok());
}
