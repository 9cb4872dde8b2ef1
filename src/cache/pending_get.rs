//! A get that waits for a refresh without a thread of its own.

use super::flight::Registration;
use super::refresh_request::{RefreshRequest, Resolution};
use super::refresh_start::{Lookup, Part, RefreshFlight, WithoutThread};
use super::slot::{GetOptions, Slot, awaits_save, max_wait_for_save};
use crate::error::Error;
use crate::token::Token;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

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
    await_save: AwaitSave,
    /// Boxed, because most of very many gets that wait have none.
    more: Option<Box<More>>,
}

/// What a get has that started the flight or waits for the save.
#[derive(Debug, Default)]
struct More {
    /// The thread of the flight that it started.
    #[cfg_attr(not(feature = "capi"), expect(dead_code, reason = "only an operation joins it"))]
    thread: Option<JoinHandle<()>>,
    known: Option<KnownResult>,
}

/// The result of a get that waits for the save.
#[derive(Debug)]
struct KnownResult {
    result: Result<Token, Error>,
    /// When the get waits no longer.
    #[cfg_attr(not(feature = "capi"), expect(dead_code, reason = "only an operation has a time limit of its own"))]
    until: Instant,
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
            Lookup::Joined(flight) => Ok(Begun::Pending(self.pending_get(request, flight, await_save))),
            Lookup::Started(flight, thread) => {
                let mut started = self.pending_get(request, flight, await_save);
                (started.is_starter, started.more) = (true, More::of_starter(thread));
                Ok(Begun::Pending(started))
            }
        }
    }
}

impl Slot {
    fn pending_get(self: &Arc<Self>, request: RefreshRequest, flight: RefreshFlight, await_save: AwaitSave) -> PendingGet {
        self.counts.waits.add_one();
        let slot = Arc::clone(self);
        PendingGet { slot, request, flight, registration: Registration::NONE, is_starter: false, await_save, more: None }
    }
}

impl More {
    fn of_starter(thread: Option<JoinHandle<()>>) -> Option<Box<Self>> {
        thread.map(|thread| Box::new(Self { thread: Some(thread), known: None }))
    }
}

impl PendingGet {
    /// Returns the result if it is known. Otherwise registers `waker`, which is called when this
    /// should be polled again. `time_left` is how long the caller is still going to wait.
    pub(crate) fn poll_result(&mut self, waker: &Waker, time_left: Duration) -> Poll<Result<Token, Error>> {
        loop {
            if self.known().is_some() {
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
                Resolution::Done(answer) if self.await_save == AwaitSave::No || !awaits_save(&answer) => return Poll::Ready(answer),
                Resolution::Done(result) => {
                    let until = Instant::now() + max_wait_for_save(time_left);
                    self.more.get_or_insert_default().known = Some(KnownResult { result, until });
                    continue;
                }
                Resolution::Retry(request) => self.request = request,
            }
            match self.slot.logged(|| self.slot.answer_or_join(&self.request, time_left, WithoutThread::Fail)) {
                Lookup::Answer(answer) => return Poll::Ready(answer),
                Lookup::Joined(flight) => (self.flight, self.is_starter, self.more) = (flight, false, None),
                Lookup::Started(flight, thread) => (self.flight, self.is_starter, self.more) = (flight, true, More::of_starter(thread)),
            }
            self.slot.counts.waits.add_one();
        }
    }

    /// Returns for how long the get still waits for the save, if it does. After that the result is
    /// that of [`PendingGet::at_deadline`].
    #[cfg(feature = "capi")]
    pub(crate) fn time_for_save(&self) -> Option<Duration> {
        Some(self.known()?.until.saturating_duration_since(Instant::now()))
    }

    /// Waits until the thread that this get started is gone, if it waits for the save and that is
    /// over: the thread has nothing left to do.
    #[cfg(feature = "capi")]
    pub(crate) fn join_thread(&mut self) {
        if self.known().is_some()
            && self.flight.has_ended()
            && let Some(thread) = self.more.as_mut().and_then(|more| more.thread.take())
        {
            // A panic was reported to the callers already.
            let _ = thread.join();
        }
    }

    /// Returns the result for a caller that waits no longer, after it waited for `waited`.
    #[cfg(feature = "capi")]
    pub(crate) fn at_deadline(&mut self, waited: Duration) -> Result<Token, Error> {
        if self.known().is_some() {
            return self.answer();
        }
        self.slot.at_deadline(&self.request, waited)
    }

    fn known(&self) -> Option<&KnownResult> {
        self.more.as_ref()?.known.as_ref()
    }

    fn answer(&self) -> Result<Token, Error> {
        self.known().map_or_else(|| Err(Error::internal("a get has no result")), |known| known.result.clone())
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

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_waker_that_panics_leaves_no_other_one_asleep() {
        let (flight, count) = (Arc::new(Flight::<u32>::new()), Arc::new(Count(AtomicUsize::new(0))));
        let panics = Waker::from(Arc::new(Task(Arc::clone(&flight), Mutex::new(Registration::NONE))));
        let counts = Waker::from(Arc::clone(&count));
        let mut registrations = [Registration::NONE, Registration::NONE];
        assert_eq!(flight.poll(&panics, &mut registrations[0]), Poll::Pending);
        assert_eq!(flight.poll(&counts, &mut registrations[1]), Poll::Pending);

        flight.set_result(1);

        assert_eq!(count.0.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_caller_that_leaves_after_the_result_removes_no_caller_that_waits_for_the_end() {
        let (flight, count) = (Flight::<u32>::new(), Arc::new(Count(AtomicUsize::new(0))));
        let (mut leaves, mut stays) = (Registration::NONE, Registration::NONE);
        assert_eq!(flight.poll(Waker::noop(), &mut leaves), Poll::Pending);
        flight.set_result(1);
        assert_eq!(flight.poll_end(&Waker::from(Arc::clone(&count)), &mut stays), Poll::Pending);

        flight.forget(&mut leaves);
        flight.end();

        assert_eq!(count.0.load(Ordering::SeqCst), 1);
    }
}
