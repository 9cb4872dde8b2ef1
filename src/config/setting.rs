//! The table of settings: the one place that knows their names, variables, limits and rules.

use super::ClientAuthentication;
use super::endpoint::{self, Endpoint};
use crate::error::{Error, printable};
use std::fmt;
use std::path::Path;
use std::time::Duration;
use url::Url;

/// All settings, in the order in which documentation and messages list them.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter()
}

/// How our own variables begin. What begins so belongs to nobody else.
pub(super) const OUR_PREFIX: &str = "TOKENWELL_";

/// Our variables that are not settings: the file of profiles, the guard of `tokenwell exec`, the C library's log, and where wrappers and tests find the library
/// and the command.
const OTHER_VARIABLES: [&str; 6] =
    [FILE_VARIABLE, "TOKENWELL_EXEC_DEPTH", "TOKENWELL_LOG", "TOKENWELL_HOME", "TOKENWELL_LIBRARY", "TOKENWELL_BIN"];

/// Names the file of profiles itself, instead of the folder that it is usually in.
pub(super) const FILE_VARIABLE: &str = "TOKENWELL_CONFIG_FILE";

/// A variable with our prefix that nothing reads: most likely one that was misspelt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownVariable {
    name: String,
    nearest: Option<&'static str>,
}

impl UnknownVariable {
    /// What there is to say of a variable that is set; `None` where it is known, or not ours to know.
    pub(super) fn of(name: &str) -> Option<Self> {
        let ours = || settings().flat_map(|setting| setting.variables_of(Family::Tokenwell)).copied().chain(OTHER_VARIABLES);
        let written = name.strip_prefix(OUR_PREFIX)?;
        if ours().any(|known| known == name) {
            return None;
        }
        let bare = |variable: &'static str| variable.strip_prefix(OUR_PREFIX).unwrap_or(variable);
        // A part was left out, as in TOKENWELL_SECRET: that is no small number of letters.
        let ending = || ours().map(bare).filter(|known| known.ends_with(&format!("_{written}"))).min_by_key(|known| known.len());
        let meant = nearest(written, ours().map(bare)).or_else(ending);
        Some(Self { name: printable(name, 64), nearest: meant.and_then(|meant| ours().find(|known| bare(known) == meant)) })
    }

    /// Its name, made printable.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The variable that is most likely meant, if one is near enough.
    #[must_use]
    pub fn nearest(&self) -> Option<&'static str> {
        self.nearest
    }
}

impl fmt::Display for UnknownVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is set, but is not a setting", self.name)?;
        self.nearest.map_or(Ok(()), |nearest| write!(f, ": did you mean {nearest}?"))
    }
}

/// One setting: its name, the variables it is read from, and what its value may be.
#[derive(Debug)]
pub struct Setting {
    pub(super) key: Key,
    name: &'static str,
    about: &'static str,
    /// The variables of each [`Family`], in the order of the families.
    variables: [&'static [&'static str]; Family::ALL.len()],
    limit: usize,
    rule: fn(&str, &str) -> Result<(), Error>,
    /// What a value of it may be in a file of profiles, beside a string; `None`: it cannot stand there.
    pub(super) in_profile: Option<Kind>,
}

/// How TOML may write a value. A string is always possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// Also an integer.
    Number,
    /// Also `true` and `false`.
    Switch,
    /// A string, relative to the folder of the file it stands in.
    Path,
}

impl Setting {
    /// The name that every language uses: `client_id`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What its value may be, and its default.
    #[must_use]
    pub fn about(&self) -> &'static str {
        self.about
    }

    /// The environment variables it is read from; the first one that is set wins.
    pub fn variables(&self) -> impl Iterator<Item = &'static str> {
        self.variables.iter().copied().flatten().copied()
    }

    /// Whether its value must never be shown.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.key == Key::ClientSecret
    }

    pub(super) fn variables_of(&self, family: Family) -> &'static [&'static str] {
        self.variables[family as usize]
    }

    /// Whether `value`, which came from `place`, is acceptable.
    pub(super) fn check<'a>(&self, place: &str, value: &'a [u8]) -> Result<&'a str, Error> {
        let text = checked_text(place, value, self.limit, self.about)?;
        (self.rule)(place, text)?;
        Ok(text)
    }
}

/// What a setting is about, for code.
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
    Profile,
    Cache,
    CacheDir,
    CacheUnsafe,
    ManualClock,
}

impl Key {
    pub(super) fn setting(self) -> &'static Setting {
        &SETTINGS[self as usize]
    }
}

/// A family of environment variables: one source, so that an id is never paired with the secret of another family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Tokenwell,
    Atlas,
    Mcli,
}

impl Family {
    /// In the order in which they are asked.
    pub(super) const ALL: [Self; 3] = [Self::Tokenwell, Self::Atlas, Self::Mcli];
}

const TEXT_LIMIT: usize = 4096;
const KIB: usize = 1024;
pub(super) const SECRET_LIMIT: usize = 64 * KIB;

/// The longest time one refresh may be given: ten minutes.
pub(super) const LONGEST_TIMEOUT_MS: u64 = 600_000;
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// The end of the year 9999: what is later is a mistake, and some systems' clocks cannot express it.
const LATEST_CLOCK_MS: u64 = 253_402_300_799_999;

/// One row for each [`Key`], in the keys' order.
static SETTINGS: [Setting; 17] = [
    Setting {
        key: Key::ClientId,
        name: "client_id",
        about: "visible ASCII and spaces, at most 4096 bytes",
        variables: [&["TOKENWELL_CLIENT_ID"], &["MONGODB_ATLAS_CLIENT_ID"], &["MCLI_CLIENT_ID"]],
        limit: TEXT_LIMIT,
        rule: credential_characters,
        in_profile: Some(Kind::Text),
    },
    Setting {
        key: Key::ClientSecret,
        name: "client_secret",
        about: "visible ASCII and spaces, at most 64 KiB",
        variables: [&["TOKENWELL_CLIENT_SECRET"], &["MONGODB_ATLAS_CLIENT_SECRET"], &["MCLI_CLIENT_SECRET"]],
        limit: SECRET_LIMIT,
        rule: credential_characters,
        in_profile: Some(Kind::Text),
    },
    Setting {
        key: Key::ClientSecretFile,
        name: "client_secret_file",
        about: "path of a file that holds the secret; read anew for every token request",
        variables: [&["TOKENWELL_CLIENT_SECRET_FILE"], &[], &[]],
        limit: TEXT_LIMIT,
        rule: anything,
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
        limit: TEXT_LIMIT,
        rule: |place, text| Endpoint::base(place, text).map(drop),
        in_profile: Some(Kind::Text),
    },
    Setting {
        key: Key::TokenUrl,
        name: "token_url",
        about: "token endpoint of any OAuth 2.0 server, instead of `base_url`",
        variables: [&["TOKENWELL_TOKEN_URL"], &[], &[]],
        limit: TEXT_LIMIT,
        rule: |place, text| Endpoint::full(place, text).map(drop),
        in_profile: Some(Kind::Text),
    },
    Setting {
        key: Key::RevocationUrl,
        name: "revocation_url",
        about: "revocation endpoint (RFC 7009); with `base_url` it is known",
        variables: [&["TOKENWELL_REVOCATION_URL"], &[], &[]],
        limit: TEXT_LIMIT,
        rule: |place, text| Endpoint::full(place, text).map(drop),
        in_profile: Some(Kind::Text),
    },
    Setting {
        key: Key::AuthMethod,
        name: "auth_method",
        about: "`client_secret_basic`, `client_secret_basic_raw` or `client_secret_post`",
        variables: [&["TOKENWELL_AUTH_METHOD"], &[], &[]],
        limit: TEXT_LIMIT,
        rule: |place, text| authentication(place, text).map(drop),
        in_profile: Some(Kind::Text),
    },
    Setting {
        key: Key::Scope,
        name: "scope",
        about: "scopes separated by single spaces (RFC 6749 section 3.3)",
        variables: [&["TOKENWELL_SCOPE"], &[], &[]],
        limit: TEXT_LIMIT,
        rule: scope,
        in_profile: Some(Kind::Text),
    },
    Setting {
        key: Key::Audience,
        name: "audience",
        about: "text without control characters, at most 4096 bytes",
        variables: [&["TOKENWELL_AUDIENCE"], &[], &[]],
        limit: TEXT_LIMIT,
        rule: anything,
        in_profile: Some(Kind::Text),
    },
    Setting {
        key: Key::Resource,
        name: "resource",
        about: "absolute URI without fragment (RFC 8707)",
        variables: [&["TOKENWELL_RESOURCE"], &[], &[]],
        limit: TEXT_LIMIT,
        rule: resource,
        in_profile: Some(Kind::Text),
    },
    Setting {
        key: Key::Timeout,
        name: "timeout_ms",
        about: "whole milliseconds, 1 to 600000; default 30000",
        variables: [&["TOKENWELL_TIMEOUT_MS"], &[], &[]],
        limit: TEXT_LIMIT,
        rule: |place, text| timeout(place, text).map(drop),
        in_profile: Some(Kind::Number),
    },
    Setting {
        key: Key::CaFile,
        name: "ca_file",
        about: "path of a PEM file with the authorities to trust",
        variables: [&["TOKENWELL_CA_FILE"], &[], &[]],
        limit: TEXT_LIMIT,
        rule: anything,
        in_profile: Some(Kind::Path),
    },
    Setting {
        key: Key::Profile,
        name: "profile",
        about: "name of a profile in a file: letters, digits, `-`, `_` and `.`, at most 64; `default` where it exists",
        variables: [&["TOKENWELL_PROFILE"], &["MONGODB_ATLAS_PROFILE"], &["MCLI_PROFILE"]],
        limit: TEXT_LIMIT,
        rule: profile_name,
        in_profile: None,
    },
    Setting {
        key: Key::Cache,
        name: "cache",
        about: "`on` (the default) or `off`: whether processes share tokens in files",
        variables: [&["TOKENWELL_CACHE"], &[], &[]],
        limit: TEXT_LIMIT,
        rule: |place, text| switch(place, text).map(drop),
        in_profile: Some(Kind::Switch),
    },
    Setting {
        key: Key::CacheDir,
        name: "cache_dir",
        about: "absolute path of the folder for shared tokens; default: `tokenwell` in the user's cache folder",
        variables: [&["TOKENWELL_CACHE_DIR"], &[], &[]],
        limit: TEXT_LIMIT,
        rule: absolute_path,
        in_profile: Some(Kind::Path),
    },
    Setting {
        key: Key::CacheUnsafe,
        name: "cache_unsafe",
        about: "`on` or `off` (the default): whether a cache folder that others may open is used all the same",
        variables: [&["TOKENWELL_CACHE_UNSAFE"], &[], &[]],
        limit: TEXT_LIMIT,
        rule: |place, text| switch(place, text).map(drop),
        in_profile: Some(Kind::Switch),
    },
    Setting {
        key: Key::ManualClock,
        name: "manual_clock_ms",
        about: "milliseconds since the Unix epoch; for tests",
        // A clock that stands still never sees a token end: no stray variable may bring that about.
        variables: [&[], &[], &[]],
        limit: TEXT_LIMIT,
        rule: |place, text| manual_clock(place, text).map(drop),
        in_profile: None,
    },
];

/// What names a profile. Not more than this, because the name becomes part of a path.
pub(super) fn profile_name(place: &str, text: &str) -> Result<(), Error> {
    const HINT: &str = "Use letters, digits, `-`, `_` and `.` (not at the beginning), at most 64 of them: `staging`.";
    if text.len() > 64 {
        return Err(Error::invalid(place, "is longer than 64 characters, which no profile's name is", HINT));
    }
    if text.starts_with('.') {
        return Err(Error::invalid(place, "begins with a `.`, which no profile's name does", HINT));
    }
    match first_outside(text, |character| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.')) {
        None => Ok(()),
        Some(found) => Err(Error::invalid(place, format!("holds {found}, which no profile's name does"), HINT)),
    }
}

/// Programs that start in different folders would not share what is at a relative path.
fn absolute_path(place: &str, text: &str) -> Result<(), Error> {
    if Path::new(text).is_absolute() {
        return Ok(());
    }
    Err(Error::invalid(place, "is not an absolute path", "Write the path from the root on: /var/cache/tokenwell."))
}

/// `on` or `off`, and what else people write for it.
pub(super) fn switch(place: &str, text: &str) -> Result<bool, Error> {
    const WORDS: [(&str, bool); 8] =
        [("on", true), ("off", false), ("true", true), ("false", false), ("1", true), ("0", false), ("yes", true), ("no", false)];
    let word = WORDS.into_iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
    word.map(|(_, value)| value)
        .ok_or_else(|| Error::invalid(place, "is neither `on` nor `off`", "Write on or off (or true, false, 1, 0)."))
}

/// The setting of this name.
pub(super) fn by_name(name: &str) -> Result<&'static Setting, Error> {
    SETTINGS.iter().find(|setting| setting.name == name).ok_or_else(|| unknown_name(name))
}

/// One of the authentication methods, by its name.
pub(super) fn authentication(place: &str, text: &str) -> Result<ClientAuthentication, Error> {
    let methods = ClientAuthentication::ALL;
    methods.into_iter().find(|method| method.name() == text).ok_or_else(|| {
        let names = methods.map(ClientAuthentication::name);
        let suggestion = nearest(text, names).map(|name| format!(" Did you mean {name}?")).unwrap_or_default();
        Error::invalid(
            place,
            "there is no such authentication method",
            format!("Use one of {}.{suggestion} Atlas wants client_secret_basic_raw.", names.join(", ")),
        )
    })
}

/// For how long a refresh may take.
pub(super) fn timeout(place: &str, text: &str) -> Result<Duration, Error> {
    whole_number(text).filter(|ms| (1..=LONGEST_TIMEOUT_MS).contains(ms)).map(Duration::from_millis).ok_or_else(|| {
        Error::invalid(
            place,
            format!("must be a whole number of milliseconds from 1 to {LONGEST_TIMEOUT_MS}"),
            "Write digits only, without a sign or a unit: 30000 is half a minute.",
        )
    })
}

/// What a manual clock reads at first.
pub(super) fn manual_clock(place: &str, text: &str) -> Result<u64, Error> {
    whole_number(text).filter(|ms| *ms <= LATEST_CLOCK_MS).ok_or_else(|| {
        Error::invalid(
            place,
            format!("must be a whole number of milliseconds since the Unix epoch, at most {LATEST_CLOCK_MS}"),
            "Write digits only, without a sign or a unit: 1700000000000 is a day in November 2023.",
        )
    })
}

fn whole_number(text: &str) -> Option<u64> {
    // `parse` alone would let a plus sign pass.
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn anything(_place: &str, _text: &str) -> Result<(), Error> {
    Ok(())
}

/// RFC 6749 appendix A.1 and A.2: VSCHAR, which is %x20-7E.
pub(super) fn credential_characters(place: &str, text: &str) -> Result<(), Error> {
    match first_outside(text, |character| matches!(character, ' '..='~')) {
        None => Ok(()),
        Some(found) => Err(Error::invalid(
            place,
            format!("holds {found}; a client id or secret is visible ASCII (RFC 6749 appendix A)"),
            "Copy the value again, without quotation marks, accents or invisible characters around it.",
        )),
    }
}

/// RFC 6749 section 3.3: 1*( %x21 / %x23-5B / %x5D-7E ), separated by single spaces.
fn scope(place: &str, text: &str) -> Result<(), Error> {
    const HINT: &str = "Separate scopes by single spaces, without commas or quotation marks around them: `read write`.";
    if let Some(found) = first_outside(text, |character| matches!(character, ' '..='~') && !matches!(character, '"' | '\\')) {
        return Err(Error::invalid(place, format!("holds {found}, which no scope may hold (RFC 6749 section 3.3)"), HINT));
    }
    if text.split(' ').any(str::is_empty) {
        return Err(Error::invalid(place, "has a space at an end, or two in a row (RFC 6749 section 3.3)", HINT));
    }
    Ok(())
}

/// RFC 8707 section 2: an absolute URI without fragment. It is sent as it is written, so it must already be a URI (RFC 3986).
fn resource(place: &str, text: &str) -> Result<(), Error> {
    const HINT: &str = "Write the API's identifier as its authorization server knows it: `https://api.example.com/` or `urn:example:api`.";
    if let Some(problem) = endpoint::outside_uri_syntax(text) {
        return Err(Error::invalid(place, problem, HINT));
    }
    if text.contains('#') {
        return Err(Error::invalid(place, "must not have a fragment, the part from `#` on (RFC 8707 section 2)", HINT));
    }
    if Url::parse(text).is_err() {
        return Err(Error::invalid(place, "is not an absolute URI (RFC 8707 section 2)", HINT));
    }
    Ok(())
}

/// The rules of every value: not empty, not too long, UTF-8, no control characters.
pub(super) fn checked_text<'a>(place: &str, value: &'a [u8], limit: usize, about: &str) -> Result<&'a str, Error> {
    if value.is_empty() {
        return Err(Error::invalid(place, "is empty", format!("Give a value ({about}), or leave the setting out.")));
    }
    if value.len() > limit {
        let limit = if limit > TEXT_LIMIT { format!("{} KiB", limit / KIB) } else { format!("{limit} bytes") };
        return Err(Error::invalid(
            place,
            format!("is {} bytes long, and at most {limit} are allowed", value.len()),
            "Check that this is the value itself and not, for example, a whole file or page.",
        ));
    }
    let text = std::str::from_utf8(value).map_err(|error| {
        Error::invalid(place, format!("is not UTF-8 from byte {} on", error.valid_up_to() + 1), "Give the value as UTF-8 text.")
    })?;
    match first_outside(text, |character| !character.is_control()) {
        None => Ok(text),
        Some(found) => Err(Error::invalid(
            place,
            format!("holds {found}"),
            "Give the value alone. Shells and files often add a newline: `printf %s` does not, and client_secret_file strips one.",
        )),
    }
}

/// Describes the first character that is not `allowed`, without showing more of the text than that one character.
pub(super) fn first_outside(text: &str, allowed: impl Fn(char) -> bool) -> Option<String> {
    let (index, character) = text.char_indices().find(|(_, character)| !allowed(*character))?;
    let what = match character {
        '\0' => "a NUL".to_owned(),
        '\n' => "a newline".to_owned(),
        '\r' => "a carriage return".to_owned(),
        '\t' => "a tab".to_owned(),
        ' ' => "a space".to_owned(),
        other if other.is_control() => "a control character".to_owned(),
        other if other.is_ascii() => format!("the character `{other}`"),
        _ => "a character outside ASCII".to_owned(),
    };
    Some(format!("{what} at byte {}", index + 1))
}

fn unknown_name(name: &str) -> Error {
    let names = SETTINGS.each_ref().map(|setting| setting.name);
    let suggestion = nearest(name, names).map(|name| format!("Did you mean {name}? ")).unwrap_or_default();
    let shown = shown_name(name).unwrap_or("setting name");
    Error::invalid(shown, "there is no such setting", format!("{suggestion}The settings are {}.", names.join(", ")))
}

/// `name`, if it looks like one. What does not may be a value in the wrong place, and that value a secret.
pub(super) fn shown_name(name: &str) -> Option<&str> {
    let looks_like_a_name = name.len() <= 32
        && !name.is_empty()
        && !name.starts_with("mdb_sa_sk_")
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    looks_like_a_name.then_some(name)
}

/// The candidate that `written` most likely means, if it is near enough to any: `clientId` means `client_id`.
pub(super) fn nearest(written: &str, candidates: impl IntoIterator<Item = &'static str>) -> Option<&'static str> {
    if written.len() > 64 {
        return None;
    }
    let plain = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let wanted = plain(written);
    let (distance, candidate) =
        candidates.into_iter().map(|candidate| (edits(&wanted, &plain(candidate)), candidate)).min_by_key(|(distance, _)| *distance)?;
    (distance <= 3 && distance * 2 < wanted.len()).then_some(candidate)
}

/// How many characters must be added, dropped or replaced to turn `a` into `b`.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for (row, left) in a.chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, right) in b.iter().enumerate() {
            let replaced = previous[column] + usize::from(left != *right);
            current.push(replaced.min(previous[column + 1] + 1).min(current[column] + 1));
        }
        previous = current;
    }
    previous[b.len()]
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
                    assert!(seen.insert(*variable), "{variable} is there twice");
                }
            }
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let names = SETTINGS.each_ref().map(|setting| setting.name);

        assert_eq!(nearest("clientId", names), Some("client_id"));
        assert_eq!(nearest("client-secret", names), Some("client_secret"));
        assert_eq!(nearest("CLIENT_ID", names), Some("client_id"));
        assert_eq!(nearest("timeout", names), Some("timeout_ms"));
        assert_eq!(nearest("resuorce", names), Some("resource"));
        assert_eq!(nearest("colour", names), None);
        assert_eq!(nearest("", names), None);
    }

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

    #[test]
    fn item_7_a_scope_holds_the_characters_of_the_standard_and_no_others() {
        for character in (0..=0xFF_u8).map(char::from) {
            let allowed = matches!(character, '\u{21}' | '\u{23}'..='\u{5B}' | '\u{5D}'..='\u{7E}');

            assert_eq!(scope("scope", &format!("re{character}ad")).is_ok(), allowed || character == ' ', "{character:?}");
            assert_eq!(scope("scope", &character.to_string()).is_ok(), allowed, "{character:?} alone");
        }
        assert_eq!(checked_text("scope", b"Read read", 4096, "").ok(), Some("Read read"), "case is kept");
    }

    #[test]
    fn a_bad_character_is_described_by_its_kind_and_place() {
        let visible = |character: char| character.is_ascii_graphic();

        assert_eq!(first_outside("abc", visible), None);
        assert_eq!(first_outside("ab\n", visible).as_deref(), Some("a newline at byte 3"));
        assert_eq!(first_outside("\u{e9}\0", visible).as_deref(), Some("a character outside ASCII at byte 1"));
    }
}
