//! The C ABI: `include/tokenwell.h` is generated from this directory. Unsafe code is allowed here and in
//! `platform/*/sys.rs`.
//!
//! May depend on: the public crate API, the representation of `Token` as one pointer, and platform
//! (for `ProcessId`). Nothing depends on it. Start reading at `boundary`, then `client`.
//!
//! A function here checks its pointers, converts its arguments, makes one call into the safe API
//! and converts the result; it makes no decisions. A function that can fail, or is longer than a
//! few lines, goes through `boundary`, which stops panics. Accessors only read a field, and the
//! other `_free` functions only drop strings: they cannot panic and do not use `boundary`.
//!
//! The doc comments are the header: Doxygen commands describe parameters and results, and a `#
//! Safety` section becomes `@pre`. Such a section applies to pointers that are not NULL.
#![allow(unsafe_code, non_camel_case_types)]

mod api_request;
mod api_response;
mod boundary;
mod calls;
mod client;
mod client_async;
mod client_request;
mod config;
mod description;
mod error;
mod library;
mod log;
mod operation;
mod queue;
mod secret;
mod stats;
mod token;
