//! Prints responses: unchanged, or indented on a terminal.

use crate::failure::Failure;
use crate::output;
use crate::style;
use crate::terminal::Stream;
use crate::wiped::Wiped;
use jaq_json::write::{Pp, Styles};
use jaq_json::{Val, read, write};
use tokenwell::admin::Reply;
use tokenwell::error::printable;

/// The deepest nesting of JSON that is parsed: the parser is recursive.
pub(super) const DEEPEST: usize = 256;

/// The status and the headers, and an empty line.
pub(super) fn head(reply: &Reply) -> String {
    let headers = reply.headers.iter().map(|(name, value)| format!("{name}: {}\n", printable(value, 4000)));
    format!("HTTP {}\n{}", reply.status, headers.collect::<String>())
}

/// Prints a response body. On a terminal JSON is indented, and anything else gets a final newline.
pub(super) fn document(body: &[u8]) -> Result<(), Failure> {
    match parse(body).filter(|_| Stream::Out.is_terminal()) {
        Some(value) => output::bytes(line(&value).as_bytes()),
        None if Stream::Out.is_terminal() => output::document(harmless(body).as_bytes()),
        None => output::document(body),
    }
}

/// `body` without characters that control a terminal.
fn harmless(body: &[u8]) -> Wiped {
    let mut text = Wiped::default();
    for character in String::from_utf8_lossy(body).chars() {
        match character {
            '\n' | '\t' | ' '..='~' => text.push(character.encode_utf8(&mut [0; 4])),
            other => text.push(&printable(other.encode_utf8(&mut [0; 4]), 1)),
        }
    }
    text
}

/// Parses JSON; `None` if it is something else or nested too deeply.
pub(super) fn parse(body: &[u8]) -> Option<Val> {
    // The parser of jaq also accepts comments and NaN, which are not JSON.
    let is_json = depth(body) <= DEEPEST && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
    is_json.then(|| read::parse_single(body).ok()).flatten()
}

/// `value` and a newline: compact, or on a terminal indented and colored.
pub(super) fn line(value: &Val) -> Wiped {
    let is_terminal = Stream::Out.is_terminal();
    let styles = if is_terminal && style::is_on(Stream::Out) { Styles::ansi() } else { Styles::default() };
    let form = Pp { indent: is_terminal.then(|| "  ".to_owned()), sep_space: is_terminal, styles, ..Pp::default() };
    let mut text = Wiped::default();
    // The buffer accepts everything.
    let _ = write::write(&mut text, &form, 0, value);
    text.push("\n");
    if is_terminal { escaped(&text) } else { text }
}

/// JSON in which characters that change what a terminal shows are written as escapes. Those below
/// U+0020 are escapes already, except for the colors.
fn escaped(json: &Wiped) -> Wiped {
    let mut text = Wiped::default();
    for character in String::from_utf8_lossy(json.as_bytes()).chars() {
        let written = character.encode_utf8(&mut [0; 4]).to_owned();
        if character.is_ascii() || printable(&written, 1) == written {
            text.push(&written);
        } else {
            character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| text.push(&format!("\\u{unit:04x}")));
        }
    }
    text
}

/// The deepest nesting of arrays and objects in `json`.
pub(super) fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_that_is_nested_too_deeply_is_not_parsed() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));

        assert!(parse(nested(DEEPEST).as_bytes()).is_some());
        assert!(parse(nested(DEEPEST + 1).as_bytes()).is_none());
        assert!(parse(nested(1_000_000).as_bytes()).is_none());
        assert_eq!(depth(br#"{"a\"[[[":"[[","b":[1]}"#), 2);
    }

    #[test]
    fn only_json_is_json() {
        for other in ["", "<html>", "NaN", "# x\n1", "1 2", "{\"a\":1"] {
            assert!(parse(other.as_bytes()).is_none(), "{other}");
        }
    }

    #[test]
    fn numbers_and_the_order_of_members_are_kept() {
        let text = parse(br#" {"z" : 2.50, "a":12345678901234567890123} "#).map(|value| line(&value).as_bytes().to_vec());

        assert_eq!(text.as_deref(), Some(&b"{\"z\":2.50,\"a\":12345678901234567890123}\n"[..]));
    }
}
