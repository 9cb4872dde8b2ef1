//! `--jq`: selects parts of a response with jaq, an implementation of the jq language.

use super::show;
use crate::failure::Failure;
use crate::output;
use crate::terminal::Stream;
use crate::wiped::Wiped;
use jaq_core::data::JustLut;
use jaq_core::load::{self, Arena, File, Loader, lex, parse};
use jaq_core::native::{run, v};
use jaq_core::{Ctx, Exn, Vars};
use jaq_json::{Val, read};
use std::sync::{Mutex, PoisonError};
use tokenwell::Status;
use tokenwell::error::{os_reason, printable};

/// Results are printed when they are longer than this, so that an endless filter needs no
/// endless memory.
const PRINT_AT: usize = 64 * 1024;

/// The parser, the interpreter and the destruction of values are recursive. A smaller stack is used if the
/// process may not have a larger one, and only the part of it that is used takes memory.
const STACKS_MIB: [usize; 3] = [512, 64, 16];

/// A longer expression could be nested more deeply than the stack allows.
const LONGEST_EXPRESSION: usize = 16 * 1024;

const FROM_JSON: &str = "fromjson";

/// The formats that jq has and the library of jaq does not.
const FORMATS: &str = r#"
def @csv: map(if isstring then "\"" + (split("\"") | join("\"\"")) + "\"" elif . == null then "" else tostring end) | join(",");
def @tsv: map(if . == null then "" else tostring | split("\\") | join("\\\\") | split("\t") | join("\\t") | split("\n") | join("\\n")
  | split("\r") | join("\\r") end) | join("\t");
"#;

/// Runs `work`, which compiles and applies filters, with a stack that is large enough for them.
pub(super) fn with_large_stack(work: impl FnOnce() -> Result<(), Failure> + Send) -> Result<(), Failure> {
    let work = Mutex::new(Some(work));
    std::thread::scope(|scope| {
        let run = || {
            let work = work.lock().unwrap_or_else(PoisonError::into_inner).take();
            work.map_or(Ok(()), |work| work())
        };
        let start = |mib: usize| std::thread::Builder::new().name("jq".to_owned()).stack_size(mib * 1024 * 1024).spawn_scoped(scope, run);
        let [largest, smaller, smallest] = STACKS_MIB;
        let thread = start(largest).or_else(|_| start(smaller)).or_else(|_| start(smallest)).map_err(|error| {
            let hint = "Allow the process more memory (ulimit -v) or threads, or leave out --jq.";
            Failure::new(Status::Internal, format!("cannot create a thread for --jq: {}", os_reason(&error)), hint)
        })?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// The function `fromjson`, except for strings that are nested too deeply: they come from the server.
fn from_json(value: &Val) -> Vec<Result<Val, jaq_core::Error<Val>>> {
    let error = |problem: String| Err(jaq_core::Error::str(problem));
    let (Val::TStr(text) | Val::BStr(text)) = value else {
        return vec![error(format!("cannot parse {} as JSON: it is not a string", printable(&value.to_string(), 100)))];
    };
    if is_too_deep(text) {
        return vec![error(format!("fromjson: the string is nested more than {} levels deep", show::DEEPEST))];
    }
    let parsed = |parsed: Result<Val, read::Error>| parsed.or_else(|problem| error(format!("cannot parse a string as JSON: {problem}")));
    read::parse_many(text).map(parsed).collect()
}

/// Whether parsing it could need more stack than there is. The parser accepts more than JSON, such as
/// comments; in what is not JSON, brackets in strings count too.
fn is_too_deep(text: &[u8]) -> bool {
    let is_json = || serde_json::Deserializer::from_slice(text).into_iter::<serde::de::IgnoredAny>().all(|value| value.is_ok());
    let brackets = || text.iter().filter(|byte| matches!(byte, b'[' | b'{')).count();
    show::depth(text) > show::DEEPEST || (brackets() > show::DEEPEST && !is_json())
}

/// A compiled jq expression.
pub(super) struct Filter(jaq_core::Filter<JustLut<Val>>);

impl Filter {
    pub(super) fn compile(expression: &str) -> Result<Self, Failure> {
        let formats = load::parse(FORMATS, |parser| parser.defs()).unwrap_or_default();
        let definitions = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs()).chain(formats);
        // A filter sees the response and nothing else: the environment may contain the secret.
        let own = [run((FROM_JSON, v(0), |cv| Box::new(from_json(&cv.1).into_iter().map(|value| value.map_err(Exn::from)))))];
        let of_json = jaq_json::funs().filter(|native| native.0 != FROM_JSON);
        let natives = jaq_core::funs().chain(jaq_std::funs().filter(|native| native.0 != "env")).chain(of_json).chain(own);
        if expression.len() > LONGEST_EXPRESSION {
            let problem = format!("--jq: the expression is {} bytes long; at most {LONGEST_EXPRESSION} are allowed", expression.len());
            let hint = "Print the response without --jq, and filter it with another program. No request was sent.";
            return Err(Failure::new(Status::InvalidArgument, problem, hint));
        }
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
                    return exception.get_err().map_or(Ok(()), |error| Err(failed(&text_of(error))));
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

/// The message of an error, without the quotation marks of a JSON string.
fn text_of(error: jaq_core::Error<Val>) -> String {
    match error.into_val() {
        Val::TStr(text) => String::from_utf8_lossy(&text).into_owned(),
        other => other.to_string(),
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
    fn only_what_the_parser_would_recurse_into_is_too_deep() {
        let (deep, flat) = ("[".repeat(1000), "[]".repeat(1000));

        assert!(!is_too_deep(format!("{{\"a\": \"{deep}\"}}").as_bytes()), "in a string of JSON");
        assert!(!is_too_deep(format!("[{}1]", "[],".repeat(1000)).as_bytes()), "side by side");
        assert!(!is_too_deep(flat.as_bytes()), "several values");
        assert!(is_too_deep(deep.as_bytes()));
        assert!(is_too_deep(format!("# \"\n{deep}").as_bytes()), "after a comment that is not JSON");
    }

    #[test]
    fn an_expression_that_is_wrong_is_explained() {
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
