//! Helpers that format the library's log events (crate `tracing`), for programs without a
//! subscriber.
//!
//! May depend on: nothing. Start reading at [`is_library_event`].

use std::fmt::{self, Write as _};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata};

/// Returns whether an event comes from this library. The underlying libraries log headers and URLs,
/// which contain secrets, at their finer levels.
#[must_use]
pub fn is_library_event(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    metadata.is_event() && (target == "tokenwell" || target.starts_with("tokenwell::"))
}

/// Formats the message of `event`, followed by its fields as `name=value`. The result contains no
/// secret and no token, because the types that contain them do not print them.
#[must_use]
pub fn format_event(event: &Event<'_>) -> String {
    let mut line = Line(String::new());
    event.record(&mut line);
    line.0
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let separator = if self.0.is_empty() { "" } else { " " };
        // Writing to a String cannot fail.
        let _ = if field.name() == "message" {
            write!(self.0, "{separator}{value:?}")
        } else {
            write!(self.0, "{separator}{}={value:?}", field.name())
        };
    }
}
