//! `tokenwell/config.toml`, our own configuration file: every unknown key in it is an error.

use super::super::authorities::SYSTEM;
use super::super::setting::{Key, Kind, Setting, settings};
use super::super::sources::{Entry, Found};
use super::super::suggestion::{nearest, shown_name};
use super::file::{Contents, DEFAULT_PROFILE_KEY, Field, Value};
use super::ids;
use crate::error::{Error, printable_path};
use crate::secret::Secret;
use std::path::Path;

/// Returns the default profile that the file at `path` names, and the location of that line.
pub(super) fn default_profile(path: &Path, contents: &Contents) -> Result<Option<(String, String)>, Error> {
    let Some((value, line)) = &contents.default_profile else { return Ok(None) };
    let location = format!("{DEFAULT_PROFILE_KEY} in {}:{line}", printable_path(path));
    let Value::String(name) = value else {
        return Err(Error::invalid(
            location,
            format!("must be a string, not {}", value.kind()),
            format!("Write {DEFAULT_PROFILE_KEY} = \"NAME\", with the name of a profile."),
        ));
    };
    Key::Profile.setting().check(&location, name.expose().as_bytes())?;
    Ok(Some((name.expose().to_owned(), location)))
}

/// Returns the settings of the profile `name` in the file at `path`, as entries of a source; `None`
/// if the profile does not exist.
pub(super) fn entries(path: &Path, name: &str, contents: Contents) -> Result<Option<Vec<Entry>>, Error> {
    reject_stray(path, &contents)?;
    let Some(fields) = contents.fields else { return Ok(None) };
    let (others, fields): (Vec<_>, Vec<_>) = fields.into_iter().partition(|field| ids::key(field).is_some());
    others.iter().try_for_each(|field| ids::id(path, name, field).map(drop))?;
    fields.into_iter().map(|field| entry(path, name, field)).collect::<Result<_, _>>().map(Some)
}

/// Checks that no key is outside of all profiles.
pub(super) fn reject_stray(path: &Path, contents: &Contents) -> Result<(), Error> {
    let Some((key, line)) = &contents.stray else { return Ok(()) };
    let key = shown_name(key).unwrap_or("a value");
    Err(Error::invalid(
        format!("{}:{line}", printable_path(path)),
        format!("{key} is not in a profile"),
        "Move it below a line that has the name of a profile in brackets: [default].",
    ))
}

pub(super) fn entry(path: &Path, name: &str, field: Field) -> Result<Entry, Error> {
    let (setting, kind) = profile_setting(&field.key, || line_location(path, name, field.line))?;
    let location = format!("{} in profile {name} of {}:{}", setting.name(), printable_path(path), field.line);
    let found = match (field.value, kind) {
        (Value::String(text), Kind::Path) if setting.key == Key::CaFile && text.expose() == SYSTEM => Found::Value(text),
        (Value::String(text), Kind::Path) => resolve_path(path, text),
        (Value::String(text), _) => Found::Value(text),
        (Value::Integer(number), Kind::Integer) => Found::Value(Secret::new(number)),
        (Value::Boolean(on), Kind::Boolean) => Found::Value(Secret::from(if on { "on" } else { "off" })),
        (value, kind) => {
            let wanted = match kind {
                Kind::String | Kind::Path => "a string",
                Kind::Integer => "an integer",
                Kind::Boolean => "a boolean",
            };
            return Err(Error::invalid(
                location,
                format!("must be {wanted}, not {}", value.kind()),
                format!("Write {} = {} ({}).", setting.name(), example(kind), setting.about()),
            ));
        }
    };
    Ok(Entry { key: setting.key, location: location.into(), found, in_keyring: false })
}

fn line_location(path: &Path, name: &str, line: usize) -> String {
    format!("profile {name} of {}:{line}", printable_path(path))
}

/// Returns the setting `key` and its type in a profile.
fn profile_setting(key: &str, location: impl Fn() -> String) -> Result<(&'static Setting, Kind), Error> {
    let setting = settings().find(|setting| setting.name() == key);
    if let Some(found) = setting.and_then(|setting| setting.in_profile.map(|kind| (setting, kind))) {
        return Ok(found);
    }
    let names = || settings().filter(|setting| setting.in_profile.is_some()).map(Setting::name).chain(ids::KEYS);
    let problem = match (setting, shown_name(key)) {
        (Some(setting), _) => format!("{} cannot be set in a profile", setting.name()),
        (None, Some(key)) => format!("unknown setting {key}"),
        (None, None) => "the key is not the name of a setting".to_owned(),
    };
    let suggestion = nearest(key, names()).map(|name| format!("Did you mean {name}? ")).unwrap_or_default();
    Err(Error::invalid(
        location(),
        problem,
        format!("{suggestion}The settings of a profile are {}.", names().collect::<Vec<_>>().join(", ")),
    ))
}

/// Resolves a path in a file relative to the directory of that file. The working directory of a
/// program has no effect.
fn resolve_path(file: &Path, path: Secret) -> Found {
    if path.expose().is_empty() {
        return Found::Value(path);
    }
    match file.parent().unwrap_or(Path::new("")).join(path.expose()).to_str() {
        Some(path) => Found::Value(Secret::from(path)),
        None => Found::NotUtf8,
    }
}

fn example(kind: Kind) -> &'static str {
    match kind {
        Kind::String | Kind::Path => "\"…\"",
        Kind::Integer => "30000",
        Kind::Boolean => "true",
    }
}
