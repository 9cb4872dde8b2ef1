//! Secrets in the keyring.

use crate::support::{Fault, Home, ID, SECRET, assert_has, origin, profile};
#[cfg(not(feature = "keyring"))]
use crate::support::{checked, shown};
#[cfg(not(feature = "keyring"))]
use tokenwell::config::Config;
use tokenwell::error::Status;

fn pairs(home: &Home) -> Vec<(String, String)> {
    home.keyring.asked.lock().unwrap().clone()
}

fn pair(service: &str, account: &str) -> (String, String) {
    (service.to_owned(), account.to_owned())
}

#[test]
fn the_secret_of_a_profile_may_be_in_the_keyring() {
    let home = Home::new().ours(&format!("[staging]\nclient_id = '{ID}'\n")).kept("tokenwell_staging", "client_secret", SECRET);

    let config = home.variable("TOKENWELL_PROFILE", "staging").build();

    assert_eq!(config.client_id(), ID);
    assert_eq!(origin(&config, "client_secret"), Some("the keyring (service tokenwell_staging, account client_secret)"));
    assert!(origin(&config, "client_id").unwrap().starts_with("profile staging in "));
    assert!(!format!("{config:?}").contains("canary"));
}

#[test]
fn the_account_of_an_atlas_cli_profile_may_be_in_the_keyring() {
    let home = Home::new().theirs("[default]\nauth_type = 'service_account'\nservice = 'cloudgov'\n");
    let home = home.kept("atlascli_default", "client_id", ID).kept("atlascli_default", "client_secret", SECRET);

    let config = home.build();

    assert_eq!((config.client_id(), config.token_endpoint().origin().as_str()), (ID, "https://cloud.mongodbgov.com"));
    assert_eq!(origin(&config, "client_id"), Some("the keyring (service atlascli_default, account client_id)"));
}

#[test]
fn i20_only_the_exact_service_and_account_are_asked_for() {
    let home = Home::new().ours("[default]\ntimeout_ms = 1000\n").theirs("[default]\nauth_type = 'service_account'\nclient_id = 'x'\n");
    let home = home.kept("atlascli_other", "client_secret", SECRET).kept("another program", "client_secret", SECRET);

    let shown = home.not_configured();

    assert_eq!(pairs(&home), [pair("atlascli_default", "client_secret")]);
    assert_has(&shown, &["client_id in profile default", "is set without client_secret"]);
    assert_has(&shown, &["client_secret is neither in the profile nor in the keyring (service atlascli_default, account client_secret)"]);
}

#[test]
fn the_keyring_is_not_read_if_nothing_is_missing() {
    let complete = Home::new().ours(&profile("default", ID));
    let above = Home::new().ours("[default]\nclient_id = 'x'\n").variable("MCLI_CLIENT_ID", ID).variable("MCLI_CLIENT_SECRET", SECRET);
    let api_key = Home::new().theirs("[default]\nauth_type = 'api_keys'\n");

    complete.build();
    assert_eq!(above.build().client_id(), ID);
    api_key.not_configured();

    for home in [complete, above, api_key] {
        assert!(pairs(&home).is_empty());
    }
}

#[test]
fn a_keyring_that_cannot_be_used_is_named_with_its_reason() {
    let ours = Home::new().ours(&format!("[default]\nclient_id = '{ID}'\n"));
    let theirs = Home::new().theirs("[default]\nauth_type = 'service_account'\n");
    for home in [ours, theirs] {
        *home.keyring.fault.lock().unwrap() = Some(Fault::Locked);

        assert_has(&home.not_configured(), &["profile default ", "not in the profile, and the keyring is locked"]);
    }
}

#[test]
fn i19_a_keyring_that_hangs_is_waited_for_two_seconds_and_not_longer() {
    let home = Home::new().theirs("[default]\nauth_type = 'service_account'\n");
    *home.keyring.fault.lock().unwrap() = Some(Fault::Hangs);

    let error = home.error();

    assert_eq!(error.status(), Status::NotConfigured);
    assert_has(error.checked_sources().last().unwrap(), &["atlascli/config.toml", "the keyring did not answer within 2 s"]);
}

#[cfg(not(feature = "keyring"))]
#[test]
fn a_build_without_keyring_support_says_so() {
    let home = Home::new().ours(&format!("[default]\nclient_id = '{ID}'\n"));
    let variables = home.variables.clone();

    let error = checked(Config::builder().environment(move |name| variables.get(name).cloned()).build().unwrap_err());

    assert_has(&shown(&error), &["this build of tokenwell has no keyring"]);
}
