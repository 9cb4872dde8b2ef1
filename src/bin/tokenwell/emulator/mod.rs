//! `tokenwell emulator`: runs the Atlas emulator until a signal stops it, or for one command.

mod args;
mod assignments;
#[cfg(unix)]
mod background;
mod command;
pub(crate) mod forgotten_dashes;
mod health;
mod misspelled;
mod own_file;
mod request_log;
mod server;
#[cfg(unix)]
mod until_pid;

pub(crate) use args::Args;

use crate::failure::Failure;
use crate::output;
use crate::stop::Stop;
use assignments::{Assignments, Format};
use std::fmt::Display;
use std::io;
use std::path::Path;
use tempfile::TempDir;
use tokenwell::Status;
use tokenwell::emulator::Emulator;
use tokenwell::error::{Error, os_reason, printable_path};

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    misspelled::check()?;
    if let Some(url) = &args.health {
        return health::check(url, args.ca_file.as_deref());
    }
    if !args.command.is_empty() {
        return command::run(&args);
    }
    #[cfg(unix)]
    if args.background {
        return background::start(&args);
    }
    // The signals of the terminal are for the other programs in it.
    #[cfg(unix)]
    if args.detached {
        let _ = nix::unistd::setsid();
    }
    let emulator = server::start(&args)?;
    let directory = private_directory()?;
    let printed = assignments(&emulator, &args, directory.path()).formatted(args.format(Format::Dotenv))?;
    // Before the assignments are printed: a reader may send a signal.
    let stop = Stop::listen(args.until_stdin_closes).map_err(|error| no_resources(&error))?;
    #[cfg(unix)]
    if let Some(pid) = args.until_pid {
        until_pid::watch(pid, stop.remote())?;
    }
    output::bytes(printed.as_bytes())?;
    #[cfg(unix)]
    if let Some(descriptor) = args.ready_fd {
        report_ready(descriptor)?;
    }
    stop.wait();
    Ok(())
}

/// A directory for the clients of this run, which is removed when it is dropped. A token in another
/// cache may come from an earlier run at the same port, which this run does not know.
fn private_directory() -> Result<TempDir, Failure> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("tokenwell-emulator-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir().map_err(|error| {
        Failure::new(
            Status::CannotWrite,
            format!("cannot create a cache directory in {}: {}", printable_path(&std::env::temp_dir()), os_reason(&error)),
            "Set TMPDIR to a writable directory.",
        )
    })
}

/// The variables of a client of this emulator.
fn assignments(emulator: &Emulator, args: &Args, cache: &Path) -> Assignments {
    let mut all = Assignments::default();
    all.push("MONGODB_ATLAS_BASE_URL", emulator.base_url());
    all.push("MONGODB_ATLAS_CLIENT_ID", emulator.client_id());
    all.push("MONGODB_ATLAS_CLIENT_SECRET", emulator.client_secret());
    all.push("MONGODB_ATLAS_ORG_ID", emulator.org_id());
    if let Some(project_id) = emulator.project_id() {
        all.push("MONGODB_ATLAS_PROJECT_ID", project_id);
    }
    if let Some(file) = args.ca_file.as_ref().filter(|_| emulator.ca_pem().is_some()) {
        // A client may have another working directory.
        all.push("TOKENWELL_CA_FILE", std::path::absolute(file).unwrap_or_else(|_| file.clone()));
    }
    all.push("TOKENWELL_CACHE_DIR", cache);
    #[cfg(unix)]
    if args.detached {
        all.push("TOKENWELL_EMULATOR_PID", std::process::id().to_string());
    }
    all
}

/// Writes the line `ready` to the descriptor, which the parent process opened.
#[cfg(unix)]
fn report_ready(descriptor: u32) -> Result<(), Failure> {
    use std::io::Write as _;

    let path = format!("/dev/fd/{descriptor}");
    let written = std::fs::OpenOptions::new().append(true).open(&path).and_then(|mut file| file.write_all(b"ready\n"));
    written.map_err(|error| {
        wrong(
            "--ready-fd",
            format!("cannot write to file descriptor {descriptor}: {}", os_reason(&error)),
            "Open it for writing when the command starts, for example 3>ready.",
        )
        .into()
    })
}

fn no_resources(error: &io::Error) -> Failure {
    wrong(
        "emulator",
        format!("cannot wait for signals: {}", os_reason(error)),
        "The system has no free thread or file descriptor. Raise its limits.",
    )
    .into()
}

fn wrong(name: &str, problem: impl Display, hint: &str) -> Error {
    Error::InvalidArgument { name: name.to_owned(), problem: problem.to_string(), hint: hint.to_owned() }
}
