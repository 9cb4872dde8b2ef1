//! Calls of `tokenwell_client` that do not block, for C: each begins an operation.

use super::boundary::{boundary, boundary_with_status, bytes, cancelable_boundary, destination, object};
use super::client::{await_save, token_options, token_value, tokenwell_client};
use super::error::tokenwell_error;
use super::operation::{Target, begin, tokenwell_destroy_callback, tokenwell_operation, tokenwell_operation_callback};
use super::queue::{open_queue, tokenwell_queue};
use super::token::{into_raw, tokenwell_token};
use crate::cache::Begun;
use crate::error::{Error, Status};
use crate::operation::Work;
use crate::platform::CancellationDisabled;
use std::ffi::{c_char, c_void};

/// Like `tokenwell_client_token`, but never blocks: the token comes later if it needs a refresh.
///
/// All callers share one refresh, and an operation uses no thread of its own.
///
/// @param client The client. Must not be NULL.
/// @param min_ttl_ms As for `tokenwell_client_token`.
/// @param deadline_ms After how many milliseconds the operation ends with
///   TOKENWELL_STATUS_DEADLINE; 0 for the configured timeout.
/// @param flags As for `tokenwell_client_token`.
/// @param callback Called once when the operation ends, if this call returns
///   TOKENWELL_STATUS_PENDING and the operation is not canceled. May be NULL: see
///   `tokenwell_operation_wait`.
/// @param user_data Passed to the callbacks. May be NULL.
/// @param destroy Called once when `user_data` is no longer used, if this call returns
///   TOKENWELL_STATUS_PENDING. May be NULL.
/// @param now Receives the token with TOKENWELL_STATUS_OK; release it with
///   `tokenwell_token_free`. Must not be NULL.
/// @param operation Receives the operation with TOKENWELL_STATUS_PENDING; release it with
///   `tokenwell_operation_free`. May be NULL: then it cannot be canceled.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK: a token was cached, and there is no operation.
///   TOKENWELL_STATUS_PENDING: the operation was begun. Otherwise there is no operation, and no
///   callback comes:
/// - TOKENWELL_STATUS_CLOSED: the client is closed.
/// - TOKENWELL_STATUS_NOT_CACHED: see TOKENWELL_CACHED_ONLY.
/// - TOKENWELL_STATUS_INVALID_ARGUMENT: as for `tokenwell_client_token`.
/// - TOKENWELL_STATUS_NOT_CONFIGURED: no thread can be created.
/// - The status of a remembered refresh error.
///
/// @since 0.1
///
/// # Safety
/// `client` must be a client that was not freed. `callback` and `destroy` must be
/// callable with `user_data` from any thread until `destroy` was called. `now`, `operation` and
/// `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_token_async(
    client: *const tokenwell_client,
    min_ttl_ms: u64,
    deadline_ms: u64,
    flags: u32,
    callback: tokenwell_operation_callback,
    user_data: *mut c_void,
    destroy: tokenwell_destroy_callback,
    now: *mut *mut tokenwell_token,
    operation: *mut *mut tokenwell_operation,
    error: *mut *mut tokenwell_error,
) -> Status {
    cancelable_boundary(error, || {
        let target = || Ok(Target::of_callback(callback, user_data, destroy));
        // SAFETY: the caller promises NULL or a live client, and writable outputs.
        unsafe { begin_token(client, min_ttl_ms, deadline_ms, flags, target, now, operation) }
    })
}

/// Like `tokenwell_client_token_async`, with an entry in a queue instead of the callback.
///
/// @param client The client. Must not be NULL.
/// @param min_ttl_ms As for `tokenwell_client_token`.
/// @param deadline_ms As for `tokenwell_client_token_async`.
/// @param flags As for `tokenwell_client_token`.
/// @param queue The queue that receives an entry when the operation ends. Must not be NULL.
/// @param tag Returned by `tokenwell_queue_take` with this entry.
/// @param now As for `tokenwell_client_token_async`. Must not be NULL.
/// @param operation As for `tokenwell_client_token_async`. May be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return As for `tokenwell_client_token_async`. TOKENWELL_STATUS_CLOSED also if the queue is
///   closed.
/// @since 0.1
///
/// # Safety
/// `client` must be a client and `queue` a queue that was not freed. `now`, `operation`
/// and `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_token_queued(
    client: *const tokenwell_client,
    min_ttl_ms: u64,
    deadline_ms: u64,
    flags: u32,
    queue: *const tokenwell_queue,
    tag: u64,
    now: *mut *mut tokenwell_token,
    operation: *mut *mut tokenwell_operation,
    error: *mut *mut tokenwell_error,
) -> Status {
    cancelable_boundary(error, || {
        // SAFETY: the caller promises NULL or a live queue.
        let target = || Ok(Target::Queue { queue: unsafe { open_queue(queue) }?, tag });
        // SAFETY: the caller promises NULL or a live client, and writable outputs.
        unsafe { begin_token(client, min_ttl_ms, deadline_ms, flags, target, now, operation) }
    })
}

/// Like `tokenwell_client_invalidate`, but never blocks.
///
/// When it returns, the token is no longer the current one. The operation ends when the token is
/// removed from the files that processes share.
///
/// @param client The client. Must not be NULL.
/// @param value As for `tokenwell_client_invalidate`. Must not be NULL.
/// @param value_len As for `tokenwell_client_invalidate`.
/// @param deadline_ms As for `tokenwell_client_token_async`. The operation then succeeds, and the
///   removal continues.
/// @param callback As for `tokenwell_client_token_async`. May be NULL.
/// @param user_data As for `tokenwell_client_token_async`. May be NULL.
/// @param destroy As for `tokenwell_client_token_async`. May be NULL.
/// @param operation As for `tokenwell_client_token_async`. May be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK: nothing is left to do, and there is no operation.
///   TOKENWELL_STATUS_PENDING: the operation was begun. Otherwise TOKENWELL_STATUS_CLOSED,
///   TOKENWELL_STATUS_INVALID_ARGUMENT, or TOKENWELL_STATUS_NOT_CONFIGURED if no thread can be
///   created.
/// @since 0.1
///
/// # Safety
/// `client` must be a client that was not freed. `value` must be readable for
/// `value_len` bytes. `callback` and `destroy` must be callable as for
/// `tokenwell_client_token_async`. `operation` and `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_invalidate_async(
    client: *const tokenwell_client,
    value: *const c_char,
    value_len: usize,
    deadline_ms: u64,
    callback: tokenwell_operation_callback,
    user_data: *mut c_void,
    destroy: tokenwell_destroy_callback,
    operation: *mut *mut tokenwell_operation,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary_with_status(error, || {
        let target = || Ok(Target::of_callback(callback, user_data, destroy));
        // SAFETY: the caller promises NULL or a live client, a readable string and a writable output.
        unsafe { begin_invalidate(client, value, value_len, deadline_ms, target, operation) }
    })
}

/// Like `tokenwell_client_invalidate_async`, with an entry in a queue instead of the callback.
///
/// @param client The client. Must not be NULL.
/// @param value As for `tokenwell_client_invalidate`. Must not be NULL.
/// @param value_len As for `tokenwell_client_invalidate`.
/// @param deadline_ms As for `tokenwell_client_invalidate_async`.
/// @param queue As for `tokenwell_client_token_queued`. Must not be NULL.
/// @param tag As for `tokenwell_client_token_queued`.
/// @param operation As for `tokenwell_client_token_async`. May be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return As for `tokenwell_client_invalidate_async`. TOKENWELL_STATUS_CLOSED also if the queue
///   is closed.
/// @since 0.1
///
/// # Safety
/// `client` must be a client and `queue` a queue that was not freed. `value` must be
/// readable for `value_len` bytes. `operation` and `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_invalidate_queued(
    client: *const tokenwell_client,
    value: *const c_char,
    value_len: usize,
    deadline_ms: u64,
    queue: *const tokenwell_queue,
    tag: u64,
    operation: *mut *mut tokenwell_operation,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary_with_status(error, || {
        // SAFETY: the caller promises NULL or a live queue.
        let target = || Ok(Target::Queue { queue: unsafe { open_queue(queue) }?, tag });
        // SAFETY: the caller promises NULL or a live client, a readable string and a writable output.
        unsafe { begin_invalidate(client, value, value_len, deadline_ms, target, operation) }
    })
}

/// Like `tokenwell_client_revoke`, but never blocks.
///
/// @param client The client. Must not be NULL.
/// @param deadline_ms As for `tokenwell_client_token_async`. The revocation continues after
///   that.
/// @param callback As for `tokenwell_client_token_async`. May be NULL.
/// @param user_data As for `tokenwell_client_token_async`. May be NULL.
/// @param destroy As for `tokenwell_client_token_async`. May be NULL.
/// @param operation As for `tokenwell_client_token_async`. May be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK: there is no current token, and no operation.
///   TOKENWELL_STATUS_PENDING: the operation was begun. Otherwise TOKENWELL_STATUS_CLOSED,
///   TOKENWELL_STATUS_INVALID_ARGUMENT, or TOKENWELL_STATUS_NOT_CONFIGURED if no thread can be
///   created.
/// @since 0.1
///
/// # Safety
/// `client` must be a client that was not freed. `callback` and `destroy` must be
/// callable as for `tokenwell_client_token_async`. `operation` and `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_revoke_async(
    client: *const tokenwell_client,
    deadline_ms: u64,
    callback: tokenwell_operation_callback,
    user_data: *mut c_void,
    destroy: tokenwell_destroy_callback,
    operation: *mut *mut tokenwell_operation,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary_with_status(error, || {
        let target = || Ok(Target::of_callback(callback, user_data, destroy));
        // SAFETY: the caller promises NULL or a live client, and a writable output.
        unsafe { begin_revoke(client, deadline_ms, target, operation) }
    })
}

/// Like `tokenwell_client_revoke_async`, with an entry in a queue instead of the callback.
///
/// @param client The client. Must not be NULL.
/// @param deadline_ms As for `tokenwell_client_revoke_async`.
/// @param queue As for `tokenwell_client_token_queued`. Must not be NULL.
/// @param tag As for `tokenwell_client_token_queued`.
/// @param operation As for `tokenwell_client_token_async`. May be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return As for `tokenwell_client_revoke_async`. TOKENWELL_STATUS_CLOSED also if the queue is
///   closed.
/// @since 0.1
///
/// # Safety
/// `client` must be a client and `queue` a queue that was not freed. `operation` and
/// `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_revoke_queued(
    client: *const tokenwell_client,
    deadline_ms: u64,
    queue: *const tokenwell_queue,
    tag: u64,
    operation: *mut *mut tokenwell_operation,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary_with_status(error, || {
        // SAFETY: the caller promises NULL or a live queue.
        let target = || Ok(Target::Queue { queue: unsafe { open_queue(queue) }?, tag });
        // SAFETY: the caller promises NULL or a live client, and a writable output.
        unsafe { begin_revoke(client, deadline_ms, target, operation) }
    })
}

/// Watches a client: a queue receives an entry whenever the generation of the client changes.
///
/// At most one such entry waits in the queue. Only changes in this process are seen. A client that
/// the queue watches already gets the new tag. A forked child watches nothing: call this function
/// again there.
///
/// @param client The client. Must not be NULL.
/// @param queue The queue. Must not be NULL.
/// @param tag Returned by `tokenwell_queue_take` with the entry, which has no operation.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, TOKENWELL_STATUS_CLOSED or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// # Safety
/// `client` must be a client and `queue` a queue that was not freed. `error` must be
/// writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_watch(
    client: *const tokenwell_client,
    queue: *const tokenwell_queue,
    tag: u64,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary(error, || {
        // SAFETY: the caller promises NULL or a live client and a live queue.
        let (client, queue) = unsafe { (object("client", client)?, open_queue(queue)?) };
        client.0.watch(queue.watcher(tag))
    })
}

/// Stops watching a client. An entry that is in the queue already stays there.
///
/// @param client The client. Must not be NULL.
/// @param queue The queue, which receives no more entries for changes of this client. Must not
///   be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// # Safety
/// `client` must be a client and `queue` a queue that was not freed. `error` must be
/// writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_unwatch(
    client: *const tokenwell_client,
    queue: *const tokenwell_queue,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary(error, || {
        // SAFETY: the caller promises NULL or a live client and a live queue.
        let (client, queue) = unsafe { (object("client", client)?, object("queue", queue)?) };
        let identity = queue.0.identity();
        client.0.unwatch(|watcher| watcher.target() == identity);
        Ok(())
    })
}

/// Disables cancellation unless a token is cached; see `cancelable_boundary`.
///
/// # Safety
/// `client` must be NULL or live, and the outputs NULL or writable.
unsafe fn begin_token(
    client: *const tokenwell_client,
    min_ttl_ms: u64,
    deadline_ms: u64,
    flags: u32,
    target: impl FnOnce() -> Result<Target, Error>,
    now: *mut *mut tokenwell_token,
    operation: *mut *mut tokenwell_operation,
) -> Result<Status, Error> {
    // SAFETY: upheld by the caller of this function.
    let client = unsafe { object("client", client) }?;
    let now = destination("now", now)?;
    let options = token_options(min_ttl_ms, deadline_ms, flags)?;
    let target = target()?;
    if let Some(token) = client.0.fresh_token(&options) {
        // SAFETY: as below.
        unsafe { now.write(into_raw(token)) };
        return Ok(Status::Ok);
    }
    let _not_canceled = CancellationDisabled::begin();
    let active = client.0.begin_work();
    match client.0.begin_token(&options, await_save(flags))? {
        Begun::Ready(token) => {
            // SAFETY: `now` is not NULL, and the caller of this function promises that it is writable.
            unsafe { now.write(into_raw(token)) };
            Ok(Status::Ok)
        }
        // SAFETY: upheld by the caller of this function.
        Begun::Pending(get) => unsafe { begin(&client.0, Work::Get(get), target, active, deadline_ms, operation) },
    }
}

/// # Safety
/// `client` must be NULL or live, `value` NULL or readable for its length, and the
/// output NULL or writable.
unsafe fn begin_invalidate(
    client: *const tokenwell_client,
    value: *const c_char,
    value_len: usize,
    deadline_ms: u64,
    target: impl FnOnce() -> Result<Target, Error>,
    operation: *mut *mut tokenwell_operation,
) -> Result<Status, Error> {
    // SAFETY: upheld by the caller of this function.
    let (client, value) = unsafe { (object("client", client)?, bytes("value", value, value_len)?) };
    let (value, target) = (token_value(value)?, target()?);
    let active = client.0.begin_work();
    match client.0.begin_invalidate(value)? {
        Begun::Ready(()) => Ok(Status::Ok),
        // SAFETY: upheld by the caller of this function.
        Begun::Pending(removal) => unsafe { begin(&client.0, Work::Removal(removal), target, active, deadline_ms, operation) },
    }
}

/// # Safety
/// `client` must be NULL or live, and the output NULL or writable.
unsafe fn begin_revoke(
    client: *const tokenwell_client,
    deadline_ms: u64,
    target: impl FnOnce() -> Result<Target, Error>,
    operation: *mut *mut tokenwell_operation,
) -> Result<Status, Error> {
    // SAFETY: upheld by the caller of this function.
    let client = unsafe { object("client", client) }?;
    let target = target()?;
    let active = client.0.begin_work();
    match client.0.begin_revoke()? {
        Begun::Ready(()) => Ok(Status::Ok),
        // SAFETY: upheld by the caller of this function.
        Begun::Pending(revocation) => unsafe { begin(&client.0, Work::Revocation(revocation), target, active, deadline_ms, operation) },
    }
}
