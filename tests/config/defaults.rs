//! Defaults and options.

use crate::support::{ID, SECRET, configured};
use std::time::Duration;
use tokenwell::config::{ClientAuthentication, Config};

#[test]
fn an_id_and_a_secret_are_enough_for_atlas() {
    // The cache directory always comes from the environment: here it is empty.
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
    assert_eq!(config.authentication(), ClientAuthentication::Auto);
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
