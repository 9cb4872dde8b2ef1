//! The flags that select the token, shared by all commands that return one.

use crate::failure::Failure;
use crate::session::Session;
use crate::settings::Settings;
use clap::Args;
use std::time::Duration;
use tokenwell::error::{duration_text, printable};
use tokenwell::{Token, TokenOptions};

#[derive(Args)]
#[command(next_help_heading = "Token")]
pub(crate) struct TokenFlags {
    /// Minimum remaining validity of the token, for example 90s or 10m
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    min_ttl: Option<Duration>,

    /// Get a new token instead of the cached one
    #[arg(long)]
    force_refresh: bool,
}

impl TokenFlags {
    /// The token that the flags ask for.
    ///
    /// A cached token is taken without a refresh, which would need a second thread. Not with --timeout:
    /// reading a cache that hangs may take longer than the user wants to wait.
    pub(crate) fn token(&self, session: &Session, settings: &Settings) -> Result<Token, Failure> {
        if !self.force_refresh && settings.timeout().is_none() {
            session.read_cache();
        }
        session.token(&self.options(settings))
    }

    /// The options of a call. `settings` has the time that the user wants to wait at most.
    fn options(&self, settings: &Settings) -> TokenOptions {
        let mut options = TokenOptions::default().force_refresh(self.force_refresh);
        if let Some(min_ttl) = self.min_ttl {
            options = options.min_ttl(min_ttl);
        }
        if let Some(timeout) = settings.timeout() {
            options = options.deadline(timeout);
        }
        options
    }
}

/// The limits of the setting `timeout_ms` (docs/configuration.md).
const TIMEOUTS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(600));

/// Parses a timeout.
pub(crate) fn timeout(value: &str) -> Result<Duration, String> {
    let timeout = duration(value)?;
    let (shortest, longest) = TIMEOUTS;
    if (shortest..=longest).contains(&timeout) {
        return Ok(timeout);
    }
    let problem = if timeout < shortest { "too short" } else { "too long" };
    Err(format!("`{}` is {problem}: a timeout is from {} to {}", printable(value, 80), duration_text(shortest), duration_text(longest)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_the_flag_are_those_of_the_setting() {
        let about = tokenwell::config::settings().find(|setting| setting.name() == "timeout_ms").map(|setting| setting.about());
        let (shortest, longest) = TIMEOUTS;

        let documented = format!("whole milliseconds, {} to {}; default 30000", shortest.as_millis(), longest.as_millis());
        assert_eq!(about, Some(documented.as_str()));
        assert_eq!((timeout("1ms"), timeout("10m")), (Ok(shortest), Ok(longest)));
        for wrong in ["0s", "0ms", "500us", "10m 1ms", "20m", "1h"] {
            assert!(timeout(wrong).is_err_and(|problem| problem.contains("from 1 ms to 10 min")), "{wrong}: {:?}", timeout(wrong));
        }
    }
}
