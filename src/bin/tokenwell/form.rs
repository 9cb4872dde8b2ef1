//! A token as text, in the forms that programs read.

use clap::ValueEnum;
use std::time::SystemTime;
use tokenwell::Token;
use zeroize::Zeroizing;

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Form {
    /// The token alone
    Raw,
    /// A header line: Authorization: Bearer …
    Header,
    /// A line for curl --config
    Curl,
    /// An object with access_token, token_type, expires_in and expires_at
    Json,
}

impl Form {
    pub(crate) fn of(self, token: &Token) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Self::Raw => token.value().to_owned(),
            Self::Header => format!("Authorization: {}", token.authorization()),
            // Between its quotes curl takes a backslash as the beginning of an escape.
            Self::Curl => format!("header = \"Authorization: {}\"", token.authorization().replace('\\', "\\\\").replace('"', "\\\"")),
            Self::Json => {
                let left = token.expires_at().duration_since(SystemTime::now()).unwrap_or_default();
                serde_json::json!({
                    "access_token": token.value(),
                    "token_type": "Bearer",
                    "expires_in": left.as_secs(),
                    "expires_at": ends_at(token),
                })
                .to_string()
            }
        })
    }
}

/// When the token ends: `2026-11-24T07:30:00Z`.
pub(crate) fn ends_at(token: &Token) -> String {
    humantime::format_rfc3339_seconds(token.expires_at()).to_string()
}
