//! Environment variables: those that a host program passes as bytes, and those with which the process
//! was started.

use std::ffi::OsString;

/// Returns whether this process was started with a variable `name` that is not empty. On Linux this
/// reads a copy of the kernel, which no thread of the program can change meanwhile. If the copy
/// cannot be read, the answer is no.
#[cfg(target_os = "linux")]
pub(crate) fn is_started_with(name: &str) -> bool {
    let Ok(all) = std::fs::read("/proc/self/environ") else { return false };
    // Other variables may be secrets.
    let all = zeroize::Zeroizing::new(all);
    let value = |variable: &[u8]| variable.strip_prefix(name.as_bytes())?.strip_prefix(b"=").map(<[u8]>::is_empty);
    all.split(|byte| *byte == 0).find_map(value) == Some(false)
}

/// Returns whether this process has a variable `name` that is not empty. Windows copies the value under
/// its own lock.
#[cfg(windows)]
pub(crate) fn is_started_with(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// Elsewhere there is no copy, and another thread may change the environment meanwhile: the answer is
/// no.
#[cfg(not(any(target_os = "linux", windows)))]
pub(crate) fn is_started_with(_name: &str) -> bool {
    false
}

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
