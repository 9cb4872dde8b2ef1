//! How a server is reached, for those who look for what is wrong with the way there.

use super::transport::{Patience, Reading, Request, Route, Transport, outside_of_any_runtime};
use crate::config::{Config, Endpoint};
use crate::error::Error;
use reqwest::Method;
use reqwest::header::{DATE, HeaderMap};
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

/// More than any server sends after a HEAD, which has no body.
const LONGEST_REPLY: usize = 64 * 1024;

/// The way to a configuration's token endpoint.
#[derive(Clone, Debug)]
pub struct Way(Route);

/// What a server says to somebody who asks for nothing.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Knock {
    /// The HTTP status.
    pub status: u16,
    /// The server's own time, where it named it.
    pub date: Option<SystemTime>,
}

impl Way {
    /// The way that `config` and the environment describe. Opens nothing.
    ///
    /// # Errors
    /// [`Error::NotConfigured`] when the named CA file or the environment's proxy cannot be used.
    pub fn of(config: &Config) -> Result<Self, Error> {
        Route::settle(config.token_endpoint(), config, &|name| std::env::var_os(name)).map(Self)
    }

    /// The server at the end of it.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    /// Scheme, host and port of the proxy, if there is one: never its user or password.
    #[must_use]
    pub fn proxy(&self) -> Option<String> {
        self.0.proxy.as_ref().map(|proxy| proxy.url().origin().ascii_serialization())
    }

    /// Whose signature on the server's certificate is believed, in words; `None` where the way is plain http on loopback.
    #[must_use]
    pub fn authorities(&self) -> Option<String> {
        (self.0.endpoint.url().scheme() == "https").then(|| self.0.authorities.described())
    }

    /// What to look at when no connection comes about; `was_refused`: the machine answered, and nothing listens at that port.
    #[must_use]
    pub fn advice(&self, was_refused: bool) -> String {
        self.0.signpost.advice(was_refused)
    }

    /// Goes there with nothing in its hands: a HEAD of the server's root, without a credential. Any status will do.
    ///
    /// # Errors
    /// Network and TLS errors.
    pub fn knock(&self, patience: Duration) -> Result<Knock, Error> {
        let route = self.0.clone();
        let mut url = route.endpoint.url().clone();
        url.set_path("/");
        url.set_query(None);
        let request = Request { method: Method::HEAD, url, headers: HeaderMap::new(), body: Zeroizing::new(Vec::new()) };
        let reply = outside_of_any_runtime(&self.0, move || {
            let patience = Patience { remaining: patience, total: patience };
            Transport::while_open(&route, patience.total, |transport| transport.send(request, Reading::Anything(LONGEST_REPLY), patience))
        })?;
        let date = reply.headers.get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
        Ok(Knock { status: reply.status, date })
    }
}
