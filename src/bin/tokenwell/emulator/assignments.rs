//! The variables of a client of the emulator, in the forms that shells and other readers accept.

use crate::failure::Failure;
use clap::ValueEnum;
use serde_json::{Map, Value};
use std::ffi::{OsStr, OsString};
use tokenwell::Status;
use tokenwell::error::printable;

/// The last line, which shells and dotenv readers ignore.
pub(super) const READY: &str = "# ready\n";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// `export NAME=value`, for sh, bash and zsh
    Sh,
    /// `NAME=value`, for dotenv readers, `node --env-file`, `docker --env-file`, and for shells
    /// with `set -a`
    Dotenv,
    /// `set -gx NAME value`
    Fish,
    /// One object in one line
    Json,
}

#[derive(Debug, Default)]
pub(super) struct Assignments(Vec<(&'static str, OsString)>);

impl Assignments {
    pub(super) fn push(&mut self, name: &'static str, value: impl AsRef<OsStr>) {
        self.0.push((name, value.as_ref().to_owned()));
    }

    pub(super) fn into_pairs(self) -> impl Iterator<Item = (&'static str, OsString)> {
        self.0.into_iter()
    }

    /// One assignment a line, and the line that says that the emulator is ready. JSON is one line,
    /// which says it by itself.
    pub(super) fn formatted(&self, format: Format) -> Result<String, Failure> {
        if format == Format::Json {
            let object = self.0.iter().map(|(name, value)| Ok(((*name).to_owned(), Value::from(text(name, value, format)?))));
            return Ok(format!("{}\n", Value::Object(object.collect::<Result<Map<_, _>, Failure>>()?)));
        }
        let mut lines = String::new();
        for (name, value) in &self.0 {
            lines += &line(name, value, format)?;
            lines.push('\n');
        }
        Ok(lines + READY)
    }
}

fn line(name: &str, value: &OsStr, format: Format) -> Result<String, Failure> {
    let value = text(name, value, format)?;
    let escaped = |replaced: &[(char, &str)]| {
        let escape = |character| {
            replaced.iter().find(|(from, _)| *from == character).map_or_else(|| String::from(character), |(_, to)| (*to).to_owned())
        };
        value.chars().map(escape).collect::<String>()
    };
    let single = || format!("'{value}'");
    match format {
        _ if value.contains(char::is_control) => Err(cannot(name, value, format)),
        Format::Sh if is_plain(value) => Ok(format!("export {name}={value}")),
        Format::Sh => Ok(format!("export {name}='{}'", escaped(&[('\'', r"'\''")]))),
        Format::Fish if is_plain(value) => Ok(format!("set -gx {name} {value}")),
        Format::Fish => Ok(format!("set -gx {name} '{}'", escaped(&[('\\', r"\\"), ('\'', r"\'")]))),
        // docker --env-file takes quotes as part of the value, so a plain value has none.
        Format::Dotenv if is_plain(value) => Ok(format!("{name}={value}")),
        // In single quotes, some readers take a backslash before a quote or a backslash as an escape.
        Format::Dotenv if !value.contains('\'') && !value.contains(r"\\") && !value.ends_with('\\') => Ok(format!("{name}={}", single())),
        Format::Dotenv if !value.contains(['"', '\\', '$', '`', '!']) => Ok(format!("{name}=\"{value}\"")),
        Format::Dotenv | Format::Json => Err(cannot(name, value, format)),
    }
}

fn text<'a>(name: &str, value: &'a OsStr, format: Format) -> Result<&'a str, Failure> {
    value.to_str().ok_or_else(|| cannot(name, &value.to_string_lossy(), format))
}

/// Whether no reader gives any of the characters a special meaning.
fn is_plain(value: &str) -> bool {
    !value.is_empty() && value.chars().all(|character| character.is_ascii_alphanumeric() || "/._-+:@%,".contains(character))
}

fn cannot(name: &str, value: &str, format: Format) -> Failure {
    let written = format.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    Failure::new(
        Status::InvalidArgument,
        format!("{name} cannot be written in the format {written}: {}", printable(value, 200)),
        "Choose a file name, or a TMPDIR, of letters, digits and the characters / . _ - only.",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const DIFFICULT: [&str; 6] = ["a b", "it's", r"C:\Users\a", "$HOME", r#"say "no""#, "ä#;&|"];

    #[test]
    fn the_shell_reads_back_what_was_written() {
        for value in DIFFICULT.into_iter().chain([r#"it's "$HOME" `\`"#, ""]) {
            let script = format!("{}; printf %s \"$X\"", line("X", OsStr::new(value), Format::Sh).unwrap());
            let read = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(read.stdout).unwrap(), value, "{script}");
        }
    }

    #[test]
    fn the_shell_reads_the_dotenv_form_too() {
        for value in DIFFICULT {
            let script = format!("{}; printf %s \"$X\"", line("X", OsStr::new(value), Format::Dotenv).unwrap());
            let read = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(read.stdout).unwrap(), value, "{script}");
        }
    }

    #[test]
    fn fish_escapes_quotes_and_backslashes() {
        assert_eq!(line("X", OsStr::new(r"it's \"), Format::Fish).unwrap(), r"set -gx X 'it\'s \\'");
    }

    #[test]
    fn a_value_on_which_dotenv_readers_do_not_agree_is_an_error() {
        for value in [r#"it's "$HOME""#, r"a b\", "a\nb"] {
            let error = line("X", OsStr::new(value), Format::Dotenv).unwrap_err();
            assert_eq!(error.exit_code().number(), 2, "{value}");
        }
    }
}
