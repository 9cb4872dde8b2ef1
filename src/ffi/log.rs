//! Sends log lines to a callback, for C, or to standard error if TOKENWELL_LOG is set.

use super::boundary::boundary;
use super::error::tokenwell_error;
use crate::error::{Error, Status, printable};
use crate::logging::{format_event, is_library_event};
use crate::platform::ProcessId;
use arc_swap::ArcSwapOption;
use once_cell::sync::OnceCell;
use std::ffi::{OsString, c_char, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

/// A callback that receives one log line.
///
/// It may be called from any thread, and from several threads concurrently. It must not call any
/// function of tokenwell.
///
/// @param user_data The pointer that was passed to `tokenwell_log_set`.
/// @param level 1 for errors, 2 for warnings, 3 for information, 4 for details.
/// @param message The line: a NUL-terminated UTF-8 string, valid only during the call.
/// @param message_len The length of `message` in bytes, without the NUL.
pub type tokenwell_log_callback =
    Option<unsafe extern "C" fn(user_data: *mut c_void, level: i32, message: *const c_char, message_len: usize)>;

/// Sends log lines to a callback, which replaces an earlier callback.
///
/// No line contains a secret or a token.
///
/// It applies to the whole process. It may be called from any thread, but not from inside a
/// callback. It blocks while the earlier callback is running. When it returns, the earlier callback
/// is not running and is not called again, so its `user_data` may be freed.
///
/// If a program never calls this function, its log can be enabled with the environment variable
/// TOKENWELL_LOG: `error`, `warning`, `info` or `debug`. The first client that is created then
/// sends lines of that level and of the more severe levels to standard error. It is read from the
/// environment that the config of that client uses.
///
/// @param callback The callback. NULL means that nothing is logged from now on.
/// @param user_data Passed to the callback. May be NULL.
/// @param max_level The most detailed level to log: 1 to 4, as in `tokenwell_log_callback`.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// # Safety
/// `callback` must be callable with `user_data` from any thread until it is replaced. `error`
/// must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_log_set(
    callback: tokenwell_log_callback,
    user_data: *mut c_void,
    max_level: i32,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary(error, || {
        let Some(callback) = callback else {
            SET_BY_THE_PROGRAM.store(true, Ordering::SeqCst);
            replace(None);
            return Ok(());
        };
        let max_level = level_of(max_level)?;
        subscribe()?;
        SET_BY_THE_PROGRAM.store(true, Ordering::SeqCst);
        replace(Some(Arc::new(Sink::new(Target::Callback { callback, user_data }, max_level))));
        Ok(())
    })
}

/// Whether the program called `tokenwell_log_set`, with a callback or with NULL.
static SET_BY_THE_PROGRAM: AtomicBool = AtomicBool::new(false);

const VARIABLE: &str = "TOKENWELL_LOG";
const LEVELS: [(&str, Level); 4] = [("error", Level::ERROR), ("warning", Level::WARN), ("info", Level::INFO), ("debug", Level::DEBUG)];

/// Sends log lines to standard error if TOKENWELL_LOG is set; `value` is its value. A program that
/// calls `tokenwell_log_set`, before this or concurrently, takes precedence.
pub(super) fn apply_log_environment(value: Option<OsString>) -> Result<(), Error> {
    let set_by_the_program = || SET_BY_THE_PROGRAM.load(Ordering::SeqCst);
    if set_by_the_program() || SINK.load().is_some() {
        return Ok(());
    }
    let Some(value) = value else { return Ok(()) };
    let Some((_, level)) = LEVELS.into_iter().find(|(word, _)| value.eq_ignore_ascii_case(word)) else {
        let problem = format!("`{}` is not one of error, warning, info, debug", printable(&value.to_string_lossy(), 40));
        let hint = "Set it to one of these values, or unset it. Use warning to see problems that did not cause an error.";
        return Err(Error::invalid(VARIABLE, problem, hint));
    };
    if subscribe().is_err() {
        // The program has its own tracing subscriber.
        return Ok(());
    }
    let sink = Some(Arc::new(Sink::new(Target::StandardError, level)));
    SINK.compare_and_swap(&None::<Arc<Sink>>, sink.clone());
    if set_by_the_program() {
        SINK.compare_and_swap(&sink, None);
    }
    Ok(())
}

fn subscribe() -> Result<(), Error> {
    static SUBSCRIBED: OnceCell<()> = OnceCell::new();
    SUBSCRIBED
        .get_or_try_init(|| tracing::subscriber::set_global_default(ToSink))
        .map(|_| ())
        .map_err(|_| Error::internal("the program already has a global tracing subscriber"))
}

static SINK: ArcSwapOption<Sink> = ArcSwapOption::const_empty();

#[derive(Debug)]
struct Sink {
    target: Target,
    max_level: Level,
    process: ProcessId,
    running: AtomicUsize,
}

impl Sink {
    fn new(target: Target, max_level: Level) -> Self {
        Self { target, max_level, process: ProcessId::current(), running: AtomicUsize::new(0) }
    }
}

#[derive(Debug)]
enum Target {
    Callback { callback: unsafe extern "C" fn(*mut c_void, i32, *const c_char, usize), user_data: *mut c_void },
    StandardError,
}

impl Target {
    fn write(&self, level: Level, line: &str) {
        match self {
            Self::Callback { callback, user_data } => {
                let message = line.replace('\0', "\\u{0}") + "\0";
                // SAFETY: `tokenwell_log_set` requires a callback that is callable until it is
                // replaced, and it was not replaced.
                unsafe { callback(*user_data, number_of(&level), message.as_ptr().cast(), message.len() - 1) };
            }
            Self::StandardError => {
                const LONGEST_LINE: usize = 4096;
                let word = LEVELS.into_iter().find(|(_, each)| *each == level).map_or("debug", |(word, _)| word);
                write_to_standard_error(&format!("tokenwell: {word}: {}\n", printable(line, LONGEST_LINE)));
            }
        }
    }
}

/// Bypasses the handle of std, because it has a lock that a fork could leave locked. A failure to
/// write is ignored: it must not fail the caller.
#[cfg(unix)]
fn write_to_standard_error(line: &str) {
    let _ = nix::unistd::write(std::io::stderr(), line.as_bytes());
}

#[cfg(not(unix))]
fn write_to_standard_error(line: &str) {
    use std::io::Write as _;

    let _ = std::io::stderr().write_all(line.as_bytes());
}

// SAFETY: `tokenwell_log_set` requires that the callback may be called with `user_data` from any
// thread.
unsafe impl Send for Sink {}
// SAFETY: as above; the other members are plain data and an atomic.
unsafe impl Sync for Sink {}

/// Sets the sink and waits until no callback of the earlier sink is running.
fn replace(sink: Option<Arc<Sink>>) {
    let Some(earlier) = SINK.swap(sink) else { return };
    // The count of the parent is not waited for in a forked child: the threads that were inside its
    // callback do not exist there, so nothing would decrement it.
    while earlier.process == ProcessId::current() && earlier.running.load(Ordering::SeqCst) > 0 {
        std::thread::yield_now();
    }
}

fn level_of(number: i32) -> Result<Level, Error> {
    match number {
        1 => Ok(Level::ERROR),
        2 => Ok(Level::WARN),
        3 => Ok(Level::INFO),
        4 => Ok(Level::DEBUG),
        other => Err(Error::invalid("max_level", format!("is {other}"), "Pass 1 (errors), 2 (warnings), 3 (information) or 4 (details).")),
    }
}

fn number_of(level: &Level) -> i32 {
    match *level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        _ => 4,
    }
}

/// Counts a running callback. The count is decremented on drop, also after a panic.
struct Running<'a>(&'a Sink);

impl<'a> Running<'a> {
    fn begin(sink: &'a Sink) -> Self {
        sink.running.fetch_add(1, Ordering::SeqCst);
        Self(sink)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Sends only the events of this crate to the sink.
struct ToSink;

impl Subscriber for ToSink {
    /// Never returns `Interest::always`: tracing calls this once for each call site and caches the
    /// result, but the sink and its level may change later.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_library_event(metadata) { Interest::sometimes() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_library_event(metadata) && SINK.load().as_ref().is_some_and(|sink| *metadata.level() <= sink.max_level)
    }

    fn event(&self, event: &Event<'_>) {
        let Some(sink) = SINK.load_full() else { return };
        let _running = Running::begin(&sink);
        // Read after the count was incremented: either `replace` sees the count, or this sees that
        // the sink was replaced.
        let current = SINK.load().as_ref().is_some_and(|current| Arc::ptr_eq(current, &sink));
        if current && *event.metadata().level() <= sink.max_level {
            sink.target.write(*event.metadata().level(), &format_event(event));
        }
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}
    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
    fn enter(&self, _span: &Id) {}
    fn exit(&self, _span: &Id) {}
}
