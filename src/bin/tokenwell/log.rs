//! Log messages on standard error; `-v` raises the level.

use std::io::{self, Write as _};
use tokenwell::error::printable;
use tokenwell::logging::{format_event, is_library_event};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// The verbosity for `--quiet`: only errors.
pub(crate) const QUIET: u8 = u8::MAX;

/// Starts logging: warnings and errors by default, debug messages with one `-v`, all messages with
/// two. The library currently has no messages below the debug level. `reports_cache`: whether the
/// command shows warnings about the cache in its result.
///
/// An event contains no secret and no token: their types cannot be printed.
pub(crate) fn start(verbosity: u8, reports_cache: bool) {
    let max_level = match verbosity {
        QUIET => Level::ERROR,
        0 => Level::WARN,
        1 => Level::DEBUG,
        _ => Level::TRACE,
    };
    // This cannot fail: no other subscriber is set this early in the process.
    let _ = tracing::subscriber::set_global_default(StandardErrorLog {
        max_level,
        verbose: verbosity > 0 && verbosity != QUIET,
        reports_cache,
    });
}

struct StandardErrorLog {
    max_level: Level,
    verbose: bool,
    reports_cache: bool,
}

impl Subscriber for StandardErrorLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // The command reports a failed request as its error, and `doctor` reports a cache that
        // cannot be used in its table.
        let duplicate = match metadata.target() {
            "tokenwell::refusal" => !self.verbose,
            "tokenwell::client" | "tokenwell::cache::process" => !self.verbose && self.reports_cache,
            _ => false,
        };
        is_library_event(metadata) && !duplicate && *metadata.level() <= self.max_level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(self.max_level))
    }

    fn event(&self, event: &Event<'_>) {
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        // A failed log write does not fail the command.
        let _ = writeln!(io::stderr().lock(), "tokenwell: {level}: {}", printable(&format_event(event), 4000));
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}
    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
    fn enter(&self, _span: &Id) {}
    fn exit(&self, _span: &Id) {}
}
