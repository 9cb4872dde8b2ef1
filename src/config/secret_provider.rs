//! A client secret that the program itself delivers whenever one is needed, for example from a
//! vault.

use super::recipient::Recipient;
use super::setting::Key;
use crate::credential::{Credential, Credentials, inside_secret_callback};
use crate::error::{AWAITING_SECRET, Error, duration_text, printable};
use crate::logging;
use crate::platform::{self, ProcessId};
use crate::secret::Secret;
use arc_swap::{ArcSwap, ArcSwapOption};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

/// The name of the setting in messages.
pub(super) const LOCATION: &str = "the secret callback";

/// The maximum length of a program's description of its failure, in characters.
const LONGEST_MESSAGE: usize = 1000;

/// Delivers the client secret; see
/// [`ConfigBuilder::secret_provider`](super::ConfigBuilder::secret_provider).
pub trait SecretProvider: Send + Sync {
    /// Is called when a client needs the secret, on a thread of its own. It answers `request`
    /// before it returns, or later from any thread.
    ///
    /// It is called for every refresh, and once more if the server rejects the secret. A client has
    /// one request at a time. Every request has half of the configured timeout. A request that is
    /// not answered within that time fails the refresh, and the next refresh makes another one as
    /// soon as this function has returned.
    ///
    /// It must not call the client that needs the secret: such a call fails immediately.
    fn request(&self, request: SecretRequest);
}

/// A request for the client secret, which is answered once. If it is dropped without an answer, the
/// refresh fails.
///
/// It keeps its provider alive. In a forked child the requests of the parent cannot be answered.
pub struct SecretRequest {
    pending: Arc<Pending>,
    answered: bool,
    _provider: Arc<dyn SecretProvider>,
}

impl SecretRequest {
    /// Delivers the secret: no control characters, for Atlas only visible ASCII and spaces, at most
    /// 64 KiB.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the secret cannot be used, which also fails the refresh.
    /// [`Error::Deadline`] if the request was given up, [`Error::Closed`] in a forked child.
    pub fn provide(self, secret: impl Into<Secret>) -> Result<(), Error> {
        self.provide_bytes(secret.into().expose().as_bytes())
    }

    pub(crate) fn provide_bytes(self, secret: &[u8]) -> Result<(), Error> {
        match Key::ClientSecret.setting().check("secret", secret) {
            Ok(secret) => self.answer(Ok(Secret::from(secret))),
            Err(error) => {
                let problem = format!("{LOCATION} provided an unusable client secret: {error}");
                // The caller learns what is wrong with the secret, whether the request was in time
                // or not.
                let _ = self.answer(Err(Error::NotConfigured { problem, hint: error.hint() }));
                Err(error)
            }
        }
    }

    /// Reports that there is no secret. `message` says why; it must not contain a secret.
    ///
    /// # Errors
    /// [`Error::Deadline`] if the request was given up, [`Error::Closed`] in a forked child.
    pub fn fail(self, message: &str) -> Result<(), Error> {
        let message = printable(message, LONGEST_MESSAGE);
        let problem = if message.is_empty() { format!("{LOCATION} failed") } else { format!("{LOCATION} failed: {message}") };
        self.answer(Err(Error::NotConfigured { problem, hint: CHECK_CALLBACK.to_owned() }))
    }

    fn answer(mut self, answer: Answer) -> Result<(), Error> {
        self.answered = true;
        self.pending.answer(answer)
    }
}

impl Drop for SecretRequest {
    fn drop(&mut self) {
        if !self.answered {
            let problem = format!("{LOCATION} dropped the request for the client secret without an answer");
            let _ = self.pending.answer(Err(Error::NotConfigured { problem, hint: CHECK_CALLBACK.to_owned() }));
        }
        if self.pending.process != ProcessId::current() {
            // Its lock may be held by a thread of the parent.
            std::mem::forget(Arc::clone(&self.pending));
        }
    }
}

impl fmt::Debug for SecretRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretRequest").finish_non_exhaustive()
    }
}

const CHECK_CALLBACK: &str =
    "Check the part of the program that delivers the client secret, or set client_secret or client_secret_file instead.";

type Answer = Result<Secret, Error>;

/// The state of one request, which the refresh, the thread of the callback and the program share.
struct Pending {
    process: ProcessId,
    started: Instant,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    answer: Option<Answer>,
    /// The callback has returned, with or without an answer.
    returned: bool,
    /// How many refreshes wait for the answer.
    waiting: usize,
    /// A refresh has waited without success.
    timed_out: bool,
    /// No refresh waits for the answer any more, and another request may have been made.
    given_up: bool,
}

impl Pending {
    fn new() -> Self {
        Self { process: ProcessId::current(), started: Instant::now(), state: Mutex::default(), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a refresh that waits. Returns false if no answer is to be expected: the callback has returned,
    /// and the time for the answer has passed. The request is given up then.
    fn join(&self) -> bool {
        let mut state = self.state();
        if state.timed_out && state.returned && state.answer.is_none() && state.waiting == 0 {
            state.given_up = true;
            return false;
        }
        state.waiting += 1;
        true
    }

    fn answer(&self, answer: Answer) -> Result<(), Error> {
        if self.process != ProcessId::current() {
            return Err(Error::Closed);
        }
        let mut state = self.state();
        if state.given_up {
            return Err(Error::Deadline { waited: self.started.elapsed(), blocked_by: AWAITING_SECRET.to_owned() });
        }
        state.answer.get_or_insert(answer);
        self.changed.notify_all();
        Ok(())
    }

    /// Waits for the answer. `None` if there is none within `limit`.
    fn wait(&self, limit: Duration) -> Option<Answer> {
        let waiting = |state: &mut State| state.answer.is_none();
        let (state, _) = self.changed.wait_timeout_while(self.state(), limit, waiting).unwrap_or_else(PoisonError::into_inner);
        state.answer.clone()
    }
}

/// A client id in the configuration and a provider of its secret.
#[derive(Clone)]
pub(crate) struct ProvidedSecret {
    pub(super) client_id: String,
    pub(super) provider: Arc<dyn SecretProvider>,
    /// The server that receives the secret.
    pub(super) recipient: Recipient,
    /// How long one request may take.
    pub(super) limit: Duration,
    /// The sources of the id and the secret, for messages.
    pub(super) origin: String,
}

impl fmt::Debug for ProvidedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProvidedSecret").field("client_id", &self.client_id).field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// The credentials of one client whose secret comes from a provider.
#[derive(Debug)]
pub(crate) struct SecretRequests {
    source: ProvidedSecret,
    /// The secret that was provided last. It is plain data, so a forked child keeps it.
    latest: ArcSwapOption<Secret>,
    requests: ArcSwap<Requests>,
}

/// The pending request of one process. A forked child has none of the threads of its parent, and
/// makes its own request.
struct Requests {
    process: ProcessId,
    pending: Mutex<Option<Arc<Pending>>>,
}

impl Requests {
    fn new() -> Self {
        Self { process: ProcessId::current(), pending: Mutex::new(None) }
    }

    fn pending(&self) -> MutexGuard<'_, Option<Arc<Pending>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets `finished`, so that the next refresh makes another request.
    fn remove(&self, finished: &Arc<Pending>) {
        let mut pending = self.pending();
        if pending.as_ref().is_some_and(|pending| Arc::ptr_eq(pending, finished)) {
            *pending = None;
        }
    }
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").field("process", &self.process).finish_non_exhaustive()
    }
}

impl SecretRequests {
    pub(crate) fn new(source: ProvidedSecret) -> Self {
        Self { source, latest: ArcSwapOption::empty(), requests: ArcSwap::from_pointee(Requests::new()) }
    }

    fn credential(&self, client_secret: Secret) -> Credential {
        Credential { client_id: self.source.client_id.clone(), client_secret, origin: self.source.origin.clone() }
    }

    /// Asks for the secret and waits for it.
    fn ask(&self) -> Result<Credential, Error> {
        let requests = self.requests();
        let pending = self.join_or_start(&requests)?;
        match pending.wait(self.source.limit) {
            Some(answer) => self.accept(&requests, &pending, answer),
            None => match self.give_up(&requests, &pending) {
                Ok(answer) => self.accept(&requests, &pending, answer),
                Err(error) => Err(error),
            },
        }
    }

    fn accept(&self, requests: &Requests, pending: &Arc<Pending>, answer: Answer) -> Result<Credential, Error> {
        requests.remove(pending);
        let secret = answer?;
        self.source.recipient.check_secret(LOCATION, secret.expose())?;
        self.latest.store(Some(Arc::new(secret.clone())));
        Ok(self.credential(secret))
    }

    /// Returns the error for a request without an answer, or an answer that came at the last
    /// moment. While the callback runs the request is kept, and later refreshes wait for it:
    /// otherwise each of them would leave one more thread behind.
    fn give_up(&self, requests: &Requests, pending: &Arc<Pending>) -> Result<Answer, Error> {
        let returned = {
            let mut state = pending.state();
            if let Some(answer) = &state.answer {
                return Ok(answer.clone());
            }
            state.waiting -= 1;
            state.timed_out = true;
            state.given_up = state.returned && state.waiting == 0;
            state.returned
        };
        let limit = duration_text(self.source.limit);
        let problem = if returned {
            if pending.state().given_up {
                requests.remove(pending);
            }
            format!("{LOCATION} provided no client secret within {limit}, half of timeout_ms")
        } else {
            format!("{LOCATION} has not returned, and provided no client secret within {limit}, half of timeout_ms")
        };
        let hint =
            "Answer every request with a client secret or with the reason why there is none. If that takes longer, raise timeout_ms.";
        Err(Error::NotConfigured { problem, hint: hint.to_owned() })
    }

    /// Returns the pending request, or starts one.
    fn join_or_start(&self, requests: &Requests) -> Result<Arc<Pending>, Error> {
        let mut current = requests.pending();
        if let Some(pending) = current.as_ref().filter(|pending| pending.join()) {
            return Ok(Arc::clone(pending));
        }
        let pending = Arc::new(Pending::new());
        pending.state().waiting = 1;
        let (provider, in_thread) = (Arc::clone(&self.source.provider), Arc::clone(&pending));
        platform::spawn_without_signals(Builder::new().name("tokenwell-secret".to_owned()), move || call(provider, &in_thread)).map_err(
            |_| Error::NotConfigured {
                problem: format!("cannot create a thread for {LOCATION}: a limit of this process or of the system is reached"),
                hint: "Raise the limit (`ulimit -u`, or the pids limit of the container), or run fewer threads.".to_owned(),
            },
        )?;
        *current = Some(Arc::clone(&pending));
        Ok(pending)
    }

    /// Returns the state of this process; see [`Requests`].
    fn requests(&self) -> Arc<Requests> {
        loop {
            let requests = self.requests.load_full();
            if requests.process == ProcessId::current() {
                return requests;
            }
            self.requests.compare_and_swap(&requests, Arc::new(Requests::new()));
            // Its locks may be held by threads of the parent.
            std::mem::forget(requests);
        }
    }
}

/// Calls the provider, on its own thread.
fn call(provider: Arc<dyn SecretProvider>, pending: &Arc<Pending>) {
    let request = SecretRequest { pending: Arc::clone(pending), answered: false, _provider: Arc::clone(&provider) };
    // A panic drops the request, which then has its answer.
    let _ = catch_unwind(AssertUnwindSafe(|| inside_secret_callback(logging::current_client(), || provider.request(request))));
    pending.state().returned = true;
}

impl Credentials for SecretRequests {
    fn current(&self) -> Result<Credential, Error> {
        self.ask()
    }

    fn reload(&self, rejected: &Credential) -> Result<Option<Credential>, Error> {
        let current = self.ask()?;
        Ok((current.client_secret.expose() != rejected.client_secret.expose()).then_some(current))
    }

    fn known(&self) -> Result<Credential, Error> {
        self.latest.load().as_deref().map(|secret| self.credential(secret.clone())).ok_or_else(|| Error::NotConfigured {
            problem: format!("{LOCATION} has not provided a client secret yet"),
            hint: "Get a token first: the client secret is requested then.".to_owned(),
        })
    }

    /// Makes a request and does not wait for its answer: the next call finds it.
    fn is_replaced(&self, rejected: &Credential) -> bool {
        let requests = self.requests();
        if let Ok(pending) = self.join_or_start(&requests)
            && let Some(answer) = pending.wait(Duration::ZERO)
        {
            let _ = self.accept(&requests, &pending, answer);
        }
        self.latest.load().as_deref().is_some_and(|latest| latest.expose() != rejected.client_secret.expose())
    }

    fn is_awaited(&self) -> bool {
        let requests = self.requests();
        let pending = requests.pending();
        pending.as_ref().is_some_and(|pending| pending.state().answer.is_none())
    }
}

impl Drop for SecretRequests {
    fn drop(&mut self) {
        let requests = self.requests.load_full();
        if requests.process != ProcessId::current() {
            std::mem::forget(requests);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::error::Status;

    /// Answers with what the function returns; drops the request if that is `None`.
    struct From(fn() -> Option<&'static str>);

    impl SecretProvider for From {
        fn request(&self, request: SecretRequest) {
            if let Some(secret) = (self.0)() {
                let _ = request.provide(secret);
            }
        }
    }

    fn requests(provider: From) -> SecretRequests {
        SecretRequests::new(ProvidedSecret {
            client_id: "id".to_owned(),
            provider: Arc::new(provider),
            recipient: Recipient::atlas(),
            limit: Duration::from_secs(60),
            origin: String::new(),
        })
    }

    #[test]
    fn the_secret_that_was_provided_last_is_known_without_a_request() {
        let requests = requests(From(|| Some("canary")));

        assert_eq!(requests.known().unwrap_err().status(), Status::NotConfigured);
        assert_eq!(requests.current().unwrap().client_secret.expose(), "canary");
        assert_eq!(requests.known().unwrap().client_secret.expose(), "canary");
        assert!(!requests.is_awaited());
    }

    #[test]
    fn a_dropped_request_and_a_panic_are_answers() {
        for provider in [From(|| None), From(|| panic!("on purpose"))] {
            let error = requests(provider).current().unwrap_err();

            assert_eq!(error.status(), Status::NotConfigured);
            assert!(error.to_string().contains("without an answer"), "{error}");
        }
    }

    #[test]
    fn reload_asks_again_and_returns_only_another_secret() {
        let requests = requests(From(|| Some("canary")));
        let rejected = requests.current().unwrap();

        assert!(requests.reload(&rejected).unwrap().is_none());
        let other = Credential { client_secret: Secret::from("another"), ..rejected };
        assert_eq!(requests.reload(&other).unwrap().unwrap().client_secret.expose(), "canary");
    }

    #[test]
    fn nothing_prints_the_secret() {
        let requests = requests(From(|| Some("canary")));
        requests.current().unwrap();
        let builder = Config::builder().client_id("mdb_sa_id_1").secret_provider(Arc::new(From(|| Some("canary"))));
        let config = builder.build().unwrap();

        let printed = format!("{requests:?} {builder:?} {config:?}");

        assert!(!printed.contains("canary"), "{printed}");
        assert_eq!(config.client_id(), "mdb_sa_id_1");
    }
}
