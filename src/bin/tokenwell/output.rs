//! Writes the result to standard output, and only the result.

use crate::failure::Failure;
use crate::standard_output;
use std::io::{self, IsTerminal as _, Write as _};

/// Writes `answer` and a newline, and reports write errors.
pub(crate) fn line(answer: &str) -> Result<(), Failure> {
    parts(&[answer.as_bytes(), b"\n"])
}

/// Writes `answer` unchanged, and reports write errors.
pub(crate) fn bytes(answer: &[u8]) -> Result<(), Failure> {
    parts(&[answer])
}

/// Like [`bytes`], for an answer that may end without a newline. On a terminal, and only there, a
/// missing final newline is added, so that the next output starts a new line.
pub(crate) fn document(answer: &[u8]) -> Result<(), Failure> {
    let needs_newline = !answer.is_empty() && !answer.ends_with(b"\n");
    parts(&[answer, if needs_newline && io::stdout().is_terminal() { b"\n" } else { b"" }])
}

fn parts(parts: &[&[u8]]) -> Result<(), Failure> {
    if standard_output::was_closed() {
        return Err(Failure::Output(io::Error::new(io::ErrorKind::NotConnected, "it is closed")));
    }
    let mut out = io::stdout().lock();
    parts.iter().try_for_each(|part| out.write_all(part)).and_then(|()| out.flush()).map_err(Failure::Output)
}

/// Writes a message for the user to standard error.
pub(crate) fn message(message: &str) {
    // A failed write cannot be reported.
    let _ = writeln!(io::stderr().lock(), "tokenwell: {message}");
}
