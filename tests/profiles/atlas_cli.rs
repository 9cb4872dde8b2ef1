//! The configuration file of the Atlas CLI.

use crate::support::{Home, ID, assert_has, origin, profile};
use std::fs;
use tokenwell::error::Status;

fn origin_of(text: &str) -> String {
    Home::new().theirs(text).build().token_endpoint().origin()
}

#[test]
fn a_service_account_of_the_atlas_cli_is_used() {
    let text = "skip_update_check = true\n\n[default]\nauth_type = 'service_account'\nclient_id = 'mdb_sa_id_theirs'\nclient_secret = 's'\norg_id = '5'\nsomething_new = 7\n";
    let home = Home::new().theirs(text);

    let config = home.build();

    assert_eq!(config.client_id(), "mdb_sa_id_theirs");
    assert_eq!(config.token_endpoint().origin(), "https://cloud.mongodb.com");
    assert_eq!(origin(&config, "client_secret"), Some(&*format!("profile default in {}", home.their_file().display())));
    assert_eq!(origin(&config, "base_url"), Some("the default"));
}

#[test]
fn the_server_comes_from_its_url_or_its_service() {
    let with = |lines: &str| profile("default", ID) + lines;

    assert_eq!(origin_of(&with("service = 'cloudgov'\n")), "https://cloud.mongodbgov.com");
    assert_eq!(origin_of(&with("service = 'cloud'\nops_manager_url = ''\n")), "https://cloud.mongodb.com");
    assert_eq!(origin_of(&with("ops_manager_url = 'https://a.example/'\n")), "https://a.example");
    assert_eq!(origin_of(&with("base_url = 'https://b.example'\nservice = 'cloudgov'\n")), "https://b.example");
    let home = Home::new().theirs(&with("ops_manager_url = 'http://a.example'\n"));
    assert_has(&home.error().to_string(), &["ops_manager_url in profile default", "atlascli/config.toml:4"]);
}

#[test]
fn a_profile_that_is_not_a_service_account_is_described() {
    let table = [
        ("auth_type = 'api_keys'\npublic_api_key = 'abcdefgh'\nprivate_api_key = 'canary'", "contains an API key, not a service account"),
        ("public_api_key = 'abcdefgh'\nprivate_api_key = 'canary'", "contains an API key, not a service account"),
        ("auth_type = 'user_account'\naccess_token = 'canary'", "contains the login of a user, not a service account"),
        ("auth_type = 'no_auth'", "contains something other than a service account"),
        ("org_id = '5'", "has no client_id"),
        ("client_id = 'x'\nclient_secret = 'canary'\nservice = 'ops-manager'", "is for a service other than MongoDB Atlas"),
    ];
    for (lines, part) in table {
        let home = Home::new().theirs(&format!("[default]\n{lines}\n"));

        let error = home.error();

        assert_eq!(error.status(), Status::NotConfigured);
        let location = format!("profile default in {}: {part}", home.their_file().display());
        assert!(error.checked_sources().last().unwrap().starts_with(&location), "{:?}", error.checked_sources());
    }
}

#[test]
fn its_file_is_opened_only_if_it_is_needed() {
    let home = Home::new().theirs("this is no TOML").ours(&profile("default", ID));

    assert_eq!(home.build().client_id(), ID);
    fs::remove_file(home.our_file()).unwrap();
    assert_has(&home.error().to_string(), &["atlascli/config.toml:1", "is not valid TOML"]);
}
