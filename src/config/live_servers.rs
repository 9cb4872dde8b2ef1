//! The real Atlas, where it must not receive a request by mistake: a test must not use it, and its
//! credentials must not reach another server.

use super::Config;
use super::endpoint::Endpoint;
use super::recipient::is_live;
use super::unknown_variable::EMULATOR_VARIABLE;
use crate::error::{Error, Exchange};

/// Refuses Atlas in a command of `tokenwell emulator`: a test must not use the real service because a
/// part of it has a configuration of its own. `is_marked` is called only for Atlas.
pub(super) fn refuse_inside_emulator(config: &Config, is_marked: impl FnOnce() -> bool) -> Result<(), Error> {
    let endpoints = [Some(config.token_endpoint()), config.revocation_endpoint()];
    let Some(live) = endpoints.into_iter().flatten().find(|endpoint| is_at_atlas(endpoint)) else { return Ok(()) };
    if !is_marked() {
        return Ok(());
    }
    Err(refused(
        format!("the server is {}, but this process runs inside `tokenwell emulator` ({EMULATOR_VARIABLE} is set)", live.origin()),
        "Use MONGODB_ATLAS_BASE_URL and the credential from the environment, or start the emulator with --allow-live.".to_owned(),
    ))
}

/// Refuses a revocation URL at Atlas for another server, and the reverse: the client secret and the
/// token of one would be sent to the other.
pub(super) fn refuse_mixed(config: &Config) -> Result<(), Error> {
    let token = config.token_endpoint();
    let Some(revocation) = config.revocation_endpoint().filter(|revocation| is_at_atlas(revocation) != is_at_atlas(token)) else {
        return Ok(());
    };
    let setting = config.url_setting(revocation);
    Err(refused(
        format!(
            "{setting} is at {}, and the tokens are those of {}: the client secret and the token would be sent to another server",
            revocation.origin(),
            token.origin()
        ),
        format!("Remove {setting}, or set it to the revocation endpoint of {}.", token.origin()),
    ))
}

fn is_at_atlas(endpoint: &Endpoint) -> bool {
    endpoint.url().host_str().is_some_and(is_live)
}

fn refused(problem: String, hint: String) -> Error {
    Error::Refused { problem, hint, http_status: None, exchange: Exchange::default() }
}
