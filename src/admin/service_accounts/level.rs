//! The level at which a service account is managed.

use super::rules::check_id;
use crate::error::Error;
use std::fmt;

/// An organization or a project, by its id. Both have the same operations with other paths, roles and
/// rights; [`ServiceAccounts::delete`](super::ServiceAccounts::delete) only detaches an account from
/// a project.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Level {
    /// An organization: `/orgs/{id}/serviceAccounts`.
    Organization(String),
    /// A project: `/groups/{id}/serviceAccounts`.
    Project(String),
}

/// What an operation does, which determines the role that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Read,
    Write,
    WriteAccessList,
}

impl Level {
    /// The organization with this id.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a string that cannot be an id.
    pub fn organization(id: &str) -> Result<Self, Error> {
        check_id("organization", id).map(|()| Self::Organization(id.to_owned()))
    }

    /// The project with this id.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a string that cannot be an id.
    pub fn project(id: &str) -> Result<Self, Error> {
        check_id("project", id).map(|()| Self::Project(id.to_owned()))
    }

    /// The id of the organization or project.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Organization(id) | Self::Project(id) => id,
        }
    }

    /// Whether this is a project.
    #[must_use]
    pub fn is_project(&self) -> bool {
        matches!(self, Self::Project(_))
    }

    /// The path of its service accounts: `/api/atlas/v2/orgs/{orgId}/serviceAccounts`.
    #[must_use]
    pub fn path(&self) -> String {
        let kind = if self.is_project() { "groups" } else { "orgs" };
        format!("/api/atlas/v2/{kind}/{}/serviceAccounts", self.id())
    }

    /// The role that `act` needs, as the reference of the API names it.
    pub(super) fn needed_role(&self, act: Act) -> &'static str {
        match (self, act) {
            (Self::Organization(_), Act::Read) => "Organization Read Only (ORG_READ_ONLY)",
            (Self::Organization(_), _) => "Organization Owner (ORG_OWNER)",
            (Self::Project(_), Act::Read) => "Project Read Only (GROUP_READ_ONLY)",
            (Self::Project(_), Act::Write) => "Project Owner (GROUP_OWNER)",
            (Self::Project(_), Act::WriteAccessList) => "Project Access Manager (GROUP_ACCESS_MANAGER)",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_project() { "project" } else { "organization" };
        write!(f, "{kind} {}", self.id())
    }
}
