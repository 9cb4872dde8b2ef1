//! The precedence of the sources.

use crate::support::{Home, ID, SECRET, assert_has, checked, profile, shown};
use std::fs;
use std::path::Path;
use std::time::Duration;
use tokenwell::error::Status;

#[test]
fn each_source_wins_over_those_below_it() {
    let home = Home::new().theirs(&profile("default", "mdb_sa_id_6")).ours(&profile("default", "mdb_sa_id_5"));
    let home = [("mdb_sa_id_4", "MCLI"), ("mdb_sa_id_3", "MONGODB_ATLAS"), ("mdb_sa_id_2", "TOKENWELL")]
        .into_iter()
        .fold(home, |home, (id, family)| {
            home.variable(&format!("{family}_CLIENT_ID"), id).variable(&format!("{family}_CLIENT_SECRET"), SECRET)
        });
    assert_eq!(home.builder().client_id("mdb_sa_id_1").client_secret("s").build().unwrap().client_id(), "mdb_sa_id_1");

    let mut home = home;
    for (id, family) in [("mdb_sa_id_2", "TOKENWELL"), ("mdb_sa_id_3", "MONGODB_ATLAS"), ("mdb_sa_id_4", "MCLI")] {
        assert_eq!(home.build().client_id(), id);
        home.variables.retain(|name, _| !name.starts_with(family));
    }
    assert_eq!(home.build().client_id(), "mdb_sa_id_5");
    fs::remove_file(home.our_file()).unwrap();
    assert_eq!(home.build().client_id(), "mdb_sa_id_6");
}

#[test]
fn settings_come_each_from_the_first_source_that_has_them() {
    let home = Home::new().ours(&(profile("default", ID) + "base_url = 'https://file.example'\nscope = 'file'\ntimeout_ms = 1000\n"));
    let home = home.variable("MONGODB_ATLAS_BASE_URL", "https://variable.example").variable("TOKENWELL_SCOPE", "variable");

    let config = home.builder().scope("option").build().unwrap();

    let file = format!("profile default in {}", home.our_file().display());
    assert_eq!(config.token_endpoint().origin(), "https://variable.example");
    assert_eq!((config.scope(), config.timeout()), (Some("option"), Duration::from_secs(1)));
    let origins: Vec<_> = config.provenance().iter().map(|origin| (origin.setting(), origin.source())).collect();
    let expected = [
        ("client_id", &*file),
        ("client_secret", &file),
        ("base_url", "environment variable MONGODB_ATLAS_BASE_URL"),
        ("auth_method", "the default"),
        ("scope", "option scope"),
        ("timeout_ms", &file),
        ("cache", "the default"),
    ];
    assert_eq!(origins, expected);
}

#[test]
fn i6_the_server_of_a_profiles_account_does_not_get_the_secret_of_another_source() {
    let account =
        profile("default", "other") + "base_url = 'https://other.example'\nscope = 'other'\nca_file = '/ca.pem'\ntimeout_ms = 1000\n";
    let home = Home::new().ours(&account).variable("MONGODB_ATLAS_CLIENT_ID", ID).variable("MONGODB_ATLAS_CLIENT_SECRET", SECRET);

    let config = home.build();

    assert_eq!((config.client_id(), config.scope()), (ID, None));
    assert_eq!(config.token_endpoint().origin(), "https://cloud.mongodb.com");
    assert_eq!((config.ca_file(), config.timeout()), (Some(Path::new("/ca.pem")), Duration::from_secs(1)));
}

#[test]
fn a_profile_without_a_credential_is_used_with_another_source() {
    let home = Home::new().ours("[default]\nbase_url = 'https://a.example'\nscope = 'a'\n");

    let config = home.variable("MCLI_CLIENT_ID", ID).variable("MCLI_CLIENT_SECRET", SECRET).build();

    assert_eq!((config.token_endpoint().origin().as_str(), config.scope()), ("https://a.example", Some("a")));
}

#[test]
fn a_profile_selected_by_an_option_is_not_ignored_silently() {
    for home in [Home::new().ours(&profile("staging", "other")), Home::new().theirs(&profile("staging", "other"))] {
        let home = home.variable("MONGODB_ATLAS_CLIENT_ID", ID).variable("MONGODB_ATLAS_CLIENT_SECRET", SECRET);

        let error = checked(home.builder().profile("staging").build().unwrap_err());

        assert_eq!(error.status(), Status::NotConfigured);
        assert_has(
            &shown(&error),
            &[
                "the option profile selects profile staging in ",
                "but MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET take precedence",
                "Unset MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET, or leave out the option profile.",
            ],
        );
        assert_eq!(home.variable("TOKENWELL_PROFILE", "staging").build().client_id(), ID);
    }
}

#[test]
fn a_missing_credential_lists_one_line_for_each_source_in_order() {
    let home = Home::new().ours("[prod]\n").theirs("[default]\nauth_type = 'api_keys'\n").variable("MONGODB_ATLAS_ACCESS_TOKEN", "canary");

    let error = home.error();

    assert_eq!(error.status(), Status::NotConfigured);
    let expected = [
        "options client_id (not set), client_secret (not set), client_secret_file (not set)".to_owned(),
        "environment variables TOKENWELL_CLIENT_ID (not set), TOKENWELL_CLIENT_SECRET (not set), TOKENWELL_CLIENT_SECRET_FILE (not set)"
            .to_owned(),
        "environment variables MONGODB_ATLAS_CLIENT_ID (not set), MONGODB_ATLAS_CLIENT_SECRET (not set)".to_owned(),
        "environment variables MCLI_CLIENT_ID (not set), MCLI_CLIENT_SECRET (not set)".to_owned(),
        format!("profile default in {}: no such profile; the file has prod", home.our_file().display()),
        format!("profile default in {}: contains an API key, not a service account", home.their_file().display()),
        "MONGODB_ATLAS_ACCESS_TOKEN: a static access token, not used because it cannot be refreshed".to_owned(),
    ];
    assert_eq!(error.checked_sources(), expected);
    assert_has(&error.hint(), &["MONGODB_ATLAS_CLIENT_ID", "tokenwell login"]);
}

#[test]
fn a_static_access_token_is_ignored_if_there_is_a_credential() {
    let home = Home::new().ours(&profile("default", ID)).variable("MONGODB_ATLAS_ACCESS_TOKEN", "canary");

    assert_eq!(home.build().client_id(), ID);
}

#[test]
fn i21_provenance_never_shows_a_value() {
    let config = Home::new().ours(&(profile("default", ID) + "scope = 'a-scope'\n")).build();

    let origins = format!("{:?}", config.provenance());
    assert!(!origins.contains("canary") && !origins.contains("a-scope") && !origins.contains(ID), "{origins}");
    assert!(!format!("{config:?}").contains("canary"));
}
