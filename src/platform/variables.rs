//! Environment variables that a host program passes as bytes.

use std::ffi::OsString;

/// Returns the key under which a variable is found. On Windows, names differ in more than case.
pub(crate) fn variable_key(name: &[u8]) -> Vec<u8> {
    if cfg!(windows) { name.to_ascii_uppercase() } else { name.to_owned() }
}

/// Returns the bytes as a string of the operating system.
#[cfg(unix)]
pub(crate) fn os_string(bytes: &[u8]) -> OsString {
    use std::os::unix::ffi::OsStrExt;

    std::ffi::OsStr::from_bytes(bytes).to_owned()
}

/// Returns the bytes, which are UTF-8, as a string of the operating system. If they are not UTF-8,
/// the result is a string that is not Unicode either, so that its use is an error.
#[cfg(not(unix))]
pub(crate) fn os_string(bytes: &[u8]) -> OsString {
    #[cfg(windows)]
    use std::os::windows::ffi::OsStringExt;

    const LONE_SURROGATE: u16 = 0xD800;
    std::str::from_utf8(bytes).map_or_else(|_| OsString::from_wide(&[LONE_SURROGATE]), OsString::from)
}
