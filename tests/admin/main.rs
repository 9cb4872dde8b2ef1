//! The typed operations for service accounts (`tokenwell::admin::service_accounts`), with the emulator as
//! Atlas. A test is named after the obligation of the project that it checks.
#![cfg(feature = "emulator")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod life;
mod lost_reply;
mod pages;
mod refusals;
mod support;
