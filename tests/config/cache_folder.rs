//! Where processes share tokens: in a folder that a setting names, else below the user's cache folder.

use crate::support::{ID, SECRET, everything_shown, with_variables};
use std::path::{Path, PathBuf};
#[cfg(feature = "emulator")]
use tokenwell::config::Config;
use tokenwell::config::ConfigBuilder;
#[cfg(feature = "emulator")]
use tokenwell::emulator::{Emulator, EmulatorOptions};
use tokenwell::error::Status;
#[cfg(feature = "emulator")]
use tokenwell::{Client, TokenOptions};

fn with_account<const N: usize>(variables: [(&'static str, &'static str); N]) -> ConfigBuilder {
    with_variables(variables).client_id(ID).client_secret(SECRET)
}

fn folder<const N: usize>(variables: [(&'static str, &'static str); N]) -> PathBuf {
    with_account(variables).build().unwrap().cache_folder().unwrap()
}

#[test]
fn the_most_particular_variable_names_the_directory() {
    let (own, xdg, home) = (("TOKENWELL_CACHE_DIR", "/own"), ("XDG_CACHE_HOME", "/xdg"), ("HOME", "/home/me"));

    assert_eq!(folder([home, xdg, own]), Path::new("/own"));
    assert_eq!(folder([home, xdg]), Path::new("/xdg/tokenwell"));
    assert_eq!(folder([home]), Path::new("/home/me/.cache/tokenwell"));
}

#[test]
fn an_option_wins_over_every_variable() {
    let config = with_account([("TOKENWELL_CACHE_DIR", "/own"), ("HOME", "/home/me")]).cache_dir("/option").build().unwrap();

    assert_eq!(config.cache_folder().unwrap(), Path::new("/option"));
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let found = folder([("TOKENWELL_CACHE_DIR", ""), ("XDG_CACHE_HOME", ""), ("HOME", "/home/me")]);

    assert_eq!(found, Path::new("/home/me/.cache/tokenwell"));
}

#[test]
fn a_relative_xdg_directory_is_passed_over() {
    assert_eq!(folder([("XDG_CACHE_HOME", "xdg"), ("HOME", "/home/me")]), Path::new("/home/me/.cache/tokenwell"));
}

#[test]
fn i28_a_relative_cache_directory_is_an_error_that_names_it() {
    let error = with_account([("TOKENWELL_CACHE_DIR", "cache"), ("HOME", "/home/me")]).build().unwrap_err();

    assert_eq!(error.status(), Status::InvalidArgument);
    assert_eq!(error.to_string(), "TOKENWELL_CACHE_DIR: is not an absolute path");
}

#[test]
fn without_a_home_the_error_names_the_way_out() {
    for builder in [with_account([]), with_account([("HOME", "home")]), with_account([("HOME", "")])] {
        let error = builder.build().unwrap().cache_folder().unwrap_err();

        let shown = everything_shown(&error);
        assert_eq!(error.status(), Status::NotConfigured, "{shown}");
        assert!(error.to_string().contains("HOME") && error.hint().contains("Set TOKENWELL_CACHE_DIR"), "{shown}");
    }
}

#[cfg(feature = "emulator")]
#[test]
fn clients_share_where_the_look_up_says_and_not_where_the_process_would() {
    let emulator = Emulator::start(EmulatorOptions::default()).unwrap();
    let home = tempfile::tempdir().unwrap();
    let token = || {
        let folder = home.path().as_os_str().to_owned();
        let builder = Config::builder().environment(move |name| (name == "XDG_CACHE_HOME").then(|| folder.clone()));
        let config = builder.base_url(emulator.base_url()).client_id(emulator.client_id()).client_secret(emulator.client_secret());
        let token = Client::new(config.build().unwrap()).unwrap().token(&TokenOptions::default()).unwrap();
        token.value().to_owned()
    };

    assert_eq!(token(), token());

    assert_eq!(emulator.counters().token_requests, 1);
    let names = std::fs::read_dir(home.path().join("tokenwell")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.ends_with(".token")).count(), 1);
}
