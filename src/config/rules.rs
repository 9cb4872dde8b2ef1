//! Validation: the rules that every value must satisfy, and the rules of each setting. A message
//! never shows more than one character of the value.

use super::ClientAuthentication;
use super::endpoint;
use super::suggestion::nearest;
use crate::error::Error;
use std::path::Path;
use std::time::Duration;
use url::Url;

pub(super) const VALUE_LIMIT: usize = 4096;
const KIB: usize = 1024;
pub(super) const SECRET_LIMIT: usize = 64 * KIB;

/// The maximum time limit of one refresh: ten minutes.
pub(super) const LONGEST_TIMEOUT_MS: u64 = 600_000;

/// The end of the year 9999. A later time is a mistake, and some system clocks cannot express it.
const LATEST_CLOCK_MS: u64 = 253_402_300_799_999;

/// The limit of `ca_pem`: a bundle of all public authorities has a quarter of it.
pub(super) const PEM_LIMIT: usize = 1024 * KIB;

/// Checks the rules of every value: not empty, not too long, UTF-8, no control characters. A value of
/// several lines may contain newlines and tabs.
pub(super) fn check_string<'a>(location: &str, value: &'a [u8], limit: usize, about: &str, has_lines: bool) -> Result<&'a str, Error> {
    if value.is_empty() {
        return Err(Error::invalid(location, "is empty", format!("Set a value ({about}), or remove the setting.")));
    }
    if value.len() > limit {
        let limit = if limit > VALUE_LIMIT { format!("{} KiB", limit / KIB) } else { format!("{limit} bytes") };
        return Err(Error::invalid(
            location,
            format!("is {} bytes long; at most {limit} are allowed", value.len()),
            "Check that this is the value itself and not, for example, a whole file.",
        ));
    }
    let value = std::str::from_utf8(value).map_err(|error| {
        Error::invalid(location, format!("is not UTF-8 (invalid at byte {})", error.valid_up_to() + 1), "Set a value that is UTF-8.")
    })?;
    let allowed = |character: char| !character.is_control() || (has_lines && matches!(character, '\n' | '\r' | '\t'));
    match first_disallowed(value, allowed) {
        None => Ok(value),
        Some(found) => Err(Error::invalid(
            location,
            format!("contains {found}"),
            "Remove this character. Shells and editors often add a newline at the end; `printf %s` does not, and client_secret_file strips \
             one newline.",
        )),
    }
}

pub(super) fn any_string(_location: &str, _text: &str) -> Result<(), Error> {
    Ok(())
}

/// Checks a client id or secret of Atlas, which follows RFC 6749 appendix A.1 and A.2: VSCHAR, which
/// is %x20-7E. Other servers also use letters beyond ASCII, which are sent as UTF-8.
pub(super) fn atlas_credential(location: &str, value: &str) -> Result<(), Error> {
    match first_disallowed(value, |character| matches!(character, ' '..='~')) {
        None => Ok(()),
        Some(found) => Err(Error::invalid(
            location,
            format!("contains {found}; a client id or secret of Atlas contains only visible ASCII and spaces (RFC 6749 appendix A)"),
            "Copy the value again, without surrounding quotation marks, accents or invisible characters. For a server other than Atlas, set \
             token_url instead of base_url.",
        )),
    }
}

/// Checks that PEM contains certificates and no private key. Whether each certificate can be used is
/// checked when the client is created.
pub(super) fn certificates(location: &str, value: &str) -> Result<(), Error> {
    const HINT: &str = "Set the content of a PEM file with the certificates of the authorities to trust: \
         -----BEGIN CERTIFICATE-----, lines of base64, -----END CERTIFICATE-----.";
    if value.contains("PRIVATE KEY-----") {
        return Err(Error::invalid(location, "contains a private key", HINT));
    }
    if !value.contains("-----BEGIN CERTIFICATE-----") {
        return Err(Error::invalid(location, "contains no PEM certificate", HINT));
    }
    Ok(())
}

/// RFC 6749 section 3.3: 1*( %x21 / %x23-5B / %x5D-7E ), separated by single spaces.
pub(super) fn scope(location: &str, value: &str) -> Result<(), Error> {
    const HINT: &str = "Separate scopes with single spaces, without commas or quotation marks: `read write`.";
    if let Some(found) = first_disallowed(value, |character| matches!(character, ' '..='~') && !matches!(character, '"' | '\\')) {
        return Err(Error::invalid(location, format!("contains {found}, which is not allowed in a scope (RFC 6749 section 3.3)"), HINT));
    }
    if value.split(' ').any(str::is_empty) {
        return Err(Error::invalid(location, "has a leading, a trailing or a double space (RFC 6749 section 3.3)", HINT));
    }
    Ok(())
}

/// RFC 8707 section 2: an absolute URI without fragment. It is sent as it is written, so it must
/// already be a URI (RFC 3986).
pub(super) fn resource(location: &str, value: &str) -> Result<(), Error> {
    const HINT: &str =
        "Write the identifier of the API as its authorization server defines it: `https://api.example.com/` or `urn:example:api`.";
    if let Some(problem) = endpoint::uri_syntax_violation(value) {
        return Err(Error::invalid(location, problem, HINT));
    }
    if value.contains('#') {
        return Err(Error::invalid(location, "must not have a fragment (the part after `#`; RFC 8707 section 2)", HINT));
    }
    if Url::parse(value).is_err() {
        return Err(Error::invalid(location, "is not an absolute URI (RFC 8707 section 2)", HINT));
    }
    Ok(())
}

/// Checks the name of a profile. The characters are limited because the name becomes part of a
/// path.
pub(super) fn profile_name(location: &str, value: &str) -> Result<(), Error> {
    const HINT: &str = "Use at most 64 letters, digits, `-`, `_` and `.`; the first character must not be `.`. Example: `staging`.";
    if value.len() > 64 {
        return Err(Error::invalid(location, "is longer than 64 characters, the limit for the name of a profile", HINT));
    }
    if value.starts_with('.') {
        return Err(Error::invalid(location, "begins with a `.`, which is not allowed in the name of a profile", HINT));
    }
    match first_disallowed(value, |character| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.')) {
        None => Ok(()),
        Some(found) => Err(Error::invalid(location, format!("contains {found}, which is not allowed in the name of a profile"), HINT)),
    }
}

/// Checks that a path is absolute: a relative path is different for programs that start in
/// different directories.
pub(super) fn absolute_path(location: &str, value: &str) -> Result<(), Error> {
    if Path::new(value).is_absolute() {
        return Ok(());
    }
    Err(Error::invalid(location, "is not an absolute path", "Write an absolute path: /var/cache/tokenwell."))
}

/// Parses `on` or `off`, or a common synonym.
pub(super) fn switch(location: &str, value: &str) -> Result<bool, Error> {
    const WORDS: [(&str, bool); 8] =
        [("on", true), ("off", false), ("true", true), ("false", false), ("1", true), ("0", false), ("yes", true), ("no", false)];
    let word = WORDS.into_iter().find(|(word, _)| word.eq_ignore_ascii_case(value));
    word.map(|(_, value)| value)
        .ok_or_else(|| Error::invalid(location, "is neither `on` nor `off`", "Write on or off (or true, false, yes, no, 1, 0)."))
}

/// Parses the name of an authentication method.
pub(super) fn authentication(location: &str, value: &str) -> Result<ClientAuthentication, Error> {
    let methods = ClientAuthentication::ALL;
    // Of RFC 7523, RFC 8705 and OpenID Connect: names that resemble others, but are no misspellings.
    const UNSUPPORTED: [&str; 5] = ["client_secret_jwt", "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth", "none"];
    methods.into_iter().find(|method| method.name() == value).ok_or_else(|| {
        let names = methods.map(ClientAuthentication::name);
        if let Some(method) = UNSUPPORTED.into_iter().find(|method| *method == value) {
            return Error::invalid(
                location,
                format!("is {method}, a method that tokenwell does not support"),
                format!("Register the client for one of {}.", names.join(", ")),
            );
        }
        let suggestion = nearest(value, names).map(|name| format!(" Did you mean {name}?")).unwrap_or_default();
        Error::invalid(
            location,
            "is not a known authentication method",
            format!("Use one of {}.{suggestion} Atlas requires client_secret_basic_raw.", names.join(", ")),
        )
    })
}

/// Parses the time limit of a refresh.
pub(super) fn timeout(location: &str, value: &str) -> Result<Duration, Error> {
    whole_number(value).filter(|ms| (1..=LONGEST_TIMEOUT_MS).contains(ms)).map(Duration::from_millis).ok_or_else(|| {
        Error::invalid(
            location,
            format!("must be a whole number of milliseconds from 1 to {LONGEST_TIMEOUT_MS}"),
            "Write only digits, without a sign or a unit: 30000 is 30 seconds.",
        )
    })
}

/// Parses the start time of a manual clock.
pub(super) fn manual_clock(location: &str, value: &str) -> Result<u64, Error> {
    whole_number(value).filter(|ms| *ms <= LATEST_CLOCK_MS).ok_or_else(|| {
        Error::invalid(
            location,
            format!("must be a whole number of milliseconds since the Unix epoch, at most {LATEST_CLOCK_MS}"),
            "Write only digits, without a sign or a unit: 1700000000000 is a day in November 2023.",
        )
    })
}

fn whole_number(value: &str) -> Option<u64> {
    // `parse` alone would accept a plus sign.
    if value.bytes().all(|byte| byte.is_ascii_digit()) { value.parse().ok() } else { None }
}

/// Describes the first character that is not `allowed`. Shows no other character of the value.
pub(super) fn first_disallowed(value: &str, allowed: impl Fn(char) -> bool) -> Option<String> {
    let (index, character) = value.char_indices().find(|(_, character)| !allowed(*character))?;
    let what = match character {
        '\0' => "a NUL".to_owned(),
        '\n' => "a newline".to_owned(),
        '\r' => "a carriage return".to_owned(),
        '\t' => "a tab".to_owned(),
        ' ' => "a space".to_owned(),
        other if other.is_control() => "a control character".to_owned(),
        other if other.is_ascii() => format!("the character `{other}`"),
        _ => "a non-ASCII character".to_owned(),
    };
    Some(format!("{what} at byte {}", index + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_7_a_scope_holds_the_characters_of_the_standard_and_no_others() {
        for character in (0..=0xFF_u8).map(char::from) {
            let allowed = matches!(character, '\u{21}' | '\u{23}'..='\u{5B}' | '\u{5D}'..='\u{7E}');

            assert_eq!(scope("scope", &format!("re{character}ad")).is_ok(), allowed || character == ' ', "{character:?}");
            assert_eq!(scope("scope", &character.to_string()).is_ok(), allowed, "{character:?} alone");
        }
        assert_eq!(check_string("scope", b"Read read", 4096, "", false).ok(), Some("Read read"), "case is kept");
    }

    #[test]
    fn a_bad_character_is_described_by_its_kind_and_place() {
        let visible = |character: char| character.is_ascii_graphic();

        assert_eq!(first_disallowed("abc", visible), None);
        assert_eq!(first_disallowed("ab\n", visible).as_deref(), Some("a newline at byte 3"));
        assert_eq!(first_disallowed("\u{e9}\0", visible).as_deref(), Some("a non-ASCII character at byte 1"));
    }
}
