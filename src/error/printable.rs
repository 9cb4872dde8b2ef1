//! Escapes strings from servers and files for display.

use std::io;
use std::path::Path;

/// Returns `value` with control, bidirectional-override and other non-printing characters escaped,
/// truncated to `limit` characters of the input.
///
/// RFC 6749 section 5.2 allows only printable ASCII in `error_description`; terminals interpret
/// other characters.
#[must_use]
pub fn printable(value: &str, limit: usize) -> String {
    let mut shown = String::with_capacity(value.len().min(limit) + 1);
    for (count, character) in value.chars().enumerate() {
        if count == limit {
            shown.push('…');
            break;
        }
        if is_plain(character) {
            shown.push(character);
        } else {
            shown.extend(character.escape_unicode());
        }
    }
    shown
}

/// Returns a path for use in a message. It is truncated only if it is longer than any path that a
/// system can open.
#[must_use]
pub fn printable_path(path: &Path) -> String {
    printable(&path.to_string_lossy(), 4096)
}

/// Returns the reason of an I/O error for use within a sentence: "no such file or directory",
/// without the number of the error.
#[must_use]
pub fn os_reason(error: &io::Error) -> String {
    let reason = without_os_number(&error.to_string());
    let mut characters = reason.chars();
    match (characters.next(), characters.next()) {
        // Not a name in capital letters, such as I/O.
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().to_string() + &reason[first.len_utf8()..],
        _ => reason,
    }
}

/// Returns a message without the number of an I/O error, " (os error 2)": an error that wraps an I/O
/// error has it in its own message.
pub(crate) fn without_os_number(message: &str) -> String {
    const START: &str = " (os error ";
    let Some((before, rest)) = message.split_once(START) else { return message.to_owned() };
    match rest.split_once(')') {
        Some((number, after)) if number.parse::<i32>().is_ok() => before.to_owned() + &without_os_number(after),
        _ => format!("{before}{START}{}", without_os_number(rest)),
    }
}

fn is_plain(character: char) -> bool {
    !(character.is_control()
        || matches!(character, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{061C}' | '\u{E0000}'..='\u{E007F}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_in_full_and_cannot_act_on_a_terminal() {
        let deep = "/directory".repeat(400);

        assert_eq!(printable_path(Path::new(&deep)), deep);
        assert_eq!(printable_path(Path::new("/tmp/\u{1b}[2Jx")), "/tmp/\\u{1b}[2Jx");
        assert_eq!(printable_path(Path::new(&"x".repeat(5000))).chars().count(), 4097);
    }

    #[test]
    fn i4_control_and_bidi_characters_of_a_server_become_visible() {
        let shown = printable("a\u{1b}[31mred\u{7}\u{0}\u{202e}gnp\r\n", 200);

        assert_eq!(shown, "a\\u{1b}[31mred\\u{7}\\u{0}\\u{202e}gnp\\u{d}\\u{a}");
    }

    #[test]
    fn the_reason_of_an_io_error_fits_into_a_sentence() {
        let reason = os_reason(&io::Error::from_raw_os_error(2));

        assert!(!reason.contains("os error") && reason.starts_with(char::is_lowercase), "{reason}");
        assert_eq!(os_reason(&io::Error::other("I/O failed")), "I/O failed");
        assert_eq!(os_reason(&io::Error::other("")), "");
        assert_eq!(os_reason(&io::Error::other("cannot read /a: no such file (os error 2)")), "cannot read /a: no such file");
        assert_eq!(without_os_number("a (os error 2) at b (os error -3)"), "a at b");
        assert_eq!(without_os_number("a (os error x) (os error"), "a (os error x) (os error");
    }

    #[test]
    fn a_long_string_is_truncated_with_an_ellipsis() {
        assert_eq!(printable("abcdef", 3), "abc…");
        assert_eq!(printable("abc", 3), "abc");
    }
}
