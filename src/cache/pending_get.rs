//! A get that waits for a refresh without a thread of its own.

use super::flight::Registration;
use super::refresh_request::{RefreshRequest, Resolution};
#[cfg(feature = "capi")]
use super::slot::max_wait_for_save;
use super::slot::{GetOptions, Lookup, Part, RefreshFlight, Slot, WithoutThread};
use crate::error::Error;
use crate::token::Token;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

/// The state of a call that must not block: its result, or what it waits for.
#[derive(Debug)]
pub(crate) enum Begun<T, P> {
    Ready(T),
    Pending(P),
}

/// A get that waits for a refresh. Dropping it does not affect the refresh.
#[derive(Debug)]
pub(crate) struct PendingGet {
    slot: Arc<Slot>,
    request: RefreshRequest,
    flight: RefreshFlight,
    registration: Registration,
    /// Whether this get started the flight.
    is_starter: bool,
    save: Save,
}

/// What a get does after its result is known.
#[derive(Debug)]
enum Save {
    /// Return the result.
    Ignore,
    /// Wait for the save first.
    Await,
    /// It waits, with the result. Boxed, because very many gets may wait for their result.
    Awaited(Box<Result<Token, Error>>),
}

/// Whether a get waits for the save of its token; see [`PendingGet::time_for_save`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AwaitSave {
    No,
    #[cfg(feature = "capi")]
    Yes,
}

impl Slot {
    /// Like [`Slot::get`], for callers that must not block. `max_wait` is how long the caller is
    /// going to wait.
    pub(crate) fn begin_get(
        self: &Arc<Self>,
        options: &GetOptions,
        max_wait: Duration,
        await_save: AwaitSave,
    ) -> Result<Begun<Token, PendingGet>, Error> {
        if let Some(token) = self.from_memory(options) {
            return Ok(Begun::Ready(token));
        }
        if options.cached_only {
            return self.get(options, Duration::ZERO).map(Begun::Ready);
        }
        self.refuse_inside_callback()?;
        let request = self.refresh_request(options);
        match self.logged(|| self.answer_or_join(&request, max_wait, WithoutThread::Fail)) {
            Lookup::Answer(answer) => answer.map(Begun::Ready),
            Lookup::Joined(flight) => Ok(Begun::Pending(self.pending_get(request, flight, false, await_save))),
            Lookup::Started(flight, _) => Ok(Begun::Pending(self.pending_get(request, flight, true, await_save))),
        }
    }
}

impl Slot {
    fn pending_get(
        self: &Arc<Self>,
        request: RefreshRequest,
        flight: RefreshFlight,
        is_starter: bool,
        await_save: AwaitSave,
    ) -> PendingGet {
        self.counts.waits.add_one();
        let save = if await_save == AwaitSave::No { Save::Ignore } else { Save::Await };
        PendingGet { slot: Arc::clone(self), request, flight, registration: Registration::NONE, is_starter, save }
    }
}

impl PendingGet {
    /// Returns the result if it is known. Otherwise registers `waker`, which is called when this
    /// should be polled again. `time_left` is how long the caller is still going to wait.
    pub(crate) fn poll_result(&mut self, waker: &Waker, time_left: Duration) -> Poll<Result<Token, Error>> {
        loop {
            if matches!(self.save, Save::Awaited(_)) {
                return self.flight.poll_end(waker, &mut self.registration).map(|()| self.answer());
            }
            let outcome = match self.flight.poll(waker, &mut self.registration) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(outcome) => outcome,
            };
            // The flight has removed the waker.
            self.registration = Registration::NONE;
            let part = if self.is_starter { Part::Starter } else { Part::Joiner { time_left } };
            match self.slot.resolve(outcome, self.request.clone(), part) {
                Resolution::Done(answer) if matches!(self.save, Save::Ignore) => return Poll::Ready(answer),
                Resolution::Done(answer) => {
                    self.save = Save::Awaited(Box::new(answer));
                    continue;
                }
                Resolution::Retry(request) => self.request = request,
            }
            match self.slot.logged(|| self.slot.answer_or_join(&self.request, time_left, WithoutThread::Fail)) {
                Lookup::Answer(answer) => return Poll::Ready(answer),
                Lookup::Joined(flight) => (self.flight, self.is_starter) = (flight, false),
                Lookup::Started(flight, _) => (self.flight, self.is_starter) = (flight, true),
            }
            self.slot.counts.waits.add_one();
        }
    }

    /// Returns for how long the get may wait for the save, if it does. After that the result is
    /// that of [`PendingGet::at_deadline`].
    #[cfg(feature = "capi")]
    pub(crate) fn time_for_save(&self, time_left: Duration) -> Option<Duration> {
        matches!(self.save, Save::Awaited(_)).then(|| max_wait_for_save(time_left))
    }

    /// Returns the result for a caller that waits no longer, after it waited for `waited`.
    #[cfg(feature = "capi")]
    pub(crate) fn at_deadline(&mut self, waited: Duration) -> Result<Token, Error> {
        if matches!(self.save, Save::Awaited(_)) {
            return self.answer();
        }
        self.slot.at_deadline(&self.request, waited)
    }

    /// Returns the result that is known, once.
    fn answer(&mut self) -> Result<Token, Error> {
        match std::mem::replace(&mut self.save, Save::Ignore) {
            Save::Awaited(answer) => *answer,
            Save::Ignore | Save::Await => Err(Error::internal("a get has no result")),
        }
    }
}

impl Drop for PendingGet {
    fn drop(&mut self) {
        self.flight.forget(&mut self.registration);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::flight::{Flight, Registration};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};
    use std::task::{Poll, Wake, Waker};

    #[test]
    fn r21_a_caller_that_polls_again_or_leaves_costs_no_further_place() {
        let flight = Flight::<u32>::new();
        let mut registrations: Vec<_> = (0..1000).map(|_| Registration::NONE).collect();

        for _ in 0..3 {
            for registration in &mut registrations {
                assert_eq!(flight.poll(Waker::noop(), registration), Poll::Pending);
            }
        }
        for _ in 0..1000 {
            let mut passing = Registration::NONE;
            assert_eq!(flight.poll(Waker::noop(), &mut passing), Poll::Pending);
            flight.forget(&mut passing);
        }

        assert_eq!(flight.places(), 1001);
    }

    /// A waker whose task waits for the same flight.
    struct Task(Arc<Flight<u32>>, Mutex<Registration>);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            panic!("a waker of the program");
        }
    }

    impl Drop for Task {
        fn drop(&mut self) {
            self.0.forget(&mut self.1.lock().unwrap());
        }
    }

    #[test]
    fn r21_a_waker_that_is_replaced_may_leave_the_flight_as_it_is_dropped() {
        let flight = Arc::new(Flight::<u32>::new());
        let mut inner = Registration::NONE;
        assert_eq!(flight.poll(Waker::noop(), &mut inner), Poll::Pending);
        let task = Waker::from(Arc::new(Task(Arc::clone(&flight), Mutex::new(inner))));
        let mut registration = Registration::NONE;
        assert_eq!(flight.poll(&task, &mut registration), Poll::Pending);
        drop(task);

        assert_eq!(flight.poll(Waker::noop(), &mut registration), Poll::Pending);
    }

    #[test]
    fn a_waker_that_panics_leaves_no_other_one_asleep() {
        struct Count(AtomicUsize);
        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let (flight, count) = (Arc::new(Flight::<u32>::new()), Arc::new(Count(AtomicUsize::new(0))));
        let panics = Waker::from(Arc::new(Task(Arc::clone(&flight), Mutex::new(Registration::NONE))));
        let counts = Waker::from(Arc::clone(&count));
        let mut registrations = [Registration::NONE, Registration::NONE];
        assert_eq!(flight.poll(&panics, &mut registrations[0]), Poll::Pending);
        assert_eq!(flight.poll(&counts, &mut registrations[1]), Poll::Pending);

        flight.set_result(1);

        assert_eq!(count.0.load(Ordering::SeqCst), 1);
    }
}
