//! What processes share about failures if some of them reach the server through a proxy.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;
use support::{FakeServer, FakeStore, FixedCredentials, START_MS, TIMEOUT, client_of, rejected};
use tokenwell::clock::ManualClock;
use tokenwell::error::Exchange;
use tokenwell::grant::{Credential, Grant, Minted, ProxyLogin};
use tokenwell::secret::Secret;
use tokenwell::{Client, ClientParts, Error, Status, TokenOptions};

/// A way to the server through a proxy, with this log-in.
#[derive(Debug)]
struct Proxied {
    server: Arc<FakeServer>,
    login: &'static str,
}

fn rejected_login() -> Error {
    let proxy = "the proxy http://p.example (set by HTTPS_PROXY)".into();
    Error::Proxy {
        server: "https://server".into(),
        proxy,
        proxy_status: Some(407),
        answer: "407 Proxy Authentication Required".into(),
        has_login: true,
        advice: "Correct it.".into(),
        exchange: Exchange::default(),
    }
}

impl Grant for Proxied {
    fn mint(&self, credential: &Credential, budget: Duration) -> Result<Minted, Error> {
        self.server.mint(credential, budget)
    }

    fn revoke(&self, credential: &Credential, token: &Secret, budget: Duration) -> Result<(), Error> {
        self.server.revoke(credential, token, budget)
    }

    fn is_shared(&self, error: &Error) -> bool {
        matches!(error, Error::CredentialRejected { .. })
    }

    fn proxy_login(&self, _credential: &Credential) -> Option<ProxyLogin> {
        Some(ProxyLogin { id: self.login.to_owned(), rejection: rejected_login() })
    }
}

/// Processes that share one store.
struct Host {
    clock: Arc<ManualClock>,
    server: Arc<FakeServer>,
    store: Arc<FakeStore>,
}

impl Host {
    fn new() -> Self {
        Self { clock: Arc::new(ManualClock::new(START_MS)), server: FakeServer::new(), store: Arc::default() }
    }

    fn process_without_proxy(&self) -> Client {
        client_of(&self.clock, &self.server, Arc::clone(&self.store) as Arc<_>, Box::new(FixedCredentials))
    }

    fn process_behind_proxy(&self, login: &'static str) -> Client {
        Client::from_parts(ClientParts {
            identity: vec![("client_id", "id".into())],
            timeout: TIMEOUT,
            credentials: Box::new(FixedCredentials),
            clock: Arc::clone(&self.clock) as Arc<_>,
            store: Arc::clone(&self.store) as Arc<_>,
            grant: Arc::new(Proxied { server: Arc::clone(&self.server), login }),
        })
    }
}

fn error_of(client: &Client) -> Error {
    client.token(&TokenOptions::default()).unwrap_err()
}

#[test]
fn a_rejected_log_in_is_not_sent_again_by_any_process_for_30_seconds() {
    let host = Host::new();
    host.server.then_fail(rejected_login());

    let first = error_of(&host.process_behind_proxy("one"));
    host.clock.advance(Duration::from_secs(10));
    let others: Vec<Error> = (0..4).map(|_| error_of(&host.process_behind_proxy("one"))).collect();

    assert_eq!(host.server.requests(), 1);
    assert_eq!(first.to_string(), rejected_login().to_string());
    for error in others {
        assert_eq!((error.status(), error.retry_after()), (Status::Network, Some(Duration::from_secs(20))), "{error}");
        let expected = format!("{first} (error of 10 s ago; no new request was sent; next request in 20 s)");
        assert_eq!((error.to_string(), error.hint()), (expected, "Correct it.".to_owned()));
    }
    host.clock.advance(Duration::from_secs(20));
    assert_eq!(host.process_behind_proxy("one").token(&TokenOptions::default()).unwrap().value(), "token-1");
}

#[test]
fn another_log_in_or_no_proxy_is_not_affected() {
    for other in [Some("two"), None] {
        let host = Host::new();
        host.server.then_fail(rejected_login());
        error_of(&host.process_behind_proxy("one"));

        let client = other.map_or_else(|| host.process_without_proxy(), |login| host.process_behind_proxy(login));

        assert_eq!(client.token(&TokenOptions::default()).unwrap().value(), "token-1", "{other:?}");
        assert_eq!(host.process_behind_proxy("one").token(&TokenOptions::default()).unwrap().value(), "token-1", "a valid token is used");
        assert_eq!(host.server.requests(), 2);
    }
}

#[test]
fn a_rejected_log_in_does_not_replace_a_refusal_of_the_server() {
    let host = Host::new();
    host.server.then_fail(rejected());
    error_of(&host.process_without_proxy());

    assert_eq!(error_of(&host.process_behind_proxy("one")).status(), Status::CredentialRejected);
    assert_eq!(host.server.requests(), 1);
}

#[test]
fn r29_what_may_come_from_the_proxy_is_not_shared() {
    let server = "https://server".to_owned();
    let of_proxy = [
        Error::Refused { problem: "a redirect".into(), hint: String::new(), http_status: Some(302), exchange: Exchange::default() },
        Error::Protocol {
            server: server.clone(),
            problem: "HTTP status 403".into(),
            http_status: Some(403),
            exchange: Exchange::default(),
        },
        Error::Protocol {
            server: server.clone(),
            problem: "its body is empty".into(),
            http_status: Some(200),
            exchange: Exchange::default(),
        },
        Error::Server { server, description: String::new(), http_status: 503, retry_after: None, exchange: Exchange::default() },
    ];
    for error in of_proxy {
        let host = Host::new();
        host.server.then_fail(error.clone());
        let process = host.process_behind_proxy("one");
        error_of(&process);

        assert!(error_of(&process).to_string().contains("no new request was sent"), "{error}");
        assert_eq!(host.process_without_proxy().token(&TokenOptions::default()).unwrap().value(), "token-1", "{error}");
    }
}

#[test]
fn r29_what_comes_from_the_server_is_shared() {
    let host = Host::new();
    host.server.then_fail(rejected());
    error_of(&host.process_behind_proxy("one"));

    assert!(error_of(&host.process_without_proxy()).to_string().contains("no new request was sent"));
    assert_eq!(host.server.requests(), 1);
}

#[test]
fn a_denial_that_is_no_oauth_error_is_not_shared_and_not_repeated_for_30_seconds() {
    for status in [401, 403] {
        let host = Host::new();
        let problem = format!("HTTP status {status} without an OAuth error (text/html)");
        host.server.then_fail(Error::Protocol {
            server: "https://server".into(),
            problem,
            http_status: Some(status),
            exchange: Exchange::default(),
        });
        let process = host.process_without_proxy();
        error_of(&process);

        assert_eq!(error_of(&process).retry_after(), Some(Duration::from_secs(30)));
        assert_eq!(host.process_without_proxy().token(&TokenOptions::default()).unwrap().value(), "token-1");
    }
}
