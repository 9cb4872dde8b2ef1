//! A shim as a process: lines in, lines out, and a watchdog.

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
    /// The name in the closing line.
    pub name: String,
    pub words: Vec<String>,
    /// How long one answer may take.
    pub patience: Duration,
}

pub struct Shim {
    child: Child,
    requests: Option<Sender<String>>,
    answers: Receiver<String>,
    complaints: Arc<Mutex<Vec<u8>>>,
    patience: Duration,
}

impl ShimCommand {
    /// Starts the shim. Of this process's environment it sees nothing that could configure a client except `environment`;
    /// `folder` stands in for the user's configuration and cache directories.
    pub fn start(&self, environment: &BTreeMap<String, String>, folder: &Path) -> Result<Shim, String> {
        let (program, arguments) = self.words.split_first().ok_or_else(|| format!("{}: no command", self.name))?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(configures_a_client) {
                command.env_remove(&name);
            }
        }
        command
            .env("XDG_CONFIG_HOME", folder.join("config"))
            .env("XDG_CACHE_HOME", folder.join("cache")) // What one case leaves in a shared cache would be another's token.
            .env("TOKENWELL_CACHE", "off")
            .envs(environment);
        let child = command.spawn().map_err(|e| format!("{}: cannot start {program}: {e}", self.name))?;
        Ok(Shim::over(child, self.patience))
    }
}

impl Shim {
    /// Sends one request and waits for its answer. After an `Err` the shim is of no more use.
    pub fn ask(&mut self, request: &str) -> Result<String, String> {
        self.send(request);
        self.answer()
    }

    /// Sends one request; its answer comes after those of the requests before it.
    pub fn send(&mut self, request: &str) {
        // One that is gone is told by its missing answer.
        let _ = self.requests.as_ref().map(|requests| requests.send(request.to_owned()));
    }

    /// Waits for the next answer.
    pub fn answer(&mut self) -> Result<String, String> {
        match self.answers.recv_timeout(self.patience) {
            Ok(answer) => Ok(answer),
            Err(RecvTimeoutError::Timeout) => Err(format!("no answer within {} s", self.patience.as_secs_f64())),
            Err(RecvTimeoutError::Disconnected) => {
                let end = self.wait(Duration::from_secs(5));
                let end = end.map_or_else(|| format!("process {} still runs", self.id()), |status| status.to_string());
                Err(format!("the shim closed its output ({end})"))
            }
        }
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks the shim to end and says what was wrong with how it did.
    pub fn quit(mut self) -> Result<(), String> {
        let answer = self.ask("quit")?;
        if answer != "ok" {
            return Err(format!("`quit` was answered by {answer:?}"));
        }
        self.requests = None;
        match self.wait(self.patience) {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(format!("after `quit` it ended with {status}")),
            None => Err("it did not end after `quit`".to_owned()),
        }
    }

    /// The end of what it wrote to standard error.
    pub fn complaints(&mut self) -> String {
        const SHOWN: usize = 4000;

        // The text is complete only once the process is gone.
        self.requests = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
        let heard = self.complaints.lock().unwrap();
        String::from_utf8_lossy(&heard[heard.len().saturating_sub(SHOWN)..]).into_owned()
    }

    fn over(mut child: Child, patience: Duration) -> Self {
        let mut stdin = child.stdin.take().expect("piped");
        let stdout = child.stdout.take().expect("piped");
        let mut stderr = child.stderr.take().expect("piped");
        let (requests, to_send) = channel::<String>();
        let (received, answers) = channel();
        let complaints = Arc::new(Mutex::new(Vec::new()));

        // Threads of their own: a shim that neither reads nor answers must not hold up the runner.
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
        let heard = Arc::clone(&complaints);
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = stderr.read(&mut piece) {
                heard.lock().unwrap().extend_from_slice(&piece[..length]);
            }
        });
        Self { child, requests: Some(requests), answers, complaints, patience }
    }

    fn wait(&mut self, patience: Duration) -> Option<std::process::ExitStatus> {
        let end = Instant::now() + patience;
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
