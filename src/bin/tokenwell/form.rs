//! The output formats of a token.

use crate::wiped::Wiped;
use clap::ValueEnum;
use serde::Serialize;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokenwell::Token;

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Form {
    /// The token
    Raw,
    /// The header line `Authorization: Bearer …`
    Header,
    /// A line for curl --config
    Curl,
    /// A JSON object: access_token, token_type, expires_in, expires_at
    Json,
}

impl Form {
    pub(crate) fn of(self, token: &Token) -> Wiped {
        match self {
            Self::Raw => Wiped::of(&[token.value()]),
            Self::Header => Wiped::of(&["Authorization: ", token.authorization()]),
            Self::Curl => {
                let mut line = Wiped::of(&["header = \"Authorization: "]);
                // In a quoted value of a curl config file, a backslash starts an escape.
                line.push_replaced(token.authorization(), |character| match character {
                    '\\' => Some("\\\\"),
                    '"' => Some("\\\""),
                    _ => None,
                });
                line.push("\"");
                line
            }
            Self::Json => {
                let left = token.expires_at().duration_since(SystemTime::now()).unwrap_or_default();
                json(token, Some(left.as_secs()))
            }
        }
    }
}

/// The token as a JSON object.
pub(crate) fn json(token: &Token, expires_in: Option<u64>) -> Wiped {
    // A lifetime that the server did not state is not known.
    let is_known = token.is_lifetime_stated();
    let object = Object {
        access_token: token.value(),
        expires_at: is_known.then(|| expiry(token)),
        expires_in: expires_in.map(|seconds| is_known.then_some(seconds)),
        scope: token.scope(),
        token_type: "Bearer",
    };
    let mut text = Wiped::default();
    // Neither the buffer nor these types can fail.
    let _ = serde_json::to_writer(&mut text, &object);
    text
}

#[derive(Serialize)]
struct Object<'a> {
    access_token: &'a str,
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<Option<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    token_type: &'static str,
}

/// The time at which the token expires: `2026-11-24T07:30:00Z`.
pub(crate) fn expiry(token: &Token) -> String {
    humantime::format_rfc3339_seconds(token.expires_at()).to_string()
}

/// Milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// Without the units that do not matter for days or hours.
pub(crate) fn rounded(left: Duration) -> Duration {
    let unit = match left.as_secs() {
        86_400.. => 86_400,
        3_600.. => 3_600,
        60.. => 60,
        _ => 1,
    };
    Duration::from_secs(left.as_secs() / unit * unit)
}
