//! An emulator with a client, and what its API received.

use std::sync::Once;
use tokenwell::emulator::{Emulator, EmulatorOptions, RecordedRequest};
use tokenwell::{Client, Config};

pub const ORGS: &str = "/api/atlas/v2/orgs";
pub const VERSION: &str = "application/vnd.atlas.2024-08-05+json";
const TOKEN: &str = "/api/oauth/token";

pub struct Atlas {
    pub emulator: Emulator,
    pub client: Client,
}

impl Atlas {
    pub fn start() -> Self {
        let emulator = Emulator::start(EmulatorOptions { rate_limit: None, ..EmulatorOptions::default() }).unwrap();
        let client =
            client(&[("base_url", emulator.base_url()), ("client_id", emulator.client_id()), ("client_secret", emulator.client_secret())]);
        Self { emulator, client }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.emulator.base_url())
    }

    /// Makes the next `times` requests for `path` fail with `status`.
    pub fn fail(&self, path: &str, status: u16, times: u64) {
        self.emulator.set_faults(serde_json::json!([{ "path": path, "status": status, "times": times }])).unwrap();
    }

    /// Redirects all requests for `path`.
    pub fn redirect(&self, path: &str, target: &str) {
        self.emulator.set_faults(serde_json::json!([{ "path": path, "redirect": target }])).unwrap();
    }

    /// What a request for `path` had in its `Authorization` header.
    pub fn authorization(&self, path: &str) -> Option<Vec<String>> {
        self.received(path).headers.get("authorization").cloned()
    }

    /// Lets a token request take so long that no test waits for it.
    pub fn slow_tokens(&self) {
        self.emulator.set_faults(serde_json::json!([{ "path": TOKEN, "delay_ms": 500, "then_serve": true }])).unwrap();
    }

    pub fn refuse_tokens(&self) {
        self.fail(TOKEN, 400, 1000);
    }

    /// Revokes the current token at the server, without the client's knowledge.
    pub async fn revoke_at_the_server(&self) {
        let token = self.client.token_async(&Default::default()).await.unwrap();
        let body = format!("token={}", token.value());
        let revocation = http()
            .post(self.url("/api/oauth/revoke"))
            .basic_auth(self.emulator.client_id(), Some(self.emulator.client_secret()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        assert_eq!(revocation.send().await.unwrap().status(), 200);
    }

    /// The numbers of API requests and of issued tokens.
    pub fn counts(&self) -> (u64, u64) {
        let counters = self.emulator.counters();
        (counters.api_requests, counters.tokens_minted)
    }

    pub fn received(&self, path: &str) -> RecordedRequest {
        self.emulator.last_request(path).unwrap()
    }

    /// Whether the last request for `path` had the current token.
    pub async fn received_the_token(&self, path: &str) -> bool {
        let token = self.client.token_async(&Default::default()).await.unwrap();
        self.received(path).headers.get("authorization").is_some_and(|values| values == &[token.authorization()])
    }
}

pub fn client(settings: &[(&str, &str)]) -> Client {
    let mut config = Config::builder();
    for (name, value) in settings.iter().chain(&[("cache", "off"), ("environment", "off")]) {
        config.set(name, value.as_bytes()).unwrap();
    }
    Client::new(config.build().unwrap()).unwrap()
}

/// A client of reqwest, for the requests of tests.
pub fn http() -> reqwest::Client {
    builder().build().unwrap()
}

/// What describes a client of reqwest. The crate itself enables no feature of reqwest that would choose
/// a provider for TLS.
pub fn builder() -> reqwest::ClientBuilder {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| rustls::crypto::ring::default_provider().install_default().unwrap());
    reqwest::Client::builder().no_proxy()
}
