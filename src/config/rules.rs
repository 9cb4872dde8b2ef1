//! How a value is checked: what every value has to be, and what the value of one setting may be. The message never has more of it than one character.

use super::ClientAuthentication;
use super::endpoint;
use super::suggestion::nearest;
use crate::error::Error;
use std::path::Path;
use std::time::Duration;
use url::Url;

pub(super) const TEXT_LIMIT: usize = 4096;
const KIB: usize = 1024;
pub(super) const SECRET_LIMIT: usize = 64 * KIB;

/// The longest time one refresh may be given: ten minutes.
pub(super) const LONGEST_TIMEOUT_MS: u64 = 600_000;

/// The end of the year 9999: what is later is a mistake, and some systems' clocks cannot express it.
const LATEST_CLOCK_MS: u64 = 253_402_300_799_999;

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

pub(super) fn anything(_place: &str, _text: &str) -> Result<(), Error> {
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
pub(super) fn scope(place: &str, text: &str) -> Result<(), Error> {
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
pub(super) fn resource(place: &str, text: &str) -> Result<(), Error> {
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
pub(super) fn absolute_path(place: &str, text: &str) -> Result<(), Error> {
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
