//! The flags that select the token, shared by all commands that return one.

use clap::Args;
use std::time::Duration;
use tokenwell::TokenOptions;

#[derive(Args)]
#[command(next_help_heading = "Token")]
pub(crate) struct TokenFlags {
    /// Minimum remaining validity of the token, for example 90s or 10m
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    min_ttl: Option<Duration>,

    /// Maximum time to wait for the token, for example 5s [default: 30s] [env: TOKENWELL_TIMEOUT_MS,
    /// in milliseconds]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,

    /// Get a new token instead of the cached one
    #[arg(long)]
    force_refresh: bool,
}

impl TokenFlags {
    pub(crate) fn options(&self) -> TokenOptions {
        let mut options = TokenOptions::default().force_refresh(self.force_refresh);
        if let Some(min_ttl) = self.min_ttl {
            options = options.min_ttl(min_ttl);
        }
        if let Some(timeout) = self.timeout {
            options = options.deadline(timeout);
        }
        options
    }
}

pub(crate) fn duration(value: &str) -> Result<Duration, String> {
    humantime::parse_duration(value)
        .map_err(|_| format!("`{value}` is not a duration: write a number and a unit, for example 500ms, 90s, 10m or 1h"))
}
