//! The errors of the API, in the words of the command: which role is needed and which ones the account
//! has, and which command changes an access list.

use super::place::AdminSession;
use crate::failure::{Code, Facts, Failure};
use tokenwell::admin::Reply;
use tokenwell::admin::service_accounts::{AdminError, ApiError};
use tokenwell::error::{printable, sentence};
use tokenwell::{Config, Error};

pub(super) fn of_error(error: AdminError, admin: &AdminSession) -> Failure {
    let hint = match &error {
        AdminError::Api(api) if api.is_access_list() => access_list_hint(api, &admin.session.config),
        AdminError::Api(api) if api.is_about_roles() => {
            let roles = own_roles(admin).map(|roles| format!(" It has {roles} here.")).unwrap_or_default();
            format!("{}{roles} Use --as with the profile of an account that has the role.", api.hint())
        }
        other => match other.api().and_then(not_a_client_id) {
            Some(name) => {
                format!("`{name}` is not a client id: those of Atlas begin with {CLIENT_ID_START}. `tokenwell sa list` prints them.")
            }
            None => other.hint(),
        },
    };
    with_hint(error, hint)
}

/// What all client ids of Atlas begin with.
const CLIENT_ID_START: &str = "mdb_sa_id_";

/// What was passed as a client id and probably is the name of an account, if the API did not find it.
fn not_a_client_id(api: &ApiError) -> Option<String> {
    let (_, account) = api.request.split_once("/serviceAccounts/").filter(|_| api.status == 404)?;
    let id = account.split('/').next().filter(|id| !id.starts_with(CLIENT_ID_START))?;
    Some(printable(id, 64))
}

/// The failure for a reply to a request that is not about service accounts.
pub(super) fn of_reply(request: &str, reply: &Reply, config: &Config) -> Failure {
    let api = ApiError::from_reply(request, reply, "any role in the organization");
    let hint = if api.is_access_list() { access_list_hint(&api, config) } else { api.hint() };
    with_hint(AdminError::Api(Box::new(api)), hint)
}

fn with_hint(error: AdminError, hint: String) -> Failure {
    let facts = error.api().map(|api| Facts { http_status: Some(api.status), retry_after: api.retry_after, oauth_error: None });
    match error {
        AdminError::Library(error) => Failure::reworded(&error, error.to_string(), hint),
        error => Failure::Own { code: Code::Status(error.status()), problem: error.to_string(), hint, facts: facts.unwrap_or_default() },
    }
}

fn access_list_hint(api: &ApiError, config: &Config) -> String {
    let address = api.caller_address().map_or_else(|| "ADDRESS".to_owned(), |address| address.to_string());
    format!(
        "An Organization Owner, or a Project Access Manager for the account of a project, can add the address from an address that is allowed: \
         `tokenwell sa access add {} {address}`. It is the API access list of the account; the access list of a project for its clusters is \
         another one.",
        config.client_id_to_show()
    )
}

/// The roles of the account that is signed in, if it may read them.
fn own_roles(admin: &AdminSession) -> Option<String> {
    let account = admin.accounts().get(admin.session.config.client_id()).ok()?;
    let roles: Vec<_> = account.roles.iter().map(|role| printable(role, 80)).collect();
    (!roles.is_empty()).then(|| roles.join(", "))
}

/// An error of the arguments, for a message that names a flag.
pub(super) fn in_flag(flag: &str, error: &Error) -> Failure {
    let problem = match error {
        Error::InvalidArgument { problem, .. } => sentence(flag, problem),
        other => sentence(flag, &other.to_string()),
    };
    Failure::new(error.status(), problem, error.hint())
}
