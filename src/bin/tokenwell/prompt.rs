//! Reads a secret from the terminal without echo. The echo is restored however the command ends.

use std::io;
use zeroize::Zeroizing;

/// Whether there is a terminal for a prompt.
pub(crate) fn is_available() -> bool {
    cfg!(not(unix)) || std::fs::File::open("/dev/tty").is_ok()
}

/// Prompts for one line on the terminal, without echo.
#[cfg(unix)]
pub(crate) fn hidden(question: &str) -> io::Result<Zeroizing<String>> {
    unix::hidden(question)
}

/// On other systems Ctrl-C does not end a program that reads without echo.
#[cfg(not(unix))]
pub(crate) fn hidden(question: &str) -> io::Result<Zeroizing<String>> {
    rpassword::prompt_password(question).map(Zeroizing::new)
}

#[cfg(unix)]
mod unix {
    use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
    use signal_hook::iterator::Signals;
    use std::fs::{File, OpenOptions};
    use std::io::{self, Read as _, Write as _};
    use std::sync::{Arc, Mutex, PoisonError};
    use zeroize::Zeroizing;

    /// The longest line that a terminal returns. It drops the rest silently.
    const LONGEST_LINE: usize = 4095;

    pub(super) fn hidden(question: &str) -> io::Result<Zeroizing<String>> {
        let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
        let echo_off = EchoOff::new(&terminal, question)?;
        terminal.write_all(question.as_bytes())?;
        let line = line(&mut terminal);
        drop(echo_off);
        // The newline that the user typed was not echoed either. A failed write loses nothing else.
        let _ = terminal.write_all(b"\n");
        line
    }

    /// Turns the echo of the terminal off until it is dropped or a signal ends the process.
    struct EchoOff {
        terminal: File,
        before: Termios,
        /// Whether the echo is off. A signal handler holds the lock while it changes the terminal, and
        /// until the process has ended.
        is_off: Arc<Mutex<bool>>,
    }

    impl EchoOff {
        fn new(terminal: &File, question: &str) -> io::Result<Self> {
            let before = tcgetattr(terminal)?;
            let is_off = Arc::new(Mutex::new(false));
            handle_signals(terminal.try_clone()?, before.clone(), question.to_owned(), Arc::clone(&is_off))?;

            let mut off = is_off.lock().unwrap_or_else(PoisonError::into_inner);
            turn_echo_off(terminal, &before)?;
            *off = true;
            drop(off);
            Ok(Self { terminal: terminal.try_clone()?, before, is_off })
        }
    }

    impl Drop for EchoOff {
        fn drop(&mut self) {
            let mut off = self.is_off.lock().unwrap_or_else(PoisonError::into_inner);
            // This fails only if the terminal no longer exists.
            let _ = tcsetattr(&self.terminal, SetArg::TCSANOW, &self.before);
            *off = false;
        }
    }

    fn turn_echo_off(terminal: &File, before: &Termios) -> nix::Result<()> {
        let mut settings = before.clone();
        settings.local_flags.remove(LocalFlags::ECHO | LocalFlags::ECHONL);
        tcsetattr(terminal, SetArg::TCSANOW, &settings)
    }

    /// Installs handlers for the signals that end or stop a process. They restore the terminal
    /// settings `before` and then apply the default action of the signal. After a stop they turn the
    /// echo off again, because shells turn it on, and repeat the question: the terminal has discarded
    /// what was typed.
    fn handle_signals(mut terminal: File, before: Termios, question: String, is_off: Arc<Mutex<bool>>) -> io::Result<()> {
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP])?;
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                let off = is_off.lock().unwrap_or_else(PoisonError::into_inner);
                if *off {
                    let _ = tcsetattr(&terminal, SetArg::TCSANOW, &before);
                    let _ = terminal.write_all(b"\n");
                }
                // The parent process sees which signal ended or stopped this process.
                if signal_hook::low_level::emulate_default_handler(signal).is_err() {
                    std::process::exit(128 + signal);
                }
                // The process was stopped and continues.
                if *off {
                    let _ = turn_echo_off(&terminal, &before);
                    let _ = terminal.write_all(question.as_bytes());
                }
            }
        })?;
        Ok(())
    }

    /// Reads one line without its newline. Only this buffer contains it, and it is wiped and never
    /// moves.
    fn line(terminal: &mut File) -> io::Result<Zeroizing<String>> {
        let invalid = |problem| io::Error::new(io::ErrorKind::InvalidData, problem);
        let mut bytes = Zeroizing::new([0_u8; LONGEST_LINE + 1]);
        let mut length = 0;
        while length < bytes.len() && !bytes[..length].ends_with(b"\n") {
            match terminal.read(&mut bytes[length..]) {
                Ok(0) => break,
                Ok(count) => length += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let line = bytes[..length].strip_suffix(b"\n").unwrap_or(&bytes[..length]);
        if line.len() >= LONGEST_LINE {
            return Err(invalid("it is longer than the line limit of a terminal"));
        }
        let line = std::str::from_utf8(line).map_err(|_| invalid("it is not UTF-8"))?;
        Ok(Zeroizing::new(line.trim_end_matches('\r').to_owned()))
    }
}
