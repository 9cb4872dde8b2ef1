//! `tokenwell emulator` beside a shell: in the background, until a process ends, ready descriptors.
#![cfg(unix)]

use crate::client::TIMEOUT;
use crate::command::{command_path, get, value};
use assert_cmd::Command as Check;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// An emulator in the background that ends with the test.
struct Background {
    lines: Vec<String>,
    lifeline: Child,
}

impl Background {
    fn start(flags: &[&str]) -> Self {
        let lifeline = Command::new("sleep").arg("600").spawn().unwrap();
        let pid = lifeline.id().to_string();
        // The output ends, although the emulator continues: it holds none of the streams open.
        let done = Check::new(command_path()).args(["emulator", "--background", "--until-pid", &pid]).args(flags).timeout(TIMEOUT).assert();
        let printed = String::from_utf8(done.success().stderr("").get_output().stdout.clone()).unwrap();
        Self { lines: printed.lines().map(str::to_owned).collect(), lifeline }
    }

    fn end_lifeline(&mut self) {
        self.lifeline.kill().unwrap();
        self.lifeline.wait().unwrap();
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.lifeline.kill();
        let _ = self.lifeline.wait();
    }
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < TIMEOUT, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_background_emulator_serves_until_the_process_ends() {
    let mut background = Background::start(&["--format", "dotenv"]);
    assert!(background.lines.iter().all(|line| line.contains('=') && !line.contains(' ')), "{:?}", background.lines);
    let url = value(&background.lines, "MONGODB_ATLAS_BASE_URL").to_owned();
    assert!(get(&url, "/_emulator/counters", "").contains("\"connections\":0"));
    let directory = value(&background.lines, "TOKENWELL_CACHE_DIR").to_owned();

    background.end_lifeline();

    wait_until("the emulator does not end", || std::net::TcpStream::connect(url.trim_start_matches("http://")).is_err());
    wait_until("the cache directory is left", || !Path::new(&directory).exists());
}

#[test]
fn the_background_emulator_ends_on_sigterm_to_the_printed_id() {
    let background = Background::start(&["--format", "dotenv"]);
    let pid = value(&background.lines, "TOKENWELL_EMULATOR_PID").parse().unwrap();

    kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();

    wait_until("the emulator does not end", || !Path::new(value(&background.lines, "TOKENWELL_CACHE_DIR")).exists());
}

#[test]
fn n1_the_line_of_the_readme_works_twice_in_a_shell_and_ends_with_it() {
    let home = tempfile::tempdir().unwrap();
    let script = "eval \"$(\"$0\" emulator --background --until-pid $$)\"\n\"$0\" token && echo \"$TOKENWELL_CACHE_DIR\"\n";
    let mut shell = Check::new("sh");
    shell.args(["-e", "-c", &script.repeat(2), command_path()]).current_dir(&home).env("HOME", home.path()).timeout(TIMEOUT);

    let printed = String::from_utf8(shell.assert().success().stderr("").get_output().stdout.clone()).unwrap();

    let lines: Vec<_> = printed.lines().collect();
    assert!(lines.len() == 4 && lines[0].starts_with("ey") && lines[2].starts_with("ey"), "{lines:?}");
    assert_ne!(lines[1], lines[3]);
    wait_until("a cache directory is left", || !Path::new(lines[1]).exists() && !Path::new(lines[3]).exists());
    assert_eq!(std::fs::read_dir(&home).unwrap().count(), 0, "it writes nothing where it was started");
}

#[test]
fn a_failed_start_in_the_background_is_reported() {
    let background = Background::start(&["--format", "dotenv"]);
    let port = value(&background.lines, "MONGODB_ATLAS_BASE_URL").rsplit(':').next().unwrap();

    for (flags, part) in [(&["--port", port][..], port), (&["-v"], "-v"), (&["--until-pid", "2147483647"], "2147483647")] {
        let done = Check::new(command_path()).args(["emulator", "--background"]).args(flags).timeout(TIMEOUT).assert().code(2).stdout("");
        let message = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
        assert!(message.contains(part) && message.matches("hint:").count() == 1, "{message}");
    }
}

#[test]
fn e8_the_ready_descriptor_gets_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ready");
    let script = "exec \"$0\" emulator --until-stdin-closes --ready-fd 3 3>\"$1\"";
    let mut child = Command::new("sh");
    child.args(["-c", script, command_path()]).arg(&file).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = child.spawn().unwrap();

    wait_until("there is no line", || std::fs::read_to_string(&file).is_ok_and(|text| text == "ready\n"));

    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    let closed = Check::new("sh").args(["-c", "exec \"$0\" emulator --ready-fd 9 9>&-", command_path()]).timeout(TIMEOUT).assert().code(2);
    assert!(String::from_utf8_lossy(&closed.get_output().stderr).contains("file descriptor 9"));
}
