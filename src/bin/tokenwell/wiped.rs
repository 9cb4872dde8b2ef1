//! Output that contains a token: a buffer that is wiped and leaves no copy when it grows.

use std::io::{self, Write};
use zeroize::Zeroizing;

/// A growing buffer of bytes. Its memory is wiped when it is dropped, and also when it grows: a
/// `Vec` or `String` frees its old allocation without wiping it.
#[derive(Default)]
pub(crate) struct Wiped(Zeroizing<Vec<u8>>);

impl Wiped {
    /// Concatenates `parts`.
    pub(crate) fn of(parts: &[&str]) -> Self {
        let mut text = Self::default();
        parts.iter().for_each(|part| text.push(part));
        text
    }

    pub(crate) fn push(&mut self, text: &str) {
        self.push_bytes(text.as_bytes());
    }

    pub(crate) fn append(&mut self, other: &Self) {
        self.push_bytes(other.as_bytes());
    }

    /// Appends `text`, in which `replacement` replaces some characters.
    pub(crate) fn push_replaced(&mut self, text: &str, replacement: impl Fn(char) -> Option<&'static str>) {
        let mut buffer = Zeroizing::new([0; 4]);
        for character in text.chars() {
            match replacement(character) {
                Some(replacement) => self.push(replacement),
                None => self.push(character.encode_utf8(&mut *buffer)),
            }
        }
    }

    pub(crate) fn push_all(&mut self, other: &Self) {
        self.push_bytes(other.as_bytes());
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn push_bytes(&mut self, bytes: &[u8]) {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(2 * self.0.capacity()).max(64)));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }
}

/// For serde_json, which writes the parts of a value directly.
impl Write for Wiped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push_bytes(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::Wiped;
    use std::fs;
    use std::path::Path;

    fn text(wiped: &Wiped) -> &str {
        std::str::from_utf8(wiped.as_bytes()).unwrap()
    }

    #[test]
    fn what_is_appended_stays_complete_when_the_buffer_grows() {
        let mut wiped = Wiped::of(&["a", "", "b"]);
        for _ in 0..1000 {
            wiped.push("0123456789");
        }
        wiped.push_replaced("x'y\u{e9}", |character| (character == '\'').then_some("\\'"));
        serde_json::to_writer(&mut wiped, &serde_json::json!({ "k": "v\"" })).unwrap();

        assert_eq!(text(&wiped), format!("ab{}x\\'y\u{e9}{{\"k\":\"v\\\"\"}}", "0123456789".repeat(1000)));
    }

    /// The lines outside of tests that could copy a token into memory that is not wiped.
    fn copies(source: &str) -> Vec<&str> {
        const TOKEN: [&str; 2] = ["token.value()", "token.authorization()"];
        const COPY: [&str; 9] = ["format!", "to_owned", "to_string", "json!", "replace(", "String::from", "to_vec", "clone()", "println!"];
        let code = source.split("#[cfg(test)]").next().unwrap_or_default();
        let is_copy = |line: &&str| TOKEN.iter().any(|token| line.contains(token)) && COPY.iter().any(|copy| line.contains(copy));
        code.lines().filter(is_copy).collect()
    }

    fn for_each_source(directory: &Path, visit: &mut dyn FnMut(&Path, &str)) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                for_each_source(&path, visit);
            } else {
                visit(&path, &fs::read_to_string(&path).unwrap());
            }
        }
    }

    #[test]
    fn r29_no_command_formats_a_token_into_memory_that_is_not_wiped() {
        let mut found = Vec::new();
        let mut with_token = 0;

        for_each_source(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin/tokenwell"), &mut |path, source| {
            with_token += source.matches("token.value()").count();
            found.extend(copies(source).iter().map(|line| format!("{}: {}", path.display(), line.trim())));
        });

        assert!(with_token > 5, "the scan saw only {with_token} uses of a token");
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn a_line_that_copies_a_token_is_found() {
        assert_eq!(copies("a(token.value())\nlet x = format!(\"{}\", token.value());\n#[cfg(test)]\ntoken.value().to_owned()").len(), 1);
    }
}
