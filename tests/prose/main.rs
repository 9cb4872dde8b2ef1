//! Whether this project's prose keeps to its list of words, and whether its messages read as sentences.
//!
//! `words.txt` is the list, `words` searches for it, `passages` says what of a source file is prose, `files` which files are read.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod files;
mod passages;
mod words;
