//! The environment of the processes: a server, an unused token cache, and the command.

use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokenwell::emulator::{Emulator, EmulatorOptions};

pub const TOKEN_PATH: &str = "/api/oauth/token";

/// Long enough for one token request of all processes on a slow machine. Tests of deadlines set
/// their own timeout.
const TIMEOUT_MS: u64 = 120_000;

/// Longer than any wait in these tests takes on a busy machine.
const WAIT_LIMIT: Duration = Duration::from_secs(120);

pub struct Scene {
    pub emulator: Emulator,
    directory: TempDir,
}

impl Scene {
    pub fn new() -> Self {
        let options = EmulatorOptions { rate_limit: None, token_cap: 1_000_000, ..EmulatorOptions::default() };
        Self { emulator: Emulator::start(options).unwrap(), directory: tempfile::tempdir().unwrap() }
    }

    /// Delays the server's answer to the next token request.
    pub fn delay_one_request(&self, delay: Duration) {
        let delay_ms = u64::try_from(delay.as_millis()).unwrap();
        self.emulator.set_faults(json!([{"path": TOKEN_PATH, "times": 1, "delay_ms": delay_ms, "then_serve": true}])).unwrap();
    }

    /// Stops the server's clock and returns its time.
    pub fn stop_the_clock(&self) -> u64 {
        let now_ms = self.emulator.now_ms();
        self.emulator.set_clock(now_ms);
        now_ms
    }

    /// The number of token requests so far.
    pub fn token_requests(&self) -> u64 {
        self.emulator.counters().token_requests
    }

    /// Waits until the server has received `count` token requests in total.
    pub fn wait_for_requests(&self, count: u64) {
        let start = Instant::now();
        while self.token_requests() < count {
            assert!(start.elapsed() < WAIT_LIMIT, "the server did not receive {count} token requests");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub fn cache(&self) -> PathBuf {
        self.path("cache")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The settings of a client with this server's account and this scene's cache.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = self.account();
        settings.push(("cache_dir", path_str(&self.cache()).to_owned()));
        settings
    }

    /// The settings of a client with this server's account, without cache settings.
    pub fn account(&self) -> Vec<(&'static str, String)> {
        vec![
            ("base_url", self.emulator.base_url().to_owned()),
            ("client_id", self.emulator.client_id().to_owned()),
            ("client_secret", self.emulator.client_secret().to_owned()),
            ("timeout_ms", TIMEOUT_MS.to_string()),
        ]
    }

    /// The command with this scene's account and cache, without the environment of the tests.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tokenwell"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.directory.path())
            .env("TOKENWELL_CACHE_DIR", self.cache())
            .env("MONGODB_ATLAS_BASE_URL", self.emulator.base_url())
            .env("MONGODB_ATLAS_CLIENT_ID", self.emulator.client_id())
            .env("MONGODB_ATLAS_CLIENT_SECRET", self.emulator.client_secret())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts `tokenwell token` with `cache` `count` times, with the timeout of [`Scene::account`].
    /// Each command waits for its secret on standard input.
    pub fn waiting_commands(&self, count: usize, cache: &Path, arguments: &[&str]) -> Vec<WaitingCommand> {
        (0..count).map(|_| self.waiting_command(cache, arguments, TIMEOUT_MS)).collect()
    }

    /// Starts one such command with another timeout.
    pub fn waiting_command(&self, cache: &Path, arguments: &[&str], timeout_ms: u64) -> WaitingCommand {
        let mut command = self.command(&["token", "--client-id", self.emulator.client_id(), "--client-secret-stdin"]);
        command.args(arguments).env_remove("MONGODB_ATLAS_CLIENT_SECRET").stdin(Stdio::piped());
        command.env("TOKENWELL_CACHE_DIR", cache).env("TOKENWELL_TIMEOUT_MS", timeout_ms.to_string());
        WaitingCommand { child: command.spawn().unwrap(), secret: self.emulator.client_secret().to_owned() }
    }
}

/// A started command that waits for its secret before it does anything else.
pub struct WaitingCommand {
    child: Child,
    secret: String,
}

impl WaitingCommand {
    pub fn release(&mut self) {
        self.child.stdin.take().unwrap().write_all(self.secret.as_bytes()).unwrap();
    }

    /// Waits for the command and returns the token that it printed.
    pub fn token(self) -> String {
        token_of(&self.output())
    }

    pub fn output(self) -> Output {
        self.child.wait_with_output().unwrap()
    }
}

/// Returns the token that a successful command printed.
pub fn token_of(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the command exited with {}: {stderr}", output.status);
    let token = std::str::from_utf8(&output.stdout).unwrap().trim_end();
    assert!(token.starts_with("eyJ") && token.len() > 100, "this is not a token of the emulator: {token:?}");
    token.to_owned()
}

/// Returns the sorted extensions of the files in a token cache. The stamp of its cleanup has none.
pub fn files_of(cache: &Path) -> Vec<String> {
    let name = |path: PathBuf| Some(path.extension()?.to_str().unwrap().to_owned());
    let mut names: Vec<_> = std::fs::read_dir(cache).unwrap().filter_map(|entry| name(entry.unwrap().path())).collect();
    names.sort();
    names
}

pub fn path_str(path: &Path) -> &str {
    path.to_str().unwrap()
}
