//! The emulator as a process, for tests of reported faults: `make rows` runs them with the command
//! of another build.

use crate::client::{Reply, TIMEOUT, request};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use tokenwell::emulator::DEFAULT_CLIENT_SECRET;

/// A running `tokenwell emulator` without a limit on token requests.
pub struct Process {
    child: Child,
    address: String,
    /// The client id of the default account.
    pub id: String,
}

impl Process {
    pub fn start() -> Self {
        Self::with(&["--no-rate-limit"])
    }

    pub fn with(flags: &[&str]) -> Self {
        let mut command = Command::new(crate::command::command_path());
        command.args(["emulator", "--until-stdin-closes"]).args(flags);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut printed = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        // Some builds print all assignments on one line.
        let mut value = |prefix: &str| loop {
            if let Some(value) = line.split_whitespace().find_map(|word| word.strip_prefix(prefix)) {
                return value.trim_matches(['\'', '"']).to_owned();
            }
            line.clear();
            assert!(printed.read_line(&mut line).unwrap() > 0, "the emulator has exited");
        };
        let (address, id) = (value("MONGODB_ATLAS_BASE_URL=http://"), value("MONGODB_ATLAS_CLIENT_ID="));
        Self { child, address, id }
    }
    pub fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(&self.address).unwrap();
        socket.set_read_timeout(Some(TIMEOUT)).unwrap();
        socket
    }

    /// The path of the default account.
    pub fn own_path(&self) -> String {
        format!("{}/{}", crate::admin::ACCOUNTS, self.id)
    }

    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        Reply::parse(self.received(method, path, headers, body).as_bytes())
    }

    /// Everything that is received until the connection ends.
    pub fn received(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
        let mut socket = self.connect();
        socket.write_all(&request(method, path, headers, body)).unwrap();
        let mut bytes = Vec::new();
        socket.read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// Sends a request to the control API.
    pub fn control(&self, method: &str, path: &str, body: &str) -> Reply {
        self.send(method, &format!("/_emulator{path}"), &[("Content-Type", "application/json")], body)
    }

    /// A token of the default account.
    pub fn token(&self) -> String {
        let authorization = crate::client::basic(&self.id, DEFAULT_CLIENT_SECRET);
        let headers = [("Authorization", authorization.as_str()), ("Content-Type", crate::client::FORM)];
        let reply = self.send("POST", "/api/oauth/token", &headers, "grant_type=client_credentials");
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// Sends a request to the Admin API, below `/api/atlas/v2`.
    pub fn api(&self, token: &str, method: &str, path: &str, body: &str) -> Reply {
        let authorization = format!("Bearer {token}");
        let version = crate::client::VERSION;
        let headers = [("Authorization", authorization.as_str()), ("Accept", version), ("Content-Type", version)];
        self.send(method, &format!("/api/atlas/v2{path}"), &headers, body)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        crate::command::end(&mut self.child);
    }
}
