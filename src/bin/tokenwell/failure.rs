//! The errors of the commands, as a message for people or as one JSON object.

use crate::output;
use crate::spelling;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokenwell::Client;
use tokenwell::error::{Error, ExitCode, Status, duration_text, os_reason, printable};

/// How long a command waits at its end for the token that it requested to be in the cache.
pub(crate) const LATE_TOKEN_WAIT: Duration = Duration::from_secs(2);

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The library's error, whose status is the exit code.
    Library(Error),
    /// The deadline was exceeded; the token request of the client may still be in progress.
    Late { error: Error, client: Client },
    /// The command's own error.
    Own { code: Code, problem: String, hint: String, facts: Facts },
    /// The output already describes the failure.
    Reported { exit_code: ExitCode },
    /// Standard output cannot be written: the pipe is closed or the disk is full.
    Output(io::Error),
}

/// The stable identification of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Status(Status),
    /// An exit code that no status has: that of a program that did not start.
    Exit(ExitCode),
}

impl Code {
    fn exit_code(self) -> ExitCode {
        match self {
            Self::Status(status) => status.exit_code(),
            Self::Exit(exit_code) => exit_code,
        }
    }

    /// The stable name, for programs.
    fn name(self) -> &'static str {
        match self {
            Self::Status(status) => status.name(),
            Self::Exit(ExitCode::TargetFailed) => "TARGET_FAILED",
            Self::Exit(ExitCode::HalfDone) => "HALF_DONE",
            Self::Exit(ExitCode::EmulatorFailed) => "EMULATOR_FAILED",
            Self::Exit(ExitCode::CannotStart) => "CANNOT_START",
            Self::Exit(ExitCode::NoSuchCommand) => "NO_SUCH_COMMAND",
            Self::Exit(_) => Status::Internal.name(),
        }
    }
}

/// What a program can read from an error besides its code and its message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) http_status: Option<u16>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) oauth_error: Option<String>,
}

impl Facts {
    pub(crate) fn of(error: &Error) -> Self {
        Self { http_status: error.http_status(), retry_after: error.retry_after(), oauth_error: error.oauth_code().map(str::to_owned) }
    }
}

static AS_JSON: AtomicBool = AtomicBool::new(false);

/// Whether an error is written as a JSON object.
pub(crate) fn set_json(as_json: bool) {
    AS_JSON.store(as_json, Ordering::Relaxed);
}

pub(crate) fn is_json() -> bool {
    AS_JSON.load(Ordering::Relaxed)
}

impl Failure {
    pub(crate) fn new(status: Status, problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Own { code: Code::Status(status), problem: problem.into(), hint: hint.into(), facts: Facts::default() }
    }

    /// A failure with an exit code that no status has.
    pub(crate) fn with_exit_code(exit_code: ExitCode, problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Own { code: Code::Exit(exit_code), problem: problem.into(), hint: hint.into(), facts: Facts::default() }
    }

    /// An error of the library in other words.
    pub(crate) fn reworded(error: &Error, problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Own { code: Code::Status(error.status()), problem: problem.into(), hint: hint.into(), facts: Facts::of(error) }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Reported { exit_code } => *exit_code,
            other => other.code().exit_code(),
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Library(error) | Self::Late { error, .. } => Code::Status(error.status()),
            Self::Own { code, .. } => *code,
            Self::Reported { exit_code } => Code::Exit(*exit_code),
            Self::Output(_) => Code::Status(Status::CannotWrite),
        }
    }

    /// Writes the message or the object to standard error.
    pub(crate) fn report(&self) {
        if is_json() {
            if let Some(object) = self.object() {
                output::to_standard_error(&object.to_string());
            }
        } else if let Some(message) = self.message() {
            output::error(message.strip_prefix(PREFIX).unwrap_or(&message));
        }
    }

    /// The object for standard error; docs/error.schema.json describes it.
    fn object(&self) -> Option<serde_json::Value> {
        let (message, hint) = self.parts()?;
        let facts = match self {
            Self::Library(error) | Self::Late { error, .. } => Facts::of(error),
            Self::Own { facts, .. } => facts.clone(),
            Self::Reported { .. } | Self::Output(_) => Facts::default(),
        };
        let code = self.code();
        let status = if let Code::Status(status) = code { Some(status.code()) } else { None };
        let checked_sources: Vec<_> = self.checked_sources().iter().map(|source| printable(source, 2000)).collect();
        Some(serde_json::json!({ "error": {
            "code": code.name(),
            "status": status,
            "exit_code": code.exit_code().number(),
            "message": printable(&message, 2000),
            "hint": printable(&hint, 2000),
            "http_status": facts.http_status,
            "oauth_error": facts.oauth_error,
            // Rounded up: a program that waits so long must not be too early.
            "retry_after_seconds": facts.retry_after.map(|pause| pause.as_millis().div_ceil(1000)),
            "checked_sources": checked_sources,
        }}))
    }

    fn checked_sources(&self) -> &[String] {
        if let Self::Library(error) = self { error.checked_sources() } else { &[] }
    }

    /// What happened, and what to do.
    fn parts(&self) -> Option<(String, String)> {
        Some(match self {
            Self::Library(error) if !error.checked_sources().is_empty() => (NO_CREDENTIAL.to_owned(), error.hint()),
            Self::Library(error) => (spelling::message(error), spelling::hint(&hint_of(error)).into_owned()),
            Self::Late { error, .. } => (error.to_string(), spelling::hint(&late_hint(error)).into_owned()),
            Self::Own { problem, hint, .. } => (problem.clone(), spelling::hint(hint).into_owned()),
            Self::Reported { .. } => return None,
            Self::Output(error) => (format!("cannot write to standard output: {}", os_reason(error)), output_hint(error.kind()).to_owned()),
        })
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
        let (problem, hint) = self.parts()?;
        // One line for each source: a single line is hard to read.
        let sources: String = self.checked_sources().iter().map(|source| format!("\n    {}", printable(source, 2000))).collect();
        let checked = if sources.is_empty() { "" } else { "; checked:" };
        Some(format!("{PREFIX}{}{checked}{sources}\n  hint: {}", printable(&problem, 2000), printable(&hint, 2000)))
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

const LATE: &str = "Use a longer timeout_ms. If the token arrives within 2 s, the next command finds it in the cache.";

/// The hint of the library, which assumes that the process continues to run after a deadline.
fn hint_of(error: &Error) -> String {
    match error {
        Error::Deadline { blocked_by, .. } if blocked_by.is_empty() => "Use a longer timeout_ms, or try again.".to_owned(),
        error => error.hint(),
    }
}

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

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}
