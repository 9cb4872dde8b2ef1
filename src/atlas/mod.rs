//! What is particular to MongoDB Atlas: where it listens, what it limits, how it words a refusal.
//!
//! May depend on: nothing else of the library. Opens no connection.
//! Start reading at the constants; `Refusal` reads both shapes of an error body.

use serde_json::Value;
use std::time::Duration;

/// Where Atlas (and Cloud Manager) listens.
pub const CLOUD: &str = "https://cloud.mongodb.com";

/// Where Atlas for Government listens. A service account belongs to one of the two.
pub const GOVERNMENT_CLOUD: &str = "https://cloud.mongodbgov.com";

/// The token endpoint's path under the base URL.
pub const TOKEN_PATH: &str = "/api/oauth/token";

/// The revocation endpoint's path under the base URL.
pub const REVOKE_PATH: &str = "/api/oauth/revoke";

/// How many tokens of one service account may live at a time.
pub const LIVE_TOKENS: u32 = 100;

/// How long to wait after a rate limit that names no end, and after the limit of live tokens was met.
pub const COOLDOWN: Duration = Duration::from_secs(60);

/// The longest wait that a server's words can impose.
pub const LONGEST_COOLDOWN: Duration = Duration::from_secs(60 * 60);

/// What an error body says, in whichever of the two shapes it came:
/// `{"error":"invalid_client","error_description":…}` (RFC 6749 section 5.2), or the Admin API's
/// `{"error":429,"errorCode":"RATE_LIMITED","reason":…,"detail":…,"parameters":[path, requests, minutes]}`.
///
/// The texts are the server's own: not yet safe to print.
#[derive(Debug, Default)]
pub(crate) struct Refusal {
    /// The OAuth error code: `invalid_client`.
    pub(crate) code: Option<String>,
    /// The Admin API's error code: `RATE_LIMITED`.
    pub(crate) api_code: Option<String>,
    /// What the server says about it; may be empty.
    pub(crate) description: String,
    /// For how long the limit looks back, where the body names it.
    pub(crate) window: Option<Duration>,
}

impl Refusal {
    /// Reads what can be read; a body in neither shape says nothing.
    pub(crate) fn read(body: &[u8]) -> Self {
        let Ok(Value::Object(members)) = serde_json::from_slice::<Value>(body) else {
            return Self::default();
        };
        let text = |name: &str| members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());

        let description = ["error_description", "detail", "reason"].into_iter().find_map(text).unwrap_or_default();
        let window = members.get("parameters").and_then(window_in_parameters).or_else(|| window_in_words(description));
        Self {
            code: text("error").map(str::to_owned),
            api_code: text("errorCode").map(str::to_owned),
            description: description.to_owned(),
            window,
        }
    }

    /// Whether the words are those of the limit of live tokens. Atlas says `access_denied` both for that and for
    /// what really is denied, so that only the text tells.
    pub(crate) fn speaks_of_token_limit(&self) -> bool {
        let words = format!("{} {}", self.description, self.api_code.as_deref().unwrap_or_default()).to_ascii_lowercase();
        words.contains("token") && ["limit", "maximum", "too many"].into_iter().any(|sign| words.contains(sign))
    }
}

/// `["/api/oauth/token", 50, 1]`: the path, the requests and the minutes.
fn window_in_parameters(parameters: &Value) -> Option<Duration> {
    let minutes = parameters.as_array()?.get(2)?;
    minutes_long(minutes.as_u64().or_else(|| minutes.as_str()?.parse().ok())?)
}

/// `… 10 requests every 1 minute …`
fn window_in_words(text: &str) -> Option<Duration> {
    let text = text.to_ascii_lowercase();
    if !text.contains("request") {
        return None;
    }
    let words: Vec<&str> = text.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
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
    fn the_oauth_shape_is_read() {
        let refusal = Refusal::read(br#"{"error":"rate_limited","error_description":"Too many: 10 requests in 5 minutes are allowed."}"#);

        assert_eq!(refusal.code.as_deref(), Some("rate_limited"));
        assert_eq!(refusal.description, "Too many: 10 requests in 5 minutes are allowed.");
        assert_eq!(refusal.window, Some(Duration::from_secs(300)));
    }

    #[test]
    fn the_admin_api_shape_is_read() {
        let refusal = Refusal::read(
            br#"{"error":429,"errorCode":"RATE_LIMITED","reason":"Too Many Requests","detail":"Slow down","parameters":["/api/oauth/token",50,2]}"#,
        );

        assert_eq!(refusal.code, None);
        assert_eq!(refusal.api_code.as_deref(), Some("RATE_LIMITED"));
        assert_eq!(refusal.description, "Slow down");
        assert_eq!(refusal.window, Some(Duration::from_secs(120)));
    }

    #[test]
    fn a_body_in_neither_shape_says_nothing() {
        let bodies: [&[u8]; 6] = [b"", b"<html>", b"[1]", b"\"text\"", b"{\"error\":null,\"parameters\":3}", b"\xff\xfe"];
        for body in bodies {
            let refusal = Refusal::read(body);

            assert!(refusal.code.is_none() && refusal.api_code.is_none() && refusal.window.is_none(), "{body:?}");
            assert_eq!(refusal.description, "", "{body:?}");
        }
    }

    #[test]
    fn a_window_is_only_what_names_requests_and_minutes() {
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
        for (text, seconds) in cases {
            assert_eq!(window_in_words(text), seconds.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn the_token_limit_is_told_from_what_is_denied() {
        let spoken = |description: &str| Refusal { description: description.to_owned(), ..Refusal::default() }.speaks_of_token_limit();

        assert!(spoken("The access token limit has been reached for this service account."));
        assert!(spoken("Maximum number of active tokens (100) reached"));
        assert!(!spoken("The user is not allowed to do this."));
        assert!(!spoken("The project limit is reached"));
    }
}
