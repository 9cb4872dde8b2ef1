//! The issued access tokens.

use super::random;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::json;
use std::cmp::Reverse;
use std::collections::HashMap;

/// From this number of tokens on, expired tokens are removed. Below it they are kept, so that they
/// become valid again if the clock is set back.
const SWEEP_ABOVE: usize = 10_000;

#[derive(Default)]
pub(super) struct Tokens {
    issued: HashMap<String, Issued>,
}

pub(super) struct Issued {
    pub(super) client_id: String,
    pub(super) secret_id: String,
    issued_ms: u64,
    expires_ms: u64,
}

/// A valid token as the control API shows it: not enough of it to use it.
#[derive(Serialize)]
pub(super) struct Shown {
    client_id: String,
    secret_id: String,
    /// `…` and the last eight characters.
    token: String,
    issued_ms: u64,
    expires_ms: u64,
}

impl Tokens {
    pub(super) fn mint(&mut self, issuer: &str, client_id: &str, secret_id: &str, now_ms: u64, lifetime_s: u64) -> String {
        if self.issued.len() >= SWEEP_ABOVE {
            self.issued.retain(|_, issued| issued.expires_ms > now_ms);
        }
        let expires_ms = now_ms.saturating_add(lifetime_s.saturating_mul(1000));
        let token = jwt_shaped(issuer, client_id, now_ms / 1000, expires_ms / 1000);
        self.issued.insert(
            token.clone(),
            Issued { client_id: client_id.to_owned(), secret_id: secret_id.to_owned(), issued_ms: now_ms, expires_ms },
        );
        token
    }

    pub(super) fn find(&self, token: &str, now_ms: u64) -> Option<&Issued> {
        self.issued.get(token).filter(|issued| issued.expires_ms > now_ms)
    }

    /// The record of a token, also if the token has expired.
    pub(super) fn issued(&self, token: &str) -> Option<&Issued> {
        self.issued.get(token)
    }

    /// The valid tokens, newest first, at most `max`.
    pub(super) fn shown(&self, now_ms: u64, max: usize) -> Vec<Shown> {
        let mut shown: Vec<_> = self.issued.iter().filter(|(_, issued)| issued.expires_ms > now_ms).collect();
        shown.sort_by_key(|(token, issued)| (Reverse(issued.issued_ms), *token));
        let last = |token: &str| format!("…{}", token.get(token.len().saturating_sub(8)..).unwrap_or_default());
        let described = |(token, issued): (&String, &Issued)| Shown {
            client_id: issued.client_id.clone(),
            secret_id: issued.secret_id.clone(),
            token: last(token),
            issued_ms: issued.issued_ms,
            expires_ms: issued.expires_ms,
        };
        shown.into_iter().take(max).map(described).collect()
    }

    /// Revokes `token` if it was issued to this client; otherwise does nothing.
    pub(super) fn revoke(&mut self, token: &str, client_id: &str) {
        if self.issued.get(token).is_some_and(|issued| issued.client_id == client_id) {
            self.issued.remove(token);
        }
    }

    pub(super) fn revoke_where(&mut self, is_revoked: impl Fn(&Issued) -> bool) {
        self.issued.retain(|_, issued| !is_revoked(issued));
    }

    pub(super) fn valid_count(&self, now_ms: u64) -> u64 {
        self.count(|issued| issued.expires_ms > now_ms)
    }

    pub(super) fn valid_count_of(&self, client_id: &str, now_ms: u64) -> u64 {
        self.count(|issued| issued.expires_ms > now_ms && issued.client_id == client_id)
    }

    fn count(&self, is_counted: impl Fn(&Issued) -> bool) -> u64 {
        self.issued.values().filter(|issued| is_counted(issued)).count() as u64
    }
}

/// Returns a token in the format of the ES512 JWT that Atlas issues. The signature is random bytes:
/// clients must treat tokens as opaque.
fn jwt_shaped(issuer: &str, client_id: &str, issued_s: u64, expires_s: u64) -> String {
    let header = json!({ "alg": "ES512", "kid": "emulator", "typ": "JWT" });
    let claims = json!({
        "iss": issuer, "aud": "api://admin", "sub": client_id, "cid": client_id,
        "iat": issued_s, "exp": expires_s, "jti": random::hex(32),
    });
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    // An ES512 signature is 132 bytes long.
    format!("{}.{}.{}", part(header.to_string().as_bytes()), part(claims.to_string().as_bytes()), part(&random::bytes(132)))
}
