//! What ends a command that runs until it is told to stop.

use std::io::{self, Read as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// SIGINT, SIGTERM, SIGHUP and, where that is wanted, the end of standard input.
///
/// Signals come by signal-hook and not by tokio: tokio's handler is one for the process, with a socket that stays, and its library half would
/// bring it into every program that links the crate.
#[derive(Debug)]
pub(crate) struct Stop(Receiver<()>);

impl Stop {
    /// Listens from now on: whoever sees anything that the command does afterwards may stop it.
    pub(crate) fn listen(until_stdin_closes: bool) -> io::Result<Self> {
        let (stop, stopped) = sync_channel(1);
        on_signals(stop.clone())?;
        if until_stdin_closes {
            on_end_of_stdin(stop)?;
        } else {
            // Kept for ever, so that the channel has no end of its own.
            std::mem::forget(stop);
        }
        Ok(Self(stopped))
    }

    /// Returns once the command shall stop.
    #[cfg(feature = "emulator")]
    pub(crate) fn wait(&self) {
        // An error would mean that nobody is left who could stop the command: that is a reason to stop, too.
        let _ = self.0.recv();
    }

    /// Whether the command shall stop, after at most `duration`.
    pub(crate) fn wait_for(&self, duration: Duration) -> bool {
        !matches!(self.0.recv_timeout(duration), Err(RecvTimeoutError::Timeout))
    }
}

#[cfg(unix)]
fn on_signals(stop: SyncSender<()>) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

    let heard = [SIGINT, SIGTERM].into_iter().chain((!hangups_are_ignored()).then_some(SIGHUP));
    let mut signals = signal_hook::iterator::Signals::new(heard)?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for _ in signals.forever() {
            // Full or gone: the command knows already.
            let _ = stop.try_send(());
        }
    })?;
    Ok(())
}

/// Whether the process was started as one that outlives its terminal, as nohup does it.
#[cfg(target_os = "linux")]
fn hangups_are_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    ignored.is_some_and(|signals| signals & 1 << (signal_hook::consts::SIGHUP - 1) != 0)
}

/// No other system tells without a system call that only C may make: there a hangup does what it did before.
#[cfg(all(unix, not(target_os = "linux")))]
fn hangups_are_ignored() -> bool {
    true
}

/// Elsewhere Ctrl-C ends the process by itself.
#[cfg(not(unix))]
fn on_signals(stop: SyncSender<()>) -> io::Result<()> {
    std::mem::forget(stop);
    Ok(())
}

/// Nothing can wake a thread that reads: this one ends with the process.
fn on_end_of_stdin(stop: SyncSender<()>) -> io::Result<()> {
    std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        let mut buffer = [0; 4096];
        // An error ends it as well: there is nothing more to wait for.
        while io::stdin().read(&mut buffer).is_ok_and(|count| count > 0) {}
        let _ = stop.try_send(());
    })?;
    Ok(())
}
