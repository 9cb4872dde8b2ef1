//! The organization and the project of a profile. They are no settings of a client: the command passes
//! them on to other programs, and puts them into paths of the Admin API.

use super::file::{Field, Value};
use crate::error::{Error, printable_path};
use std::path::Path;

/// The members of a profile, in both formats.
pub(super) const KEYS: [&str; 2] = ["org_id", "project_id"];

/// The key that `field` has, if it is one of these.
pub(super) fn key(field: &Field) -> Option<&'static str> {
    KEYS.into_iter().find(|key| field.key == *key)
}

/// Returns the id in `field` of the profile `name` in the file at `path`.
pub(super) fn id(path: &Path, name: &str, field: &Field) -> Result<String, Error> {
    let location = || format!("{} in profile {name} of {}:{}", field.key, printable_path(path), field.line);
    let Value::String(value) = &field.value else {
        let hint = format!("Write {} = \"…\", with the id in quotation marks.", field.key);
        return Err(Error::invalid(location(), format!("must be a string, not {}", field.value.kind()), hint));
    };
    let is_id = |value: &str| {
        !value.is_empty() && value.len() <= 64 && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    if is_id(value.expose()) {
        return Ok(value.expose().to_owned());
    }
    Err(Error::invalid(location(), "is not an id", "Write the id as Atlas shows it, 24 hexadecimal digits, or remove the line."))
}
