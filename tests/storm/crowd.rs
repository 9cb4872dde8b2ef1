//! Many processes, each a shim of one language, that are asked all at once.

use crate::process::{Shim, ShimCommand};
use crate::protocol::{self, Answer, Many, ShimError};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// How long one answer may take.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// How many callers there are in each process.
pub const CALLERS: u64 = 8;

/// All callers of a process at once, each for any live token.
pub const TOGETHER: &str = "together 8 - - 0";

type Settings = Vec<(&'static str, String)>;

pub struct Crowd {
    pub members: Vec<Member>,
    languages: Vec<ShimCommand>,
    environment: BTreeMap<String, String>,
    folder: TempDir,
}

pub struct Member {
    /// Which one it is, for messages.
    name: String,
    shim: Shim,
}

impl Crowd {
    /// Starts `count` processes, of all languages in turn, and returns once each has said hello.
    pub fn start(languages: &[ShimCommand], count: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("shared/cache").to_str().unwrap().to_owned();
        let environment = BTreeMap::from([("TOKENWELL_CACHE_DIR".to_owned(), cache), ("TOKENWELL_CACHE".to_owned(), "on".to_owned())]);
        let mut crowd = Self { members: Vec::new(), languages: languages.to_vec(), environment, folder };
        crowd.members = (0..count).map(|place| crowd.member(place)).collect();
        crowd.members.iter_mut().for_each(Member::greet);
        crowd
    }

    /// The cache that all processes find in their environment.
    pub fn cache_of_the_environment(&self) -> PathBuf {
        PathBuf::from(&self.environment["TOKENWELL_CACHE_DIR"])
    }

    /// Where all processes look for their files of settings.
    pub fn config_folder(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    pub fn languages(&self) -> usize {
        self.languages.len()
    }

    /// Gives each process a new client.
    pub fn clients(&mut self, settings: &Settings) {
        self.clients_each(|_| (settings.clone(), false));
    }

    /// Gives each process, by its place, a new client; the flag is for the constructor that also reads the environment.
    pub fn clients_each(&mut self, settings: impl Fn(usize) -> (Settings, bool)) {
        let ready = |place: usize, member: &mut Member| {
            let (settings, from_environment) = settings(place);
            member.make_client(&settings, from_environment)
        };
        let counts: Vec<usize> = self.members.iter_mut().enumerate().map(|(place, member)| ready(place, member)).collect();
        for (member, count) in self.members.iter_mut().zip(counts) {
            member.expect_ok(count);
        }
    }

    /// Asks all processes at once for many outcomes.
    pub fn ask_many(&mut self, request: &str) -> Vec<Many> {
        self.say(request);
        self.members.iter_mut().map(Member::many).collect()
    }

    /// Asks all processes at once for something that must succeed.
    pub fn ask_ok(&mut self, request: &str) {
        self.say(request);
        self.members.iter_mut().for_each(|member| member.expect_ok(1));
    }

    /// Lets all callers of all processes ask at once; the one token that they all must get.
    pub fn one_token(&mut self) -> String {
        self.say(TOGETHER);
        self.collect_one_token()
    }

    /// Asks all processes at once.
    pub fn say(&mut self, request: &str) {
        self.members.iter_mut().for_each(|member| member.send(request));
    }

    /// Waits for all callers of all processes, who must get the same token.
    pub fn collect_one_token(&mut self) -> String {
        let tokens: BTreeSet<String> = self.members.iter_mut().map(Member::one_token).collect();
        the_one(tokens)
    }

    /// Kills one process with SIGKILL and puts a new one in its place.
    pub fn kill(&mut self, place: usize) {
        let newcomer = self.member(place);
        // Dropping it kills it.
        self.members[place] = newcomer;
    }

    /// Asks all processes to end, each of which must do so with exit code 0.
    pub fn quit(self) {
        // At once: one of Go under the race detector takes a second.
        let ends = std::thread::scope(|scope| {
            let end = |member: Member| scope.spawn(move || member.shim.quit().map_err(|problem| format!("{}: {problem}", member.name)));
            let threads: Vec<_> = self.members.into_iter().map(end).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        let problems: Vec<String> = ends.into_iter().filter_map(Result::err).collect();
        assert!(problems.is_empty(), "{problems:#?}");
    }

    /// A new process, which has not been greeted yet.
    fn member(&self, place: usize) -> Member {
        let language = &self.languages[place % self.languages.len()];
        let shim = language.start(&self.environment, self.folder.path()).unwrap();
        Member::new(format!("process {place} ({})", language.name), shim)
    }

    /// One more process for each language, with these variables in its environment.
    pub fn one_of_each_language(&self, environment: &[(&str, &str)]) -> Vec<Member> {
        let variables: BTreeMap<String, String> =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let start = |language: &ShimCommand| {
            let shim = language.start(&variables, self.folder.path()).unwrap();
            Member::new(format!("one process ({})", language.name), shim)
        };
        let mut members: Vec<Member> = self.languages.iter().map(start).collect();
        members.iter_mut().for_each(Member::greet);
        members
    }
}

impl Member {
    /// A process that has been told to say hello.
    fn new(name: String, mut shim: Shim) -> Self {
        shim.send("hello");
        Self { name, shim }
    }

    /// Waits until it says hello.
    pub fn greet(&mut self) {
        match self.answer() {
            Answer::Ok(fields) if fields.len() == 2 && protocol::word(&fields[1]) == env!("CARGO_PKG_VERSION") => {}
            other => panic!("{}: `hello` was answered by {other:?}; this is version {}", self.name, env!("CARGO_PKG_VERSION")),
        }
    }

    pub fn send(&mut self, request: &str) {
        self.shim.send(request);
    }

    /// Gives it a new client.
    pub fn client(&mut self, settings: &Settings) {
        let count = self.make_client(settings, false);
        self.expect_ok(count);
    }

    pub fn answer(&mut self) -> Answer {
        let line = self.shim.answer();
        match line.and_then(|line| protocol::parse(&line).map_err(|problem| format!("{problem}: {line}"))) {
            Ok(answer) => answer,
            Err(problem) => panic!("{}: {problem}\n{}", self.name, self.shim.complaints()),
        }
    }

    pub fn many(&mut self) -> Many {
        match self.answer() {
            Answer::Many(many) => many,
            other => panic!("{}: expected many outcomes, got {other:?}", self.name),
        }
    }

    /// The token that all its callers must have got.
    pub fn one_token(&mut self) -> String {
        let many = self.many();
        assert_eq!((many.ok, many.distinct, many.failed), (CALLERS, 1, 0), "{}: {many:?}", self.name);
        many.first_value.unwrap()
    }

    /// What is asked by `token` must fail so.
    pub fn error(&mut self) -> ShimError {
        match self.answer() {
            Answer::Error(error) => error,
            other => panic!("{}: expected an error, got {other:?}", self.name),
        }
    }

    /// The token of a `token` that must succeed.
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

    /// Asks for a new client; returns how many answers that will bring.
    fn make_client(&mut self, settings: &Settings, from_environment: bool) -> usize {
        for (name, value) in settings {
            self.send(&format!("set {} {}", protocol::text(name.as_bytes()), protocol::text(value.as_bytes())));
        }
        self.send(&format!("client {}", u8::from(from_environment)));
        settings.len() + 1
    }
}

/// The only one of `tokens`.
pub fn the_one(tokens: BTreeSet<String>) -> String {
    assert_eq!(tokens.len(), 1, "all have the same token: {tokens:#?}");
    tokens.into_iter().next().unwrap()
}
