//! Reads one configuration file with profiles. Its permissions are checked: a user who can write to
//! it decides where secrets are sent, and it may contain a secret.

use crate::config::bounded::read_bounded;
use crate::error::{Error, Exchange, os_reason, printable, printable_path};
use crate::platform::{self, Exposure};
use crate::secret::Secret;
use std::borrow::Cow;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::{Zeroize, Zeroizing};

/// The maximum size of the file, in bytes: more than anybody writes by hand.
const LIMIT: usize = 256 * 1024;

/// The maximum number of profiles that a message lists.
const NAMES_SHOWN: usize = 20;

/// The key outside of all profiles that names the default profile in our own file.
pub(super) const DEFAULT_PROFILE_KEY: &str = "default_profile";

/// The content of a file whose type, permissions and size have been checked.
pub(super) struct ProfileFile {
    path: PathBuf,
    content: Zeroizing<Vec<u8>>,
    exposure: Exposure,
}

/// The parsed file, as far as the caller requires it.
pub(super) struct Contents {
    /// The names of all profiles, in alphabetical order.
    pub(super) names: Vec<String>,
    /// The profile that is used if none is requested by name: the value of [`DEFAULT_PROFILE_KEY`]
    /// and its line.
    pub(super) default_profile: Option<(Value, usize)>,
    /// The first other key that is not in a profile, and its line.
    pub(super) stray: Option<(String, usize)>,
    /// The fields of the requested profile, if it exists.
    pub(super) fields: Option<Vec<Field>>,
    /// The profiles that were requested with [`ProfileFile::all_contents`], in alphabetical order.
    pub(super) profiles: Vec<(String, Vec<Field>)>,
}

/// One line of a profile.
pub(super) struct Field {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) value: Value,
}

/// A TOML value, as far as settings use it.
pub(super) enum Value {
    String(Secret),
    Integer(String),
    Boolean(bool),
    /// A value of another type, with the name of the type.
    Other(&'static str),
}

impl ProfileFile {
    /// Reads the file at `path`.
    ///
    /// Returns `Ok(Err(…))` if the system cannot open it, most often because it does not exist.
    /// Every other problem is an [`Error`].
    pub(super) fn read(path: &Path) -> Result<Result<Self, io::Error>, Error> {
        let shown = printable_path(path);
        let mut file = match platform::open_nonblocking(path) {
            Ok(file) => file,
            Err(error) => return Ok(Err(error)),
        };
        let unreadable = |error: &io::Error| Error::NotConfigured {
            problem: format!("cannot read {shown}: {}", os_reason(error)),
            hint: "Check the file and its disk.".to_owned(),
        };
        // Check the opened file: the path may lead to another file by now.
        let metadata = file.metadata().map_err(|error| unreadable(&error))?;
        if !metadata.is_file() {
            return Err(refused(format!("{shown} is not a regular file"), format!("Replace {shown} with a regular file.")));
        }
        let exposure = platform::exposure(&metadata);
        check_exposure(&shown, exposure, false)?;
        let content = read_bounded(&mut file, LIMIT + 1).map_err(|error| unreadable(&error))?;
        if content.len() > LIMIT {
            return Err(Error::invalid(
                shown,
                format!("is longer than {} KiB, the limit for a configuration file", LIMIT / 1024),
                "Check that this file contains profiles.",
            ));
        }
        Ok(Ok(Self { path: path.to_owned(), content, exposure }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the content as a string.
    pub(super) fn as_str(&self) -> Result<&str, Error> {
        std::str::from_utf8(&self.content).map_err(|error| {
            let line = line_of(&self.content, error.valid_up_to());
            Error::invalid(format!("{}:{line}", printable_path(&self.path)), "is not UTF-8", "Save the file as UTF-8.")
        })
    }

    /// Parses the content, and returns the fields of the profile `wanted`.
    pub(super) fn contents(&self, wanted: &str) -> Result<Contents, Error> {
        let mut contents = self.all_contents(|name| name == wanted)?;
        contents.fields = contents.profiles.pop().map(|(_, fields)| fields);
        Ok(contents)
    }

    /// Parses the content, and returns the fields of all profiles that are `wanted`.
    pub(super) fn all_contents(&self, wanted: impl Fn(&str) -> bool) -> Result<Contents, Error> {
        let text = self.as_str()?;
        let table = DeTable::parse(text).map_err(|error| self.toml_error(text, error.message(), error.span()))?;
        let line = |span: Range<usize>| line_of(text.as_bytes(), span.start);

        let mut contents = Contents { names: Vec::new(), default_profile: None, stray: None, fields: None, profiles: Vec::new() };
        let mut holds_secret = false;
        for (key, value) in table.into_inner() {
            let key_line = line(key.span());
            let name = key.into_inner().into_owned();
            match value.into_inner() {
                DeValue::Table(profile) => {
                    holds_secret |= profile.iter().any(|(key, value)| is_secret(key, value));
                    if wanted(&name) {
                        let fields = profile.into_iter().map(|(key, value)| Field::new(key, value, &line)).collect();
                        contents.profiles.push((name.clone(), fields));
                    }
                    contents.names.push(name);
                }
                value if name == DEFAULT_PROFILE_KEY => contents.default_profile = Some((Value::new(value), key_line)),
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
            check_exposure(&printable_path(&self.path), self.exposure, true)?;
        }
        Ok(contents)
    }

    /// The error of the parser, without the line that it quotes: the line may contain a secret.
    pub(super) fn toml_error(&self, text: &str, message: &str, span: Option<Range<usize>>) -> Error {
        let line = span.map(|span| format!(":{}", line_of(text.as_bytes(), span.start))).unwrap_or_default();
        Error::invalid(
            format!("{}{line}", printable_path(&self.path)),
            format!("is not valid TOML: {}", printable(message, 200)),
            "A profile begins with a line that has its name in brackets, for example [default]. The lines below it have the form \
             client_id = \"…\", with the value in quotation marks.",
        )
    }
}

impl Field {
    fn new(key: Spanned<Cow<'_, str>>, value: Spanned<DeValue<'_>>, line: &impl Fn(Range<usize>) -> usize) -> Self {
        let line = line(key.span());
        Self { key: key.into_inner().into_owned(), line, value: Value::new(value.into_inner()) }
    }
}

impl Value {
    fn new(value: DeValue<'_>) -> Self {
        match value {
            // A string without escapes is borrowed from the content, which is wiped. A string with
            // escapes is owned, and is wiped as a `Secret`.
            DeValue::String(text) => Self::String(Secret::new(text.into_owned())),
            DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Self::Integer(number.to_string()),
                Err(_) => Self::Other("an integer"),
            },
            DeValue::Boolean(on) => Self::Boolean(on),
            DeValue::Float(_) => Self::Other("a float"),
            DeValue::Datetime(_) => Self::Other("a date or time"),
            value @ DeValue::Array(_) => {
                wipe(value);
                Self::Other("an array")
            }
            value @ DeValue::Table(_) => {
                wipe(value);
                Self::Other("a table")
            }
        }
    }

    /// Returns the type of the value, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::String(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Boolean(_) => "a boolean",
            Self::Other(kind) => kind,
        }
    }
}

/// Lists the profiles of a file, for messages.
pub(super) fn profile_list(names: &[String]) -> String {
    if names.is_empty() {
        return "no profile".to_owned();
    }
    let mut shown: Vec<_> = names.iter().take(NAMES_SHOWN).map(|name| printable(name, 64)).collect();
    let last = if names.len() > NAMES_SHOWN { Some(format!("{} more", names.len() - NAMES_SHOWN)) } else { shown.pop() };
    let (list, last) = (shown.join(", "), last.unwrap_or_default());
    if list.is_empty() { last } else { format!("{list} and {last}") }
}

pub(super) fn refused(problem: String, hint: String) -> Error {
    Error::Refused { problem, hint, http_status: None, exchange: Exchange::default() }
}

/// Checks whether a file with these permissions may be used.
pub(super) fn check_exposure(path: &str, exposure: Exposure, holds_secret: bool) -> Result<(), Error> {
    let command = platform::make_private_command(path, "600");
    if let Some(stranger) = exposure.foreign_owner {
        return Err(refused(
            format!("{path} is owned by user {stranger}, who could change where the secret is sent"),
            format!("Change its owner to the user that runs this program: chown \"$(id -u)\" {} && {command}", platform::quoted(path)),
        ));
    }
    if exposure.writable {
        return Err(refused(
            format!("{path} is writable by other users, who could change where the secret is sent"),
            format!("Remove the permissions of other users: {command}"),
        ));
    }
    if holds_secret && exposure.readable {
        return Err(refused(
            format!("{path} contains a client_secret and is readable by other users"),
            format!("Rotate the secret if another user may have read it. Remove the permissions of other users: {command}"),
        ));
    }
    Ok(())
}

fn is_secret(key: &Spanned<Cow<'_, str>>, value: &Spanned<DeValue<'_>>) -> bool {
    key.get_ref() == "client_secret" && !matches!(value.get_ref(), DeValue::String(text) if text.is_empty())
}

/// Wipes the strings in a value that is not used.
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

        assert!(
            check_exposure("/f", PRIVATE, true).is_ok()
                && check_exposure("/f", PRIVATE, false).is_ok()
                && check_exposure("/f", readable, false).is_ok()
        );
        for (exposure, holds_secret) in [(stranger, false), (stranger, true), (writable, false), (writable, true), (readable, true)] {
            let error = check_exposure("/f", exposure, holds_secret).unwrap_err();
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
