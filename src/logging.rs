//! Helpers that format the library's log events (crate `tracing`), for programs without a
//! subscriber.
//!
//! May depend on: nothing. Start reading at [`is_library_event`]; [`current_client`] says which
//! client an event is about.

use std::cell::Cell;
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata};

thread_local! {
    /// The number of the client for which the thread works; 0 for none.
    static CLIENT: Cell<u64> = const { Cell::new(0) };
}

/// Returns the number of the client for which the calling thread works, to be called by a
/// subscriber while it handles an event. `None` if the event is not about one client.
///
/// Clients are numbered from 1 in the order in which the process creates them; see
/// [`Client::number`](crate::Client::number). An event is handled on the thread that emits it.
#[must_use]
pub fn current_client() -> Option<u64> {
    let number = CLIENT.try_with(Cell::get).unwrap_or(0);
    (number != 0).then_some(number)
}

/// Runs `work` for the client with this number: [`current_client`] returns it meanwhile. Threads
/// that `work` starts inherit the number (`platform::spawn_without_signals`).
pub(crate) fn as_client<T>(number: Option<u64>, work: impl FnOnce() -> T) -> T {
    /// Restores the earlier number, also after a panic.
    struct Earlier(u64);

    impl Drop for Earlier {
        fn drop(&mut self) {
            let _ = CLIENT.try_with(|client| client.set(self.0));
        }
    }

    let number = number.unwrap_or(0);
    let _earlier = Earlier(CLIENT.try_with(|client| client.replace(number)).unwrap_or(0));
    work()
}

/// Returns the number for a new client.
pub(crate) fn next_client() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// Returns whether an event comes from this library. The underlying libraries log headers and URLs,
/// which contain secrets, at their finer levels.
#[must_use]
pub fn is_library_event(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    metadata.is_event() && (target == "tokenwell" || target.starts_with("tokenwell::"))
}

/// Formats the message of `event`, followed by its fields as `name=value`. The result contains no
/// secret and no token, because the types that contain them do not print them.
#[must_use]
pub fn format_event(event: &Event<'_>) -> String {
    let mut line = Line(String::new());
    event.record(&mut line);
    line.0
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let separator = if self.0.is_empty() { "" } else { " " };
        // Writing to a String cannot fail.
        let _ = if field.name() == "message" {
            write!(self.0, "{separator}{value:?}")
        } else {
            write!(self.0, "{separator}{}={value:?}", field.name())
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r28_the_number_of_the_client_is_set_during_the_work_and_restored_after_it() {
        assert_eq!(current_client(), None);

        as_client(Some(7), || {
            assert_eq!(current_client(), Some(7));
            as_client(Some(8), || assert_eq!(current_client(), Some(8)));
            assert_eq!(current_client(), Some(7));
            let panicked = std::panic::catch_unwind(|| as_client(Some(9), || panic!("on purpose")));
            assert!(panicked.is_err());
            assert_eq!(current_client(), Some(7));
            as_client(None, || assert_eq!(current_client(), None));
        });

        assert_eq!(current_client(), None);
    }

    #[test]
    #[allow(clippy::unwrap_used)]
    fn r28_a_thread_of_the_library_inherits_the_number() {
        let thread = as_client(Some(7), || crate::platform::spawn_without_signals(std::thread::Builder::new(), current_client).unwrap());

        assert_eq!(thread.join().unwrap(), Some(7));
    }
}
