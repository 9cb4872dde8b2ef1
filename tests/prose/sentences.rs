//! Checks whether an error reads as prose: retired words, punctuation, empty lists, placeholders.

use crate::words::Words;

/// A part of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What happened. It may end with a description by the server, which is not checked.
    Message,
    /// What to do: sentences.
    Hint,
    /// Both, as a language formats them.
    Formatted,
}

/// Punctuation that no sentence has: of joined sentences, of an empty list, or after a space.
const JOINTS: [&str; 22] = [
    "..", "?.", "!.", ".;", ".,", ":.", ";.", ",.", ",,", ";;", "::", ": :", "; ;", ": ;", ":;", " ;", " ,", " .", " :", "()", "( )", "  ",
];

/// The output of a formatter if a value is missing.
const PLACEHOLDERS: [&str; 11] = ["{}", "{:", "%s", "%d", "%v", "%!", "undefined", "[object", "<nil>", "NaN", "Some("];

/// Returns the faults of `text`. `allowed` are parts that are not checked, such as a server's description.
pub fn faults(words: &Words, part: Part, text: &str, allowed: &[&str]) -> Vec<String> {
    let own = allowed.iter().filter(|theirs| !theirs.is_empty()).fold(text.to_owned(), |text, theirs| text.replace(theirs, "…"));
    let mut faults: Vec<String> =
        words.in_prose(&own).into_iter().map(|found| format!("the word {:?}: write {:?}", found.phrase, found.replacement)).collect();
    let own = without_code(&own);
    let readable = without_addresses(&own);
    faults.extend(JOINTS.iter().filter(|joint| readable.contains(**joint)).map(|joint| format!("the punctuation {joint:?}")));
    faults.extend(PLACEHOLDERS.iter().filter(|left| own.contains(**left)).map(|left| format!("the placeholder {left:?}")));
    if own.trim() != own || own.is_empty() {
        faults.push("white space around it, or nothing".to_owned());
    }
    faults.extend(separated_predicate(&own));
    if own.contains("(os error ") {
        faults.push("the number of an I/O error: use os_reason".to_owned());
    }
    if let Some(number) = long_fraction(&own) {
        faults.push(format!("the number {number} is not rounded"));
    }
    match part {
        Part::Hint if !own.ends_with(['.', '?', '`', '…', ')']) => faults.push("a hint that does not end as a sentence".to_owned()),
        Part::Message if own.ends_with([':', ';', ',', ' ']) => faults.push("a message that ends with an open list".to_owned()),
        _ => {}
    }
    faults
}

/// Removes code, which is in backquotes.
fn without_code(text: &str) -> String {
    text.split('`').enumerate().map(|(index, part)| if index % 2 == 0 { part } else { "`CODE`" }).collect()
}

/// Replaces addresses and paths: they contain punctuation.
fn without_addresses(text: &str) -> String {
    let is_address = |word: &str| word.contains("://") || word.contains("::") || word.contains('/') || word.starts_with('.');
    let marks_of = |word: &str| word[word.trim_end_matches(['.', ',', ';', ':', '!', '?']).len()..].to_owned();
    text.split(' ')
        .map(|word| if is_address(word) { format!("ADDRESS{}", marks_of(word)) } else { word.to_owned() })
        .collect::<Vec<_>>()
        .join(" ")
}

/// The end of a sentence that a colon separates from its subject: "base_url: is empty".
fn separated_predicate(text: &str) -> Option<String> {
    let mut parts = text.split(": ").skip(1);
    parts.find_map(|part| {
        let mut words = part.split(' ');
        let (verb, next) = (words.next()?, words.next()?);
        let is_question = matches!(next, "it" | "there" | "the" | "this");
        let is_predicate = matches!(verb, "is" | "has" | "must" | "contains" | "does" | "requires") || (verb == "cannot" && next == "be");
        (is_predicate && !is_question).then(|| format!("the colon before \"{verb} {next}\": join the name and what is wrong with it"))
    })
}

/// A number with more than three decimals.
fn long_fraction(text: &str) -> Option<String> {
    text.split(|character: char| !character.is_ascii_digit() && character != '.').find_map(|number| {
        let (whole, fraction) = number.split_once('.')?;
        (!whole.is_empty() && fraction.len() > 3 && !fraction.contains('.')).then(|| number.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(part: Part, text: &str) -> bool {
        !faults(&Words::of_this_project(), part, text, &[]).is_empty()
    }

    #[test]
    fn joined_sentences_and_empty_lists_are_found() {
        for text in [
            "Invalid credentials provided.. Check the secret.",
            "checked: environment variables ; the environment was not read",
            "checked: ",
            "the setting  is wrong",
            "the file {} is missing",
            "the file undefined is missing",
            "no response within 2.999985755 s",
            "the token that lives at once",
            "TOKENWELL_X: is not a setting",
            "base_url: cannot be combined with token_url",
            "cannot read /a: no such file (os error 2)",
        ] {
            assert!(found(Part::Message, text), "{text}");
        }
        assert!(found(Part::Hint, "Check the file"));
    }

    #[test]
    fn good_sentences_pass() {
        for text in [
            "cannot connect to https://127.0.0.1:80: connection refused",
            "the client secret file /a/b.txt (set by TOKENWELL_CLIENT_SECRET_FILE) is writable by other users",
            "deadline exceeded after 1500 ms",
            "no response within 2.5 s from [::1]:8080, in ../x/y",
            "the server does not speak TLS: is it http://?",
            "path: `x` does not begin with a slash",
        ] {
            assert_eq!(faults(&Words::of_this_project(), Part::Message, text, &[]), Vec::<String>::new(), "{text}");
        }
        assert!(!found(Part::Hint, "Check the file. Is the emulator running?"));
    }

    #[test]
    fn the_words_of_a_server_are_its_own() {
        let text = "https://server rejected the client: a text.. of theirs";

        assert_eq!(faults(&Words::of_this_project(), Part::Message, text, &["a text.. of theirs"]), Vec::<String>::new());
    }
}
