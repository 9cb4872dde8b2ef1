//! What only Windows has: directories by path, and the calls that std does not wrap.
//!
//! May depend on: `directory`'s types. `sys` is one of the two places for unsafe code.

pub(super) mod directory;
pub(super) mod sys;
