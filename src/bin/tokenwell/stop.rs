//! The signals that stop a long-running command.

use std::io::{self, Read as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// Receives SIGINT, SIGTERM, SIGHUP and, if requested, the end of standard input.
///
/// It uses signal-hook instead of tokio: tokio installs one handler for the whole process with a
/// permanent socket, and its `signal` feature would be part of every program that links the crate.
#[derive(Debug)]
pub(crate) struct Stop(Receiver<()>);

impl Stop {
    /// Installs the handlers. Call it before the first visible effect of the command: from then on
    /// the user may stop it.
    pub(crate) fn listen(until_stdin_closes: bool) -> io::Result<Self> {
        let (stop, stopped) = sync_channel(1);
        on_signals(stop.clone())?;
        if until_stdin_closes {
            on_end_of_stdin(stop)?;
        } else {
            // Leaked, so that the channel is never disconnected.
            std::mem::forget(stop);
        }
        Ok(Self(stopped))
    }

    /// Blocks until the command must stop.
    #[cfg(feature = "emulator")]
    pub(crate) fn wait(&self) {
        // An error means that nothing can stop the command any more, which is a reason to stop too.
        let _ = self.0.recv();
    }

    /// Waits for at most `duration`. Returns whether the command must stop.
    pub(crate) fn wait_for(&self, duration: Duration) -> bool {
        !matches!(self.0.recv_timeout(duration), Err(RecvTimeoutError::Timeout))
    }
}

#[cfg(unix)]
fn on_signals(stop: SyncSender<()>) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

    let signals = [SIGINT, SIGTERM].into_iter().chain((!hangups_are_ignored()).then_some(SIGHUP));
    let mut signals = signal_hook::iterator::Signals::new(signals)?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for _ in signals.forever() {
            // A full or closed channel means that the command already knows.
            let _ = stop.try_send(());
        }
    })?;
    Ok(())
}

/// Whether the process was started to survive the end of its terminal, for example with nohup.
#[cfg(target_os = "linux")]
fn hangups_are_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    ignored.is_some_and(|signals| signals & 1 << (signal_hook::consts::SIGHUP - 1) != 0)
}

/// On other systems the query requires unsafe code. SIGHUP keeps its previous action there.
#[cfg(all(unix, not(target_os = "linux")))]
fn hangups_are_ignored() -> bool {
    true
}

/// On other systems Ctrl-C ends the process without a handler.
#[cfg(not(unix))]
fn on_signals(stop: SyncSender<()>) -> io::Result<()> {
    std::mem::forget(stop);
    Ok(())
}

/// Starts a thread that reads standard input. A blocking read cannot be interrupted, so the thread
/// ends with the process.
fn on_end_of_stdin(stop: SyncSender<()>) -> io::Result<()> {
    std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        let mut buffer = [0; 4096];
        // A read error counts as the end of the input.
        while io::stdin().read(&mut buffer).is_ok_and(|count| count > 0) {}
        let _ = stop.try_send(());
    })?;
    Ok(())
}
