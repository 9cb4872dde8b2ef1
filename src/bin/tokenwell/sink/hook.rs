//! What a sink does after each renewal: it runs a program or signals a process.
//!
//! A thread of its own does it, one hook after the other, so that a hook that hangs does not delay a
//! renewal. If the token is renewed several times while a hook runs, the hook runs once more.

use crate::failure::Failure;
use crate::output;
use crate::program::{self, Ended, standard_error};
use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use tokenwell::Status;
use tokenwell::error::{duration_text, os_reason, printable};

/// How many bytes of a file with a process id are read.
#[cfg(unix)]
const LONGEST_PID_FILE: u64 = 64;

/// One action after a renewal.
pub(super) enum Hook {
    /// The words of a command line, at least one.
    Exec { words: Vec<String>, limit: Duration },
    /// Sends a signal to the process whose id is in a file.
    #[cfg(unix)]
    Signal { signal: nix::sys::signal::Signal, pid_file: std::path::PathBuf },
}

/// Starts the hooks after a renewal.
pub(super) struct Hooks(Option<Sender<()>>);

impl Hooks {
    /// `removed` are the variables that a program does not get.
    pub(super) fn start(hooks: Vec<Hook>, removed: Vec<OsString>) -> Result<Self, Failure> {
        if hooks.is_empty() {
            return Ok(Self(None));
        }
        let (requests, received) = channel();
        let thread = std::thread::Builder::new().name("hooks".to_owned()).spawn(move || serve(&hooks, &removed, &received));
        thread.map_err(|error| {
            Failure::new(
                Status::Internal,
                format!("cannot create a thread for --exec: {}", os_reason(&error)),
                "Raise the limit of threads.",
            )
        })?;
        Ok(Self(Some(requests)))
    }

    /// Requests a run of all hooks. It does not wait for them.
    pub(super) fn run(&self) {
        if let Some(requests) = &self.0 {
            // The thread never ends before the command.
            let _ = requests.send(());
        }
    }
}

fn serve(hooks: &[Hook], removed: &[OsString], requests: &Receiver<()>) {
    while requests.recv().is_ok() {
        // One run is enough for all renewals that were made meanwhile.
        while requests.try_recv().is_ok() {}
        for hook in hooks {
            if let Err(problem) = hook.run(removed) {
                output::warning(&format!("{problem}; the files are current, and the sink continues"));
            }
        }
    }
}

impl Hook {
    /// Parses a command line.
    pub(super) fn exec(line: &str, limit: Duration) -> Result<Self, Failure> {
        Ok(Self::Exec { words: program::words("--exec", line)?, limit })
    }

    /// Parses `NAME:PIDFILE`.
    #[cfg(unix)]
    pub(super) fn signal(value: &str) -> Result<Self, Failure> {
        use nix::sys::signal::Signal;

        let wrong =
            |problem: String| Failure::new(Status::InvalidArgument, format!("--signal: {problem}"), "Write HUP:/run/app.pid, for example.");
        let (name, path) =
            value.split_once(':').filter(|(_, path)| !path.is_empty()).ok_or_else(|| wrong("expected NAME:PIDFILE".to_owned()))?;
        let signal = match name.strip_prefix("SIG").unwrap_or(name) {
            "HUP" => Signal::SIGHUP,
            "USR1" => Signal::SIGUSR1,
            "USR2" => Signal::SIGUSR2,
            "INT" => Signal::SIGINT,
            "TERM" => Signal::SIGTERM,
            "QUIT" => Signal::SIGQUIT,
            "WINCH" => Signal::SIGWINCH,
            other => return Err(wrong(format!("`{}` is not one of HUP, USR1, USR2, INT, TERM, QUIT and WINCH", printable(other, 40)))),
        };
        Ok(Self::Signal { signal, pid_file: path.into() })
    }

    fn run(&self, removed: &[OsString]) -> Result<(), String> {
        match self {
            Self::Exec { words, limit } => exec(words, *limit, removed),
            #[cfg(unix)]
            Self::Signal { signal, pid_file } => send_signal(*signal, pid_file),
        }
    }
}

fn exec(words: &[String], limit: Duration, removed: &[OsString]) -> Result<(), String> {
    let Some((program, arguments)) = words.split_first() else { return Ok(()) };
    let shown = printable(program, 100);
    let mut command = Command::new(program);
    // Standard output of the sink has nothing but the result.
    command.args(arguments).stdin(Stdio::null()).stdout(standard_error().unwrap_or_else(|_| Stdio::null()));
    for variable in removed {
        command.env_remove(variable);
    }
    for variable in ["MONGODB_ATLAS_ACCESS_TOKEN", "MCLI_ACCESS_TOKEN", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
        command.env_remove(variable);
    }
    program::in_own_group(&mut command);
    let mut child = command.spawn().map_err(|error| format!("--exec: cannot start `{shown}`: {}", os_reason(&error)))?;
    let sleep = |pause| {
        std::thread::sleep(pause);
        true
    };
    match program::wait(&mut child, limit, sleep) {
        Ok(Ended::Exited(status)) if status.success() => Ok(()),
        Ok(Ended::Exited(status)) => Err(format!("--exec: `{shown}` failed: {status}")),
        Ok(Ended::Late | Ended::Stopped) => {
            program::kill(&mut child);
            Err(format!("--exec: `{shown}` did not exit within {} and was killed", duration_text(limit)))
        }
        Err(error) => Err(format!("--exec: cannot wait for `{shown}`: {}", os_reason(&error))),
    }
}

#[cfg(unix)]
fn send_signal(signal: nix::sys::signal::Signal, pid_file: &std::path::Path) -> Result<(), String> {
    use std::io::Read as _;

    let shown = tokenwell::error::printable_path(pid_file);
    let cannot_read = |error: std::io::Error| format!("--signal: cannot read {shown}: {}", os_reason(&error));
    // Reading from a pipe or a device could block all hooks.
    if !std::fs::metadata(pid_file).map_err(cannot_read)?.is_file() {
        return Err(format!("--signal: {shown} is not a regular file"));
    }
    let mut content = String::new();
    std::fs::File::open(pid_file).and_then(|file| file.take(LONGEST_PID_FILE).read_to_string(&mut content)).map_err(cannot_read)?;
    // 0 and negative numbers are process groups, and 1 is the process that starts the system.
    let pid =
        content.trim().parse().ok().filter(|pid: &i32| *pid > 1).ok_or_else(|| format!("--signal: {shown} contains no process id"))?;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal)
        .map_err(|error| format!("--signal: cannot signal process {pid} ({shown}): {}", os_reason(&error.into())))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_signal_has_a_name_and_a_file() {
        for right in ["HUP:/run/a.pid", "SIGUSR1:a:b"] {
            assert!(Hook::signal(right).is_ok(), "{right}");
        }
        for wrong in ["HUP", "HUP:", "KILL:/run/a.pid", "1:/run/a.pid", ":/run/a.pid"] {
            assert!(Hook::signal(wrong).is_err(), "{wrong}");
        }
    }
}
