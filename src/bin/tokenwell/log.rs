//! Log messages on standard error; `-v` raises the level.

use crate::reminder;
use std::fmt;
use std::io::{self, Write as _};
use std::time::Duration;
use tokenwell::error::{duration_text, printable};
use tokenwell::logging::{format_event, is_library_event};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// The verbosity for `--quiet`: only errors.
pub(crate) const QUIET: u8 = u8::MAX;

/// Starts logging: warnings and errors by default, with one `-v` also a line for each request and
/// each use of the token cache, with two also the version and the source of each setting.
/// `reports_cache`: whether the
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
            _ if is_cache_warning(metadata) => !self.verbose && self.reports_cache,
            _ => false,
        };
        is_library_event(metadata) && !duplicate && *metadata.level() <= self.max_level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(self.max_level))
    }

    fn event(&self, event: &Event<'_>) {
        if *event.metadata().level() == Level::WARN && is_cache_warning(event.metadata()) && !self.verbose {
            let message = format_event(event);
            if !reminder::is_due(&message) {
                return;
            }
        }
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        let line = Request::of(event).map_or_else(|| format_event(event), |request| request.line());
        // A failed log write does not fail the command.
        let _ = writeln!(io::stderr().lock(), "tokenwell: {level}: {}", printable(&line, 4000));
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}
    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
    fn enter(&self, _span: &Id) {}
    fn exit(&self, _span: &Id) {}
}

/// Whether an event says that the token cache is not used.
fn is_cache_warning(metadata: &Metadata<'_>) -> bool {
    matches!(metadata.target(), "tokenwell::client" | "tokenwell::cache::process")
}

/// A request in the log: one line with what matters to the user.
#[derive(Default)]
struct Request {
    method: String,
    url: String,
    attempt: u64,
    elapsed_ms: u64,
    status: Option<u64>,
    outcome: String,
}

impl Request {
    fn of(event: &Event<'_>) -> Option<Self> {
        let mut request = Self::default();
        event.record(&mut request);
        (!request.method.is_empty() && !request.url.is_empty()).then_some(request)
    }

    fn line(&self) -> String {
        let result = match self.status {
            Some(status) => format!("HTTP {status}"),
            None => format!("no usable response ({})", self.outcome),
        };
        let attempt = if self.attempt > 1 { format!(", attempt {}", self.attempt) } else { String::new() };
        format!("{} {}: {result} after {}{attempt}", self.method, self.url, duration_text(Duration::from_millis(self.elapsed_ms)))
    }
}

impl Visit for Request {
    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "attempt" => self.attempt = value,
            "elapsed_ms" => self.elapsed_ms = value,
            "status" => self.status = Some(value),
            _ => {}
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "method" => value.clone_into(&mut self.method),
            "url" => value.clone_into(&mut self.url),
            "outcome" => value.clone_into(&mut self.outcome),
            _ => {}
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn fmt::Debug) {}
}

/// A fact at the second level of `-v`: what this command decided, and from what.
pub(crate) fn detail(message: &str) {
    tracing::trace!(target: "tokenwell::command", "{message}");
}
