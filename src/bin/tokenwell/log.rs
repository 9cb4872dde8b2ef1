//! What happens on the way, to standard error, for those who ask for it with `-v`.

use std::io::{self, Write as _};
use tokenwell::error::printable;
use tokenwell::logging::{format_event, is_library_event};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Shows events from now on: by default what nobody else tells, with one `-v` what is done, with two all there is.
///
/// Neither a secret nor a token can be in an event: the types that hold them do not print.
pub(crate) fn start(verbosity: u8) {
    let most = match verbosity {
        0 => Level::WARN,
        1 => Level::DEBUG,
        _ => Level::TRACE,
    };
    // Another subscriber cannot be there: this is the process's first act.
    let _ = tracing::subscriber::set_global_default(ToStandardError { most, asked_for: verbosity > 0 });
}

struct ToStandardError {
    most: Level,
    asked_for: bool,
}

impl Subscriber for ToStandardError {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // A failed request is the command's own error, which it tells at its end.
        let told_anyway = !self.asked_for && metadata.target() == "tokenwell::refusal";
        is_library_event(metadata) && !told_anyway && *metadata.level() <= self.most
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(self.most))
    }

    fn event(&self, event: &Event<'_>) {
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        // A log that cannot be written is no reason to fail.
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
