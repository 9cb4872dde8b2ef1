//! What the functions of the ABI that can fail have in common: pointers are checked, errors handed
//! over, panics stopped.

use super::error::tokenwell_error;
use crate::error::{Error, Status};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work`, turns its error into a status and, where `error` is not NULL, into an error object
/// that the caller owns. A panic becomes `INTERNAL`: nothing unwinds into C.
pub(super) fn boundary(error: *mut *mut tokenwell_error, work: impl FnOnce() -> Result<(), Error>) -> Status {
    let problem = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => return Status::Ok,
        Ok(Err(problem)) => problem,
        Err(_) => Error::internal("a panic was stopped at the C boundary"),
    };
    let status = problem.status();
    if !error.is_null() {
        let object = Box::into_raw(Box::new(tokenwell_error::new(&problem)));
        // SAFETY: the caller promises that a non-NULL `error` points at writable memory for one
        // pointer.
        unsafe { error.write(object) };
    }
    status
}

/// A borrowed object, or an error that names the parameter.
///
/// # Safety
/// A non-NULL `pointer` must come from this library, point at a `T` and not be freed while the
/// result is used.
pub(super) unsafe fn object<'a, T>(name: &str, pointer: *const T) -> Result<&'a T, Error> {
    // SAFETY: upheld by the caller of this function.
    unsafe { pointer.as_ref() }.ok_or_else(|| null(name))
}

/// The bytes of a text parameter.
///
/// # Safety
/// A non-NULL `pointer` must be readable for `len` bytes, which do not change while the result
/// is used.
pub(super) unsafe fn bytes<'a>(name: &str, pointer: *const std::ffi::c_char, len: usize) -> Result<&'a [u8], Error> {
    if pointer.is_null() {
        return Err(null(name));
    }
    if isize::try_from(len).is_err() {
        return Err(Error::invalid(name, "its length is larger than any memory", "Pass the number of bytes, without a terminating NUL."));
    }
    // SAFETY: upheld by the caller of this function; the length was checked.
    Ok(unsafe { std::slice::from_raw_parts(pointer.cast(), len) })
}

/// Where a result goes, or an error that names the parameter. Nothing is written through it on
/// failure.
pub(super) fn destination<T>(name: &str, pointer: *mut T) -> Result<*mut T, Error> {
    if pointer.is_null() { Err(null(name)) } else { Ok(pointer) }
}

fn null(name: &str) -> Error {
    Error::invalid(name, "is NULL", "Pass a valid pointer; tokenwell.h says which parameters may be NULL.")
}
