//! Edits the configuration file and keeps comments and other profiles unchanged.

use super::files::reject_link;
use crate::config::profiles::Unreadable;
use crate::config::profiles::file::{DEFAULT_PROFILE_KEY, ProfileFile};
use crate::error::{Error, printable_path};
use std::io::ErrorKind;
use std::path::Path;
use toml_edit::{DocumentMut, Item, Table, TableLike, value};

/// Reads the file as an editable document; an empty one if the file does not exist.
pub(super) fn read(path: &Path) -> Result<DocumentMut, Error> {
    reject_link(path)?;
    let file = match ProfileFile::read(path)? {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(DocumentMut::new()),
        Err(error) => return Err(Unreadable::of(path, &error).into_error(path)),
    };
    // The rules of reading also apply here. Report violations before anything is changed.
    file.contents("")?;
    let text = file.as_str()?;
    text.parse::<DocumentMut>().map_err(|error| file.toml_error(text, error.message(), error.span()))
}

/// Returns the table of the profile, and creates it if it does not exist.
pub(super) fn table<'a>(document: &'a mut DocumentMut, path: &Path, name: &str) -> Result<&'a mut dyn TableLike, Error> {
    if !document.contains_key(name) {
        let mut table = Table::new();
        if !document.is_empty() {
            table.decor_mut().set_prefix("\n");
        }
        document.insert(name, Item::Table(table));
    }
    document.get_mut(name).and_then(Item::as_table_like_mut).ok_or_else(|| {
        Error::invalid(printable_path(path), format!("{name} exists, but is not a profile"), format!("Remove the line {name} = …"))
    })
}

/// Returns the profile that the file names as its default.
pub(super) fn default_profile(document: &DocumentMut) -> Option<&str> {
    document.get(DEFAULT_PROFILE_KEY).and_then(Item::as_str)
}

/// Sets the default profile, or removes the line.
pub(super) fn set_default_profile(document: &mut DocumentMut, name: Option<&str>) {
    let is_new = !document.contains_key(DEFAULT_PROFILE_KEY);
    put(document.as_table_mut(), DEFAULT_PROFILE_KEY, name);
    if name.is_none() || !is_new {
        return;
    }
    // The line is the first one of the file. An empty line separates it from the first profile.
    let tables = document.iter_mut().filter_map(|(_, item)| item.as_table_mut());
    if let Some(first) = tables.min_by_key(|table| table.position()) {
        let prefix = first.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default().to_owned();
        if !prefix.starts_with('\n') {
            first.decor_mut().set_prefix(format!("\n{prefix}"));
        }
    }
}

/// Renames a table, which keeps its place and its comments.
pub(super) fn rename_table(document: &mut DocumentMut, old: &str, new: &str) {
    if let Some(table) = document.remove(old) {
        document.insert(new, table);
    }
}

/// Sets or removes a string; a comment after the old value is kept.
pub(super) fn put(table: &mut dyn TableLike, key: &str, text: Option<&str>) {
    let Some(text) = text else {
        table.remove(key);
        return;
    };
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            let decor = old.decor().clone();
            *old = text.into();
            *old.decor_mut() = decor;
        }
        None => {
            table.insert(key, value(text));
        }
    }
}

/// Removes a table, but keeps a comment above it that an empty line separates from it: the comment
/// at the start of the file.
pub(super) fn remove_table(document: &mut DocumentMut, name: &str) {
    let Some(removed) = document.remove(name) else { return };
    let prefix = removed.as_table().and_then(|table| table.decor().prefix()).and_then(|prefix| prefix.as_str()).unwrap_or_default();
    let Some((apart, _)) = prefix.rsplit_once("\n\n") else { return };
    if apart.trim().is_empty() {
        return;
    }
    let after = removed.as_table().and_then(Table::position);
    let next = document
        .iter_mut()
        .filter_map(|(_, item)| item.as_table_mut())
        .filter(|table| table.position() > after)
        .min_by_key(|table| table.position());
    match next {
        Some(table) => {
            let own = table.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default().trim_start_matches('\n').to_owned();
            table.decor_mut().set_prefix(format!("{apart}\n\n{own}"));
        }
        None => {
            let trailing = document.trailing().as_str().unwrap_or_default().to_owned();
            document.set_trailing(format!("{apart}\n{trailing}"));
        }
    }
}
