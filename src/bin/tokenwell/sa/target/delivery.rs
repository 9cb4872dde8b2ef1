//! Checks the places of a new secret before it is created, and stores it in all of them.

use super::super::delete::organization_of;
use super::super::lifetime;
use super::super::place::AdminSession;
use super::command::SecretReader;
use super::file::PrivateFile;
use super::profile::Profiles;
use super::{Target, Wanted, printed};
use crate::failure::Failure;
use crate::output;
use std::path::Path;
use tokenwell::Status;
use tokenwell::admin::service_accounts::{CreatedSecret, Level, SecretDescription, milliseconds};
use tokenwell::config::profiles::SecretLocation;
use tokenwell::error::ExitCode;

/// A target that was checked, and what the check has found.
enum Checked {
    Profile(SecretLocation),
    File(PrivateFile),
    Command(SecretReader),
    Printed,
}

/// The checked targets of one command.
pub(in super::super) struct Delivery {
    targets: Vec<(Target, Checked)>,
    profiles: Profiles,
    organization: String,
    /// Whether the account is created with the secret.
    is_new_account: bool,
}

impl Delivery {
    /// Checks all targets. `account` is the one that gets a secret, or `None` for a new one.
    pub(in super::super) fn prepare(admin: &AdminSession, wanted: Wanted, account: Option<&str>) -> Result<Self, Failure> {
        let mut profiles = Profiles::default();
        let organization = match admin.accounts().level() {
            Level::Project(project) if wanted.targets.iter().any(Target::needs_organization) => organization_of(admin, project)
                .ok_or_else(|| {
                    Failure::new(
                        Status::Server,
                        format!("the organization of the project {project} is not known, and the target needs it"),
                        "Use --org, or another target.",
                    )
                })?,
            level => level.id().to_owned(),
        };
        let mut targets = Vec::new();
        for target in wanted.targets {
            let checked = match &target {
                Target::Profile(name) => Checked::Profile(profiles.prepare(name, SecretLocation::File, account)?),
                Target::Keyring(name) => Checked::Profile(profiles.prepare(name, SecretLocation::Keyring, account)?),
                Target::File(path) => Checked::File(PrivateFile::prepare(Path::new(path), account.is_some())?),
                Target::StandardInputOf(_, words) => {
                    Checked::Command(SecretReader::prepare(words, wanted.command_timeout, &admin.session.config)?)
                }
                Target::Shown | Target::Terraform | Target::AwsManaged | Target::Kubernetes(_) => {
                    output::require_open()?;
                    Checked::Printed
                }
            };
            targets.push((target, checked));
        }
        targets.sort_by_key(|(target, _)| target.rank());
        Ok(Self { targets, profiles, organization, is_new_account: account.is_none() })
    }

    /// The targets as `--to` names them, for a record.
    pub(in super::super) fn targets(&self) -> Vec<String> {
        self.targets.iter().map(|(target, _)| target.recorded()).collect()
    }

    /// Whether the secret is printed, for a reader that expects nothing after it.
    pub(in super::super) fn uses_standard_output(&self) -> bool {
        self.targets.iter().any(|(target, _)| target.is_standard_output())
    }

    /// Stores the secret in all targets. If one fails, the others are still tried, and the error says where
    /// the secret is.
    pub(in super::super) fn deliver(mut self, admin: &AdminSession, client_id: &str, created: &CreatedSecret) -> Result<(), Failure> {
        let (mut stored, mut failed) = (Vec::new(), Vec::new());
        for (target, checked) in &mut self.targets {
            let secret = created.value.expose();
            let result = match (target, checked) {
                (Target::Profile(name) | Target::Keyring(name), Checked::Profile(location)) => {
                    self.profiles.store(admin, name, client_id, &created.value, *location)
                }
                (_, Checked::File(file)) => file.store(secret),
                (_, Checked::Command(reader)) => reader.run(&created.value),
                (target, _) => printed::print(target, &self.organization, client_id, secret),
            };
            match result {
                Ok(place) => stored.push(place),
                Err(failure) => failed.push(failure.message().unwrap_or_default().replace("tokenwell: ", "").replace("\n  hint: ", ". ")),
            }
        }
        if failed.is_empty() {
            return Ok(());
        }
        Err(self.failure(admin, client_id, &created.description, &stored, &failed.join("; ")))
    }

    /// The error for a secret that exists and that a target does not have, with one safe way on.
    fn failure(&self, admin: &AdminSession, client_id: &str, secret: &SecretDescription, stored: &[String], problem: &str) -> Failure {
        let id = &secret.id;
        let level = admin.level_flag();
        let targets: Vec<_> = self.targets.iter().map(|(target, _)| target.flag()).collect();
        let delete = format!("`tokenwell sa secret delete {level} {client_id} {id}`");
        let expires = expires_flag(secret).map(|flag| format!(" {flag}")).unwrap_or_default();
        let add = format!("`tokenwell sa secret add {level} {client_id} {}{expires}`", targets.join(" "));
        let subject = if self.is_new_account {
            format!("the account {client_id} and its secret {id} exist, but the secret is")
        } else {
            format!("the secret {id} of {client_id} exists, but it is")
        };
        if stored.is_empty() {
            return Failure::with_exit_code(
                ExitCode::HalfDone,
                format!("{subject} stored nowhere: {problem}"),
                format!(
                    "Nobody can read it any more. Correct the target, delete the secret with {delete}, and create another one with {add}."
                ),
            );
        }
        let way = if self.is_new_account {
            format!("Correct the target, store another secret in all of them with {add}, and then delete this one with {delete}.")
        } else {
            // The account has two secrets now, which is the most.
            format!("Correct the target, delete this secret with {delete}, and store another one in all of them with {add}.")
        };
        Failure::with_exit_code(
            ExitCode::TargetFailed,
            format!("{subject} not stored everywhere, only {}: {problem}", stored.join(" and ")),
            way,
        )
    }
}

/// The flag with which another secret has the same lifetime.
fn expires_flag(secret: &SecretDescription) -> Option<String> {
    let at = |time: &Option<String>| time.as_deref().and_then(milliseconds);
    let hours = at(&secret.expires_at)?.checked_sub(at(&secret.created_at)?)? / 3_600_000;
    Some(format!("--expires {}", lifetime::flag_value(u32::try_from(hours).ok()?)))
}
