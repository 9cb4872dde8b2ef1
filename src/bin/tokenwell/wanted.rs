//! The flags that select the token, shared by all commands that return one.

use clap::Args;
use std::time::Duration;
use tokenwell::TokenOptions;
use tokenwell::error::printable;

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

/// Parses a duration with its unit. A bare number and `M`, which humantime reads as months, are
/// errors: they could mean something else.
pub(crate) fn duration(value: &str) -> Result<Duration, String> {
    let shown = printable(value, 80);
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("`{shown}` has no unit: it could be seconds or minutes; write {shown}s or {shown}m"));
    }
    if let Some(number) = value.strip_suffix('M').filter(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())) {
        let number = printable(number, 80);
        return Err(format!("`{shown}` is ambiguous: write {number}m for minutes or {number}months for months"));
    }
    humantime::parse_duration(value)
        .map_err(|_| format!("`{shown}` is not a duration: write a number and a unit, for example 500ms, 90s, 10m or 1h"))
}
