//! `tokenwell_token`: an access token, for C.

use crate::token::Token;
use std::ffi::c_char;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::time::UNIX_EPOCH;
use std::{marker, ptr};

/// A live access token.
///
/// Made by `tokenwell_client_token` and then owned by the caller, who ends it with `tokenwell_token_free`; its memory is wiped when the last
/// holder of the same token, the client's cache among them, is gone. Immutable: any number of threads may read it at once. It outlives the client it
/// came from. After fork both processes have their own copy.
pub struct tokenwell_token {
    _opaque: marker::PhantomData<Token>,
}

/// Gives the token to C as one pointer: a reference count is all it costs.
pub(super) fn hand_over(token: Token) -> *mut tokenwell_token {
    Arc::into_raw(token.into_shared()).cast_mut().cast()
}

/// The token behind a pointer that C holds, without taking it over.
///
/// # Safety
/// `token` must be NULL or come from `hand_over` and not be freed while the result is used.
pub(super) unsafe fn borrow(token: *const tokenwell_token) -> Option<ManuallyDrop<Token>> {
    if token.is_null() {
        return None;
    }
    // SAFETY: `hand_over` made the pointer from an Arc that C still holds; ManuallyDrop leaves its count as it is.
    Some(ManuallyDrop::new(Token::from_shared(unsafe { Arc::from_raw(token.cast()) })))
}

/// The token's text, as the authorization server issued it. Opaque: do not parse it, do not log it.
///
/// `token` may be NULL, which gives NULL. `len` may be NULL; else it receives the number of bytes before the NUL. The text is ASCII and
/// belongs to the token. Since 0.1.
///
/// # Safety
/// `token` must be NULL or a token that was not freed; `len` must be NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_token_value(token: *const tokenwell_token, len: *mut usize) -> *const c_char {
    // SAFETY: the caller promises NULL or a live token, and NULL or a writable length.
    unsafe {
        let token = borrow(token);
        let skipped = token.as_ref().map_or(0, |token| token.authorization().len() - token.value().len());
        lend_without_nul(token.as_ref().map(|token| &token.authorization_with_nul()[skipped..]), len)
    }
}

/// The value for the Authorization header: "Bearer " and the token (RFC 6750 section 2.1).
///
/// Parameters and ownership as for `tokenwell_token_value`. Since 0.1.
///
/// # Safety
/// `token` must be NULL or a token that was not freed; `len` must be NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_token_authorization(token: *const tokenwell_token, len: *mut usize) -> *const c_char {
    // SAFETY: the caller promises NULL or a live token, and NULL or a writable length.
    unsafe { lend_without_nul(borrow(token).as_ref().map(|token| token.authorization_with_nul()), len) }
}

/// The scope that the server granted; NULL where it named none (RFC 6749 section 5.1).
///
/// Parameters and ownership as for `tokenwell_token_value`. Since 0.1.
///
/// # Safety
/// `token` must be NULL or a token that was not freed; `len` must be NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_token_scope(token: *const tokenwell_token, len: *mut usize) -> *const c_char {
    // SAFETY: the caller promises NULL or a live token, and NULL or a writable length.
    unsafe { lend_without_nul(borrow(token).as_ref().and_then(|token| token.scope_with_nul()), len) }
}

/// When the token ends, by the wall clock: milliseconds since the Unix epoch.
///
/// `token` may be NULL, which gives 0. Since 0.1.
///
/// # Safety
/// `token` must be NULL or a token that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_token_expires_at_ms(token: *const tokenwell_token) -> i64 {
    // SAFETY: the caller promises NULL or a live token.
    let Some(token) = (unsafe { borrow(token) }) else { return 0 };
    token.expires_at().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The number of the client's generation that this token began; see `tokenwell_client_generation`. UINT64_MAX for a token that was never the client's
/// current one, because its server said that it must not be kept.
///
/// `token` may be NULL, which gives 0. Since 0.1.
///
/// # Safety
/// `token` must be NULL or a token that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_token_generation(token: *const tokenwell_token) -> u64 {
    // SAFETY: the caller promises NULL or a live token.
    unsafe { borrow(token) }.map_or(0, |token| token.generation())
}

/// Ends the caller's hold on a token. `token` may be NULL: then nothing happens. Since 0.1.
///
/// # Safety
/// `token` must be NULL or a token that was not freed, and no other thread may be using it through this pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_token_free(token: *mut tokenwell_token) {
    // SAFETY: the caller promises NULL or a live token that it does not use again.
    if let Some(token) = unsafe { borrow(token) } {
        drop(ManuallyDrop::into_inner(token));
    }
}

/// A text that ends with a NUL as a pointer, and its length before the NUL where that is wanted.
///
/// # Safety
/// `len` must be NULL or writable.
unsafe fn lend_without_nul(text: Option<&str>, len: *mut usize) -> *const c_char {
    if !len.is_null() {
        // SAFETY: upheld by the caller of this function.
        unsafe { len.write(text.map_or(0, |text| text.len() - 1)) };
    }
    text.map_or(ptr::null(), |text| text.as_ptr().cast())
}
