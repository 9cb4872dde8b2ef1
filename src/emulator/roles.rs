//! Which roles allow which actions on service accounts.

use super::accounts::{Account, Accounts};

const ORG_ROLES: [&str; 7] = [
    "ORG_MEMBER",
    "ORG_READ_ONLY",
    "ORG_BILLING_ADMIN",
    "ORG_BILLING_READ_ONLY",
    "ORG_STREAM_PROCESSING_ADMIN",
    "ORG_GROUP_CREATOR",
    "ORG_OWNER",
];

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
    pub(super) fn is_role(&self, role: &str) -> bool {
        match self {
            Self::Org(_) => ORG_ROLES.contains(&role),
            Self::Project(_) => role
                .strip_prefix("GROUP_")
                .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')),
        }
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
