//! `tokenwell_error`: the description of a failed call, for C.

use crate::error::{Error, Status};
use std::ffi::{CString, c_char};
use std::ptr;
use std::time::Duration;

/// An error: what happened in a failed call, and what to do about it.
///
/// It is created by a failing call whose `error` parameter is not NULL. It is owned by the caller
/// and released with `tokenwell_error_free`. It remains valid after its client is freed.
///
/// It never contains a secret or a token.
///
/// Threads: it is immutable, and any number of threads may read it concurrently.
/// Fork: parent and child each have their own copy.
pub struct tokenwell_error {
    status: Status,
    message: CString,
    hint: CString,
    name: CString,
    http_status: i32,
    retry_after_ms: i64,
    oauth_code: Option<CString>,
    is_remembered: bool,
    age_ms: i64,
    attempts: u32,
}

impl tokenwell_error {
    pub(super) fn new(error: &Error) -> Self {
        Self {
            status: error.status(),
            message: c_string(&error.to_string()),
            hint: c_string(&error.hint()),
            name: c_string(error.status().name()),
            http_status: error.http_status().map_or(0, i32::from),
            retry_after_ms: error.retry_after().map_or(-1, milliseconds),
            oauth_code: error.oauth_code().map(c_string),
            is_remembered: error.is_remembered(),
            age_ms: milliseconds(error.age()),
            attempts: error.attempts(),
        }
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Converts a message to a C string. Messages contain no NUL, because strings from outside pass
/// `printable`. If one contains a NUL anyway, it is shown escaped and the message is not truncated.
pub(super) fn c_string(message: &str) -> CString {
    CString::new(message.replace('\0', "\\u{0}")).unwrap_or_default()
}

/// Returns the status of an error: the status that the failing call returned.
///
/// @param error The error. May be NULL.
/// @return The status. TOKENWELL_STATUS_OK if `error` is NULL.
/// @since 0.1
///
/// # Safety
/// `error` must be an error that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_error_status(error: *const tokenwell_error) -> Status {
    // SAFETY: the caller promises NULL or a live error.
    unsafe { error.as_ref() }.map_or(Status::Ok, |error| error.status)
}

/// Returns the name of an error's status, for example "RATE_LIMITED".
///
/// @param error The error. May be NULL.
/// @return A NUL-terminated string, owned by `error`. NULL if `error` is NULL.
/// @since 0.1
///
/// # Safety
/// `error` must be an error that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_error_name(error: *const tokenwell_error) -> *const c_char {
    // SAFETY: the caller promises NULL or a live error.
    unsafe { error.as_ref() }.map_or(ptr::null(), |error| error.name.as_ptr())
}

/// Returns the message of an error: what happened and to what, without secrets.
///
/// The message is one or two sentences in English.
///
/// @param error The error. May be NULL.
/// @param len Receives the length in bytes, without the NUL. May be NULL.
/// @return A NUL-terminated UTF-8 string, owned by `error`. NULL if `error` is NULL.
/// @since 0.1
///
/// # Safety
/// `error` must be an error that was not freed. `len` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_error_message(error: *const tokenwell_error, len: *mut usize) -> *const c_char {
    // SAFETY: the caller promises NULL or a live error, and NULL or a writable length.
    unsafe { borrow_string(error.as_ref().map(|error| error.message.as_c_str()), len) }
}

/// Returns the hint of an error: what to do about it.
///
/// @param error The error. May be NULL.
/// @param len Receives the length in bytes, without the NUL. May be NULL.
/// @return A NUL-terminated UTF-8 string, owned by `error`. It may be empty. NULL only if `error`
///   is NULL.
/// @since 0.1
///
/// # Safety
/// `error` must be an error that was not freed. `len` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_error_hint(error: *const tokenwell_error, len: *mut usize) -> *const c_char {
    // SAFETY: the caller promises NULL or a live error, and NULL or a writable length.
    unsafe { borrow_string(error.as_ref().map(|error| error.hint.as_c_str()), len) }
}

/// Returns the HTTP status of the server's reply.
///
/// @param error The error. May be NULL.
/// @return The HTTP status. 0 if there was no reply or `error` is NULL.
/// @since 0.1
///
/// # Safety
/// `error` must be an error that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_error_http_status(error: *const tokenwell_error) -> i32 {
    // SAFETY: the caller promises NULL or a live error.
    unsafe { error.as_ref() }.map_or(0, |error| error.http_status)
}

/// Returns how long to wait before the next attempt.
///
/// @param error The error. May be NULL.
/// @return The time in milliseconds. -1 if it is not known or `error` is NULL.
/// @since 0.1
///
/// # Safety
/// `error` must be an error that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_error_retry_after_ms(error: *const tokenwell_error) -> i64 {
    // SAFETY: the caller promises NULL or a live error.
    unsafe { error.as_ref() }.map_or(-1, |error| error.retry_after_ms)
}

/// Returns the error code that the server sent (RFC 6749 section 5.2), for example
/// "invalid_client".
///
/// It is the member `error` of the server's reply, or of its WWW-Authenticate header. Characters
/// that are not printable are escaped. It has at most 64 characters.
///
/// @param error The error. May be NULL.
/// @param len Receives the length in bytes, without the NUL. May be NULL.
/// @return A NUL-terminated UTF-8 string, owned by `error`. NULL if the server sent no such code or
///   `error` is NULL.
/// @since 0.1
///
/// # Safety
/// `error` must be an error that was not freed. `len` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_error_oauth_code(error: *const tokenwell_error, len: *mut usize) -> *const c_char {
    // SAFETY: the caller promises NULL or a live error, and NULL or a writable length.
    unsafe { borrow_string(error.as_ref().and_then(|error| error.oauth_code.as_deref()), len) }
}

/// Returns whether this is the remembered error of an earlier call.
///
/// After a failed refresh its error is remembered. During the cooldown that follows, calls return
/// it and no token request is sent.
///
/// @param error The error. May be NULL.
/// @return 1 if the error is remembered. 0 if it is new or `error` is NULL.
/// @since 0.1
///
/// # Safety
/// `error` must be an error that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_error_is_remembered(error: *const tokenwell_error) -> i32 {
    // SAFETY: the caller promises NULL or a live error.
    i32::from(unsafe { error.as_ref() }.is_some_and(|error| error.is_remembered))
}

/// Returns how long before the call that returned this error the remembered error occurred.
///
/// @param error The error. May be NULL.
/// @return The time in milliseconds. 0 if the error is not remembered. -1 if `error` is NULL.
/// @since 0.1
///
/// # Safety
/// `error` must be an error that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_error_age_ms(error: *const tokenwell_error) -> i64 {
    // SAFETY: the caller promises NULL or a live error.
    unsafe { error.as_ref() }.map_or(-1, |error| error.age_ms)
}

/// Returns how many requests the failure took, including retries.
///
/// A request for which no connection was established counts too. For a remembered error these are
/// the requests of the earlier call, which may have been in another process.
///
/// @param error The error. May be NULL.
/// @return The number of requests. 0 if the failure is not that of a request, or `error` is NULL.
/// @since 0.1
///
/// # Safety
/// `error` must be an error that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_error_attempts(error: *const tokenwell_error) -> u32 {
    // SAFETY: the caller promises NULL or a live error.
    unsafe { error.as_ref() }.map_or(0, |error| error.attempts)
}

/// Releases an error.
///
/// @param error The error. If it is NULL, nothing happens.
/// @since 0.1
///
/// # Safety
/// `error` must be an error that was not freed. No other thread may be using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_error_free(error: *mut tokenwell_error) {
    if !error.is_null() {
        // SAFETY: the caller promises a live error, which came from `Box::into_raw` in `boundary`.
        drop(unsafe { Box::from_raw(error) });
    }
}

/// Returns `string` as a pointer that borrows from it, and writes its length to `len` if that is
/// not NULL.
///
/// # Safety
/// `len` must be NULL or writable.
pub(super) unsafe fn borrow_string(string: Option<&std::ffi::CStr>, len: *mut usize) -> *const c_char {
    if !len.is_null() {
        // SAFETY: upheld by the caller of this function.
        unsafe { len.write(string.map_or(0, |string| string.count_bytes())) };
    }
    string.map_or(ptr::null(), std::ffi::CStr::as_ptr)
}
