//! Service accounts of an organization or a project: the operations of the Admin API as typed calls.
//!
//! [`ServiceAccounts`] has one method for each operation. Fields and roles that a later version of
//! the API adds are kept ([`ServiceAccount::other`]) and are never an error.
//!
//! Source of paths, bodies, limits and roles: the reference of the Atlas Administration API v2,
//! group "Service Accounts", version 2024-08-05
//! (<https://www.mongodb.com/docs/api/doc/atlas-admin-api-v2/group/endpoint-service-accounts>).
//!
//! ```no_run
//! use tokenwell::admin::AdminApi;
//! use tokenwell::admin::service_accounts::{Level, NewServiceAccount, ServiceAccounts};
//! use tokenwell::{Client, Config};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::from_environment()?;
//! let (api, client) = (AdminApi::new(&config)?, Client::new(config)?);
//! let accounts = ServiceAccounts::new(&api, &client, Level::organization("0123456789abcdef01234567")?);
//! let created = accounts.create(&NewServiceAccount {
//!     name: "deploy".to_owned(),
//!     description: "Deploys the shop".to_owned(),
//!     roles: vec!["ORG_READ_ONLY".to_owned()],
//!     secret_expires_after_hours: 720,
//! })?;
//! for account in accounts.list() {
//!     println!("{}", account?.client_id);
//! }
//! # let _ = created; Ok(()) }
//! ```

mod accounts;
mod error;
mod level;
mod lost_reply;
mod model;
mod network;
mod pages;
mod revealed;
mod rules;
mod send;
mod time;

pub use accounts::ServiceAccounts;
pub use error::{AdminError, ApiError};
pub use level::Level;
pub use model::{
    AccessListEntry, Change, CreatedAccount, CreatedSecret, NewServiceAccount, ProjectOfAccount, SecretDescription, ServiceAccount,
};
pub use network::Network;
pub use pages::Listing;
pub use rules::{
    ACCESS_LIST_LIMIT, KNOWN_ORGANIZATION_ROLES, KNOWN_PROJECT_ROLES, SECRET_HOURS, check_client_id, check_description, check_hours,
    check_id, check_name, check_role,
};
pub use time::milliseconds;
