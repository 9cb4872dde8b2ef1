//! Organizations, projects, service accounts and their secrets.

use super::clock::HOUR_MS;
use super::network::Network;
use super::random;
use super::roles::Level;
use crate::config::{EMULATOR_ID_PREFIX, EMULATOR_SECRET_PREFIX};
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

/// The client id of the default account, which exists from the start. It begins like every client id
/// of the emulator, `mdb_sa_id_0e0000`, which tokenwell does not send to Atlas.
pub const DEFAULT_CLIENT_ID: &str = "mdb_sa_id_0e0000000000000000000004";
/// The client secret of the default account, in the format of Atlas. Only an emulator accepts it.
pub const DEFAULT_CLIENT_SECRET: &str = "mdb_sa_sk_emulator_not_a_real_secret_0123456789ABC";
/// The id of the organization that the default account owns.
pub const DEFAULT_ORG_ID: &str = "0e0000000000000000000001";
/// The id of a project of that organization.
pub const DEFAULT_PROJECT_ID: &str = "0e0000000000000000000002";

/// The maximum remaining lifetime of a secret once a second one has been created.
const OLD_SECRET_MS: u64 = 7 * 24 * HOUR_MS;
/// A shorter secret, which only a seed can have, would hide too much of the log.
const MIN_CONFIDENTIAL: usize = 8;
/// The maximum lifetime of a secret, and the minimum.
pub(super) const MAX_SECRET_HOURS: u64 = 8760;
pub(super) const MIN_SECRET_HOURS: u64 = 8;
pub(super) const MAX_SECRETS: usize = 2;
const MAX_PROJECTS: usize = 250;
pub(super) const MAX_ACCOUNTS: usize = 200;
pub(super) const MAX_ACCESS_ENTRIES: usize = 200;

pub(super) struct Accounts {
    pub(super) orgs: Vec<Org>,
    pub(super) projects: Vec<Project>,
    /// In the order of creation, so that a list keeps its order while accounts are added.
    accounts: Vec<Account>,
}

#[derive(Clone, Debug)]
pub(super) struct Org {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) settings: OrgSettings,
}

/// The settings of an organization. The first two have an effect here.
#[derive(Clone, Copy, Debug)]
pub(super) struct OrgSettings {
    /// Whether an account with an empty access list may not use the API at all.
    pub(super) api_access_list_required: bool,
    /// The maximum lifetime of a new secret.
    pub(super) max_secret_hours: u64,
    pub(super) multi_factor_auth_required: bool,
    pub(super) restrict_employee_access: bool,
    pub(super) gen_ai_features_enabled: bool,
}

impl Default for OrgSettings {
    fn default() -> Self {
        Self {
            api_access_list_required: false,
            max_secret_hours: MAX_SECRET_HOURS,
            multi_factor_auth_required: false,
            restrict_employee_access: false,
            gen_ai_features_enabled: true,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Project {
    pub(super) id: String,
    pub(super) org_id: String,
    pub(super) name: String,
    pub(super) created_ms: u64,
    pub(super) visible_from_ms: u64,
}

/// The time, and how documents show it.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    pub(super) now_ms: u64,
    pub(super) last_used_late_ms: u64,
}

#[derive(Clone)]
pub(super) struct Account {
    pub(super) client_id: String,
    pub(super) org_id: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) created_ms: u64,
    pub(super) org_roles: Vec<String>,
    pub(super) project_roles: BTreeMap<String, Vec<String>>,
    pub(super) secrets: Vec<AccountSecret>,
    /// Deleted secrets, which may be valid for some time.
    pub(super) deleted: Vec<AccountSecret>,
    pub(super) visible_from_ms: u64,
    pub(super) access_list: Vec<AccessEntry>,
    /// Created by Atlas itself, not by a user.
    pub(super) system_managed: bool,
}

#[derive(Clone)]
pub(super) struct AccountSecret {
    pub(super) id: String,
    pub(super) value: String,
    pub(super) created_ms: u64,
    pub(super) expires_ms: u64,
    pub(super) valid_from_ms: u64,
    pub(super) visible_from_ms: u64,
    /// Times of use, oldest first: the last one that is shown, and those that will be shown later.
    pub(super) uses_ms: VecDeque<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct AccessEntry {
    pub(super) network: Network,
    pub(super) created_ms: u64,
    pub(super) last_used_ms: Option<u64>,
    pub(super) last_address: Option<IpAddr>,
    pub(super) requests: u64,
}

/// The limit that an operation would exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LimitReached {
    Secrets,
    Accounts,
    AccessList,
    Projects,
}

impl Accounts {
    pub(super) fn initial(now_ms: u64) -> Self {
        let owner = Account {
            client_id: DEFAULT_CLIENT_ID.to_owned(),
            org_id: DEFAULT_ORG_ID.to_owned(),
            name: "Emulator".to_owned(),
            description: "The default account".to_owned(),
            created_ms: now_ms,
            org_roles: vec!["ORG_OWNER".to_owned()],
            project_roles: BTreeMap::new(),
            secrets: vec![AccountSecret {
                id: "0e0000000000000000000003".to_owned(),
                ..AccountSecret::new(DEFAULT_CLIENT_SECRET.to_owned(), now_ms, MAX_SECRET_HOURS)
            }],
            deleted: Vec::new(),
            visible_from_ms: 0,
            access_list: Vec::new(),
            system_managed: false,
        };
        Self {
            orgs: vec![Org { id: DEFAULT_ORG_ID.to_owned(), name: "Emulated organization".to_owned(), settings: OrgSettings::default() }],
            projects: vec![Project {
                id: DEFAULT_PROJECT_ID.to_owned(),
                org_id: DEFAULT_ORG_ID.to_owned(),
                name: "Emulated project".to_owned(),
                created_ms: now_ms,
                visible_from_ms: 0,
            }],
            accounts: vec![owner],
        }
    }

    pub(super) fn empty() -> Self {
        Self { orgs: Vec::new(), projects: Vec::new(), accounts: Vec::new() }
    }

    /// The account whose credential programs use: the first one that has a secret.
    pub(super) fn first(&self) -> Option<(&Account, &AccountSecret)> {
        self.accounts.iter().find_map(|account| Some((account, account.secrets.first()?)))
    }

    pub(super) fn get(&self, client_id: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.client_id == client_id)
    }

    pub(super) fn get_mut(&mut self, client_id: &str) -> Option<&mut Account> {
        self.accounts.iter_mut().find(|account| account.client_id == client_id)
    }

    pub(super) fn org(&self, id: &str) -> Option<&Org> {
        self.orgs.iter().find(|org| org.id == id)
    }

    pub(super) fn org_mut(&mut self, id: &str) -> Option<&mut Org> {
        self.orgs.iter_mut().find(|org| org.id == id)
    }

    /// The settings of the organization that a level belongs to.
    pub(super) fn settings_of(&self, level: &Level) -> OrgSettings {
        self.org_of(level).and_then(|id| self.org(id)).map(|org| org.settings).unwrap_or_default()
    }

    pub(super) fn project(&self, id: &str) -> Option<&Project> {
        self.projects.iter().find(|project| project.id == id)
    }

    /// The accounts that belong to the organization or the project.
    pub(super) fn at<'a>(&'a self, level: &'a Level) -> impl Iterator<Item = &'a Account> {
        self.accounts.iter().filter(|account| account.is_at(level))
    }

    /// The organization that a level belongs to, or `None` if the level does not exist.
    pub(super) fn org_of(&self, level: &Level) -> Option<&str> {
        match level {
            Level::Org(id) => self.org(id).map(|org| org.id.as_str()),
            Level::Project(id) => self.project(id).map(|project| project.org_id.as_str()),
        }
    }

    pub(super) fn create_project(
        &mut self,
        org_id: String,
        name: String,
        created_ms: u64,
        visible_from_ms: u64,
    ) -> Result<Project, LimitReached> {
        if self.projects.iter().filter(|project| project.org_id == org_id).count() >= MAX_PROJECTS {
            return Err(LimitReached::Projects);
        }
        let project = Project { id: random::hex(24), org_id, name, created_ms, visible_from_ms };
        self.projects.push(project.clone());
        Ok(project)
    }

    pub(super) fn remove_project(&mut self, id: &str) {
        self.projects.retain(|project| project.id != id);
        for account in &mut self.accounts {
            account.project_roles.remove(id);
        }
    }

    pub(super) fn add(&mut self, account: Account) -> Result<(), LimitReached> {
        if self.accounts.iter().filter(|other| other.org_id == account.org_id).count() >= MAX_ACCOUNTS {
            return Err(LimitReached::Accounts);
        }
        self.insert(account);
        Ok(())
    }

    pub(super) fn insert(&mut self, account: Account) {
        self.accounts.push(account);
    }

    pub(super) fn remove(&mut self, client_id: &str) {
        self.accounts.retain(|account| account.client_id != client_id);
    }

    /// The id of the secret, if client id and secret match and the secret has not expired.
    pub(super) fn authenticate(&mut self, client_id: &str, secret: &str, view: View) -> Option<String> {
        let now_ms = view.now_ms;
        let account = self.get_mut(client_id)?;
        let is_valid = |known: &&mut AccountSecret| known.value == secret && known.valid_from_ms <= now_ms && known.expires_ms > now_ms;
        let found = account.secrets.iter_mut().chain(&mut account.deleted).find(is_valid)?;
        found.record_use(view);
        Some(found.id.clone())
    }

    /// Returns whether `value` contains a secret of an account.
    pub(super) fn has_secret_in(&self, value: &str) -> bool {
        let secrets = self.accounts.iter().flat_map(|account| account.secrets.iter().chain(&account.deleted));
        secrets.into_iter().any(|secret| secret.value.len() >= MIN_CONFIDENTIAL && value.contains(&secret.value))
    }
}

impl Account {
    /// Creates an account with a new client id, without roles, secrets or access list entries.
    pub(super) fn new(org_id: String, name: String, description: String, now_ms: u64) -> Self {
        Self {
            client_id: format!("{EMULATOR_ID_PREFIX}{}", random::hex(18)),
            org_id,
            name,
            description,
            created_ms: now_ms,
            org_roles: Vec::new(),
            project_roles: BTreeMap::new(),
            secrets: Vec::new(),
            deleted: Vec::new(),
            visible_from_ms: 0,
            access_list: Vec::new(),
            system_managed: false,
        }
    }

    pub(super) fn is_at(&self, level: &Level) -> bool {
        match level {
            Level::Org(id) => self.org_id == *id,
            Level::Project(id) => self.project_roles.contains_key(id),
        }
    }

    pub(super) fn roles_at(&self, level: &Level) -> &[String] {
        match level {
            Level::Org(_) => &self.org_roles,
            Level::Project(id) => self.project_roles.get(id).map_or(&[], Vec::as_slice),
        }
    }

    pub(super) fn set_roles_at(&mut self, level: &Level, roles: Vec<String>) {
        match level {
            Level::Org(_) => self.org_roles = roles,
            Level::Project(id) => {
                self.project_roles.insert(id.clone(), roles);
            }
        }
    }

    /// Adds a secret. Any existing secret then expires within seven days.
    pub(super) fn add_secret(&mut self, now_ms: u64, expires_after_hours: u64) -> Result<&mut AccountSecret, LimitReached> {
        if self.secrets.len() >= MAX_SECRETS {
            return Err(LimitReached::Secrets);
        }
        for old in &mut self.secrets {
            old.expires_ms = old.expires_ms.min(now_ms.saturating_add(OLD_SECRET_MS));
        }
        self.secrets.push(AccountSecret::new(format!("{EMULATOR_SECRET_PREFIX}_{}", random::url_safe(31)), now_ms, expires_after_hours));
        self.secrets.last_mut().ok_or(LimitReached::Secrets)
    }

    /// Deletes a secret, which is still valid until `valid_until_ms`. Returns whether it existed.
    pub(super) fn delete_secret(&mut self, id: &str, now_ms: u64, valid_until_ms: u64) -> bool {
        let found = self.secrets.iter().position(|secret| secret.id == id && secret.visible_from_ms <= now_ms);
        let Some(index) = found else { return false };
        let mut secret = self.secrets.remove(index);
        secret.expires_ms = secret.expires_ms.min(valid_until_ms);
        self.deleted.push(secret);
        self.deleted.retain(|secret| secret.expires_ms > now_ms);
        true
    }

    /// Adds the networks that are not on the list yet, or none of them if the limit would be
    /// exceeded.
    pub(super) fn add_access(&mut self, networks: &[Network], now_ms: u64) -> Result<(), LimitReached> {
        let mut list = self.access_list.clone();
        for &network in networks {
            if !list.iter().any(|entry| entry.network == network) {
                list.push(AccessEntry { network, created_ms: now_ms, last_used_ms: None, last_address: None, requests: 0 });
            }
        }
        if list.len() > MAX_ACCESS_ENTRIES {
            return Err(LimitReached::AccessList);
        }
        self.access_list = list;
        Ok(())
    }

    /// Returns whether the API may be used from `address`, and records the use. An empty list
    /// allows every address, unless the organization requires an entry.
    pub(super) fn allows_address(&mut self, address: IpAddr, now_ms: u64, is_required: bool) -> bool {
        if self.access_list.is_empty() {
            return !is_required;
        }
        let Some(entry) = self.access_list.iter_mut().find(|entry| entry.network.contains(address)) else { return false };
        entry.last_used_ms = Some(now_ms);
        entry.last_address = Some(address);
        entry.requests += 1;
        true
    }
}

impl AccountSecret {
    pub(super) fn new(value: String, now_ms: u64, expires_after_hours: u64) -> Self {
        Self {
            id: random::hex(24),
            value,
            created_ms: now_ms,
            expires_ms: now_ms.saturating_add(expires_after_hours.saturating_mul(HOUR_MS)),
            valid_from_ms: 0,
            visible_from_ms: 0,
            uses_ms: VecDeque::new(),
        }
    }

    /// The time of the last use that is shown.
    pub(super) fn last_used_ms(&self, view: View) -> Option<u64> {
        self.uses_ms.iter().rev().copied().find(|used| used.saturating_add(view.last_used_late_ms) <= view.now_ms)
    }

    fn record_use(&mut self, view: View) {
        // Documents have whole seconds.
        if self.uses_ms.back().is_none_or(|last| last / 1000 != view.now_ms / 1000) {
            self.uses_ms.push_back(view.now_ms);
        }
        while self.uses_ms.get(1).is_some_and(|next| next.saturating_add(view.last_used_late_ms) <= view.now_ms) {
            self.uses_ms.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, EMULATOR_ID_PREFIX};

    #[test]
    fn the_default_account_has_the_formats_of_atlas() {
        assert!(DEFAULT_CLIENT_ID.starts_with(EMULATOR_ID_PREFIX));
        assert!(DEFAULT_CLIENT_ID.strip_prefix("mdb_sa_id_").is_some_and(|hex| hex.len() == 24));
        assert!(DEFAULT_CLIENT_SECRET.strip_prefix("mdb_sa_sk_").is_some_and(|rest| rest.len() == 40));
    }
}
