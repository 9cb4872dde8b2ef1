//! Sends log lines to a callback, for C, or to standard error if TOKENWELL_LOG is set.

use super::boundary::{boundary, object};
use super::calls::Calls;
use super::client::tokenwell_client;
use super::error::tokenwell_error;
use crate::error::{Error, Status, printable};
use crate::logging::{current_client, format_event, is_library_event};
use crate::platform;
use arc_swap::ArcSwapOption;
use once_cell::sync::OnceCell;
use std::collections::BTreeMap;
use std::ffi::{OsString, c_char, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

/// A callback that receives one log line.
///
/// It may be called from any thread, and from several threads concurrently. It must not call any
/// function of tokenwell.
///
/// A line is a message and its details as `name=value`. The last one is the number of the client
/// that the line is about, for example `client=3`: a process numbers its clients from 1 in the
/// order in which it creates them. A line that is not about one client has no such number.
///
/// @param user_data The pointer that was passed with the callback.
/// @param level 1 for errors, 2 for warnings, 3 for information, 4 for details.
/// @param message The line: a NUL-terminated UTF-8 string, valid only during the call.
/// @param message_len The length of `message` in bytes, without the NUL.
pub type tokenwell_log_callback =
    Option<unsafe extern "C" fn(user_data: *mut c_void, level: i32, message: *const c_char, message_len: usize)>;

/// Sends log lines to a callback, which replaces an earlier callback.
///
/// No line contains a secret or a token.
///
/// It applies to the lines of the whole process, except those of clients that have a callback of
/// their own (`tokenwell_client_log_set`). It may be called from any thread, but not from inside a
/// callback. It blocks while the earlier callback is running. When it returns, the earlier callback
/// is not running and is not called again, so its `user_data` may be freed. This also applies in a
/// forked child.
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
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT, also if it is called from
///   inside the earlier callback.
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
        let sink = callback_sink(callback, user_data, max_level)?;
        if SINK.load().as_ref().is_some_and(|sink| sink.calls.is_inside()) {
            return Err(inside_the_callback());
        }
        SET_BY_THE_PROGRAM.store(true, Ordering::SeqCst);
        retire(SINK.swap(sink));
        Ok(())
    })
}

/// Sends the log lines of one client to a callback, which replaces an earlier callback of the
/// client.
///
/// The lines of this client then no longer go to the callback of `tokenwell_log_set` or to standard
/// error. Lines that are logged while the client is created come before this call can be made.
///
/// The rules of `tokenwell_log_set` apply. `tokenwell_client_free` removes the callback as a call
/// with NULL does: when the last reference to the client is freed, it waits for a callback that is
/// running, and the callback is not called again. Lines that a refresh writes later go to the
/// callback of the process.
///
/// @param client The client. Must not be NULL.
/// @param callback The callback. NULL: the lines of the client go to the callback of the process
///   again.
/// @param user_data Passed to the callback. May be NULL.
/// @param max_level The most detailed level to log: 1 to 4, as in `tokenwell_log_callback`.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT, also if it is called from
///   inside the client's earlier callback.
/// @since 0.1
///
/// # Safety
/// `client` must be a client that was not freed. `callback` must be callable with `user_data`
/// from any thread until it is replaced or the client is freed. `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_log_set(
    client: *const tokenwell_client,
    callback: tokenwell_log_callback,
    user_data: *mut c_void,
    max_level: i32,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary(error, || {
        // SAFETY: the caller promises NULL or a live client.
        let number = unsafe { object("client", client) }?.number();
        let sink = callback_sink(callback, user_data, max_level)?;
        if sink_of_client(number).is_some_and(|sink| sink.calls.is_inside()) {
            return Err(inside_the_callback());
        }
        set_sink_of_client(number, sink);
        Ok(())
    })
}

/// Removes the callback of a client that is freed, and waits for its running calls.
pub(super) fn forget_client(number: u64) {
    if sink_of_client(number).is_some() {
        set_sink_of_client(number, None);
    }
}

/// Creates the sink of a callback; `None` for a callback that is NULL.
fn callback_sink(callback: tokenwell_log_callback, user_data: *mut c_void, max_level: i32) -> Result<Option<Arc<Sink>>, Error> {
    let Some(callback) = callback else { return Ok(None) };
    let max_level = level_of(max_level)?;
    subscribe()?;
    Ok(Some(Arc::new(Sink::new(Target::Callback { callback, user_data }, max_level))))
}

fn inside_the_callback() -> Error {
    Error::invalid(
        "callback",
        "is running: it cannot be replaced from inside itself",
        "Replace the log callback after it has returned, for example from the thread that set it.",
    )
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

/// The sink of the process.
static SINK: ArcSwapOption<Sink> = ArcSwapOption::const_empty();

/// The sinks of the clients that have their own, by the number of the client. A change replaces the
/// map: changes are rare, and a lock could be held by another thread when the process forks.
static CLIENTS: ArcSwapOption<BTreeMap<u64, Arc<Sink>>> = ArcSwapOption::const_empty();

fn sink_of_client(number: u64) -> Option<Arc<Sink>> {
    CLIENTS.load().as_ref()?.get(&number).cloned()
}

fn set_sink_of_client(number: u64, sink: Option<Arc<Sink>>) {
    let earlier = CLIENTS.rcu(|clients| {
        let mut clients = clients.as_ref().map(|clients| BTreeMap::clone(clients)).unwrap_or_default();
        match &sink {
            Some(sink) => clients.insert(number, Arc::clone(sink)),
            None => clients.remove(&number),
        };
        (!clients.is_empty()).then(|| Arc::new(clients))
    });
    retire(earlier.and_then(|clients| clients.get(&number).cloned()));
}

/// The sink for the lines that the calling thread logs now.
fn current_sink() -> Option<Arc<Sink>> {
    current_client().and_then(sink_of_client).or_else(|| SINK.load_full())
}

/// Waits until no call of the replaced sink's callback is running. None begins any more, even if a
/// thread still finds the sink: see [`Calls`].
fn retire(sink: Option<Arc<Sink>>) {
    if let Some(sink) = sink {
        sink.calls.retire();
    }
}

#[derive(Debug)]
struct Sink {
    target: Target,
    max_level: Level,
    calls: Calls,
}

impl Sink {
    fn new(target: Target, max_level: Level) -> Self {
        Self { target, max_level, calls: Calls::new() }
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
                // SAFETY: the functions that set a callback require one that is callable until it
                // is replaced, and it was not replaced.
                unsafe { callback(*user_data, number_of(&level), message.as_ptr().cast(), message.len() - 1) };
            }
            Self::StandardError => {
                const LONGEST_LINE: usize = 4096;
                let word = LEVELS.into_iter().find(|(_, each)| *each == level).map_or("debug", |(word, _)| word);
                let line = format!("tokenwell: {word}: {}\n", printable(line, LONGEST_LINE));
                // Standard error may be a pipe whose reader has exited.
                platform::without_sigpipe(|| write_to_standard_error(&line));
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

// SAFETY: `tokenwell_log_set` and `tokenwell_client_log_set` require that the callback may be
// called with `user_data` from any thread.
unsafe impl Send for Sink {}
// SAFETY: as above; the other members are plain data and an atomic.
unsafe impl Sync for Sink {}

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

/// Sends only the events of this crate to the sink.
struct ToSink;

impl Subscriber for ToSink {
    /// Never returns `Interest::always`: tracing calls this once for each call site and caches the
    /// result, but the sink and its level may change later.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_library_event(metadata) { Interest::sometimes() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_library_event(metadata) && current_sink().is_some_and(|sink| *metadata.level() <= sink.max_level)
    }

    fn event(&self, event: &Event<'_>) {
        let level = *event.metadata().level();
        let Some(sink) = current_sink().filter(|sink| level <= sink.max_level) else { return };
        let mut line = format_event(event);
        if let Some(number) = current_client() {
            line.push_str(&format!(" client={number}"));
        }
        if let Some(_running) = sink.calls.begin() {
            sink.target.write(level, &line);
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
