//! Calls of the Atlas Admin API with a client's token.
//!
//! May depend on: client, clock, config, grant (its transport), token, error, secret. Start reading
//! at [`AdminApi::call`], which sends any request; [`service_accounts`] has the typed operations for
//! service accounts.

mod api;
pub mod service_accounts;

pub use api::{AdminApi, Call, DEFAULT_VERSION, Reply};
