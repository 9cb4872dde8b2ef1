//! A shim process: requests to its standard input, answers from its standard output, and timeouts.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How to start a shim.
#[derive(Clone, Debug)]
pub struct ShimCommand {
    /// The name in the summary line.
    pub name: String,
    pub words: Vec<String>,
    /// The time limit for one answer.
    pub timeout: Duration,
}

pub struct Shim {
    child: Child,
    requests: Option<Sender<String>>,
    answers: Receiver<String>,
    stderr_bytes: Arc<Mutex<Vec<u8>>>,
    timeout: Duration,
}

impl ShimCommand {
    /// Starts the shim with `environment`. It inherits no other variable that can configure a
    /// client. Subdirectories of `directory` replace the user's configuration and cache
    /// directories.
    pub fn start(&self, environment: &BTreeMap<String, String>, directory: &Path) -> Result<Shim, String> {
        let (program, arguments) = self.words.split_first().ok_or_else(|| format!("{}: no command", self.name))?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(configures_a_client) {
                command.env_remove(&name);
            }
        }
        command
            .env("XDG_CONFIG_HOME", directory.join("config"))
            .env("XDG_CACHE_HOME", directory.join("cache"))
            // Otherwise a case would get a token that another case left in the shared cache.
            .env("TOKENWELL_CACHE", "off")
            .envs(environment);
        let child = command.spawn().map_err(|e| format!("{}: cannot start {program}: {e}", self.name))?;
        Ok(Shim::new(child, self.timeout))
    }
}

impl Shim {
    /// Sends one request and waits for its answer. After an `Err` the shim must not be used again.
    pub fn ask(&mut self, request: &str) -> Result<String, String> {
        self.send(request);
        self.answer()
    }

    /// Sends one request without waiting. Answers arrive in the order of the requests.
    pub fn send(&mut self, request: &str) {
        // If the shim has exited, `answer` reports it.
        let _ = self.requests.as_ref().map(|requests| requests.send(request.to_owned()));
    }

    /// Waits for the next answer.
    pub fn answer(&mut self) -> Result<String, String> {
        match self.answers.recv_timeout(self.timeout) {
            Ok(answer) => Ok(answer),
            Err(RecvTimeoutError::Timeout) => Err(format!("no answer within {} s", self.timeout.as_secs_f64())),
            Err(RecvTimeoutError::Disconnected) => {
                let status = self.wait(Duration::from_secs(5));
                let status = status.map_or_else(|| format!("process {} is still running", self.id()), |status| status.to_string());
                Err(format!("the shim closed its output ({status})"))
            }
        }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Stops the shim with `quit`. Returns an error unless it exits with code 0.
    pub fn quit(mut self) -> Result<(), String> {
        let answer = self.ask("quit")?;
        if answer != "ok" {
            return Err(format!("`quit` was answered by {answer:?}"));
        }
        self.requests = None;
        match self.wait(self.timeout) {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(format!("after `quit` it exited with {status}")),
            None => Err("it did not exit after `quit`".to_owned()),
        }
    }

    /// Kills the shim and returns the last part of its standard error.
    pub fn kill_and_read_stderr(&mut self) -> String {
        const SHOWN: usize = 4000;

        // The output is complete only after the process has exited.
        self.requests = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
        let collected = self.stderr_bytes.lock().unwrap();
        String::from_utf8_lossy(&collected[collected.len().saturating_sub(SHOWN)..]).into_owned()
    }

    fn new(mut child: Child, timeout: Duration) -> Self {
        let mut stdin = child.stdin.take().expect("piped");
        let stdout = child.stdout.take().expect("piped");
        let mut stderr = child.stderr.take().expect("piped");
        let (requests, to_send) = channel::<String>();
        let (received, answers) = channel();
        let stderr_bytes = Arc::new(Mutex::new(Vec::new()));

        // Separate threads: a shim that neither reads nor answers must not block the runner.
        std::thread::spawn(move || {
            for line in to_send {
                if stdin.write_all(line.as_bytes()).and_then(|()| stdin.write_all(b"\n")).and_then(|()| stdin.flush()).is_err() {
                    break;
                }
            }
        });
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).split(b'\n') {
                let Ok(line) = line else { break };
                if received.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    break;
                }
            }
        });
        let collected = Arc::clone(&stderr_bytes);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = stderr.read(&mut buffer) {
                collected.lock().unwrap().extend_from_slice(&buffer[..length]);
            }
        });
        Self { child, requests: Some(requests), answers, stderr_bytes, timeout }
    }

    fn wait(&mut self, timeout: Duration) -> Option<std::process::ExitStatus> {
        let end = Instant::now() + timeout;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(2)),
                _ => return None,
            }
        }
    }
}

impl Drop for Shim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configures_a_client(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let ours = ["TOKENWELL_", "MONGODB_ATLAS_", "MCLI_"].iter().any(|prefix| name.starts_with(prefix));
    let to_find_the_library = matches!(name.as_str(), "TOKENWELL_LIBRARY" | "TOKENWELL_BIN");
    (ours && !to_find_the_library)
        || matches!(
            name.as_str(),
            "HTTP_PROXY" | "HTTPS_PROXY" | "ALL_PROXY" | "NO_PROXY" | "SSL_CERT_FILE" | "SSL_CERT_DIR" | "REQUEST_METHOD"
        )
}
