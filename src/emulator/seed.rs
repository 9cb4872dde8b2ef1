//! The initial organizations, projects and service accounts: a JSON document.
//!
//! The whole document is validated when it is parsed, so that a reset cannot fail. An error names
//! the line and the column.

use super::accounts::{
    Account, AccountSecret, Accounts, MAX_ACCESS_ENTRIES, MAX_ACCOUNTS, MAX_SECRET_HOURS, MAX_SECRETS, MIN_SECRET_HOURS, Org, OrgSettings,
    Project,
};
use super::clock::HOUR_MS;
use super::network::Network;
use super::random;
use super::roles::Level;
use super::stubs::Stubs;
use crate::error::Error;
use position::Positioned;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

mod position;

/// The initial organizations, projects and service accounts of an emulator, from a JSON document.
/// docs/emulator.md describes the format.
///
/// ```
/// use tokenwell::emulator::{Emulator, EmulatorOptions, Seed};
///
/// let seed = Seed::parse(
///     r#"{"organizations": [{
///         "id": "aaaaaaaaaaaaaaaaaaaaaaaa",
///         "projects": [{"id": "bbbbbbbbbbbbbbbbbbbbbbbb", "name": "payments"}],
///         "serviceAccounts": [{
///             "clientId": "mdb_sa_id_cccccccccccccccccccccccc",
///             "roles": ["ORG_MEMBER"],
///             "projectRoles": {"bbbbbbbbbbbbbbbbbbbbbbbb": ["GROUP_OWNER"]},
///             "secrets": [{"secret": "mdb_sa_sk_of_the_test"}]
///         }]
///     }]}"#,
/// )?;
/// let emulator = Emulator::start(EmulatorOptions { seed: Some(seed), ..EmulatorOptions::default() })?;
/// assert_eq!(emulator.client_id(), "mdb_sa_id_cccccccccccccccccccccccc");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Seed {
    orgs: Vec<Org>,
    projects: Vec<Project>,
    accounts: Vec<Account>,
    stubs: Stubs,
}

impl Seed {
    /// Parses and validates a seed.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if `document` is not JSON, has an unknown field, or an invalid or
    /// repeated id. The message has the line and the column.
    pub fn parse(document: &str) -> Result<Self, Error> {
        parsed(document).map_err(|problem| {
            Error::invalid("seed", problem, "Correct the document. docs/emulator.md, section \"Seed\", describes the format.")
        })
    }

    pub(super) fn stubs(&self) -> Stubs {
        self.stubs.clone()
    }

    /// The accounts at the time `now_ms`, which is when the emulator starts or is reset.
    pub(super) fn accounts(&self, now_ms: u64) -> Accounts {
        if self.orgs.is_empty() {
            return Accounts::initial(now_ms);
        }
        let mut accounts = Accounts::empty();
        accounts.orgs.clone_from(&self.orgs);
        accounts.projects = self.projects.iter().map(|project| Project { created_ms: now_ms, ..project.clone() }).collect();
        for account in &self.accounts {
            let mut account = Account { created_ms: now_ms, ..account.clone() };
            for secret in &mut account.secrets {
                secret.created_ms = now_ms;
                // Until here, the time is relative to the start.
                secret.expires_ms = secret.expires_ms.saturating_add(now_ms);
            }
            for entry in &mut account.access_list {
                entry.created_ms = now_ms;
            }
            accounts.insert(account);
        }
        accounts
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seed").field("orgs", &self.orgs).field("projects", &self.projects).finish_non_exhaustive()
    }
}

/// The document as it is written. `Positioned` values are checked against others, after parsing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'a> {
    #[serde(borrow, default)]
    organizations: Vec<OrgJson<'a>>,
    #[serde(borrow)]
    stubs: Option<Positioned<'a, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OrgJson<'a> {
    #[serde(borrow)]
    id: Positioned<'a, String>,
    name: Option<String>,
    #[serde(borrow, default)]
    settings: OrgSettingsJson<'a>,
    #[serde(borrow, default)]
    projects: Vec<ProjectJson<'a>>,
    #[serde(borrow, default)]
    service_accounts: Vec<AccountJson<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OrgSettingsJson<'a> {
    #[serde(default)]
    api_access_list_required: bool,
    #[serde(borrow)]
    max_service_account_secret_validity_in_hours: Option<Positioned<'a, u64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProjectJson<'a> {
    #[serde(borrow)]
    id: Positioned<'a, String>,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AccountJson<'a> {
    #[serde(borrow)]
    client_id: Positioned<'a, String>,
    name: Option<String>,
    description: Option<String>,
    #[serde(borrow, default)]
    roles: Vec<Positioned<'a, String>>,
    #[serde(borrow, default)]
    project_roles: BTreeMap<String, Positioned<'a, Vec<String>>>,
    #[serde(borrow, default)]
    secrets: Vec<SecretJson<'a>>,
    #[serde(borrow, default)]
    access_list: Vec<Positioned<'a, String>>,
    #[serde(default)]
    system_managed: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SecretJson<'a> {
    #[serde(borrow)]
    id: Option<Positioned<'a, String>>,
    #[serde(borrow)]
    secret: Positioned<'a, String>,
    #[serde(borrow)]
    expires_after_hours: Option<Positioned<'a, u64>>,
}

fn parsed(document: &str) -> Result<Seed, String> {
    let json: Document<'_> = serde_json::from_str(document).map_err(|error| position::described(&error))?;
    let mut reader = Reader {
        document,
        ids: BTreeSet::new(),
        seed: Seed { orgs: Vec::new(), projects: Vec::new(), accounts: Vec::new(), stubs: Stubs::default() },
    };
    if let Some(stubs) = &json.stubs {
        reader.seed.stubs = Stubs::from_json(stubs.value.clone()).map_err(|problem| stubs.error(document, &problem))?;
    }
    for org in &json.organizations {
        reader.org(org)?;
    }
    // Without organizations, those of an emulator without a seed remain.
    if let Some(first) = json.organizations.first()
        && !reader.seed.accounts.iter().any(|account| !account.secrets.is_empty())
    {
        let problem = "no service account has a secret, so no token can be requested";
        return Err(first.id.error(document, problem));
    }
    Ok(reader.seed)
}

/// Converts the document, and remembers the ids that occur in it.
struct Reader<'a> {
    document: &'a str,
    ids: BTreeSet<String>,
    seed: Seed,
}

impl Reader<'_> {
    fn org(&mut self, json: &OrgJson<'_>) -> Result<(), String> {
        let id = self.object_id(&json.id)?;
        let name = json.name.clone().unwrap_or_else(|| "Emulated organization".to_owned());
        let settings = self.settings(&json.settings)?;
        self.seed.orgs.push(Org { id: id.clone(), name, settings });
        for project in &json.projects {
            let project_id = self.object_id(&project.id)?;
            let name = project.name.clone().unwrap_or_else(|| "Emulated project".to_owned());
            self.seed.projects.push(Project { id: project_id, org_id: id.clone(), name, created_ms: 0, visible_from_ms: 0 });
        }
        if let Some(beyond) = json.service_accounts.get(MAX_ACCOUNTS) {
            return Err(beyond.client_id.error(self.document, "an organization can have at most 200 service accounts"));
        }
        json.service_accounts.iter().try_for_each(|account| self.account(account, &id))
    }

    fn settings(&self, json: &OrgSettingsJson<'_>) -> Result<OrgSettings, String> {
        let mut settings = OrgSettings { api_access_list_required: json.api_access_list_required, ..OrgSettings::default() };
        if let Some(hours) = &json.max_service_account_secret_validity_in_hours {
            if !(MIN_SECRET_HOURS..=MAX_SECRET_HOURS).contains(&hours.value) {
                let problem = format!("the maximum lifetime of secrets must be from {MIN_SECRET_HOURS} to {MAX_SECRET_HOURS} hours");
                return Err(hours.error(self.document, &problem));
            }
            settings.max_secret_hours = hours.value;
        }
        Ok(settings)
    }

    fn account(&mut self, json: &AccountJson<'_>, org_id: &str) -> Result<(), String> {
        let id = &json.client_id;
        if !is_credential(&id.value) || id.value.contains(':') {
            return Err(id.error(self.document, "clientId must be 1 to 256 characters without a colon and without control characters"));
        }
        self.first_use(id)?;
        let name = json.name.clone().unwrap_or_else(|| "Emulator".to_owned());
        let description = json.description.clone().unwrap_or_else(|| "An account of the seed".to_owned());
        let mut account = Account { client_id: id.value.clone(), ..Account::new(org_id.to_owned(), name, description, 0) };

        let org = Level::Org(org_id.to_owned());
        for role in &json.roles {
            org.check_role(&role.value).map_err(|problem| role.error(self.document, &problem))?;
            account.org_roles.push(role.value.clone());
        }
        for (project, roles) in &json.project_roles {
            if !self.seed.projects.iter().any(|known| known.id == *project && known.org_id == org_id) {
                return Err(roles.error(self.document, &format!("the organization has no project {project:?}")));
            }
            let level = Level::Project(project.clone());
            roles.value.iter().try_for_each(|role| level.check_role(role)).map_err(|problem| roles.error(self.document, &problem))?;
            account.project_roles.insert(project.clone(), roles.value.clone());
        }
        account.system_managed = json.system_managed;
        account.secrets = self.secrets(json)?;
        self.access_list(json, &mut account)?;
        self.seed.accounts.push(account);
        Ok(())
    }

    fn secrets(&mut self, json: &AccountJson<'_>) -> Result<Vec<AccountSecret>, String> {
        if let Some(beyond) = json.secrets.get(MAX_SECRETS) {
            return Err(beyond.secret.error(self.document, "a service account can have at most two secrets"));
        }
        let mut secrets = Vec::new();
        for secret in &json.secrets {
            if !is_credential(&secret.secret.value) {
                return Err(secret.secret.error(self.document, "secret must be 1 to 256 characters without control characters"));
            }
            let hours = secret.expires_after_hours.as_ref().map_or(Ok(MAX_SECRET_HOURS), |hours| match hours.value {
                0..=MAX_SECRET_HOURS => Ok(hours.value),
                _ => Err(hours.error(self.document, "expiresAfterHours must be at most 8760; 0 is a secret that has expired")),
            })?;
            secrets.push(AccountSecret {
                id: secret.id.as_ref().map_or_else(|| Ok(random::hex(24)), |id| self.object_id(id))?,
                expires_ms: hours * HOUR_MS,
                ..AccountSecret::new(secret.secret.value.clone(), 0, 0)
            });
        }
        Ok(secrets)
    }

    fn access_list(&self, json: &AccountJson<'_>, account: &mut Account) -> Result<(), String> {
        for entry in &json.access_list {
            let network = Network::parse(&entry.value)
                .map_err(|problem| entry.error(self.document, &format!("accessList: {:?}: {problem}", entry.value)))?;
            let too_many = |_| entry.error(self.document, &format!("an access list can have at most {MAX_ACCESS_ENTRIES} entries"));
            account.add_access(&[network], 0).map_err(too_many)?;
        }
        Ok(())
    }

    /// The id of an organization, a project or a secret.
    fn object_id(&mut self, id: &Positioned<'_, String>) -> Result<String, String> {
        if id.value.len() != 24 || !id.value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(id.error(self.document, &format!("{:?} is not an id of 24 digits 0-9 and a-f", id.value)));
        }
        self.first_use(id)?;
        Ok(id.value.clone())
    }

    fn first_use(&mut self, id: &Positioned<'_, String>) -> Result<(), String> {
        if self.ids.insert(id.value.clone()) {
            return Ok(());
        }
        Err(id.error(self.document, &format!("the id {:?} occurs twice", id.value)))
    }
}

fn is_credential(value: &str) -> bool {
    (1..=256).contains(&value.chars().count()) && !value.chars().any(char::is_control)
}
