//! The table of settings: their names, environment variables, limits and rules, all in one place.

use super::endpoint::Endpoint;
use super::proxy::proxy;
use super::rules::{
    PEM_LIMIT, SECRET_LIMIT, VALUE_LIMIT, absolute_path, any_string, authentication, certificates, check_string, manual_clock,
    profile_name, resource, scope, switch, timeout,
};
use super::suggestion::{nearest, shown_name};
use crate::error::Error;

/// Returns all settings, in the order used in the documentation and in messages.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter()
}

/// The variable with the path of the configuration file, instead of its default path.
pub(super) const FILE_VARIABLE: &str = "TOKENWELL_CONFIG_FILE";

/// One setting: its name, its environment variables and the rules of its value.
#[derive(Debug)]
pub struct Setting {
    pub(super) key: Key,
    name: &'static str,
    about: &'static str,
    /// The variables of each [`Family`], in the order of the families.
    variables: [&'static [&'static str]; Family::ALL.len()],
    limit: usize,
    rule: fn(&str, &str) -> Result<(), Error>,
    /// The TOML type of its value in a profile, besides a string; `None`: not allowed in a profile.
    pub(super) in_profile: Option<Kind>,
}

/// The TOML types of a setting. A string is always allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    String,
    /// Also an integer.
    Integer,
    /// Also `true` and `false`.
    Boolean,
    /// A string with a path, relative to the directory of the configuration file.
    Path,
}

impl Setting {
    /// Returns the name, which is the same in every language: `client_id`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns a description of the allowed values and the default.
    #[must_use]
    pub fn about(&self) -> &'static str {
        self.about
    }

    /// Returns the environment variables it is read from; the first one that is set wins.
    pub fn variables(&self) -> impl Iterator<Item = &'static str> {
        self.variables.iter().copied().flatten().copied()
    }

    /// Returns whether its value must never be shown. Of `proxy`, which may contain a password, only
    /// scheme, host and port are shown.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.key == Key::ClientSecret
    }

    pub(super) fn variables_of(&self, family: Family) -> &'static [&'static str] {
        self.variables[family as usize]
    }

    /// Validates `value`; `location` names its source in the error.
    pub(super) fn check<'a>(&self, location: &str, value: &'a [u8]) -> Result<&'a str, Error> {
        let value = check_string(location, value, self.limit, self.about, self.key == Key::CaPem)?;
        (self.rule)(location, value)?;
        Ok(value)
    }
}

/// The identifier of a setting in code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    ClientId,
    ClientSecret,
    ClientSecretFile,
    BaseUrl,
    TokenUrl,
    RevocationUrl,
    AuthMethod,
    Scope,
    Audience,
    Resource,
    Timeout,
    CaFile,
    CaPem,
    Proxy,
    NoProxy,
    Profile,
    Cache,
    CacheDir,
    CacheUnsafe,
    Environment,
    ManualClock,
}

impl Key {
    pub(super) fn setting(self) -> &'static Setting {
        &SETTINGS[self as usize]
    }
}

/// A family of environment variables. Each family is one source, so that an id is never combined
/// with the secret of another family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Tokenwell,
    Atlas,
    Mcli,
}

impl Family {
    /// All families, highest precedence first.
    pub(super) const ALL: [Self; 3] = [Self::Tokenwell, Self::Atlas, Self::Mcli];
}

/// One row for each [`Key`], in the order of the keys.
static SETTINGS: [Setting; 21] = [
    Setting {
        key: Key::ClientId,
        name: "client_id",
        about: "id of the service account: any characters except control characters, at most 4096 bytes; at Atlas only visible ASCII and spaces",
        variables: [&["TOKENWELL_CLIENT_ID"], &["MONGODB_ATLAS_CLIENT_ID"], &["MCLI_CLIENT_ID"]],
        limit: VALUE_LIMIT,
        rule: any_string,
        in_profile: Some(Kind::String),
    },
    Setting {
        key: Key::ClientSecret,
        name: "client_secret",
        about: "any characters except control characters, at most 64 KiB; at Atlas only visible ASCII and spaces",
        variables: [&["TOKENWELL_CLIENT_SECRET"], &["MONGODB_ATLAS_CLIENT_SECRET"], &["MCLI_CLIENT_SECRET"]],
        limit: SECRET_LIMIT,
        rule: any_string,
        in_profile: Some(Kind::String),
    },
    Setting {
        key: Key::ClientSecretFile,
        name: "client_secret_file",
        about: "path of a file that contains the secret; read again for every token request",
        variables: [&["TOKENWELL_CLIENT_SECRET_FILE"], &[], &[]],
        limit: VALUE_LIMIT,
        rule: any_string,
        in_profile: Some(Kind::Path),
    },
    Setting {
        key: Key::BaseUrl,
        name: "base_url",
        about: "scheme and host of Atlas; default `https://cloud.mongodb.com`",
        variables: [
            &["TOKENWELL_BASE_URL"],
            &["MONGODB_ATLAS_BASE_URL", "MONGODB_ATLAS_OPS_MANAGER_URL"],
            &["MCLI_BASE_URL", "MCLI_OPS_MANAGER_URL"],
        ],
        limit: VALUE_LIMIT,
        rule: |location, value| Endpoint::base(location, value).map(drop),
        in_profile: Some(Kind::String),
    },
    Setting {
        key: Key::TokenUrl,
        name: "token_url",
        about: "token endpoint of any OAuth 2.0 server, instead of `base_url`",
        variables: [&["TOKENWELL_TOKEN_URL"], &[], &[]],
        limit: VALUE_LIMIT,
        rule: |location, value| Endpoint::full(location, value).map(drop),
        in_profile: Some(Kind::String),
    },
    Setting {
        key: Key::RevocationUrl,
        name: "revocation_url",
        about: "revocation endpoint (RFC 7009); default: derived from `base_url`",
        variables: [&["TOKENWELL_REVOCATION_URL"], &[], &[]],
        limit: VALUE_LIMIT,
        rule: |location, value| Endpoint::full(location, value).map(drop),
        in_profile: Some(Kind::String),
    },
    Setting {
        key: Key::AuthMethod,
        name: "auth_method",
        about: "`client_secret_basic`, `client_secret_basic_raw`, `client_secret_post`, or `auto` (not for Atlas)",
        variables: [&["TOKENWELL_AUTH_METHOD"], &[], &[]],
        limit: VALUE_LIMIT,
        rule: |location, value| authentication(location, value).map(drop),
        in_profile: Some(Kind::String),
    },
    Setting {
        key: Key::Scope,
        name: "scope",
        about: "scopes to request, separated by single spaces (RFC 6749 section 3.3)",
        variables: [&["TOKENWELL_SCOPE"], &[], &[]],
        limit: VALUE_LIMIT,
        rule: scope,
        in_profile: Some(Kind::String),
    },
    Setting {
        key: Key::Audience,
        name: "audience",
        about: "audience to request: any characters except control characters, at most 4096 bytes",
        variables: [&["TOKENWELL_AUDIENCE"], &[], &[]],
        limit: VALUE_LIMIT,
        rule: any_string,
        in_profile: Some(Kind::String),
    },
    Setting {
        key: Key::Resource,
        name: "resource",
        about: "resource to request: absolute URI without fragment (RFC 8707)",
        variables: [&["TOKENWELL_RESOURCE"], &[], &[]],
        limit: VALUE_LIMIT,
        rule: resource,
        in_profile: Some(Kind::String),
    },
    Setting {
        key: Key::Timeout,
        name: "timeout_ms",
        about: "whole milliseconds, 1 to 600000; default 30000",
        variables: [&["TOKENWELL_TIMEOUT_MS"], &[], &[]],
        limit: VALUE_LIMIT,
        rule: |location, value| timeout(location, value).map(drop),
        in_profile: Some(Kind::Integer),
    },
    Setting {
        key: Key::CaFile,
        name: "ca_file",
        about: "path of a PEM file with the CA certificates to trust, or `system`: those of the operating system, whatever the environment says",
        variables: [&["TOKENWELL_CA_FILE"], &[], &[]],
        limit: VALUE_LIMIT,
        rule: any_string,
        in_profile: Some(Kind::Path),
    },
    Setting {
        key: Key::CaPem,
        name: "ca_pem",
        about: "the CA certificates to trust as PEM, instead of `ca_file`; at most 1 MiB",
        variables: [&["TOKENWELL_CA_PEM"], &[], &[]],
        limit: PEM_LIMIT,
        rule: certificates,
        in_profile: Some(Kind::String),
    },
    Setting {
        key: Key::Proxy,
        name: "proxy",
        about: "URL of the proxy for https servers, `http://host:port` for example, or `none`; default: that of `HTTPS_PROXY` or `ALL_PROXY`",
        variables: [&["TOKENWELL_PROXY"], &[], &[]],
        limit: VALUE_LIMIT,
        rule: proxy,
        in_profile: Some(Kind::String),
    },
    Setting {
        key: Key::NoProxy,
        name: "no_proxy",
        about: "hosts that are reached without the proxy, separated by commas; default: those of `NO_PROXY`",
        variables: [&["TOKENWELL_NO_PROXY"], &[], &[]],
        limit: VALUE_LIMIT,
        rule: any_string,
        in_profile: Some(Kind::String),
    },
    Setting {
        key: Key::Profile,
        name: "profile",
        about: "name of a profile in a file: letters, digits, `-`, `_` and `.`, at most 64 characters; default: the profile `default`, if it exists",
        variables: [&["TOKENWELL_PROFILE"], &["MONGODB_ATLAS_PROFILE"], &["MCLI_PROFILE"]],
        limit: VALUE_LIMIT,
        rule: profile_name,
        in_profile: None,
    },
    Setting {
        key: Key::Cache,
        name: "cache",
        about: "`on` (the default) or `off`: whether processes share tokens in files",
        variables: [&["TOKENWELL_CACHE"], &[], &[]],
        limit: VALUE_LIMIT,
        rule: |location, value| switch(location, value).map(drop),
        in_profile: Some(Kind::Boolean),
    },
    Setting {
        key: Key::CacheDir,
        name: "cache_dir",
        about: "absolute path of the directory for shared tokens; default: `tokenwell` in the user's cache directory",
        variables: [&["TOKENWELL_CACHE_DIR"], &[], &[]],
        limit: VALUE_LIMIT,
        rule: absolute_path,
        in_profile: Some(Kind::Path),
    },
    Setting {
        key: Key::CacheUnsafe,
        name: "cache_unsafe",
        about: "`on` or `off` (the default): whether to use a cache directory that other users can access",
        variables: [&["TOKENWELL_CACHE_UNSAFE"], &[], &[]],
        limit: VALUE_LIMIT,
        rule: |location, value| switch(location, value).map(drop),
        in_profile: Some(Kind::Boolean),
    },
    Setting {
        key: Key::Environment,
        name: "environment",
        about: "`on` (the default) or `off`: whether anything comes from environment variables, including the proxy and the cache directory",
        variables: [&[], &[], &[]],
        limit: VALUE_LIMIT,
        rule: |location, value| switch(location, value).map(drop),
        in_profile: None,
    },
    Setting {
        key: Key::ManualClock,
        name: "manual_clock_ms",
        about: "milliseconds since the Unix epoch; for tests",
        // With a stopped clock no token ever expires, so no stray variable may set one.
        variables: [&[], &[], &[]],
        limit: VALUE_LIMIT,
        rule: |location, value| manual_clock(location, value).map(drop),
        in_profile: None,
    },
];

/// Returns the setting with this name.
pub(super) fn by_name(name: &str) -> Result<&'static Setting, Error> {
    SETTINGS.iter().find(|setting| setting.name == name).ok_or_else(|| unknown_name(name))
}

fn unknown_name(name: &str) -> Error {
    let names = SETTINGS.each_ref().map(|setting| setting.name);
    let suggestion = nearest(name, names).map(|name| format!("Did you mean {name}? ")).unwrap_or_default();
    let shown = shown_name(name).unwrap_or("the name");
    Error::invalid(shown, "is not the name of a setting", format!("{suggestion}The settings are {}.", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_finds_its_own_row() {
        for (index, setting) in SETTINGS.iter().enumerate() {
            assert_eq!(setting.key as usize, index, "{}", setting.name);
        }
    }

    #[test]
    fn every_variable_belongs_to_one_setting_and_to_its_family() {
        let mut seen = std::collections::BTreeSet::new();

        for setting in settings() {
            for (family, prefix) in Family::ALL.into_iter().zip(["TOKENWELL_", "MONGODB_ATLAS_", "MCLI_"]) {
                for variable in setting.variables_of(family) {
                    assert!(variable.starts_with(prefix), "{variable}");
                    assert!(seen.insert(*variable), "{variable} is listed twice");
                }
            }
        }
    }
}
