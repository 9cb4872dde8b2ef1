//! Settings that contradict each other.

use crate::support::{ID, SECRET, assert_has, configured, not_configured, with_variables};
use tokenwell::config::Config;

/// An option for one half and a `TOKENWELL_*` variable for the other are one intention.
#[test]
fn one_half_may_be_an_option_and_the_other_a_variable_of_tokenwell() {
    let table = [
        (
            with_variables([("TOKENWELL_CLIENT_ID", ID)]).client_secret(SECRET),
            ["environment variable TOKENWELL_CLIENT_ID", "option client_secret"],
        ),
        (
            with_variables([("TOKENWELL_CLIENT_SECRET", SECRET)]).client_id(ID),
            ["option client_id", "environment variable TOKENWELL_CLIENT_SECRET"],
        ),
        (
            with_variables([("TOKENWELL_CLIENT_ID", ID), ("TOKENWELL_CLIENT_SECRET", SECRET), ("MCLI_CLIENT_ID", "m")]).client_id(ID),
            ["option client_id", "environment variable TOKENWELL_CLIENT_SECRET"],
        ),
    ];
    for (builder, expected) in table {
        let config = builder.build().unwrap();
        let sources: Vec<_> =
            config.provenance().iter().filter(|from| from.setting().starts_with("client_")).map(|from| from.source()).collect();
        assert_eq!(sources, expected);
        assert_eq!(config.client_id(), ID);
    }
}

#[test]
fn an_id_and_a_secret_are_never_taken_from_two_sources() {
    let table = [
        (
            with_variables([("MONGODB_ATLAS_CLIENT_SECRET", SECRET)]).client_id(ID),
            &["client_id is set without client_secret or client_secret_file", "MONGODB_ATLAS_CLIENT_SECRET is set", "remove client_id"][..],
        ),
        (
            with_variables([("MONGODB_ATLAS_CLIENT_ID", ID)]).client_secret(SECRET),
            &["client_secret is set without client_id", "MONGODB_ATLAS_CLIENT_ID is set", "Set client_id as well"],
        ),
        (
            with_variables([("TOKENWELL_CLIENT_ID", "t"), ("TOKENWELL_CLIENT_SECRET", SECRET)]).client_id(ID),
            &["client_id is set without client_secret or client_secret_file", "TOKENWELL_CLIENT_SECRET is set"],
        ),
        (
            with_variables([("TOKENWELL_CLIENT_ID", "t"), ("MONGODB_ATLAS_CLIENT_ID", ID), ("MONGODB_ATLAS_CLIENT_SECRET", SECRET)]),
            &[
                "TOKENWELL_CLIENT_ID is set without TOKENWELL_CLIENT_SECRET or TOKENWELL_CLIENT_SECRET_FILE",
                "MONGODB_ATLAS_CLIENT_SECRET is set",
                "remove TOKENWELL_CLIENT_ID",
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
fn an_incomplete_pair_names_what_is_missing_and_hints_at_a_mix_up() {
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
fn a_variable_that_is_set_but_empty_is_named_as_empty() {
    let shown = not_configured(&with_variables([("MONGODB_ATLAS_CLIENT_ID", ID), ("MONGODB_ATLAS_CLIENT_SECRET", "")]));

    assert_has(
        &shown,
        &["MONGODB_ATLAS_CLIENT_ID is set, but MONGODB_ATLAS_CLIENT_SECRET is empty", "Set MONGODB_ATLAS_CLIENT_SECRET. In CI"],
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
fn an_explicit_base_url_wins_over_a_token_url_in_the_environment() {
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
