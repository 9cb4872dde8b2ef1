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
    use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    use signal_hook::iterator::Signals;
    use std::fs::{File, OpenOptions};
    use std::io::{self, Read as _, Write as _};
    use std::sync::{Arc, Mutex, PoisonError};
    use zeroize::Zeroizing;

    /// The longest line that a terminal returns. It drops the rest silently.
    const LONGEST_LINE: usize = 4095;

    pub(super) fn hidden(question: &str) -> io::Result<Zeroizing<String>> {
        let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
        let echo_off = EchoOff::new(&terminal)?;
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
    }

    impl EchoOff {
        fn new(terminal: &File) -> io::Result<Self> {
            let before = tcgetattr(terminal)?;
            let ending = Arc::new(Mutex::new(()));
            restore_on_signals(terminal.try_clone()?, before.clone(), Arc::clone(&ending))?;

            let mut settings = before.clone();
            settings.local_flags.remove(LocalFlags::ECHO | LocalFlags::ECHONL);
            // No Ctrl-Z: shells turn the echo on again when a stopped program continues.
            settings.control_chars[SpecialCharacterIndices::VSUSP as usize] = nix::libc::_POSIX_VDISABLE;
            // A signal that came before holds the lock. Then the process ends, and the terminal
            // must not be changed.
            let _not_ending = ending.lock().unwrap_or_else(PoisonError::into_inner);
            tcsetattr(terminal, SetArg::TCSANOW, &settings)?;
            Ok(Self { terminal: terminal.try_clone()?, before })
        }
    }

    impl Drop for EchoOff {
        fn drop(&mut self) {
            // This fails only if the terminal no longer exists.
            let _ = tcsetattr(&self.terminal, SetArg::TCSANOW, &self.before);
        }
    }

    /// Installs handlers for the signals that end a process. They restore the terminal settings
    /// `before` and then end the process with the default action of the signal.
    fn restore_on_signals(mut terminal: File, before: Termios, ending: Arc<Mutex<()>>) -> io::Result<()> {
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM])?;
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                let _ending = ending.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = tcsetattr(&terminal, SetArg::TCSANOW, &before);
                let _ = terminal.write_all(b"\n");
                // The parent process sees which signal ended this process.
                if signal_hook::low_level::emulate_default_handler(signal).is_err() {
                    std::process::exit(128 + signal);
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
