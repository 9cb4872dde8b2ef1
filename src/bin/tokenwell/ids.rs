//! The organization and the project of the account, which other programs get together with the token.

use tokenwell::Config;
use tokenwell::config::profiles::{ProfileEntry, SecretPlace, list_profiles};
use tokenwell::error::printable_path;

/// A member of a profile, the variables of other programs for it, in the order of precedence, and what it
/// identifies.
pub(crate) struct Id {
    pub(crate) member: &'static str,
    pub(crate) variables: [&'static str; 2],
    pub(crate) what: &'static str,
}

pub(crate) const IDS: [Id; 2] = [
    Id { member: "org_id", variables: ["MONGODB_ATLAS_ORG_ID", "MCLI_ORG_ID"], what: "organization" },
    Id { member: "project_id", variables: ["MONGODB_ATLAS_PROJECT_ID", "MCLI_PROJECT_ID"], what: "project" },
];

/// Whether `name` is the member of a profile, and not a variable.
pub(crate) fn is_member(name: &str) -> bool {
    IDS.iter().any(|id| id.member == name)
}

/// The ids of the profile that the account is from.
#[derive(Default)]
pub(crate) struct ProfileIds(Vec<(&'static Id, String)>);

impl ProfileIds {
    /// Reads them, if the account of `config` is from a profile.
    pub(crate) fn of(config: &Config) -> Self {
        let Some(profile) = profile_of(config) else { return Self::default() };
        Self(IDS.iter().filter_map(|id| Some((id, profile.setting(id.member)?.to_owned()))).collect())
    }

    /// The value of a member: `org_id`.
    pub(crate) fn get(&self, member: &str) -> Option<&str> {
        self.0.iter().find(|(id, _)| id.member == member).map(|(_, value)| value.as_str())
    }

    /// The variables to set for another program. One that is set has precedence over the profile.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let is_set = |id: &Id| id.variables.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
        self.0.iter().filter(move |(id, _)| !is_set(id)).map(|(id, value)| (id.variables[0], value.as_str()))
    }

    /// The variables for a program with another environment.
    pub(crate) fn all_variables(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(id, value)| (id.variables[0], value.as_str()))
    }
}

/// The profile that the account of `config` is from.
pub(crate) fn profile_of(config: &Config) -> Option<ProfileEntry> {
    let source = config.provenance().iter().find(|from| from.setting() == "client_id").map(|from| from.source())?;
    if !source.starts_with("profile ") && !source.starts_with("the keyring ") {
        return None;
    }
    list_profiles().profiles.into_iter().find(|profile| is_source(profile, source))
}

/// Whether `source` is the profile, or the keyring with its account.
fn is_source(profile: &ProfileEntry, source: &str) -> bool {
    let in_file = format!("profile {} in {}", profile.name, printable_path(&profile.file));
    let in_keyring = |service: &str| source.contains(&format!("(service {service}, "));
    source == in_file || matches!(&profile.secret, SecretPlace::Keyring { service } if in_keyring(service))
}
