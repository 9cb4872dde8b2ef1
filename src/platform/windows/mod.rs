//! What only Windows has: directories by path, and the calls that std does not wrap.
//!
//! May depend on: `directory`'s types. Unsafe code is allowed in `sys`.

pub(super) mod directory;
pub(super) mod sys;
