//! Counts the running calls of a callback, so that a function that removes the callback can wait
//! for them: after it has returned, the program may free the callback's `user_data`.

use crate::platform::{self, ProcessId};
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::time::Duration;

/// The running calls of one callback.
///
/// Everything is in one integer, so that no call can begin between two steps of [`Calls::retire`]:
/// a call begins before the callback is retired, and then is counted and waited for, or it finds
/// the callback retired and does not begin. No order between this and any other memory is relied
/// on.
///
/// After a fork the threads of the parent are gone, and their calls must not be waited for. The
/// integer therefore has the epoch of the process that wrote it. A child that finds the epoch of
/// its parent counts one call if its own thread was inside the callback when it was forked,
/// otherwise none.
#[derive(Debug)]
pub(super) struct Calls(
    /// The retired bit, then the epoch, then the count.
    AtomicU64,
);

const RETIRED: u64 = 1 << 63;
const EPOCH_SHIFT: u32 = 31;
const COUNT: u64 = (1 << EPOCH_SHIFT) - 1;

thread_local! {
    /// The calls that the thread is inside of.
    static INSIDE: Cell<*const Calls> = const { Cell::new(ptr::null()) };
}

/// The calls that the thread which forked this process was inside of.
static INSIDE_AT_FORK: AtomicPtr<Calls> = AtomicPtr::new(ptr::null_mut());

/// Runs in a forked child, on the only thread that it has. It reads and writes one pointer each.
extern "C" fn note_the_surviving_call() {
    let inside = INSIDE.try_with(Cell::get).unwrap_or(ptr::null());
    INSIDE_AT_FORK.store(inside.cast_mut(), Ordering::Relaxed);
}

impl Calls {
    pub(super) fn new() -> Self {
        static REGISTERED: AtomicBool = AtomicBool::new(false);
        // Two threads may both register the handler: it does no harm if it runs twice.
        if !REGISTERED.load(Ordering::Relaxed) {
            platform::run_in_forked_children(note_the_surviving_call);
            REGISTERED.store(true, Ordering::Relaxed);
        }
        Self(AtomicU64::new(epoch()))
    }

    /// Counts a call until the result is dropped, also after a panic. `None` if the callback is
    /// retired and must not be called.
    pub(super) fn begin(&self) -> Option<Running<'_>> {
        let begun = self.update(|state| (state & RETIRED == 0).then_some(state + 1));
        begun.then(|| Running { calls: self, outer: INSIDE.try_with(|inside| inside.replace(self)).unwrap_or(ptr::null()) })
    }

    /// Whether the calling thread is inside the callback.
    pub(super) fn is_inside(&self) -> bool {
        INSIDE.try_with(Cell::get).is_ok_and(|inside| ptr::eq(inside, self))
    }

    /// Lets no further call begin, and waits until no call is running. Does not wait for a call
    /// that the calling thread itself is inside of.
    pub(super) fn retire(&self) {
        self.update(|state| Some(state | RETIRED));
        let own = u64::from(self.is_inside());
        let mut rounds = 0_u32;
        while self.in_this_process(self.0.load(Ordering::Acquire)) & COUNT > own {
            // Most callbacks only copy a line.
            if rounds < 100 {
                std::thread::yield_now()
            } else {
                std::thread::sleep(Duration::from_millis(1))
            }
            rounds = rounds.saturating_add(1);
        }
    }

    /// Replaces the state by what `change` returns. Returns false and changes nothing if that is
    /// `None`.
    fn update(&self, change: impl Fn(u64) -> Option<u64>) -> bool {
        // Release and acquire: what a call did happens before the end of `retire`.
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| change(self.in_this_process(state))).is_ok()
    }

    /// Returns the state without the calls of threads that do not exist in this process.
    fn in_this_process(&self, state: u64) -> u64 {
        let epoch = epoch();
        if state & !RETIRED & !COUNT == epoch {
            return state;
        }
        let survived = ptr::eq(INSIDE_AT_FORK.load(Ordering::Relaxed), self);
        state & RETIRED | epoch | u64::from(survived)
    }
}

/// One running call.
pub(super) struct Running<'a> {
    calls: &'a Calls,
    outer: *const Calls,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = INSIDE.try_with(|inside| inside.set(self.outer));
        self.calls.update(|state| Some(if state & COUNT == 0 { state } else { state - 1 }));
    }
}

/// Distinguishes this process from its parent and its children, in the bits of the epoch.
fn epoch() -> u64 {
    u64::from(ProcessId::current().to_u32()) << EPOCH_SHIFT
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn r29_a_retired_callback_is_not_called_and_its_calls_were_waited_for() {
        const THREADS: usize = 4;
        for _ in 0..200 {
            let (calls, inside, late) = (Calls::new(), AtomicUsize::new(0), AtomicUsize::new(0));
            let freed = AtomicBool::new(false);
            std::thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        while let Some(_running) = calls.begin() {
                            inside.fetch_add(1, Ordering::Relaxed);
                            late.fetch_add(usize::from(freed.load(Ordering::Relaxed)), Ordering::Relaxed);
                            std::hint::spin_loop();
                            late.fetch_add(usize::from(freed.load(Ordering::Relaxed)), Ordering::Relaxed);
                            inside.fetch_sub(1, Ordering::Relaxed);
                        }
                    });
                }
                std::thread::yield_now();
                calls.retire();
                let running = inside.load(Ordering::Relaxed);
                freed.store(true, Ordering::Relaxed);
                assert_eq!(running, 0);
            });
            assert_eq!(late.load(Ordering::Relaxed), 0);
            assert!(calls.begin().is_none());
        }
    }

    #[test]
    fn r14_the_calls_of_another_process_are_not_waited_for() {
        let calls = Calls::new();
        // Two threads of the parent were inside when it forked.
        calls.0.store((epoch() ^ (1 << EPOCH_SHIFT)) + 2, Ordering::Relaxed);

        let running = calls.begin();

        assert_eq!(calls.0.load(Ordering::Relaxed), epoch() + 1);
        drop(running);
        calls.retire();
        assert_eq!(calls.0.load(Ordering::Relaxed), RETIRED | epoch());
    }

    #[test]
    fn a_call_that_retires_its_own_callback_does_not_wait_for_itself() {
        let calls = Calls::new();
        let running = calls.begin();
        assert!(running.is_some() && calls.is_inside());

        calls.retire();
        drop(running);

        assert!(!calls.is_inside());
    }
}
