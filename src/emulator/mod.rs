//! Atlas in a box, for the demo, the tests and users' own CI.
//!
//! May depend on: nothing of the library but error. Start reading at `Emulator`.
