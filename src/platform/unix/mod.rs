//! What only Unix has: directories by descriptor, and the calls that neither std nor nix wraps.
//!
//! May depend on: `directory`'s types. `sys` is one of the two places for unsafe code.

pub(super) mod directory;
pub(super) mod sys;
