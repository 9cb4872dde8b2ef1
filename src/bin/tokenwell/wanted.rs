//! The flags that say what token is wanted: the same for every command that hands one out.

use clap::Args;
use std::time::Duration;
use tokenwell::TokenOptions;

#[derive(Args)]
#[command(next_help_heading = "Which token")]
pub(crate) struct Wanted {
    /// For how long the token must still live: 90s, 10m
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    min_ttl: Option<Duration>,

    /// How long to wait for it
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,

    /// Get another token than the one that is kept
    #[arg(long)]
    force_refresh: bool,
}

impl Wanted {
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
