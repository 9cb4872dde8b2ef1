//! Variables that nothing reads, although their names suggest that tokenwell does.

use super::environment::{API_KEY_VARIABLES, LOG_VARIABLE, TOKEN_VARIABLES};
use super::setting::{FILE_VARIABLE, Family, settings};
use super::suggestion::{nearest, within};
use crate::error::{Error, printable};
use std::fmt;

/// The prefix of our variables. No other program uses it.
pub(super) const OUR_PREFIX: &str = "TOKENWELL_";

/// Our variables that are not settings: the configuration file, the guard of `tokenwell exec`, the
/// log of the C library, the log of changes of the command, and the paths by which wrappers and tests
/// find the library and the command.
const OTHER_VARIABLES: [&str; 10] = [
    FILE_VARIABLE,
    "TOKENWELL_EXEC_DEPTH",
    LOG_VARIABLE,
    "TOKENWELL_CHANGE_LOG",
    "TOKENWELL_HOME",
    "TOKENWELL_LIBRARY",
    "TOKENWELL_BIN",
    "TOKENWELL_COMMAND",
    "TOKENWELL_VERSION",
    "TOKENWELL_WRITE_HEADER",
];

/// What the names of our variables begin with that belong to test suites, to the emulator and to the
/// builds of the wrappers. The core reads one of them, [`EMULATOR_VARIABLE`].
const OTHER_PREFIXES: [&str; 4] = ["TEST", "EMULATOR", "NODE", "GO"];
/// The mark that `tokenwell emulator -- COMMAND` sets in the environment of the command. With `_` and
/// the name of a flag, it is the variable of that flag.
pub(super) const EMULATOR_VARIABLE: &str = "TOKENWELL_EMULATOR";

/// What the names of variables begin with that a later version may read. An older library beside a
/// newer one must work, so they are only reported.
const RESERVED_PREFIXES: [&str; 3] = ["STORE", "LOG", "PROXY"];

/// A name with one of these words names a server or a credential.
const WORDS_OF_A_SERVER: [&str; 12] =
    ["URL", "URI", "ENDPOINT", "ISSUER", "HOST", "HOSTNAME", "SERVER", "DOMAIN", "AUTHORITY", "TENANT", "ORIGIN", "REALM"];
const WORDS_OF_A_CREDENTIAL: [&str; 6] = ["CLIENT", "SECRET", "PASSWORD", "PASSPHRASE", "CREDENTIAL", "CREDENTIALS"];

/// A name that ends with one of these words names a credential.
const ENDS_OF_A_CREDENTIAL: [&str; 6] = ["ID", "KEY", "TOKEN", "USER", "USERNAME", "ACCOUNT"];

/// How many letters of a misspelled name may differ. Names of later versions differ in more.
const MISSPELLED: usize = 2;

/// A variable with our prefix that nothing reads, or a misspelled one of another family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownVariable {
    name: String,
    nearest: Option<&'static str>,
    is_misleading: bool,
}

impl UnknownVariable {
    /// Checks a variable that is set. Returns `None` if it is known or belongs to another program.
    /// `is_set`: whether another variable is set.
    pub(super) fn of(name: &str, is_set: impl Fn(&str) -> bool) -> Option<Self> {
        if let Some(written) = name.strip_prefix(OUR_PREFIX) {
            return Self::of_ours(name, written);
        }
        let (prefix, family) =
            [("MONGODB_ATLAS_", Family::Atlas), ("MCLI_", Family::Mcli)].into_iter().find(|(prefix, _)| name.starts_with(prefix))?;
        Self::of_another_family(name, prefix, family, is_set)
    }

    fn of_ours(name: &str, written: &str) -> Option<Self> {
        let ours = || settings().flat_map(|setting| setting.variables_of(Family::Tokenwell)).copied().chain(OTHER_VARIABLES);
        let begins_with = |prefix: &str| written.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
        if ours().any(|known| known == name) || OTHER_PREFIXES.into_iter().any(begins_with) {
            return None;
        }
        // Kubernetes sets TOKENWELL_SERVICE_HOST, TOKENWELL_PORT_80_TCP and others in each pod beside a service named tokenwell.
        if written.ends_with("SERVICE_HOST") || written.split('_').any(|word| word == "PORT") {
            return None;
        }
        let bare = |variable: &'static str| variable.strip_prefix(OUR_PREFIX).unwrap_or(variable);
        // A part of the name is missing, as in TOKENWELL_SECRET: `nearest` allows only a few
        // letters.
        let ending = || ours().map(bare).filter(|known| known.ends_with(&format!("_{written}"))).min_by_key(|known| known.len());
        let words = || written.split('_');
        let names_server = words().any(|word| WORDS_OF_A_SERVER.contains(&word));
        let meant = nearest(written, ours().map(bare)).or_else(ending).or(names_server.then_some("TOKEN_URL"));
        let is_misleading = !RESERVED_PREFIXES.into_iter().any(begins_with)
            && (names_server
                || words().any(|word| WORDS_OF_A_CREDENTIAL.contains(&word))
                || words().next_back().is_some_and(|word| ENDS_OF_A_CREDENTIAL.contains(&word))
                || within(MISSPELLED, written, ours().map(bare)).is_some());
        let nearest = meant.and_then(|meant| ours().find(|known| bare(known) == meant));
        Some(Self { name: printable(name, 64), nearest, is_misleading })
    }

    /// Other programs have variables with these prefixes, so only a misspelled name is reported, and
    /// only if the intended variable is not set.
    fn of_another_family(name: &str, prefix: &str, family: Family, is_set: impl Fn(&str) -> bool) -> Option<Self> {
        let known = || settings().flat_map(move |setting| setting.variables_of(family)).copied();
        if known().chain(API_KEY_VARIABLES).chain(TOKEN_VARIABLES).any(|known| known == name) {
            return None;
        }
        let bare = |variable: &'static str| variable.strip_prefix(prefix).unwrap_or(variable);
        let written = name.strip_prefix(prefix)?;
        let meant = within(MISSPELLED, written, known().map(bare))?;
        let nearest = known().find(|known| bare(known) == meant)?;
        // A longer name, as of a second account, is intended.
        if written.starts_with(meant) || is_set(nearest) {
            return None;
        }
        Some(Self { name: printable(name, 64), nearest: Some(nearest), is_misleading: true })
    }

    /// Returns its name, made printable.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the variable that was most likely intended, if one is close enough.
    #[must_use]
    pub fn nearest(&self) -> Option<&'static str> {
        self.nearest
    }

    /// Returns whether no token request may be sent while it is set: it names a server or a
    /// credential, or is a misspelled name. Without it, a secret could be sent to the wrong server.
    #[must_use]
    pub fn is_misleading(&self) -> bool {
        self.is_misleading
    }

    /// Returns the error for a variable that [is misleading](Self::is_misleading).
    pub(super) fn error(&self) -> Error {
        let instead = self.nearest.map_or_else(|| "Unset it".to_owned(), |nearest| format!("Rename it to {nearest}, or unset it"));
        Error::invalid(
            &self.name,
            format!("is not a setting, so tokenwell does not read it{}", self.suggestion()),
            format!("{instead}. Until then, no token request is sent, because it could go to another server or use another credential."),
        )
    }

    /// Returns the beginning of a hint: "Rename X to Y. ", or nothing without a nearest variable.
    pub(super) fn rename_hint(&self) -> String {
        self.nearest.map(|nearest| format!("Rename {} to {nearest}. ", self.name)).unwrap_or_default()
    }

    fn suggestion(&self) -> String {
        self.nearest.map(|nearest| format!(": did you mean {nearest}?")).unwrap_or_default()
    }
}

impl fmt::Display for UnknownVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is set, but is not a setting{}", self.name, self.suggestion())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Setting;

    fn unknown(name: &str) -> Option<UnknownVariable> {
        UnknownVariable::of(name, |_| false)
    }

    #[test]
    fn a_variable_with_our_prefix_that_nothing_reads_is_answered_with_the_nearest_that_something_does() {
        let nearest = |name| unknown(name).map(|unknown| unknown.nearest);

        for (written, meant) in [
            ("TOKENWELL_CLIENT_SECERT_FILE", "TOKENWELL_CLIENT_SECRET_FILE"),
            ("TOKENWELL_CLIENTID", "TOKENWELL_CLIENT_ID"),
            ("TOKENWELL_TIMEOUT", "TOKENWELL_TIMEOUT_MS"),
            ("TOKENWELL_SECRET", "TOKENWELL_CLIENT_SECRET"),
            ("TOKENWELL_ID", "TOKENWELL_CLIENT_ID"),
            ("TOKENWELL_CONFIGFILE", "TOKENWELL_CONFIG_FILE"),
            ("TOKENWELL_BASEURL", "TOKENWELL_BASE_URL"),
            ("TOKENWELL_TOKEN_ENDPOINT", "TOKENWELL_TOKEN_URL"),
            ("TOKENWELL_ISSUER", "TOKENWELL_TOKEN_URL"),
        ] {
            assert_eq!(nearest(written), Some(Some(meant)), "{written}");
            assert!(unknown(written).is_some_and(|unknown| unknown.is_misleading()), "{written}");
        }
        assert_eq!((nearest("TOKENWELL_FOO"), nearest("TOKENWELL_")), (Some(None), Some(None)));
    }

    #[test]
    fn the_variables_of_a_kubernetes_service_of_our_name_are_ignored() {
        for name in
            ["SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_8080_TCP", "PORT_8080_TCP_ADDR", "CACHE_SERVICE_HOST"]
        {
            assert!(unknown(&format!("TOKENWELL_{name}")).is_none(), "{name}");
        }
    }

    #[test]
    fn a_variable_of_a_later_version_is_reported_and_does_no_harm() {
        for name in [
            "TOKENWELL_FOO",
            "TOKENWELL_COLOR",
            "TOKENWELL_CACHE_TTL",
            "TOKENWELL_STORE",
            "TOKENWELL_STORE_URL",
            "TOKENWELL_LOG_FORMAT",
            "TOKENWELL_PROXY_HOST",
            "TOKENWELL_RENEW_AHEAD",
        ] {
            assert!(unknown(name).is_some_and(|unknown| !unknown.is_misleading()), "{name}");
        }
        for name in ["TOKENWELL_API_KEY", "TOKENWELL_TENANT", "TOKENWELL_SERVER", "TOKENWELL_TOKEN", "TOKENWELL_STORED_SECRET"] {
            assert!(unknown(name).is_some_and(|unknown| unknown.is_misleading()), "{name}");
        }
    }

    #[test]
    fn no_variable_that_something_reads_and_none_of_another_program_is_unknown() {
        let known = settings().flat_map(Setting::variables).chain(OTHER_VARIABLES).chain(API_KEY_VARIABLES).chain(TOKEN_VARIABLES);
        let others = [
            "TOKENWELL_TEST_SCENE",
            "TOKENWELL_EMULATOR_URL",
            "TOKENWELL_GO_MUSL",
            "MONGODB_ATLAS_PROJECT_ID",
            "MONGODB_ATLAS_ORG_ID",
            "MONGODB_ATLAS_CLIENT_ID_2",
            "MONGODB_ATLAS_CLIENT_SECRET_STAGING",
            "MONGODB_ATLAS_SKIP_UPDATE_CHECK",
            "MONGODB_ATLAS_TELEMETRY_ENABLED",
            "MCLI_PROJECT_ID",
            "MCLI_SERVICE",
            "MCLI_OUTPUT",
            "tokenwell_client_id",
            "HOME",
            "",
        ];
        for variable in known.chain(others) {
            assert_eq!(unknown(variable), None, "{variable}");
        }
    }

    #[test]
    fn a_misspelled_variable_of_another_family_is_unknown_unless_the_correct_one_is_set() {
        for (written, meant) in [
            ("MONGODB_ATLAS_CLIENT_SECERT", "MONGODB_ATLAS_CLIENT_SECRET"),
            ("MONGODB_ATLAS_CLIENTID", "MONGODB_ATLAS_CLIENT_ID"),
            ("MONGODB_ATLAS_BASE_URI", "MONGODB_ATLAS_BASE_URL"),
            ("MCLI_CLIENT_SERCET", "MCLI_CLIENT_SECRET"),
            ("MCLI_OPSMANAGER_URL", "MCLI_OPS_MANAGER_URL"),
        ] {
            let found = unknown(written);
            assert_eq!(found.as_ref().and_then(UnknownVariable::nearest), Some(meant), "{written}");
            assert!(found.is_some_and(|found| found.is_misleading()));
            assert_eq!(UnknownVariable::of(written, |name| name == meant), None, "{written}");
        }
    }
}
