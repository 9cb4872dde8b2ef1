//! `tokenwell_token`: an access token, for C.

use crate::token::Token;
use std::ffi::c_char;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::time::UNIX_EPOCH;
use std::{marker, ptr};

/// An access token that was valid when it was returned.
///
/// It is created by `tokenwell_client_token`, owned by the caller, and released with
/// `tokenwell_token_free`. It remains valid after its client is freed. Its memory is wiped when the
/// last reference to the same token is released; the client's cache also has a reference.
///
/// Threads: it is immutable, and any number of threads may read it concurrently.
/// Fork: parent and child each have their own copy.
pub struct tokenwell_token {
    _opaque: marker::PhantomData<Token>,
}

/// Transfers the token to C as one pointer, which costs only a reference count.
pub(super) fn into_raw(token: Token) -> *mut tokenwell_token {
    Arc::into_raw(token.into_shared()).cast_mut().cast()
}

/// Borrows the token of a pointer that C owns.
///
/// # Safety
/// `token` must be NULL or come from `into_raw` and not be freed while the result is used.
pub(super) unsafe fn borrow(token: *const tokenwell_token) -> Option<ManuallyDrop<Token>> {
    if token.is_null() {
        return None;
    }
    // SAFETY: `into_raw` created the pointer from an Arc that C still owns; ManuallyDrop leaves its
    // count as it is.
    Some(ManuallyDrop::new(Token::from_shared(unsafe { Arc::from_raw(token.cast()) })))
}

/// Returns the access token, as the authorization server issued it.
///
/// The string is opaque: do not parse it, and do not log it.
///
/// @param token The token. May be NULL.
/// @param len Receives the length in bytes, without the NUL. May be NULL.
/// @return A NUL-terminated ASCII string, owned by `token`. NULL if `token` is NULL.
/// @since 0.1
///
/// # Safety
/// `token` must be a token that was not freed. `len` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_token_value(token: *const tokenwell_token, len: *mut usize) -> *const c_char {
    // SAFETY: the caller promises NULL or a live token, and NULL or a writable length.
    unsafe {
        let token = borrow(token);
        let scheme_len = token.as_ref().map_or(0, |token| token.authorization().len() - token.value().len());
        borrow_string(token.as_ref().map(|token| &token.authorization_with_nul()[scheme_len..]), len)
    }
}

/// Returns the value of the Authorization header: "Bearer " and the token (RFC 6750 section 2.1).
///
/// @param token The token. May be NULL.
/// @param len Receives the length in bytes, without the NUL. May be NULL.
/// @return A NUL-terminated ASCII string, owned by `token`. NULL if `token` is NULL.
/// @since 0.1
///
/// # Safety
/// `token` must be a token that was not freed. `len` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_token_authorization(token: *const tokenwell_token, len: *mut usize) -> *const c_char {
    // SAFETY: the caller promises NULL or a live token, and NULL or a writable length.
    unsafe { borrow_string(borrow(token).as_ref().map(|token| token.authorization_with_nul()), len) }
}

/// Returns the scope that the server granted (RFC 6749 section 5.1).
///
/// @param token The token. May be NULL.
/// @param len Receives the length in bytes, without the NUL. May be NULL.
/// @return A NUL-terminated ASCII string, owned by `token`. NULL if the server named no scope or
///   `token` is NULL.
/// @since 0.1
///
/// # Safety
/// `token` must be a token that was not freed. `len` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_token_scope(token: *const tokenwell_token, len: *mut usize) -> *const c_char {
    // SAFETY: the caller promises NULL or a live token, and NULL or a writable length.
    unsafe { borrow_string(borrow(token).as_ref().and_then(|token| token.scope_with_nul()), len) }
}

/// Returns when the token expires, by the wall clock.
///
/// @param token The token. May be NULL.
/// @return The time in milliseconds since the Unix epoch. 0 if `token` is NULL.
/// @since 0.1
///
/// # Safety
/// `token` must be a token that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_token_expires_at_ms(token: *const tokenwell_token) -> i64 {
    // SAFETY: the caller promises NULL or a live token.
    let Some(token) = (unsafe { borrow(token) }) else { return 0 };
    token.expires_at().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Returns the value that the client's generation counter got when this token became current.
///
/// See `tokenwell_client_generation`.
///
/// @param token The token. May be NULL.
/// @return The generation. 0 if `token` is NULL. UINT64_MAX if the token was never the client's
///   current one because the server's reply does not allow it to be cached.
/// @since 0.1
///
/// # Safety
/// `token` must be a token that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_token_generation(token: *const tokenwell_token) -> u64 {
    // SAFETY: the caller promises NULL or a live token.
    unsafe { borrow(token) }.map_or(0, |token| token.generation())
}

/// Returns another reference to a token: the same token, which each holder releases for itself.
///
/// It does not copy the string, and costs as much as returning a cached token.
///
/// @param token The token. May be NULL.
/// @return A reference that the caller owns; release it with `tokenwell_token_free`. NULL if
///   `token` is NULL.
/// @since 0.1
///
/// # Safety
/// `token` must be a token that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_token_clone(token: *const tokenwell_token) -> *mut tokenwell_token {
    // SAFETY: the caller promises NULL or a live token.
    unsafe { borrow(token) }.map_or(ptr::null_mut(), |token| into_raw(Token::clone(&token)))
}

/// Releases the caller's reference to a token.
///
/// @param token The token. If it is NULL, nothing happens.
/// @since 0.1
///
/// # Safety
/// `token` must be a token that was not freed. No other thread may be using it through this
/// pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_token_free(token: *mut tokenwell_token) {
    // SAFETY: the caller promises NULL or a live token that it does not use again.
    if let Some(token) = unsafe { borrow(token) } {
        drop(ManuallyDrop::into_inner(token));
    }
}

/// Returns `string`, which ends with a NUL, as a pointer that borrows from it. Writes its length
/// without the NUL to `len` if that is not NULL.
///
/// # Safety
/// `len` must be NULL or writable.
unsafe fn borrow_string(string: Option<&str>, len: *mut usize) -> *const c_char {
    if !len.is_null() {
        // SAFETY: upheld by the caller of this function.
        unsafe { len.write(string.map_or(0, |string| string.len() - 1)) };
    }
    string.map_or(ptr::null(), |string| string.as_ptr().cast())
}
