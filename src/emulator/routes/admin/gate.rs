//! The checks for every Admin API request: token, access list, rate limit, version.

use crate::emulator::limits::Verdict;
use crate::emulator::routes::Peer;
use crate::emulator::routes::replies::ApiError;
use crate::emulator::server::Shared;
use crate::emulator::settings::RateLimit;
use crate::emulator::world::World;
use axum::Extension;
use axum::extract::{OriginalUri, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::HeaderMap;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use std::net::IpAddr;
use std::sync::Arc;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");

/// The API version that introduced the operations.
const FIRST_VERSION: &str = "2023-01-01";
const FIRST_SERVICE_ACCOUNTS: &str = "2024-08-05";

/// The service account whose token a request carries.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) client_id: String,
}

pub(super) async fn authorize(
    State(shared): State<Arc<Shared>>,
    Extension(Peer(peer)): Extension<Peer>,
    OriginalUri(uri): OriginalUri,
    mut request: Request,
    next: Next,
) -> Response {
    let authenticated = {
        let mut world = shared.world.lock();
        authenticate(&mut world, request.headers(), peer.ip()).map(|caller| {
            let limited = limit(&mut world, &caller, peer.ip(), uri.path());
            (caller, limited)
        })
    };
    let (caller, (headers, refused)) = match authenticated {
        Ok(authenticated) => authenticated,
        Err(refused) => return refused.into_response(),
    };
    let version = refused.map_or_else(|| version(request.headers(), uri.path()), Err);
    let mut response = match version {
        Err(refused) => refused.into_response(),
        Ok(version) => {
            request.extensions_mut().insert(caller);
            versioned(next.run(request).await, version)
        }
    };
    response.headers_mut().extend(headers);
    response
}

/// Returns the owner of the bearer token if the token is valid and may be used from `address`.
fn authenticate(world: &mut World, headers: &HeaderMap, address: IpAddr) -> Result<Caller, ApiError> {
    let token =
        bearer(headers).ok_or_else(|| ApiError::unauthorized("Exactly one Authorization header with a bearer token is required."))?;
    let now_ms = world.clock.now_ms();
    let client_id = world.tokens.find(token, now_ms).map(|issued| issued.client_id.clone());
    let account = client_id.as_deref().and_then(|client_id| world.accounts.get_mut(client_id));
    let account = account.ok_or_else(|| ApiError::unauthorized("The token is unknown, expired or revoked."))?;
    if !account.allows_address(address, now_ms) {
        let detail = format!("The service account's access list does not contain {address}.");
        return Err(ApiError::new(403, "IP_ADDRESS_NOT_ON_ACCESS_LIST", detail).with([address.to_string().into()]));
    }
    Ok(Caller { client_id: account.client_id.clone() })
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// Returns the `RateLimit-*` headers, and the error reply if the limit is exceeded.
fn limit(world: &mut World, caller: &Caller, address: IpAddr, path: &str) -> (HeaderMap, Option<ApiError>) {
    let Some(limit @ RateLimit { requests, window_s, .. }) = world.settings.api_rate_limit else { return (HeaderMap::new(), None) };
    let (remaining, refused) = match world.api_limits.check(address, &caller.client_id, limit, world.clock.now_ms()) {
        Verdict::Accept { remaining } => (remaining, None),
        Verdict::Reject { retry_after_s } => {
            let retry_after_s = limit.retry_after.then_some(retry_after_s);
            (0, Some(ApiError::rate_limited(path, requests, window_s, retry_after_s)))
        }
    };
    (HeaderMap::from_iter([(LIMIT, requests.into()), (REMAINING, remaining.into())]), refused)
}

/// Returns the API version to use: the newest one that is not later than the date in `Accept`.
fn version(headers: &HeaderMap, path: &str) -> Result<&'static str, ApiError> {
    let first = if path.contains("/serviceAccounts") { FIRST_SERVICE_ACCOUNTS } else { FIRST_VERSION };
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let mut dates = accepted.filter_map(|media_type| date(media_type.split(';').next().unwrap_or_default().trim()));
    if dates.any(|date| date >= first) {
        return Ok(first);
    }
    let detail = format!("Accept must be application/vnd.atlas.YYYY-MM-DD+json with the date {first} or later.");
    Err(ApiError::new(406, "INVALID_VERSION_DATE", detail).with([first.into()]))
}

/// Returns the date of `application/vnd.atlas.2024-08-05+json`. Dates in this format compare
/// correctly as strings.
fn date(media_type: &str) -> Option<&str> {
    let date = media_type.strip_prefix("application/vnd.atlas.")?.strip_suffix("+json")?;
    let digits = |range: std::ops::Range<usize>| date.get(range).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    let (_year, month, day) = (digits(0..4)?, digits(5..7)?, digits(8..10)?);
    let dashes = date.len() == 10 && date.as_bytes()[4] == b'-' && date.as_bytes()[7] == b'-';
    (dashes && ("01"..="12").contains(&month) && ("01"..="31").contains(&day)).then_some(date)
}

/// Sets the media type of the response to that of `version`.
fn versioned(mut response: Response, version: &str) -> Response {
    let media_type = HeaderValue::from_str(&format!("application/vnd.atlas.{version}+json;charset=utf-8"));
    let has_body = response.status().is_success() && response.headers().contains_key(CONTENT_TYPE);
    if let (true, Ok(media_type)) = (has_body, media_type) {
        response.headers_mut().insert(CONTENT_TYPE, media_type);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn only_a_calendar_date_is_a_version() {
        assert_eq!(date("application/vnd.atlas.2024-08-05+json"), Some("2024-08-05"));
        for wrong in [
            "application/json",
            "application/vnd.atlas.2024-13-05+json",
            "application/vnd.atlas.2024-08-32+json",
            "application/vnd.atlas.2024-8-5+json",
            "application/vnd.atlas.2024-08-05+csv",
            "application/vnd.atlas.2024/08/05+json",
            "application/vnd.atlas.+json",
            "application/vnd.atlas.2024-08-05é+json",
        ] {
            assert_eq!(date(wrong), None, "{wrong}");
        }
    }
}
