//! What ends a command early.

use std::io;
use std::process::ExitCode;
use std::time::Duration;
use tokenwell::Client;
use tokenwell::error::{Error, Status, printable};

/// For how long a command that has failed waits for the token that it has asked for.
const SETTLING: Duration = Duration::from_secs(2);

/// Why a command could not do what it was asked to.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The library's error, whose status is the exit code.
    Library(Error),
    /// No token in time, while the client may still be getting one.
    Late { error: Error, client: Client },
    /// What the command itself found, with an exit code of its own.
    Own { exit_code: u8, problem: String, hint: String },
    /// The answer on standard output says it all.
    Answered { exit_code: u8 },
    /// The answer could not be written: the reader of a pipe is gone, the disk is full.
    Output(io::Error),
}

impl Failure {
    pub(crate) fn new(status: Status, problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Own { exit_code: status.exit_code(), problem: problem.into(), hint: hint.into() }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Library(error) | Self::Late { error, .. } => ExitCode::from(error.status().exit_code()),
            Self::Own { exit_code, .. } | Self::Answered { exit_code } => ExitCode::from(*exit_code),
            Self::Output(_) => ExitCode::FAILURE,
        }
    }

    /// For standard error: what happened, and what to do.
    pub(crate) fn message(&self) -> Option<String> {
        match self {
            // In one line the places would be hard to read.
            Self::Library(error) if !error.checked_sources().is_empty() => {
                let places: String = error.checked_sources().iter().map(|place| format!("\n    {}", printable(place, 2000))).collect();
                Some(format!("tokenwell: {NO_CREDENTIAL}; looked at:{places}\n  hint: {}", error.hint()))
            }
            Self::Library(error) => {
                let with_it = if error.status() == Status::CredentialRejected { " with this secret, at once with another" } else { "" };
                let when = |left: Duration| format!("\n  next attempt: in {} s{with_it}", left.as_secs_f64().ceil());
                let when = error.retry_after().map(when).unwrap_or_default();
                Some(worded(&error.to_string(), &error.hint()) + &when)
            }
            Self::Late { error, .. } => Some(worded(&error.to_string(), &late_hint(error))),
            Self::Own { problem, hint, .. } => Some(worded(problem, hint)),
            Self::Answered { .. } => None,
            Self::Output(error) => Some(format!("tokenwell: the answer cannot be written to standard output: {error}")),
        }
    }

    /// The last thing before the process ends: what is under way and good for others is waited for, within reason.
    pub(crate) fn settle(&self) {
        if let Self::Late { client, .. } = self {
            client.wait_for_refresh(SETTLING);
        }
    }
}

/// Where an error lists the places it has looked at, what it says before them.
pub(crate) const NO_CREDENTIAL: &str = "there is no client id and secret";

const LATE: &str = "Allow more time. The server may have been asked all the same: an answer within the next moment is kept for the next command, and a \
                    later one is a token that nobody keeps.";

/// The library's hint is about processes that live on, but for a lock that somebody holds.
fn late_hint(error: &Error) -> String {
    match error {
        Error::Deadline { blocked_by, .. } if !blocked_by.is_empty() => error.hint(),
        _ => LATE.to_owned(),
    }
}

fn worded(problem: &str, hint: &str) -> String {
    format!("tokenwell: {}\n  hint: {}", printable(problem, 2000), printable(hint, 2000))
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}
