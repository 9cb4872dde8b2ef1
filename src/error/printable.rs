//! Escapes strings from servers and files for display.

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
    fn a_long_string_is_truncated_with_an_ellipsis() {
        assert_eq!(printable("abcdef", 3), "abc…");
        assert_eq!(printable("abc", 3), "abc");
    }
}
