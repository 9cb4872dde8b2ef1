//! The operations.

use super::error::AdminError;
use super::level::{Act, Level};
use super::model::{AccessListEntry, Change, CreatedAccount, CreatedSecret, NewServiceAccount, ProjectOfAccount, ServiceAccount};
use super::network::Network;
use super::pages::{Listing, only_page};
use super::rules::{ACCESS_LIST_LIMIT, check_change, check_client_id, check_hours, check_id, check_new, check_roles};
use super::send::{Failed, Repeat, Request, Sender, Success};
use crate::admin::api::AdminApi;
use crate::client::Client;
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long one request is repeated before its error is returned.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(60);
/// How long a 404 may mean that an account which was created here is not visible yet.
const VISIBLE_AFTER_MS: u64 = 10_000;

/// The service accounts of an organization or a project.
///
/// All methods block. A request is repeated only where that is safe: after a 429 when Retry-After is
/// over, and after a lost reply or a 5xx if it has the same effect twice. [`ServiceAccounts::create`]
/// and [`ServiceAccounts::create_secret`] find out what a lost reply created.
#[derive(Debug)]
pub struct ServiceAccounts<'a> {
    sender: Sender<'a>,
    level: Level,
    /// Accounts that were created here, and until when a 404 for them is repeated.
    new: Mutex<HashMap<String, u64>>,
}

impl<'a> ServiceAccounts<'a> {
    /// The service accounts at `level`, with the token of `client`. Sends no request.
    #[must_use]
    pub fn new(api: &'a AdminApi, client: &'a Client, level: Level) -> Self {
        let sender = Sender { api, client, clock: Arc::new(SystemClock), patience: DEFAULT_PATIENCE };
        Self { sender, level, new: Mutex::default() }
    }

    /// Sets how long one request is repeated before its error is returned. The default is 60 s.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.sender.patience = patience;
        self
    }

    /// Sets the clock of the pauses between attempts, for tests.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.sender.clock = clock;
        self
    }

    /// The organization or project.
    #[must_use]
    pub fn level(&self) -> &Level {
        &self.level
    }

    /// All accounts, each once. `GET …/serviceAccounts`
    #[must_use]
    pub fn list(&self) -> Listing<'a, ServiceAccount> {
        Listing::new(self.sender.clone(), Request::new("GET", self.level.path(), self.needed(Act::Read)))
    }

    /// One account. `GET …/serviceAccounts/{clientId}`
    ///
    /// # Errors
    /// [`AdminError`], for which [`AdminError::is_not_found`] is true if the account is not at this level.
    pub fn get(&self, client_id: &str) -> Result<ServiceAccount, AdminError> {
        self.read_one(client_id).map(|(account, _)| account)
    }

    /// Creates an account with one secret. `POST …/serviceAccounts`
    ///
    /// If the reply is lost, the accounts before and after the request decide whether it was created, and
    /// its unknown secret is replaced. There are never two accounts from one call.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] before any request; [`AdminError::Unresolved`] if it is not known what
    /// the request created.
    pub fn create(&self, new: &NewServiceAccount) -> Result<CreatedAccount, AdminError> {
        self.create_recorded(new, |_, _| Ok(()))
    }

    /// Like [`ServiceAccounts::create`], for a caller that can say later what a process made that was killed:
    /// `record` is called immediately before the first request that creates something, with the client ids
    /// that exist and the server's time in milliseconds. An account of this call has another id and was
    /// created later.
    ///
    /// # Errors
    /// Those of [`ServiceAccounts::create`], and that of `record`: then nothing was created.
    pub fn create_recorded(
        &self,
        new: &NewServiceAccount,
        record: impl FnOnce(&[String], Option<u64>) -> Result<(), Error>,
    ) -> Result<CreatedAccount, AdminError> {
        check_new(&self.level, new)?;
        let new = NewServiceAccount { roles: set(&new.roles), ..new.clone() };
        self.create_account(&new, body(&new)?, record)
    }

    /// Changes an account. `PATCH …/serviceAccounts/{clientId}`
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] before any request, also if there is nothing to change.
    pub fn update(&self, client_id: &str, change: &Change) -> Result<ServiceAccount, AdminError> {
        check_change(&self.level, change)?;
        let change = Change { roles: change.roles.as_deref().map(set), ..change.clone() };
        let request = self.request("PATCH", client_id, "", Act::Write)?;
        self.account(&Request { body: Some(body(&change)?), ..request })
    }

    /// Deletes an account of an organization, with its secrets and tokens. An account of a project is only
    /// detached from it and continues to exist in its organization. `DELETE …/serviceAccounts/{clientId}`
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn delete(&self, client_id: &str) -> Result<(), AdminError> {
        self.done(&self.request("DELETE", client_id, "", Act::Write)?)
    }

    /// Creates another secret. An account has at most two, and the older one then expires within seven
    /// days. `POST …/serviceAccounts/{clientId}/secrets`
    ///
    /// If the reply is lost, the secret that it created is found by the ids before and after, deleted, and
    /// another one is created.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] before any request; [`AdminError::Unresolved`] if it is not known what
    /// the request created.
    pub fn create_secret(&self, client_id: &str, expires_after_hours: u32) -> Result<CreatedSecret, AdminError> {
        self.create_secret_recorded(client_id, expires_after_hours, |_, _| Ok(()))
    }

    /// Like [`ServiceAccounts::create_secret`], with `record` as in [`ServiceAccounts::create_recorded`]: it
    /// gets the ids of the secrets that exist.
    ///
    /// # Errors
    /// Those of [`ServiceAccounts::create_secret`], and that of `record`: then nothing was created.
    pub fn create_secret_recorded(
        &self,
        client_id: &str,
        expires_after_hours: u32,
        record: impl FnOnce(&[String], Option<u64>) -> Result<(), Error>,
    ) -> Result<CreatedSecret, AdminError> {
        let hours = check_hours(expires_after_hours.into())?;
        let request = self.request("POST", client_id, "/secrets", Act::Write)?;
        let body = body(&json!({ "secretExpiresAfterHours": hours }))?;
        self.create_secret_of(&Request { body: Some(body), ..request }, client_id, record)
    }

    /// Deletes a secret. `DELETE …/serviceAccounts/{clientId}/secrets/{secretId}`
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn delete_secret(&self, client_id: &str, secret_id: &str) -> Result<(), AdminError> {
        check_id("secret", secret_id)?;
        self.done(&self.request("DELETE", client_id, &format!("/secrets/{secret_id}"), Act::Write)?)
    }

    /// The API access list of an account. An empty list allows every address, unless the organization
    /// requires a list. `GET …/serviceAccounts/{clientId}/accessList`
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a client id that cannot be one; the others are those of the iterator.
    pub fn access_list(&self, client_id: &str) -> Result<Listing<'a, AccessListEntry>, AdminError> {
        Ok(Listing::new(self.sender.clone(), self.request("GET", client_id, "/accessList", Act::Read)?))
    }

    /// Adds all `networks` to the access list with one request, and returns the list as it is then.
    /// Networks that are on it are no error. `POST …/serviceAccounts/{clientId}/accessList`
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] before any request for none or more than 200 networks.
    pub fn add_access(&self, client_id: &str, networks: &[Network]) -> Result<Vec<AccessListEntry>, AdminError> {
        let entries: BTreeSet<Network> = networks.iter().copied().collect();
        if entries.is_empty() || entries.len() > ACCESS_LIST_LIMIT {
            let problem = format!("{} entries cannot be added", entries.len());
            return Err(Error::invalid("address", problem, format!("An access list has 1 to {ACCESS_LIST_LIMIT} entries.")).into());
        }
        let entries: Vec<Value> = entries.into_iter().map(Network::entry).collect();
        let request = self.request("POST", client_id, "/accessList", Act::WriteAccessList)?;
        // The list is a set: a second time adds nothing.
        let success = self.sender.send(&Request { body: Some(body(&entries)?), repeat: Repeat::Safe, ..request })?;
        // The caller may no longer be allowed to read the list.
        only_page(&success.body).map_or_else(|| self.access_list(client_id)?.collect(), Ok)
    }

    /// Removes a network from the access list.
    /// `DELETE …/serviceAccounts/{clientId}/accessList/{ipAddress}`
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn delete_access(&self, client_id: &str, network: Network) -> Result<(), AdminError> {
        let item = format!("/accessList/{}", network.path_segment());
        self.done(&self.request("DELETE", client_id, &item, Act::WriteAccessList)?)
    }

    /// The projects in which an account of an organization has roles.
    /// `GET /orgs/{orgId}/serviceAccounts/{clientId}/groups`
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for the level of a project.
    pub fn projects(&self, client_id: &str) -> Result<Listing<'a, ProjectOfAccount>, AdminError> {
        if self.level.is_project() {
            let hint = "Use the organization of the project.";
            return Err(Error::invalid("organization", "only an organization knows the projects of an account", hint).into());
        }
        Ok(Listing::new(self.sender.clone(), self.request("GET", client_id, "/groups", Act::Read)?))
    }

    /// Adds an account of the organization to the project, with these roles there.
    /// `POST /groups/{groupId}/serviceAccounts/{clientId}:invite`
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for the level of an organization and for roles that no project has.
    pub fn invite(&self, client_id: &str, roles: &[String]) -> Result<ServiceAccount, AdminError> {
        if !self.level.is_project() {
            return Err(Error::invalid("project", "an account is invited to a project, not to an organization", "Use a project.").into());
        }
        check_roles(&self.level, roles)?;
        let roles = set(roles);
        let request = self.request("POST", client_id, ":invite", Act::Write)?;
        let request = Request { body: Some(body(&json!({ "roles": roles }))?), ..request };
        let lost = match self.sender.send(&request) {
            Ok(success) => return parsed(&request, &success),
            Err(Failed::Refused(error)) => return Err(error),
            Err(Failed::Lost(error)) => error,
        };
        match self.get(client_id) {
            Ok(account) if set(&account.roles) == roles => Ok(account),
            Ok(_) => parsed(&request, &self.sender.send(&request)?),
            Err(error) if error.is_not_found() => parsed(&request, &self.sender.send(&request)?),
            Err(error) => Err(AdminError::Unresolved {
                request: request.name(),
                problem: format!("it is not known whether the account is in the project: {error}"),
                candidates: Vec::new(),
                cause: Box::new(lost),
            }),
        }
    }

    pub(super) fn sender(&self) -> &Sender<'a> {
        &self.sender
    }

    pub(super) fn needed(&self, act: Act) -> &'static str {
        self.level.needed_role(act)
    }

    /// For some time, a 404 for this account does not mean that it was deleted.
    pub(super) fn remember_new(&self, client_id: &str) {
        let until_ms = self.sender.now_ms().saturating_add(VISIBLE_AFTER_MS);
        self.new.lock().unwrap_or_else(PoisonError::into_inner).insert(client_id.to_owned(), until_ms);
    }

    /// All accounts, and the server's time before they were read.
    pub(super) fn read_all(&self) -> Result<(Vec<ServiceAccount>, Option<u64>), AdminError> {
        let mut list = self.list();
        let accounts = list.by_ref().collect::<Result<_, _>>()?;
        Ok((accounts, list.date_ms()))
    }

    /// An account, and the server's time when it was read.
    pub(super) fn read_one(&self, client_id: &str) -> Result<(ServiceAccount, Option<u64>), AdminError> {
        let request = self.request("GET", client_id, "", Act::Read)?;
        let success = self.sender.send(&request)?;
        Ok((parsed(&request, &success)?, success.date_ms))
    }

    fn request(&self, method: &'static str, client_id: &str, item: &str, act: Act) -> Result<Request, Error> {
        check_client_id(client_id)?;
        let unready_until_ms = self.new.lock().unwrap_or_else(PoisonError::into_inner).get(client_id).copied().unwrap_or_default();
        let path = format!("{}/{client_id}{item}", self.level.path());
        Ok(Request { unready_until_ms, ..Request::new(method, path, self.needed(act)) })
    }

    fn account(&self, request: &Request) -> Result<ServiceAccount, AdminError> {
        parsed(request, &self.sender.send(request)?)
    }

    fn done(&self, request: &Request) -> Result<(), AdminError> {
        let success = self.sender.send(request)?;
        if success.repeated {
            tracing::debug!(method = request.method, path = request.path, "done after a repeated request");
        }
        Ok(())
    }
}

fn parsed(request: &Request, success: &Success) -> Result<ServiceAccount, AdminError> {
    serde_json::from_slice(&success.body).map_err(|_| AdminError::response(&request.name(), "the response is not a service account"))
}

/// Roles are a set: sorted, each once.
fn set(roles: &[String]) -> Vec<String> {
    roles.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

fn body(value: &impl serde::Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|error| Error::internal(format!("a request cannot be written as JSON: {error}")))
}
