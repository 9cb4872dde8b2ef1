//! Files from a template: placeholders such as `{{ token }}`, and nothing else.

use crate::failure::Failure;
use crate::form::expiry;
use crate::wiped::Wiped;
use std::io::Read as _;
use std::path::Path;
use std::time::UNIX_EPOCH;
use tokenwell::error::{os_reason, printable, printable_path};
use tokenwell::{Status, Token};

const LARGEST: u64 = 1024 * 1024;
const NAMES: &str = "The placeholders are {{ token }}, {{ authorization }}, {{ expires_at }} and {{ expires_at_unix }}.";

/// A parsed template.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Token,
    /// `Bearer` and the token.
    Authorization,
    ExpiresAt,
    ExpiresAtUnix,
}

impl Template {
    /// Reads the template in the file at `path`.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let shown = printable_path(path);
        let mut content = String::new();
        let read = std::fs::File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_string(&mut content));
        read.map_err(|error| {
            let hint = "Pass the name of a readable file in UTF-8.";
            Failure::new(Status::InvalidArgument, format!("--template: cannot read `{shown}`: {}", os_reason(&error)), hint)
        })?;
        if content.len() as u64 > LARGEST {
            let problem = format!("--template: `{shown}` is larger than {} KiB", LARGEST / 1024);
            return Err(Failure::new(Status::InvalidArgument, problem, "Use a smaller template."));
        }
        Self::parse(&content).map_err(|problem| Failure::new(Status::InvalidArgument, format!("--template: `{shown}` {problem}"), NAMES))
    }

    fn parse(content: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = content;
        while let Some((before, after)) = rest.split_once("{{") {
            let line = content[..content.len() - after.len()].lines().count();
            let (name, after) = after.split_once("}}").ok_or_else(|| format!("has a {{{{ without a }}}} in line {line}"))?;
            if !before.is_empty() {
                parts.push(Part::Literal(before.to_owned()));
            }
            parts.push(match name.trim() {
                "token" => Part::Token,
                "authorization" => Part::Authorization,
                "expires_at" => Part::ExpiresAt,
                "expires_at_unix" => Part::ExpiresAtUnix,
                other => return Err(format!("has the unknown placeholder `{}` in line {line}", printable(other, 40))),
            });
            rest = after;
        }
        if !parts.iter().any(|part| matches!(part, Part::Token | Part::Authorization)) {
            return Err("has no placeholder for the token".to_owned());
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    pub(super) fn fill(&self, token: &Token) -> Wiped {
        let mut filled = Wiped::default();
        for part in &self.0 {
            match part {
                Part::Literal(literal) => filled.push(literal),
                Part::Token => filled.push(token.value()),
                Part::Authorization => filled.push(token.authorization()),
                Part::ExpiresAt => filled.push(&expiry(token)),
                Part::ExpiresAtUnix => {
                    filled.push(&token.expires_at().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().to_string());
                }
            }
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_found_and_everything_else_is_kept() {
        let parsed = Template::parse("a { b }\n{{token}}-{{ expires_at }}\n");

        let literal = |string: &str| Part::Literal(string.to_owned());
        assert_eq!(parsed, Ok(Template(vec![literal("a { b }\n"), Part::Token, literal("-"), Part::ExpiresAt, literal("\n")])));
    }

    #[test]
    fn a_template_that_is_wrong_is_explained() {
        for (content, expected) in [
            ("a\n{{ secret }}", "has the unknown placeholder `secret` in line 2"),
            ("{{ token", "has a {{ without a }} in line 1"),
            ("a", "has no placeholder for the token"),
            ("{{ expires_at }}", "has no placeholder for the token"),
        ] {
            assert_eq!(Template::parse(content), Err(expected.to_owned()));
        }
    }
}
