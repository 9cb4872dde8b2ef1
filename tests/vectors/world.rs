//! The servers of the cases: the emulator, a second server that no client may connect to, and a proxy that
//! opens no connection.

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokenwell::emulator::{Counters, Emulator, EmulatorOptions, RecordedRequest};

/// The length of `{long}`, which must exceed every plausible fixed-size buffer.
const LONG: usize = 50_000;

pub struct World {
    emulator: Emulator,
    elsewhere: String,
    connections_elsewhere: Arc<AtomicU64>,
    refusing_proxy: String,
}

/// Answers one request as a proxy that opens no connection, and repeats its log-in.
fn refuse(connection: TcpStream) -> std::io::Result<()> {
    let mut login = String::new();
    for line in BufReader::new(&connection).lines() {
        let line = line?;
        if let Some(value) = line.strip_prefix("Proxy-Authorization: Basic ") {
            login = format!(" {value}");
        }
        if line.is_empty() {
            break;
        }
    }
    let body = format!("blocked by policy{login}");
    let head = format!("HTTP/1.1 403 Filtered\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n", body.len());
    (&connection).write_all((head + &body).as_bytes())
}

impl World {
    pub fn start() -> Result<Self, String> {
        let emulator = Emulator::start(EmulatorOptions::default()).map_err(|e| format!("cannot start the emulator: {e}"))?;
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
        let elsewhere = format!("http://{}", listener.local_addr().map_err(|e| e.to_string())?);
        let connections_elsewhere = Arc::new(AtomicU64::new(0));
        let heard = Arc::clone(&connections_elsewhere);
        std::thread::spawn(move || {
            // Only count and close: a connection to this server is already a failure.
            for connection in listener.incoming() {
                heard.fetch_add(1, Ordering::SeqCst);
                drop(connection);
            }
        });
        let proxy = TcpListener::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
        let refusing_proxy = proxy.local_addr().map_err(|e| e.to_string())?.to_string();
        std::thread::spawn(move || {
            for connection in proxy.incoming().flatten() {
                // A client that closes its connection fails its case.
                std::thread::spawn(move || refuse(connection));
            }
        });
        Ok(Self { emulator, elsewhere, connections_elsewhere, refusing_proxy })
    }

    /// Restores the initial state and stops the emulator's clock. Returns its time.
    pub fn reset(&self) -> u64 {
        self.connections_elsewhere.store(0, Ordering::SeqCst);
        self.emulator.reset();
        let now_ms = self.emulator.now_ms();
        self.emulator.set_clock(now_ms);
        now_ms
    }

    pub fn set_faults(&self, faults: &Value) -> Result<(), String> {
        self.emulator.set_faults(self.fill_all(faults)).map_err(|e| e.to_string())
    }

    pub fn set_settings(&self, settings: &Value) -> Result<(), String> {
        self.emulator.set_settings(self.fill_all(settings)).map_err(|e| e.to_string())
    }

    pub fn advance(&self, ms: u64) {
        self.emulator.advance_clock(ms);
    }

    pub fn counters(&self) -> Counters {
        self.emulator.counters()
    }

    pub fn last_request(&self, path: &str) -> Option<RecordedRequest> {
        self.emulator.last_request(path)
    }

    /// Returns the number of connections to the second server.
    pub fn connections_elsewhere(&self) -> u64 {
        self.connections_elsewhere.load(Ordering::SeqCst)
    }

    /// Replaces the placeholders in a string.
    pub fn fill(&self, template: &str) -> String {
        let base = self.emulator.base_url().trim_end_matches('/');
        let authority = base.rsplit('/').next().unwrap_or_default();
        template
            .replace("{base}", base)
            .replace("{authority}", authority)
            .replace("{port}", authority.rsplit(':').next().unwrap_or_default())
            .replace("{elsewhere}", &self.elsewhere)
            .replace("{refusing_proxy}", &self.refusing_proxy)
            .replace("{client_id}", self.emulator.client_id())
            .replace("{client_secret}", self.emulator.client_secret())
            .replace("{long}", &"a".repeat(if template.contains("{long}") { LONG } else { 0 }))
    }

    fn fill_all(&self, value: &Value) -> Value {
        match value {
            Value::String(template) => Value::String(self.fill(template)),
            Value::Array(items) => items.iter().map(|item| self.fill_all(item)).collect(),
            Value::Object(members) => members.iter().map(|(name, member)| (name.clone(), self.fill_all(member))).collect(),
            other => other.clone(),
        }
    }
}
