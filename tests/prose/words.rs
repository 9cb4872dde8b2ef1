//! The list of retired words (`words.txt`) and the search for them.

use std::collections::BTreeMap;

/// The list, read once.
#[derive(Debug)]
pub struct Words {
    /// Phrases by their first word; the longest first.
    retired: BTreeMap<String, Vec<Phrase>>,
    allowed: Vec<Vec<String>>,
    names: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
struct Phrase {
    words: Vec<String>,
    replacement: String,
}

/// A retired phrase that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The line it begins in, counted from 1.
    pub line: usize,
    pub phrase: String,
    pub replacement: String,
}

impl Words {
    /// The list of `tests/prose/words.txt`.
    pub fn of_this_project() -> Self {
        Self::parse(include_str!("words.txt")).expect("tests/prose/words.txt can be read")
    }

    pub fn parse(list: &str) -> Result<Self, String> {
        let mut words = Self { retired: BTreeMap::new(), allowed: Vec::new(), names: Vec::new() };
        for line in list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(phrase) = line.strip_prefix("allow ") {
                words.allowed.push(split(phrase));
                continue;
            }
            let (left, replacement) = line.split_once(" = ").ok_or_else(|| format!("a line without a replacement: {line}"))?;
            let replacement = replacement.trim().to_owned();
            if let Some(name) = left.strip_prefix("name ") {
                words.names.push((name.trim().to_owned(), replacement));
                continue;
            }
            for phrase in alternatives(left)? {
                let phrase = Phrase { words: split(&phrase), replacement: replacement.clone() };
                let first = phrase.words.first().cloned().ok_or_else(|| format!("a line without a phrase: {line}"))?;
                words.retired.entry(first).or_default().push(phrase);
            }
        }
        for phrases in words.retired.values_mut() {
            phrases.sort_by_key(|phrase| std::cmp::Reverse(phrase.words.len()));
        }
        Ok(words)
    }

    /// The retired phrases in a piece of prose, in order.
    pub fn in_prose(&self, prose: &str) -> Vec<Finding> {
        let tokens = tokens(prose);
        let mut findings = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            if let Some(length) = self.allowed.iter().filter(|phrase| begins(&tokens[at..], phrase)).map(Vec::len).max() {
                at += length;
                continue;
            }
            let candidates = self.retired.get(&tokens[at].word).map(Vec::as_slice).unwrap_or_default();
            if let Some(phrase) = candidates.iter().find(|phrase| begins(&tokens[at..], &phrase.words)) {
                findings.push(Finding { line: tokens[at].line, phrase: phrase.words.join(" "), replacement: phrase.replacement.clone() });
                at += phrase.words.len();
            } else {
                at += 1;
            }
        }
        findings
    }

    /// The retired names in a piece of source code, wherever they are.
    pub fn names_in(&self, source: &str) -> Vec<Finding> {
        let of_a_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let mut findings = Vec::new();
        for (index, line) in source.lines().enumerate() {
            for word in line.split(|character| !of_a_name(character)) {
                if let Some((name, replacement)) = self.names.iter().find(|(name, _)| name == word) {
                    findings.push(Finding { line: index + 1, phrase: name.clone(), replacement: replacement.clone() });
                }
            }
        }
        findings
    }
}

struct Token {
    word: String,
    line: usize,
    /// Only space, or the marks that begin a line of a comment, lie between this word and the one before.
    follows: bool,
}

fn begins(tokens: &[Token], phrase: &[String]) -> bool {
    tokens.len() >= phrase.len()
        && phrase.iter().zip(tokens).enumerate().all(|(index, (word, token))| *word == token.word && (index == 0 || token.follows))
}

/// Splits prose into words. Code is skipped: it is in backquotes, or has an underscore, a digit or a
/// slash.
fn tokens(prose: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let (mut line, mut follows) = (1, true);
    let mut rest = prose.chars().peekable();
    while let Some(character) = rest.next() {
        if character.is_alphanumeric() || character == '_' {
            let mut word = String::from(character);
            while let Some(next) = rest.next_if(|next| of_a_word(*next)) {
                word.push(next);
            }
            let word = word.trim_end_matches(['/', '-', '\'']).to_lowercase();
            tokens.push(Token { word, line, follows });
            follows = true;
        } else if character == '`' {
            // A fence has three; a code span ends in the same line or in the next.
            let mut fence = 1;
            while rest.next_if_eq(&'`').is_some() {
                fence += 1;
            }
            follows = false;
            if fence == 1 {
                for inner in rest.by_ref() {
                    line += usize::from(inner == '\n');
                    if inner == '`' {
                        break;
                    }
                }
            } else {
                // The language of a code block is no prose.
                while rest.next_if(|next| *next != '\n' && fence >= 3).is_some() {}
            }
        } else {
            line += usize::from(character == '\n');
            follows &= character.is_whitespace() || matches!(character, '/' | '!' | '#' | '*' | '\\');
        }
    }
    tokens
}

fn of_a_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-' | '\'' | '/')
}

fn split(phrase: &str) -> Vec<String> {
    phrase.split_whitespace().map(str::to_lowercase).collect()
}

/// `{a|b} c` as `a c` and `b c`.
fn alternatives(pattern: &str) -> Result<Vec<String>, String> {
    let Some((before, rest)) = pattern.split_once('{') else { return Ok(vec![pattern.to_owned()]) };
    let (choices, after) = rest.split_once('}').ok_or_else(|| format!("an open brace: {pattern}"))?;
    let mut all = Vec::new();
    for choice in choices.split('|') {
        all.extend(alternatives(&format!("{before}{choice}{after}"))?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(list: &str, prose: &str) -> Vec<(usize, String)> {
        Words::parse(list).unwrap().in_prose(prose).into_iter().map(|finding| (finding.line, finding.phrase)).collect()
    }

    #[test]
    fn a_phrase_is_found_in_any_case_and_across_the_lines_of_a_comment() {
        let list = "hand{|s} out = return\nat once = immediately";

        assert_eq!(found(list, "It Hands\n/// out a token, at\n//! once."), [(1, "hands out".to_owned()), (2, "at once".to_owned())]);
    }

    #[test]
    fn punctuation_and_code_are_no_part_of_a_phrase() {
        let list = "at once = immediately\ntext = string";

        assert_eq!(found(list, "at, once; `text` and ```text\ntext/plain text_of TEXT"), [(2, "text".to_owned())]);
    }

    #[test]
    fn what_is_allowed_is_passed_over() {
        assert_eq!(found("text = string\nallow plain text", "plain text, a text"), [(1, "text".to_owned())]);
    }

    #[test]
    fn names_are_found_in_code_and_only_whole() {
        let words = Words::parse("name apart = spawn_detached").unwrap();

        assert_eq!(words.names_in("fn apart() {}\nfn apartment() {}").len(), 1);
    }

    #[test]
    fn a_line_without_a_replacement_is_an_error() {
        assert!(Words::parse("whoever").is_err());
        assert!(Words::parse("{a = b").is_err());
    }
}
