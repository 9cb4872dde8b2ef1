//! The output formats of a token.

use clap::ValueEnum;
use std::time::SystemTime;
use tokenwell::Token;
use zeroize::Zeroizing;

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
    pub(crate) fn of(self, token: &Token) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Self::Raw => token.value().to_owned(),
            Self::Header => format!("Authorization: {}", token.authorization()),
            // In a quoted value of a curl config file, a backslash starts an escape.
            Self::Curl => format!("header = \"Authorization: {}\"", token.authorization().replace('\\', "\\\\").replace('"', "\\\"")),
            Self::Json => {
                let left = token.expires_at().duration_since(SystemTime::now()).unwrap_or_default();
                serde_json::json!({
                    "access_token": token.value(),
                    "token_type": "Bearer",
                    "expires_in": left.as_secs(),
                    "expires_at": expiry(token),
                })
                .to_string()
            }
        })
    }
}

/// The time at which the token expires: `2026-11-24T07:30:00Z`.
pub(crate) fn expiry(token: &Token) -> String {
    humantime::format_rfc3339_seconds(token.expires_at()).to_string()
}
