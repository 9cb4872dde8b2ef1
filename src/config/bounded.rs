//! Reads files that may contain a secret into memory that is wiped.

use std::io::{self, ErrorKind, Read};
use zeroize::Zeroizing;

/// Reads at most `most` bytes of a file. The buffer has a fixed size: a buffer that grows would
/// leave copies behind.
pub(super) fn read_bounded(file: &mut impl Read, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut content = Zeroizing::new(vec![0; most]);
    let mut length = 0;
    while length < content.len() {
        match file.read(&mut content[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    content.truncate(length);
    Ok(content)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Returns one byte per read, and an interruption before each one.
    struct Halting<'a>(&'a [u8], bool);

    impl Read for Halting<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 { Err(ErrorKind::Interrupted.into()) } else { self.0.read(&mut buffer[..1]) }
        }
    }

    #[test]
    fn what_comes_in_pieces_is_read_to_its_end_or_to_the_limit() {
        for (most, expected) in [(2, "ab"), (3, "abc"), (4, "abc")] {
            assert_eq!(&**read_bounded(&mut Halting(b"abc", false), most).unwrap(), expected.as_bytes());
        }
    }
}
