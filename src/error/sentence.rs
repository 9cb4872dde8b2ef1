//! The sentence about a value that is wrong.

/// The first words of the end of a sentence whose subject is the name.
const PREDICATES: [&str; 17] = [
    "is ",
    "are ",
    "was ",
    "has ",
    "have ",
    "must ",
    "contains ",
    "contain ",
    "does ",
    "do ",
    "needs ",
    "requires ",
    "begins ",
    "ends ",
    "names ",
    "looks ",
    "cannot be ",
];

/// Returns a sentence about a value: `base_url is empty`. A `problem` with a subject of its own
/// follows a colon: "role: `ORG_OWNR` does not exist".
#[must_use]
pub fn sentence(name: &str, problem: &str) -> String {
    let separator = if PREDICATES.iter().any(|start| problem.starts_with(start)) { "" } else { ":" };
    format!("{name}{separator} {problem}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colon_separates_the_name_from_a_sentence_of_its_own() {
        for (problem, expected) in [
            ("is empty", "a is empty"),
            ("cannot be combined with token_url", "a cannot be combined with token_url"),
            ("cannot read /b: no such file", "a: cannot read /b: no such file"),
            ("`x` is not an id", "a: `x` is not an id"),
            ("island", "a: island"),
        ] {
            assert_eq!(sentence("a", problem), expected);
        }
    }
}
