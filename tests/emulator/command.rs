//! The `tokenwell emulator` command.

use crate::client::TIMEOUT;
use assert_cmd::Command as Check;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// The command under test. `make rows` sets the variable to the command of another build.
pub fn command_path() -> &'static str {
    static PATH: LazyLock<String> =
        LazyLock::new(|| std::env::var("TOKENWELL_COMMAND").unwrap_or_else(|_| env!("CARGO_BIN_EXE_tokenwell").to_owned()));
    &PATH
}

/// A running emulator that is stopped at the end of the test.
pub struct Running {
    child: Child,
    pub stdin: Option<ChildStdin>,
    /// The assignments, without the line `# ready`.
    pub lines: Vec<String>,
}

impl Running {
    pub fn start(flags: &[&str]) -> Self {
        let mut command = Command::new(command_path());
        command.arg("emulator").arg("--until-stdin-closes").args(flags);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut running = Self { child, stdin, lines: Vec::new() };
        for line in stdout.lines().map(Result::unwrap) {
            if line == "# ready" {
                return running;
            }
            assert!(!line.contains(" MONGODB_"), "several assignments in one line: {line}");
            running.lines.push(line);
        }
        panic!("it ended and was not ready: {:?}", running.lines)
    }

    pub fn value(&self, name: &str) -> &str {
        value(&self.lines, name)
    }

    fn port(&self) -> &str {
        self.value("MONGODB_ATLAS_BASE_URL").rsplit(':').next().unwrap()
    }

    fn get(&self, path: &str) -> String {
        get(self.value("MONGODB_ATLAS_BASE_URL"), path, "")
    }

    pub fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < TIMEOUT, "the emulator does not exit");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn stderr(&mut self) -> String {
        let mut output = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut output).unwrap();
        output
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stdin.take());
        end(&mut self.child);
    }
}

/// Waits for an emulator whose standard input is closed, so that it removes its cache directory.
pub fn end(child: &mut Child) {
    drop(child.stdin.take());
    let start = Instant::now();
    while matches!(child.try_wait(), Ok(None)) {
        if start.elapsed() >= TIMEOUT {
            let _ = child.kill();
            let _ = child.wait();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn value<'a>(lines: &'a [String], name: &str) -> &'a str {
    lines.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or_else(|| panic!("{name} in {lines:?}"))
}

/// The answer to a GET request, with more header lines.
pub(crate) fn get(base_url: &str, path: &str, headers: &str) -> String {
    let mut socket = TcpStream::connect(base_url.split("//").nth(1).unwrap()).unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    write!(socket, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut reply = String::new();
    socket.read_to_string(&mut reply).unwrap();
    reply
}

#[test]
fn n16_each_line_is_one_assignment_and_the_server_listens() {
    let running = Running::start(&[]);

    assert!(running.value("MONGODB_ATLAS_BASE_URL").starts_with("http://127.0.0.1:"));
    assert_eq!(running.value("MONGODB_ATLAS_CLIENT_ID"), tokenwell::emulator::DEFAULT_CLIENT_ID);
    assert_eq!(running.value("MONGODB_ATLAS_CLIENT_SECRET"), tokenwell::emulator::DEFAULT_CLIENT_SECRET);
    assert_eq!(running.value("MONGODB_ATLAS_ORG_ID"), tokenwell::emulator::DEFAULT_ORG_ID);
    assert_eq!(running.value("MONGODB_ATLAS_PROJECT_ID"), tokenwell::emulator::DEFAULT_PROJECT_ID);
    for line in &running.lines {
        let (name, value) = line.split_once('=').unwrap();
        assert!(name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'), "{line}");
        assert!(!value.is_empty() && !value.contains([' ', '\'', '"', '$', '\\']), "a reader may change it: {line}");
    }
    assert!(running.get("/_emulator/counters").contains("\"connections\":0"));
}

#[test]
fn it_exits_with_0_when_standard_input_closes() {
    let mut running = Running::start(&[]);

    drop(running.stdin.take());

    assert!(running.wait().success());
    assert_eq!(running.stderr(), "");
}

#[cfg(unix)]
#[test]
fn it_exits_with_0_on_sigterm_and_sigint() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut running = Running::start(&[]);
        kill(Pid::from_raw(running.child.id().try_into().unwrap()), signal).unwrap();
        assert!(running.wait().success(), "{signal}");
    }
}

#[test]
fn i21_the_log_names_requests_and_never_a_secret() {
    let mut running = Running::start(&["--verbose"]);
    running.get("/api/atlas/v2/orgs?token=canary");
    drop(running.stdin.take());
    running.wait();

    let log = running.stderr();

    assert_eq!(log, "127.0.0.1 GET /api/atlas/v2/orgs 401\n");
}

#[test]
fn the_flags_change_the_settings() {
    let running = Running::start(&["--token-lifetime", "60", "--token-cap", "7", "--rate-limit", "3/20"]);

    let settings = running.get("/_emulator/settings");

    for part in ["\"token_lifetime_s\":60", "\"token_cap\":7", "\"requests\":3", "\"window_s\":20"] {
        assert!(settings.contains(part), "{part} in {settings}");
    }
    assert!(Running::start(&["--no-rate-limit"]).get("/_emulator/settings").contains("\"rate_limit\":null"));
}

#[test]
fn tls_writes_the_authority_to_the_ca_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");

    let running = Running::start(&["--tls", "--ca-file", file.to_str().unwrap()]);

    assert!(running.value("MONGODB_ATLAS_BASE_URL").starts_with("https://127.0.0.1:"));
    assert_eq!(running.value("TOKENWELL_CA_FILE"), file.to_str().unwrap());
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
}

#[test]
fn n16_a_file_name_that_a_reader_would_split_is_quoted_so_that_all_readers_agree() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("it's a file.pem");

    let running = Running::start(&["--tls=wrong-name", "--ca-file", file.to_str().unwrap()]);

    assert_eq!(running.value("TOKENWELL_CA_FILE"), format!("\"{}\"", file.display()));
}

#[test]
fn n16_fish_and_programs_have_a_format_of_their_own() {
    let fish = started(&["--format", "fish"], "# ready");
    let json = started(&["--format", "json"], "}");
    let sh = started(&["--format", "sh"], "# ready");

    assert!(fish.contains("set -gx MONGODB_ATLAS_ORG_ID 0e0000000000000000000001\n"), "{fish}");
    assert!(sh.contains("export MONGODB_ATLAS_ORG_ID=0e0000000000000000000001\n"), "{sh}");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json["MONGODB_ATLAS_BASE_URL"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{json}");
    assert_eq!(json["MONGODB_ATLAS_CLIENT_ID"], tokenwell::emulator::DEFAULT_CLIENT_ID);
}

/// What the emulator prints up to a line with this end. It is stopped after that.
fn started(flags: &[&str], end: &str) -> String {
    let mut command = Command::new(command_path());
    command.args(["emulator", "--until-stdin-closes"]).args(flags);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut printed = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    while stdout.read_line(&mut printed).unwrap() > 0 && !printed.trim_end().ends_with(end) {}
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success(), "{printed}");
    printed
}

#[test]
fn n17_a_restart_on_the_same_port_does_not_meet_a_token_of_the_run_before() {
    let home = tempfile::tempdir().unwrap();
    let token = |running: &Running| {
        let variables = running.lines.iter().map(|line| line.split_once('=').unwrap());
        let mut command = Check::new(command_path());
        command.arg("token").env_clear().env("HOME", home.path()).envs(variables).timeout(TIMEOUT);
        String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap()
    };
    let mut first = Running::start(&[]);
    let stale = token(&first);
    assert_eq!(token(&first), stale, "the cache works");
    let directory = std::path::PathBuf::from(first.value("TOKENWELL_CACHE_DIR"));
    assert!(directory.is_dir());
    drop(first.stdin.take());
    assert!(first.wait().success());
    assert!(!directory.exists(), "the directory is left");

    let second = Running::start(&["--port", first.port()]);

    let headers = format!("Authorization: Bearer {}\r\nAccept: application/vnd.atlas.2024-08-05+json\r\n", token(&second).trim_end());
    let reply = get(second.value("MONGODB_ATLAS_BASE_URL"), "/api/atlas/v2/orgs", &headers);
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    assert_ne!(second.value("TOKENWELL_CACHE_DIR"), first.value("TOKENWELL_CACHE_DIR"));
}

#[test]
fn wrong_flags_exit_with_code_2_and_a_hint() {
    for (flags, expected) in [
        (&["--rate-limit", "ten"][..], "REQUESTS/SECONDS"),
        (&["--rate-limit", "0/60"], "at least 1"),
        (&["--tls"], "--ca-file"),
        (&["--ca-file", "a"], "--tls"),
        (&["--rate-limit", "1/1", "--no-rate-limit"], "cannot be used with"),
        (&["--port", "70000"], "70000"),
    ] {
        let output = Check::new(command_path()).arg("emulator").args(flags).timeout(TIMEOUT).assert().code(2).get_output().clone();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(expected), "{flags:?}: {stderr}");
        assert!(output.stdout.is_empty(), "{flags:?}");
    }
}

#[test]
fn n9_a_token_lifetime_of_0_is_refused() {
    for lifetime in ["0", "1.5", "-1", "1h"] {
        let flag = format!("--token-lifetime={lifetime}");
        let assert = Check::new(command_path()).args(["emulator", &flag]).timeout(TIMEOUT).assert().code(2).stdout("");

        let message = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
        assert!(message.contains("--token-lifetime") && message.contains("seconds, at least 1"), "{message}");
    }
}

#[test]
fn a_port_in_use_is_named_with_a_hint() {
    let running = Running::start(&[]);
    let port = running.port();

    let output = Check::new(command_path()).args(["emulator", "--port", port]).timeout(TIMEOUT).assert().code(2).get_output().clone();

    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains(&format!("127.0.0.1:{port}")) && stderr.contains("hint:"), "{stderr}");
}

#[test]
fn help_has_a_summary_examples_and_the_exit_codes() {
    let output = Check::new(command_path()).arg("--help").timeout(TIMEOUT).assert().success().get_output().clone();

    let help = String::from_utf8(output.stdout).unwrap();
    for part in ["access token", "emulator", "Examples:", "Exit codes:", "  0  success", "  9  "] {
        assert!(help.contains(part), "{part} in {help}");
    }
}

#[test]
fn the_emulators_help_names_every_flag() {
    let output = Check::new(command_path()).args(["emulator", "--help"]).timeout(TIMEOUT).assert().success().get_output().clone();

    let help = String::from_utf8(output.stdout).unwrap();
    for flag in [
        "--port",
        "--tls",
        "--ca-file",
        "--token-lifetime",
        "--token-cap",
        "--rate-limit",
        "--no-rate-limit",
        "--until-stdin-closes",
        "--format",
        "--background",
        "--until-pid",
        "--ready-fd",
        "--verbose",
    ] {
        assert!(help.contains(flag), "{flag} in {help}");
    }
}

#[test]
fn the_version_is_that_of_the_crate() {
    Check::new(command_path())
        .arg("--version")
        .timeout(TIMEOUT)
        .assert()
        .success()
        .stdout(format!("tokenwell {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_missing_command_is_a_usage_error_with_the_help() {
    let output = Check::new(command_path()).timeout(TIMEOUT).assert().code(2).get_output().clone();

    assert!(String::from_utf8(output.stderr).unwrap().contains("Usage:"));
}

#[test]
fn n42_an_output_that_cannot_be_written_has_the_same_exit_code_everywhere() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let full = std::process::Command::new(command_path()).arg("emulator").stdout(full).output().unwrap();
    let missing =
        Check::new(command_path()).args(["emulator", "--tls", "--ca-file", "/nonexistent/ca.pem"]).timeout(TIMEOUT).assert().code(10);

    assert_eq!(full.status.code(), Some(10), "{full:?}");
    assert!(String::from_utf8(full.stderr).unwrap().contains("cannot write to standard output"));
    assert!(String::from_utf8(missing.get_output().stderr.clone()).unwrap().contains("/nonexistent/ca.pem"));
}

#[cfg(unix)]
#[test]
fn n10_without_a_standard_output_it_does_not_run() {
    let closed = Check::new("sh").args(["-c", "exec \"$0\" emulator >&-", command_path()]).timeout(TIMEOUT).assert().code(10);

    assert!(String::from_utf8(closed.get_output().stderr.clone()).unwrap().contains("standard output"));
}
