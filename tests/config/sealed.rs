//! What comes from the environment, and what keeps it out: `environment`, passed variables, blanks.

use crate::support::{ID, SECRET, assert_has, configured, everything_shown, not_configured, with_variables};
use std::path::Path;
use tokenwell::config::{Config, ConfigBuilder, settings};
use tokenwell::error::Status;

/// A builder with the account in options, to which variables can be passed.
fn passing(variables: &[(&str, &str)]) -> ConfigBuilder {
    let mut builder = configured();
    builder.use_variables();
    for (name, value) in variables {
        builder.set_variable(name.as_bytes(), value.as_bytes()).unwrap();
    }
    builder
}

const EVERYTHING: [(&str, &str); 6] = [
    ("TOKENWELL_CACHE", "off"),
    ("TOKENWELL_CACHE_DIR", "/of/the/environment"),
    ("TOKENWELL_BASE_URL", "https://of-the-environment.example"),
    ("HOME", "/home/of-the-environment"),
    ("XDG_CACHE_HOME", "/cache-of-the-environment"),
    ("HTTPS_PROXY", "http://of-the-environment.example"),
];

#[test]
fn with_environment_off_nothing_comes_from_the_environment() {
    let config = passing(&EVERYTHING).without_environment().build().unwrap();

    assert_eq!((config.cache(), config.cache_dir()), (true, None));
    assert_eq!(config.token_endpoint().as_str(), "https://cloud.mongodb.com/api/oauth/token");
    let shown = format!("{config:?} {:?}", config.provenance());
    assert!(!shown.contains("of-the-environment") && shown.contains("no proxy"), "{shown}");
    let error = config.resolved_cache_dir().unwrap_err();
    assert_has(&everything_shown(&error), &["the setting environment is off", "cache_dir", "set cache to off"]);
}

#[test]
fn with_environment_off_a_command_of_the_emulator_is_kept_from_atlas() {
    let inside = |mark: &str| passing(&[("TOKENWELL_EMULATOR", mark)]).without_environment();

    let error = inside("1").build().unwrap_err();
    assert_eq!(error.status(), Status::Refused);
    assert_has(&everything_shown(&error), &["the server is https://cloud.mongodb.com", "TOKENWELL_EMULATOR is set"]);
    assert!(inside("1").base_url("http://127.0.0.1:1").build().is_ok());
    for unmarked in ["", " "] {
        assert!(inside(unmarked).build().is_ok());
    }
}

#[test]
fn a_revocation_url_at_atlas_counts_inside_the_emulator_too() {
    let shown = |builder: ConfigBuilder| {
        let error = builder.build().unwrap_err();
        assert_eq!(error.status(), Status::Refused);
        everything_shown(&error)
    };
    let token_url = "https://login.example/token";
    let atlas = "https://cloud.mongodb.com/api/oauth/revoke";

    // The secret and the token of one server would go to the other.
    let builder = || configured().token_url(token_url);
    assert_has(
        &shown(builder().revocation_url(atlas)),
        &["revocation_url is at https://cloud.mongodb.com, and the tokens are those of https://login.example", "Remove revocation_url"],
    );
    let here = "http://127.0.0.1:1/revoke";
    assert_has(&shown(configured().revocation_url(here)), &["revocation_url is at http://127.0.0.1:1, and the tokens are those of"]);
    let government = "https://cloud.mongodbgov.com/api/oauth/revoke";
    assert!(configured().base_url("https://cloud.mongodbgov.com").revocation_url(government).build().is_ok());
    assert!(builder().revocation_url("https://revoke.example/revoke").build().is_ok());
}

#[test]
fn environment_off_and_a_client_from_the_environment_contradict_each_other() {
    for builder in [with_variables([]), Config::builder().from_environment(true)] {
        let shown = not_configured(&builder.client_id(ID).client_secret(SECRET).without_environment());

        assert_has(&shown, &["environment is off, but the client is created from the environment", "Remove environment"]);
    }
    let mut on = with_variables([]).client_id(ID).client_secret(SECRET);
    on.set("environment", b"on").unwrap();
    assert!(on.build().is_ok());
}

#[test]
fn with_environment_off_a_missing_credential_says_so() {
    let shown = not_configured(&Config::builder().without_environment());

    assert_has(&shown, &["environment variables and profiles: not read, because the setting environment is off"]);
    let shown = not_configured(&configured().profile("staging").without_environment());
    assert_has(&shown, &["profile is set, but profiles are not read, because the setting environment is off"]);
}

#[test]
fn passed_variables_are_the_only_ones() {
    let config = passing(&EVERYTHING).build().unwrap();
    assert_eq!((config.cache(), config.cache_dir()), (false, Some(Path::new("/of/the/environment"))));
    assert_eq!(config.token_endpoint().as_str(), "https://cloud.mongodb.com/api/oauth/token", "the settings were not requested");

    let mut all = passing(&EVERYTHING);
    all.use_environment();
    assert_eq!(all.build().unwrap().token_endpoint().as_str(), "https://of-the-environment.example/api/oauth/token");
    all.use_variables();
    assert_eq!(all.build().unwrap().cache_dir(), Some(Path::new("/of/the/environment")), "what was added is kept");
}

#[test]
fn an_empty_environment_can_be_passed() {
    // The test program has a HOME.
    let error = passing(&[]).build().unwrap().resolved_cache_dir().unwrap_err();

    assert_has(&error.to_string(), &["neither XDG_CACHE_HOME nor HOME"]);
}

#[test]
fn a_passed_variable_that_is_misspelled_is_named() {
    let mut builder = Config::builder();
    builder.use_environment();
    builder.set_variable(b"TOKENWELL_CLIENT_SECERT", b"canary").unwrap();

    assert_has(&not_configured(&builder), &["TOKENWELL_CLIENT_SECERT is set, but is not a setting: did you mean TOKENWELL_CLIENT_SECRET?"]);
}

#[test]
fn a_passed_variable_can_be_replaced_and_need_not_be_utf8() {
    let mut builder = configured();
    for value in [&b"/first"[..], b"/second"] {
        builder.set_variable(b"TOKENWELL_CACHE_DIR", value).unwrap();
    }
    assert_eq!(builder.build().unwrap().cache_dir(), Some(Path::new("/second")));

    builder.set_variable(b"TOKENWELL_CACHE_DIR", b"/canary\xff").unwrap();
    let error = builder.build().unwrap_err();
    assert!(error.to_string().starts_with("TOKENWELL_CACHE_DIR is not UTF-8"), "{error}");
}

#[test]
fn every_empty_variable_counts_as_not_set() {
    let names = settings().flat_map(|setting| setting.variables().collect::<Vec<_>>());
    let others = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"];
    let directories = ["HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "TOKENWELL_CONFIG_FILE", "TOKENWELL_LOG"];
    let mut builder = passing(&[]);
    builder.use_environment();
    let without = format!("{:?}", builder.build().unwrap());

    for name in names.chain(others).chain(directories) {
        builder.set_variable(name.as_bytes(), b"").unwrap();
    }

    assert_eq!(format!("{:?}", builder.build().unwrap()), without);
}

#[test]
fn the_authorities_are_named_once() {
    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let shown = not_configured(&configured().ca_file("/ca.pem").ca_pem(pem));
    assert_has(&shown, &["ca_file and ca_pem are both set", "Remove ca_file or ca_pem."]);

    // The source with higher precedence wins.
    let config = with_variables([("TOKENWELL_CA_FILE", "/ca.pem")]).client_id(ID).client_secret(SECRET).ca_pem(pem).build().unwrap();
    assert_eq!(config.ca_file(), None);
    let config = with_variables([("TOKENWELL_CA_PEM", pem)]).client_id(ID).client_secret(SECRET).ca_file("/ca.pem").build().unwrap();
    assert_eq!(config.ca_file(), Some(Path::new("/ca.pem")));
}

#[test]
fn letters_beyond_ascii_are_refused_at_atlas_only() {
    for (id, secret, location) in [("\u{fc}ber", SECRET, "client_id"), (ID, "canary\u{e9}", "client_secret")] {
        let builder = || Config::builder().client_id(id).client_secret(secret);

        for at_atlas in [builder(), builder().base_url("https://cloud.mongodbgov.com")] {
            let error = at_atlas.build().unwrap_err();
            assert_eq!(error.status(), Status::InvalidArgument);
            assert!(error.to_string().starts_with(&format!("{location} contains a non-ASCII character at byte")), "{error}");
            assert_has(&everything_shown(&error), &["Atlas contains only visible ASCII", "set token_url"]);
            assert!(!everything_shown(&error).contains("canary"));
        }
        let elsewhere = builder().token_url("https://login.example.com/token").build().unwrap();
        assert_eq!(elsewhere.client_id(), id);
    }
}
