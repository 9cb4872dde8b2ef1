//! Sends a request with a token, and once more with another token if the API rejects the first one.

use super::{ApiRequest, ApiResponse, PendingRequest};
use crate::cache::{AwaitSave, Begun, RequestFlight, Stopped};
use crate::client::{Client, TokenOptions};
use crate::error::{AWAITING_API, Error, Exchange};
use crate::grant::transport::{Reading, Reply, Route, Timeout, Transport, run_outside_runtime, without_query};
use crate::token::Token;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

const UNAUTHORIZED: u16 = 401;

/// The outcome of an exchange, shared by all that wait for it.
type Answer = Arc<ApiResponse>;

impl Client {
    /// Begins to send `request`. It ends after `max_wait`, which includes the waits for tokens. Without a
    /// thread it fails, or is sent by this thread if the caller `may_block`.
    ///
    /// # Errors
    /// [`Error::NotConfigured`] if the client's server is not Atlas, or if no thread can be created;
    /// [`Error::Closed`].
    pub(crate) fn begin_request(&self, request: ApiRequest, max_wait: Duration, may_block: bool) -> Result<PendingRequest, Error> {
        self.refuse_if_closed()?;
        let (client, route) = (self.clone(), self.api_route()?.clone());
        let limit = Limit { started: Instant::now(), total: max_wait };
        self.begin_work_with_thread(may_block, move |flight| {
            let flight_route = route.clone();
            let flight = Arc::clone(flight);
            run_outside_runtime(&flight_route, move || {
                Transport::with(&route, limit.total, |transport| {
                    transport.block_on(unless_stopped(&flight, Conversation { client, request, route: &route, transport, limit }.hold()))
                })
            })
        })
    }
}

/// Runs `work` until another thread sets the result: the client is closed, or no caller waits any more. The
/// connection is closed then.
async fn unless_stopped(flight: &RequestFlight<Answer>, work: impl Future<Output = Result<Answer, Error>>) -> Result<Answer, Error> {
    let (mut work, mut stopped) = (pin!(work), Stopped::new());
    poll_fn(|context| match flight.poll_stopped(context.waker(), &mut stopped) {
        Poll::Ready(result) => Poll::Ready(result),
        Poll::Pending => work.as_mut().poll(context),
    })
    .await
}

/// The time that a request may take, with its waits for tokens.
#[derive(Clone, Copy)]
struct Limit {
    started: Instant,
    total: Duration,
}

impl Limit {
    fn waited(self) -> Duration {
        self.started.elapsed()
    }

    fn left(self) -> Duration {
        self.total.saturating_sub(self.waited())
    }
}

/// One request with everything that sending it takes.
struct Conversation<'a> {
    client: Client,
    request: ApiRequest,
    route: &'a Route,
    transport: &'a Transport,
    limit: Limit,
}

impl Conversation<'_> {
    async fn hold(self) -> Result<Answer, Error> {
        let token = self.token().await?;
        let reply = self.send(&token).await?;
        if reply.status != UNAUTHORIZED || !self.invalidate(&token).await {
            return self.answer(reply);
        }
        // If there is no other token, the next request reports why.
        let Ok(another) = self.token().await else { return self.answer(reply) };
        if self.limit.left().is_zero() {
            return self.answer(reply);
        }
        drop(reply);
        self.answer(self.send(&another).await?)
    }

    async fn token(&self) -> Result<Token, Error> {
        let options = TokenOptions::default().deadline(self.limit.left());
        match self.client.begin_token(&options, AwaitSave::No)? {
            Begun::Ready(token) => Ok(token),
            Begun::Pending(mut get) => {
                let result = poll_fn(|context| get.poll_result(context.waker(), self.limit.left()));
                match tokio::time::timeout(self.limit.left(), result).await {
                    Ok(result) => result,
                    Err(_) => get.at_deadline(self.limit.waited()),
                }
            }
        }
    }

    /// Invalidates a token that the API rejected. Returns false if there is no time left: the invalidation
    /// continues then.
    async fn invalidate(&self, rejected: &Token) -> bool {
        let invalidation = self.client.invalidate_async(rejected.value());
        tokio::time::timeout(self.limit.left(), invalidation).await.is_ok_and(|result| result.is_ok())
    }

    async fn send(&self, token: &Token) -> Result<Reply, Error> {
        let request = self.request.with_token(&self.route.endpoint, token)?;
        let (method, url, started) = (request.method.to_string(), without_query(&request.url), Instant::now());
        let timeout = Timeout { remaining: self.limit.left(), total: self.limit.total };
        let result = self.transport.exchange(request, Reading::Anything(self.request.max_body()), timeout).await;
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        match &result {
            Ok(reply) => tracing::debug!(method, url, elapsed_ms, status = reply.status, "response received"),
            Err(error) => tracing::debug!(method, url, elapsed_ms, outcome = error.status().name(), "no usable response"),
        }
        result.map_err(|error| self.explained(error))
    }

    /// Adds to an error what its caller needs to know: the request may have taken effect.
    fn explained(&self, error: Error) -> Error {
        match error {
            Error::Network { reached: true, .. } if self.limit.left().is_zero() => {
                Error::Deadline { waited: self.limit.waited(), blocked_by: AWAITING_API.to_owned() }
            }
            Error::Network { reached: true, server, problem, source, exchange, .. } if !self.request.only_reads() => {
                let advice = "The request may have taken effect. Check that before you repeat it.".to_owned();
                Error::Network { reached: true, server, problem, advice, source, exchange }
            }
            other => other,
        }
        .at(&self.route.name)
    }

    /// Any response is an answer, except a redirect, which could expose the token.
    fn answer(&self, reply: Reply) -> Result<Answer, Error> {
        if (300..400).contains(&reply.status) {
            return Err(Error::Refused {
                problem: format!(
                    "{} sent a redirect, which was not followed because it could expose the token",
                    self.route.endpoint.origin()
                ),
                hint: "Check the path, and set the base URL to the actual URL of the API.".to_owned(),
                http_status: Some(reply.status),
                exchange: Exchange::default(),
            });
        }
        Ok(Arc::new(ApiResponse::of(reply)))
    }
}
