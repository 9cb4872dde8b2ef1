//! The C ABI: `include/tokenwell.h` is generated from this folder. The only unsafe code of the
//! library.
//!
//! May depend on: the public crate API, and of `Token` how it is held as one pointer. Nothing
//! depends on it. Start reading at `boundary`, then `client`.
//!
//! A function here checks its pointers, converts, makes one call into the safe API and converts
//! back; it decides nothing. Whatever can fail, or runs more than a few lines, goes through
//! `boundary`, which stops panics. Accessors, which read a field, and the other `_free` functions,
//! which drop texts, have nothing in them that panics and do without.
#![allow(unsafe_code, non_camel_case_types)]

mod boundary;
mod client;
mod config;
mod error;
mod library;
mod log;
mod stats;
mod token;
