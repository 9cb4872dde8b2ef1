//! Tests of the grant with servers that respond correctly, incorrectly or not at all.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod attempts;
mod discretion;
mod environment;
mod proxy;
mod replies;
mod requests;
mod revocation;
mod trust;

use super::test_server::{Authority, Duplex, TestServer, authority, body, header};
use super::*;
use crate::clock::{Clock, ManualClock};
use crate::config::{Authorities, ClientAuthentication, Config, CredentialSource, Endpoint, Provenance, ProxySettings};
use crate::error::Status;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Instant;

const ID: &str = "mdb_sa_id_0123456789abcdef01234567";
const SECRET: &str = "mdb_sa_sk_canary-secret_0123456789";
const TOKEN: &str = "canary.token-0123456789_~+/=";

/// Long enough for a loaded machine, short enough to notice a test that uses it up.
pub(super) const ENOUGH: Duration = Duration::from_secs(60);
/// The budget of a request that must fail.
const SHORT: Duration = Duration::from_millis(300);

pub(super) fn credential() -> Credential {
    Credential { client_id: ID.to_owned(), client_secret: Secret::from(SECRET), origin: String::new() }
}

pub(super) fn config(token_url: &str) -> Config {
    Config {
        credentials: CredentialSource::Fixed(credential()),
        token_endpoint: Endpoint::for_tests(token_url),
        revocation_endpoint: None,
        api_base: None,
        authentication: ClientAuthentication::BasicRaw,
        scope: None,
        audience: None,
        resource: None,
        timeout: ENOUGH,
        authorities: Authorities::System,
        proxy: ProxySettings::default(),
        cache: false,
        cache_dir: None,
        user_cache_dir: Err("no test shares tokens"),
        cache_unsafe: false,
        provenance: Vec::new(),
        manual_clock_ms: None,
    }
}

/// A grant with a clock whose sleep returns immediately.
pub(super) fn grant(config: &Config) -> HttpGrant {
    HttpGrant::new(config, Arc::new(ManualClock::new(1_700_000_000_000))).unwrap()
}

fn mint(token_url: &str) -> Result<Minted, Error> {
    grant(&config(token_url)).mint(&credential(), ENOUGH)
}

fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> String {
    let mut head = format!("HTTP/1.1 {status} Whatever\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head + "\r\n" + body
}

fn json(status: u16, body: &str) -> String {
    reply(status, &[("Content-Type", "application/json")], body)
}

pub(super) fn token_reply() -> String {
    json(200, &format!(r#"{{"access_token":"{TOKEN}","expires_in":3600,"token_type":"Bearer"}}"#))
}

fn ca_file(authority: &Authority) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    (directory, file)
}

fn mint_over_tls(signer: &Authority, trusted: &Authority, name: &str, until: i32) -> Result<Minted, Error> {
    let server = TestServer::over_tls(signer.server(name, until), token_reply());
    let (_directory, file) = ca_file(trusted);
    let mut config = config(&format!("https://localhost:{}/token", server.port()));
    config.authorities = Authorities::File(file);
    config.provenance.push(Provenance { setting: "token_url", source: "environment variable TOKENWELL_TOKEN_URL".to_owned() });
    grant(&config).mint(&credential(), ENOUGH)
}

const CHILD: &str = "TOKENWELL_TEST_CHILD";

/// Runs the test `name` of these files again in a separate process, with the variable `CHILD` set.
fn in_child_process(name: &str) -> Command {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", &format!("grant::tests::{name}")]).env(CHILD, "1");
    child
}

fn assert_passes(child: &mut Command) {
    let result = child.output().unwrap();

    let output = String::from_utf8_lossy(&result.stdout);
    assert!(result.status.success() && output.contains("1 passed"), "{output}");
}
