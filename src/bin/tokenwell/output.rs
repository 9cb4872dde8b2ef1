//! Standard output carries the answer and nothing else.

use crate::failure::Failure;
use crate::standard_output;
use std::io::{self, IsTerminal as _, Write as _};

/// Writes `answer` and a line end, and sees that it arrived.
pub(crate) fn line(answer: &str) -> Result<(), Failure> {
    parts(&[answer.as_bytes(), b"\n"])
}

/// Writes `answer` as it is, and sees that it arrived.
pub(crate) fn bytes(answer: &[u8]) -> Result<(), Failure> {
    parts(&[answer])
}

/// As [`bytes`], for an answer that may end in the middle of a line. On a terminal, and only there, its last line is ended: what comes next begins its own.
pub(crate) fn document(answer: &[u8]) -> Result<(), Failure> {
    let is_open = !answer.is_empty() && !answer.ends_with(b"\n");
    parts(&[answer, if is_open && io::stdout().is_terminal() { b"\n" } else { b"" }])
}

fn parts(parts: &[&[u8]]) -> Result<(), Failure> {
    if standard_output::was_closed() {
        return Err(Failure::Output(io::Error::new(io::ErrorKind::BrokenPipe, "it is closed")));
    }
    let mut out = io::stdout().lock();
    parts.iter().try_for_each(|part| out.write_all(part)).and_then(|()| out.flush()).map_err(Failure::Output)
}

/// For people, on standard error: what the answer does not say.
pub(crate) fn hint(text: &str) {
    // Nobody is there to read it when this fails.
    let _ = writeln!(io::stderr().lock(), "tokenwell: {text}");
}
