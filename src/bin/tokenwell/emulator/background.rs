//! `--background`: starts the emulator in a session of its own, and returns when it is ready.

use super::assignments::{Format, READY};
use super::{Args, wrong};
use crate::failure::Failure;
use crate::output;
use clap::ValueEnum as _;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use tokenwell::error::{ExitCode, os_reason};

/// Starts the same command without `--background`, and prints what it prints until it is ready.
///
/// The process inherits none of the standard streams: a job of a CI system, or a command
/// substitution, waits until nobody holds them open.
pub(super) fn start(args: &Args) -> Result<(), Failure> {
    let format = args.format(Format::Sh);
    if args.log.is_none() && tracing::event_enabled!(tracing::Level::INFO) {
        let hint = "Add --log FILE, or run `tokenwell emulator -v` in a terminal of its own.";
        return Err(wrong("--background", "it cannot log to this terminal (-v)", hint).into());
    }
    let mut child = spawn(format).map_err(|error| {
        Failure::from(wrong(
            "--background",
            format!("cannot start a process: {}", os_reason(&error)),
            "The system has no free process or file descriptor. Raise its limits.",
        ))
    })?;
    let lines = child.stdout.take().map_or_else(String::new, assignments);
    let complete = if format == Format::Json { lines.ends_with('\n') } else { lines.ends_with(READY) };
    if !complete {
        return Err(failed(child));
    }
    // A file for the environment of later steps must not contain a comment.
    output::bytes(lines.trim_end_matches(READY).as_bytes()).inspect_err(|_| {
        // Nobody knows the address of the emulator.
        let _ = child.kill();
    })
}

fn spawn(format: Format) -> io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(std::env::args_os().skip(1).filter(|argument| argument != "--background"));
    if !std::env::args_os().any(|argument| argument.to_string_lossy().starts_with("--format") || argument == "--json") {
        command.arg("--format").arg(format.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default());
    }
    // The flag may also have come from its variable.
    command.env_remove("TOKENWELL_EMULATOR_BACKGROUND");
    command.arg("--detached").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
}

/// Reads up to the line that says that the emulator is ready, or all if it exits before.
fn assignments(stdout: impl io::Read) -> String {
    let mut lines = String::new();
    let mut reader = BufReader::new(stdout);
    // A read error is the end of the output.
    while reader.read_line(&mut lines).is_ok_and(|length| length > 0) && !lines.ends_with(READY) && !lines.starts_with('{') {}
    lines
}

/// What the process reported, as the result of this one.
fn failed(mut child: Child) -> Failure {
    let mut message = Vec::new();
    // A failed read or write cannot be reported; the exit code still shows the failure.
    let _ = child.stderr.take().map(|mut stderr| stderr.read_to_end(&mut message));
    let _ = io::stderr().write_all(&message);
    let code = child.wait().ok().and_then(|status| status.code());
    let exit_code = ExitCode::all().find(|known| Some(i32::from(known.number())) == code && *known != ExitCode::Success);
    Failure::Reported { exit_code: exit_code.unwrap_or(ExitCode::Internal) }
}
