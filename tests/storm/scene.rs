//! What the processes meet: a server, a token cache that nobody has used, and the command.

use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokenwell::emulator::{Emulator, EmulatorOptions};

pub const TOKEN_PATH: &str = "/api/oauth/token";

/// So long that no machine is too slow for one request of all to do. Tests of deadlines set their own.
const TIMEOUT_MS: u64 = 120_000;

/// Far more than anything here takes on a busy machine.
const LONG_ENOUGH: Duration = Duration::from_secs(120);

pub struct Scene {
    pub emulator: Emulator,
    folder: TempDir,
}

impl Scene {
    pub fn new() -> Self {
        let options = EmulatorOptions { rate_limit: None, token_cap: 1_000_000, ..EmulatorOptions::default() };
        Self { emulator: Emulator::start(options).unwrap(), folder: tempfile::tempdir().unwrap() }
    }

    /// Lets the server answer its next token request, and only that one, so much later.
    pub fn delay_one_request(&self, delay: Duration) {
        let delay_ms = u64::try_from(delay.as_millis()).unwrap();
        self.emulator.set_faults(json!([{"path": TOKEN_PATH, "times": 1, "delay_ms": delay_ms, "then_serve": true}])).unwrap();
    }

    /// Lets the server's clock stand still; returns what it reads.
    pub fn stop_the_clock(&self) -> u64 {
        let now_ms = self.emulator.now_ms();
        self.emulator.set_clock(now_ms);
        now_ms
    }

    /// How many token requests have come.
    pub fn token_requests(&self) -> u64 {
        self.emulator.counters().token_requests
    }

    /// Returns once so many token requests have come in all.
    pub fn wait_for_requests(&self, count: u64) {
        let begun = Instant::now();
        while self.token_requests() < count {
            assert!(begun.elapsed() < LONG_ENOUGH, "waited in vain for {count} token requests");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub fn cache(&self) -> PathBuf {
        self.path("cache")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The settings of a client of this server's account, over this scene's cache.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = self.account();
        settings.push(("cache_dir", text(&self.cache()).to_owned()));
        settings
    }

    /// The settings of a client of this server's account, which say nothing of a cache.
    pub fn account(&self) -> Vec<(&'static str, String)> {
        vec![
            ("base_url", self.emulator.base_url().to_owned()),
            ("client_id", self.emulator.client_id().to_owned()),
            ("client_secret", self.emulator.client_secret().to_owned()),
            ("timeout_ms", TIMEOUT_MS.to_string()),
        ]
    }

    /// The command with this scene's account and cache, and with nothing of the environment that the tests run in.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tokenwell"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.folder.path())
            .env("TOKENWELL_CACHE_DIR", self.cache())
            .env("MONGODB_ATLAS_BASE_URL", self.emulator.base_url())
            .env("MONGODB_ATLAS_CLIENT_ID", self.emulator.client_id())
            .env("MONGODB_ATLAS_CLIENT_SECRET", self.emulator.client_secret())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// `tokenwell token` over `cache`, so many times: each has started and waits for its secret. They are as patient as [`Scene::account`] is.
    pub fn waiting_commands(&self, count: usize, cache: &Path, arguments: &[&str]) -> Vec<WaitingCommand> {
        (0..count).map(|_| self.waiting_command(cache, arguments, TIMEOUT_MS)).collect()
    }

    /// One such, with another patience.
    pub fn waiting_command(&self, cache: &Path, arguments: &[&str], timeout_ms: u64) -> WaitingCommand {
        let mut command = self.command(&["token", "--client-id", self.emulator.client_id(), "--client-secret-stdin"]);
        command.args(arguments).env_remove("MONGODB_ATLAS_CLIENT_SECRET").stdin(Stdio::piped());
        command.env("TOKENWELL_CACHE_DIR", cache).env("TOKENWELL_TIMEOUT_MS", timeout_ms.to_string());
        WaitingCommand { child: command.spawn().unwrap(), secret: self.emulator.client_secret().to_owned() }
    }
}

/// A command that has started and waits for its secret before it does anything else.
pub struct WaitingCommand {
    child: Child,
    secret: String,
}

impl WaitingCommand {
    pub fn release(&mut self) {
        self.child.stdin.take().unwrap().write_all(self.secret.as_bytes()).unwrap();
    }

    /// The token that it printed.
    pub fn token(self) -> String {
        token_of(&self.output())
    }

    pub fn output(self) -> Output {
        self.child.wait_with_output().unwrap()
    }
}

/// The token that a command printed, which ended well.
pub fn token_of(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the command ended with {}: {said}", output.status);
    let token = std::str::from_utf8(&output.stdout).unwrap().trim_end();
    assert!(token.starts_with("eyJ") && token.len() > 100, "this is no token of the emulator's: {token:?}");
    token.to_owned()
}

/// The names of the files in a token cache, by their ends.
pub fn files_of(cache: &Path) -> Vec<String> {
    let name = |path: PathBuf| path.extension().unwrap().to_str().unwrap().to_owned();
    let mut names: Vec<_> = std::fs::read_dir(cache).unwrap().map(|entry| name(entry.unwrap().path())).collect();
    names.sort();
    names
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
