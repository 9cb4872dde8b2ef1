//! The versions of the library and of its ABI, and the names of the statuses, for C.

use crate::error::Status;
use std::ffi::c_char;

/// The version of this ABI.
///
/// It changes when the meaning of a function or struct changes. Additions do not change it.
pub const TOKENWELL_ABI_VERSION: u32 = 1;

/// Returns the ABI version of the loaded library.
///
/// Compare it with the `TOKENWELL_ABI_VERSION` that the program was compiled with.
///
/// @return The `TOKENWELL_ABI_VERSION` of the loaded library.
/// @since 0.1
#[unsafe(no_mangle)]
pub extern "C" fn tokenwell_abi_version() -> u32 {
    TOKENWELL_ABI_VERSION
}

/// Returns the version of the library, for example "0.1.0".
///
/// @return A static, NUL-terminated string.
/// @since 0.1
#[unsafe(no_mangle)]
pub extern "C" fn tokenwell_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Returns the name of a status number, for example "RATE_LIMITED".
///
/// @param status A status number.
/// @return A static, NUL-terminated string: "UNKNOWN" for a number that this version does not know.
/// @since 0.1
#[unsafe(no_mangle)]
pub extern "C" fn tokenwell_status_name(status: i32) -> *const c_char {
    Status::from_code(status).map_or(c"UNKNOWN", Status::c_name).as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c_and_rust_know_a_status_by_the_same_name() {
        for code in Status::all().map(Status::code) {
            // SAFETY: the function returns static, NUL-terminated strings.
            let name = unsafe { std::ffi::CStr::from_ptr(tokenwell_status_name(code)) };
            assert_eq!(name.to_str().ok(), Status::from_code(code).map(Status::name));
        }
    }
}
