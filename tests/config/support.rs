//! Helpers: an account, an environment, and the checks for every message.

use std::ffi::OsString;
use tokenwell::config::{Config, ConfigBuilder};
use tokenwell::error::{Error, Status};

pub const ID: &str = "mdb_sa_id_0123456789abcdef01234567";
pub const SECRET: &str = "mdb_sa_sk_canary_0123456789";

/// A builder with the environment that `variables` describe, and no other.
pub fn with_variables<const N: usize>(variables: [(&'static str, &'static str); N]) -> ConfigBuilder {
    Config::builder().environment(move |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value)))
}

pub fn configured() -> ConfigBuilder {
    Config::builder().client_id(ID).client_secret(SECRET)
}

pub fn everything_shown(error: &Error) -> String {
    format!("{error} | {} | {error:?}", error.hint())
}

pub fn not_configured(builder: &ConfigBuilder) -> String {
    let error = builder.build().unwrap_err();
    let shown = everything_shown(&error);
    assert_eq!(error.status(), Status::NotConfigured, "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
    shown
}

pub fn assert_has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}
