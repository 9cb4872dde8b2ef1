//! Whether this project's prose keeps to its list of words, and whether its messages read as sentences.
//!
//! `words.txt` is the list, `words` searches for it, `passages` says what of a source file is prose, `files` which files are read. `errors` formats
//! every error, `help` runs the command, `sentences` checks what they print; the runner of the test vectors uses it for every language.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod errors;
mod files;
mod help;
mod passages;
mod sentences;
mod words;
