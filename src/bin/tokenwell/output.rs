//! Writes the result to standard output, and only the result; notes, warnings and errors go to
//! standard error.

use crate::failure::Failure;
use crate::standard_output;
use crate::style::{self, Style};
use crate::terminal::{Stream, wrap_message};
use crate::wiped::Wiped;
use std::fs::File;
use std::io::{self, IsTerminal as _, StdoutLock, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

/// Writes `answer` and a newline, and reports write errors.
pub(crate) fn line(answer: &str) -> Result<(), Failure> {
    parts(&[answer.as_bytes(), b"\n"])
}

/// Writes `answer`, which contains a token, and a newline. The buffer of standard output would keep
/// a copy that is never wiped, so this writes past it.
pub(crate) fn secret_line(mut answer: Wiped) -> Result<(), Failure> {
    answer.push("\n");
    secret(&answer)
}

/// Like [`secret_line`], without the newline.
pub(crate) fn secret(answer: &Wiped) -> Result<(), Failure> {
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

/// Writes all parts with one call, past the line buffer of standard output. A reader that exits at
/// its first match, such as `grep -q`, must not be a failure because more lines follow.
fn parts(parts: &[&[u8]]) -> Result<(), Failure> {
    require_open()?;
    let mut out = io::stdout().lock();
    out.flush().and_then(|()| unbuffered(&out)?.write_all(&parts.concat())).map_err(Failure::Output)
}

/// Checks that standard output is open.
pub(crate) fn require_open() -> Result<(), Failure> {
    if standard_output::was_closed() {
        return Err(Failure::Output(io::Error::new(io::ErrorKind::NotConnected, "it is closed")));
    }
    Ok(())
}

static QUIET: AtomicBool = AtomicBool::new(false);

/// Whether notes and warnings are left out.
pub(crate) fn set_quiet(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
}

pub(crate) fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// Writes a note for the user to standard error, except with `--quiet`.
pub(crate) fn message(message: &str) {
    if !is_quiet() {
        to_standard_error(&for_reader(None, message));
    }
}

/// Writes a warning to standard error, except with `--quiet`. It continues with what to do.
pub(crate) fn warning(message: &str) {
    if !is_quiet() {
        to_standard_error(&for_reader(Some((Style::Warn, "warning: ")), message));
    }
}

/// Writes an error and its hint to standard error. `message` has no prefix.
pub(crate) fn error(message: &str) {
    to_standard_error(&for_reader(None, message));
}

/// Writes `message` and a newline, if it has none.
pub(crate) fn to_standard_error(message: &str) {
    // A failed write cannot be reported; the exit code still shows a failure.
    let _ = io::stderr().lock().write_all(format!("{}\n", message.trim_end_matches('\n')).as_bytes());
}

/// The message with its prefix: wrapped and colored on a terminal, and elsewhere with one line for
/// each part, for logs and other programs.
fn for_reader(kind: Option<(Style, &str)>, message: &str) -> String {
    const PREFIX: &str = "tokenwell: ";
    const HINT: &str = "  hint: ";
    let kind_name = kind.map_or("", |(_, name)| name);
    let plain = format!("{PREFIX}{kind_name}{message}");
    if !Stream::Err.is_terminal() && !style::is_on(Stream::Err) {
        return plain;
    }
    let wrapped = if Stream::Err.is_terminal() { wrap_message(&plain, Stream::Err.width()) } else { plain };
    let bold = |words: &str| style::paint(Stream::Err, Style::Bold, words).into_owned();
    let mut colored = wrapped.replace(&format!("\n{HINT}"), &format!("\n  {} ", bold("hint:")));
    if let Some((style, name)) = kind {
        let name = name.trim_end();
        colored = colored.replacen(name, &style::paint(Stream::Err, style, name), 1);
    }
    colored.replacen(PREFIX, &format!("{} ", bold("tokenwell:")), 1)
}
