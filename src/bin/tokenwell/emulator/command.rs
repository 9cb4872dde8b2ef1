//! `tokenwell emulator -- COMMAND`: an emulator for one command.

use super::args::VARIABLES;
use super::{Args, assignments, private_directory, server};
use crate::exec::not_started;
use crate::failure::Failure;
use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::path::Path;
use std::process::Command;
use tokenwell::Status;
use tokenwell::config::settings;
use tokenwell::error::{os_reason, printable_path};

/// The mark in the environment of the command, with which tokenwell refuses to use Atlas.
const MARK: &str = "TOKENWELL_EMULATOR";

/// Runs the command and exits with its exit code.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let emulator = server::start(args)?;
    let directory = private_directory()?;
    let Some((program, arguments)) = args.command.split_first() else { return Ok(()) };
    let mut command = Command::new(program);
    command.args(arguments);
    for (name, _) in std::env::vars_os().filter(|(name, _)| points_elsewhere(name)) {
        command.env_remove(name);
    }
    command.envs(assignments(&emulator, args, &directory.path().join("cache")).into_pairs());
    command.env("TOKENWELL_CONFIG_FILE", no_profiles(directory.path())?);
    if !args.allow_live {
        command.env(MARK, "1");
    }
    let code = run_to_end(command, program, || emulator.is_running())?;
    // `exit` drops nothing. The directory must be removed, and the server stopped.
    drop((emulator, directory));
    std::process::exit(code)
}

/// Whether the variable could lead a program to another server or account: all variables of the
/// Atlas CLI and its predecessor, the settings of tokenwell except those of time, and the flags of
/// another emulator.
fn points_elsewhere(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    let is_setting = || settings().any(|setting| setting.name() != "timeout_ms" && setting.variables().any(|variable| variable == name));
    name.starts_with("MONGODB_ATLAS_") || name.starts_with("MCLI_") || name == MARK || name.starts_with(VARIABLES) || is_setting()
}

/// A configuration file without a profile, which is read instead of the user's.
fn no_profiles(directory: &Path) -> Result<OsString, Failure> {
    let file = directory.join("config.toml");
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(&file) {
        Ok(_) => Ok(file.into_os_string()),
        Err(error) => Err(Failure::new(
            Status::CannotWrite,
            format!("cannot write {}: {}", printable_path(&file), os_reason(&error)),
            "Set TMPDIR to a writable directory.",
        )),
    }
}

#[cfg(unix)]
fn run_to_end(command: Command, program: &OsString, emulator_runs: impl Fn() -> bool) -> Result<i32, Failure> {
    unix::Supervised::start(command, program)?.wait(emulator_runs)
}

/// Waits for the command. On other systems Ctrl-C reaches it directly.
#[cfg(not(unix))]
fn run_to_end(mut command: Command, program: &OsString, _emulator_runs: impl Fn() -> bool) -> Result<i32, Failure> {
    let status = command.status().map_err(|error| not_started(program, &error))?;
    Ok(status.code().unwrap_or(1))
}

#[cfg(unix)]
mod unix {
    use super::{Failure, OsString, not_started};
    use crate::emulator::no_resources;
    use crate::stop::hangups_are_ignored;
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::{Pid, getpgrp, tcgetpgrp};
    use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    use std::io;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{Child, Command, ExitStatus};
    use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
    use std::time::{Duration, Instant};
    use tokenwell::error::ExitCode;

    /// How often to check that the emulator runs. The end of the command is reported by a signal.
    const CHECK: Duration = Duration::from_millis(250);
    /// How long the command may take to end after the emulator has failed.
    const GRACE: Duration = Duration::from_secs(5);

    /// The command, and the signals for it. Only one thread sends signals to the process and reaps
    /// it, so that a signal never reaches a later process with the same id.
    pub(super) struct Supervised {
        child: Child,
        signals: Receiver<i32>,
    }

    impl Supervised {
        /// Starts the command. From then on, signals for this process are for the command.
        pub(super) fn start(mut command: Command, program: &OsString) -> Result<Self, Failure> {
            let signals = signals().map_err(|error| no_resources(&error))?;
            crate::harden::undo();
            let child = command.spawn().map_err(|error| not_started(program, &error))?;
            Ok(Self { child, signals })
        }

        /// Returns the exit code of the command: 128 and the number if a signal ended it.
        pub(super) fn wait(mut self, emulator_runs: impl Fn() -> bool) -> Result<i32, Failure> {
            loop {
                if let Some(status) = self.status()? {
                    return Ok(exit_code(status));
                }
                if !emulator_runs() {
                    return Err(self.end()?);
                }
                self.handle_signal(CHECK);
            }
        }

        fn status(&mut self) -> Result<Option<ExitStatus>, Failure> {
            self.child.try_wait().map_err(|error| no_resources(&error))
        }

        /// Waits for the next signal, and passes it on.
        fn handle_signal(&self, at_most: Duration) {
            match self.signals.recv_timeout(at_most) {
                Ok(SIGCHLD) | Err(RecvTimeoutError::Timeout) => {}
                // The terminal sends it to the command too.
                Ok(SIGINT | SIGQUIT) if is_in_the_foreground() => {}
                Ok(signal) => self.send(signal),
                // The thread of the signals has ended, which it never does.
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(at_most),
            }
        }

        fn send(&self, signal: i32) {
            if let (Ok(pid), Ok(signal)) = (i32::try_from(self.child.id()), Signal::try_from(signal)) {
                // Fails only if the command has ended.
                let _ = kill(Pid::from_raw(pid), signal);
            }
        }

        /// Ends the command, because the emulator has failed.
        fn end(&mut self) -> Result<Failure, Failure> {
            self.send(SIGTERM);
            let deadline = Instant::now() + GRACE;
            while self.status()?.is_none() {
                if Instant::now() >= deadline {
                    // Fails only if the command has ended.
                    let _ = self.child.kill();
                    self.child.wait().map_err(|error| no_resources(&error))?;
                    break;
                }
                self.handle_signal(CHECK);
            }
            Ok(Failure::with_exit_code(
                ExitCode::EmulatorFailed,
                "the emulator failed, and the command was terminated",
                "Please report this as a bug, with the message before this one.",
            ))
        }
    }

    fn exit_code(status: ExitStatus) -> i32 {
        status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1)
    }

    fn signals() -> io::Result<Receiver<i32>> {
        let hangup = (!hangups_are_ignored()).then_some(SIGHUP);
        let mut signals = signal_hook::iterator::Signals::new([SIGCHLD, SIGINT, SIGQUIT, SIGTERM].into_iter().chain(hangup))?;
        let (send, received) = channel();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                // A closed channel means that the command has ended.
                let _ = send.send(signal);
            }
        })?;
        Ok(received)
    }

    /// Whether this process, and so its child, gets the signals of the keys of a terminal.
    fn is_in_the_foreground() -> bool {
        std::fs::File::open("/dev/tty").is_ok_and(|terminal| tcgetpgrp(&terminal).is_ok_and(|group| group == getpgrp()))
    }

    #[cfg(test)]
    mod tests {
        #![allow(clippy::unwrap_used)]

        use super::*;

        fn supervised(script: &str) -> Supervised {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            Supervised::start(command, &OsString::from("sh")).unwrap()
        }

        #[test]
        fn an_emulator_that_fails_ends_the_command_with_an_exit_code_of_its_own() {
            let failure = supervised("exec sleep 600").wait(|| false).unwrap_err();

            assert_eq!(failure.exit_code(), ExitCode::EmulatorFailed);
            assert!(failure.message().unwrap().contains("the command was terminated"));
        }

        #[test]
        fn a_command_that_has_ended_is_not_affected_by_an_emulator_that_fails() {
            let mut ended = supervised("exit 7");
            ended.child.wait().unwrap();

            assert_eq!(ended.wait(|| false).unwrap(), 7);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_all_families_that_name_a_server_or_account_are_removed() {
        for name in [
            "MONGODB_ATLAS_OPS_MANAGER_URL",
            "MONGODB_ATLAS_PUBLIC_API_KEY",
            "MONGODB_ATLAS_ACCESS_TOKEN",
            "MCLI_CLIENT_SECRET",
            "TOKENWELL_BASE_URL",
            "TOKENWELL_PROFILE",
            "TOKENWELL_CLIENT_SECRET_FILE",
            "TOKENWELL_EMULATOR_PORT",
        ] {
            assert!(points_elsewhere(OsStr::new(name)), "{name}");
        }
        for name in ["PATH", "TOKENWELL_LIBRARY", "TOKENWELL_LOG", "TOKENWELL_TIMEOUT_MS", "MONGODB_URI"] {
            assert!(!points_elsewhere(OsStr::new(name)), "{name}");
        }
    }
}
