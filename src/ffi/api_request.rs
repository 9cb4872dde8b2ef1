//! `tokenwell_api_request`: what a request to the Admin API sends, for C.

use super::boundary::{boundary, bytes, destination, object};
use super::error::tokenwell_error;
use crate::api_request::ApiRequest;
use crate::error::{Error, Status};
use std::ffi::c_char;

/// A request to the Admin API: its method, its path, its query and its body.
///
/// It is created by `tokenwell_api_request_new`, owned by the caller, and released with
/// `tokenwell_api_request_free`, which also wipes the body. It is sent by
/// `tokenwell_client_request`, `tokenwell_client_request_async` or
/// `tokenwell_client_request_queued`, any number of times and by any client. A call that was begun
/// does not refer to it.
///
/// Threads: only one thread at a time may change it. While no thread does, any number of threads
/// may send it.
/// Fork: parent and child each have their own copy.
pub struct tokenwell_api_request(ApiRequest);

impl tokenwell_api_request {
    pub(super) fn copy(&self) -> ApiRequest {
        self.0.clone()
    }
}

/// Creates a request without a body.
///
/// The request is sent to the server of the client's base URL and to no other one.
///
/// @param method GET, POST, PUT, PATCH or DELETE. Must not be NULL.
/// @param method_len The length of `method` in bytes, without a terminating NUL.
/// @param path The path on the server, for example "/api/atlas/v2/orgs", percent-encoded where
///   that is necessary. It may have a query. Must not be NULL.
/// @param path_len The length of `path` in bytes, without a terminating NUL.
/// @param out Receives the request; release it with `tokenwell_api_request_free`. Must not be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or one of:
/// - TOKENWELL_STATUS_REFUSED: the path is a URL or names a server in another way, or it has a
///   segment "." or "..", also a percent-encoded one.
/// - TOKENWELL_STATUS_INVALID_ARGUMENT: a parameter is invalid for another reason.
///
/// @since 0.1
///
/// # Safety
/// `method` and `path` must be readable for their lengths. `out` and `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_api_request_new(
    method: *const c_char,
    method_len: usize,
    path: *const c_char,
    path_len: usize,
    out: *mut *mut tokenwell_api_request,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary(error, || {
        // SAFETY: the caller promises that both strings are readable for their lengths.
        let (method, path) = unsafe { (bytes("method", method, method_len)?, bytes("path", path, path_len)?) };
        let out = destination("out", out)?;
        let request = ApiRequest::new(method, path)?;
        // SAFETY: `out` is not NULL, and the caller promises that it is writable.
        unsafe { out.write(Box::into_raw(Box::new(tokenwell_api_request(request)))) };
        Ok(())
    })
}

/// Sets the version of the API: the date in the media type "application/vnd.atlas.DATE+json".
///
/// The media type is sent as Accept, and as Content-Type if there is a body. The default is
/// 2024-08-05.
///
/// @param request The request. Must not be NULL.
/// @param version The date, for example "2025-03-12", or another name of a version, for example
///   "preview". Must not be NULL.
/// @param version_len The length of `version` in bytes, without a terminating NUL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// # Safety
/// `request` must be a request that was not freed. No other thread may be using it. `version`
/// must be readable for `version_len` bytes. `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_api_request_set_version(
    request: *mut tokenwell_api_request,
    version: *const c_char,
    version_len: usize,
    error: *mut *mut tokenwell_error,
) -> Status {
    // SAFETY: the caller promises a request that no other thread uses, and a readable string.
    boundary(error, || unsafe { changed(request) }?.set_version(unsafe { bytes("version", version, version_len) }?))
}

/// Adds a parameter to the query of a request, which encodes it.
///
/// @param request The request. Must not be NULL.
/// @param name The name, not encoded. Must not be NULL.
/// @param name_len The length of `name` in bytes, without a terminating NUL.
/// @param value The value, not encoded. Must not be NULL.
/// @param value_len The length of `value` in bytes, without a terminating NUL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// # Safety
/// `request` must be a request that was not freed. No other thread may be using it. `name` and
/// `value` must be readable for their lengths. `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_api_request_add_query(
    request: *mut tokenwell_api_request,
    name: *const c_char,
    name_len: usize,
    value: *const c_char,
    value_len: usize,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary(error, || {
        // SAFETY: the caller promises a request that no other thread uses, and readable strings.
        let (request, name, value) = unsafe { (changed(request)?, bytes("name", name, name_len)?, bytes("value", value, value_len)?) };
        request.add_query(name, value)
    })
}

/// Sets the body of a request. A later body replaces an earlier one.
///
/// @param request The request. Must not be NULL.
/// @param json One JSON value, which is checked and sent as it is. Must not be NULL.
/// @param json_len The length of `json` in bytes, without a terminating NUL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
///   The message never contains a part of the body.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// # Safety
/// `request` must be a request that was not freed. No other thread may be using it. `json`
/// must be readable for `json_len` bytes. `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_api_request_set_body(
    request: *mut tokenwell_api_request,
    json: *const c_char,
    json_len: usize,
    error: *mut *mut tokenwell_error,
) -> Status {
    // SAFETY: the caller promises a request that no other thread uses, and a readable string.
    boundary(error, || unsafe { changed(request) }?.set_body(unsafe { bytes("json", json, json_len) }?))
}

/// Sets the largest body of a response that is accepted.
///
/// @param request The request. Must not be NULL.
/// @param size The size in bytes. The default is 64 MiB.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// # Safety
/// `request` must be a request that was not freed. No other thread may be using it. `error`
/// must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_api_request_set_max_body(
    request: *mut tokenwell_api_request,
    size: u64,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary(error, || {
        // SAFETY: the caller promises a request that no other thread uses.
        unsafe { changed(request) }?.set_max_body(size);
        Ok(())
    })
}

/// Releases a request and wipes its body. Calls that were begun with it continue.
///
/// @param request The request. If it is NULL, nothing happens.
/// @since 0.1
///
/// # Safety
/// `request` must be a request that was not freed. No other thread may be using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_api_request_free(request: *mut tokenwell_api_request) {
    if !request.is_null() {
        // SAFETY: the caller promises a live request, which came from `Box::into_raw` in
        // `tokenwell_api_request_new`.
        drop(unsafe { Box::from_raw(request) });
    }
}

/// Borrows a request to send it.
///
/// # Safety
/// `request` must be NULL or a request that was not freed and that no thread is changing.
pub(super) unsafe fn sent(request: *const tokenwell_api_request) -> Result<ApiRequest, Error> {
    // SAFETY: upheld by the caller of this function.
    unsafe { object("request", request) }.map(tokenwell_api_request::copy)
}

/// Borrows a request to change it.
///
/// # Safety
/// `request` must be NULL or a request that was not freed and that no other thread uses.
unsafe fn changed<'a>(request: *mut tokenwell_api_request) -> Result<&'a mut ApiRequest, Error> {
    let request = destination("request", request)?;
    // SAFETY: upheld by the caller of this function.
    Ok(&mut unsafe { &mut *request }.0)
}
