//! `tokenwell_error`: what went wrong, for C.

use crate::error::{Error, Status};
use std::ffi::{CString, c_char};
use std::ptr;

/// What went wrong in one call, and what to do about it.
///
/// Made by a failing call that was given a place for it, and then owned by the caller, who ends it with `tokenwell_error_free`.
/// Immutable: any number of threads may read it at once. It outlives the client it came from. It never holds a secret or a token.
/// After fork both processes have their own copy.
pub struct tokenwell_error {
    status: Status,
    message: CString,
    hint: CString,
    name: CString,
    http_status: i32,
    retry_after_ms: i64,
}

impl tokenwell_error {
    pub(super) fn new(error: &Error) -> Self {
        Self {
            status: error.status(),
            message: c_text(&error.to_string()),
            hint: c_text(&error.hint()),
            name: c_text(error.status().name()),
            http_status: error.http_status().map_or(0, i32::from),
            retry_after_ms: error.retry_after().map_or(-1, |wait| i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)),
        }
    }
}

/// Messages hold no NUL: texts from outside have passed `printable`. Should one slip through it is shown, not cut short.
fn c_text(text: &str) -> CString {
    CString::new(text.replace('\0', "\\u{0}")).unwrap_or_default()
}

/// The status number of `error`: the one that the failing call returned.
///
/// `error` may be NULL, which gives TOKENWELL_STATUS_OK. Since 0.1.
///
/// # Safety
/// `error` must be NULL or an error that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_error_status(error: *const tokenwell_error) -> Status {
    // SAFETY: the caller promises NULL or a live error.
    unsafe { error.as_ref() }.map_or(Status::Ok, |error| error.status)
}

/// The name of the status: "RATE_LIMITED".
///
/// `error` may be NULL, which gives NULL. The text is NUL-terminated and belongs to the error. Since 0.1.
///
/// # Safety
/// `error` must be NULL or an error that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_error_name(error: *const tokenwell_error) -> *const c_char {
    // SAFETY: the caller promises NULL or a live error.
    unsafe { error.as_ref() }.map_or(ptr::null(), |error| error.name.as_ptr())
}

/// What happened, and to what: one or two sentences in English, without secrets.
///
/// `error` may be NULL, which gives NULL. `len` may be NULL; else it receives the number of bytes before the NUL. The text is UTF-8 and belongs
/// to the error. Since 0.1.
///
/// # Safety
/// `error` must be NULL or an error that was not freed; `len` must be NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_error_message(error: *const tokenwell_error, len: *mut usize) -> *const c_char {
    // SAFETY: the caller promises NULL or a live error, and NULL or a writable length.
    unsafe { lend(error.as_ref().map(|error| error.message.as_c_str()), len) }
}

/// What to do about it. Never NULL for an error that is not NULL, possibly empty.
///
/// Parameters and ownership as for `tokenwell_error_message`. Since 0.1.
///
/// # Safety
/// `error` must be NULL or an error that was not freed; `len` must be NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_error_hint(error: *const tokenwell_error, len: *mut usize) -> *const c_char {
    // SAFETY: the caller promises NULL or a live error, and NULL or a writable length.
    unsafe { lend(error.as_ref().map(|error| error.hint.as_c_str()), len) }
}

/// The HTTP status of the server's reply; 0 where there was none.
///
/// `error` may be NULL, which gives 0. Since 0.1.
///
/// # Safety
/// `error` must be NULL or an error that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_error_http_status(error: *const tokenwell_error) -> i32 {
    // SAFETY: the caller promises NULL or a live error.
    unsafe { error.as_ref() }.map_or(0, |error| error.http_status)
}

/// For how many milliseconds it is useless to ask again; -1 where that is not known.
///
/// `error` may be NULL, which gives -1. Since 0.1.
///
/// # Safety
/// `error` must be NULL or an error that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_error_retry_after_ms(error: *const tokenwell_error) -> i64 {
    // SAFETY: the caller promises NULL or a live error.
    unsafe { error.as_ref() }.map_or(-1, |error| error.retry_after_ms)
}

/// Ends an error. `error` may be NULL: then nothing happens. Since 0.1.
///
/// # Safety
/// `error` must be NULL or an error that was not freed, and no other thread may be using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_error_free(error: *mut tokenwell_error) {
    if !error.is_null() {
        // SAFETY: the caller promises a live error, which came from `Box::into_raw` in `boundary`.
        drop(unsafe { Box::from_raw(error) });
    }
}

/// The text as a pointer, and its length where that is wanted.
///
/// # Safety
/// `len` must be NULL or writable.
pub(super) unsafe fn lend(text: Option<&std::ffi::CStr>, len: *mut usize) -> *const c_char {
    if !len.is_null() {
        // SAFETY: upheld by the caller of this function.
        unsafe { len.write(text.map_or(0, |text| text.count_bytes())) };
    }
    text.map_or(ptr::null(), std::ffi::CStr::as_ptr)
}
