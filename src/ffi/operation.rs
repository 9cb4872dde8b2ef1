//! `tokenwell_operation`: a call that was begun and has not ended yet, for C.

use super::boundary::{boundary_with_status, object};
use super::error::tokenwell_error;
use super::token::{into_raw as token_into_raw, tokenwell_token};
use crate::cache::ActiveWork;
use crate::client::Client;
use crate::error::{Error, Status};
use crate::operation::{Completion, Dispatcher, Operation, Queue, Value, Work, in_callback};
use crate::platform::ProcessId;
use arc_swap::ArcSwapOption;
use std::ffi::c_void;
use std::sync::Arc;
use std::time::Duration;
use std::{marker, ptr};

/// An operation: a call that was begun and whose result comes later.
///
/// It is created by a function whose name ends in `_async` or `_queued`, if that returns
/// TOKENWELL_STATUS_PENDING. It is owned by the caller and released with
/// `tokenwell_operation_free`, before or after its end. It remains valid after its client is
/// freed.
///
/// Threads: any number of threads may concurrently use it.
/// Fork: an operation exists only in the process that began it. In a forked child it never ends:
/// no callback comes, and `tokenwell_operation_wait` returns TOKENWELL_STATUS_CLOSED.
pub struct tokenwell_operation {
    _opaque: marker::PhantomData<Target>,
}

/// A callback that is called once when an operation ends.
///
/// It is called on a thread of the library. Only if the system can create no thread, a function
/// of the library may call it. All callbacks run one after another, so it should return
/// quickly. If it takes longer than 200 ms, another thread runs the callbacks that wait, up to 64
/// threads.
///
/// It may call any function of tokenwell, for this client too, except that a call which would
/// block fails with TOKENWELL_STATUS_INVALID_ARGUMENT. `tokenwell_operation_wait` returns the
/// result.
///
/// Like every callback of this library it must return: no `longjmp`, no `pthread_exit` and no C++
/// exception may leave it. Its stack has 2 MiB.
///
/// @param user_data The pointer that was passed to the function that began the operation.
/// @param operation The operation. It is valid during the call only, and must not be freed by
///   it.
pub type tokenwell_operation_callback = Option<unsafe extern "C" fn(user_data: *mut c_void, operation: *mut tokenwell_operation)>;

/// A callback that is called once when the library no longer uses a `user_data` pointer.
///
/// It comes after the other callback has returned, or when it is certain that it never comes.
/// Only then may the data be released. It may be called from any thread, also by the call that
/// drops the last reference.
///
/// @param user_data The pointer that was passed together with this callback.
pub type tokenwell_destroy_callback = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// Waits for the end of an operation, and returns its result.
///
/// It may be called any number of times, also after the end. An operation that was begun without
/// callbacks and without a queue needs no thread of the library: the threads that wait for it
/// continue it. So a program can wait in short steps and look after something else in between.
///
/// @param operation The operation. Must not be NULL.
/// @param ms How long to wait, in milliseconds. 0 does not wait.
/// @param token Receives the token of an operation that returned one; release it with
///   `tokenwell_token_free`. Receives NULL for other operations. May be NULL. The response of a
///   request is returned by `tokenwell_operation_response`.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_PENDING if the operation has not ended. TOKENWELL_STATUS_OK if it
///   has succeeded. Otherwise one of:
/// - TOKENWELL_STATUS_CLOSED: the client was closed, the operation was canceled, or this is a
///   forked child.
/// - TOKENWELL_STATUS_INVALID_ARGUMENT: the call would block in a callback of the library, or
///   `operation` is NULL.
/// - The status of the error with which it has ended.
///
/// @since 0.1
///
/// # Safety
/// `operation` must be an operation that was not freed. `token` and `error` must be
/// writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_operation_wait(
    operation: *const tokenwell_operation,
    ms: u64,
    token: *mut *mut tokenwell_token,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary_with_status(error, || {
        // SAFETY: the caller promises NULL or a live operation.
        let operation = unsafe { borrow(operation) }?;
        let waits = ms > 0 && !in_callback();
        let Some(result) = operation.wait(if waits { Duration::from_millis(ms) } else { Duration::ZERO }) else {
            return if waits || ms == 0 { Ok(Status::Pending) } else { Err(would_block("tokenwell_operation_wait")) };
        };
        let result = result?;
        if !token.is_null() {
            let raw = if let Value::Token(token) = result { token_into_raw(token) } else { ptr::null_mut() };
            // SAFETY: the caller promises that a non-NULL `token` is writable.
            unsafe { token.write(raw) };
        }
        Ok(Status::Ok)
    })
}

/// Cancels an operation: it ends without a result, if it has none yet.
///
/// A later wait returns its result, or TOKENWELL_STATUS_CLOSED if it had none. The work that
/// other callers share, such as a refresh, continues. The call never blocks. It may be made in
/// the callback, after the end and more than once.
///
/// @param operation The operation. May be NULL.
/// @return 1 if the callback, or the entry in the queue, never comes. The destroy callback comes
///   all the same. 0 if the callback is running or has returned, or the entry was taken, and if
///   `operation` is NULL.
/// @since 0.1
///
/// # Safety
/// `operation` must be an operation that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_operation_cancel(operation: *const tokenwell_operation) -> i32 {
    let mut canceled = 0;
    boundary_with_status(ptr::null_mut(), || {
        // SAFETY: the caller promises NULL or a live operation.
        canceled = i32::from(unsafe { borrow(operation) }?.cancel());
        Ok(Status::Ok)
    });
    canceled
}

/// Releases the caller's reference to an operation. Does not cancel it: its callback still
/// comes.
///
/// @param operation The operation. If it is NULL, nothing happens.
/// @since 0.1
///
/// # Safety
/// `operation` must be an operation that was not freed. No other thread may be using it
/// through this pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_operation_free(operation: *mut tokenwell_operation) {
    if operation.is_null() {
        return;
    }
    // Dropping the last reference may release a pending call, so a panic must be stopped here.
    boundary_with_status(ptr::null_mut(), || {
        // SAFETY: the caller promises a live operation, which came from `into_raw`.
        drop(unsafe { Arc::from_raw(operation.cast_const().cast::<Operation<Target>>()) });
        Ok(Status::Ok)
    });
}

/// How the end of an operation reaches the program.
pub(super) enum Target {
    /// Not at all: the program waits for the operation.
    Nothing,
    Callback {
        callback: tokenwell_operation_callback,
        user_data: *mut c_void,
        destroy: tokenwell_destroy_callback,
    },
    Queue {
        queue: Arc<Queue<Target>>,
        tag: u64,
    },
}

// SAFETY: the functions that take a callback require that it may be called with `user_data` from any
// thread. The queue is Send.
unsafe impl Send for Target {}

impl Target {
    pub(super) fn of_callback(callback: tokenwell_operation_callback, user_data: *mut c_void, destroy: tokenwell_destroy_callback) -> Self {
        if callback.is_none() && destroy.is_none() { Self::Nothing } else { Self::Callback { callback, user_data, destroy } }
    }
}

impl Completion for Target {
    fn dispatcher() -> &'static ArcSwapOption<Dispatcher<Self>> {
        static DISPATCHER: ArcSwapOption<Dispatcher<Target>> = ArcSwapOption::const_empty();
        &DISPATCHER
    }

    fn announce(&self, operation: &Arc<Operation<Self>>) -> bool {
        if let Self::Queue { queue, tag } = self {
            queue.push(*tag, operation);
        }
        !self.is_callback()
    }

    fn is_callback(&self) -> bool {
        matches!(self, Self::Callback { .. })
    }

    fn is_announced(&self) -> bool {
        !matches!(self, Self::Nothing)
    }

    fn run(self, operation: &Arc<Operation<Self>>) {
        let process = ProcessId::current();
        if let Self::Callback { callback: Some(callback), user_data, .. } = self {
            // SAFETY: the function that took the callback requires that it can be called until the
            // destroy callback was called. The pointer is valid during the call.
            unsafe { callback(user_data, Arc::as_ptr(operation).cast_mut().cast()) };
        }
        // A child that the callback has forked does not own the data.
        if process == ProcessId::current() {
            self.discard();
        }
    }

    fn discard(self) {
        if let Self::Callback { destroy: Some(destroy), user_data, .. } = self {
            // SAFETY: as for the other callback.
            unsafe { destroy(user_data) };
        }
    }
}

/// Begins an operation and transfers it to C, if `out` is not NULL. `active` was counted before the work
/// began, so that `tokenwell_client_drain` never misses it.
///
/// # Safety
/// `out` must be NULL or writable.
pub(super) unsafe fn begin(
    client: &Client,
    work: Work,
    target: Target,
    active: ActiveWork,
    deadline_ms: u64,
    out: *mut *mut tokenwell_operation,
) -> Result<Status, Error> {
    // SAFETY: upheld by the caller of this function.
    unsafe { begin_within(max_wait(client, deadline_ms), work, target, active, out) }
}

/// How long a call with this parameter may take.
pub(super) fn max_wait(client: &Client, deadline_ms: u64) -> Duration {
    if deadline_ms == 0 { client.timeout() } else { Duration::from_millis(deadline_ms) }
}

/// Like [`begin`], with a time that is not that of the parameter.
///
/// # Safety
/// `out` must be NULL or writable.
pub(super) unsafe fn begin_within(
    max_wait: Duration,
    work: Work,
    target: Target,
    active: ActiveWork,
    out: *mut *mut tokenwell_operation,
) -> Result<Status, Error> {
    let operation = Operation::begin(work, target, active, max_wait)?;
    if !out.is_null() {
        // SAFETY: upheld by the caller of this function.
        unsafe { out.write(into_raw(operation)) };
    }
    Ok(Status::Pending)
}

/// Transfers an operation to C as one pointer.
pub(super) fn into_raw(operation: Arc<Operation<Target>>) -> *mut tokenwell_operation {
    Arc::into_raw(operation).cast_mut().cast()
}

/// Borrows the operation of a pointer that C owns.
///
/// # Safety
/// `operation` must be NULL or come from `into_raw` and not be freed while the result is
/// used.
pub(super) unsafe fn borrow<'a>(operation: *const tokenwell_operation) -> Result<&'a Operation<Target>, Error> {
    // SAFETY: upheld by the caller of this function.
    unsafe { object("operation", operation.cast::<Operation<Target>>()) }
}

/// Fails a call that blocks if a callback of the library makes it: other callbacks would wait
/// for it.
pub(super) fn refuse_in_callback(function: &str) -> Result<(), Error> {
    if in_callback() { Err(would_block(function)) } else { Ok(()) }
}

pub(super) fn would_block(function: &str) -> Error {
    Error::invalid(
        function,
        "was called in a callback of tokenwell and would block it",
        "Begin an operation there (a function that ends in _async or _queued), or make the call on a thread of the program.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_small() {
        // With the counts of its Arc, its place in the flight and the entry of its deadline this stays
        // below 256 bytes for each waiter, also while the lists grow.
        assert!(size_of::<Operation<Target>>() <= 160, "{}", size_of::<Operation<Target>>());
    }
}
