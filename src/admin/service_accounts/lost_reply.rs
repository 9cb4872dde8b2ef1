//! Creates accounts and secrets so that a lost reply leads neither to a second account nor to a valid
//! secret that nobody knows.
//!
//! Names are not unique in Atlas. Therefore the ids before and after the request decide: if two reads
//! show no new id, the request is repeated once. If there is one new object with the requested
//! attributes that was created within the time of the request, it is the result; the value of its secret is
//! lost, so that secret is deleted and another one is created. If there are more, nothing is deleted.

use super::accounts::ServiceAccounts;
use super::error::AdminError;
use super::level::Act;
use super::model::{CreatedAccount, CreatedSecret, NewServiceAccount, SecretDescription, ServiceAccount};
use super::revealed;
use super::send::{Failed, Request, Success};
use super::time::milliseconds;
use crate::error::Error;
use std::collections::HashSet;
use std::time::Duration;

/// The pause before the second read: a new object may not be visible immediately.
const BETWEEN_READS: Duration = Duration::from_secs(10);
/// How often a secret is created at most: each time the reply may be lost.
const MOST_SECRETS: usize = 3;

/// What existed before a request, and the server's time then.
struct Before {
    ids: HashSet<String>,
    date_ms: Option<u64>,
}

impl Before {
    /// Whether an object is new and was created between this and `until_ms`. Times have whole seconds.
    fn is_new(&self, id: &str, created_at: Option<&str>, until_ms: Option<u64>) -> bool {
        let created_ms = created_at.and_then(milliseconds);
        let is_after = self.date_ms.zip(created_ms).is_none_or(|(from, created)| created >= from / 1000 * 1000);
        let is_before = until_ms.zip(created_ms).is_none_or(|(until, created)| created < until.saturating_add(1000));
        !self.ids.contains(id) && is_after && is_before
    }
}

impl ServiceAccounts<'_> {
    pub(super) fn create_account(
        &self,
        new: &NewServiceAccount,
        body: Vec<u8>,
        record: impl FnOnce(&[String], Option<u64>) -> Result<(), Error>,
    ) -> Result<CreatedAccount, AdminError> {
        let request = Request { body: Some(body), ..Request::new("POST", self.level().path(), self.needed(Act::Write)) };
        let (accounts, date_ms) = self.read_all()?;
        let ids: Vec<_> = accounts.into_iter().map(|account| account.client_id).collect();
        record(&ids, date_ms)?;
        let before = Before { ids: ids.into_iter().collect(), date_ms };
        let mut failed = None;
        for _ in 0..2 {
            let lost = match self.sender().send(&request) {
                Ok(success) => match self.account_of(&request, success) {
                    Ok((account, Some(secret))) => return Ok(CreatedAccount { account, secret, recovered: false }),
                    // The account exists without a value of its secret.
                    Ok((account, None)) => return self.adopt(account, new.secret_expires_after_hours, &before),
                    Err(error) => error,
                },
                Err(Failed::Refused(error)) => return Err(error),
                Err(Failed::Lost(error)) => error,
            };
            tracing::debug!(method = request.method, path = request.path, "the reply was lost; comparing the accounts before and after");
            match self.find_account(&before, new) {
                Ok(found) if found.is_empty() => failed = Some(lost),
                Ok(mut found) if found.len() == 1 => {
                    let account = found.remove(0);
                    return self.adopt(account, new.secret_expires_after_hours, &before);
                }
                Ok(found) => {
                    let candidates: Vec<_> = found.into_iter().map(|account| account.client_id).collect();
                    let problem = format!("{} new accounts have the requested name and description", candidates.len());
                    return Err(unresolved(&request, problem, candidates, lost));
                }
                Err(error) => {
                    let problem = format!("it is not known whether the account exists: {error}");
                    return Err(unresolved(&request, problem, Vec::new(), lost));
                }
            }
        }
        Err(not_created(&request, "account", failed))
    }

    /// The new accounts that the request may have created.
    fn find_account(&self, before: &Before, new: &NewServiceAccount) -> Result<Vec<ServiceAccount>, AdminError> {
        for read in 0..2 {
            if read > 0 {
                self.sender().clock.sleep(BETWEEN_READS);
            }
            let (accounts, date_ms) = self.read_all()?;
            let is_result = |account: &ServiceAccount| {
                account.name == new.name
                    && account.description == new.description
                    && before.is_new(&account.client_id, account.created_at.as_deref(), date_ms)
            };
            let found: Vec<_> = accounts.into_iter().filter(is_result).collect();
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    /// Gives an account whose first secret nobody knows another one.
    fn adopt(&self, account: ServiceAccount, hours: u32, before: &Before) -> Result<CreatedAccount, AdminError> {
        let client_id = account.client_id.clone();
        self.remember_new(&client_id);
        let mut replaced = Vec::new();
        for secret in &account.secrets {
            let is_ours = secret.last_used_at.is_none() && before.is_new(&secret.id, secret.created_at.as_deref(), None);
            let deleted = if is_ours { self.delete_secret(&client_id, &secret.id) } else { Err(in_use(&account, secret)) };
            if let Err(error) = deleted {
                let request = Request::new("POST", self.level().path(), self.needed(Act::Write));
                let problem = format!("the account {client_id} exists with a secret that nobody knows and that cannot be deleted: {error}");
                return Err(unresolved(&request, problem, vec![client_id], error));
            }
            replaced.push(secret.id.clone());
        }
        let mut secret = match self.create_secret(&client_id, hours) {
            Ok(secret) => secret,
            Err(error) => {
                let request = Request::new("POST", self.level().path(), self.needed(Act::Write));
                let problem = format!("the account {client_id} exists, and its secret could not be replaced: {error}");
                return Err(unresolved(&request, problem, vec![client_id], error));
            }
        };
        replaced.append(&mut secret.replaced);
        // Without this answer the account is described as it was found. An error would lose the secret.
        let account = self.get(&client_id).unwrap_or(ServiceAccount { secrets: vec![secret.description.clone()], ..account });
        Ok(CreatedAccount { account, secret: CreatedSecret { replaced, ..secret }, recovered: true })
    }

    pub(super) fn create_secret_of(
        &self,
        request: &Request,
        client_id: &str,
        record: impl FnOnce(&[String], Option<u64>) -> Result<(), Error>,
    ) -> Result<CreatedSecret, AdminError> {
        let (account, date_ms) = self.read_one(client_id)?;
        let ids: Vec<_> = account.secrets.into_iter().map(|secret| secret.id).collect();
        record(&ids, date_ms)?;
        let before = Before { ids: ids.into_iter().collect(), date_ms };
        let (mut replaced, mut unanswered, mut failed) = (Vec::new(), 0, None);
        while unanswered < 2 && replaced.len() < MOST_SECRETS {
            let lost = match self.sender().send(request) {
                Ok(mut success) => match secret_of(request, &mut success) {
                    Ok(secret) => return Ok(CreatedSecret { replaced, ..secret }),
                    Err(error) => error,
                },
                Err(Failed::Refused(error)) => return Err(error),
                Err(Failed::Lost(error)) => error,
            };
            tracing::debug!(method = request.method, path = request.path, "the reply was lost; comparing the secrets before and after");
            let found = match self.find_secrets(client_id, &before) {
                Ok(found) => found,
                Err(error) => {
                    let problem = format!("it is not known whether the secret exists: {error}");
                    return Err(unresolved(request, problem, Vec::new(), lost));
                }
            };
            match found.as_slice() {
                [] => unanswered += 1,
                [secret] if secret.last_used_at.is_none() => {
                    if let Err(error) = self.delete_secret(client_id, &secret.id) {
                        let problem = format!("the new secret {} cannot be deleted: {error}", secret.id);
                        return Err(unresolved(request, problem, vec![secret.id.clone()], error));
                    }
                    replaced.push(secret.id.clone());
                }
                several => {
                    let candidates: Vec<_> = several.iter().map(|secret| secret.id.clone()).collect();
                    let problem = format!("{} new secrets exist, or one that is in use", candidates.len());
                    return Err(unresolved(request, problem, candidates, lost));
                }
            }
            failed = Some(lost);
        }
        Err(not_created(request, "secret", failed))
    }

    /// The new secrets of the account.
    fn find_secrets(&self, client_id: &str, before: &Before) -> Result<Vec<SecretDescription>, AdminError> {
        for read in 0..2 {
            if read > 0 {
                self.sender().clock.sleep(BETWEEN_READS);
            }
            let (account, date_ms) = self.read_one(client_id)?;
            let is_new = |secret: &SecretDescription| before.is_new(&secret.id, secret.created_at.as_deref(), date_ms);
            let found: Vec<_> = account.secrets.into_iter().filter(is_new).collect();
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    /// The account in a response, and its secret if the response has the value.
    fn account_of(&self, request: &Request, mut success: Success) -> Result<(ServiceAccount, Option<CreatedSecret>), AdminError> {
        let value = revealed::take(&mut success.body);
        let mut account: ServiceAccount = serde_json::from_slice(&success.body)
            .map_err(|_| AdminError::response(&request.name(), "the response is not a service account"))?;
        account.secrets.iter_mut().for_each(without_value);
        self.remember_new(&account.client_id);
        let first = account.secrets.first().cloned();
        let secret = first.zip(value).map(|(description, value)| CreatedSecret { description, value, replaced: Vec::new() });
        Ok((account, secret))
    }
}

fn secret_of(request: &Request, success: &mut Success) -> Result<CreatedSecret, AdminError> {
    let value = revealed::take(&mut success.body);
    let description: Option<SecretDescription> = serde_json::from_slice(&success.body).ok();
    let (mut description, value) =
        description.zip(value).ok_or_else(|| AdminError::response(&request.name(), "the response has no secret"))?;
    without_value(&mut description);
    Ok(CreatedSecret { description, value, replaced: Vec::new() })
}

/// The value was overwritten in the response; its field is no field that this version does not know.
fn without_value(secret: &mut SecretDescription) {
    secret.other.remove("secret");
}

fn in_use(account: &ServiceAccount, secret: &SecretDescription) -> AdminError {
    AdminError::response(&account.client_id, format!("the secret {} is in use, or older than this request", secret.id))
}

fn not_created(request: &Request, what: &str, cause: Option<AdminError>) -> AdminError {
    let problem = format!("no new {what} appeared, also after the request was repeated");
    let cause = cause.unwrap_or_else(|| AdminError::response(&request.name(), "no response arrived"));
    unresolved(request, problem, Vec::new(), cause)
}

fn unresolved(request: &Request, problem: String, candidates: Vec<String>, cause: AdminError) -> AdminError {
    AdminError::Unresolved { request: request.name(), problem, candidates, cause: Box::new(cause) }
}
