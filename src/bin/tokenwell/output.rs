//! Standard output carries the answer and nothing else.

use crate::failure::Failure;
use std::io::{self, Write as _};

/// Writes `answer` and a line end, and sees that it arrived.
pub(crate) fn line(answer: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(answer.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()).map_err(Failure::Output)
}
