//! `tokenwell token`: one live token on standard output.

use crate::failure::Failure;
use crate::output;
use crate::settings::Settings;
use clap::{Args as ClapArgs, ValueEnum};
use std::time::{Duration, SystemTime};
use tokenwell::{Token, TokenOptions};
use zeroize::Zeroizing;

/// Print a live access token
///
/// Nothing but the token goes to standard output. Examples:
///
///   curl --config <(tokenwell token --format curl) https://cloud.mongodb.com/api/atlas/v2/orgs
///
///   MONGODB_ATLAS_ACCESS_TOKEN=$(tokenwell token) terraform plan
#[derive(ClapArgs)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Raw)]
    format: Format,

    /// For how long the token must still live: 90s, 10m
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    min_ttl: Option<Duration>,

    /// How long to wait for it
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,

    /// Get another token than the one that is kept
    #[arg(long)]
    force_refresh: bool,

    #[command(flatten)]
    settings: Settings,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// The token alone
    Raw,
    /// A header line: Authorization: Bearer …
    Header,
    /// A line for curl --config
    Curl,
    /// An object with access_token, token_type, expires_in and expires_at
    Json,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let client = args.settings.client()?;
    let mut options = TokenOptions::default().force_refresh(args.force_refresh);
    if let Some(min_ttl) = args.min_ttl {
        options = options.min_ttl(min_ttl);
    }
    if let Some(timeout) = args.timeout {
        options = options.deadline(timeout);
    }
    output::line(&shown(&client.token(&options)?, args.format))
}

fn shown(token: &Token, format: Format) -> Zeroizing<String> {
    Zeroizing::new(match format {
        Format::Raw => token.value().to_owned(),
        Format::Header => format!("Authorization: {}", token.authorization()),
        // Between its quotes curl takes a backslash as the beginning of an escape.
        Format::Curl => format!("header = \"Authorization: {}\"", token.authorization().replace('\\', "\\\\").replace('"', "\\\"")),
        Format::Json => {
            let left = token.expires_at().duration_since(SystemTime::now()).unwrap_or_default();
            serde_json::json!({
                "access_token": token.value(),
                "token_type": "Bearer",
                "expires_in": left.as_secs(),
                "expires_at": humantime::format_rfc3339_seconds(token.expires_at()).to_string(),
            })
            .to_string()
        }
    })
}
