//! A secret from the terminal: not shown while it is typed, and whatever ends the command, what is typed afterwards is shown again.

use std::io;
use zeroize::Zeroizing;

/// Whether there is a terminal to ask on.
pub(crate) fn can_ask() -> bool {
    cfg!(not(unix)) || std::fs::File::open("/dev/tty").is_ok()
}

/// Asks for one line on the terminal.
#[cfg(unix)]
pub(crate) fn hidden(question: &str) -> io::Result<Zeroizing<String>> {
    unix::hidden(question)
}

/// Elsewhere Ctrl-C does not end a program that reads without an echo.
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

    /// A terminal gives no longer line, and drops the rest of it without a word.
    const LONGEST_LINE: usize = 4095;

    pub(super) fn hidden(question: &str) -> io::Result<Zeroizing<String>> {
        let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
        let quiet = Quiet::make(&terminal)?;
        terminal.write_all(question.as_bytes())?;
        let line = line(&mut terminal);
        drop(quiet);
        // The line end that was typed was not shown either. Where it cannot be, nothing else is lost.
        let _ = terminal.write_all(b"\n");
        line
    }

    /// A terminal that does not show what is typed, until this is dropped or a signal ends the process.
    struct Quiet {
        terminal: File,
        before: Termios,
    }

    impl Quiet {
        fn make(terminal: &File) -> io::Result<Self> {
            let before = tcgetattr(terminal)?;
            let ending = Arc::new(Mutex::new(()));
            restore_on_signals(terminal.try_clone()?, before.clone(), Arc::clone(&ending))?;

            let mut quiet = before.clone();
            quiet.local_flags.remove(LocalFlags::ECHO | LocalFlags::ECHONL);
            // Shells show what is typed once a stopped program goes on.
            quiet.control_chars[SpecialCharacterIndices::VSUSP as usize] = nix::libc::_POSIX_VDISABLE;
            // Held by a signal that came before: then the process ends, and the terminal must stay as it is.
            let _not_ending = ending.lock().unwrap_or_else(PoisonError::into_inner);
            tcsetattr(terminal, SetArg::TCSANOW, &quiet)?;
            Ok(Self { terminal: terminal.try_clone()?, before })
        }
    }

    impl Drop for Quiet {
        fn drop(&mut self) {
            // A terminal that is gone needs nothing.
            let _ = tcsetattr(&self.terminal, SetArg::TCSANOW, &self.before);
        }
    }

    /// From now on the signals that end a process leave the terminal as it was `before`, and then end it as they would have without this.
    fn restore_on_signals(mut terminal: File, before: Termios, ending: Arc<Mutex<()>>) -> io::Result<()> {
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM])?;
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                let _ending = ending.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = tcsetattr(&terminal, SetArg::TCSANOW, &before);
                let _ = terminal.write_all(b"\n");
                // Whoever waits for the process sees by which signal it ended.
                if signal_hook::low_level::emulate_default_handler(signal).is_err() {
                    std::process::exit(128 + signal);
                }
            }
        })?;
        Ok(())
    }

    /// One line, without its end. No buffer but this one holds it, and this one is wiped and never moves.
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
            return Err(invalid("it is longer than a terminal's line"));
        }
        let text = std::str::from_utf8(line).map_err(|_| invalid("it is not UTF-8"))?;
        Ok(Zeroizing::new(text.trim_end_matches('\r').to_owned()))
    }
}
