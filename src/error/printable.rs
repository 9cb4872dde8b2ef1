//! Text of others, made safe to show.

use std::path::Path;

/// Makes text from a server or a file safe to show: control, bidirectional-override and other non-printing characters
/// become visible escapes, and what is longer than `limit` characters is cut.
///
/// RFC 6749 section 5.2 allows an `error_description` printable ASCII only; terminals act on the rest.
#[must_use]
pub fn printable(text: &str, limit: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(limit) + 1);
    for (count, character) in text.chars().enumerate() {
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

/// A path as messages show it: whole, unless it is longer than any that a system would open.
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
    fn a_path_is_shown_whole_and_cannot_act_on_a_terminal() {
        let deep = "/folder".repeat(500);

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
    fn a_long_text_is_cut_and_says_so() {
        assert_eq!(printable("abcdef", 3), "abc…");
        assert_eq!(printable("abc", 3), "abc");
    }
}
