//! Two programs for the suite tsan: `race` must be reported, and `order` must not be. Both results
//! depend on functions that are compiled with the standard library, not with this program.

use std::cell::UnsafeCell;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

struct Shared<T>(UnsafeCell<T>);

// SAFETY: not safe. `race` is a planted fault, and in `order` the threads take turns.
unsafe impl<T> Sync for Shared<T> {}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("race") => race(),
        Some("order") => order(),
        _ => std::process::exit(2),
    }
}

/// The accesses are in `PathBuf::push`. If the standard library were not instrumented, they would
/// not be seen.
fn race() {
    let shared = Arc::new(Shared(UnsafeCell::new(PathBuf::with_capacity(1000))));
    let in_thread = Arc::clone(&shared);
    let other = thread::spawn(move || push_to(&in_thread));
    push_to(&shared);
    let _ = other.join();
}

fn push_to(shared: &Shared<PathBuf>) {
    // SAFETY: none: this is the planted fault.
    let path = unsafe { &mut *shared.0.get() };
    path.push("a");
}

/// `unpark` in one thread happens before the return of `park` in the other one. If the standard
/// library were not instrumented, the order would not be seen, and the accesses would be reported.
fn order() {
    let shared = Arc::new(Shared(UnsafeCell::new(0_u64)));
    let in_thread = Arc::clone(&shared);
    let other = thread::spawn(move || {
        thread::park();
        // SAFETY: the other thread wrote before it unparked this one, and does not access it again.
        unsafe { *in_thread.0.get() += 1 };
    });
    // SAFETY: the other thread waits until it is unparked.
    unsafe { *shared.0.get() += 1 };
    other.thread().unpark();
    let _ = other.join();
}
