//! `tokenwell_secret_request`: a client secret that the program delivers when one is needed, for C.

use super::boundary::{boundary, bytes, destination};
use super::config::tokenwell_config;
use super::error::tokenwell_error;
use super::operation::{Target, tokenwell_destroy_callback};
use crate::config::{SecretProvider, SecretRequest};
use crate::error::{Error, Status};
use crate::operation::{Completion, Dispatcher, on_dispatcher_thread};
use std::ffi::{c_char, c_void};
use std::sync::Arc;

/// A request for the client secret, which the program answers exactly once.
///
/// It is passed to a `tokenwell_secret_callback`, which then owns it. It is answered and released
/// by `tokenwell_secret_request_provide` or `tokenwell_secret_request_fail`, in the callback or
/// later.
///
/// Threads: it may be answered by any thread.
/// Fork: a child cannot answer the requests of its parent. It may release them: an answer returns
/// TOKENWELL_STATUS_CLOSED.
pub struct tokenwell_secret_request(SecretRequest);

/// A callback that delivers the client secret.
///
/// It runs on a thread of its own, on which all signals are blocked. It must not use the client
/// that needs the secret: calls that would wait fail with TOKENWELL_STATUS_INVALID_ARGUMENT. It may
/// use other clients.
///
/// @param user_data The pointer that was passed to `tokenwell_config_set_secret_callback`.
/// @param request The request, owned by the callback, which must answer it now or later.
pub type tokenwell_secret_callback = Option<unsafe extern "C" fn(user_data: *mut c_void, request: *mut tokenwell_secret_request)>;

/// Sets a callback that delivers the client secret whenever one is needed.
///
/// It replaces the settings `client_secret` and `client_secret_file`, which must not be set too.
/// The setting `client_id` is required.
///
/// A client calls it for every refresh, and again after the server rejected the secret: once
/// immediately, and then, while the rejection is remembered, at most once per second and only if a
/// token is requested. A client has one request at a time.
///
/// A request may take half of `timeout_ms`. Without an answer within that time the refresh fails
/// with TOKENWELL_STATUS_NOT_CONFIGURED. The next refresh makes another request if the callback has
/// returned; otherwise it waits for the callback that is running.
///
/// If `tokenwell_client_close` or `tokenwell_client_free` is called while a request is pending, the
/// request must still be answered. In a forked child, the callback is called for the child's own
/// refreshes.
///
/// @param config The config. Must not be NULL.
/// @param callback The callback. NULL removes it; the next two parameters are then ignored.
/// @param user_data Passed to the callback. May be NULL.
/// @param destroy Releases `user_data`: it is called exactly once, after this config was freed or
///   got another callback, the clients that were created from it were freed, their refreshes have
///   ended, and all requests were answered. A forked child calls it for its own copy, unless a
///   thread of the parent was in a refresh at the fork. It is not called if this function fails.
///   May be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// # Safety
/// `config` must be a config that was not freed. No other thread may be using it.
/// `callback` must be callable with `user_data` from any thread until `destroy` is called, and
/// `destroy` from any thread. `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_config_set_secret_callback(
    config: *mut tokenwell_config,
    callback: tokenwell_secret_callback,
    user_data: *mut c_void,
    destroy: tokenwell_destroy_callback,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary(error, || {
        let config = destination("config", config)?;
        let provider = callback.map(|callback| Arc::new(Provider { callback, user_data, destroy }) as Arc<dyn SecretProvider>);
        // SAFETY: the caller promises a live config that no other thread uses.
        unsafe { &mut *config }.set_secret_provider(provider);
        Ok(())
    })
}

/// Answers a request with the client secret, and releases the request.
///
/// The string is copied. The memory of the copy is wiped when it is released.
///
/// @param request The request. Must not be NULL. It is released whatever this function returns.
/// @param secret The client secret: visible ASCII and spaces. Must not be NULL.
/// @param secret_len The length of `secret` in bytes, without a terminating NUL: 1 to 65536.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or one of:
/// - TOKENWELL_STATUS_INVALID_ARGUMENT: the secret cannot be used. The refresh fails.
/// - TOKENWELL_STATUS_DEADLINE: the request took too long, and the secret is not used.
/// - TOKENWELL_STATUS_CLOSED: this process is a forked child of the one that made the request.
///
/// @since 0.1
///
/// # Safety
/// `request` must be a request that was not answered. `secret` must be readable for its
/// length. `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_secret_request_provide(
    request: *mut tokenwell_secret_request,
    secret: *const c_char,
    secret_len: usize,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary(error, || {
        // SAFETY: the caller promises NULL or a request that it does not use again.
        let request = unsafe { take(request) }?;
        // SAFETY: the caller promises a string that is readable for its length.
        request.provide_bytes(unsafe { bytes("secret", secret, secret_len) }?)
    })
}

/// Answers a request with the reason why there is no client secret, and releases the request.
///
/// The refresh fails with TOKENWELL_STATUS_NOT_CONFIGURED and a message that contains the reason.
///
/// @param request The request. Must not be NULL. It is released whatever this function returns.
/// @param message The reason, in UTF-8. It must not contain a secret. Must not be NULL.
/// @param message_len The length of `message` in bytes, without a terminating NUL. May be 0.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return As for `tokenwell_secret_request_provide`.
/// @since 0.1
///
/// # Safety
/// `request` must be a request that was not answered. `message` must be readable for its
/// length. `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_secret_request_fail(
    request: *mut tokenwell_secret_request,
    message: *const c_char,
    message_len: usize,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary(error, || {
        // SAFETY: the caller promises NULL or a request that it does not use again.
        let request = unsafe { take(request) }?;
        // SAFETY: the caller promises a string that is readable for its length.
        let message = unsafe { bytes("message", message, message_len) }?;
        request.fail(&String::from_utf8_lossy(message))
    })
}

/// Takes the request back from C. It is dropped, and thereby fails, if the caller cannot answer it.
///
/// # Safety
/// `request` must be NULL or live, and not be used again.
unsafe fn take(request: *mut tokenwell_secret_request) -> Result<SecretRequest, Error> {
    let request = destination("request", request)?;
    // SAFETY: upheld by the caller of this function; the pointer came from `Box::into_raw` below.
    Ok(unsafe { Box::from_raw(request) }.0)
}

/// The callback of a program with its `user_data`, which it releases when it is dropped.
struct Provider {
    callback: unsafe extern "C" fn(*mut c_void, *mut tokenwell_secret_request),
    user_data: *mut c_void,
    destroy: tokenwell_destroy_callback,
}

impl SecretProvider for Provider {
    fn request(&self, request: SecretRequest) {
        let request = Box::into_raw(Box::new(tokenwell_secret_request(request)));
        // SAFETY: `tokenwell_config_set_secret_callback` requires a callback that is callable from
        // any thread until `destroy` is called, which happens when this is dropped.
        unsafe { (self.callback)(self.user_data, request) };
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let data = Target::Callback { callback: None, user_data: self.user_data, destroy: self.destroy };
        if on_dispatcher_thread() {
            // It runs no code of the program: all deadlines of the process would wait.
            Dispatcher::of_this_process().discard(data, None);
        } else {
            data.discard();
        }
    }
}

// SAFETY: `tokenwell_config_set_secret_callback` requires that both callbacks may be called with
// `user_data` from any thread.
unsafe impl Send for Provider {}
// SAFETY: as above; a client has one request at a time, but several clients may share a callback.
unsafe impl Sync for Provider {}
