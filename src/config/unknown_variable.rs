//! Variables with our prefix that nothing reads.

use super::environment::LOG_VARIABLE;
use super::setting::{FILE_VARIABLE, Family, settings};
use super::suggestion::nearest;
use crate::error::printable;
use std::fmt;

/// The prefix of our variables. No other program uses it.
pub(super) const OUR_PREFIX: &str = "TOKENWELL_";

/// Our variables that are not settings: the configuration file, the guard of `tokenwell exec`, the
/// log of the C library, and the paths by which wrappers and tests find the library and the
/// command.
const OTHER_VARIABLES: [&str; 6] =
    [FILE_VARIABLE, "TOKENWELL_EXEC_DEPTH", LOG_VARIABLE, "TOKENWELL_HOME", "TOKENWELL_LIBRARY", "TOKENWELL_BIN"];

/// The variables of `tokenwell emulator`: its flags, and its mark in the environment of a command.
const EMULATOR_VARIABLE: &str = "TOKENWELL_EMULATOR";

/// A variable with our prefix that nothing reads, most likely a misspelled one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownVariable {
    name: String,
    nearest: Option<&'static str>,
}

impl UnknownVariable {
    /// Checks a variable that is set; `None` if it is known or does not have our prefix.
    pub(super) fn of(name: &str) -> Option<Self> {
        let ours = || settings().flat_map(|setting| setting.variables_of(Family::Tokenwell)).copied().chain(OTHER_VARIABLES);
        let written = name.strip_prefix(OUR_PREFIX)?;
        let of_the_emulator = name.strip_prefix(EMULATOR_VARIABLE).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
        if of_the_emulator || ours().any(|known| known == name) {
            return None;
        }
        let bare = |variable: &'static str| variable.strip_prefix(OUR_PREFIX).unwrap_or(variable);
        // A part of the name is missing, as in TOKENWELL_SECRET: `nearest` allows only a few
        // letters.
        let ending = || ours().map(bare).filter(|known| known.ends_with(&format!("_{written}"))).min_by_key(|known| known.len());
        let meant = nearest(written, ours().map(bare)).or_else(ending);
        Some(Self { name: printable(name, 64), nearest: meant.and_then(|meant| ours().find(|known| bare(known) == meant)) })
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

    /// Returns the beginning of a hint: "Rename X to Y. ", or nothing without a nearest variable.
    pub(super) fn rename_hint(&self) -> String {
        self.nearest.map(|nearest| format!("Rename {} to {nearest}. ", self.name)).unwrap_or_default()
    }
}

impl fmt::Display for UnknownVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is set, but is not a setting", self.name)?;
        self.nearest.map_or(Ok(()), |nearest| write!(f, ": did you mean {nearest}?"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Setting;

    #[test]
    fn a_variable_with_our_prefix_that_nothing_reads_is_answered_with_the_nearest_that_something_does() {
        let nearest = |name| UnknownVariable::of(name).map(|unknown| unknown.nearest);

        for (written, meant) in [
            ("TOKENWELL_CLIENT_SECERT_FILE", "TOKENWELL_CLIENT_SECRET_FILE"),
            ("TOKENWELL_CLIENTID", "TOKENWELL_CLIENT_ID"),
            ("TOKENWELL_TIMEOUT", "TOKENWELL_TIMEOUT_MS"),
            ("TOKENWELL_SECRET", "TOKENWELL_CLIENT_SECRET"),
            ("TOKENWELL_ID", "TOKENWELL_CLIENT_ID"),
            ("TOKENWELL_CONFIGFILE", "TOKENWELL_CONFIG_FILE"),
        ] {
            assert_eq!(nearest(written), Some(Some(meant)), "{written}");
        }
        assert_eq!((nearest("TOKENWELL_FOO"), nearest("TOKENWELL_")), (Some(None), Some(None)));
    }

    #[test]
    fn no_variable_that_something_reads_and_none_of_another_program_is_unknown() {
        let known = settings().flat_map(Setting::variables).chain(OTHER_VARIABLES);
        for variable in known.chain(["MONGODB_ATLAS_CLIENT_SECERT", "tokenwell_client_id", "HOME", ""]) {
            assert_eq!(UnknownVariable::of(variable), None, "{variable}");
        }
    }
}
