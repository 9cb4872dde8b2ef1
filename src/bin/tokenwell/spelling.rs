//! The names of settings in hints, as the user of this command writes them: the hints of the library
//! name a setting, and the user knows a flag, a variable or a line of a profile.

use crate::settings::flag;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::OnceLock;
use tokenwell::Config;
use tokenwell::config::{Setting, settings};
use tokenwell::error::{Error, sentence};

/// The source of a setting that nothing sets.
const THE_DEFAULT: &str = "the default";

/// What the user writes, by the name of the setting.
static NAMES: OnceLock<BTreeMap<&'static str, String>> = OnceLock::new();

/// From now on, hints name a setting by what sets it in `config`.
pub(crate) fn use_sources_of(config: &Config) {
    let source = |name: &str| config.provenance().iter().find(|from| from.setting() == name).map(|from| from.source());
    let names = settings()
        .filter(|setting| is_name(setting))
        .filter_map(|setting| Some((setting.name(), written(setting, source(setting.name()))?)));
    // A command that opens a second configuration has the same sources.
    let _ = NAMES.set(names.collect());
}

/// Whether the name of the setting is no other word in a hint: `scope` and `proxy` are.
fn is_name(setting: &Setting) -> bool {
    setting.name().contains('_')
}

/// What the user writes for a setting with this source. `None`: the name of the setting.
fn written(setting: &Setting, source: Option<&str>) -> Option<String> {
    match source {
        Some(source) if source.starts_with("profile ") => Some(format!("{} in {source}", setting.name())),
        Some(source) => match (source.strip_prefix("environment variable "), source.strip_prefix("option ")) {
            (Some(variable), _) => Some(variable.to_owned()),
            (None, Some(option)) => Some(option.to_owned()),
            (None, None) if source == THE_DEFAULT => by_default(setting),
            (None, None) if source.starts_with("the prompt ") => Some(source.to_owned()),
            (None, None) => None,
        },
        None => by_default(setting),
    }
}

/// The flag, or the variable if there is no flag.
fn by_default(setting: &Setting) -> Option<String> {
    match setting.name() {
        "ca_pem" | "no_proxy" | "cache_unsafe" => setting.variables().next().map(str::to_owned),
        "manual_clock_ms" => None,
        name => Some(flag(name).into_owned()),
    }
}

/// The error with the names of the user.
pub(crate) fn hint(hint: &str) -> Cow<'_, str> {
    NAMES.get().map_or(Cow::Borrowed(hint), |names| replaced(hint, names))
}

/// The message of `error`, whose first word may be the name of a setting.
pub(crate) fn message(error: &Error) -> String {
    match (error, NAMES.get()) {
        (Error::InvalidArgument { name, problem, .. }, Some(names)) => sentence(names.get(name.as_str()).unwrap_or(name), problem),
        _ => error.to_string(),
    }
}

/// Replaces the names of settings in `hint`. A name with its place, as in "client_id in profile a", is
/// already what the user wrote.
fn replaced<'a>(hint: &'a str, names: &BTreeMap<&'static str, String>) -> Cow<'a, str> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_' || character == '-';
    let mut result = String::new();
    let mut rest = hint;
    while let Some(start) = rest.find(is_part) {
        let word = &rest[start..];
        let end = word.find(|character| !is_part(character)).unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        result.push_str(&rest[..start]);
        let has_place = [" in ", " (environment variable", " (profile ", "="].iter().any(|place| after.starts_with(place));
        match names.get(word).filter(|_| !has_place) {
            None => {
                result.push_str(word);
                rest = after;
            }
            Some(name) => {
                result.push_str(name);
                // "timeout_ms (TOKENWELL_TIMEOUT_MS)": the variable is another name of the same setting.
                let variable = format!(" (TOKENWELL_{})", word.to_ascii_uppercase());
                rest = after.strip_prefix(&variable).unwrap_or(after);
            }
        }
    }
    if result.is_empty() {
        return Cow::Borrowed(hint);
    }
    Cow::Owned(result + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_replaced_by_what_the_user_wrote() {
        let names = BTreeMap::from([
            ("auth_method", "--auth-method".to_owned()),
            ("client_secret", "MY_SECRET".to_owned()),
            ("timeout_ms", "timeout_ms in profile a in /f".to_owned()),
        ]);

        for (hint, expected) in [
            ("set auth_method to client_secret_basic", "set --auth-method to client_secret_basic"),
            ("if so, set auth_method (TOKENWELL_AUTH_METHOD).", "if so, set --auth-method."),
            ("timeout_ms (TOKENWELL_TIMEOUT_MS) is 5 (5 ms).", "timeout_ms in profile a in /f is 5 (5 ms)."),
            ("client_secret in profile b of /g:3 is wrong", "client_secret in profile b of /g:3 is wrong"),
            ("Check `client_secret`, not client_secrets.", "Check `MY_SECRET`, not client_secrets."),
            ("nothing to replace — at all", "nothing to replace — at all"),
            ("", ""),
        ] {
            assert_eq!(replaced(hint, &names), expected);
        }
    }

    #[test]
    fn a_setting_that_nothing_sets_has_the_name_of_its_flag() {
        let named = |name: &str, source| settings().find(|setting| setting.name() == name).and_then(|setting| written(setting, source));

        assert_eq!(named("auth_method", None).as_deref(), Some("--auth-method"));
        assert_eq!(named("timeout_ms", Some("the default")).as_deref(), Some("--timeout"));
        assert_eq!(named("ca_pem", None).as_deref(), Some("TOKENWELL_CA_PEM"));
        assert_eq!(named("base_url", Some("environment variable MCLI_BASE_URL")).as_deref(), Some("MCLI_BASE_URL"));
        assert_eq!(named("client_id", Some("profile a in /f")).as_deref(), Some("client_id in profile a in /f"));
    }
}
