//! Writes the result to standard output, and only the result.

use crate::failure::Failure;
use crate::standard_output;
use crate::wiped::Wiped;
use std::fs::File;
use std::io::{self, IsTerminal as _, StdoutLock, Write as _};

/// Writes `answer` and a newline, and reports write errors.
pub(crate) fn line(answer: &str) -> Result<(), Failure> {
    parts(&[answer.as_bytes(), b"\n"])
}

/// Writes `answer`, which contains a token, and a newline. The buffer of standard output would keep
/// a copy that is never wiped, so this writes past it.
pub(crate) fn secret_line(mut answer: Wiped) -> Result<(), Failure> {
    answer.push("\n");
    require_open()?;
    let mut out = io::stdout().lock();
    // What was written before must come first.
    out.flush().and_then(|()| unbuffered(&out)?.write_all(answer.as_bytes())).map_err(Failure::Output)
}

#[cfg(unix)]
fn unbuffered(out: &StdoutLock<'_>) -> io::Result<File> {
    use std::os::fd::AsFd as _;

    out.as_fd().try_clone_to_owned().map(File::from)
}

#[cfg(windows)]
fn unbuffered(out: &StdoutLock<'_>) -> io::Result<File> {
    use std::os::windows::io::AsHandle as _;

    out.as_handle().try_clone_to_owned().map(File::from)
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
    require_open()?;
    let mut out = io::stdout().lock();
    parts.iter().try_for_each(|part| out.write_all(part)).and_then(|()| out.flush()).map_err(Failure::Output)
}

fn require_open() -> Result<(), Failure> {
    if standard_output::was_closed() {
        return Err(Failure::Output(io::Error::new(io::ErrorKind::NotConnected, "it is closed")));
    }
    Ok(())
}

/// Writes a message for the user to standard error.
pub(crate) fn message(message: &str) {
    // A failed write cannot be reported.
    let _ = writeln!(io::stderr().lock(), "tokenwell: {message}");
}
