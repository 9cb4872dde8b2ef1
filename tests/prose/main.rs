//! Checks the prose of this project: the words, and the punctuation of messages.
//!
//! - `words.txt` is the list of retired words. `words` searches a string for them.
//! - `passages` finds the comments and strings of a source file. `files` selects the files.
//! - `sentences` checks a message or a hint. `errors` applies it to every error of the library, and the
//!   runner of the test vectors to the errors of every language.
//! - `help` checks the help of every command.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod errors;
mod files;
mod help;
mod passages;
mod promises;
mod sentences;
mod words;
