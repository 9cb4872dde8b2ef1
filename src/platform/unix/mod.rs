//! What only Unix has: directories by descriptor, and the calls that neither std nor nix wraps.
//!
//! May depend on: `directory`'s types. Unsafe code is allowed in `sys`.

pub(super) mod directory;
#[cfg(feature = "capi")]
pub(super) mod event;
pub(super) mod sys;
