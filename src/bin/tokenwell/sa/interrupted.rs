//! What commands made that were killed before they could say so: an account or a secret that exists, and
//! that is perhaps stored nowhere.
//!
//! May depend on: `changes`, which has the records, the session of `place`, and `target`, which looks for the
//! secret. Names are not unique in Atlas. As for a lost reply, the ids before and the time of the request
//! decide, together with name and description.

use super::changes::{ADD_SECRET, CREATE, Open, now, open_creations};
use super::place::AdminSession;
use super::stored::{Found, as_flags, find_secret};
use crate::failure::{self, Failure};
use crate::output;
use std::collections::HashSet;
use std::time::Duration;
use tokenwell::admin::service_accounts::{AccessListEntry, AdminError, Network, SecretDescription, ServiceAccount, milliseconds};
use tokenwell::error::{ExitCode, duration_text, printable};

/// How long a new account may be absent from lists.
const VISIBLE_AFTER: Duration = Duration::from_secs(10);

/// A creation that was interrupted, and what it made.
pub(super) struct Interrupted {
    open: Open,
    made: Made,
}

enum Made {
    /// Nothing that still exists.
    Nothing,
    /// Nothing is visible, but the request was sent a moment ago: so long it may take.
    NotVisibleYet(Duration),
    One {
        client_id: String,
        secret_id: Option<String>,
        state: State,
    },
    /// It is one of these.
    OneOf(Vec<String>),
    Unknown(AdminError),
}

enum State {
    /// The secret is where it belongs, for this reason, and nothing is left to do.
    Complete(&'static str),
    /// The secret is stored, but these addresses are not on the access list.
    WithoutAccess(String),
    /// The secret is not in all of its places, and these addresses are not on the access list either.
    Lost { problem: String, addresses: String },
}

/// Reports the creations of this organization or project that were interrupted, with the commands that
/// complete or undo them. Those that left nothing to do are closed.
pub(super) fn report(admin: &AdminSession) {
    let (found, is_running) = all(admin);
    for interrupted in found {
        // What one in progress makes must not be taken for a result of this one.
        if is_running && matches!(interrupted.made, Made::One { .. } | Made::OneOf(_)) && interrupted.open.created.is_none() {
            continue;
        }
        interrupted.show();
        interrupted.keep_or_close(admin);
    }
}

/// Whether a warning is printed. What cannot be printed is not closed either, so that it is not lost.
fn is_shown() -> bool {
    !failure::is_json() && !output::is_quiet()
}

/// Like [`report`], and refuses to create an account if an interrupted command has created one with the same
/// name and description.
pub(super) fn require_none(admin: &AdminSession, name: &str, description: &str) -> Result<(), Failure> {
    let is_same = |open: &Open| {
        open.begun.record.operation == CREATE && open.begun.record.name.as_deref() == Some(name) && open.begun.description == description
    };
    let (mut found, _) = all(admin);
    let wait = found
        .iter()
        .filter(|each| is_same(&each.open))
        .filter_map(|each| if let Made::NotVisibleYet(left) = each.made { Some(left) } else { None });
    if let Some(left) = wait.max() {
        if !failure::is_json() {
            output::message(&format!(
                "an earlier `{CREATE}` of this name was interrupted a moment ago; its account would be visible in {}",
                duration_text(left)
            ));
        }
        std::thread::sleep(left);
        drop(found);
        found = all(admin).0;
    }
    let mut refused = None;
    for interrupted in found {
        if !is_same(&interrupted.open) || matches!(interrupted.made, Made::Nothing) {
            interrupted.show();
        } else if refused.is_none() {
            refused = Some(interrupted.refusal());
        }
        interrupted.keep_or_close(admin);
    }
    refused.map_or(Ok(()), Err)
}

fn all(admin: &AdminSession) -> (Vec<Interrupted>, bool) {
    let here = admin.record("", "", "");
    let place = |record: &super::changes::Record| (record.server.clone(), record.org_id.clone(), record.project_id.clone());
    let (open, is_running) = open_creations(&admin.log, |record| place(record) == place(&here));
    (open.into_iter().map(|open| Interrupted { made: made(admin, &open), open }).collect(), is_running)
}

fn made(admin: &AdminSession, open: &Open) -> Made {
    let result = if open.begun.record.operation == CREATE { made_account(admin, open) } else { made_secret(admin, open) };
    result.unwrap_or_else(Made::Unknown)
}

/// Nothing, unless it is too early to say so.
fn nothing_yet(open: &Open) -> Made {
    // If the clock was set back, the age is not known.
    let age = milliseconds(&now()).zip(milliseconds(&open.begun.time)).and_then(|(now, begun)| now.checked_sub(begun));
    // Times have whole seconds.
    let left = age.map(Duration::from_millis).map_or(Duration::ZERO, |age| (VISIBLE_AFTER + Duration::from_secs(1)).saturating_sub(age));
    if left.is_zero() || open.created.is_some() { Made::Nothing } else { Made::NotVisibleYet(left) }
}

/// Whether an object is new and was created while the request could be sent.
fn is_new(open: &Open, others: &HashSet<String>, id: &str, created_at: Option<&str>) -> bool {
    let begun = &open.begun;
    let created = created_at.and_then(milliseconds);
    // Times of the API have whole seconds.
    let is_within = begun.date_ms.zip(created).is_none_or(|(from, created)| {
        let until = from.saturating_add(begun.window_ms);
        (from / 1000 * 1000..until).contains(&created)
    });
    is_within && !others.contains(id) && !begun.existing.iter().any(|existing| existing == id)
}

fn made_account(admin: &AdminSession, open: &Open) -> Result<Made, AdminError> {
    let begun = &open.begun;
    let accounts = admin.accounts().list().collect::<Result<Vec<_>, _>>()?;
    let others = admin.log.created_by_others(CREATE);
    let is_result = |account: &ServiceAccount| match &open.created {
        Some((client_id, _)) => account.client_id == *client_id,
        None => {
            Some(&account.name) == begun.record.name.as_ref()
                && account.description == begun.description
                && is_new(open, &others, &account.client_id, account.created_at.as_deref())
        }
    };
    let mut found: Vec<_> = accounts.into_iter().filter(is_result).collect();
    let Some(account) = found.pop() else { return Ok(nothing_yet(open)) };
    if !found.is_empty() {
        return Ok(Made::OneOf(found.into_iter().chain([account]).map(|account| account.client_id).collect()));
    }
    // Any secret that is where it belongs is enough: another host may have replaced the first one.
    let is_complete = |secret: &&SecretDescription| matches!(state_of_secret(open, &account.client_id, Some(secret)), State::Complete(_));
    let secret = account.secrets.iter().find(is_complete).or(account.secrets.last());
    let missing = missing_addresses(admin, open, &account.client_id)?;
    let state = match state_of_secret(open, &account.client_id, secret) {
        State::Complete(_) if !missing.is_empty() => State::WithoutAccess(missing),
        State::Lost { problem, .. } => State::Lost { problem, addresses: missing },
        complete => complete,
    };
    Ok(Made::One { secret_id: secret.map(|secret| secret.id.clone()), client_id: account.client_id, state })
}

fn made_secret(admin: &AdminSession, open: &Open) -> Result<Made, AdminError> {
    let client_id = open.begun.record.client_id.clone().unwrap_or_default();
    let account = match admin.accounts().get(&client_id) {
        Err(error) if error.is_not_found() => return Ok(Made::Nothing),
        result => result?,
    };
    let others = admin.log.created_by_others(ADD_SECRET);
    let is_result = |secret: &SecretDescription| match &open.created {
        Some((_, id)) => secret.id == *id,
        None => is_new(open, &others, &secret.id, secret.created_at.as_deref()),
    };
    let mut found: Vec<_> = account.secrets.into_iter().filter(is_result).collect();
    let Some(secret) = found.pop() else { return Ok(nothing_yet(open)) };
    if !found.is_empty() {
        return Ok(Made::OneOf(found.into_iter().chain([secret]).map(|secret| secret.id).collect()));
    }
    let state = state_of_secret(open, &client_id, Some(&secret));
    Ok(Made::One { client_id, secret_id: Some(secret.id), state })
}

fn state_of_secret(open: &Open, client_id: &str, secret: Option<&SecretDescription>) -> State {
    let lost = |problem: String| State::Lost { problem, addresses: String::new() };
    let Some(secret) = secret else { return lost("it has no secret".to_owned()) };
    if open.is_stored {
        return State::Complete("stored");
    }
    // The program that used it has the value.
    if secret.last_used_at.is_some() {
        return State::Complete("in use");
    }
    let mask = secret.masked_secret_value.as_deref();
    let found: Vec<_> = open.begun.targets.iter().map(|target| (target, find_secret(target, client_id, mask))).collect();
    let missing = |found: &(&String, Found)| match found {
        (_, Found::Yes) => None,
        (target, Found::No) => Some(format!("is not in {target}")),
        (target, Found::Unknown) => Some(format!("may not be in {target}")),
        (_, Found::Printed) => Some("may not have been printed".to_owned()),
    };
    let missing: Vec<_> = found.iter().filter_map(missing).collect();
    if missing.is_empty() { State::Complete("stored") } else { lost(format!("its secret {}", missing.join(" and "))) }
}

/// The addresses that the command was to add and that are not on the access list.
fn missing_addresses(admin: &AdminSession, open: &Open, client_id: &str) -> Result<String, AdminError> {
    let wanted = &open.begun.record.addresses;
    if wanted.is_empty() {
        return Ok(String::new());
    }
    let entries: Vec<_> = admin.accounts().access_list(client_id).and_then(Iterator::collect)?;
    let listed: HashSet<_> = entries.iter().filter_map(AccessListEntry::network).collect();
    let is_missing = |address: &&String| Network::parse(address).is_ok_and(|network| !listed.contains(&network));
    Ok(wanted.iter().filter(is_missing).cloned().collect::<Vec<_>>().join(" "))
}

impl Interrupted {
    /// "an earlier `sa create` (name deploy, begun 2026-11-28T12:03:04Z) was interrupted".
    fn subject(&self) -> String {
        let record = &self.open.begun.record;
        let what = match (&record.name, &record.client_id) {
            (Some(name), _) => format!("name {}", printable(name, 64)),
            (None, Some(id)) => printable(id, 64),
            (None, None) => String::new(),
        };
        let end = if self.open.is_unresolved { "ended without a known result" } else { "was interrupted" };
        let (operation, time) = (printable(&record.operation, 40), printable(&self.open.begun.time, 40));
        format!("an earlier `{operation}` ({what}, begun {time}) {end}")
    }

    fn kind(&self) -> &'static str {
        if self.open.begun.record.operation == CREATE { "account" } else { "secret" }
    }

    fn show(&self) {
        if is_shown() {
            let (finding, hint) = self.finding();
            let hint = if hint.is_empty() { hint } else { format!(". {hint}") };
            output::warning(&format!("{}: {finding}{hint}", self.subject()));
        }
    }

    /// What it made, and what to do.
    fn finding(&self) -> (String, String) {
        let kind = self.kind();
        match &self.made {
            Made::Nothing => (format!("no {kind} of it exists"), String::new()),
            Made::NotVisibleYet(_) => (format!("no {kind} of it is visible yet; the next command checks again"), String::new()),
            Made::Unknown(error) => {
                let error = printable(&error.to_string(), 500);
                let article = if kind == "account" { "an" } else { "a" };
                (format!("whether it created {article} {kind} could not be checked: {error}"), String::new())
            }
            Made::OneOf(ids) => (
                format!("one of these may be its {kind}, and its secret may be stored nowhere: {}", ids.join(", ")),
                "Check which one is used, and delete the other.".to_owned(),
            ),
            Made::One { client_id, secret_id, state } => self.finding_of_one(client_id, secret_id.as_deref(), state),
        }
    }

    fn finding_of_one(&self, client_id: &str, secret_id: Option<&str>, state: &State) -> (String, String) {
        let record = &self.open.begun.record;
        let place = match (&record.org_id, &record.project_id) {
            (_, Some(project)) => format!("--project {project}"),
            (Some(organization), None) => format!("--org {organization}"),
            (None, None) => String::new(),
        };
        let flags = as_flags(&self.open.begun.targets);
        let delete = format!("tokenwell sa delete {place} {client_id}");
        let add = format!("tokenwell sa secret add {place} {client_id} {flags}");
        match (state, self.kind()) {
            (State::Complete(reason), "account") => {
                (format!("account {client_id} was created, and its secret is {reason}; nothing is left to do"), String::new())
            }
            (State::Complete(reason), _) => (
                format!("secret {} of {client_id} was created and is {reason}; nothing is left to do", secret_id.unwrap_or_default()),
                String::new(),
            ),
            (State::WithoutAccess(addresses), _) => (
                format!("account {client_id} was created and its secret is stored, but its access list has no {addresses}"),
                format!("Complete it with `tokenwell sa access add {place} {client_id} {addresses}`, or undo it with `{delete}`."),
            ),
            (State::Lost { problem, addresses }, "account") => {
                let access = if addresses.is_empty() {
                    String::new()
                } else {
                    format!(" and then `tokenwell sa access add {place} {client_id} {addresses}`")
                };
                (
                    format!("account {client_id} was created, and {problem}"),
                    format!("Complete it with another secret, with `{add}`{access}, or undo it with `{delete}`."),
                )
            }
            (State::Lost { problem, .. }, _) => {
                let id = secret_id.unwrap_or_default();
                (
                    format!("secret {id} of {client_id} was created, and {}", problem.replacen("its secret", "it", 1)),
                    format!("Delete it with `tokenwell sa secret delete {place} {client_id} {id}`, and create another one with `{add}`."),
                )
            }
        }
    }

    /// Why the same account is not created again.
    fn refusal(&self) -> Failure {
        let (finding, hint) = self.finding();
        let hint = match &self.made {
            Made::One { state: State::Complete(_), .. } => "To create another account with this name, run the command again.".to_owned(),
            Made::Unknown(error) => error.hint(),
            _ => format!("{hint} Then run the command again if another account with this name is needed."),
        };
        Failure::with_exit_code(ExitCode::HalfDone, format!("{}: {finding}", self.subject()), hint)
    }

    /// Closes it in the log if nothing is left to do, otherwise remembers it for [`resolve`].
    fn keep_or_close(self, admin: &AdminSession) {
        match &self.made {
            Made::Nothing | Made::One { state: State::Complete(_), .. } if !is_shown() => admin.interrupted.borrow_mut().push(self),
            Made::Nothing => self.open.end(None, "nothing of it exists"),
            Made::One { client_id, state: State::Complete(reason), .. } => {
                let client_id = client_id.clone();
                self.open.end(Some(&client_id), reason);
            }
            _ => admin.interrupted.borrow_mut().push(self),
        }
    }

    fn is_about(&self, account: &str, secret: Option<&str>) -> bool {
        match &self.made {
            Made::One { client_id, secret_id, .. } => {
                client_id == account && secret.is_none_or(|secret| secret_id.as_deref() == Some(secret))
            }
            _ => false,
        }
    }
}

/// What a command did that ends an interrupted creation.
pub(super) enum Resolved<'a> {
    AccountDeleted,
    SecretAdded,
    SecretDeleted(&'a str),
}

/// Closes the creations that a command has completed or undone.
pub(super) fn resolve(admin: &AdminSession, client_id: &str, by: &Resolved<'_>) {
    let mut open = admin.interrupted.borrow_mut();
    for interrupted in std::mem::take(&mut *open) {
        let is_account = interrupted.kind() == "account";
        let is_resolved = match by {
            Resolved::AccountDeleted => interrupted.is_about(client_id, None),
            Resolved::SecretAdded => is_account && interrupted.is_about(client_id, None),
            Resolved::SecretDeleted(id) => !is_account && interrupted.is_about(client_id, Some(id)),
        };
        if matches!(by, Resolved::SecretAdded) && is_resolved && !interrupted.open.begun.record.addresses.is_empty() {
            // The next command checks whether the access list has its addresses.
            interrupted.open.leave_stored();
        } else if is_resolved {
            let detail = match by {
                Resolved::AccountDeleted => "the account was deleted",
                Resolved::SecretAdded => "it has another secret",
                Resolved::SecretDeleted(_) => "the secret was deleted",
            };
            interrupted.open.end(Some(client_id), detail);
        } else {
            open.push(interrupted);
        }
    }
}
