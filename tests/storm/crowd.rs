//! Many concurrent processes, each a shim of one language.

use crate::process::{Shim, ShimCommand};
use crate::protocol::{self, Answer, Many, ShimError};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// The time limit for one answer.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(300);

/// The number of callers per process.
pub const CALLERS: u64 = 8;

/// The request in which all callers of a process concurrently get any valid token.
pub const TOGETHER: &str = "together 8 - - 0";

type Settings = Vec<(&'static str, String)>;

pub struct Crowd {
    pub members: Vec<Member>,
    languages: Vec<ShimCommand>,
    environment: BTreeMap<String, String>,
    directory: TempDir,
}

pub struct Member {
    /// The name of the process, for messages.
    name: String,
    shim: Shim,
}

impl Crowd {
    /// Starts `count` processes, in all languages in turn, and waits for each answer to `hello`.
    pub fn start(languages: &[ShimCommand], count: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let cache = directory.path().join("shared/cache").to_str().unwrap().to_owned();
        let environment = BTreeMap::from([("TOKENWELL_CACHE_DIR".to_owned(), cache), ("TOKENWELL_CACHE".to_owned(), "on".to_owned())]);
        let mut crowd = Self { members: Vec::new(), languages: languages.to_vec(), environment, directory };
        crowd.members = (0..count).map(|index| crowd.member(index)).collect();
        crowd.members.iter_mut().for_each(Member::greet);
        crowd
    }

    /// The cache directory that the environment of all processes names.
    pub fn cache_of_the_environment(&self) -> PathBuf {
        PathBuf::from(&self.environment["TOKENWELL_CACHE_DIR"])
    }

    /// The directory of the configuration files of all processes.
    pub fn config_directory(&self) -> PathBuf {
        self.directory.path().join("config")
    }

    pub fn languages(&self) -> usize {
        self.languages.len()
    }

    /// Creates a new client in each process.
    pub fn clients(&mut self, settings: &Settings) {
        self.clients_each(|_| (settings.clone(), false));
    }

    /// Creates a new client in each process. `settings` returns the settings for the process with
    /// this index, and whether the client also reads the environment.
    pub fn clients_each(&mut self, settings: impl Fn(usize) -> (Settings, bool)) {
        let ready = |index: usize, member: &mut Member| {
            let (settings, from_environment) = settings(index);
            member.make_client(&settings, from_environment)
        };
        let counts: Vec<usize> = self.members.iter_mut().enumerate().map(|(index, member)| ready(index, member)).collect();
        for (member, count) in self.members.iter_mut().zip(counts) {
            member.expect_ok(count);
        }
    }

    /// Sends a request to all processes and returns their `many` answers.
    pub fn ask_many(&mut self, request: &str) -> Vec<Many> {
        self.send(request);
        self.members.iter_mut().map(Member::many).collect()
    }

    /// Sends a request to all processes, each of which must succeed.
    pub fn ask_ok(&mut self, request: &str) {
        self.send(request);
        self.members.iter_mut().for_each(|member| member.expect_ok(1));
    }

    /// Gets a token in all callers of all processes concurrently. All must get the same token,
    /// which is returned.
    pub fn one_token(&mut self) -> String {
        self.send(TOGETHER);
        self.collect_one_token()
    }

    /// Sends a request to all processes without waiting.
    pub fn send(&mut self, request: &str) {
        self.members.iter_mut().for_each(|member| member.send(request));
    }

    /// Waits for all callers of all processes. All must get the same token, which is returned.
    pub fn collect_one_token(&mut self) -> String {
        let tokens: BTreeSet<String> = self.members.iter_mut().map(Member::one_token).collect();
        only_token(tokens)
    }

    /// Kills one process with SIGKILL and replaces it with a new one.
    pub fn kill(&mut self, index: usize) {
        let replacement = self.member(index);
        // Dropping the old member kills its process.
        self.members[index] = replacement;
    }

    /// Stops all processes, each of which must exit with code 0.
    pub fn quit(self) {
        // Concurrently, because a Go process with the race detector needs a second to exit.
        let ends = std::thread::scope(|scope| {
            let end = |member: Member| scope.spawn(move || member.shim.quit().map_err(|problem| format!("{}: {problem}", member.name)));
            let threads: Vec<_> = self.members.into_iter().map(end).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        let problems: Vec<String> = ends.into_iter().filter_map(Result::err).collect();
        assert!(problems.is_empty(), "{problems:#?}");
    }

    /// Starts a process, whose answer to `hello` is still pending.
    fn member(&self, index: usize) -> Member {
        let language = &self.languages[index % self.languages.len()];
        let shim = language.start(&self.environment, self.directory.path()).unwrap();
        Member::new(format!("process {index} ({})", language.name), shim)
    }

    /// Starts one additional process per language, with these variables in its environment.
    pub fn one_of_each_language(&self, environment: &[(&str, &str)]) -> Vec<Member> {
        let variables: BTreeMap<String, String> =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let start = |language: &ShimCommand| {
            let shim = language.start(&variables, self.directory.path()).unwrap();
            Member::new(format!("one process ({})", language.name), shim)
        };
        let mut members: Vec<Member> = self.languages.iter().map(start).collect();
        members.iter_mut().for_each(Member::greet);
        members
    }
}

impl Member {
    /// Wraps a process and sends `hello` to it.
    fn new(name: String, mut shim: Shim) -> Self {
        shim.send("hello");
        Self { name, shim }
    }

    /// Waits for the answer to `hello`.
    pub fn greet(&mut self) {
        match self.answer() {
            Answer::Ok(fields) if fields.len() == 2 && protocol::word(&fields[1]) == env!("CARGO_PKG_VERSION") => {}
            other => panic!("{}: `hello` was answered by {other:?}; this is version {}", self.name, env!("CARGO_PKG_VERSION")),
        }
    }

    pub fn send(&mut self, request: &str) {
        self.shim.send(request);
    }

    /// Creates a new client.
    pub fn client(&mut self, settings: &Settings) {
        let count = self.make_client(settings, false);
        self.expect_ok(count);
    }

    pub fn answer(&mut self) -> Answer {
        let line = self.shim.answer();
        match line.and_then(|line| protocol::parse(&line).map_err(|problem| format!("{problem}: {line}"))) {
            Ok(answer) => answer,
            Err(problem) => panic!("{}: {problem}\n{}", self.name, self.shim.kill_and_read_stderr()),
        }
    }

    pub fn many(&mut self) -> Many {
        match self.answer() {
            Answer::Many(many) => many,
            other => panic!("{}: expected many outcomes, got {other:?}", self.name),
        }
    }

    /// Waits for the token, which must be the same for all callers of the process.
    pub fn one_token(&mut self) -> String {
        let many = self.many();
        assert_eq!((many.ok, many.distinct, many.failed), (CALLERS, 1, 0), "{}: {many:?}", self.name);
        many.first_value.unwrap()
    }

    /// Waits for the answer to a `token` request that must fail.
    pub fn error(&mut self) -> ShimError {
        match self.answer() {
            Answer::Error(error) => error,
            other => panic!("{}: expected an error, got {other:?}", self.name),
        }
    }

    /// Waits for the answer to a `token` request that must succeed.
    pub fn token(&mut self) -> String {
        match self.answer() {
            Answer::Ok(fields) if fields.len() == 2 => protocol::decode(&fields[0]).unwrap(),
            other => panic!("{}: expected a token, got {other:?}", self.name),
        }
    }

    pub fn expect_ok(&mut self, count: usize) {
        for _ in 0..count {
            let answer = self.answer();
            assert!(matches!(answer, Answer::Ok(_)), "{}: {answer:?}", self.name);
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.shim.id()).unwrap()), signal).unwrap();
    }

    /// Sends the requests that create a client and returns their number.
    fn make_client(&mut self, settings: &Settings, from_environment: bool) -> usize {
        for (name, value) in settings {
            self.send(&format!("set {} {}", protocol::encode(name.as_bytes()), protocol::encode(value.as_bytes())));
        }
        self.send(&format!("client {}", u8::from(from_environment)));
        settings.len() + 1
    }
}

/// Returns the only element of `tokens`.
pub fn only_token(tokens: BTreeSet<String>) -> String {
    assert_eq!(tokens.len(), 1, "expected one token: {tokens:#?}");
    tokens.into_iter().next().unwrap()
}
