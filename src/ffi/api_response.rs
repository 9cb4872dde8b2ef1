//! `tokenwell_api_response`: a response of the Admin API, for C.

use super::error::borrow_string;
use crate::api_request::ApiResponse;
use std::ffi::{CString, c_char};
use std::ptr;
use std::sync::Arc;

/// A response of the Admin API, with any status except a redirect.
///
/// It is returned by `tokenwell_client_request` and `tokenwell_operation_response`, owned by the
/// caller, and released with `tokenwell_api_response_free`. It remains valid after its client and
/// its operation are freed. The body may contain a secret: its memory is wiped when the response
/// and its operation are released.
///
/// Threads: it is immutable, and any number of threads may read it concurrently.
/// Fork: parent and child each have their own copy.
pub struct tokenwell_api_response(Arc<ApiResponse>);

/// Returns the HTTP status of a response. 4xx and 5xx are results too: the body says what is wrong.
///
/// @param response The response. May be NULL.
/// @return The status, for example 200. 0 if `response` is NULL.
/// @since 0.1
///
/// # Safety
/// `response` must be a response that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_api_response_status(response: *const tokenwell_api_response) -> i32 {
    // SAFETY: the caller promises NULL or a live response.
    unsafe { response.as_ref() }.map_or(0, |response| i32::from(response.0.status()))
}

/// Returns a header of a response, for example Content-Type, Retry-After or RateLimit-Remaining.
///
/// @param response The response. May be NULL.
/// @param name The name of the header, in upper or lower case. May be NULL.
/// @param name_len The length of `name` in bytes, without a terminating NUL.
/// @param len Receives the length in bytes, without the NUL. May be NULL.
/// @return A NUL-terminated ASCII string, owned by `response`: the first value if there are
///   several. NULL if the response has no such header, or `response` or `name` is NULL.
/// @since 0.1
///
/// # Safety
/// `response` must be a response that was not freed. `name` must be readable for `name_len`
/// bytes. `len` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_api_response_header(
    response: *const tokenwell_api_response,
    name: *const c_char,
    name_len: usize,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: the caller promises NULL or a live response, a string that is readable for its length,
    // and NULL or a writable length.
    unsafe {
        let name = super::boundary::bytes("name", name, name_len).ok();
        let value = name.zip(response.as_ref()).and_then(|(name, response)| response.0.header(name));
        borrow_string(value.map(CString::as_c_str), len)
    }
}

/// Returns the number of headers of a response. A header that was sent more than once counts as
/// often. Headers whose value is not visible ASCII are omitted.
///
/// @param response The response. May be NULL.
/// @return The number. 0 if `response` is NULL.
/// @since 0.1
///
/// # Safety
/// `response` must be a response that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_api_response_header_count(response: *const tokenwell_api_response) -> usize {
    // SAFETY: the caller promises NULL or a live response.
    unsafe { response.as_ref() }.map_or(0, |response| response.0.headers().len())
}

/// Returns the name of one of the headers of a response, in lower case.
///
/// @param response The response. May be NULL.
/// @param index The number of the header, in the order received, from 0.
/// @param len Receives the length in bytes, without the NUL. May be NULL.
/// @return A NUL-terminated ASCII string, owned by `response`. NULL if there is no such header, or
///   `response` is NULL.
/// @since 0.1
///
/// # Safety
/// `response` must be a response that was not freed. `len` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_api_response_header_name(
    response: *const tokenwell_api_response,
    index: usize,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: the caller promises NULL or a live response, and NULL or a writable length.
    unsafe { borrow_string(header_at(response, index).map(|(name, _)| name.as_c_str()), len) }
}

/// Returns the value of one of the headers of a response.
///
/// @param response The response. May be NULL.
/// @param index The number of the header, in the order received, from 0.
/// @param len Receives the length in bytes, without the NUL. May be NULL.
/// @return A NUL-terminated ASCII string, owned by `response`. NULL if there is no such header, or
///   `response` is NULL.
/// @since 0.1
///
/// # Safety
/// `response` must be a response that was not freed. `len` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_api_response_header_value(
    response: *const tokenwell_api_response,
    index: usize,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: the caller promises NULL or a live response, and NULL or a writable length.
    unsafe { borrow_string(header_at(response, index).map(|(_, value)| value.as_c_str()), len) }
}

/// Returns the body of a response, unchanged: JSON, also for most errors of the API.
///
/// A 4xx or 5xx of the API has the members `errorCode` and `detail`. A proxy may answer instead of
/// the API: check Content-Type.
///
/// @param response The response. May be NULL.
/// @param len Receives the length in bytes, without the NUL. May be NULL.
/// @return The bytes, followed by a NUL, owned by `response`. They may contain a NUL. NULL if
///   `response` is NULL.
/// @since 0.1
///
/// # Safety
/// `response` must be a response that was not freed. `len` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_api_response_body(response: *const tokenwell_api_response, len: *mut usize) -> *const c_char {
    // SAFETY: the caller promises NULL or a live response.
    let body = unsafe { response.as_ref() }.map(|response| response.0.body_with_nul());
    if !len.is_null() {
        // SAFETY: the caller promises that a non-NULL `len` is writable.
        unsafe { len.write(body.map_or(0, |body| body.len() - 1)) };
    }
    body.map_or(ptr::null(), |body| body.as_ptr().cast())
}

/// Releases a response.
///
/// @param response The response. If it is NULL, nothing happens.
/// @since 0.1
///
/// # Safety
/// `response` must be a response that was not freed. No other thread may be using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_api_response_free(response: *mut tokenwell_api_response) {
    if !response.is_null() {
        // SAFETY: the caller promises a live response, which came from `into_raw`.
        drop(unsafe { Box::from_raw(response) });
    }
}

/// Transfers a response to C as one pointer.
pub(super) fn into_raw(response: Arc<ApiResponse>) -> *mut tokenwell_api_response {
    Box::into_raw(Box::new(tokenwell_api_response(response)))
}

/// # Safety
/// `response` must be NULL or live, and not be freed while the result is used.
unsafe fn header_at<'a>(response: *const tokenwell_api_response, index: usize) -> Option<&'a (CString, CString)> {
    // SAFETY: upheld by the caller of this function.
    unsafe { response.as_ref() }?.0.headers().get(index)
}
