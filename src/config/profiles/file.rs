//! One file of profiles, read with care: who may write to it decides where secrets are sent, and it may hold one itself.

use crate::config::bounded::read_bounded;
use crate::error::{Error, printable, printable_path};
use crate::platform::{self, Exposure};
use crate::secret::Secret;
use std::borrow::Cow;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::{Zeroize, Zeroizing};

/// No hand writes more profiles than fit in here.
const LIMIT: usize = 256 * 1024;

/// As many profiles as a message names.
const NAMES_SHOWN: usize = 20;

/// The text of a file that has passed the rules which can be checked without understanding it.
pub(super) struct Text {
    path: PathBuf,
    content: Zeroizing<Vec<u8>>,
    exposure: Exposure,
}

/// What a file of profiles holds, as far as the caller wants it.
pub(super) struct Contents {
    /// The names of all profiles, in alphabetical order.
    pub(super) names: Vec<String>,
    /// The first key that is not in a profile, and its line.
    pub(super) stray: Option<(String, usize)>,
    /// The fields of the profile that was asked for, if it is there.
    pub(super) fields: Option<Vec<Field>>,
}

/// One line of a profile.
pub(super) struct Field {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) value: Value,
}

/// A value of TOML, as far as settings need it.
pub(super) enum Value {
    Text(Secret),
    Integer(String),
    Switch(bool),
    /// Something else, by the name of its kind.
    Other(&'static str),
}

impl Text {
    /// The text of the file at `path`.
    ///
    /// `Ok(Err(…))`: the system does not let it be opened, most often because there is none. All else that is wrong is an [`Error`].
    pub(super) fn read(path: &Path) -> Result<Result<Self, io::Error>, Error> {
        let shown = printable_path(path);
        let mut file = match platform::open_nonblocking(path) {
            Ok(file) => file,
            Err(error) => return Ok(Err(error)),
        };
        let unreadable = |error: &io::Error| Error::NotConfigured {
            problem: format!("{shown} cannot be read: {error}"),
            hint: "Check the file and the disk that it is on.".to_owned(),
        };
        // What was opened is looked at, not what is at the path by now.
        let metadata = file.metadata().map_err(|error| unreadable(&error))?;
        if !metadata.is_file() {
            return Err(refused(format!("{shown} is not a regular file"), format!("Put a regular file with profiles at {shown}.")));
        }
        let exposure = platform::exposure(&metadata);
        judge(&shown, exposure, false)?;
        let content = read_bounded(&mut file, LIMIT + 1).map_err(|error| unreadable(&error))?;
        if content.len() > LIMIT {
            return Err(Error::invalid(
                shown,
                format!("is longer than {} KiB, and no file of profiles is", LIMIT / 1024),
                "Check that it is the file of profiles and not another one.",
            ));
        }
        Ok(Ok(Self { path: path.to_owned(), content, exposure }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file as text.
    pub(super) fn text(&self) -> Result<&str, Error> {
        std::str::from_utf8(&self.content).map_err(|error| {
            let line = line_of(&self.content, error.valid_up_to());
            Error::invalid(format!("{}:{line}", printable_path(&self.path)), "is not UTF-8", "Save the file as UTF-8 text.")
        })
    }

    /// What is in it, with the fields of the profile called `wanted`.
    pub(super) fn contents(&self, wanted: &str) -> Result<Contents, Error> {
        let text = self.text()?;
        let table = DeTable::parse(text).map_err(|error| self.not_toml(text, error.message(), error.span()))?;
        let line = |span: Range<usize>| line_of(text.as_bytes(), span.start);

        let mut contents = Contents { names: Vec::new(), stray: None, fields: None };
        let mut holds_secret = false;
        for (key, value) in table.into_inner() {
            let key_line = line(key.span());
            let name = key.into_inner().into_owned();
            match value.into_inner() {
                DeValue::Table(profile) => {
                    holds_secret |= profile.iter().any(|(key, value)| is_secret(key, value));
                    if name == wanted {
                        contents.fields = Some(profile.into_iter().map(|(key, value)| Field::new(key, value, &line)).collect());
                    }
                    contents.names.push(name);
                }
                value => {
                    holds_secret |= name == "client_secret";
                    wipe(value);
                    if contents.stray.as_ref().is_none_or(|(_, before)| key_line < *before) {
                        contents.stray = Some((name, key_line));
                    }
                }
            }
        }
        if holds_secret {
            judge(&printable_path(&self.path), self.exposure, true)?;
        }
        Ok(contents)
    }

    /// What the parser says, without the line that it is about: that may hold a secret.
    pub(super) fn not_toml(&self, text: &str, message: &str, span: Option<Range<usize>>) -> Error {
        let line = span.map(|span| format!(":{}", line_of(text.as_bytes(), span.start))).unwrap_or_default();
        Error::invalid(
            format!("{}{line}", printable_path(&self.path)),
            format!("is not TOML: {}", printable(message, 200)),
            "A profile is a line with its name in brackets, as [default], and beneath it lines as client_id = \"…\", with the value in quotation marks.",
        )
    }
}

impl Field {
    fn new(key: Spanned<Cow<'_, str>>, value: Spanned<DeValue<'_>>, line: &impl Fn(Range<usize>) -> usize) -> Self {
        let line = line(key.span());
        let value = match value.into_inner() {
            // Text without escapes is borrowed from the file's, which is wiped; text with escapes is its own, and is wiped as a secret.
            DeValue::String(text) => Value::Text(Secret::new(text.into_owned())),
            DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Value::Integer(number.to_string()),
                Err(_) => Value::Other("an integer"),
            },
            DeValue::Boolean(on) => Value::Switch(on),
            DeValue::Float(_) => Value::Other("a number with a fraction"),
            DeValue::Datetime(_) => Value::Other("a date or a time"),
            value @ DeValue::Array(_) => {
                wipe(value);
                Value::Other("an array")
            }
            value @ DeValue::Table(_) => {
                wipe(value);
                Value::Other("a table")
            }
        };
        Self { key: key.into_inner().into_owned(), line, value }
    }
}

impl Value {
    /// What kind of value it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Switch(_) => "true or false",
            Self::Other(kind) => kind,
        }
    }
}

/// The profiles of a file, for messages.
pub(super) fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "no profile at all".to_owned();
    }
    let mut list = names.iter().take(NAMES_SHOWN).map(|name| printable(name, 64)).collect::<Vec<_>>().join(", ");
    if names.len() > NAMES_SHOWN {
        list.push_str(&format!(" and {} more", names.len() - NAMES_SHOWN));
    }
    list
}

pub(super) fn refused(problem: String, hint: String) -> Error {
    Error::Refused { problem, hint, http_status: None }
}

/// Whether a file that others can get at so far may be used.
pub(super) fn judge(path: &str, exposure: Exposure, holds_secret: bool) -> Result<(), Error> {
    let command = platform::make_private_command(path, "600");
    if let Some(stranger) = exposure.foreign_owner {
        return Err(refused(
            format!("{path} belongs to user {stranger}, who could change where the secret is sent"),
            format!("Make it the file of the user that this program runs as: chown \"$(id -u)\" {} && {command}", platform::quoted(path)),
        ));
    }
    if exposure.writable {
        return Err(refused(
            format!("{path} may be written by other users, who could change where the secret is sent"),
            format!("Close it to others: {command}"),
        ));
    }
    if holds_secret && exposure.readable {
        return Err(refused(
            format!("{path} holds a client_secret and may be read by other users"),
            format!("Close it to others: {command} (and rotate the secret if somebody may have read it)"),
        ));
    }
    Ok(())
}

fn is_secret(key: &Spanned<Cow<'_, str>>, value: &Spanned<DeValue<'_>>) -> bool {
    key.get_ref() == "client_secret" && !matches!(value.get_ref(), DeValue::String(text) if text.is_empty())
}

/// Overwrites what text there is in a value that is not used.
fn wipe(value: DeValue<'_>) {
    match value {
        DeValue::String(Cow::Owned(mut text)) => text.zeroize(),
        DeValue::Array(values) => values.into_iter().for_each(|value| wipe(value.into_inner())),
        DeValue::Table(values) => values.into_iter().for_each(|(_, value)| wipe(value.into_inner())),
        _ => {}
    }
}

fn line_of(text: &[u8], index: usize) -> usize {
    text[..index.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::error::Status;

    const PRIVATE: Exposure = Exposure { foreign_owner: None, readable: false, writable: false };

    #[test]
    fn i10_what_others_own_or_write_is_refused_and_what_they_read_if_it_holds_a_secret() {
        let stranger = Exposure { foreign_owner: Some(1001), ..PRIVATE };
        let writable = Exposure { writable: true, ..PRIVATE };
        let readable = Exposure { readable: true, ..PRIVATE };

        assert!(judge("/f", PRIVATE, true).is_ok() && judge("/f", PRIVATE, false).is_ok() && judge("/f", readable, false).is_ok());
        for (exposure, holds_secret) in [(stranger, false), (stranger, true), (writable, false), (writable, true), (readable, true)] {
            let error = judge("/f", exposure, holds_secret).unwrap_err();
            assert_eq!(error.status(), Status::Refused);
            assert!(error.to_string().contains("/f") && error.hint().contains("/f"), "{error}: {}", error.hint());
        }
    }

    #[test]
    fn lines_are_counted_from_one() {
        assert_eq!(line_of(b"a\nb\n", 0), 1);
        assert_eq!(line_of(b"a\nb\n", 2), 2);
        assert_eq!(line_of(b"a\nb\n", 400), 3);
    }
}
