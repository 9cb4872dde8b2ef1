//! Programs that a command starts beside itself: their command line, where they are, and their end.

use crate::failure::Failure;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokenwell::Status;
use tokenwell::error::printable;

/// The pause between two checks of a program that runs.
pub(crate) const POLL: Duration = Duration::from_millis(50);
/// How long a program may take to end after it was asked to.
#[cfg(unix)]
const GRACE: Duration = Duration::from_secs(2);

/// Splits a command line into words, as a shell does, but without variables, pipes and globs.
pub(crate) fn words(flag: &str, line: &str) -> Result<Vec<String>, Failure> {
    let words = shlex::split(line).filter(|words| words.first().is_some_and(|program| !program.is_empty()));
    words.ok_or_else(|| {
        let problem = format!("{flag}: `{}` is not a command line", printable(line, 100));
        Failure::new(Status::InvalidArgument, problem, "Write a program and its arguments, and close each quotation mark.")
    })
}

/// The file of a program, searched as the system does when it starts it. The error says why there is none.
pub(crate) fn find(program: &str) -> Result<PathBuf, &'static str> {
    let mut problem = "does not exist";
    for file in candidates(program) {
        if !file.is_file() {
            continue;
        }
        if is_executable(&file) {
            return Ok(file);
        }
        problem = "is not executable";
    }
    Err(problem)
}

fn candidates(program: &str) -> Vec<PathBuf> {
    let with_suffix = |file: PathBuf| {
        if cfg!(windows) && file.extension().is_none() { vec![file.with_extension("exe"), file] } else { vec![file] }
    };
    if program.contains(std::path::is_separator) {
        return with_suffix(PathBuf::from(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    let directory = |directory: PathBuf| if directory.as_os_str().is_empty() { PathBuf::from(".") } else { directory };
    std::env::split_paths(&path).flat_map(|each| with_suffix(directory(each).join(program))).collect()
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    nix::unistd::access(file, nix::unistd::AccessFlags::X_OK).is_ok()
}

#[cfg(not(unix))]
fn is_executable(_file: &Path) -> bool {
    true
}

/// Makes the program the leader of a process group of its own, so that what it starts ends with it.
pub(crate) fn in_own_group(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(not(unix))]
    let _ = command;
}

/// Kills the program and, where there are process groups, what it has started.
pub(crate) fn kill(child: &mut Child) {
    #[cfg(unix)]
    signal_group(child, nix::sys::signal::Signal::SIGKILL);
    // It may have exited meanwhile.
    let _ = child.kill();
    let _ = child.wait();
}

/// Asks the program and what it has started to end, and kills what is left after a short time.
pub(crate) fn terminate(child: &mut Child) {
    #[cfg(unix)]
    {
        signal_group(child, nix::sys::signal::Signal::SIGTERM);
        let asked = Instant::now();
        while asked.elapsed() < GRACE && matches!(child.try_wait(), Ok(None)) {
            std::thread::sleep(POLL);
        }
    }
    kill(child);
}

#[cfg(unix)]
fn signal_group(child: &Child, signal: nix::sys::signal::Signal) {
    if let Ok(group) = i32::try_from(child.id()) {
        // Fails only if all of them have ended.
        let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(group), signal);
    }
}

/// Why the wait for a program ended.
pub(crate) enum Ended {
    Exited(ExitStatus),
    Late,
    Stopped,
}

/// Waits until the program exits, at most for `limit` or until `pause`, which takes the time between two
/// checks, returns false. The program is not ended.
pub(crate) fn wait(child: &mut Child, limit: Duration, mut pause: impl FnMut(Duration) -> bool) -> io::Result<Ended> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Ended::Exited(status));
        }
        if started.elapsed() >= limit {
            return Ok(Ended::Late);
        }
        if !pause(POLL) {
            return Ok(Ended::Stopped);
        }
    }
}

#[cfg(unix)]
pub(crate) fn standard_error() -> io::Result<Stdio> {
    use std::os::fd::AsFd as _;

    io::stderr().as_fd().try_clone_to_owned().map(Stdio::from)
}

#[cfg(windows)]
pub(crate) fn standard_error() -> io::Result<Stdio> {
    use std::os::windows::io::AsHandle as _;

    io::stderr().as_handle().try_clone_to_owned().map(Stdio::from)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_split_into_words_without_a_shell() {
        let words = |line: &str| words("--exec", line).unwrap_or_default();

        assert_eq!(words("systemctl reload 'my app' \"$HOME\" a\\ b | c"), ["systemctl", "reload", "my app", "$HOME", "a b", "|", "c"]);
        assert!(["", "  ", "'a", "''"].iter().all(|line| words(line).is_empty()));
    }

    #[cfg(unix)]
    #[test]
    fn a_program_is_found_in_path_or_by_its_path() {
        assert!(find("sh").unwrap().is_absolute());
        assert_eq!(find("/bin/sh").unwrap(), Path::new("/bin/sh"));
        assert_eq!(find("/nowhere/program").unwrap_err(), "does not exist");
        assert_eq!(find("/etc").unwrap_err(), "does not exist");
        assert_eq!(find("/etc/passwd").unwrap_err(), "is not executable");
    }

    #[cfg(unix)]
    #[test]
    fn what_does_not_end_when_asked_is_killed() {
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' TERM; sleep 600"]);
        in_own_group(&mut command);
        let mut child = command.spawn().unwrap();

        terminate(&mut child);

        assert!(!child.wait().unwrap().success());
    }
}
