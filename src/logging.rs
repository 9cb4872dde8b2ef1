//! What is needed to show the library's log events (crate `tracing`), for programs that bring no subscriber of their own.
//!
//! May depend on: nothing. Start reading at [`is_ours`].

use std::fmt::{self, Write as _};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata};

/// Whether an event comes from this library. The libraries beneath it log headers and URLs at their finer levels, and those hold secrets.
#[must_use]
pub fn is_ours(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    metadata.is_event() && (target == "tokenwell" || target.starts_with("tokenwell::"))
}

/// The message of `event`, and its fields behind it as `name=value`. Neither a secret nor a token can be in it: the types that hold them do not print.
#[must_use]
pub fn line_of(event: &Event<'_>) -> String {
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
