//! Where in the document a value is.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A value and its source, which is a part of the document.
pub(super) struct Positioned<'a, T> {
    pub(super) value: T,
    source: &'a str,
}

impl<'de: 'a, 'a, T: DeserializeOwned> Deserialize<'de> for Positioned<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let source = <&'de RawValue>::deserialize(deserializer)?.get();
        // An error of this step has no position of its own. The parser of the document adds one.
        let value = serde_json::from_str::<serde_json::Value>(source).and_then(T::deserialize).map_err(D::Error::custom)?;
        Ok(Self { value, source })
    }
}

impl<T> Positioned<'_, T> {
    /// Describes a problem with this value of `document`.
    pub(super) fn error(&self, document: &str, problem: &str) -> String {
        let offset = (self.source.as_ptr() as usize).saturating_sub(document.as_ptr() as usize);
        let before = document.get(..offset).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        at(before.matches('\n').count() + 1, before[line_start..].chars().count() + 1, problem)
    }
}

/// Describes an error of the parser.
pub(super) fn described(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    at(error.line(), error.column(), message.strip_suffix(&position).unwrap_or(&message))
}

fn at(line: usize, column: usize, problem: &str) -> String {
    format!("line {line}, column {column}: {problem}")
}
