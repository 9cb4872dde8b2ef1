//! What only Windows has: directories by path, and the calls that std does not wrap.
//!
//! May depend on: `directory`'s types. Unsafe code is allowed in `sys`.

pub(super) mod directory;
#[cfg(feature = "capi")]
pub(super) mod event;
pub(super) mod sys;
