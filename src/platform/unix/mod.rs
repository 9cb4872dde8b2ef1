//! What only Unix has: directories by descriptor, and the calls that neither std nor nix wraps.
//!
//! May depend on: `directory`'s types. Unsafe code is allowed in `sys`.

pub(super) mod directory;
pub(super) mod sys;
