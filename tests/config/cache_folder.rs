//! The directory of the shared token cache: set by a setting, or in the user's cache directory.

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

fn directory<const N: usize>(variables: [(&'static str, &'static str); N]) -> PathBuf {
    with_account(variables).build().unwrap().resolved_cache_dir().unwrap()
}

#[test]
fn the_variable_with_the_highest_precedence_sets_the_directory() {
    let (own, xdg, home) = (("TOKENWELL_CACHE_DIR", "/own"), ("XDG_CACHE_HOME", "/xdg"), ("HOME", "/home/me"));

    assert_eq!(directory([home, xdg, own]), Path::new("/own"));
    assert_eq!(directory([home, xdg]), Path::new("/xdg/tokenwell"));
    assert_eq!(directory([home]), Path::new("/home/me/.cache/tokenwell"));
}

#[test]
fn an_option_wins_over_every_variable() {
    let config = with_account([("TOKENWELL_CACHE_DIR", "/own"), ("HOME", "/home/me")]).cache_dir("/option").build().unwrap();

    assert_eq!(config.resolved_cache_dir().unwrap(), Path::new("/option"));
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let found = directory([("TOKENWELL_CACHE_DIR", ""), ("XDG_CACHE_HOME", ""), ("HOME", "/home/me")]);

    assert_eq!(found, Path::new("/home/me/.cache/tokenwell"));
}

#[test]
fn a_relative_xdg_directory_is_ignored() {
    assert_eq!(directory([("XDG_CACHE_HOME", "xdg"), ("HOME", "/home/me")]), Path::new("/home/me/.cache/tokenwell"));
}

#[test]
fn i28_a_relative_cache_directory_is_an_error_that_names_it() {
    let error = with_account([("TOKENWELL_CACHE_DIR", "cache"), ("HOME", "/home/me")]).build().unwrap_err();

    assert_eq!(error.status(), Status::InvalidArgument);
    assert_eq!(error.to_string(), "TOKENWELL_CACHE_DIR is not an absolute path");
}

#[test]
fn without_a_home_the_hint_names_the_variable_to_set() {
    for builder in [with_account([]), with_account([("HOME", "home")]), with_account([("HOME", "")])] {
        let error = builder.build().unwrap().resolved_cache_dir().unwrap_err();

        let shown = everything_shown(&error);
        assert_eq!(error.status(), Status::NotConfigured, "{shown}");
        assert!(error.to_string().contains("HOME") && error.hint().contains("Set TOKENWELL_CACHE_DIR"), "{shown}");
    }
}

#[cfg(feature = "emulator")]
#[test]
fn the_cache_directory_comes_from_the_lookup_function_and_not_from_the_process() {
    let emulator = Emulator::start(EmulatorOptions::default()).unwrap();
    let home = tempfile::tempdir().unwrap();
    let token = || {
        let directory = home.path().as_os_str().to_owned();
        let builder = Config::builder().environment(move |name| (name == "XDG_CACHE_HOME").then(|| directory.clone()));
        let config = builder.base_url(emulator.base_url()).client_id(emulator.client_id()).client_secret(emulator.client_secret());
        let token = Client::new(config.build().unwrap()).unwrap().token(&TokenOptions::default()).unwrap();
        token.value().to_owned()
    };

    assert_eq!(token(), token());

    assert_eq!(emulator.counters().token_requests, 1);
    let names = std::fs::read_dir(home.path().join("tokenwell")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.ends_with(".token")).count(), 1);
}
