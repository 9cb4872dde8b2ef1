//! The signals that stop a long-running command, and those that make `sink` renew its token.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// Receives SIGINT, SIGTERM, SIGHUP and, if requested, the end of standard input.
///
/// It uses signal-hook instead of tokio: tokio installs one handler for the whole process with a
/// permanent socket, and its `signal` feature would be part of every program that links the crate.
#[derive(Debug)]
pub(crate) struct Stop {
    /// Kept here, so that the channel is never disconnected.
    events: Sender<Event>,
    received: Receiver<Event>,
    /// A renewal was requested while nothing waited for it.
    renewal: Cell<bool>,
}

/// The signals that request a renewal instead of stopping the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renewals {
    None,
    /// SIGUSR1.
    User,
    /// SIGUSR1 and SIGHUP, which is how a supervisor reloads a service.
    UserAndHangup,
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Time,
    Stop,
    Renewal,
}

#[derive(Debug, PartialEq, Eq)]
enum Event {
    /// The command must stop.
    Stop,
    /// The token must be renewed now. Only signals request that.
    #[cfg_attr(not(unix), allow(dead_code))]
    Renewal,
    /// A future that the command waits for can be polled again.
    Wake,
}

/// The result of [`Stop::wait_for_result`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Awaited<T> {
    Ready(T),
    /// The time is over.
    Late,
    /// The command must stop.
    Stopped,
}

impl Stop {
    /// Installs the handlers. Call it before the first visible effect of the command: from then on
    /// the user may stop it.
    #[cfg(feature = "emulator")]
    pub(crate) fn listen(until_stdin_closes: bool) -> io::Result<Self> {
        let stop = Self::listen_for(Renewals::None)?;
        if until_stdin_closes {
            on_end_of_stdin(stop.events.clone())?;
        }
        Ok(stop)
    }

    /// Like [`Stop::listen`], also for signals that request a renewal.
    pub(crate) fn listen_for(renewals: Renewals) -> io::Result<Self> {
        let (events, received) = channel();
        on_signals(events.clone(), renewals)?;
        Ok(Self { events, received, renewal: Cell::new(false) })
    }

    /// Lets another thread stop the command.
    #[cfg(all(feature = "emulator", unix))]
    pub(crate) fn remote(&self) -> Remote {
        Remote(self.events.clone())
    }

    /// Blocks until the command must stop.
    #[cfg(feature = "emulator")]
    pub(crate) fn wait(&self) {
        // An error means that nothing can stop the command any more, which is a reason to stop too.
        while self.received.recv() == Ok(Event::Wake) {}
    }

    /// Waits for at most `duration`, or until a signal arrives.
    pub(crate) fn wait_for(&self, duration: Duration) -> Ended {
        if self.renewal.take() {
            return Ended::Renewal;
        }
        let deadline = Instant::now() + duration;
        loop {
            match self.received.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                // The wake of a future that nobody waits for any more.
                Ok(Event::Wake) => {}
                Ok(Event::Renewal) => return Ended::Renewal,
                Err(RecvTimeoutError::Timeout) => return Ended::Time,
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => return Ended::Stop,
            }
        }
    }

    /// Waits until `future` is ready, for at most `max_wait` unless a poll takes longer. A request
    /// for a renewal is kept for the next [`Stop::wait_for`].
    pub(crate) fn wait_for_result<F: Future>(&self, mut future: Pin<&mut F>, max_wait: Duration) -> Awaited<F::Output> {
        let deadline = Instant::now() + max_wait;
        let waker = Waker::from(Arc::new(Wakeup(self.events.clone())));
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Awaited::Ready(output);
            }
            match self.received.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Event::Wake) => {}
                Ok(Event::Renewal) => self.renewal.set(true),
                Err(RecvTimeoutError::Timeout) => return Awaited::Late,
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => return Awaited::Stopped,
            }
        }
    }
}

/// Stops the command from another thread.
#[cfg(all(feature = "emulator", unix))]
pub(crate) struct Remote(Sender<Event>);

#[cfg(all(feature = "emulator", unix))]
impl Remote {
    pub(crate) fn stop(&self) {
        // A closed channel means that the command has ended.
        let _ = self.0.send(Event::Stop);
    }
}

struct Wakeup(Sender<Event>);

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        // A closed channel means that the command has ended.
        let _ = self.0.send(Event::Wake);
    }
}

#[cfg(unix)]
fn on_signals(events: Sender<Event>, renewals: Renewals) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};

    let renewing: &[i32] = match renewals {
        Renewals::None => &[],
        Renewals::User => &[SIGUSR1],
        Renewals::UserAndHangup => &[SIGUSR1, SIGHUP],
    };
    let stopping = [SIGINT, SIGTERM].into_iter().chain((!renewing.contains(&SIGHUP) && !hangups_are_ignored()).then_some(SIGHUP));
    let mut signals = signal_hook::iterator::Signals::new(stopping.chain(renewing.iter().copied()))?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            // A closed channel means that the command has ended.
            let _ = events.send(if renewing.contains(&signal) { Event::Renewal } else { Event::Stop });
        }
    })?;
    Ok(())
}

/// Whether the process was started to survive the end of its terminal, for example with nohup.
#[cfg(target_os = "linux")]
pub(crate) fn hangups_are_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    ignored.is_some_and(|signals| signals & 1 << (signal_hook::consts::SIGHUP - 1) != 0)
}

/// On other systems the query requires unsafe code. SIGHUP keeps its previous action there.
#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) fn hangups_are_ignored() -> bool {
    true
}

/// On other systems Ctrl-C ends the process without a handler.
#[cfg(not(unix))]
fn on_signals(_events: Sender<Event>, _renewals: Renewals) -> io::Result<()> {
    Ok(())
}

/// Starts a thread that reads standard input. A blocking read cannot be interrupted, so the thread
/// ends with the process.
#[cfg(feature = "emulator")]
fn on_end_of_stdin(stop: Sender<Event>) -> io::Result<()> {
    use std::io::Read as _;

    std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        let mut buffer = [0; 4096];
        // A read error counts as the end of the input.
        while io::stdin().read(&mut buffer).is_ok_and(|count| count > 0) {}
        let _ = stop.send(Event::Stop);
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn unstopped() -> Stop {
        let (events, received) = channel();
        Stop { events, received, renewal: Cell::new(false) }
    }

    /// Is ready at the second poll, which it requests itself.
    struct Twice(bool);

    impl Future for Twice {
        type Output = &'static str;

        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
            if std::mem::replace(&mut self.0, true) {
                return Poll::Ready("ready");
            }
            context.waker().wake_by_ref();
            Poll::Pending
        }
    }

    #[test]
    fn a_future_is_polled_again_when_it_wakes() {
        assert_eq!(unstopped().wait_for_result(std::pin::pin!(Twice(false)), LONG), Awaited::Ready("ready"));
    }

    #[test]
    fn a_stop_ends_the_wait_for_a_future() {
        let stop = unstopped();
        assert!(stop.events.send(Event::Stop).is_ok());

        let awaited = stop.wait_for_result(std::pin::pin!(std::future::pending::<()>()), LONG);

        assert_eq!(awaited, Awaited::Stopped);
        assert_eq!(stop.wait_for_result(std::pin::pin!(std::future::pending::<()>()), Duration::ZERO), Awaited::Late);
    }

    #[test]
    fn a_late_wake_does_not_end_another_wait() {
        let stop = unstopped();
        assert!(stop.events.send(Event::Wake).is_ok() && stop.events.send(Event::Stop).is_ok());

        assert_eq!(stop.wait_for(LONG), Ended::Stop);
        assert_eq!(stop.wait_for(Duration::ZERO), Ended::Time);
    }

    #[test]
    fn a_renewal_that_is_requested_during_a_future_ends_the_next_wait() {
        let stop = unstopped();
        assert!(stop.events.send(Event::Renewal).is_ok());

        assert_eq!(stop.wait_for_result(std::pin::pin!(Twice(false)), LONG), Awaited::Ready("ready"));
        assert_eq!(stop.wait_for_result(std::pin::pin!(std::future::pending::<()>()), Duration::from_millis(1)), Awaited::Late);

        assert_eq!(stop.wait_for(LONG), Ended::Renewal);
        assert_eq!(stop.wait_for(Duration::ZERO), Ended::Time);
    }
}
