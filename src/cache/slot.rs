//! The place of one token: how one get is answered, from the fast path down to the refresh.

use super::flight::{Entry, Flight};
use super::freshness::Freshness;
use super::need::{Known, Landed, Need, Other, Settled, asks_for_too_long_a_life};
use super::process::{Memory, ProcessState, apart, guarded, here_unless_apart};
use super::snapshot::Current;
use super::stats::{Counts, Stats};
use crate::clock::{Clock, Moment};
use crate::credential::Credentials;
use crate::error::Error;
use crate::grant::Grant;
use crate::store::Store;
use crate::token::Token;
use arc_swap::ArcSwap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

/// A refresh is bounded by its budget; one that takes so many times as long hangs where nothing bounds it, in a file system that does not answer.
const HANGS_AFTER_BUDGETS: u32 = 3;

/// What one caller asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Want {
    /// How long the token must live from now; the default floor holds beneath it.
    pub(crate) min_ttl: Duration,
    /// Not the token that is current now.
    pub(crate) force_refresh: bool,
}

/// What a slot is made of.
#[derive(Debug)]
pub(crate) struct SlotParts {
    /// What tells this slot from others; see [`SlotKey::identity`](crate::store::SlotKey::identity).
    pub(crate) identity: Vec<(&'static str, String)>,
    pub(crate) credentials: Box<dyn Credentials>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) grant: Arc<dyn Grant>,
    /// The time that one refresh may take.
    pub(crate) budget: Duration,
}

/// The place of one token.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(super) parts: SlotParts,
    pub(super) current: Current,
    pub(super) counts: Counts,
    closed: AtomicBool,
    process: ArcSwap<ProcessState>,
}

type RefreshFlight = Arc<Flight<Result<Landed, Error>>>;

/// What a caller that is not served from memory meets.
enum Entered {
    Answer(Result<Token, Error>),
    WaitFor(RefreshFlight),
}

/// What happens behind a caller who was handed a token that is due.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    /// A newer token is there or on its way.
    Cared,
    /// The last refresh failed, and it is too early for another.
    Refused,
}

impl Slot {
    pub(crate) fn new(parts: SlotParts) -> Self {
        Self {
            parts,
            current: Current::default(),
            counts: Counts::default(),
            closed: AtomicBool::new(false),
            process: ArcSwap::from_pointee(ProcessState::new()),
        }
    }

    /// A token that satisfies `want`, waiting no longer than `patience` for a refresh.
    pub(crate) fn get(self: &Arc<Self>, want: &Want, patience: Duration) -> Result<Token, Error> {
        if let Some(token) = self.from_memory(want) {
            return Ok(token);
        }
        let begun = Instant::now();
        let deadline = begun.checked_add(patience);
        let mut need = self.need(want);
        loop {
            let flight = match self.enter(&need, patience.saturating_sub(begun.elapsed())) {
                Entered::Answer(answer) => return answer,
                Entered::WaitFor(flight) => flight,
            };
            self.counts.waits.add_one();
            let Some(outcome) = flight.wait(deadline) else {
                // The refresh may have found a token that will do on its way to a better one.
                let live = self.current.token().filter(|token| need.is_met_by(token, self.now()));
                return live.ok_or_else(|| Error::Deadline { waited: begun.elapsed(), held_up: self.what_holds_up() });
            };
            need = match self.settle(outcome, need) {
                Settled::Answer(answer) => return answer,
                Settled::Again(need) => need,
            };
        }
    }

    /// As [`Slot::get`], for callers that must not block. Dropping the future never spoils the refresh for others.
    pub(crate) async fn get_async(self: &Arc<Self>, want: &Want) -> Result<Token, Error> {
        if let Some(token) = self.from_memory(want) {
            return Ok(token);
        }
        let mut need = self.need(want);
        loop {
            let flight = match self.enter(&need, self.parts.budget) {
                Entered::Answer(answer) => return answer,
                Entered::WaitFor(flight) => flight,
            };
            self.counts.waits.add_one();
            let outcome = poll_fn(|context| flight.poll(context.waker())).await;
            need = match self.settle(outcome, need) {
                Settled::Answer(answer) => return answer,
                Settled::Again(need) => need,
            };
        }
    }

    /// Returns once no refresh is under way, or after `patience`.
    pub(crate) fn wait_for_refresh(&self, patience: Duration) {
        if let Some(flight) = self.process().refresh.current() {
            // Its outcome is for those who asked for it.
            let _ = flight.wait(Instant::now().checked_add(patience));
        }
    }

    /// Hands out nothing from now on; callers that wait get [`Error::Closed`].
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let process = self.process();
        {
            let memory = process.memory();
            self.publish(None, &memory);
        }
        process.refresh.abandon(Err(Error::Closed));
        process.revocation.abandon(Err(Error::Closed));
    }

    pub(crate) fn stats(&self) -> Stats {
        self.counts.read(self.current.hits())
    }

    pub(crate) fn generation(&self) -> &AtomicU64 {
        self.current.generation()
    }

    /// For how long from now a copy of `token` may be handed out without a look in here, while the generation stays.
    pub(crate) fn fresh_for(&self, token: &Token) -> Duration {
        if token.generation() != self.current.generation().load(Ordering::Acquire) {
            return Duration::ZERO;
        }
        self.parts.clock.now().until(token.lifetime().refresh)
    }

    pub(crate) fn refuse_if_closed(&self) -> Result<(), Error> {
        if self.closed.load(Ordering::SeqCst) { Err(Error::Closed) } else { Ok(()) }
    }

    /// The fast path: no lock, no allocation, no system call but for the clock.
    fn from_memory(self: &Arc<Self>, want: &Want) -> Option<Token> {
        if want.force_refresh {
            return None;
        }
        let snapshot = self.current.load();
        let token = snapshot.as_ref()?.token();
        match token.lifetime().freshness(self.parts.clock.now(), want.min_ttl) {
            Freshness::Fresh => {}
            Freshness::Due => {
                if self.refresh_behind() == Behind::Refused {
                    self.counts.stale_served.add_one();
                }
            }
            Freshness::Dead => return None,
        }
        self.current.count_hit();
        Some(token.clone())
    }

    fn need(&self, want: &Want) -> Need {
        let other = match (want.force_refresh, self.current.token()) {
            (false, _) => Other::Any,
            (true, Some(token)) => Other::Than(Known::of(&token)),
            (true, None) => Other::ThanTheStored,
        };
        Need { min_ttl: want.min_ttl, other, fresh: false }
    }

    fn enter(self: &Arc<Self>, need: &Need, patience: Duration) -> Entered {
        if let Err(closed) = self.refuse_if_closed() {
            return Entered::Answer(Err(closed));
        }
        let process = self.process();
        self.lift_a_rejection_of_another_secret(&process);
        loop {
            match process.refresh.enter(|| self.answer_without_flight(&process, need)) {
                Entry::Answered(answer) => return Entered::Answer(answer),
                Entry::Joined(flight) if flight.age() > self.parts.budget.saturating_mul(HANGS_AFTER_BUDGETS) => {
                    process.refresh.land(&flight, Err(hung_for(flight.age())));
                }
                Entry::Joined(flight) => return Entered::WaitFor(flight),
                Entry::Started(flight) => {
                    self.counts.refreshes.add_one();
                    here_unless_apart(self.work_of(&flight, need.clone(), patience));
                    return Entered::WaitFor(flight);
                }
            }
        }
    }

    /// Starts one refresh unless one is under way, has just been made, or would be refused because an earlier one failed.
    fn refresh_behind(self: &Arc<Self>) -> Behind {
        let process = self.process();
        self.lift_a_rejection_of_another_secret(&process);
        let settled = || {
            let now = self.parts.clock.now();
            let due = self.current.token().is_some_and(|token| token.lifetime().freshness(now, Duration::ZERO) == Freshness::Due);
            if !due {
                return Some(Behind::Cared);
            }
            process.memory().failure().and_then(|failure| failure.standing(now)).map(|_| Behind::Refused)
        };
        match process.refresh.enter(settled) {
            Entry::Answered(behind) => behind,
            Entry::Joined(_) => Behind::Cared,
            Entry::Started(flight) => {
                self.counts.refreshes.add_one();
                match apart(self.work_of(&flight, Need::fresh(), self.parts.budget)) {
                    Ok(()) => Behind::Cared,
                    // A caller who holds a token that is good does not do the work: the next one may have a thread.
                    Err(_) => {
                        process.refresh.land(&flight, Err(no_thread()));
                        Behind::Refused
                    }
                }
            }
        }
    }

    fn answer_without_flight(&self, process: &ProcessState, need: &Need) -> Option<Result<Token, Error>> {
        let now = self.parts.clock.now();
        if let Some(token) = self.current.token() {
            if need.is_met_by(&token, now) {
                self.current.count_hit();
                return Some(Ok(token));
            }
            if need.is_beyond(&token, now) {
                return Some(Err(asks_for_too_long_a_life(need.min_ttl, token.lifetime().total())));
            }
        }
        let failure = process.memory().failure()?.standing(now)?;
        self.counts.cooldown_answers.add_one();
        Some(Err(failure))
    }

    /// A rejection stands only for the pair that was rejected: what is configured may be another one by now. Looked at outside all locks, because a
    /// secret may be in a file.
    pub(super) fn lift_a_rejection_of_another_secret(&self, process: &ProcessState) {
        let Some(failure) = process.memory().worth_another_look() else { return };
        let replaced = failure.rejected().is_some_and(|rejected| matches!(self.parts.credentials.reload(rejected), Ok(Some(_))));
        if replaced {
            process.memory().set_failure(None);
        }
    }

    fn settle(&self, outcome: Result<Landed, Error>, need: Need) -> Settled {
        let now = self.parts.clock.now();
        match outcome {
            Ok(landed) => need.settle(landed, now),
            Err(Error::Closed) => Settled::Answer(Err(Error::Closed)),
            Err(error) => {
                let live = self.current.token().filter(|token| need.is_met_by(token, now));
                Settled::Answer(live.inspect(|_| self.counts.stale_served.add_one()).ok_or(error))
            }
        }
    }

    /// The work of one refresh, for whoever runs it. `patience` is that of the caller who started it.
    fn work_of(self: &Arc<Self>, flight: &RefreshFlight, need: Need, patience: Duration) -> impl FnOnce() + Send + 'static {
        let (slot, flight) = (Arc::clone(self), Arc::clone(flight));
        move || {
            let result = guarded(|| slot.refresh(need, patience)).map_err(|error| slot.remember_here(error));
            slot.process().refresh.land(&flight, result);
        }
    }

    /// What a refresh that is under way waits for, for the message of those who can wait no longer; empty where it is the server.
    fn what_holds_up(&self) -> String {
        let waiting = self.process().memory().waits_for_the_lock_since;
        waiting.map(|since| self.lock_is_held_for(since.elapsed())).unwrap_or_default()
    }

    pub(super) fn lock_is_held_for(&self, duration: Duration) -> String {
        format!(
            "another process has held the lock of the token cache at {} for {:.1} s",
            self.parts.store.location(),
            duration.as_secs_f64()
        )
    }

    /// Makes `token` the current one, unless the client was closed. The guard shows that the caller is the only one who writes.
    pub(super) fn publish(&self, token: Option<&Token>, _writing: &MutexGuard<'_, Memory>) -> bool {
        let open = !self.closed.load(Ordering::SeqCst);
        if open || token.is_none() {
            self.current.replace(token, token.map_or_else(|| self.next_generation(), Token::generation));
        }
        open
    }

    pub(super) fn next_generation(&self) -> u64 {
        self.current.generation().load(Ordering::Acquire) + 1
    }

    pub(super) fn now(&self) -> Moment {
        self.parts.clock.now()
    }

    /// The state of this process. A forked child finds its parent's here, leaves it as it is and makes its own.
    pub(super) fn process(&self) -> Arc<ProcessState> {
        loop {
            let state = self.process.load_full();
            if state.pid == std::process::id() {
                return state;
            }
            self.process.compare_and_swap(&state, Arc::new(ProcessState::new()));
            // Dropping it would touch locks and wake tasks that belong to threads of the parent.
            std::mem::forget(state);
        }
    }
}

fn hung_for(age: Duration) -> Error {
    Error::NotConfigured {
        problem: format!("the refresh has not finished after {} s: reading the client secret or the CA file is blocked", age.as_secs()),
        hint: "Check that the file systems of these files respond, or move the files to a file system that does.".to_owned(),
    }
}

fn no_thread() -> Error {
    Error::NotConfigured {
        problem: "cannot create a thread for the refresh: a limit of this process or of the system is reached".to_owned(),
        hint: "Raise the limit (`ulimit -u`, or the pids limit of the container), or run fewer threads.".to_owned(),
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let state = self.process.load_full();
        if state.pid != std::process::id() {
            std::mem::forget(state);
        }
    }
}
