//! Tables for people, and JSON for programs.

use crate::failure::Failure;
pub(super) use crate::form::now_ms;
use crate::form::rounded;
use crate::output;
use crate::secret_end::SOON;
use crate::style::Style;
use crate::terminal::{Cell, Stream, Table};
use serde::Serialize;
use std::time::Duration;
use tokenwell::admin::service_accounts::{SecretDescription, ServiceAccount, milliseconds};
use tokenwell::error::{duration_text, printable};

/// The value as JSON on one line.
pub(super) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value)
        .map_err(|problem| Failure::from(tokenwell::Error::Internal { problem: format!("cannot write JSON: {problem}") }))?;
    output::line(&text)
}

/// The rows as a table. On a terminal it has a heading; elsewhere every line is a row.
pub(super) fn table(heading: &[&str], rows: Vec<Vec<Cell>>) -> Result<(), Failure> {
    let mut table = Table::default();
    if Stream::Out.is_terminal() {
        table.row(heading.iter().map(|name| Cell::styled(Style::Bold, *name)));
    }
    rows.into_iter().for_each(|row| table.row(row));
    output::line(&table.render(Stream::Out))
}

/// One identifier on each line, for `--quiet`. Nothing for an empty list.
pub(super) fn ids<'a>(ids: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
    let lines: Vec<_> = ids.map(|id| printable(id, 200)).collect();
    if lines.is_empty() { Ok(()) } else { output::line(&lines.join("\n")) }
}

/// When the last secret of the account ends. `None` without a secret, and if a time cannot be read.
pub(super) fn end_ms(account: &ServiceAccount) -> Option<u64> {
    account.secrets.iter().filter_map(|secret| milliseconds(secret.expires_at.as_deref()?)).max()
}

/// "in 29 d (2026-12-27T02:00:00Z)", for the end of a secret.
pub(super) fn end(secret: &SecretDescription, now_ms: u64) -> Cell {
    let text = end_text(secret, now_ms);
    match secret.expires_at.as_deref().and_then(milliseconds) {
        Some(end) if end <= now_ms => Cell::styled(Style::Fail, text),
        Some(end) if Duration::from_millis(end - now_ms) < SOON => Cell::styled(Style::Warn, text),
        _ => text.into(),
    }
}

/// What [`end`] shows.
pub(super) fn end_text(secret: &SecretDescription, now_ms: u64) -> String {
    let shown = secret.expires_at.as_deref().map_or("unknown".to_owned(), |time| printable(time, 40));
    match secret.expires_at.as_deref().and_then(milliseconds) {
        None => shown,
        Some(end) if end <= now_ms => format!("expired ({shown})"),
        Some(end) => format!("in {} ({shown})", duration_text(rounded(Duration::from_millis(end - now_ms)))),
    }
}

/// The end of the account's last secret, short.
pub(super) fn end_of_account(account: &ServiceAccount, now_ms: u64) -> Cell {
    if account.secrets.is_empty() {
        return Cell::styled(Style::Fail, "no secret");
    }
    match end_ms(account) {
        None => "unknown".into(),
        Some(end) if end <= now_ms => Cell::styled(Style::Fail, "expired"),
        Some(end) => {
            let left = Duration::from_millis(end - now_ms);
            let text = format!("in {}", duration_text(rounded(left)));
            if left < SOON { Cell::styled(Style::Warn, text) } else { text.into() }
        }
    }
}

pub(super) fn time(time: Option<&str>, missing: &str) -> String {
    time.map_or_else(|| missing.to_owned(), |time| printable(time, 40))
}

pub(super) fn roles(roles: &[String]) -> String {
    roles.iter().map(|role| printable(role, 80)).collect::<Vec<_>>().join(", ")
}
