//! The configuration file is found, and its settings are used.

use crate::support::{Home, ID, SECRET, assert_has, origin, profile, shown, write};
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;
use tokenwell::config::{ClientAuthentication, Config};
use tokenwell::error::Status;

#[test]
fn the_default_profile_is_used_without_asking() {
    let home = Home::new().ours(&profile("default", ID));

    let config = home.build();

    assert_eq!(config.client_id(), ID);
    let location = format!("profile default in {}", home.our_file().display());
    assert_eq!((origin(&config, "client_id"), origin(&config, "client_secret")), (Some(&*location), Some(&*location)));
}

#[test]
fn every_setting_of_a_profile_arrives_in_the_configuration() {
    let text = format!(
        "[default]\nclient_id = '{ID}'\nclient_secret_file = 'secrets/default'\ntoken_url = 'https://login.example.com/token'\n\
         revocation_url = 'https://login.example.com/revoke'\nauth_method = 'client_secret_post'\nscope = 'a b'\naudience = 'aud'\n\
         resource = 'urn:example:api'\ntimeout_ms = 1_500\nca_file = '/etc/ca.pem'\ncache = false\ncache_dir = '../tokens'\n\
         cache_unsafe = 'on' # a string does as well\n"
    );
    let home = Home::new().ours(&text);
    write(&home.our_file().with_file_name("secrets").join("default"), SECRET.as_bytes());

    let config = home.build();

    assert_eq!(config.token_endpoint().as_str(), "https://login.example.com/token");
    assert_eq!(config.revocation_endpoint().unwrap().as_str(), "https://login.example.com/revoke");
    assert_eq!(config.authentication(), ClientAuthentication::Post);
    assert_eq!((config.scope(), config.audience(), config.resource()), (Some("a b"), Some("aud"), Some("urn:example:api")));
    assert_eq!(config.timeout(), Duration::from_millis(1500));
    assert_eq!(config.ca_file().unwrap(), Path::new("/etc/ca.pem"));
    assert_eq!((config.cache(), config.cache_unsafe()), (false, true));
    assert_eq!(config.cache_dir().unwrap(), home.our_file().with_file_name("../tokens"));
}

#[test]
fn a_profile_sets_how_its_server_is_reached() {
    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let proxy = "proxy = 'http://user:canary@p.example'\nno_proxy = 'a.example'\n";
    let home = Home::new().ours(&format!("{}{proxy}ca_pem = \"\"\"\n{pem}\"\"\"\n", profile("default", ID)));

    let config = home.build();

    let location = format!("profile default in {}", home.our_file().display());
    for setting in ["proxy", "no_proxy", "ca_pem"] {
        assert_eq!(origin(&config, setting), Some(&*location), "{setting}");
    }
    let shown = format!("{config:?}");
    assert!(shown.contains("AAAA") && shown.contains("set by proxy in profile default of") && !shown.contains("canary"), "{shown}");

    let system = Home::new().ours(&(profile("default", ID) + "ca_file = 'system'\n")).variable("SSL_CERT_FILE", "/hostile.pem").build();
    assert_eq!(system.ca_file(), None);
    assert!(!format!("{system:?}").contains("hostile"));
}

#[test]
fn a_profile_is_chosen_by_option_and_by_each_variable_in_order() {
    let text: String = ["default", "a", "b", "c", "d"].iter().map(|name| profile(name, &format!("mdb_sa_id_{name}"))).collect();
    let home = Home::new().ours(&text);
    assert_eq!(home.build().client_id(), "mdb_sa_id_default");

    let home = home.variable("MCLI_PROFILE", "a");
    assert_eq!(home.build().client_id(), "mdb_sa_id_a");
    let home = home.variable("MONGODB_ATLAS_PROFILE", "b");
    assert_eq!(home.build().client_id(), "mdb_sa_id_b");
    let home = home.variable("TOKENWELL_PROFILE", "c");
    assert_eq!(home.build().client_id(), "mdb_sa_id_c");
    assert_eq!(home.builder().profile("d").build().unwrap().client_id(), "mdb_sa_id_d");
    assert_eq!(home.variable("TOKENWELL_PROFILE", "").build().client_id(), "mdb_sa_id_b");
}

#[test]
fn a_variable_may_name_the_file() {
    let home = Home::new().ours(&profile("default", "usual"));
    let path = home.directory.path().join("elsewhere.toml");
    write(&path, profile("default", ID).as_bytes());

    let home = home.variable("TOKENWELL_CONFIG_FILE", path);

    assert_eq!(home.build().client_id(), ID);
}

#[test]
fn i27_a_file_that_a_variable_names_must_be_there() {
    let home = Home::new().variable("TOKENWELL_CONFIG_FILE", "/no/such/file.toml").variable("TOKENWELL_CLIENT_ID", ID);

    assert_has(
        &home.variable("TOKENWELL_CLIENT_SECRET", SECRET).not_configured(),
        &["TOKENWELL_CONFIG_FILE", "/no/such/file.toml", "no such file"],
    );
}

#[test]
fn without_xdg_the_file_is_in_the_home_directory() {
    let mut home = Home::new();
    home.variables.remove("XDG_CONFIG_HOME");
    let below = if cfg!(target_os = "macos") { "Library/Application Support/tokenwell" } else { ".config/tokenwell" };
    write(&home.directory.path().join(below).join("config.toml"), profile("default", ID).as_bytes());

    assert_eq!(home.build().client_id(), ID);
}

#[test]
fn files_are_not_read_unless_the_environment_is_read() {
    let home = Home::new().ours("this is no TOML");

    let config = home.builder().from_environment(false).client_id(ID).client_secret(SECRET).build().unwrap();

    assert_eq!(config.client_id(), ID);
    let error = Config::builder().client_id(ID).client_secret(SECRET).profile("staging").build().unwrap_err();
    assert_eq!(error.status(), Status::NotConfigured);
    assert_has(&shown(&error), &["profile is set", "from-environment constructor"]);
}

#[cfg(unix)]
#[test]
fn a_relative_path_in_a_directory_that_is_not_utf8_is_an_error() {
    use std::os::unix::ffi::OsStringExt;
    let home = Home::new();
    let directory = home.directory.path().join(OsString::from_vec(b"\xff".to_vec()));
    let path = directory.join("c.toml");
    write(&path, format!("[default]\nclient_id = '{ID}'\nclient_secret_file = 's'\n").as_bytes());

    let error = home.variable("TOKENWELL_CONFIG_FILE", path).error();

    assert_eq!(error.status(), Status::InvalidArgument);
    assert_has(&error.to_string(), &["client_secret_file in profile default", "is not UTF-8"]);
}
