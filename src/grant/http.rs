//! [`HttpGrant`]: the client credentials grant and revocation over HTTP.

use super::connection_watch::ConnectionWatch;
use super::method_search::{Finding, First, Known, MethodSearch};
use super::refusal::{self, RequestContext};
use super::rejection;
use super::reply::{self, TokenType};
use super::retry::{self, Budget};
use super::transport::{Reading, Reply, Request, Route, Timeout, Transport, run_outside_runtime, without_query};
use super::{Grant, MethodsTried, Minted, ProxyLogin, authentication, transport_error};
use crate::clock::Clock;
use crate::config::{ClientAuthentication, Config, Endpoint};
use crate::credential::Credential;
use crate::error::Error;
use crate::secret::Secret;
use arc_swap::ArcSwapOption;
use oauth2::basic::BasicClient;
use oauth2::{ClientId, ClientSecret, HttpRequest, RequestTokenError, Scope, TokenUrl};
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use ring::hmac;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// A [`Grant`] over HTTP. It contains settings only: the threads, the runtime and the sockets of a
/// call are released when the call returns.
#[derive(Clone, Debug)]
pub struct HttpGrant(Arc<Settings>);

#[derive(Debug)]
struct Settings {
    token: Route,
    revocation: Option<Route>,
    methods: MethodSearch,
    /// Of the revocation endpoint, which may accept other methods. Other processes do not need it.
    revocation_methods: MethodSearch,
    token_type: TokenType,
    /// The token request without client authentication.
    form: Form,
    clock: Arc<dyn Clock>,
    /// The connection of the token request in progress.
    connection: ArcSwapOption<ConnectionWatch>,
}

impl HttpGrant {
    /// Creates a grant for the endpoints of `config`. Opens no connection.
    ///
    /// # Errors
    /// [`Error::NotConfigured`] if the CA certificates or the proxy of `config` cannot be used.
    pub fn new(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let route = |endpoint: &Endpoint| Route::resolve(endpoint, config);
        Ok(Self(Arc::new(Settings {
            token: route(&config.token_endpoint)?,
            revocation: config.revocation_endpoint.as_ref().map(route).transpose()?,
            methods: MethodSearch::new(config.authentication),
            revocation_methods: MethodSearch::new(config.authentication),
            token_type: TokenType::expected_from(&config.token_endpoint),
            form: Form::of_token_request(config)?,
            clock,
            connection: ArcSwapOption::empty(),
        })))
    }
}

impl Grant for HttpGrant {
    fn mint(&self, credential: &Credential, budget: Duration) -> Result<Minted, Error> {
        let (settings, credential) = (Arc::clone(&self.0), credential.clone());
        run_outside_runtime(&self.0.token, move || settings.mint(&credential, budget))
    }

    fn no_connection_yet(&self, waited: Duration) -> Option<Error> {
        let connection = self.0.connection.load_full()?;
        let route = &self.0.token;
        (!connection.is_connected()).then(|| transport_error::no_connection_yet(&route.endpoint.origin(), waited, &route.hint))
    }

    /// Makes one attempt only, unlike [`mint`](Grant::mint), so that the caller learns immediately
    /// if the token is still valid. Only another authentication method may be sent after it.
    fn revoke(&self, credential: &Credential, token: &Secret, budget: Duration) -> Result<(), Error> {
        let route = self.0.revocation_route()?;
        let (settings, credential, token) = (Arc::clone(&self.0), credential.clone(), token.clone());
        run_outside_runtime(route, move || settings.revoke(&credential, &token, budget))
    }

    /// A proxy can answer instead of the server, and other processes may not use it. An error in
    /// one of the two formats of an authorization server comes from the server.
    fn is_shared(&self, error: &Error) -> bool {
        match error {
            _ if self.0.token.proxy.is_none() => true,
            Error::RateLimited { .. } | Error::TokenLimit { .. } => true,
            Error::CredentialRejected { code, description, .. } => !code.is_empty() || !description.is_empty(),
            Error::Server { description, .. } => !description.is_empty(),
            _ => false,
        }
    }

    fn recall_methods(&self, secret: &Secret, tried: &MethodsTried) {
        if let Some(known) = Known::of(tried) {
            self.0.methods.remember(secret, known);
        }
    }

    fn methods_tried(&self, secret: &Secret) -> Option<MethodsTried> {
        self.0.methods.known(secret).map(Known::named)
    }

    fn proxy_login(&self, credential: &Credential) -> Option<ProxyLogin> {
        let proxy = self.0.token.proxy.as_ref()?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, credential.client_secret.expose().as_bytes());
        let digest = hmac::sign(&key, proxy.url().as_str().as_bytes());
        // Four bytes: enough to tell log-ins apart, too few to tell which of many passwords was used.
        let id = digest.as_ref()[..4].iter().map(|byte| format!("{byte:02x}")).collect();
        Some(ProxyLogin { id, rejection: transport_error::rejected_by_proxy(&self.0.token) })
    }
}

impl Settings {
    fn mint(&self, credential: &Credential, budget: Duration) -> Result<Minted, Error> {
        let mut budget = Budget::new(self.clock.as_ref(), budget);
        let route = &self.token;
        let sent_secrets = authentication::secret_forms(credential);
        Transport::with(route, budget.total(), |transport| {
            let conversation = Conversation { transport, route, sent_secrets, clock: self.clock.as_ref() };
            self.connection.store(Some(Arc::new(transport.connection().clone())));
            let mut second = None;
            let minted = retry::with_budget(&mut budget, |attempt, budget| {
                let send = |method, attempt| {
                    let request = self.form.authenticated(&route.endpoint, method, credential)?;
                    let reply = conversation.exchange(request, Reading::Token, budget, attempt)?;
                    reply::minted(&reply, &route.endpoint.origin(), self.token_type)
                };
                let first = self.methods.first(&credential.client_secret, self.clock.now().wall_ms);
                self.with_method(&self.methods, first, credential, &mut second, attempt, send)
            });
            self.connection.store(None);
            minted.map_err(|error| match second {
                Some(_) => {
                    let attempts = error.attempts().saturating_add(1);
                    error.with_attempts(attempts)
                }
                None => error,
            })
        })
        .map_err(|error| self.explained(error, route, &self.methods, credential))
    }

    fn revoke(&self, credential: &Credential, token: &Secret, budget: Duration) -> Result<(), Error> {
        let budget = Budget::new(self.clock.as_ref(), budget);
        let route = self.revocation_route()?;
        let mut sent_secrets = authentication::secret_forms(credential);
        sent_secrets.extend(authentication::forms(token));
        Transport::with(route, budget.total(), |transport| {
            let conversation = Conversation { transport, route, sent_secrets, clock: self.clock.as_ref() };
            let mut second = None;
            let send = |method, attempt| {
                let request = Form::of_revocation(token).authenticated(&route.endpoint, method, credential)?;
                conversation.exchange(request, Reading::Nothing, &budget, attempt).map(|_| ())
            };
            let secret = &credential.client_secret;
            let first = self.known_for_revocation(secret).first(secret, self.clock.now().wall_ms);
            let revoked = self.with_method(&self.revocation_methods, first, credential, &mut second, 1, send);
            revoked.map_err(|error| error.with_attempts(if second.is_some() { 2 } else { 1 }))
        })
        .map_err(|error| self.explained(error, route, self.known_for_revocation(&credential.client_secret), credential))
    }

    /// What is known about the revocation endpoint or, as long as it has answered nothing else, about the
    /// token endpoint.
    fn known_for_revocation(&self, secret: &Secret) -> &MethodSearch {
        if self.revocation_methods.known(secret).is_some() { &self.revocation_methods } else { &self.methods }
    }

    /// Sends a request with the method `first`. `send` takes the method and the number of the attempt. If
    /// the server rejects the method and another one may be sent, `second` becomes that one, and is sent;
    /// later attempts of the same call send only that one. `search` remembers what the server said.
    fn with_method<T>(
        &self,
        search: &MethodSearch,
        first: First,
        credential: &Credential,
        second: &mut Option<ClientAuthentication>,
        attempt: usize,
        send: impl Fn(ClientAuthentication, usize) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if let Some(second) = *second {
            return self.judge(search, second, send(second, attempt + 1), None, credential);
        }
        let result = send(first.method, attempt);
        if first.after_rejection {
            return self.judge(search, first.method, result, None, credential);
        }
        let error = match result {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let (secret, now_ms) = (&credential.client_secret, self.clock.now().wall_ms);
        let Some(other) = search.second(first.method, &error, secret, now_ms) else { return Err(error) };
        // The server may fail before it answers the other method. This one is not sent again then.
        search.remember(secret, Known { finding: Finding::Rejected(first.method), at_ms: now_ms });
        *second = Some(other);
        self.judge(search, other, send(other, attempt + 1), Some(error), credential)
    }

    /// Remembers whether the server accepts `method`, which was sent after it had rejected another
    /// one. A rejection of both is reported as that of the `first`, which is the usual method.
    fn judge<T>(
        &self,
        search: &MethodSearch,
        method: ClientAuthentication,
        result: Result<T, Error>,
        first: Option<Error>,
        credential: &Credential,
    ) -> Result<T, Error> {
        let remember = |finding| {
            let tried = Known { finding, at_ms: self.clock.now().wall_ms };
            search.remember(&credential.client_secret, tried);
        };
        match (result, first) {
            (Ok(done), _) => {
                tracing::info!(auth_method = method.name(), "the server accepts only this authentication method");
                remember(Finding::Accepted(method));
                Ok(done)
            }
            (Err(error @ (Error::CredentialRejected { .. } | Error::Protocol { .. })), first) => {
                remember(Finding::RejectedBoth);
                Err(first.unwrap_or(error))
            }
            // Not an answer to the question.
            (Err(error), _) => Err(error),
        }
    }

    /// Adds to an error what its user needs to know.
    fn explained(&self, error: Error, route: &Route, search: &MethodSearch, credential: &Credential) -> Error {
        let is_about_client =
            matches!(&error, Error::CredentialRejected { code, http_status, .. } if *http_status == 401 || **code == *"invalid_client");
        let methods = (is_about_client && !route.at_atlas).then(|| search.advice(&credential.client_secret));
        rejection::with_advice(error, credential, methods).at(&route.name)
    }

    fn revocation_route(&self) -> Result<&Route, Error> {
        self.revocation.as_ref().ok_or_else(|| Error::NotConfigured {
            problem: "cannot revoke a token: revocation_url is not set".to_owned(),
            hint: "Set revocation_url (TOKENWELL_REVOCATION_URL) to the server's RFC 7009 endpoint. For Atlas, setting base_url is sufficient."
                .to_owned(),
        })
    }
}

/// The state shared by all requests of one call.
struct Conversation<'a> {
    transport: &'a Transport,
    route: &'a Route,
    /// The sent secrets in all encodings.
    sent_secrets: Vec<Zeroizing<String>>,
    clock: &'a dyn Clock,
}

impl Conversation<'_> {
    /// Sends a request and returns a successful response. Every other result is an error.
    fn exchange(&self, request: Request, reading: Reading, budget: &Budget<'_>, attempt: usize) -> Result<Reply, Error> {
        let server = self.route.endpoint.origin();
        let timeout = Timeout { remaining: budget.remaining(), total: budget.total() };
        let (method, url) = (request.method.to_string(), without_query(&request.url));
        let started = Instant::now();
        let result = self.transport.send(request, reading, timeout);
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let reply = result.inspect_err(|error| {
            tracing::debug!(server, method, url, attempt, elapsed_ms, outcome = error.status().name(), "no usable response");
        })?;

        tracing::debug!(server, method, url, attempt, elapsed_ms, status = reply.status, "response received");
        if reading.accepts(reply.status) && !(reading == Reading::Token && reply::is_error(&reply)) {
            return Ok(reply);
        }
        let context = RequestContext {
            server: &server,
            endpoint: self.route.endpoint.url(),
            url_setting: &self.route.name.setting,
            sent_secrets: &self.sent_secrets,
            now: self.clock.now().system_time(),
        };
        Err(refusal::from_reply(&reply, &context))
    }
}

/// A form request without client authentication.
#[derive(Debug)]
struct Form {
    headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
}

impl Form {
    /// The token request as built by the `oauth2` crate. The crate receives placeholders for the
    /// client id and secret, and the `Authorization` header that it builds from them is removed:
    /// see [`authentication`].
    fn of_token_request(config: &Config) -> Result<Self, Error> {
        let client = BasicClient::new(ClientId::new("placeholder".to_owned()))
            .set_client_secret(ClientSecret::new("placeholder".to_owned()))
            .set_token_uri(TokenUrl::from_url(config.token_endpoint.url().clone()));
        let mut request = client.exchange_client_credentials();
        // An empty parameter is the same as an absent one and is not sent (item 6).
        let given = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        if let Some(scope) = given(&config.scope) {
            request = request.add_scope(Scope::new(scope));
        }
        for (name, value) in [("audience", given(&config.audience)), ("resource", given(&config.resource))] {
            if let Some(value) = value {
                request = request.add_extra_param(name, value);
            }
        }
        // The crate passes the request only to an HTTP client. This client returns it instead of
        // sending it.
        match request.request(&|request: HttpRequest| Err(CapturedRequest(Box::new(request)))) {
            Err(RequestTokenError::Request(CapturedRequest(request))) => {
                let (parts, body) = request.into_parts();
                Ok(Self::new(parts.headers, Zeroizing::new(body)))
            }
            _ => Err(Error::internal("cannot build the token request")),
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

    fn authenticated(&self, endpoint: &Endpoint, method: ClientAuthentication, credential: &Credential) -> Result<Request, Error> {
        let (mut headers, mut body) = (self.headers.clone(), self.body.clone());
        authentication::authenticate(method, credential, &mut headers, &mut body)?;
        Ok(Request { method: Method::POST, url: endpoint.url().clone(), headers, body })
    }
}

/// The request, returned as an error so that the `oauth2` crate does not send it.
#[derive(Debug)]
struct CapturedRequest(Box<HttpRequest>);

impl fmt::Display for CapturedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request was captured and not sent")
    }
}

impl std::error::Error for CapturedRequest {}
