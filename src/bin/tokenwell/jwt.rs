//! The claims of a token that is a JWT (RFC 7519), for people. Nothing is verified.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use std::time::{Duration, SystemTime};
use tokenwell::error::{duration_text, printable};

pub(crate) struct Claims {
    pub(crate) all: Map<String, Value>,
}

/// Decodes the claims of `token`; `None` if it is not a JWT.
pub(crate) fn claims(token: &str) -> Option<Claims> {
    let parts: Vec<_> = token.split('.').collect();
    let [header, payload, _signature] = parts.as_slice() else { return None };
    let object = |part: &str| serde_json::from_slice::<Map<String, Value>>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
    object(header)?.get("alg")?;
    Some(Claims { all: object(payload)? })
}

impl Claims {
    /// The client that the token was issued to (RFC 9068 section 2.2; `cid` at Atlas), escaped for
    /// display.
    pub(crate) fn client_id(&self) -> Option<String> {
        ["client_id", "cid", "azp"].into_iter().find_map(|name| text(self.all.get(name)?))
    }

    /// The claims that say who, for whom and until when, in a fixed order.
    pub(crate) fn known(&self) -> Vec<(&'static str, String)> {
        const TEXTS: [&str; 7] = ["sub", "iss", "aud", "azp", "client_id", "cid", "scope"];
        const TIMES: [&str; 3] = ["iat", "nbf", "exp"];
        let texts = TEXTS.iter().filter_map(|name| Some((*name, text(self.all.get(*name)?)?)));
        let times = TIMES.iter().filter_map(|name| Some((*name, time(self.all.get(*name)?, SystemTime::now())?)));
        texts.chain(times).collect()
    }
}

/// A string, or a list of strings such as of several audiences.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(printable(text, 300)),
        Value::Array(all) => Some(all.iter().filter_map(Value::as_str).map(|one| printable(one, 300)).collect::<Vec<_>>().join(", ")),
        _ => None,
    }
}

/// A NumericDate: seconds since the epoch, possibly with a fraction.
fn time(value: &Value, now: SystemTime) -> Option<String> {
    // Until the year 9999, the last one that the format has.
    let seconds = value.as_f64().filter(|seconds| (0.0..253_402_300_800.0).contains(seconds))?;
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds.floor());
    let distance = match at.duration_since(now) {
        Ok(left) => format!("in {}", duration_text(Duration::from_secs(left.as_secs()))),
        Err(ago) => format!("{} ago", duration_text(Duration::from_secs(ago.duration().as_secs()))),
    };
    Some(format!("{} ({distance})", humantime::format_rfc3339_seconds(at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(header: &str, payload: &str) -> String {
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn claims_of_a_jwt_are_decoded() {
        let claims = claims(&encoded(r#"{"alg":"RS256"}"#, r#"{"sub":"s\u001b","aud":["a","b"],"exp":1800000000.5,"groups":["g"]}"#));

        let known = claims.map(|claims| claims.known()).unwrap_or_default();
        assert_eq!(known[..2], [("sub", "s\\u{1b}".to_owned()), ("aud", "a, b".to_owned())]);
        assert!(known[2].1.starts_with("2027-01-15T08:00:00Z ("), "{known:?}");
        assert_eq!(known.len(), 3);
    }

    #[test]
    fn other_tokens_have_no_claims() {
        let object = r#"{"alg":"RS256"}"#;
        let [array, broken] = ["[1]", "{"].map(|payload| encoded(object, payload));
        for token in ["opaque", "a.b.c", "", "..", &array, &broken, &encoded("{}", "{}"), &format!("{}.x", encoded(object, "{}"))] {
            assert!(claims(token).is_none(), "{token}");
        }
    }

    #[test]
    fn impossible_times_are_left_out() {
        for number in ["-1", "1e300", "\"soon\"", "253402300800"] {
            let value = serde_json::from_str(number).unwrap_or_default();
            assert_eq!(time(&value, SystemTime::UNIX_EPOCH), None, "{number}");
        }
        assert_eq!(time(&serde_json::json!(60), SystemTime::UNIX_EPOCH), Some("1970-01-01T00:01:00Z (in 1 min)".to_owned()));
    }
}
