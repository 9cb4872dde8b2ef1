//! A get that waits for a refresh without a thread of its own.

use super::flight::Registration;
use super::refresh_request::{RefreshRequest, Resolution};
use super::slot::{GetOptions, Lookup, Part, RefreshFlight, Slot, WithoutThread};
use crate::error::Error;
use crate::token::Token;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// The state of a call that must not block: its result, or what it waits for.
#[derive(Debug)]
pub(crate) enum Begun<T, P> {
    Ready(T),
    Pending(P),
}

/// A get that waits for a refresh. Dropping it does not affect the refresh.
///
/// As a future it has no deadline: its caller uses the timeout function of a runtime.
#[derive(Debug)]
pub(crate) struct PendingGet {
    slot: Arc<Slot>,
    request: RefreshRequest,
    flight: RefreshFlight,
    registration: Registration,
    /// Whether this get started the flight.
    is_starter: bool,
}

impl Slot {
    /// Like [`Slot::get`], for callers that must not block. `max_wait` is how long the caller is
    /// going to wait.
    pub(crate) fn begin_get(self: &Arc<Self>, options: &GetOptions, max_wait: Duration) -> Result<Begun<Token, PendingGet>, Error> {
        if let Some(token) = self.from_memory(options) {
            return Ok(Begun::Ready(token));
        }
        self.refuse_inside_callback()?;
        let request = self.refresh_request(options);
        match self.logged(|| self.answer_or_join(&request, max_wait, WithoutThread::Fail)) {
            Lookup::Answer(answer) => answer.map(Begun::Ready),
            Lookup::Joined(flight) => Ok(Begun::Pending(self.pending_get(request, flight, false))),
            Lookup::Started(flight, _) => Ok(Begun::Pending(self.pending_get(request, flight, true))),
        }
    }
}

impl Slot {
    fn pending_get(self: &Arc<Self>, request: RefreshRequest, flight: RefreshFlight, is_starter: bool) -> PendingGet {
        self.counts.waits.add_one();
        PendingGet { slot: Arc::clone(self), request, flight, registration: Registration::NONE, is_starter }
    }
}

impl PendingGet {
    /// Returns the result if it is known. Otherwise registers `waker`, which is called when this
    /// should be polled again. `time_left` is how long the caller is still going to wait.
    pub(crate) fn poll_result(&mut self, waker: &Waker, time_left: Duration) -> Poll<Result<Token, Error>> {
        loop {
            let outcome = match self.flight.poll(waker, &mut self.registration) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(outcome) => outcome,
            };
            // The flight has removed the waker.
            self.registration = Registration::NONE;
            let part = if self.is_starter { Part::Starter } else { Part::Joiner { time_left } };
            match self.slot.resolve(outcome, self.request.clone(), part) {
                Resolution::Done(answer) => return Poll::Ready(answer),
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

    /// Returns the result for a caller whose deadline passes, after it waited for `waited`.
    #[cfg(feature = "capi")]
    pub(crate) fn at_deadline(&self, waited: Duration) -> Result<Token, Error> {
        self.slot.at_deadline(&self.request, waited)
    }
}

impl Future for PendingGet {
    type Output = Result<Token, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let timeout = self.slot.parts.timeout;
        self.poll_result(context.waker(), timeout)
    }
}

impl Drop for PendingGet {
    fn drop(&mut self) {
        self.flight.forget(&mut self.registration);
    }
}

#[cfg(test)]
mod tests {
    use super::super::flight::{Flight, Registration};
    use std::task::{Poll, Waker};

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
}
