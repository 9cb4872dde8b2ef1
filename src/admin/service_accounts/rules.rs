//! What a request may contain. It is checked before the request is sent, so that a message can say what
//! to write; what this version does not know is left to the server.

use super::level::Level;
use super::model::{Change, NewServiceAccount};
use crate::config::nearest_within;
use crate::error::{Error, printable};
use std::ops::RangeInclusive;

/// The roles of organizations that this version knows.
pub const KNOWN_ORGANIZATION_ROLES: [&str; 7] = [
    "ORG_OWNER",
    "ORG_MEMBER",
    "ORG_READ_ONLY",
    "ORG_BILLING_ADMIN",
    "ORG_BILLING_READ_ONLY",
    "ORG_STREAM_PROCESSING_ADMIN",
    "ORG_GROUP_CREATOR",
];

/// The roles of projects that this version knows.
pub const KNOWN_PROJECT_ROLES: [&str; 26] = [
    "GROUP_OWNER",
    "GROUP_ACCESS_MANAGER",
    "GROUP_ALERTS_MANAGER",
    "GROUP_BACKUP_CREATOR",
    "GROUP_BACKUP_EXPORT_OPERATOR",
    "GROUP_BACKUP_MANAGER",
    "GROUP_BACKUP_RECOVERY_OPERATOR",
    "GROUP_CLUSTER_CREATOR",
    "GROUP_CLUSTER_LOG_VIEWER",
    "GROUP_CLUSTER_MANAGER",
    "GROUP_CLUSTER_RESILIENCE_TESTER",
    "GROUP_DATABASE_ACCESS_ADMIN",
    "GROUP_DATA_ACCESS_ADMIN",
    "GROUP_DATA_ACCESS_READ_ONLY",
    "GROUP_DATA_ACCESS_READ_WRITE",
    "GROUP_INDEX_MANAGER",
    "GROUP_MODEL_OWNER",
    "GROUP_NETWORK_ACCESS_MANAGER",
    "GROUP_OBSERVABILITY_VIEWER",
    "GROUP_READ_ONLY",
    "GROUP_REAL_TIME_PERFORMANCE_OPERATOR",
    "GROUP_REPLICA_SET_MANAGER",
    "GROUP_SEARCH_INDEX_EDITOR",
    "GROUP_STREAM_PROCESSING_OWNER",
    "GROUP_SUPPORT_ACCESS_MANAGER",
    "GROUP_TRIGGER_MANAGER",
];

/// The lifetimes of a secret that Atlas allows, in hours.
pub const SECRET_HOURS: RangeInclusive<u32> = 8..=8760;
/// The most entries of an access list.
pub const ACCESS_LIST_LIMIT: usize = 200;

const NAME_LENGTH: usize = 64;
const DESCRIPTION_LENGTH: usize = 250;

/// Checks the name of an account.
///
/// # Errors
/// [`Error::InvalidArgument`] that names the character or the length that is wrong.
pub fn check_name(name: &str) -> Result<(), Error> {
    check_words("name", name, NAME_LENGTH)
}

/// Checks the description of an account.
///
/// # Errors
/// Like [`check_name`].
pub fn check_description(description: &str) -> Result<(), Error> {
    check_words("description", description, DESCRIPTION_LENGTH)
}

fn check_words(what: &str, words: &str, most: usize) -> Result<(), Error> {
    let hint = format!("Use 1 to {most} letters, digits, spaces and the characters - _ . , '");
    let length = words.chars().count();
    if words.trim().is_empty() {
        return Err(Error::invalid(what, "is empty", hint));
    }
    if length > most {
        return Err(Error::invalid(what, format!("has {length} characters, and Atlas allows {most}"), hint));
    }
    match words.chars().find(|character| !character.is_alphanumeric() && !"-_., '".contains(*character)) {
        Some(character) => {
            Err(Error::invalid(what, format!("contains `{}`, which Atlas does not allow", printable(&character.to_string(), 8)), hint))
        }
        None => Ok(()),
    }
}

/// Checks the lifetime of a secret. The organization may allow less, which only the server knows.
///
/// # Errors
/// [`Error::InvalidArgument`] that has the allowed range.
pub fn check_hours(hours: u64) -> Result<u32, Error> {
    u32::try_from(hours).ok().filter(|hours| SECRET_HOURS.contains(hours)).ok_or_else(|| {
        let (least, most) = (SECRET_HOURS.start(), SECRET_HOURS.end());
        Error::invalid(
            "expires",
            format!("a secret cannot be valid for {hours} h"),
            format!("Atlas allows {least} h to {most} h (365 days)."),
        )
    })
}

/// Checks a role. Returns whether this version knows it: another one of the right form is valid for this
/// version, and the server decides.
///
/// # Errors
/// [`Error::InvalidArgument`] for the role of another level, a string that cannot be a role, and a role
/// that differs from a known one in a letter or two.
pub fn check_role(level: &Level, role: &str) -> Result<bool, Error> {
    let known: &[&str] = if level.is_project() { &KNOWN_PROJECT_ROLES } else { &KNOWN_ORGANIZATION_ROLES };
    if known.contains(&role) {
        return Ok(true);
    }
    let shown = printable(role, 80);
    let list = || format!("Roles of {}: {}.", if level.is_project() { "a project" } else { "an organization" }, known.join(", "));
    let (organization, project) = ("an organization", "a project");
    let (prefix, other, flag, here) =
        if level.is_project() { ("GROUP_", "ORG_", organization, project) } else { ("ORG_", "GROUP_", project, organization) };
    if role.starts_with(other) {
        let hint = format!("Select {flag} that the role is for, or use a {prefix}… role. {}", list());
        return Err(Error::invalid("role", format!("`{shown}` is a role of {flag}, and this is {here}"), hint));
    }
    if let Some(near) = nearest_within(2, role, known.iter().copied()) {
        return Err(Error::invalid("role", format!("`{shown}` does not exist"), format!("Did you mean {near}? {}", list())));
    }
    let rest = role.strip_prefix(prefix).unwrap_or_default();
    if rest.is_empty() || role.len() > 80 || !rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_') {
        return Err(Error::invalid("role", format!("`{shown}` cannot be a role"), list()));
    }
    Ok(false)
}

/// Checks an id for use in a path. `what` is what it identifies.
///
/// # Errors
/// [`Error::InvalidArgument`] for anything but letters, digits, `-` and `_`.
pub fn check_id(what: &str, id: &str) -> Result<(), Error> {
    let is_id = (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if is_id {
        return Ok(());
    }
    Err(Error::invalid(
        what,
        format!("`{}` is not an id", printable(id, 80)),
        "An id has 24 hexadecimal digits, such as 0123456789abcdef01234567.",
    ))
}

/// Checks a client id for use in a path.
///
/// # Errors
/// [`Error::InvalidArgument`] for what cannot be one, and a secret is never in its message.
pub fn check_client_id(id: &str) -> Result<(), Error> {
    const HINT: &str = "A client id is mdb_sa_id_ and 24 hexadecimal digits.";
    if id.starts_with("mdb_sa_sk_") {
        return Err(Error::invalid("client id", "this is a secret, not a client id", HINT));
    }
    check_id("client id", id).map_err(|_| Error::invalid("client id", format!("`{}` is not a client id", printable(id, 80)), HINT))
}

pub(super) fn check_new(level: &Level, new: &NewServiceAccount) -> Result<(), Error> {
    check_name(&new.name)?;
    check_description(&new.description)?;
    check_roles(level, &new.roles)?;
    check_hours(new.secret_expires_after_hours.into()).map(drop)
}

pub(super) fn check_change(level: &Level, change: &Change) -> Result<(), Error> {
    change.name.as_deref().map_or(Ok(()), check_name)?;
    change.description.as_deref().map_or(Ok(()), check_description)?;
    change.roles.as_deref().map_or(Ok(()), |roles| check_roles(level, roles))?;
    if *change == Change::default() {
        return Err(Error::invalid("update", "there is nothing to change", "Set a name, a description or roles."));
    }
    Ok(())
}

pub(super) fn check_roles(level: &Level, roles: &[String]) -> Result<(), Error> {
    if roles.is_empty() {
        return Err(Error::invalid("role", "an account needs at least one role", "Name the roles that it needs."));
    }
    roles.iter().try_for_each(|role| check_role(level, role).map(drop))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn organization() -> Level {
        Level::organization("0123456789abcdef01234567").unwrap()
    }

    #[test]
    fn l8_a_misspelled_role_gets_a_suggestion_and_an_unknown_one_goes_to_the_server() {
        let error = check_role(&organization(), "ORG_OWNR").unwrap_err();
        assert!(error.hint().starts_with("Did you mean ORG_OWNER?"), "{}", error.hint());
        assert!(check_role(&organization(), "ORG_OWNER").unwrap());
        assert!(!check_role(&organization(), "ORG_SOMETHING_OF_2030").unwrap());
        for wrong in ["", "owner", "ORG_", "ORG_a", "ORG OWNER X"] {
            assert!(check_role(&organization(), wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn l8_a_role_of_the_other_level_names_the_right_one() {
        let project = Level::project("0123456789abcdef01234567").unwrap();
        let error = check_role(&project, "ORG_READ_ONLY").unwrap_err();
        assert!(error.to_string().contains("is a role of an organization"), "{error}");
        let error = check_role(&organization(), "GROUP_OWNER").unwrap_err();
        assert!(error.to_string().contains("is a role of a project"), "{error}");
    }

    #[test]
    fn names_say_which_character_is_wrong() {
        assert!(check_name("O'Neill, deploy-1_a.b").is_ok());
        let error = check_name("a/b").unwrap_err();
        assert!(error.to_string().contains("contains `/`"), "{error}");
        assert!(check_name(&"x".repeat(65)).unwrap_err().to_string().contains("65 characters"));
        assert!(check_description(" ").is_err());
        assert!(check_hours(7).is_err() && check_hours(8761).is_err() && check_hours(u64::MAX).is_err());
        assert!(!check_client_id("mdb_sa_sk_canary").unwrap_err().to_string().contains("canary"));
        assert!(check_id("organization", "../x").is_err());
    }
}
