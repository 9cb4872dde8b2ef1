//! [`HttpGrant`]: the client credentials grant and revocation against a real server.

use super::refusal::{self, Asked};
use super::rejection;
use super::retry::{self, Budget};
use super::transport::{Patience, Reading, Reply, Request, Route, Transport, outside_of_any_runtime};
use super::{Grant, Minted, authentication, reply};
use crate::clock::Clock;
use crate::config::{ClientAuthentication, Config, Endpoint};
use crate::credential::Credential;
use crate::error::Error;
use crate::secret::Secret;
use oauth2::basic::BasicClient;
use oauth2::{ClientId, ClientSecret, HttpRequest, RequestTokenError, Scope, TokenUrl};
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Asks over HTTP. It holds settings only: the threads, the runtime and the sockets of a call end with the call.
#[derive(Clone, Debug)]
pub struct HttpGrant(Arc<Settings>);

#[derive(Debug)]
struct Settings {
    token: Route,
    revocation: Option<Route>,
    authentication: ClientAuthentication,
    /// The token request, but for the proof of who asks.
    form: Form,
    clock: Arc<dyn Clock>,
}

impl HttpGrant {
    /// Settles how to reach the endpoints of `config`: reads the environment's proxy and CA settings, opens no connection.
    ///
    /// # Errors
    /// [`Error::NotConfigured`] when the named CA file or the environment's proxy cannot be used.
    pub fn new(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        Self::in_environment(config, clock, &|name| std::env::var_os(name))
    }

    pub(super) fn in_environment(
        config: &Config,
        clock: Arc<dyn Clock>,
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Error> {
        let route = |endpoint: &Endpoint| Route::settle(endpoint, config, variable);
        Ok(Self(Arc::new(Settings {
            token: route(&config.token_endpoint)?,
            revocation: config.revocation_endpoint.as_ref().map(route).transpose()?,
            authentication: config.authentication,
            form: Form::of_token_request(config)?,
            clock,
        })))
    }
}

impl Grant for HttpGrant {
    fn mint(&self, credential: &Credential, budget: Duration) -> Result<Minted, Error> {
        let (settings, credential) = (Arc::clone(&self.0), credential.clone());
        outside_of_any_runtime(&self.0.token, move || settings.mint(&credential, budget))
    }

    /// One attempt, in contrast to [`mint`](Grant::mint): the caller learns at once that the token lives on.
    fn revoke(&self, credential: &Credential, token: &Secret, budget: Duration) -> Result<(), Error> {
        let route = self.0.revocation_route()?;
        let (settings, credential, token) = (Arc::clone(&self.0), credential.clone(), token.clone());
        outside_of_any_runtime(route, move || settings.revoke(&credential, &token, budget))
    }
}

impl Settings {
    fn mint(&self, credential: &Credential, budget: Duration) -> Result<Minted, Error> {
        let mut budget = Budget::new(self.clock.as_ref(), budget);
        let route = &self.token;
        let sent = authentication::secret_forms(credential);
        Transport::while_open(route, budget.total(), |transport| {
            let conversation = Conversation { transport, route, sent, clock: self.clock.as_ref() };
            retry::within(&mut budget, |attempt, budget| {
                let request = self.form.proven(&route.endpoint, self.authentication, credential)?;
                let reply = conversation.exchange(request, Reading::Token, budget, attempt)?;
                reply::minted(&reply, &route.endpoint.origin())
            })
        })
        .map_err(|error| rejection::advised(error, credential))
    }

    fn revoke(&self, credential: &Credential, token: &Secret, budget: Duration) -> Result<(), Error> {
        let budget = Budget::new(self.clock.as_ref(), budget);
        let route = self.revocation_route()?;
        let mut sent = authentication::secret_forms(credential);
        sent.extend(authentication::forms(token));
        Transport::while_open(route, budget.total(), |transport| {
            let conversation = Conversation { transport, route, sent, clock: self.clock.as_ref() };
            let request = Form::of_revocation(token).proven(&route.endpoint, self.authentication, credential)?;
            conversation.exchange(request, Reading::Nothing, &budget, 1).map(|_| ())
        })
        .map_err(|error| rejection::advised(error, credential))
    }

    fn revocation_route(&self) -> Result<&Route, Error> {
        self.revocation.as_ref().ok_or_else(|| Error::NotConfigured {
            problem: "revocation_url is not set, so there is nowhere to revoke a token".to_owned(),
            hint: "Set revocation_url (TOKENWELL_REVOCATION_URL) to the server's RFC 7009 endpoint; with a base_url of Atlas it follows from that."
                .to_owned(),
        })
    }
}

/// What is the same for all requests of one call.
struct Conversation<'a> {
    transport: &'a Transport,
    route: &'a Route,
    /// Every form of the secrets that are sent.
    sent: Vec<Zeroizing<String>>,
    clock: &'a dyn Clock,
}

impl Conversation<'_> {
    /// One request and its 200; everything else is an error.
    fn exchange(&self, request: Request, reading: Reading, budget: &Budget<'_>, attempt: usize) -> Result<Reply, Error> {
        let server = self.route.endpoint.origin();
        let patience = Patience { remaining: budget.remaining(), total: budget.total() };
        let started = Instant::now();
        let result = self.transport.send(request, reading, patience);
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let reply = result.inspect_err(|error| {
            tracing::debug!(server, attempt, elapsed_ms, outcome = error.status().name(), "no usable reply");
        })?;

        tracing::debug!(server, attempt, elapsed_ms, status = reply.status, "replied");
        if reply.status == 200 {
            return Ok(reply);
        }
        let asked = Asked { server: &server, endpoint: self.route.endpoint.url(), sent: &self.sent, now: self.clock.now().system_time() };
        Err(refusal::of_reply(&reply, &asked))
    }
}

/// A form request that says nothing yet of who asks.
#[derive(Debug)]
struct Form {
    headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
}

impl Form {
    /// The request for a token, as the `oauth2` crate makes it. It is given stand-ins for the id and the secret, and what it makes of them is
    /// taken off again: see [`authentication`].
    fn of_token_request(config: &Config) -> Result<Self, Error> {
        let client = BasicClient::new(ClientId::new("stand-in".to_owned()))
            .set_client_secret(ClientSecret::new("stand-in".to_owned()))
            .set_token_uri(TokenUrl::from_url(config.token_endpoint.url().clone()));
        let mut request = client.exchange_client_credentials();
        // An empty parameter is the same as none and is not sent (item 6).
        let given = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        if let Some(scope) = given(&config.scope) {
            request = request.add_scope(Scope::new(scope));
        }
        for (name, value) in [("audience", given(&config.audience)), ("resource", given(&config.resource))] {
            if let Some(value) = value {
                request = request.add_extra_param(name, value);
            }
        }
        // Its way of handing the request over is to call the HTTP client, so the client that it gets only keeps it.
        match request.request(&|request: HttpRequest| Err(Kept(Box::new(request)))) {
            Err(RequestTokenError::Request(Kept(request))) => {
                let (parts, body) = request.into_parts();
                Ok(Self::new(parts.headers, Zeroizing::new(body)))
            }
            _ => Err(Error::internal("the token request could not be made")),
        }
    }

    fn of_revocation(token: &Secret) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let mut body = Zeroizing::new(Vec::new());
        authentication::append(&mut body, "token", token.expose());
        authentication::append(&mut body, "token_type_hint", "access_token");
        Self::new(headers, body)
    }

    fn new(mut headers: HeaderMap, body: Zeroizing<Vec<u8>>) -> Self {
        headers.remove(AUTHORIZATION);
        Self { headers, body }
    }

    fn proven(&self, endpoint: &Endpoint, method: ClientAuthentication, credential: &Credential) -> Result<Request, Error> {
        let (mut headers, mut body) = (self.headers.clone(), self.body.clone());
        authentication::prove(method, credential, &mut headers, &mut body)?;
        Ok(Request { method: Method::POST, url: endpoint.url().clone(), headers, body })
    }
}

/// What stops the `oauth2` crate from sending: the request itself.
#[derive(Debug)]
struct Kept(Box<HttpRequest>);

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request was kept and not sent")
    }
}

impl std::error::Error for Kept {}
