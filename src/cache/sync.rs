//! The locks of the single flight.
//!
//! They are std's on purpose. On the platforms where programs fork they hold no memory outside themselves, so a forked child that leaves its
//! parent's locks behind can use fresh ones; `parking_lot` queues waiting threads in a table of the whole process that a fork can
//! leave locked for ever. The model in `tests/single_flight_model` puts loom's locks here.

pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard};
