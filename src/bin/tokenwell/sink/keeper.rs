//! Keeps the files of a sink up to date until the command is stopped.

use super::hook::Hooks;
use super::metrics::Metrics;
use super::outputs::Outputs;
use super::pace::{self, Pace};
use super::supervisor::Supervisor;
use crate::failure::Failure;
use crate::form::expiry;
use crate::output;
use crate::session::Session;
use crate::stop::{Awaited, Ended, Stop};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};
use tokenwell::error::{Error, duration_text, printable};
use tokenwell::{Status, Token, TokenOptions};

/// After this time the get is repeated: it joins the same refresh, or replaces one that hangs.
const GET_INTERVAL: Duration = Duration::from_secs(10);

pub(super) struct Keeper<'a> {
    pub(super) session: &'a Session,
    pub(super) stop: &'a Stop,
    pub(super) outputs: &'a mut Outputs,
    pub(super) hooks: Hooks,
    pub(super) supervisor: Supervisor,
    pub(super) metrics: Option<Metrics>,
    pub(super) removes_expired: bool,
    pub(super) pace: Pace,
    /// The token that all files contain.
    pub(super) written: Option<Token>,
    /// The problem of the last attempt, whose hint was shown.
    pub(super) last_problem: Option<String>,
}

impl Keeper<'_> {
    /// Returns when the command is stopped, or fails permanently at the start.
    pub(super) fn run(mut self) -> Result<(), Failure> {
        loop {
            let started = Instant::now();
            let Some(answer) = self.next_token() else { break };
            let replaced = match answer {
                Ok(token) => self.replace(&token).map(|()| token),
                Err(error) if self.written.is_none() && !is_transient(&error) => return Err(error.into()),
                Err(error) => Err(error.into()),
            };
            let ended = match replaced {
                Ok(token) => {
                    self.pace.renewed(started.elapsed(), left(&token));
                    self.last_problem = None;
                    self.supervisor.ready(&format!("the token expires at {}", expiry(&token)));
                    self.written = Some(token.clone());
                    self.wait_until_due(&token)
                }
                // At the start this is a wrong argument or server. Later the disk may be full temporarily.
                Err(failure @ Failure::Own { .. }) if self.written.is_none() => return Err(failure),
                Err(failure) => {
                    let lifetime = self.written.as_ref().map(left).unwrap_or_default();
                    let pause = self.pace.after_failure(requested_pause(self.session, &failure), lifetime);
                    self.report(&failure, pause);
                    self.wait_for(pause)
                }
            };
            match ended {
                Ended::Stop => break,
                Ended::Renewal => self.supervisor.reloading(),
                Ended::Time => {}
            }
        }
        self.supervisor.stopping();
        Ok(())
    }

    /// Writes `token` unless it is what the files contain.
    fn replace(&mut self, token: &Token) -> Result<(), Failure> {
        self.session.require_lifetime(token)?;
        let (wrote, done) = self.outputs.write(token);
        if wrote {
            output::message(&format!("wrote a token that expires at {}", expiry(token)));
            self.hooks.run();
            if let Some(metrics) = &mut self.metrics {
                metrics.renewed(token);
            }
        }
        done
    }

    /// Waits for the next token to write, or returns `None` if the command must stop.
    ///
    /// It is one get from start to end: a get with a short deadline that is repeated would tell the
    /// cache to be impatient with other processes.
    fn next_token(&mut self) -> Option<Result<Token, Error>> {
        let (session, stop) = (self.session, self.stop);
        loop {
            let options = next_token_options(self.written.as_ref(), session);
            let mut get = std::pin::pin!(session.client.token_async(&options));
            let started = Instant::now();
            while let Some(remaining) = GET_INTERVAL.checked_sub(started.elapsed()) {
                match stop.wait_for_result(get.as_mut(), remaining.min(self.interval())) {
                    Awaited::Ready(answer) => return Some(answer),
                    Awaited::Late => self.tick(),
                    Awaited::Stopped => return None,
                }
            }
        }
    }

    /// One line for each failure: what the files contain, when the next attempt is, and what happened.
    /// The hint is shown if the problem is a new one.
    fn report(&mut self, failure: &Failure, pause: Duration) {
        if let Some(metrics) = &mut self.metrics {
            metrics.failed();
        }
        let Some((problem, hint)) = described(failure) else { return };
        let state = self.outputs.state(self.written.as_ref(), SystemTime::now());
        let next = format!("next attempt in {}", duration_text(pause));
        let is_new = self.last_problem.as_ref() != Some(&problem);
        let hint = if is_new { format!(" ({hint})") } else { String::new() };
        output::warning(&format!("{state}; {next}: {problem}{hint}"));
        let status = format!("{state}; {next}");
        // Without a token the service is not ready; with one, a reload has ended.
        if self.written.is_some() {
            self.supervisor.ready(&status);
        } else {
            self.supervisor.status(&status);
        }
        self.last_problem = Some(problem);
    }

    /// Waits until `token` must be replaced.
    fn wait_until_due(&mut self, token: &Token) -> Ended {
        let session = self.session;
        let due = |keeper: &Self| keeper.pace.until_renewal(session.client.fresh_for(token), left(token));
        if due(self).is_zero() {
            return self.wait_for(Pace::if_already_due(session.client.fresh_for(token), left(token)));
        }
        self.wait_while(due)
    }

    /// Waits for `pause` by the wall clock, which advances during a suspend.
    fn wait_for(&mut self, pause: Duration) -> Ended {
        let (started, started_wall) = (Instant::now(), SystemTime::now());
        self.wait_while(|_| pause.saturating_sub(started.elapsed().max(started_wall.elapsed().unwrap_or_default())))
    }

    /// Waits until nothing remains. It reads the clocks at intervals: they may be set, and a timer
    /// does not run while the machine is suspended.
    fn wait_while(&mut self, remaining: impl Fn(&Self) -> Duration) -> Ended {
        loop {
            let remaining = remaining(self);
            if remaining.is_zero() {
                return Ended::Time;
            }
            match self.stop.wait_for(pace::next_wait(remaining, self.interval())) {
                Ended::Time => self.tick(),
                ended => return ended,
            }
        }
    }

    /// The longest wait until the next [`Keeper::tick`].
    fn interval(&self) -> Duration {
        let expires = self.written.as_ref().filter(|_| self.removes_expired).map(left).filter(|left| !left.is_zero());
        expires.map_or(Duration::MAX, |left| left + Duration::from_millis(1)).min(self.supervisor.interval())
    }

    /// What has to be done at intervals.
    fn tick(&mut self) {
        self.supervisor.sign_of_life();
        let is_expired = self.written.as_ref().is_some_and(|token| left(token).is_zero());
        if self.removes_expired && is_expired {
            match self.outputs.remove_expired(SystemTime::now()) {
                Ok(true) => output::warning(&format!("removed {}: the token has expired", self.outputs.names())),
                Ok(false) => {}
                Err(failure) => {
                    if let Some((problem, _)) = described(&failure) {
                        output::warning(&problem);
                    }
                }
            }
        }
    }
}

/// The options that return a token other than `written`, which has to be replaced. If the client
/// already has a newer token, the default options do.
fn next_token_options(written: Option<&Token>, session: &Session) -> TokenOptions {
    let generation = session.client.generation().load(Ordering::Acquire);
    TokenOptions::default().force_refresh(written.is_some_and(|token| token.generation() == generation))
}

/// Whether a later attempt can succeed. A wrong setting is a permanent error.
fn is_transient(error: &Error) -> bool {
    matches!(
        error.status(),
        Status::Network | Status::Server | Status::Protocol | Status::RateLimited | Status::TokenLimit | Status::Deadline
    )
}

fn left(token: &Token) -> Duration {
    token.expires_at().duration_since(SystemTime::now()).unwrap_or_default()
}

/// The pause that the server requested, or the end of the cache's cooldown: an earlier attempt would
/// fail without a request.
fn requested_pause(session: &Session, failure: &Failure) -> Option<Duration> {
    let Failure::Library(error) = failure else { return None };
    error.retry_after().or_else(|| session.client.cached_state().ok()?.cooldown?.retry_after())
}

/// The problem and the hint, in one line each.
fn described(failure: &Failure) -> Option<(String, String)> {
    let (problem, hint) = match failure {
        Failure::Library(error) | Failure::Late { error, .. } => (error.to_string(), error.hint()),
        Failure::Own { problem, hint, .. } => (problem.clone(), hint.clone()),
        _ => return None,
    };
    Some((printable(&problem, 2000), printable(&hint, 2000)))
}
