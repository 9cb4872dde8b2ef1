//! Who may do what with service accounts.

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

/// Where an account is looked at from: the two halves of the service account API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// An organization, by its id.
    Org(String),
    /// A project, by its id.
    Project(String),
}

/// What a caller wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
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

/// Whether `caller` may do `deed` there. Organization Owners own the organization's projects too.
pub(super) fn may(caller: &Account, deed: Deed, level: &Level, accounts: &Accounts) -> bool {
    match level {
        Level::Org(org) => match deed {
            Deed::Read => has_org(caller, org, &["ORG_OWNER", "ORG_READ_ONLY"]),
            Deed::Write | Deed::WriteAccessList => has_org(caller, org, &["ORG_OWNER"]),
        },
        Level::Project(project) => {
            let Some(org) = accounts.project(project).map(|project| project.org_id.as_str()) else { return false };
            let roles = caller.project_roles.get(project).map_or(&[][..], Vec::as_slice);
            let has = |wanted: &str| roles.iter().any(|role| role == wanted);
            has_org(caller, org, &["ORG_OWNER"])
                || match deed {
                    // Every project role can at least read.
                    Deed::Read => !roles.is_empty() || has_org(caller, org, &["ORG_READ_ONLY"]),
                    Deed::Write => has("GROUP_OWNER"),
                    Deed::WriteAccessList => has("GROUP_OWNER") || has("GROUP_ACCESS_MANAGER"),
                }
        }
    }
}

/// Whether the caller belongs to the organization at all.
pub(super) fn sees_org(caller: &Account, org: &str) -> bool {
    caller.org_id == org && !caller.org_roles.is_empty()
}

fn has_org(caller: &Account, org: &str, wanted: &[&str]) -> bool {
    caller.org_id == org && caller.org_roles.iter().any(|role| wanted.contains(&role.as_str()))
}
