//! The locks of the single flight.
//!
//! They are the locks of std on purpose. On platforms where programs fork they use no memory
//! outside themselves, so a forked child can leave its parent's locks unused and create new ones.
//! `parking_lot` queues waiting threads in a process-wide table that a fork can leave locked
//! permanently. The model in `tests/single_flight_model` replaces this module with loom's locks.

pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard};
