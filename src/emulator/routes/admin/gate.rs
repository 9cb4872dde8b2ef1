//! The checks for every Admin API request: token, access list, rate limit, version. Stubs answer after
//! them.

use super::envelope::Form;
use super::version;
use crate::emulator::limits::Verdict;
use crate::emulator::routes::Peer;
use crate::emulator::routes::replies::ApiError;
use crate::emulator::server::Shared;
use crate::emulator::settings::RateLimit;
use crate::emulator::stubs::Stub;
use crate::emulator::world::World;
use axum::extract::{OriginalUri, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use hyper::header::{AUTHORIZATION, HeaderName};
use hyper::{HeaderMap, StatusCode};
use std::net::IpAddr;
use std::sync::Arc;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");

/// The service account whose token a request carries.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) client_id: String,
    pub(super) address: IpAddr,
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
    let stub = shared.world.lock().stubs.find(request.method().as_str(), uri.path()).cloned();
    let served = match (refused, stub) {
        (Some(refused), _) => refused.into_response(),
        (None, Some(stub)) => match version::requested(&shared, peer, &request, uri.path()) {
            // The author of a stub knows which version it is.
            Ok(requested) => version::applied(stubbed(stub), requested.as_deref()),
            Err(refused) => refused.into_response(),
        },
        (None, None) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
    };
    let mut reply = Form::of(uri.query()).apply(served).await;
    reply.headers_mut().extend(headers);
    reply
}

fn stubbed(stub: Stub) -> Response {
    // The status was validated when the stub was set.
    let status = StatusCode::from_u16(stub.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match stub.body {
        Some(body) => (status, Json(body)).into_response(),
        None => status.into_response(),
    }
}

/// Returns the owner of the bearer token if the token is valid and may be used from `address`.
fn authenticate(world: &mut World, headers: &HeaderMap, address: IpAddr) -> Result<Caller, ApiError> {
    let token =
        bearer(headers).ok_or_else(|| ApiError::unauthorized("Exactly one Authorization header with a bearer token is required."))?;
    let now_ms = world.clock.now_ms();
    let client_id = world.tokens.find(token, now_ms).map(|issued| issued.client_id.clone());
    let orgs = world.accounts.orgs.iter();
    let required_in: Vec<_> = orgs.filter(|org| org.settings.api_access_list_required).map(|org| org.id.clone()).collect();
    let account = client_id.as_deref().and_then(|client_id| world.accounts.get_mut(client_id));
    let account = account.ok_or_else(|| ApiError::unauthorized("The token is unknown, expired or revoked."))?;
    let is_required = required_in.contains(&account.org_id);
    if !account.allows_address(address, now_ms, is_required) {
        let detail = format!("IP address {address} is not allowed to access this resource.");
        let status = world.settings.forbidden_status();
        return Err(ApiError::new(status, "IP_ADDRESS_NOT_ON_ACCESS_LIST", detail).with([address.to_string().into()]));
    }
    Ok(Caller { client_id: account.client_id.clone(), address })
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
