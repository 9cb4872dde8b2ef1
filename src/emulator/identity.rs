//! Whose request it is, for the limits, the faults and the log.

use super::world::World;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use url::form_urlencoded;

/// The client id that a request names, whether its credential is valid or not: in Basic credentials
/// or in the body; for a bearer token, the one of its account.
pub(super) fn client_id(headers: &HeaderMap, body: &[u8], world: &World) -> Option<String> {
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| value.split_once(' '));
    if let Some((scheme, credential)) = authorization {
        if scheme.eq_ignore_ascii_case("basic")
            && let Some((id, _)) = raw_basic(credential)
        {
            return Some(id);
        }
        if scheme.eq_ignore_ascii_case("bearer") {
            return world.tokens.issued(credential).map(|issued| issued.client_id.clone());
        }
    }
    form_urlencoded::parse(body).find(|(name, _)| name == "client_id").map(|(_, id)| id.into_owned())
}

/// The client id and the secret of Basic credentials, not decoded further.
pub(super) fn raw_basic(credential: &str) -> Option<(String, String)> {
    let pair = String::from_utf8(STANDARD.decode(credential.trim()).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}
