//! Questions on the terminal whose answers are shown.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

/// Whether there is a terminal to answer a question.
pub(crate) fn is_available() -> bool {
    io::stdin().is_terminal()
}

/// Asks for one line. Returns it without surrounding spaces, and `None` at the end of the input.
pub(crate) fn line(question: &str) -> io::Result<Option<String>> {
    // If the question cannot be written, the read fails too.
    let _ = write!(io::stderr(), "{question}").and_then(|()| io::stderr().flush());
    let mut line = String::new();
    let length = io::stdin().lock().read_line(&mut line)?;
    Ok((length > 0).then(|| line.trim().to_owned()))
}

/// Asks for a confirmation. Everything except yes is no.
pub(crate) fn yes(question: &str) -> io::Result<bool> {
    Ok(line(&format!("{question} [y/N] "))?.is_some_and(|answer| ["y", "yes"].contains(&answer.to_lowercase().as_str())))
}
