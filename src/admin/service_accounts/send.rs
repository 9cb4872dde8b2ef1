//! Sends the requests of an operation, and repeats those for which that is safe.
//!
//! A 429 was not processed, so any request is repeated when Retry-After is over. A request that the
//! server may have processed (a lost reply, a 5xx) is repeated only if it can be processed twice. All
//! repetitions end with the time of the operation.

use super::error::{AdminError, ApiError, retry_after};
use crate::admin::api::{AdminApi, Call, Reply};
use crate::client::{Client, TokenOptions};
use crate::clock::Clock;
use crate::error::{Error, Status};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// The pauses before the repetitions of a request whose reply was lost.
const PAUSES: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];
/// The shortest pause after a 429, so that `Retry-After: 0` causes no busy loop.
const MIN_PAUSE: Duration = Duration::from_secs(1);

/// Whether a request may be processed twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// A second time has no other effect: GET, PATCH, DELETE, and POST of what is a set.
    Safe,
    /// A second time creates another object.
    Unsafe,
}

/// One request of an operation.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) body: Option<Vec<u8>>,
    pub(super) repeat: Repeat,
    pub(super) needed_role: &'static str,
    /// Until when a 404 may only mean that an object is too new, in milliseconds of the clock.
    pub(super) unready_until_ms: u64,
}

impl Request {
    pub(super) fn new(method: &'static str, path: String, needed_role: &'static str) -> Self {
        let repeat = if method == "POST" { Repeat::Unsafe } else { Repeat::Safe };
        Self { method, path, body: None, repeat, needed_role, unready_until_ms: 0 }
    }

    /// Method and path, for messages.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.method, self.path.split('?').next().unwrap_or_default())
    }
}

/// A response with a 2xx status.
pub(super) struct Success {
    pub(super) body: Zeroizing<Vec<u8>>,
    /// The server's time, if it sent one.
    pub(super) date_ms: Option<u64>,
    /// Whether an earlier attempt of the request was not answered.
    pub(super) repeated: bool,
}

/// Why there is no 2xx response.
pub(super) enum Failed {
    /// The request had no effect.
    Refused(AdminError),
    /// The server may have processed the request.
    Lost(AdminError),
}

impl From<Failed> for AdminError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Refused(error) | Failed::Lost(error) => error,
        }
    }
}

/// What sends the requests of one caller.
#[derive(Clone)]
pub(super) struct Sender<'a> {
    pub(super) api: &'a AdminApi,
    pub(super) client: &'a Client,
    pub(super) clock: Arc<dyn Clock>,
    /// The longest time for one request with its repetitions.
    pub(super) patience: Duration,
}

impl fmt::Debug for Sender<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("api", self.api).field("patience", &self.patience).finish_non_exhaustive()
    }
}

impl Sender<'_> {
    pub(super) fn now_ms(&self) -> u64 {
        self.clock.now().monotonic_ms
    }

    /// Sends `request` until it is answered, as often as its kind allows.
    pub(super) fn send(&self, request: &Request) -> Result<Success, Failed> {
        let started_ms = self.now_ms();
        let end_ms = started_ms.saturating_add(u64::try_from(self.patience.as_millis()).unwrap_or(u64::MAX));
        let mut pauses = PAUSES.into_iter();
        let mut repeated = false;
        loop {
            // A token that is not available means that nothing was sent.
            self.client.token(&TokenOptions::default()).map_err(|error| Failed::Refused(error.into()))?;
            let (failed, pause) = match self.api.call(self.client, &call(request)) {
                Ok(reply) if (200..300).contains(&reply.status) => return Ok(Success { repeated, ..success(reply) }),
                Ok(reply) if repeated && request.method == "DELETE" && reply.status == 404 => {
                    return Ok(Success { repeated, ..success(reply) });
                }
                Ok(reply) => self.refused(request, &reply, &mut pauses, &mut repeated),
                Err(error) => failed_call(request, error, &mut pauses, &mut repeated),
            };
            let pause = pause.filter(|pause| {
                let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
                self.now_ms().saturating_add(pause_ms) < end_ms
            });
            match pause {
                Some(pause) => self.clock.sleep(pause),
                None => return Err(failed),
            }
        }
    }

    /// The failure for an error status, and the pause before the request is repeated.
    fn refused(
        &self,
        request: &Request,
        reply: &Reply,
        pauses: &mut impl Iterator<Item = Duration>,
        repeated: &mut bool,
    ) -> (Failed, Option<Duration>) {
        let error = AdminError::Api(Box::new(ApiError::from_reply(&request.name(), reply, request.needed_role)));
        match reply.status {
            // The request was not processed.
            429 => (Failed::Refused(error), Some(retry_after(reply).unwrap_or_default().max(MIN_PAUSE))),
            404 if self.now_ms() < request.unready_until_ms => (Failed::Refused(error), Some(MIN_PAUSE)),
            500..=599 if request.repeat == Repeat::Safe => {
                *repeated = true;
                let pause = pauses.next().map(|pause| retry_after(reply).unwrap_or_default().max(pause));
                (Failed::Lost(error), pause)
            }
            500..=599 => (Failed::Lost(error), None),
            _ => (Failed::Refused(error), None),
        }
    }
}

/// The failure for a request without a usable response, and the pause before it is repeated.
fn failed_call(
    request: &Request,
    error: Error,
    pauses: &mut impl Iterator<Item = Duration>,
    repeated: &mut bool,
) -> (Failed, Option<Duration>) {
    // The connection was not established: the request was not sent.
    if matches!(error, Error::Network { reached: false, .. }) {
        return (Failed::Refused(error.into()), pauses.next());
    }
    if !matches!(error.status(), Status::Network | Status::Deadline | Status::Protocol | Status::Server) {
        return (Failed::Refused(error.into()), None);
    }
    if request.repeat == Repeat::Unsafe {
        return (Failed::Lost(error.into()), None);
    }
    *repeated = true;
    (Failed::Lost(error.into()), pauses.next())
}

fn call(request: &Request) -> Call {
    let call = Call::new(request.method, &request.path);
    match &request.body {
        Some(body) => call.body(body.clone()),
        None => call,
    }
}

fn success(mut reply: Reply) -> Success {
    let date = reply.headers.iter().find(|(name, _)| name == "date").and_then(|(_, value)| httpdate::parse_http_date(value).ok());
    let since_epoch = date.and_then(|date| date.duration_since(std::time::UNIX_EPOCH).ok());
    Success {
        body: Zeroizing::new(std::mem::take(&mut reply.body)),
        date_ms: since_epoch.and_then(|time| u64::try_from(time.as_millis()).ok()),
        repeated: false,
    }
}
