//! One host: a server that takes its time, a cache directory, and processes that want a token.

use serde_json::json;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokenwell::emulator::{Emulator, EmulatorOptions};

/// Longer than any wait here takes on a busy machine.
const WAIT_LIMIT: Duration = Duration::from_secs(120);

pub struct Host {
    emulator: Emulator,
    /// Another server than the emulator.
    base_url: Option<String>,
    cache: &'static str,
    directory: TempDir,
}

/// The time that a process has.
#[derive(Clone, Copy)]
pub enum Time {
    /// The deadline of its call, with the default timeout.
    Deadline(Duration),
    /// The timeout of its refresh, and the deadline of its call.
    Timeout(Duration),
}

impl Host {
    /// Creates a host whose server takes `delay` for each token.
    pub fn with_server_delay(delay: Duration) -> Self {
        let options = EmulatorOptions { rate_limit: None, token_cap: 1_000_000, ..EmulatorOptions::default() };
        let emulator = Emulator::start(options).unwrap();
        let delay_ms = u64::try_from(delay.as_millis()).unwrap();
        emulator.set_faults(json!([{"path": "/api/oauth/token", "times": 1_000_000, "delay_ms": delay_ms, "then_serve": true}])).unwrap();
        Self { emulator, base_url: None, cache: "on", directory: tempfile::tempdir().unwrap() }
    }

    /// Creates a host whose processes use the server at `base_url`.
    pub fn with_server(base_url: String) -> Self {
        Self { base_url: Some(base_url), ..Self::with_server_delay(Duration::ZERO) }
    }

    pub fn without_cache(self) -> Self {
        Self { cache: "off", ..self }
    }

    pub fn token_requests(&self) -> u64 {
        self.emulator.counters().token_requests
    }

    pub fn wait_for_request(&self) {
        let started = Instant::now();
        while self.token_requests() == 0 {
            assert!(started.elapsed() < WAIT_LIMIT, "the server received no token request");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub fn cache(&self) -> PathBuf {
        self.directory.path().join("cache")
    }

    /// Starts `count` processes, which do nothing until they are released.
    pub fn processes(&self, count: usize, time: Time) -> Vec<Process> {
        let processes: Vec<Process> = (0..count).map(|_| self.start(time)).collect();
        processes.iter().for_each(Process::wait_until_ready);
        processes
    }

    pub fn process(&self, time: Time) -> Process {
        let process = self.start(time);
        process.wait_until_ready();
        process
    }

    fn start(&self, time: Time) -> Process {
        let program = std::env::var_os("TOKENWELL_COMMAND").unwrap_or_else(|| env!("CARGO_BIN_EXE_tokenwell").into());
        let mut command = Command::new(program);
        command
            .args(["token", "--client-id", self.emulator.client_id(), "--client-secret-stdin"])
            .env_clear()
            .env("HOME", self.directory.path())
            .env("TOKENWELL_CACHE_DIR", self.cache())
            .env("TOKENWELL_CACHE", self.cache)
            .env("MONGODB_ATLAS_BASE_URL", self.base_url.as_deref().unwrap_or(self.emulator.base_url()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        match time {
            Time::Deadline(time) => command.args(["--timeout", &format!("{}ms", time.as_millis())]),
            Time::Timeout(time) => command.env("TOKENWELL_TIMEOUT_MS", time.as_millis().to_string()),
        };
        Process { child: command.spawn().unwrap(), secret: self.emulator.client_secret().to_owned() }
    }
}

pub struct Process {
    pub child: Child,
    secret: String,
}

impl Process {
    /// Waits until the process reads its secret, so that its start is not part of its time. Where the
    /// system does not tell what a process waits for, it gets a moment.
    fn wait_until_ready(&self) {
        let place = format!("/proc/{}/wchan", self.child.id());
        for _ in 0..2_000 {
            match std::fs::read_to_string(&place) {
                Ok(place) if place.contains("pipe_read") => return,
                Ok(_) => std::thread::sleep(Duration::from_millis(5)),
                Err(_) => return std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }

    /// Lets the process begin: it has waited for its secret.
    pub fn release(&mut self) {
        self.child.stdin.take().unwrap().write_all(self.secret.as_bytes()).unwrap();
    }

    pub fn output(self) -> Output {
        self.child.wait_with_output().unwrap()
    }
}

pub fn release(processes: &mut [Process]) {
    processes.iter_mut().for_each(Process::release);
}

/// Waits for the processes. Returns the messages of those that failed.
pub fn failures(processes: Vec<Process>) -> Vec<String> {
    let outputs = processes.into_iter().map(Process::output);
    outputs.filter(|output| !output.status.success()).map(|output| String::from_utf8_lossy(&output.stderr).into_owned()).collect()
}
