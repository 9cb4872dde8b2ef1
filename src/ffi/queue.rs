//! `tokenwell_queue`: the ends of operations and the changes of clients, with a descriptor for
//! event loops, for C.

use super::boundary::{boundary, boundary_with_status, destination, object};
use super::error::tokenwell_error;
use super::operation::{Target, into_raw, tokenwell_operation, would_block};
use crate::error::{Error, Status};
use crate::operation::{Queue, in_callback};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

/// A completion queue: the ends of operations and the changes of clients, in their order.
///
/// It is for programs with an event loop, and for languages into which a thread of the library
/// must not call. It is created by `tokenwell_queue_new`, owned by the caller, and released with
/// `tokenwell_queue_free`. Operations that are to end in a queue that was freed end unseen.
///
/// Nothing is lost and nothing blocks if it is not read: each operation has one entry, and each
/// watched client has at most one.
///
/// Threads: any number of threads may concurrently use it.
/// Fork: the child has an empty queue, with a descriptor of its own, which is another one. The
/// descriptor of the parent stays open in the child until exec.
pub struct tokenwell_queue(pub(super) Arc<Queue<Target>>);

/// Creates a queue.
///
/// @param out Receives the queue; release it with `tokenwell_queue_free`. Must not be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, or one of:
/// - TOKENWELL_STATUS_NOT_CONFIGURED: the process has too many open descriptors.
/// - TOKENWELL_STATUS_INVALID_ARGUMENT: `out` is NULL.
///
/// @since 0.1
///
/// # Safety
/// `out` and `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_queue_new(out: *mut *mut tokenwell_queue, error: *mut *mut tokenwell_error) -> Status {
    boundary(error, || {
        let out = destination("out", out)?;
        let queue = Queue::new()?;
        // SAFETY: `out` is not NULL, and the caller promises that it is writable.
        unsafe { out.write(Box::into_raw(Box::new(tokenwell_queue(queue)))) };
        Ok(())
    })
}

/// Returns the descriptor of a queue, for poll, epoll, kqueue or an event loop.
///
/// It is readable while the queue has entries, and after the queue was closed. Never read from
/// it, write to it or close it: `tokenwell_queue_take` makes it not readable again. It is closed
/// with the queue. In a forked child, call this function again: the descriptor of the parent
/// tells the child nothing.
///
/// @param queue The queue. Must not be NULL.
/// @param out Receives the descriptor; -1 on Windows, where `tokenwell_queue_wait` is the way to
///   wait. Must not be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, or one of:
/// - TOKENWELL_STATUS_NOT_CONFIGURED: in a forked child, the process has too many open
///   descriptors.
/// - TOKENWELL_STATUS_INVALID_ARGUMENT: a parameter is NULL.
///
/// @since 0.1
///
/// # Safety
/// `queue` must be a queue that was not freed. `out` and `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_queue_descriptor(
    queue: *const tokenwell_queue,
    out: *mut i32,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary(error, || {
        // SAFETY: the caller promises NULL or a live queue.
        let queue = unsafe { object("queue", queue) }?;
        let out = destination("out", out)?;
        let descriptor = queue.0.descriptor()?;
        // SAFETY: `out` is not NULL, and the caller promises that it is writable.
        unsafe { out.write(descriptor) };
        Ok(())
    })
}

/// Takes the next entry from a queue. Never blocks.
///
/// @param queue The queue. Must not be NULL.
/// @param tag Receives the tag that was passed when the operation was begun or the client was
///   watched. May be NULL.
/// @param operation Receives the operation that has ended: a reference of its own, which is
///   released with `tokenwell_operation_free`. Receives NULL if the generation of a watched
///   client has changed. Must not be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, TOKENWELL_STATUS_PENDING if the queue has no entry,
///   TOKENWELL_STATUS_CLOSED or TOKENWELL_STATUS_INVALID_ARGUMENT. The entry of an operation
///   that was canceled is skipped, so the queue may turn out to be empty although its descriptor
///   was readable.
/// @since 0.1
///
/// # Safety
/// `queue` must be a queue that was not freed. `tag`, `operation` and `error` must be
/// writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_queue_take(
    queue: *const tokenwell_queue,
    tag: *mut u64,
    operation: *mut *mut tokenwell_operation,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary_with_status(error, || {
        // SAFETY: the caller promises NULL or a live queue.
        let queue = unsafe { object("queue", queue) }?;
        let operation = destination("operation", operation)?;
        let Some(taken) = queue.0.take()? else { return Ok(Status::Pending) };
        if !tag.is_null() {
            // SAFETY: the caller promises that a non-NULL `tag` is writable.
            unsafe { tag.write(taken.tag) };
        }
        let ended = taken.operation.map_or(ptr::null_mut(), |(operation, _)| into_raw(operation));
        // SAFETY: `operation` is not NULL, and the caller promises that it is writable.
        unsafe { operation.write(ended) };
        Ok(Status::Ok)
    })
}

/// Waits until a queue has an entry. For programs that have a thread for it.
///
/// @param queue The queue. Must not be NULL.
/// @param ms How long to wait, in milliseconds. 0 does not wait.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK if the queue has an entry. With several readers, another one may
///   take it. Otherwise TOKENWELL_STATUS_PENDING if the time has passed,
///   TOKENWELL_STATUS_CLOSED, or TOKENWELL_STATUS_INVALID_ARGUMENT, also if the call would block
///   in a callback of the library.
/// @since 0.1
///
/// # Safety
/// `queue` must be a queue that was not freed. `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_queue_wait(queue: *const tokenwell_queue, ms: u64, error: *mut *mut tokenwell_error) -> Status {
    boundary_with_status(error, || {
        // SAFETY: the caller promises NULL or a live queue.
        let queue = unsafe { object("queue", queue) }?;
        let waits = ms > 0 && !in_callback();
        if queue.0.wait(if waits { Duration::from_millis(ms) } else { Duration::ZERO })? {
            return Ok(Status::Ok);
        }
        if waits || ms == 0 { Ok(Status::Pending) } else { Err(would_block("tokenwell_queue_wait")) }
    })
}

/// Closes a queue for all its users: later and waiting calls return TOKENWELL_STATUS_CLOSED.
///
/// Its entries are dropped. The operations are not canceled. It may be called any number of
/// times.
///
/// @param queue The queue. Must not be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// # Safety
/// `queue` must be a queue that was not freed. `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_queue_close(queue: *const tokenwell_queue, error: *mut *mut tokenwell_error) -> Status {
    boundary(error, || {
        // SAFETY: the caller promises NULL or a live queue.
        unsafe { object("queue", queue) }?.0.close();
        Ok(())
    })
}

/// Closes a queue, releases its memory and closes its descriptor.
///
/// @param queue The queue. If it is NULL, nothing happens.
/// @since 0.1
///
/// # Safety
/// `queue` must be a queue that was not freed. No other call on it may be running or
/// follow. The event loop must no longer use its descriptor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_queue_free(queue: *mut tokenwell_queue) {
    if queue.is_null() {
        return;
    }
    boundary(ptr::null_mut(), || {
        // SAFETY: the caller promises a live queue, which came from `Box::into_raw` in
        // `tokenwell_queue_new`.
        let queue = unsafe { Box::from_raw(queue) };
        queue.0.release();
        Ok(())
    });
}

/// Borrows the queue of a parameter, for work that ends in it.
///
/// # Errors
/// It is closed: the end would never be seen.
///
/// # Safety
/// `queue` must be NULL or a queue that was not freed.
pub(super) unsafe fn open_queue(queue: *const tokenwell_queue) -> Result<Arc<Queue<Target>>, Error> {
    // SAFETY: upheld by the caller of this function.
    let queue = unsafe { object("queue", queue) }?;
    queue.0.refuse_if_closed()?;
    Ok(Arc::clone(&queue.0))
}
