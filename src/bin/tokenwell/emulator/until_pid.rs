//! `--until-pid`: the emulator ends with a process that is not its parent, such as a shell.

use crate::failure::Failure;
use crate::stop::Remote;
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use std::time::Duration;
use tokenwell::Status;

/// How often to check the process. No system call that all systems have waits for the end of a
/// process that is not a child.
const INTERVAL: Duration = Duration::from_millis(200);

/// Stops the command when the process ends.
pub(super) fn watch(pid: i32, stop: Remote) -> Result<(), Failure> {
    let process = Process::of(pid).ok_or_else(|| {
        Failure::new(
            Status::InvalidArgument,
            format!("no process has the id {pid} (--until-pid)"),
            "Name a running process, for example the shell: --until-pid $$.",
        )
    })?;
    let thread = std::thread::Builder::new().name("until-pid".to_owned()).spawn(move || {
        while process.is_running() {
            std::thread::sleep(INTERVAL);
        }
        stop.stop();
    });
    thread.map(drop).map_err(|error| super::no_resources(&error))
}

/// A process, which is not confused with a later one of the same id where the system reports when a
/// process started.
struct Process {
    pid: i32,
    started: Option<String>,
}

impl Process {
    fn of(pid: i32) -> Option<Self> {
        let process = Self { pid, started: start_time(pid) };
        process.is_running().then_some(process)
    }

    fn is_running(&self) -> bool {
        // EPERM: it exists and belongs to another user.
        matches!(kill(Pid::from_raw(self.pid), None), Ok(()) | Err(Errno::EPERM)) && start_time(self.pid) == self.started
    }
}

/// Field 22 of /proc/PID/stat; `None` for a zombie, which has ended, and on systems without /proc.
fn start_time(pid: i32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program, in parentheses, may contain spaces.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    (!matches!(state, "Z" | "X")).then(|| fields.nth(18).map(str::to_owned))?
}
