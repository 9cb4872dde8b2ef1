//! The error parameters of the `WWW-Authenticate` header (RFC 9110 section 11.6.1 and RFC 6750
//! section 3).

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// The error code and description in `WWW-Authenticate`.
#[derive(Default)]
pub(super) struct Challenge {
    pub(super) code: Option<String>,
    pub(super) description: String,
}

impl Challenge {
    pub(super) fn in_headers(headers: &HeaderMap) -> Self {
        let mut challenge = Self::default();
        for value in headers.get_all(WWW_AUTHENTICATE) {
            for (name, value) in parameters(&String::from_utf8_lossy(value.as_bytes())) {
                if value.is_empty() {
                    continue;
                }
                if challenge.code.is_none() && name.eq_ignore_ascii_case("error") {
                    challenge.code = Some(value);
                } else if challenge.description.is_empty() && name.eq_ignore_ascii_case("error_description") {
                    challenge.description = value;
                }
            }
        }
        challenge
    }
}

/// The `name=value` and `name="value"` pairs of a `WWW-Authenticate` header. Authentication schemes
/// and everything else are skipped.
fn parameters(header: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut name = String::new();
    // A blank terminates a name, unless `=` follows it.
    let mut after_blank = false;
    let mut characters = header.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '=' if !name.is_empty() => {
                while characters.next_if(|next| *next == ' ').is_some() {}
                let mut value = String::new();
                if characters.next_if_eq(&'"').is_some() {
                    while let Some(next) = characters.next() {
                        match next {
                            '"' => break,
                            '\\' => value.extend(characters.next()),
                            other => value.push(other),
                        }
                    }
                } else {
                    while let Some(next) = characters.next_if(|next| !matches!(next, ',' | ' ' | '\t')) {
                        value.push(next);
                    }
                }
                pairs.push((std::mem::take(&mut name), value));
            }
            ',' => name.clear(),
            ' ' | '\t' => after_blank = true,
            other => {
                if after_blank {
                    name.clear();
                }
                after_blank = false;
                name.push(other);
            }
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::parameters;

    #[test]
    fn item_24_the_parameters_of_challenges_are_found_whatever_surrounds_them() {
        let pairs = parameters(r#"Basic realm="x=\"y\", error=no", Bearer error=invalid_token,scope="a b" , =lost, tail="open"#);

        let expected = [("realm", r#"x="y", error=no"#), ("error", "invalid_token"), ("scope", "a b"), ("tail", "open")];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
