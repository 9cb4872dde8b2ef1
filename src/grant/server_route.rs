//! The route to a configuration's server, for diagnostics.

use super::proxy::HttpsProxy;
use super::transport::{Reading, Request, Route, Timeout, Transport, run_outside_runtime};
use crate::config::{Config, Endpoint};
use crate::error::Error;
use reqwest::Method;
use reqwest::header::{DATE, HeaderMap};
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

/// An upper bound for a response to HEAD, which has no body.
const LONGEST_REPLY: usize = 64 * 1024;

/// The route to a configuration's token endpoint: proxy, certificate authorities and address.
#[derive(Clone, Debug)]
pub struct ServerRoute(Route);

/// A server's response to a request without a credential.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ProbeReply {
    /// The HTTP status.
    pub status: u16,
    /// The server's time, if the response has a `Date` header.
    pub date: Option<SystemTime>,
}

impl ServerRoute {
    /// Determines the route from `config`. Opens no connection.
    ///
    /// # Errors
    /// [`Error::NotConfigured`] if the CA certificates or the proxy of `config` cannot be used.
    pub fn new(config: &Config) -> Result<Self, Error> {
        Route::resolve(config.token_endpoint(), config).map(Self)
    }

    /// The token endpoint.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    /// Scheme, host and port of the proxy, if one is used. Never contains the proxy's user or
    /// password.
    #[must_use]
    pub fn proxy(&self) -> Option<String> {
        self.0.proxy.as_ref().map(HttpsProxy::origin)
    }

    /// A description of the trusted certificate authorities. `None` for plain http on loopback.
    #[must_use]
    pub fn authorities(&self) -> Option<String> {
        (self.0.endpoint.url().scheme() == "https").then(|| self.0.authorities.description())
    }

    /// The hint for a failed connection. `was_refused`: the host rejected the connection, because
    /// no program listens on the port.
    #[must_use]
    pub fn hint(&self, was_refused: bool) -> String {
        self.0.hint.message(was_refused)
    }

    /// Sends a HEAD request for the server's root path, without a credential. Any status is a
    /// success.
    ///
    /// # Errors
    /// Network and TLS errors.
    pub fn probe(&self, timeout: Duration) -> Result<ProbeReply, Error> {
        let route = self.0.clone();
        let mut url = route.endpoint.url().clone();
        url.set_path("/");
        url.set_query(None);
        let request = Request { method: Method::HEAD, url, headers: HeaderMap::new(), body: Zeroizing::new(Vec::new()) };
        let reply = run_outside_runtime(&self.0, move || {
            let timeout = Timeout { remaining: timeout, total: timeout };
            Transport::with(&route, timeout.total, |transport| transport.send(request, Reading::Anything(LONGEST_REPLY), timeout))
        })?;
        let date = reply.headers.get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
        Ok(ProbeReply { status: reply.status, date })
    }
}
