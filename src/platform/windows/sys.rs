//! Safe wrappers of single calls of the system that std does not wrap.
//!
//! Each function makes one call and states why it is sound. Nothing else is done here.
#![allow(unsafe_code)]

#[link(name = "kernel32")]
unsafe extern "system" {
    fn GetTickCount64() -> u64;
}

/// Returns the milliseconds since the system was started, including the time during which it was
/// suspended. Resolution: a timer tick, 10 to 16 ms.
pub(in crate::platform) fn milliseconds_since_start() -> u64 {
    // SAFETY: the function takes nothing, always succeeds and may be called from any thread.
    unsafe { GetTickCount64() }
}
