//! Environment variables and their precedence.

use crate::support::{ID, SECRET, assert_has, configured, everything_shown, not_configured, with_variables};
use std::ffi::OsString;
use std::time::Duration;
use tokenwell::config::{ClientAuthentication, Config};
use tokenwell::error::Status;

#[test]
fn the_environment_is_not_read_unless_requested() {
    let shown = not_configured(&Config::builder());

    assert_has(&shown, &["client_id (not set)", "client_secret (not set)", "client_secret_file (not set)"]);
    assert_has(&shown, &["environment variables and profiles: not read", "from-environment constructor"]);
    assert!(!shown.contains("MONGODB_ATLAS"), "{shown}");
}

#[test]
fn reading_the_environment_can_be_disabled_again() {
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
fn every_variable_except_those_of_a_lower_family_is_used() {
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
        ("TOKENWELL_PROXY", "http://p.example"),
        ("TOKENWELL_NO_PROXY", "q.example"),
        ("TOKENWELL_ENVIRONMENT", "off"),
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
fn a_complete_pair_wins_over_sources_with_lower_precedence() {
    let below = [
        ("TOKENWELL_CLIENT_ID", "mdb_sa_id_tokenwell"),
        ("TOKENWELL_CLIENT_SECRET", "s1"),
        ("MONGODB_ATLAS_CLIENT_ID", "mdb_sa_id_atlas"),
        ("MONGODB_ATLAS_CLIENT_SECRET", "s2"),
        ("MCLI_CLIENT_ID", "mcli"),
    ];

    assert_eq!(with_variables(below).build().unwrap().client_id(), "mdb_sa_id_tokenwell");
    assert_eq!(with_variables(below).client_id(ID).client_secret(SECRET).build().unwrap().client_id(), ID);
    let atlas = with_variables([below[2], below[3], below[4], ("TOKENWELL_CLIENT_ID", "")]);
    assert_eq!(atlas.build().unwrap().client_id(), "mdb_sa_id_atlas");
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
fn a_missing_credential_lists_every_source_in_order() {
    let builder = with_variables([("MONGODB_ATLAS_CLIENT_ID", "")]);

    let message = builder.build().unwrap_err().to_string();
    let order = [
        "options client_id (not set), client_secret (not set), client_secret_file (not set)",
        "environment variables TOKENWELL_CLIENT_ID (not set), TOKENWELL_CLIENT_SECRET (not set), TOKENWELL_CLIENT_SECRET_FILE (not set)",
        "environment variables MONGODB_ATLAS_CLIENT_ID (empty), MONGODB_ATLAS_CLIENT_SECRET (not set)",
        "environment variables MCLI_CLIENT_ID (not set), MCLI_CLIENT_SECRET (not set)",
        "profile default of tokenwell: no directory: neither XDG_CONFIG_HOME nor HOME names an absolute path",
        "profile default of the Atlas CLI: no directory: neither XDG_CONFIG_HOME nor HOME names an absolute path",
    ];
    assert_eq!(builder.build().unwrap_err().checked_sources(), order);
    assert!(message.contains(&order.join("; ")), "{message}");
    assert!(!not_configured(&builder).contains("API key"));
}

#[test]
fn messages_use_the_option_names_of_the_program() {
    let named = |name: &'static str| std::borrow::Cow::from(format!("--{name}"));

    let nothing = Config::builder().option_names(named).environment(|_| None).build().unwrap_err();
    let mut builder = Config::builder().option_names(named);
    let invalid = builder.set("base_url", b"cloud.mongodb.com").unwrap_err();
    let config = configured().option_names(named).build().unwrap();

    assert_eq!(nothing.checked_sources()[0], "options --client_id (not set), --client_secret (not set), --client_secret_file (not set)");
    assert_has(&nothing.hint(), &["the options --client_id and --client_secret (or --client_secret_file)"]);
    assert!(invalid.to_string().starts_with("--base_url is not a URL"), "{invalid}");
    assert_eq!(config.provenance()[0].source(), "option --client_id");
}

#[test]
fn variables_of_an_api_key_get_a_hint_to_create_a_service_account() {
    let builder = with_variables([("MONGODB_ATLAS_PUBLIC_KEY", "abcdefgh"), ("MCLI_PRIVATE_API_KEY", "canary")]);

    let shown = not_configured(&builder);

    assert_has(&shown, &["MONGODB_ATLAS_PUBLIC_KEY, MCLI_PRIVATE_API_KEY", "programmatic API key", "service account"]);
    assert!(!shown.contains("abcdefgh"), "{shown}");
}

#[test]
fn an_invalid_variable_is_named_unless_another_source_wins() {
    let variables = [
        ("MONGODB_ATLAS_CLIENT_ID", ID),
        ("MONGODB_ATLAS_CLIENT_SECRET", SECRET),
        ("MONGODB_ATLAS_BASE_URL", "http://cloud.mongodb.com"),
        ("TOKENWELL_TIMEOUT_MS", "soon"),
    ];

    let refused = with_variables(variables).build().unwrap_err();
    assert!(refused.status() == Status::Refused && refused.to_string().contains("MONGODB_ATLAS_BASE_URL"), "{refused}");
    let invalid = with_variables(variables).base_url("https://a.example").build().unwrap_err();
    assert!(invalid.to_string().starts_with("TOKENWELL_TIMEOUT_MS must be"), "{invalid}");
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
    assert!(
        error.to_string().starts_with("MONGODB_ATLAS_CLIENT_SECRET is not UTF-8") && !everything_shown(&error).contains("canary"),
        "{error}"
    );
}

#[test]
fn i21_a_secret_in_a_bad_variable_is_not_shown() {
    let error = with_variables([("MCLI_CLIENT_ID", ID), ("MCLI_CLIENT_SECRET", "canary\n")]).build().unwrap_err();

    assert!(error.to_string().starts_with("MCLI_CLIENT_SECRET contains a newline"), "{error}");
    assert!(!everything_shown(&error).contains("canary"));
}
