//! A client that sends exactly the given bytes and returns exactly the received ones.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use tokenwell::emulator::{Emulator, EmulatorOptions};

/// The time limit of a test, longer than any test takes. It only stops a test that hangs.
pub const TIMEOUT: Duration = Duration::from_secs(60);

pub const VERSION: &str = "application/vnd.atlas.2024-08-05+json";
pub const FORM: &str = "application/x-www-form-urlencoded";

/// Starts an emulator without a limit on token requests.
pub fn emulator() -> Emulator {
    Emulator::start(EmulatorOptions { rate_limit: None, ..EmulatorOptions::default() }).unwrap()
}

pub fn address(emulator: &Emulator) -> SocketAddr {
    emulator.address()
}

pub fn connect(emulator: &Emulator) -> TcpStream {
    let socket = TcpStream::connect(address(emulator)).unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    socket.set_write_timeout(Some(TIMEOUT)).unwrap();
    socket
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Parses a complete reply. Everything after the header is the body.
    pub fn parse(bytes: &[u8]) -> Self {
        let reply = String::from_utf8_lossy(bytes);
        let (head, body) = reply.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no reply in {reply:?}"));
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.map(|line| line.split_once(": ").unwrap()).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { status, headers, body: body.to_owned() }
    }
}

/// Sends one request on a new connection.
pub fn send(emulator: &Emulator, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut bytes = Vec::new();
    let mut socket = connect(emulator);
    socket.write_all(&request(method, path, headers, body)).unwrap();
    socket.read_to_end(&mut bytes).unwrap();
    Reply::parse(&bytes)
}

pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
        .into_bytes()
}

/// Basic authentication with the raw client id and secret.
pub fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// Sends a valid token request for the default account.
pub fn request_token(emulator: &Emulator) -> Reply {
    request_token_as(emulator, emulator.client_id(), emulator.client_secret())
}

pub fn request_token_as(emulator: &Emulator, id: &str, secret: &str) -> Reply {
    post_token(emulator, &[("Authorization", &basic(id, secret)), ("Content-Type", FORM)], "grant_type=client_credentials")
}

pub fn post_token(emulator: &Emulator, headers: &[(&str, &str)], body: &str) -> Reply {
    send(emulator, "POST", "/api/oauth/token", headers, body)
}

pub fn token(emulator: &Emulator) -> String {
    token_as(emulator, emulator.client_id(), emulator.client_secret())
}

pub fn token_as(emulator: &Emulator, id: &str, secret: &str) -> String {
    let reply = request_token_as(emulator, id, secret);
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["access_token"].as_str().unwrap().to_owned()
}

/// The claims of a token, which is a JWT.
pub fn claims(token: &str) -> Value {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&claims).unwrap()
}

pub fn revoke(emulator: &Emulator, token: &str) -> Reply {
    let authorization = basic(emulator.client_id(), emulator.client_secret());
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", FORM)];
    send(emulator, "POST", "/api/oauth/revoke", &headers, &format!("token={token}&token_type_hint=access_token"))
}

/// Sends a request to the Admin API, below `/api/atlas/v2`.
pub fn api(emulator: &Emulator, token: &str, method: &str, path: &str, body: Option<Value>) -> Reply {
    let authorization = format!("Bearer {token}");
    let headers = [("Authorization", authorization.as_str()), ("Accept", VERSION), ("Content-Type", VERSION)];
    send(emulator, method, &format!("/api/atlas/v2{path}"), &headers, &body.map(|body| body.to_string()).unwrap_or_default())
}

/// Sends a request to the control API.
pub fn control(emulator: &Emulator, method: &str, path: &str, body: &str) -> Reply {
    send(emulator, method, &format!("/_emulator{path}"), &[("Content-Type", "application/json")], body)
}
