//! An event without a descriptor: Windows has none that event loops of all kinds can wait for.

use std::io;

/// An event that nothing waits for.
#[derive(Debug)]
pub(crate) struct Event;

impl Event {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    /// Returns -1: there is no descriptor.
    pub(crate) fn descriptor(&self) -> i32 {
        -1
    }

    pub(crate) fn set(&self) {}

    pub(crate) fn clear(&self) {}
}
