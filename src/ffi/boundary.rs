//! Shared by all functions of the ABI that can fail: checks pointers, returns errors, stops panics.

use super::error::tokenwell_error;
use crate::error::{Error, Status};
use crate::platform::CancellationDisabled;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work` and returns its status. If `error` is not NULL, an error of `work` is also written
/// to it, as an object that the caller owns. A panic becomes `INTERNAL`: nothing unwinds into C.
///
/// The calling thread cannot be canceled meanwhile: `pthread_cancel` unwinds the stack like an
/// exception, and Rust aborts the process when one of another language reaches it.
pub(super) fn boundary(error: *mut *mut tokenwell_error, work: impl FnOnce() -> Result<(), Error>) -> Status {
    boundary_with_status(error, || work().map(|()| Status::Ok))
}

/// Like [`boundary`], for calls that can succeed in more than one way.
pub(super) fn boundary_with_status(error: *mut *mut tokenwell_error, work: impl FnOnce() -> Result<Status, Error>) -> Status {
    let _not_canceled = CancellationDisabled::begin();
    cancelable_boundary(error, work)
}

/// Like [`boundary_with_status`], for work that disables cancellation itself before it reaches a
/// cancellation point: a call of the system that may block, such as one that opens a file.
///
/// To take and release locks, to read a clock, to allocate and to free are none (POSIX.1-2017,
/// System Interfaces, 2.9.5.2).
pub(super) fn cancelable_boundary(error: *mut *mut tokenwell_error, work: impl FnOnce() -> Result<Status, Error>) -> Status {
    let problem = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(status)) => return status,
        Ok(Err(problem)) => problem,
        Err(_) => Error::internal("a panic was caught at the C boundary"),
    };
    let status = problem.status();
    if !error.is_null() {
        let object = Box::into_raw(Box::new(tokenwell_error::new(&problem)));
        // SAFETY: the caller promises that a non-NULL `error` points to writable memory for one
        // pointer.
        unsafe { error.write(object) };
    }
    status
}

/// Borrows an object. Fails with an error that names the parameter if it is NULL.
///
/// # Safety
/// A non-NULL `pointer` must come from this library, point to a `T` and not be freed while the
/// result is used.
pub(super) unsafe fn object<'a, T>(name: &str, pointer: *const T) -> Result<&'a T, Error> {
    // SAFETY: upheld by the caller of this function.
    unsafe { pointer.as_ref() }.ok_or_else(|| null(name))
}

/// Borrows the bytes of a string parameter. Fails with an error that names the parameter if it is
/// NULL.
///
/// # Safety
/// A non-NULL `pointer` must be readable for `len` bytes, which do not change while the result
/// is used.
pub(super) unsafe fn bytes<'a>(name: &str, pointer: *const std::ffi::c_char, len: usize) -> Result<&'a [u8], Error> {
    if pointer.is_null() {
        return Err(null(name));
    }
    if isize::try_from(len).is_err() {
        return Err(Error::invalid(name, "the length exceeds the address space", "Pass the number of bytes, without a terminating NUL."));
    }
    // SAFETY: upheld by the caller of this function; the length was checked.
    Ok(unsafe { std::slice::from_raw_parts(pointer.cast(), len) })
}

/// Checks the pointer to an output. Fails with an error that names the parameter if it is NULL.
/// Nothing is written through it on failure.
pub(super) fn destination<T>(name: &str, pointer: *mut T) -> Result<*mut T, Error> {
    if pointer.is_null() { Err(null(name)) } else { Ok(pointer) }
}

fn null(name: &str) -> Error {
    Error::invalid(name, "is NULL", "Pass a valid pointer. tokenwell.h documents which parameters may be NULL.")
}
