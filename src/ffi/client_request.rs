//! Requests of a `tokenwell_client` to the Admin API, for C.

use super::api_request::{sent, tokenwell_api_request};
use super::api_response::{into_raw, tokenwell_api_response};
use super::boundary::{boundary, boundary_with_status, destination, object};
use super::client::tokenwell_client;
use super::error::tokenwell_error;
use super::operation::{
    Target, begin_within, borrow, max_wait, refuse_in_callback, tokenwell_destroy_callback, tokenwell_operation,
    tokenwell_operation_callback,
};
use super::queue::{open_queue, tokenwell_queue};
use crate::api_request::backstop;
use crate::error::{AWAITING_API, Error, Status};
use crate::operation::{Value, Work};
use std::ffi::c_void;
use std::time::{Duration, Instant};

/// Sends a request to the Admin API with a token of a client, and waits for its response.
///
/// If the API responds with 401, the token is invalidated (`tokenwell_client_invalidate`) and the
/// request is sent once more with a new token. The second response is returned, whatever its status
/// is. Without a new token, the 401 is. Nothing else is repeated, and redirects are not followed.
///
/// A response with status 4xx or 5xx is a success of this call. It fails if there is no token, and
/// if there is no complete response. After such a failure of a request that was sent, it is not
/// known whether it has taken effect; the hint of the error says so.
///
/// Each call uses a thread and a connection of its own until it ends. An event loop calls
/// `tokenwell_client_request_async` or `tokenwell_client_request_queued`.
///
/// @param client The client. Must not be NULL.
/// @param request The request. Must not be NULL.
/// @param deadline_ms How long the call may block, in milliseconds, with the waits for tokens; 0
///   for the configured timeout.
/// @param out Receives the response; release it with `tokenwell_api_response_free`. Must not be
///   NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or one of:
/// - TOKENWELL_STATUS_DEADLINE: the deadline was exceeded.
/// - TOKENWELL_STATUS_NETWORK, TOKENWELL_STATUS_TLS: there is no connection, or it broke.
/// - TOKENWELL_STATUS_PROTOCOL: the response is not HTTP, or larger than the request accepts.
/// - TOKENWELL_STATUS_REFUSED: the response is a redirect.
/// - TOKENWELL_STATUS_CLOSED: the client is closed.
/// - TOKENWELL_STATUS_NOT_CONFIGURED: the client has no base URL, because its server was set by
///   `token_url`.
/// - TOKENWELL_STATUS_INVALID_ARGUMENT: a parameter is NULL, or this is a callback of the library.
/// - The other statuses of `tokenwell_client_token`, for the token.
///
/// @since 0.1
///
/// # Safety
/// `client` must be a client and `request` a request that was not freed. No thread may be
/// changing the request. `out` and `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_request(
    client: *const tokenwell_client,
    request: *const tokenwell_api_request,
    deadline_ms: u64,
    out: *mut *mut tokenwell_api_response,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary(error, || {
        // SAFETY: the caller promises NULL or a live client, and NULL or a live request.
        let (client, request) = unsafe { (object("client", client)?, sent(request)?) };
        let out = destination("out", out)?;
        refuse_in_callback("tokenwell_client_request")?;
        let (began, max_wait) = (Instant::now(), max_wait(&client.0, deadline_ms));
        let pending = client.0.begin_request(request, max_wait, true)?;
        let response = pending
            .wait(began.checked_add(backstop(max_wait)))
            .unwrap_or_else(|| Err(Error::Deadline { waited: began.elapsed(), blocked_by: AWAITING_API.to_owned() }))?;
        // SAFETY: `out` is not NULL, and the caller promises that it is writable.
        unsafe { out.write(into_raw(response)) };
        Ok(())
    })
}

/// Like `tokenwell_client_request`, but never blocks: `tokenwell_operation_response` returns the
/// response.
///
/// @param client The client. Must not be NULL.
/// @param request The request. Must not be NULL.
/// @param deadline_ms After how many milliseconds the operation ends with an error; 0 for the
///   configured timeout.
/// @param callback As for `tokenwell_client_token_async`. May be NULL.
/// @param user_data As for `tokenwell_client_token_async`. May be NULL.
/// @param destroy As for `tokenwell_client_token_async`. May be NULL.
/// @param operation As for `tokenwell_client_token_async`. May be NULL. To cancel the operation
///   ends its request, which may have taken effect.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_PENDING: the operation was begun. Otherwise TOKENWELL_STATUS_CLOSED,
///   TOKENWELL_STATUS_INVALID_ARGUMENT, or TOKENWELL_STATUS_NOT_CONFIGURED, as for
///   `tokenwell_client_request` and if no thread can be created. Never TOKENWELL_STATUS_OK.
/// @since 0.1
///
/// # Safety
/// `client` must be a client and `request` a request that was not freed. No thread may be
/// changing the request. `callback` and `destroy` must be callable as for
/// `tokenwell_client_token_async`. `operation` and `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_request_async(
    client: *const tokenwell_client,
    request: *const tokenwell_api_request,
    deadline_ms: u64,
    callback: tokenwell_operation_callback,
    user_data: *mut c_void,
    destroy: tokenwell_destroy_callback,
    operation: *mut *mut tokenwell_operation,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary_with_status(error, || {
        let target = || Ok(Target::of_callback(callback, user_data, destroy));
        // SAFETY: the caller promises NULL or a live client, NULL or a live request, and a writable output.
        unsafe { begin_request(client, request, deadline_ms, target, operation) }
    })
}

/// Like `tokenwell_client_request_async`, with an entry in a queue instead of the callback.
///
/// @param client The client. Must not be NULL.
/// @param request The request. Must not be NULL.
/// @param deadline_ms As for `tokenwell_client_request_async`.
/// @param queue As for `tokenwell_client_token_queued`. Must not be NULL.
/// @param tag As for `tokenwell_client_token_queued`.
/// @param operation As for `tokenwell_client_request_async`. May be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return As for `tokenwell_client_request_async`. TOKENWELL_STATUS_CLOSED also if the queue is
///   closed.
/// @since 0.1
///
/// # Safety
/// `client` must be a client, `request` a request and `queue` a queue that was not freed. No
/// thread may be changing the request. `operation` and `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_request_queued(
    client: *const tokenwell_client,
    request: *const tokenwell_api_request,
    deadline_ms: u64,
    queue: *const tokenwell_queue,
    tag: u64,
    operation: *mut *mut tokenwell_operation,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary_with_status(error, || {
        // SAFETY: the caller promises NULL or a live queue.
        let target = || Ok(Target::Queue { queue: unsafe { open_queue(queue) }?, tag });
        // SAFETY: the caller promises NULL or a live client, NULL or a live request, and a writable output.
        unsafe { begin_request(client, request, deadline_ms, target, operation) }
    })
}

/// Returns the response of an operation that has ended. Never blocks.
///
/// `tokenwell_operation_wait` waits for its end. Each call returns a response of its own.
///
/// @param operation An operation of `tokenwell_client_request_async` or
///   `tokenwell_client_request_queued`. Must not be NULL.
/// @param out Receives the response; release it with `tokenwell_api_response_free`. Must not be
///   NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or one of:
/// - TOKENWELL_STATUS_PENDING: the operation has not ended.
/// - TOKENWELL_STATUS_INVALID_ARGUMENT: a parameter is NULL, or the operation is not that of a
///   request.
/// - The other statuses of `tokenwell_operation_wait`.
///
/// @since 0.1
///
/// # Safety
/// `operation` must be an operation that was not freed. `out` and `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_operation_response(
    operation: *const tokenwell_operation,
    out: *mut *mut tokenwell_api_response,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary_with_status(error, || {
        // SAFETY: the caller promises NULL or a live operation.
        let operation = unsafe { borrow(operation) }?;
        let out = destination("out", out)?;
        let Some(result) = operation.wait(Duration::ZERO) else { return Ok(Status::Pending) };
        let Value::Response(response) = result? else {
            return Err(Error::invalid(
                "operation",
                "is not that of a request to the API",
                "Pass an operation of tokenwell_client_request_async or tokenwell_client_request_queued.",
            ));
        };
        // SAFETY: `out` is not NULL, and the caller promises that it is writable.
        unsafe { out.write(into_raw(response)) };
        Ok(Status::Ok)
    })
}

/// # Safety
/// `client` and `request` must be NULL or live, and the output NULL or writable.
unsafe fn begin_request(
    client: *const tokenwell_client,
    request: *const tokenwell_api_request,
    deadline_ms: u64,
    target: impl FnOnce() -> Result<Target, Error>,
    operation: *mut *mut tokenwell_operation,
) -> Result<Status, Error> {
    // SAFETY: upheld by the caller of this function.
    let (client, request) = unsafe { (object("client", client)?, sent(request)?) };
    let (target, max_wait) = (target()?, max_wait(&client.0, deadline_ms));
    let active = client.0.begin_work();
    let pending = client.0.begin_request(request, max_wait, false)?;
    // SAFETY: upheld by the caller of this function.
    unsafe { begin_within(backstop(max_wait), Work::Request(pending), target, active, operation) }
}
