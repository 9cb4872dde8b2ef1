//! The file of profiles as a document that is changed: comments and other profiles stay as they are.

use super::files::{cannot_write, not_a_link};
use crate::config::profiles::file::Text;
use crate::error::{Error, printable_path};
use std::io::ErrorKind;
use std::path::Path;
use toml_edit::{DocumentMut, Item, Table, TableLike, value};

/// The file as a document that can be changed; an empty one where there is no file.
pub(super) fn read(path: &Path) -> Result<DocumentMut, Error> {
    not_a_link(path)?;
    let text = match Text::read(path)? {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(DocumentMut::new()),
        Err(error) => return Err(cannot_write(path, &error, "Check the path and that this user may read the file.")),
    };
    // The rules of reading hold here too; what they find is better said before anything is changed.
    text.contents("")?;
    let text_of_file = text.text()?;
    text_of_file.parse::<DocumentMut>().map_err(|error| text.not_toml(text_of_file, error.message(), error.span()))
}

/// The table of the profile, made if it is missing.
pub(super) fn table<'a>(document: &'a mut DocumentMut, path: &Path, name: &str) -> Result<&'a mut dyn TableLike, Error> {
    if !document.contains_key(name) {
        let mut table = Table::new();
        if !document.is_empty() {
            table.decor_mut().set_prefix("\n");
        }
        document.insert(name, Item::Table(table));
    }
    document.get_mut(name).and_then(Item::as_table_like_mut).ok_or_else(|| {
        Error::invalid(
            printable_path(path),
            format!("{name} is there, and it is no profile"),
            format!("Take the line with {name} = … away."),
        )
    })
}

/// Sets a text or takes it away; a comment behind the old value stays.
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

/// Takes a table away, but not what stands above it and apart from it: the comment at the head of the file.
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
