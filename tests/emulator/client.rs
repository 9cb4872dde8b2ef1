//! A client that sends exactly what it is told and shows exactly what came back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use tokenwell::emulator::{Emulator, EmulatorOptions};

/// Longer than any test takes: it only ends what hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub const VERSION: &str = "application/vnd.atlas.2024-08-05+json";
pub const FORM: &str = "application/x-www-form-urlencoded";

/// An emulator without a request limit, unless that is what a test is about.
pub fn emulator() -> Emulator {
    Emulator::start(EmulatorOptions { rate_limit: None, ..EmulatorOptions::default() }).unwrap()
}

pub fn address(emulator: &Emulator) -> SocketAddr {
    emulator.base_url().split("//").nth(1).unwrap().parse().unwrap()
}

pub fn connect(emulator: &Emulator) -> TcpStream {
    let socket = TcpStream::connect(address(emulator)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
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

    /// Splits a whole reply; what follows the header is the body.
    pub fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no reply in {text:?}"));
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.map(|line| line.split_once(": ").unwrap()).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { status, headers, body: body.to_owned() }
    }
}

/// Sends one request on a connection of its own.
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

/// `Basic` with the raw pair.
pub fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// A token request as Atlas wants it, with the account that is there from the start.
pub fn ask(emulator: &Emulator) -> Reply {
    ask_as(emulator, emulator.client_id(), emulator.client_secret())
}

pub fn ask_as(emulator: &Emulator, id: &str, secret: &str) -> Reply {
    post_token(emulator, &[("Authorization", &basic(id, secret)), ("Content-Type", FORM)], "grant_type=client_credentials")
}

pub fn post_token(emulator: &Emulator, headers: &[(&str, &str)], body: &str) -> Reply {
    send(emulator, "POST", "/api/oauth/token", headers, body)
}

pub fn token(emulator: &Emulator) -> String {
    token_as(emulator, emulator.client_id(), emulator.client_secret())
}

pub fn token_as(emulator: &Emulator, id: &str, secret: &str) -> String {
    let reply = ask_as(emulator, id, secret);
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["access_token"].as_str().unwrap().to_owned()
}

pub fn revoke(emulator: &Emulator, token: &str) -> Reply {
    let authorization = basic(emulator.client_id(), emulator.client_secret());
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", FORM)];
    send(emulator, "POST", "/api/oauth/revoke", &headers, &format!("token={token}&token_type_hint=access_token"))
}

/// A request to the Admin API, below `/api/atlas/v2`.
pub fn api(emulator: &Emulator, token: &str, method: &str, path: &str, body: Option<Value>) -> Reply {
    let authorization = format!("Bearer {token}");
    let headers = [("Authorization", authorization.as_str()), ("Accept", VERSION), ("Content-Type", VERSION)];
    send(emulator, method, &format!("/api/atlas/v2{path}"), &headers, &body.map(|body| body.to_string()).unwrap_or_default())
}

/// A request to the control API.
pub fn control(emulator: &Emulator, method: &str, path: &str, body: &str) -> Reply {
    send(emulator, method, &format!("/_emulator{path}"), &[], body)
}
