//! `sink`: the file is always complete, private and up to date.

mod hooks;
mod outputs;
#[cfg(target_os = "linux")]
mod supervisor;

use crate::support::{PATIENCE, Scene, command_path, is_token, stderr, text, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::Instant;
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, EmulatorOptions};

/// A running sink, which is killed at the end of the test.
struct Sink {
    child: Child,
    log: PathBuf,
}

impl Sink {
    fn start(scene: &Scene, arguments: &[&str]) -> Self {
        Self::patient(scene, arguments, 1000)
    }

    /// A sink that waits at most `timeout_ms` for a token.
    fn patient(scene: &Scene, arguments: &[&str], timeout_ms: u32) -> Self {
        Self::with(scene, arguments, &[("TOKENWELL_TIMEOUT_MS", &timeout_ms.to_string())])
    }

    fn with(scene: &Scene, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let log = scene.path(&format!("log-{}", arguments.join("-").replace('/', "-")));
        let mut command = scene.plain(command_path());
        command.arg("sink").args(arguments).envs(environment.iter().copied());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
        Self { child, log }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    fn end(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the sink does not end");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn short_lived() -> Scene {
    Scene::with(EmulatorOptions { token_lifetime_s: 3, ..EmulatorOptions::default() })
}

/// Opens the file at `path` and reads it. While it is open, its inode number is not reused.
fn opened(path: &Path) -> Option<(std::fs::File, String)> {
    let mut file = std::fs::File::open(path).ok()?;
    let mut content = String::new();
    file.read_to_string(&mut content).unwrap();
    Some((file, content))
}

fn content(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

fn other_than(path: &Path, known: &str) -> Option<String> {
    content(path).filter(|content| content != known)
}

#[test]
fn once_writes_the_token_and_nothing_else() {
    let scene = Scene::new();
    let file = scene.path("token");

    scene.tokenwell(["sink", "--once", text(&file)]).assert().success().stdout("").stderr("");

    assert!(is_token(&content(&file).unwrap()));
}

#[test]
fn each_format_can_be_written() {
    let scene = Scene::new();
    let file = scene.path("token");

    scene.tokenwell(["sink", "--once", "--format", "header", text(&file)]).assert().success();
    let header = content(&file).unwrap();
    assert!(is_token(header.strip_prefix("Authorization: Bearer ").unwrap().trim_end()), "{header}");

    scene.tokenwell(["sink", "--once", "--format", "json", text(&file)]).assert().success();
    let object: serde_json::Value = serde_json::from_str(&content(&file).unwrap()).unwrap();
    assert!(is_token(object["access_token"].as_str().unwrap()) && object["expires_at"].is_string() && object["expires_in"].is_null());
}

#[test]
fn i10_the_mode_is_the_one_that_was_asked_for_whatever_the_umask() {
    let scene = Scene::new();

    for (mode, wanted) in [("0600", 0o600), ("0640", 0o640), ("0444", 0o444)] {
        for umask in ["000", "022", "077"] {
            let file = scene.path(&format!("{mode}-{umask}"));
            let script = format!("umask {umask}; exec \"$0\" sink --once --mode {mode} \"$1\"");
            let status = scene.plain("sh").args(["-c", &script, command_path()]).arg(&file).status().unwrap();

            assert!(status.success());
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o7777, wanted, "{mode} under {umask}");
        }
    }
}

#[test]
fn i10_what_is_no_regular_file_is_refused_and_left_alone() {
    let scene = Scene::new();
    let target = scene.write("target", "precious");
    let link = scene.path("link");
    symlink(&target, &link).unwrap();
    let dangling = scene.path("dangling");
    symlink(scene.path("nowhere"), &dangling).unwrap();
    let directory = scene.path("directory");
    std::fs::create_dir(&directory).unwrap();

    for path in [&link, &dangling, &directory] {
        let assert = scene.tokenwell(["sink", "--once", text(path)]).assert().code(8);
        assert!(stderr(&assert).contains(text(path)), "{}", stderr(&assert));
    }

    assert_eq!(content(&target).unwrap(), "precious");
    assert!(!scene.path("nowhere").exists());
    assert_eq!(scene.emulator.counters().connections, 0);
}

#[test]
fn n42_a_missing_directory_cannot_be_written_to() {
    let scene = Scene::new();

    let assert = scene.tokenwell(["sink", text(&scene.path("missing/token"))]).assert().code(10);

    let message = stderr(&assert);
    assert!(message.contains("missing/token") && message.contains("Create the directory "), "{message}");
    assert_eq!(scene.emulator.counters().token_requests, 0);
}

#[test]
fn n42_a_full_disk_is_noticed_before_a_token_is_requested() {
    let scene = Scene::new();
    // No byte can be written to a file, but an empty file can be created.
    let script = "trap '' XFSZ; ulimit -f 0; exec \"$0\" sink --once token";

    let output = scene.plain("sh").args(["-c", script, command_path()]).output().unwrap();

    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(10), "{message}");
    assert!(message.contains("cannot write `token`: "), "{message}");
    assert_eq!((scene.emulator.counters().token_requests, unfinished(&scene), scene.path("token").exists()), (0, 0, false));
}

#[test]
fn the_file_is_replaced_atomically_before_the_token_expires() {
    let scene = short_lived();
    let file = scene.path("token");
    let mut sink = Sink::start(&scene, &[text(&file)]);

    let (first_file, first) = until("the first token", || opened(&file));
    let (second_file, second) = until("the second token", || opened(&file).filter(|(_, content)| *content != first));

    assert!(is_token(&first) && is_token(&second));
    assert_ne!(second_file.metadata().unwrap().ino(), first_file.metadata().unwrap().ino(), "the file was written in place");
    sink.signal(Signal::SIGTERM);
    assert!(sink.end().success());
    assert_eq!(unfinished(&scene), 0);
}

#[test]
fn a_token_that_is_due_is_replaced_and_not_written_again() {
    let scene = short_lived();
    let file = scene.path("token");
    let mut sink = Sink::start(&scene, &[text(&file)]);

    let mut token = until("the first token", || content(&file));
    for _ in 0..3 {
        token = until("the next token", || other_than(&file, &token));
    }
    sink.signal(Signal::SIGTERM);
    assert!(sink.end().success());

    let writes = sink.log().lines().filter(|line| line.contains("wrote a token")).count() as u64;
    let minted = scene.emulator.counters().tokens_minted;
    // The last one may have been issued when the sink was stopped.
    assert!((4..=minted).contains(&writes), "{writes} writes of {minted} tokens: {}", sink.log());
}

#[test]
fn a_token_that_another_process_left_due_is_replaced() {
    let scene = Scene::new();
    let file = scene.path("token");
    // Another process got the token 55 minutes ago and cannot replace it: the sink starts with it.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let then_ms = u64::try_from((now - std::time::Duration::from_secs(3300)).as_millis()).unwrap();
    let builder = tokenwell::Config::builder().client_id(DEFAULT_CLIENT_ID).client_secret(DEFAULT_CLIENT_SECRET).cache(true);
    let builder = builder.base_url(scene.emulator.base_url()).cache_dir(scene.path("cache/tokenwell")).manual_clock(then_ms);
    let old = tokenwell::Client::new(builder.build().unwrap()).unwrap().token(&tokenwell::TokenOptions::default()).unwrap();

    let mut sink = Sink::start(&scene, &[text(&file)]);
    let token = until("the token", || content(&file));
    sink.signal(Signal::SIGTERM);

    assert!(sink.end().success());
    assert_ne!(token, old.value());
    assert_eq!(scene.emulator.counters().token_requests, 2);
}

#[test]
fn n9_a_token_without_a_lifetime_is_not_written() {
    let scene = Scene::new();
    let file = scene.path("token");
    scene.emulator.set_settings(json!({"expires_in": 0})).unwrap();

    for arguments in [&["sink", "--once", text(&file)][..], &["sink", text(&file)]] {
        let assert = scene.tokenwell(arguments.iter().copied()).assert().code(5).stdout("");

        let message = stderr(&assert);
        assert!(message.contains("lifetime of 0 s") && message.contains("Change the lifetime of tokens"), "{message}");
        assert!(!file.exists());
    }
}

#[test]
fn it_survives_failures_keeps_the_file_and_goes_on() {
    let scene = short_lived();
    let file = scene.path("token");
    let mut sink = Sink::start(&scene, &[text(&file)]);
    let first = until("the first token", || content(&file));
    assert!(is_token(&first));

    scene.emulator.set_faults(json!([{"path": "/api/oauth/token", "status": 503, "body": {"error": "server_error"}}])).unwrap();
    // On a stalled machine other errors can come before or after this one.
    until("a refresh that failed with 503", || sink.log().contains("503").then_some(()));
    let first = content(&file).filter(|content| is_token(content)).unwrap();
    scene.emulator.set_faults(json!([])).unwrap();
    let second = until("a token after the failure", || other_than(&file, &first));

    assert!(is_token(&second));
    sink.signal(Signal::SIGINT);
    assert!(sink.end().success());
    let log = sink.log();
    assert!(!log.contains(&first) && !log.contains(&second), "{log}");
}

#[test]
fn n14_each_failure_is_one_line_that_says_what_became_of_the_token() {
    let scene = short_lived();
    let file = scene.path("token");
    let mut sink = Sink::start(&scene, &[text(&file)]);
    until("the first token", || content(&file));

    scene.emulator.set_faults(json!([{"path": "/api/oauth/token", "status": 503, "body": {"error": "server_error"}}])).unwrap();
    // The advice is not repeated with the same problem.
    let is_repeated = |line: &str| line.contains(" ago; next attempt in ") && !line.ends_with(')');
    until("a second failure with an expired token", || sink.log().lines().any(is_repeated).then_some(()));
    sink.signal(Signal::SIGTERM);
    assert!(sink.end().success());

    let log = sink.log();
    let state = format!("tokenwell: warning: the token in {} ", text(&file));
    let failures: Vec<_> = log.lines().filter(|line| !line.starts_with("tokenwell: wrote a token that expires at ")).collect();
    for failure in &failures {
        let said = failure.strip_prefix(&state).unwrap_or_else(|| panic!("{failure}"));
        assert!(said.starts_with("expires in ") || said.starts_with("ended "), "{failure}");
        assert!(said.contains("; next attempt in ") && said.contains("503"), "{failure}");
    }
    assert!(failures.first().is_some_and(|line| line.ends_with(')')) && file.exists(), "{log}");
}

#[test]
fn n14_a_file_whose_token_has_expired_is_removed_if_that_is_wanted() {
    let scene = short_lived();
    let file = scene.path("token");
    let mut sink = Sink::start(&scene, &["--remove-when-expired", text(&file)]);
    until("the first token", || content(&file));

    scene.emulator.set_faults(json!([{"path": "/api/oauth/token", "status": 503, "body": {"error": "server_error"}}])).unwrap();
    until("the end of the file", || (!file.exists()).then_some(()));
    let removed = format!("removed {}: the token has expired", text(&file));
    until("the message", || sink.log().contains(&removed).then_some(()));
    scene.emulator.set_faults(json!([])).unwrap();
    let token = until("a token after the failure", || content(&file));

    assert!(is_token(&token));
    sink.signal(Signal::SIGTERM);
    assert!(sink.end().success());
    assert_eq!(sink.log().matches(&removed).count(), 1, "{}", sink.log());
}

#[test]
fn sigusr1_renews_the_token_now() {
    let scene = Scene::new();
    let file = scene.path("token");
    let mut sink = Sink::start(&scene, &[text(&file)]);
    let first = until("the first token", || content(&file));

    sink.signal(Signal::SIGUSR1);
    let second = until("the second token", || other_than(&file, &first));

    assert!(is_token(&second));
    sink.signal(Signal::SIGTERM);
    assert!(sink.end().success());
}

#[test]
fn the_file_is_kept_on_exit_unless_remove_on_exit_is_set() {
    let scene = Scene::new();
    let (kept, removed) = (scene.path("kept"), scene.path("removed"));
    let mut sinks = [Sink::start(&scene, &[text(&kept)]), Sink::start(&scene, &["--remove-on-exit", text(&removed)])];
    for path in [&kept, &removed] {
        until("the token", || content(path));
    }

    for sink in &mut sinks {
        sink.signal(Signal::SIGTERM);
        assert!(sink.end().success());
    }

    assert!(kept.exists() && !removed.exists());
}

#[test]
fn a_file_that_this_run_did_not_write_is_not_removed() {
    let scene = Scene::new();
    let file = scene.write("token", "of an earlier run");

    let mut command = scene.tokenwell(["sink", "--remove-on-exit", text(&file)]);

    command.env("MONGODB_ATLAS_CLIENT_SECRET", "wrong").assert().code(4).stdout("");
    assert_eq!(content(&file).unwrap(), "of an earlier run");
}

#[test]
fn a_file_that_another_sink_has_written_since_is_not_removed() {
    let scene = Scene::new();
    let file = scene.path("token");
    let mut sink = Sink::start(&scene, &["--remove-on-exit", text(&file)]);
    let token = until("the token", || content(&file));

    // The same token in a new file with the same name.
    scene.tokenwell(["sink", "--once", text(&file)]).assert().success();
    sink.signal(Signal::SIGTERM);

    assert!(sink.end().success());
    assert_eq!(content(&file).unwrap(), token);
}

#[cfg(target_os = "linux")]
#[test]
fn sighup_stops_it_unless_sighup_is_ignored() {
    let scene = Scene::new();
    let file = scene.path("token");
    // Under nohup, the test would pass on the ignored signal. A signal with a handler is reset to
    // its default in a new program.
    signal_hook::flag::register(Signal::SIGHUP as i32, std::sync::Arc::default()).unwrap();
    let mut sink = Sink::start(&scene, &["--remove-on-exit", text(&file)]);
    until("the token", || content(&file));

    sink.signal(Signal::SIGHUP);

    assert!(sink.end().success());
    assert!(!file.exists());

    let log = scene.path("log-of-one-that-stays");
    let mut command = scene.plain("nohup");
    command
        .args([command_path(), "sink", text(&file)])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log).unwrap());
    let mut stays = Sink { child: command.spawn().unwrap(), log };
    until("the token", || content(&file));
    let status = std::fs::read_to_string(format!("/proc/{}/status", stays.child.id())).unwrap();
    let signals = |name: &str| u64::from_str_radix(status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim(), 16).unwrap();
    assert_eq!((signals("SigIgn:") & 1, signals("SigCgt:") & 1), (1, 0), "{status}");
    stays.signal(Signal::SIGTERM);
    assert!(stays.end().success());
}

/// The temporary files of sinks in the directory of the scene.
fn unfinished(scene: &Scene) -> usize {
    let names = std::fs::read_dir(scene.path("")).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_str().unwrap().ends_with(".temp")).count()
}

#[test]
fn what_a_killed_sink_has_left_behind_is_removed_and_nothing_else() {
    let scene = Scene::new();
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    let old = |name: &str| {
        let path = scene.write(name, "an old token");
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
        path
    };
    let left = old(".token.0123456789abcdef.temp");
    let others = [old(".other.0123456789abcdef.temp"), old(".token.0123.temp"), old("token.0123456789abcdef.temp")];
    let under_way = scene.write(".token.fedcba9876543210.temp", "of a sink that is at it");

    scene.tokenwell(["sink", "--once", text(&scene.path("token"))]).assert().success();

    assert!(!left.exists());
    assert!(others.iter().chain([&under_way]).all(|path| path.exists()));
}

#[test]
fn a_signal_stops_it_during_the_first_token_request() {
    let scene = Scene::new();
    let file = scene.path("token");
    scene.emulator.set_faults(json!([{"path": "/api/oauth/token", "delay_ms": 600_000, "then_serve": true}])).unwrap();
    let mut sink = Sink::patient(&scene, &[text(&file)], 600_000);
    until("the token request", || (scene.emulator.counters().token_requests > 0).then_some(()));

    sink.signal(Signal::SIGTERM);

    assert!(sink.end().success());
    assert!(!file.exists());
}

#[test]
fn a_rejected_secret_stops_it_at_the_start() {
    let scene = Scene::new();

    let mut command = scene.tokenwell(["sink", text(&scene.path("token"))]);

    command.env("MONGODB_ATLAS_CLIENT_SECRET", "wrong").assert().code(4).stdout("");
}

#[test]
fn a_server_that_is_late_is_waited_for() {
    let scene = Scene::new();
    let file = scene.path("token");
    scene.emulator.set_faults(json!([{"path": "/api/oauth/token", "status": 503, "body": {"error": "server_error"}}])).unwrap();
    let mut sink = Sink::start(&scene, &[text(&file)]);
    let failure = format!("{} does not exist yet; next attempt in ", text(&file));
    until("a failed refresh", || sink.log().contains(&failure).then_some(()));

    scene.emulator.set_faults(json!([])).unwrap();

    until("the token", || content(&file));
    sink.signal(Signal::SIGTERM);
    assert!(sink.end().success());
}
