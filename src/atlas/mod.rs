//! The specifics of MongoDB Atlas: URLs, limits and error formats.
//!
//! May depend on: nothing else of the library. Opens no connection. Start reading at the constants;
//! `Refusal` parses both formats of an error body.

use serde_json::Value;
use std::time::Duration;

/// The URL of Atlas and Cloud Manager.
pub const CLOUD: &str = "https://cloud.mongodb.com";

/// The URL of Atlas for Government. A service account belongs to one of the two servers.
pub const GOVERNMENT_CLOUD: &str = "https://cloud.mongodbgov.com";

/// The path of the token endpoint, relative to the base URL.
pub const TOKEN_PATH: &str = "/api/oauth/token";

/// The path of the revocation endpoint, relative to the base URL.
pub const REVOKE_PATH: &str = "/api/oauth/revoke";

/// The maximum number of tokens of one service account that are valid at the same time.
pub const MAX_VALID_TOKENS: u32 = 100;

/// How long to wait after a rate limit without a stated delay, and after the token limit was
/// reached.
pub const COOLDOWN: Duration = Duration::from_secs(60);

/// The maximum delay that a server's response can cause.
pub const LONGEST_COOLDOWN: Duration = Duration::from_secs(60 * 60);

/// The content of an error body in one of two formats, that of RFC 6749 section 5.2 and that of the
/// Admin API:
///
/// ```text
/// {"error":"invalid_client","error_description":…}
/// {"error":429,"errorCode":"RATE_LIMITED","reason":…,"detail":…,"parameters":[path, requests, minutes]}
/// ```
///
/// The strings are unchanged and must be escaped before they are printed.
#[derive(Debug, Default)]
pub(crate) struct Refusal {
    /// The OAuth error code: `invalid_client`.
    pub(crate) code: Option<String>,
    /// The Admin API's error code: `RATE_LIMITED`.
    pub(crate) api_code: Option<String>,
    /// Whether the body is in the format of the Admin API, in which both codes may be missing.
    pub(crate) is_api_error: bool,
    /// The server's description; may be empty.
    pub(crate) description: String,
    /// The period that a rate limit counts requests in, if the body contains it.
    pub(crate) window: Option<Duration>,
}

impl Refusal {
    /// Parses an error body. All members are empty for a body in neither format.
    pub(crate) fn read(body: &[u8]) -> Self {
        let Ok(Value::Object(members)) = serde_json::from_slice::<Value>(body) else {
            return Self::default();
        };
        let string = |name: &str| members.get(name).and_then(Value::as_str).filter(|value| !value.is_empty());

        let description = ["error_description", "detail", "reason"].into_iter().find_map(string).unwrap_or_default();
        let window = members.get("parameters").and_then(window_in_parameters).or_else(|| window_in_description(description));
        Self {
            code: string("error").map(str::to_owned),
            api_code: string("errorCode").map(str::to_owned),
            is_api_error: string("errorCode").is_some() || members.get("error").is_some_and(Value::is_u64),
            description: description.to_owned(),
            window,
        }
    }

    /// Whether this is the limit of valid tokens. Atlas uses `access_denied` for this limit and for
    /// a denied request, so only the description distinguishes the two.
    pub(crate) fn is_token_limit(&self) -> bool {
        let words = format!("{} {}", self.description, self.api_code.as_deref().unwrap_or_default()).to_ascii_lowercase();
        words.contains("token") && ["limit", "maximum", "too many"].into_iter().any(|phrase| words.contains(phrase))
    }
}

/// `["/api/oauth/token", 50, 1]`: the path, the requests and the minutes.
fn window_in_parameters(parameters: &Value) -> Option<Duration> {
    let minutes = parameters.as_array()?.get(2)?;
    minutes_long(minutes.as_u64().or_else(|| minutes.as_str()?.parse().ok())?)
}

/// `… 10 requests every 1 minute …`
fn window_in_description(description: &str) -> Option<Duration> {
    let description = description.to_ascii_lowercase();
    if !description.contains("request") {
        return None;
    }
    let words: Vec<&str> =
        description.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.windows(2).filter(|pair| pair[1].starts_with("minute")).find_map(|pair| minutes_long(pair[0].parse().ok()?))
}

fn minutes_long(minutes: u64) -> Option<Duration> {
    (minutes > 0).then(|| Duration::from_secs(minutes.saturating_mul(60)).min(LONGEST_COOLDOWN))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn the_oauth_format_is_parsed() {
        let refusal = Refusal::read(br#"{"error":"rate_limited","error_description":"Too many: 10 requests in 5 minutes are allowed."}"#);

        assert_eq!(refusal.code.as_deref(), Some("rate_limited"));
        assert_eq!(refusal.description, "Too many: 10 requests in 5 minutes are allowed.");
        assert_eq!(refusal.window, Some(Duration::from_secs(300)));
    }

    #[test]
    fn the_admin_api_format_is_parsed() {
        let refusal = Refusal::read(
            br#"{"error":429,"errorCode":"RATE_LIMITED","reason":"Too Many Requests","detail":"Slow down","parameters":["/api/oauth/token",50,2]}"#,
        );

        assert_eq!(refusal.code, None);
        assert_eq!(refusal.api_code.as_deref(), Some("RATE_LIMITED"));
        assert_eq!(refusal.description, "Slow down");
        assert_eq!(refusal.window, Some(Duration::from_secs(120)));
    }

    #[test]
    fn a_body_in_neither_format_is_empty() {
        let bodies: [&[u8]; 6] = [b"", b"<html>", b"[1]", b"\"string\"", b"{\"error\":null,\"parameters\":3}", b"\xff\xfe"];
        for body in bodies {
            let refusal = Refusal::read(body);

            assert!(refusal.code.is_none() && refusal.api_code.is_none() && refusal.window.is_none(), "{body:?}");
            assert_eq!(refusal.description, "", "{body:?}");
        }
    }

    #[test]
    fn a_window_requires_requests_and_minutes() {
        let cases = [
            ("10 requests per 1 minute", Some(60)),
            ("At most 50 requests in a 15-minute window", Some(900)),
            ("10 requests per 900 minutes", Some(3600)),
            ("10 requests per 99999999999999999999 minutes", None),
            ("10 requests per 0 minutes", None),
            ("10 requests per minute", None),
            ("come back in 5 minutes", None),
            ("10 requests per 30 seconds", None),
        ];
        for (description, seconds) in cases {
            assert_eq!(window_in_description(description), seconds.map(Duration::from_secs), "{description}");
        }
    }

    #[test]
    fn the_token_limit_is_distinguished_from_a_denied_request() {
        let is_limit = |description: &str| Refusal { description: description.to_owned(), ..Refusal::default() }.is_token_limit();

        assert!(is_limit("The access token limit has been reached for this service account."));
        assert!(is_limit("Maximum number of active tokens (100) reached"));
        assert!(!is_limit("The user is not allowed to do this."));
        assert!(!is_limit("The project limit is reached"));
    }
}
