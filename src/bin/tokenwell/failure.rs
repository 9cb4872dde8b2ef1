//! The errors of the commands.

use crate::output;
use std::io;
use std::time::Duration;
use tokenwell::Client;
use tokenwell::error::{Error, ExitCode, Status, duration_text, printable};

/// How long a command waits at its end for the token that it requested to be in the cache.
pub(crate) const LATE_TOKEN_WAIT: Duration = Duration::from_secs(2);

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The library's error, whose status is the exit code.
    Library(Error),
    /// The deadline was exceeded; the token request of the client may still be in progress.
    Late { error: Error, client: Client },
    /// The command's own error, with its exit code.
    Own { exit_code: ExitCode, problem: String, hint: String },
    /// The output already describes the failure.
    Reported { exit_code: ExitCode },
    /// Standard output cannot be written: the pipe is closed or the disk is full.
    Output(io::Error),
}

impl Failure {
    pub(crate) fn new(status: Status, problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Own { exit_code: status.exit_code(), problem: problem.into(), hint: hint.into() }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Library(error) | Self::Late { error, .. } => error.status().exit_code(),
            Self::Own { exit_code, .. } | Self::Reported { exit_code } => *exit_code,
            Self::Output(_) => Status::CannotWrite.exit_code(),
        }
    }

    /// Writes the message to standard error.
    pub(crate) fn report(&self) {
        if let Some(message) = self.message() {
            output::error(message.strip_prefix(PREFIX).unwrap_or(&message));
        }
    }

    /// The message for standard error: what happened, what to do, and when the next attempt is
    /// possible.
    pub(crate) fn message(&self) -> Option<String> {
        Some(self.explanation()? + &self.next_attempt())
    }

    fn next_attempt(&self) -> String {
        let Self::Library(error) = self else { return String::new() };
        let secret = if error.status() == Status::CredentialRejected { " with this secret, immediately with another secret" } else { "" };
        let next_attempt = |left: Duration| format!("\n  next attempt: in {}{secret}", duration_text(left));
        error.retry_after().map(next_attempt).unwrap_or_default()
    }

    /// What happened and what to do.
    pub(crate) fn explanation(&self) -> Option<String> {
        match self {
            // One line for each source: a single line is hard to read.
            Self::Library(error) if !error.checked_sources().is_empty() => {
                let sources: String = error.checked_sources().iter().map(|source| format!("\n    {}", printable(source, 2000))).collect();
                Some(format!("tokenwell: {NO_CREDENTIAL}; checked:{sources}\n  hint: {}", error.hint()))
            }
            Self::Library(error) => Some(format_message(&error.to_string(), &error.hint())),
            Self::Late { error, .. } => Some(format_message(&error.to_string(), &late_hint(error))),
            Self::Own { problem, hint, .. } => Some(format_message(problem, hint)),
            Self::Reported { .. } => None,
            Self::Output(error) => Some(format_message(&format!("cannot write to standard output: {error}"), output_hint(error.kind()))),
        }
    }

    /// Waits before the process exits for a token request in progress, so that the next command
    /// finds the token in the cache.
    pub(crate) fn wait_for_late_token(&self) {
        if let Self::Late { client, .. } = self {
            client.drain(LATE_TOKEN_WAIT);
        }
    }
}

const PREFIX: &str = "tokenwell: ";

/// The problem in an error that lists the checked sources of a credential.
pub(crate) const NO_CREDENTIAL: &str = "there is no client id and secret";

const LATE: &str = "Use a longer --timeout. If the token arrives within 2 s, the next command finds it in the cache.";

/// The hint for an exceeded deadline. The library's hint assumes that the process continues to run,
/// except if a lock caused the delay.
fn late_hint(error: &Error) -> String {
    match error {
        Error::Deadline { blocked_by, .. } if !blocked_by.is_empty() => error.hint(),
        _ => LATE.to_owned(),
    }
}

/// What to do if standard output cannot be written.
fn output_hint(problem: io::ErrorKind) -> &'static str {
    match problem {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "Free space on the device, or redirect to another file.",
        io::ErrorKind::BrokenPipe => "The program that reads the output has exited.",
        io::ErrorKind::NotConnected => "Open standard output.",
        _ => "Redirect standard output to another file.",
    }
}

fn format_message(problem: &str, hint: &str) -> String {
    format!("tokenwell: {}\n  hint: {}", printable(problem, 2000), printable(hint, 2000))
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}
