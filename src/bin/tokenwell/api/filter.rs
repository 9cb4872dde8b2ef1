//! `--jq`: selects parts of a response with jaq, an implementation of the jq language.

use super::show;
use crate::failure::Failure;
use crate::output;
use crate::terminal::Stream;
use crate::wiped::Wiped;
use jaq_core::data::JustLut;
use jaq_core::load::{self, Arena, File, Loader, lex, parse};
use jaq_core::{Ctx, Vars};
use jaq_json::Val;
use tokenwell::Status;
use tokenwell::error::printable;

/// Results are printed when they are longer than this, so that an endless filter needs no
/// endless memory.
const PRINT_AT: usize = 64 * 1024;

/// The formats that jq has and the library of jaq does not.
const FORMATS: &str = r#"
def @csv: map(if isstring then "\"" + (split("\"") | join("\"\"")) + "\"" elif . == null then "" else tostring end) | join(",");
def @tsv: map(if . == null then "" else tostring | split("\\") | join("\\\\") | split("\t") | join("\\t") | split("\n") | join("\\n")
  | split("\r") | join("\\r") end) | join("\t");
"#;

/// A compiled jq expression.
pub(super) struct Filter(jaq_core::Filter<JustLut<Val>>);

impl Filter {
    pub(super) fn compile(expression: &str) -> Result<Self, Failure> {
        let formats = load::parse(FORMATS, |parser| parser.defs()).unwrap_or_default();
        let definitions = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs()).chain(formats);
        // A filter sees the response and nothing else: the environment may contain the secret.
        let natives = jaq_core::funs().chain(jaq_std::funs().filter(|native| native.0 != "env")).chain(jaq_json::funs());
        let arena = Arena::default();
        let wrong = |problem: String| {
            let hint = "Correct the expression: https://jqlang.org/manual describes the language. No request was sent.";
            Failure::new(Status::InvalidArgument, format!("--jq: `{}`: {problem}", printable(expression, 200)), hint)
        };
        let modules = Loader::new(definitions)
            .load(&arena, File { code: expression, path: () })
            .map_err(|errors| wrong(errors.first().map_or_else(String::new, |(_, error)| syntax_problem(error))))?;
        let filter = jaq_core::Compiler::default().with_funs(natives).compile(modules).map_err(|errors| {
            let undefined = errors.first().and_then(|(_, errors)| errors.first());
            wrong(
                undefined.map_or_else(String::new, |(name, kind)| format!("the {} {} is not defined", kind.as_str(), printable(name, 60))),
            )
        })?;
        Ok(Self(filter))
    }

    /// Prints what the expression selects in the JSON `body`, each result on its own line. A body
    /// without content has no results.
    pub(super) fn print(&self, body: &[u8], content_type: Option<&str>) -> Result<(), Failure> {
        if body.is_empty() {
            return Ok(());
        }
        let input = show::parse(body).ok_or_else(|| {
            let kind = content_type.map(|kind| format!(" ({})", printable(kind, 60))).unwrap_or_default();
            let hint = "Leave out --jq to print the response.";
            Failure::new(Status::Protocol, format!("--jq: the response is not JSON{kind}"), hint)
        })?;
        let context = Ctx::<JustLut<Val>>::new(&self.0.lut, Vars::new([]));
        let mut text = Wiped::default();
        for result in self.0.id.run((context, input)) {
            match result {
                Ok(value) => append(&mut text, &value),
                Err(exception) => {
                    output::bytes(text.as_bytes())?;
                    // `halt` ends the filter without an error.
                    return exception.get_err().map_or(Ok(()), |error| Err(failed(&error.to_string())));
                }
            }
            if text.as_bytes().len() > PRINT_AT {
                output::bytes(std::mem::take(&mut text).as_bytes())?;
            }
        }
        output::bytes(text.as_bytes())
    }
}

/// Appends a result as `jq --raw-output` does. On a terminal the control characters of a string are
/// escaped, because the string comes from the server.
fn append(text: &mut Wiped, value: &Val) {
    match value {
        Val::TStr(string) | Val::BStr(string) => {
            let string = String::from_utf8_lossy(string);
            if Stream::Out.is_terminal() {
                let lines: Vec<_> = string.split('\n').map(|line| printable(line, usize::MAX)).collect();
                text.push(&lines.join("\n"));
            } else {
                text.push(&string);
            }
            text.push("\n");
        }
        value => text.append(&show::line(value)),
    }
}

fn failed(problem: &str) -> Failure {
    let hint = "Check the expression against the response: leave out --jq to print it.";
    Failure::new(Status::InvalidArgument, format!("--jq: {}", printable(problem, 500)), hint)
}

fn syntax_problem(error: &load::Error<&str>) -> String {
    let before = |rest: &str| if rest.is_empty() { "at the end".to_owned() } else { format!("before `{}`", printable(rest, 60)) };
    match error {
        load::Error::Io(errors) => errors
            .first()
            .map_or_else(String::new, |(module, _)| format!("it loads the module `{}`, and modules are not read", printable(module, 60))),
        load::Error::Lex(errors) => errors.first().map_or_else(String::new, |(expected, rest)| match expected {
            lex::Expect::Delim(open) => format!("there is no closing delimiter for `{}`", printable(open.get(..1).unwrap_or_default(), 1)),
            expected => format!("expected {} {}", expected.as_str(), before(rest)),
        }),
        load::Error::Parse(errors) => errors
            .first()
            .map_or_else(String::new, |(expected, found): &parse::Error<&str>| format!("expected {} {}", expected.as_str(), before(found))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn n18_an_expression_that_is_wrong_is_explained() {
        for (expression, expected) in [
            (".a +", "--jq: `.a +`: expected term at the end"),
            (".a | nothing", "the filter nothing is not defined"),
            ("$x", "the variable $x is not defined"),
            ("{", "there is no closing delimiter for `{`"),
            ("include \"x\"; .", "it loads the module `x`, and modules are not read"),
            ("env", "the filter env is not defined"),
        ] {
            let message = Filter::compile(expression).map(drop).unwrap_err().message().unwrap();
            assert!(message.contains(expected), "{message}");
        }
    }
}
