//! A child process: this test program, started again with a role.

use crate::support::{NOBODY, is_root, record, slot};
use nix::sys::stat::{Mode, umask};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;
use tokenwell::store::{FileStore, Store};

const ROLE: &str = "FILE_STORE_ROLE";
const DIRECTORY: &str = "FILE_STORE_DIRECTORY";
const WORD: &str = "FILE_STORE_WORD";
/// Prefix of each line that a child reports; its test harness prints other lines too.
const SAYS: &str = "the child says: ";
/// Paths that are accessed before and after the traced save, as marks in a trace of system calls.
pub const BEGINS: &str = "/the-act-begins";
pub const ENDS: &str = "/the-act-ends";
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Creates a child that plays `role` on the store in `directory`. `word` is the argument of the
/// role.
pub fn command(role: &str, directory: &Path, word: &str) -> Command {
    prepared(Command::new(std::env::current_exe().unwrap()), role, directory, word)
}

/// Like [`command`], run by another program, which receives this one and its arguments as its last
/// arguments.
pub fn command_under(program: &str, arguments: &[&str], role: &str, directory: &Path, word: &str) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).arg(std::env::current_exe().unwrap());
    prepared(command, role, directory, word)
}

fn prepared(mut command: Command, role: &str, directory: &Path, word: &str) -> Command {
    command
        .args(["--exact", "child::a_child_process_plays_the_role_that_it_is_given", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(DIRECTORY, directory)
        .env(WORD, word)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs the child until it exits and returns what it reported.
pub fn outcome(command: &mut Command) -> String {
    let (status, said) = run(command);
    said.unwrap_or_else(|| panic!("the child reported nothing: {status}"))
}

/// Runs the child until it exits. Returns no report if it was killed before it could send one.
pub fn run(command: &mut Command) -> (ExitStatus, Option<String>) {
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{program} cannot be run ({error}): is it installed?"));
    let said = String::from_utf8_lossy(&output.stdout);
    let said = said.lines().find_map(|line| Some(line.split_once(SAYS)?.1.to_owned()));
    assert!(
        said.is_some() || output.status.signal().is_some(),
        "the child reported nothing: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    (output.status, said)
}

/// A child that was started.
pub struct Running {
    pub child: Child,
    /// The child exits when this is closed.
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    pub fn start(role: &str, directory: &Path, word: &str) -> Self {
        let mut child = command(role, directory, word).stderr(Stdio::inherit()).spawn().unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdin, stdout }
    }

    pub fn next_word(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.stdout.read_line(&mut line).unwrap(), 0, "the child exited without a report");
            if let Some((_, said)) = line.split_once(SAYS) {
                return said.trim_end().to_owned();
            }
        }
    }

    pub fn tell(&mut self, word: &[u8]) {
        self.stdin.as_mut().unwrap().write_all(word).unwrap();
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn end(mut self) {
        drop(self.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn say(word: impl std::fmt::Display) {
    println!("{SAYS}{word}");
}

#[test]
fn a_child_process_plays_the_role_that_it_is_given() {
    let Ok(role) = std::env::var(ROLE) else {
        assert_eq!(outcome(&mut command("echo", Path::new("/"), "hello")), "hello");
        return;
    };
    let directory = PathBuf::from(std::env::var_os(DIRECTORY).unwrap());
    let word = std::env::var(WORD).unwrap();
    let store = FileStore::open(directory.clone(), false);
    match role.as_str() {
        "echo" => say(word),
        "save" => save(&store, &word),
        "save_traced" => save_traced(&store, &word),
        "use_under_umask" => use_under_umask(&store, &word),
        "use_without_privileges" => use_without_privileges(&store),
        "hold" => hold(&store),
        "hold_and_start" => hold_and_start(&store),
        "hold_and_fork" => hold_and_fork(&store),
        "reject_and_fork" => reject_and_fork(),
        "count" => count(&store, Path::new(&word)),
        unknown => panic!("there is no role {unknown}"),
    }
    std::process::exit(0);
}

fn save(store: &FileStore, token: &str) {
    match store.save(&slot(), &record(token)) {
        Ok(()) => say("saved"),
        Err(error) => say(error),
    }
}

/// Saves between two marks in the trace. The preceding saves make this thread call each system call
/// that a save uses so often that its call numbers within the marks are not reached by any other
/// thread.
fn save_traced(store: &FileStore, token: &str) {
    let warm = tempfile::tempdir().unwrap();
    for round in 0..64 {
        let elsewhere = FileStore::open(warm.path().join(round.to_string()), false);
        // A thread may make one call more or less than in the run that was traced, and the fault then hits the last of these.
        let _ = elsewhere.save(&slot(), &record(token));
    }
    warm.close().unwrap();
    let _ = fs::metadata(BEGINS);
    let saved = store.save(&slot(), &record(token));
    let _ = fs::metadata(ENDS);
    match saved {
        Ok(()) => say("saved"),
        Err(error) => say(error),
    }
}

fn use_under_umask(store: &FileStore, mask: &str) {
    umask(Mode::from_bits_truncate(mask.parse().unwrap()));
    let _lock = store.lock(&slot(), Duration::ZERO).unwrap().unwrap();
    save(store, "token");
}

fn use_without_privileges(store: &FileStore) {
    if is_root() {
        nix::unistd::setuid(NOBODY.into()).unwrap();
    }
    let loaded = crate::support::token_in(&store.load(&slot()).unwrap());
    let saved = store.save(&slot(), &record("another")).unwrap_err();
    let locked = store.lock(&slot(), Duration::ZERO).unwrap_err();
    say(format_args!("{loaded:?} | {saved} | {locked}"));
}

fn hold(store: &FileStore) {
    let _lock = store.lock(&slot(), PATIENCE).unwrap().unwrap();
    say("held");
    until_stdin_closes();
}

/// Holds the lock while a program runs that was started under it.
fn hold_and_start(store: &FileStore) {
    let _lock = store.lock(&slot(), PATIENCE).unwrap().unwrap();
    let mut program = Command::new("sleep").arg("600").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    say(program.id());
    program.wait().unwrap();
}

/// Holds the lock, forks, and releases the lock while the forked child still has its copy.
#[allow(unsafe_code)]
fn hold_and_fork(store: &FileStore) {
    let lock = store.lock(&slot(), PATIENCE).unwrap().unwrap();
    let (mut from_child, to_parent) = std::io::pipe().unwrap();
    let (mut from_parent, to_child) = std::io::pipe().unwrap();
    // SAFETY: the child only drops and reads, and aborts without returning; no other thread of this
    // process does anything.
    match unsafe { nix::unistd::fork() }.unwrap() {
        nix::unistd::ForkResult::Child => {
            drop(to_child);
            drop(lock);
            drop(to_parent);
            // Until the parent exits.
            let _ = from_parent.read(&mut [0]);
            std::process::abort();
        }
        nix::unistd::ForkResult::Parent { .. } => {
            drop(to_parent);
            from_child.read_to_end(&mut Vec::new()).unwrap();
            say("the child has dropped its copy");
            std::io::stdin().read_exact(&mut [0]).unwrap();
            drop(lock);
            say("released");
            until_stdin_closes();
            drop(to_child);
        }
    }
}

/// Rejects a token that the store cannot remove, and forks. Reports the token that the child gets.
#[allow(unsafe_code)]
fn reject_and_fork() {
    use crate::parts::{FakeServer, FakeStore, FixedCredentials, START_MS, client_of};
    use std::sync::Arc;

    let (store, server) = (Arc::new(FakeStore::default()), FakeServer::new());
    let clock = Arc::new(tokenwell::clock::ManualClock::new(START_MS));
    let client = client_of(&clock, &server, Arc::clone(&store) as Arc<_>, Box::new(FixedCredentials));
    let token = client.token(&tokenwell::TokenOptions::default()).unwrap();
    *store.broken.lock().unwrap() = true;
    client.invalidate(token.value()).unwrap();
    *store.broken.lock().unwrap() = false;
    let (mut from_child, mut to_parent) = std::io::pipe().unwrap();
    // SAFETY: no other thread of this process holds a lock that the child uses: the thread of the
    // refresh has ended its work, and the harness waits. The child aborts without returning.
    match unsafe { nix::unistd::fork() }.unwrap() {
        nix::unistd::ForkResult::Child => {
            let token = client.token(&tokenwell::TokenOptions::default());
            let _ = to_parent.write_all(token.map_or_else(|error| error.to_string(), |token| token.value().to_owned()).as_bytes());
            drop(to_parent);
            std::process::abort();
        }
        nix::unistd::ForkResult::Parent { .. } => {
            drop(to_parent);
            let mut token = String::new();
            from_child.read_to_string(&mut token).unwrap();
            say(token);
        }
    }
}

/// Adds one to the number in `file`, a hundred times, taking turns with other processes that do the
/// same.
fn count(store: &FileStore, file: &Path) {
    for _ in 0..100 {
        let _turn = store.lock(&slot(), PATIENCE).unwrap().expect("each process acquires the lock");
        let number: u32 = fs::read_to_string(file).unwrap().parse().unwrap();
        fs::write(file, (number + 1).to_string()).unwrap();
    }
    say("counted");
}

fn until_stdin_closes() {
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest).unwrap();
}
