//! What ends a command early.

use std::io;
use std::process::ExitCode;
use tokenwell::error::{Error, printable};

/// Why a command could not do what it was asked to.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The library's error, whose status is the exit code.
    Library(Error),
    /// The answer could not be written: the reader of a pipe is gone, the disk is full.
    Output(io::Error),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Library(error) => ExitCode::from(error.status().exit_code()),
            Self::Output(_) => ExitCode::FAILURE,
        }
    }

    /// For standard error: what happened, and what to do.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Library(error) if !error.looked_at().is_empty() => {
                let places: String = error.looked_at().iter().map(|place| format!("\n    {}", printable(place, 2000))).collect();
                format!("tokenwell: there is no client id and secret; looked at:{places}\n  hint: {}", error.hint())
            }
            Self::Library(error) => format!("tokenwell: {}\n  hint: {}", printable(&error.to_string(), 2000), error.hint()),
            Self::Output(error) => format!("tokenwell: the answer cannot be written to standard output: {error}"),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}
