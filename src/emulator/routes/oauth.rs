//! The token and revocation endpoints: those of Atlas, and generic ones that follow the RFCs
//! strictly.

use super::Peer;
use super::replies::{ApiError, OAuthError};
use crate::emulator::identity;
use crate::emulator::limits::Verdict;
use crate::emulator::server::Shared;
use crate::emulator::settings::RateLimitShape;
use crate::emulator::world::World;
use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, PRAGMA};
use hyper::{HeaderMap, StatusCode, Uri};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::Arc;
use url::{Url, form_urlencoded};

/// The rules by which an endpoint parses requests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// Basic authentication with the raw client id and secret. The only parameter is the grant
    /// type.
    Atlas,
    /// RFC 6749: Basic authentication with the form-encoded client id and secret, or both in the
    /// body. Also accepts scope, audience and resource.
    Generic,
}

type Context = (State<Arc<Shared>>, Extension<Peer>, Uri, HeaderMap);

pub(super) async fn atlas_token(context: Context, body: Bytes) -> Response {
    token(Dialect::Atlas, context, &body).unwrap_or_else(Failure::into_response)
}

pub(super) async fn generic_token(context: Context, body: Bytes) -> Response {
    token(Dialect::Generic, context, &body).unwrap_or_else(Failure::into_response)
}

pub(super) async fn atlas_revoke(context: Context, body: Bytes) -> Response {
    revoke(Dialect::Atlas, context, &body).unwrap_or_else(Failure::into_response)
}

pub(super) async fn generic_revoke(context: Context, body: Bytes) -> Response {
    revoke(Dialect::Generic, context, &body).unwrap_or_else(Failure::into_response)
}

fn token(dialect: Dialect, (State(shared), Extension(peer), uri, headers): Context, body: &Bytes) -> Result<Response, Failure> {
    let mut world = shared.world.lock();
    let world = &mut *world;
    limit(world, peer.0.ip(), identity::client_id(&headers, body, world).unwrap_or_default(), uri.path())?;
    let form = Form::read(dialect, &uri, &headers, body)?;
    let (client_id, secret) = credentials(dialect, &headers, &form)?;
    let now_ms = world.clock.now_ms();
    let secret_id = world.accounts.authenticate(&client_id, &secret, world.view()).ok_or_else(OAuthError::invalid_client)?;
    world.token_requests += 1;
    if world.settings.reject_every_nth_token_request.is_some_and(|nth| world.token_requests.is_multiple_of(nth)) {
        return Err(OAuthError::invalid_client().into());
    }

    match form.get("grant_type") {
        Some("client_credentials") => {}
        Some(_) => {
            return Err(OAuthError::new(StatusCode::BAD_REQUEST, "unsupported_grant_type", "Only client_credentials is supported.").into());
        }
        None => return Err(OAuthError::invalid_request("The parameter grant_type is missing.").into()),
    }
    let scope = granted_scope(dialect, &form, world)?;
    check_resources(dialect, &form)?;
    if world.tokens.valid_count_of(&client_id, now_ms) >= world.settings.token_cap {
        let description =
            format!("Access Token limit reached. A service account can have at most {} active access tokens.", world.settings.token_cap);
        return Err(OAuthError::new(StatusCode::FORBIDDEN, "access_denied", description).into());
    }

    let settings = &world.settings;
    let token = world.tokens.mint(&shared.base_url, &client_id, &secret_id, now_ms, settings.token_lifetime_s);
    world.traffic.count_token();
    let mut reply = json!({ "access_token": token, "token_type": "Bearer" });
    if !settings.omit_expires_in {
        reply["expires_in"] = settings.expires_in.clone().unwrap_or_else(|| settings.token_lifetime_s.into());
    }
    if let Some(scope) = scope {
        reply["scope"] = scope.into();
    }
    Ok(success(dialect, reply))
}

fn success(dialect: Dialect, reply: Value) -> Response {
    let media_type = match dialect {
        // As observed at Atlas. A client that compares the whole value fails on the parameter.
        Dialect::Atlas => "application/json;charset=ISO-8859-1",
        Dialect::Generic => "application/json",
    };
    ([(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache"), (CONTENT_TYPE, media_type)], reply.to_string()).into_response()
}

fn revoke(dialect: Dialect, (State(shared), _, uri, headers): Context, body: &Bytes) -> Result<Response, Failure> {
    let form = Form::read(dialect, &uri, &headers, body)?;
    let (client_id, secret) = credentials(dialect, &headers, &form)?;
    let mut world = shared.world.lock();
    let view = world.view();
    world.accounts.authenticate(&client_id, &secret, view).ok_or_else(OAuthError::invalid_client)?;

    let token = form.get("token").ok_or_else(|| OAuthError::invalid_request("The parameter token is missing."))?;
    world.tokens.revoke(token, &client_id);
    Ok(StatusCode::OK.into_response())
}

/// Applies the rate limit. It is checked before everything else and counts requests by the client
/// id that they name, which slows down guessing of secrets.
fn limit(world: &mut World, address: IpAddr, client_id: String, path: &str) -> Result<(), Failure> {
    let Some(limit) = world.settings.rate_limit else { return Ok(()) };
    let Verdict::Reject { retry_after_s } = world.token_limits.check(address, &client_id, limit, world.clock.now_ms()) else {
        return Ok(());
    };
    let retry_after_s = limit.retry_after.then_some(retry_after_s);
    Err(match limit.shape {
        RateLimitShape::OAuth => OAuthError::rate_limited(path, limit.requests, limit.window_s, retry_after_s).into(),
        RateLimitShape::Api => ApiError::rate_limited(path, limit.requests, limit.window_s, retry_after_s).into(),
    })
}

fn granted_scope(dialect: Dialect, form: &Form, world: &World) -> Result<Option<String>, OAuthError> {
    if dialect == Dialect::Atlas {
        return Ok(None);
    }
    let requested = form.get("scope");
    // RFC 6749 section 3.3: %x21 / %x23-5B / %x5D-7E, separated by one space.
    let is_token = |scope: &str| !scope.is_empty() && scope.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
    if requested.is_some_and(|scope| !scope.split(' ').all(is_token)) {
        return Err(OAuthError::new(StatusCode::BAD_REQUEST, "invalid_scope", "The scope contains invalid characters."));
    }
    Ok(world.settings.granted_scope.clone().or_else(|| requested.map(str::to_owned)))
}

fn check_resources(dialect: Dialect, form: &Form) -> Result<(), OAuthError> {
    let is_target = |resource: &str| Url::parse(resource).is_ok_and(|url| url.fragment().is_none());
    if dialect == Dialect::Generic && !form.all("resource").all(is_target) {
        let description = "A resource must be an absolute URI without a fragment.";
        return Err(OAuthError::new(StatusCode::BAD_REQUEST, "invalid_target", description));
    }
    Ok(())
}

fn credentials(dialect: Dialect, headers: &HeaderMap, form: &Form) -> Result<(String, String), OAuthError> {
    let mut authorizations = headers.get_all(AUTHORIZATION).iter();
    let (first, second) = (authorizations.next(), authorizations.next());
    let in_body = form.get("client_secret");
    match (first, second, in_body) {
        (_, Some(_), _) => Err(OAuthError::invalid_request("There is more than one Authorization header.")),
        (Some(_), None, Some(_)) => Err(OAuthError::invalid_request("The client authenticates by more than one method.")),
        (Some(value), None, None) => basic(dialect, value.as_bytes()).ok_or_else(OAuthError::invalid_client),
        (None, None, Some(secret)) if dialect == Dialect::Generic => {
            let id = form.get("client_id").ok_or_else(|| OAuthError::invalid_request("The parameter client_id is missing."))?;
            Ok((id.to_owned(), secret.to_owned()))
        }
        (None, None, _) => Err(OAuthError::invalid_client()),
    }
}

fn basic(dialect: Dialect, value: &[u8]) -> Option<(String, String)> {
    let (scheme, encoded) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let (id, secret) = identity::raw_basic(encoded)?;
    match dialect {
        Dialect::Atlas => Some((id, secret)),
        Dialect::Generic => Some((form_decoded(&id)?, form_decoded(&secret)?)),
    }
}

/// Decodes one form-encoded value (RFC 6749 appendix B).
fn form_decoded(encoded: &str) -> Option<String> {
    // A correctly encoded value contains no separators.
    if encoded.contains(['&', '=']) {
        return None;
    }
    form_urlencoded::parse(format!("v={encoded}").as_bytes()).next().map(|(_, value)| value.into_owned())
}

/// The parameters of a request. Empty parameters are treated as absent (RFC 6749 section 3.2).
struct Form(Vec<(String, String)>);

impl Form {
    fn read(dialect: Dialect, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Result<Self, OAuthError> {
        let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(OAuthError::invalid_request("The body is not application/x-www-form-urlencoded."));
        }
        let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        if query.into_iter().any(|(name, _)| matches!(&*name, "client_id" | "client_secret" | "token")) {
            return Err(OAuthError::invalid_request("Credentials must not be sent in the URI."));
        }

        let mut form = Self(Vec::new());
        for (name, value) in form_urlencoded::parse(body).into_owned() {
            let may_repeat = dialect == Dialect::Generic && name == "resource";
            if !may_repeat && form.0.iter().any(|(known, _)| *known == name) {
                return Err(OAuthError::invalid_request("A parameter occurs more than once."));
            }
            form.0.push((name, value));
        }
        Ok(form)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, value)| known == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// An error reply in one of the two formats.
enum Failure {
    OAuth(OAuthError),
    Api(ApiError),
}

impl Failure {
    fn into_response(self) -> Response {
        match self {
            Self::OAuth(error) => error.into_response(),
            Self::Api(error) => error.into_response(),
        }
    }
}

impl From<OAuthError> for Failure {
    fn from(error: OAuthError) -> Self {
        Self::OAuth(error)
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}
