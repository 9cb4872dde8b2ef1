//! Finds the comments and the strings of a source file.

/// A comment, several line comments in a row, or a string.
#[derive(Debug, PartialEq, Eq)]
pub struct Passage {
    /// The line it begins in, counted from 1.
    pub line: usize,
    pub text: String,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Comment,
    String,
}

/// How a language marks comments and strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    Rust,
    C,
    Go,
    JavaScript,
    Python,
    /// Pages and scripts: the whole file is checked.
    Prose,
}

impl Syntax {
    /// Returns the syntax of a file, by its name. Returns `None` for a file without prose.
    pub fn of(path: &str) -> Option<Self> {
        let name = path.rsplit('/').next().unwrap_or(path);
        Some(match name.rsplit_once('.').map_or(name, |(_, ending)| ending) {
            "rs" => Self::Rust,
            "c" | "h" | "cpp" | "hpp" => Self::C,
            "go" => Self::Go,
            "js" | "mjs" | "cjs" | "ts" | "mts" | "cts" => Self::JavaScript,
            "py" => Self::Python,
            "md" | "sh" | "toml" | "Makefile" | "in" | "run" => Self::Prose,
            _ => return None,
        })
    }

    pub fn passages(self, source: &str) -> Vec<Passage> {
        if self == Self::Prose {
            return vec![Passage { line: 1, text: source.to_owned(), kind: Kind::Comment }];
        }
        let mut reader = Reader::new(self, source);
        reader.read();
        reader.passages
    }

    /// Returns the source with blanks instead of its comments and strings.
    pub fn code(self, source: &str) -> String {
        let mut reader = Reader::new(self, source);
        reader.read();
        let mut code = source.as_bytes().to_vec();
        for (begin, end) in reader.prose {
            code[begin..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        }
        String::from_utf8_lossy(&code).into_owned()
    }
}

struct Reader<'a> {
    syntax: Syntax,
    source: &'a str,
    at: usize,
    line: usize,
    passages: Vec<Passage>,
    /// Where comments and strings begin and end, in bytes.
    prose: Vec<(usize, usize)>,
}

impl<'a> Reader<'a> {
    fn new(syntax: Syntax, source: &'a str) -> Self {
        Self { syntax, source, at: 0, line: 1, passages: Vec::new(), prose: Vec::new() }
    }

    fn read(&mut self) {
        while let Some(character) = self.rest().chars().next() {
            match (self.syntax, character) {
                (Syntax::Python, '#') => self.line_comment("#"),
                (Syntax::Python, '"' | '\'') => self.python_string(character),
                (Syntax::Python, _) => self.skip(character.len_utf8()),
                (_, '/') if self.rest().starts_with("//") => self.line_comment("//"),
                (_, '/') if self.rest().starts_with("/*") => self.until("*/", 2, Kind::Comment),
                (Syntax::Rust, 'b' | 'c' | 'r') if self.raw_string().is_some() => {
                    let (prefix, hashes) = self.raw_string().unwrap_or_default();
                    self.until(&format!("\"{}", "#".repeat(hashes)), prefix + hashes + 1, Kind::String);
                }
                (Syntax::Rust, '\'') => self.rust_quote(),
                (Syntax::C | Syntax::Go, '\'') => self.quoted('\'', false),
                (Syntax::JavaScript, '\'') => self.quoted('\'', true),
                (Syntax::JavaScript | Syntax::Go, '`') => self.until("`", 1, Kind::String),
                (_, '"') => self.quoted('"', true),
                // A name is passed over whole, so that the r at the end of one begins no raw string.
                (_, character) if character.is_alphanumeric() || character == '_' => {
                    let length = self.rest().find(|next: char| !next.is_alphanumeric() && next != '_').unwrap_or(self.rest().len());
                    self.skip(length);
                }
                (_, character) => self.skip(character.len_utf8()),
            }
        }
    }

    fn rest(&self) -> &str {
        &self.source[self.at..]
    }

    fn skip(&mut self, bytes: usize) {
        let end = (self.at + bytes).min(self.source.len());
        self.line += self.source[self.at..end].matches('\n').count();
        self.at = end;
    }

    /// The rest of this line and the line comments that follow directly below.
    fn line_comment(&mut self, mark: &str) {
        let (begun_at, begin) = (self.line, self.at);
        let mut text = String::new();
        loop {
            let length = self.rest().find('\n').map_or(self.rest().len(), |end| end + 1);
            let line = self.source[self.at..self.at + length].trim_start_matches(mark);
            text.push_str(line.strip_prefix(['/', '!']).unwrap_or(line));
            self.skip(length);
            let indent = self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
            if !self.rest()[indent..].starts_with(mark) {
                break;
            }
            self.skip(indent);
        }
        self.prose.push((begin, self.at));
        self.passages.push(Passage { line: begun_at, text, kind: Kind::Comment });
    }

    /// From behind `opening` bytes to the next `end`.
    fn until(&mut self, end: &str, opening: usize, kind: Kind) {
        let (begun_at, begin) = (self.line, (self.at + opening).min(self.source.len()));
        let length = self.source[begin..].find(end).unwrap_or(self.source.len() - begin);
        self.passages.push(Passage { line: begun_at, text: self.source[begin..begin + length].to_owned(), kind });
        self.prose.push((self.at, (begin + length + end.len()).min(self.source.len())));
        self.skip(opening + length + end.len());
    }

    fn quoted(&mut self, quote: char, keep: bool) {
        let (begun_at, begin) = (self.line, self.at);
        let mut text = String::new();
        let mut escaped = false;
        self.skip(1);
        while let Some(character) = self.rest().chars().next() {
            self.skip(character.len_utf8());
            match (escaped, character) {
                (false, '\\') => escaped = true,
                (false, _) if character == quote => break,
                (false, _) => text.push(character),
                (true, _) => {
                    escaped = false;
                    // What is escaped separates words, as a line break does.
                    text.push(if character == quote { character } else { ' ' });
                    if character == '\n' {
                        text.push('\n');
                    }
                }
            }
        }
        self.prose.push((begin, self.at));
        if keep {
            self.passages.push(Passage { line: begun_at, text, kind: Kind::String });
        }
    }

    fn python_string(&mut self, quote: char) {
        let triple = quote.to_string().repeat(3);
        if self.rest().starts_with(&triple) { self.until(&triple, 3, Kind::String) } else { self.quoted(quote, true) }
    }

    /// A character or a lifetime.
    fn rust_quote(&mut self) {
        let mut next = self.rest().chars().skip(1);
        let character = matches!((next.next(), next.next()), (Some('\\'), _) | (Some(_), Some('\'')));
        if character { self.quoted('\'', false) } else { self.skip(1) }
    }

    /// The lengths of the prefix and of the hashes of a raw string: `r`, `br` or `cr`.
    fn raw_string(&self) -> Option<(usize, usize)> {
        let prefix = ["r", "br", "cr"].into_iter().find(|prefix| {
            let behind = self.rest().strip_prefix(prefix);
            behind.is_some_and(|behind| behind.trim_start_matches('#').starts_with('"'))
        })?;
        let behind = &self.rest()[prefix.len()..];
        Some((prefix.len(), behind.len() - behind.trim_start_matches('#').len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(syntax: Syntax, source: &str) -> Vec<(usize, String)> {
        syntax.passages(source).into_iter().map(|passage| (passage.line, passage.text.trim().to_owned())).collect()
    }

    #[test]
    fn comments_and_strings_of_rust_are_found_and_code_is_not() {
        let source =
            "/// One\n    /// two.\nfn text<'a>(x: &'a str) -> char { '\"' }\nlet y = r#\"raw \"it\"#; let z = \"a \\\n   b\"; /* c */ 'x'";

        let expected = [(1, "One\n two."), (4, "raw \"it"), (4, "a  \n   b"), (5, "c")];
        assert_eq!(texts(Syntax::Rust, source), expected.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn code_is_what_is_neither_comment_nor_string() {
        let source = "unsafe { f(\"unsafe\") } // unsafe\n/* unsafe */ let x = r\"unsafe\"; unsafe_name(); // é\nunsafe";

        let code = Syntax::Rust.code(source);

        let lines: Vec<_> = code.lines().map(|line| line.matches("unsafe").count()).collect();
        assert_eq!(lines, [1, 1, 1]);
        assert!(code.lines().nth(1).unwrap().contains("unsafe_name"));
    }

    #[test]
    fn raw_strings_of_bytes_and_of_c_are_strings() {
        let source = "f(br#\"a \" b\"#, cr\"c\", r\"d\"); unsafe {}";

        assert_eq!(texts(Syntax::Rust, source).into_iter().map(|(_, text)| text).collect::<Vec<_>>(), ["a \" b", "c", "d"]);
        assert!(Syntax::Rust.code(source).contains("unsafe {}"));
    }

    #[test]
    fn strings_of_python_and_javascript_are_found() {
        assert_eq!(texts(Syntax::Python, "x = 'a' # b\n'''c\nd'''\n"), [(1, "a".to_owned()), (1, "b".to_owned()), (2, "c\nd".to_owned())]);
        assert_eq!(texts(Syntax::JavaScript, "x('a', `b`) // c"), [(1, "a".to_owned()), (1, "b".to_owned()), (1, "c".to_owned())]);
    }

    #[test]
    fn a_page_is_one_passage() {
        assert_eq!(Syntax::of("docs/cli.md"), Some(Syntax::Prose));
        assert_eq!(Syntax::of("Makefile"), Some(Syntax::Prose));
        assert_eq!(Syntax::of("tests/x.json"), None);
    }
}
