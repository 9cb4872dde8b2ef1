//! One line for each request: to standard error with -v, to a file with `--log`.

use super::{Args, own_file};
use crate::failure::Failure;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::sync::OnceLock;
use tokenwell::Status;
use tokenwell::error::{os_reason, printable_path};

/// The emulator takes a function without state.
static FILE: OnceLock<File> = OnceLock::new();

/// The function that writes the lines, if they are wanted.
pub(super) fn open(args: &Args) -> Result<Option<fn(&str)>, Failure> {
    let Some(path) = &args.log else {
        return Ok(tracing::event_enabled!(tracing::Level::INFO).then_some(to_standard_error as fn(&str)));
    };
    own_file::check_log(path)?;
    let file = OpenOptions::new().create(true).append(true).open(path).map_err(|error| {
        Failure::new(
            Status::CannotWrite,
            format!("cannot write {} (--log): {}", printable_path(path), os_reason(&error)),
            "Name a file in a writable directory.",
        )
    })?;
    // Set once: a process has one emulator.
    let _ = FILE.set(file);
    Ok(Some(to_file))
}

// A failed log write does not stop the emulator.

fn to_standard_error(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

fn to_file(line: &str) {
    // One call for each line: lines of several processes are not mixed.
    let _ = FILE.get().map(|mut file| file.write_all(format!("{line}\n").as_bytes()));
}
