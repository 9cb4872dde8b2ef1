//! Which roles allow which actions on service accounts.

use super::accounts::{Account, Accounts};
use crate::admin::service_accounts::{KNOWN_ORGANIZATION_ROLES, KNOWN_PROJECT_ROLES};

/// The level of a service account request: the API exists for organizations and for projects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// An organization, by its id.
    Org(String),
    /// A project, by its id.
    Project(String),
}

/// The action that a caller requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Read,
    Write,
    WriteAccessList,
}

impl Level {
    /// Checks that a role exists at this level. On an error, returns what is wrong.
    pub(super) fn check_role(&self, role: &str) -> Result<(), String> {
        let (kind, roles, other) = match self {
            Self::Org(_) => ("an organization", &KNOWN_ORGANIZATION_ROLES[..], &KNOWN_PROJECT_ROLES[..]),
            Self::Project(_) => ("a project", &KNOWN_PROJECT_ROLES[..], &KNOWN_ORGANIZATION_ROLES[..]),
        };
        if roles.contains(&role) {
            return Ok(());
        }
        // Another value may be long, or anything.
        let shown = if other.contains(&role) { role.to_owned() } else { format!("{:?}", role.chars().take(64).collect::<String>()) };
        Err(format!("{shown} is not a role of {kind}: these are {}", roles.join(", ")))
    }
}

/// Returns whether `caller` may perform `action` at `level`. An Organization Owner may also perform
/// every action in the organization's projects.
pub(super) fn is_allowed(caller: &Account, action: Action, level: &Level, accounts: &Accounts) -> bool {
    match level {
        Level::Org(org) => match action {
            Action::Read => has_org(caller, org, &["ORG_OWNER", "ORG_READ_ONLY"]),
            Action::Write | Action::WriteAccessList => has_org(caller, org, &["ORG_OWNER"]),
        },
        Level::Project(project) => {
            let Some(org) = accounts.project(project).map(|project| project.org_id.as_str()) else { return false };
            let roles = caller.project_roles.get(project).map_or(&[][..], Vec::as_slice);
            let has = |wanted: &str| roles.iter().any(|role| role == wanted);
            has_org(caller, org, &["ORG_OWNER"])
                || match action {
                    // Every project role includes read access.
                    Action::Read => !roles.is_empty() || has_org(caller, org, &["ORG_READ_ONLY"]),
                    Action::Write => has("GROUP_OWNER"),
                    Action::WriteAccessList => has("GROUP_OWNER") || has("GROUP_ACCESS_MANAGER"),
                }
        }
    }
}

/// Returns whether the caller has any role in the organization.
pub(super) fn sees_org(caller: &Account, org: &str) -> bool {
    caller.org_id == org && !caller.org_roles.is_empty()
}

/// Returns whether the caller may create a project in the organization.
pub(super) fn may_create_project(caller: &Account, org: &str) -> bool {
    has_org(caller, org, &["ORG_OWNER", "ORG_GROUP_CREATOR"])
}

fn has_org(caller: &Account, org: &str, wanted: &[&str]) -> bool {
    caller.org_id == org && caller.org_roles.iter().any(|role| wanted.contains(&role.as_str()))
}
