//! The C ABI: `include/tokenwell.h` is generated from this folder. The only unsafe code of the crate.
//!
//! May depend on: the public crate API. Nothing depends on it. Start reading at `boundary`, which every function goes through, then `client`.
//!
//! A function here checks its pointers, converts, makes one call into the safe API and converts back; it decides nothing.
#![allow(unsafe_code, non_camel_case_types)]

mod boundary;
mod client;
mod config;
mod error;
mod library;
mod log;
mod stats;
mod token;
