//! Runs the cases against one shim.

use crate::case::{
    Case, Clocks, DoneExpect, ErrorExpect, GetExpect, Literal, ManyExpect, RequestExpect, ResponseExpect, STAT_NAMES, Sent, StatsExpect,
    Step, Traffic,
};
use crate::process::{Shim, ShimCommand};
use crate::protocol::{self, Answer, Response, ShimError};
use crate::sentences::{Part, faults};
use crate::words::Words;
use crate::world::World;
use base64::Engine as _;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The outcome of a case.
#[derive(Clone, Debug)]
pub enum Outcome {
    Passed,
    /// The language cannot express the case, for this reason.
    Skipped(String),
    Failed(Failure),
}

#[derive(Clone, Debug)]
pub struct Failure {
    /// The number of a step or a part of the case.
    pub location: String,
    pub expected: String,
    pub got: String,
    /// The standard error of the shim, which was killed after the failure.
    pub stderr: Option<String>,
}

/// The number of cases per outcome.
#[derive(Debug, Default)]
pub struct Tally {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
    /// The names of the errors that were seen, and checked as prose.
    pub errors: BTreeSet<String>,
}

impl Tally {
    /// Returns whether no case failed and at least one passed.
    pub fn is_success(&self) -> bool {
        self.failed == 0 && self.passed > 0
    }
}

/// The time limit for `eventually` and `wait`.
const EVENTUALLY: Duration = Duration::from_secs(30);

/// Runs every case. Calls `report` with the outcome of each.
pub fn run(
    command: &ShimCommand,
    cases: &[&Case],
    world: &World,
    directory: &Path,
    mut report: impl FnMut(&Case, &Outcome),
) -> Result<Tally, String> {
    let mut tally = Tally::default();
    let prose = Prose { words: Words::of_this_project(), seen: RefCell::default() };
    let mut shared: Option<Running> = None;
    for case in cases {
        // A case with an environment gets a separate process.
        let mut running = match (&case.environment, shared.take()) {
            (None, Some(running)) => running,
            (None, None) => Running::start(command, &BTreeMap::new(), directory)?,
            (Some(environment), other) => {
                shared = other;
                let environment = environment.iter().map(|(name, value)| (name.clone(), world.fill(value))).collect();
                Running::start(command, &environment, directory)?
            }
        };
        let mut outcome = run_case(case, &mut running, world, &prose);
        let usable = matches!(outcome, Outcome::Passed);
        if let Outcome::Failed(failure) = &mut outcome {
            failure.stderr = Some(running.shim.kill_and_read_stderr());
        } else if usable && case.environment.is_some() {
            if let Err(problem) = running.shim.quit() {
                outcome =
                    Outcome::Failed(Failure { location: "the end".into(), expected: "exit code 0".into(), got: problem, stderr: None });
            }
        } else if usable {
            shared = Some(running);
        }
        match &outcome {
            Outcome::Passed => tally.passed += 1,
            Outcome::Skipped(_) => tally.skipped += 1,
            Outcome::Failed(_) => tally.failed += 1,
        }
        report(case, &outcome);
    }
    if let Some(running) = shared {
        running.shim.quit().map_err(|problem| format!("{}: {problem}", command.name))?;
    }
    tally.errors = prose.seen.into_inner();
    Ok(tally)
}

/// The rules of prose for errors, and which errors they were applied to.
struct Prose {
    words: Words,
    seen: RefCell<BTreeSet<String>>,
}

struct Running {
    shim: Shim,
    language: String,
}

impl Running {
    fn start(command: &ShimCommand, environment: &BTreeMap<String, String>, directory: &Path) -> Result<Self, String> {
        let mut shim = command.start(environment, directory)?;
        let greeting = shim.ask("hello").and_then(|line| match protocol::parse(&line)? {
            Answer::Ok(fields) if fields.len() == 2 => Ok((protocol::word(&fields[0]), protocol::word(&fields[1]))),
            _ => Err(format!("`hello` was answered by {line:?}")),
        });
        match greeting {
            Ok((language, version)) if version == env!("CARGO_PKG_VERSION") => Ok(Self { shim, language }),
            Ok((_, version)) => Err(format!("{}: its library has version {version}, not {}", command.name, env!("CARGO_PKG_VERSION"))),
            Err(problem) => Err(format!("{}: {problem}\n{}", command.name, shim.kill_and_read_stderr())),
        }
    }
}

/// The reason why a case stopped before its end.
enum Stop {
    Unimplemented(String),
    Failed { expected: String, got: String },
}

impl From<String> for Stop {
    fn from(problem: String) -> Self {
        Self::Failed { expected: "a working shim and emulator".to_owned(), got: problem }
    }
}

fn mismatch<T>(expected: impl Into<String>, got: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Failed { expected: expected.into(), got: got.into() })
}

fn run_case(case: &Case, running: &mut Running, world: &World, prose: &Prose) -> Outcome {
    let language = running.language.clone();
    let mut runner = CaseRunner { case, shim: &mut running.shim, world, prose, tokens: BTreeMap::new(), secrets: Vec::new(), now_ms: 0 };
    let mut location = "the start".to_owned();
    let result = runner.all(&mut location);
    match result {
        Ok(()) => Outcome::Passed,
        Err(Stop::Failed { expected, got }) => Outcome::Failed(Failure { location, expected, got, stderr: None }),
        Err(Stop::Unimplemented(reason)) => match case.unimplemented.get(&language) {
            Some(_) if !reason.trim().is_empty() => Outcome::Skipped(reason),
            Some(_) => Outcome::Failed(Failure {
                location,
                expected: "a reason with `unimplemented`".to_owned(),
                got: "none".to_owned(),
                stderr: None,
            }),
            None => Outcome::Failed(Failure {
                location,
                expected: format!("an answer: the case does not list {language} in `unimplemented`"),
                got: format!("unimplemented: {reason}"),
                stderr: None,
            }),
        },
    }
}

struct CaseRunner<'a> {
    case: &'a Case,
    shim: &'a mut Shim,
    world: &'a World,
    prose: &'a Prose,
    tokens: BTreeMap<String, String>,
    /// The values that no message may contain.
    secrets: Vec<String>,
    /// The time of the client's manual clock.
    now_ms: u64,
}

impl CaseRunner<'_> {
    fn all(&mut self, location: &mut String) -> Result<(), Stop> {
        self.now_ms = self.world.reset();
        self.server(self.case.server.faults.as_ref(), self.case.server.settings.as_ref())?;
        "client".clone_into(location);
        self.client(self.case.client.as_ref())?;
        for (index, step) in self.case.steps.iter().enumerate() {
            *location = format!("step {}", index + 1);
            self.step(step)?;
        }
        "the case's `expect`".clone_into(location);
        self.traffic(&self.case.expect)?;
        match self.world.connections_elsewhere() {
            0 => Ok(()),
            count => mismatch("connections only to the emulator", format!("{count} connections to another server")),
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), Stop> {
        match step {
            Step::Token { min_ttl_ms, deadline_ms, force_refresh, eventually, expect } => {
                let request =
                    format!("token {} {} {}", protocol::number(*min_ttl_ms), protocol::number(*deadline_ms), u8::from(*force_refresh));
                let end = Instant::now() + EVENTUALLY;
                loop {
                    let answer = self.ask(&request)?;
                    match self.one_get(&answer, expect.as_ref(), "") {
                        Err(Stop::Failed { .. }) if *eventually && Instant::now() < end => std::thread::sleep(Duration::from_millis(5)),
                        other => return other,
                    }
                }
            }
            Step::Authorization { expect } => {
                let answer = self.ask("authorization")?;
                self.one_get(&answer, expect.as_ref(), "Bearer ")
            }
            Step::Together { count, min_ttl_ms, deadline_ms, force_refresh, expect } => {
                let (min_ttl, deadline) = (protocol::number(*min_ttl_ms), protocol::number(*deadline_ms));
                let answer = self.ask(&format!("together {count} {min_ttl} {deadline} {}", u8::from(*force_refresh)))?;
                self.many_gets(&answer, expect)
            }
            Step::Loop { count, expect } => {
                let answer = self.ask(&format!("loop {count}"))?;
                self.many_gets(&answer, expect)
            }
            Step::Invalidate { token, value, expect } => {
                let value = match (token, value) {
                    (Some(letter), _) => match self.tokens.get(letter) {
                        Some(value) => value.clone().into_bytes(),
                        None => return mismatch(format!("token {letter}, returned before"), "no such token"),
                    },
                    (None, Some(value)) => self.bytes(value),
                    (None, None) => Vec::new(),
                };
                self.done(&format!("invalidate {}", protocol::encode(&value)), expect.as_ref())
            }
            Step::Revoke { deadline_ms, expect } => self.done(&format!("revoke {}", protocol::number(*deadline_ms)), expect.as_ref()),
            Step::Request { method, path, version, query, body, max_body, deadline_ms, expect } => {
                let string = |literal: &Literal| protocol::encode(&self.bytes(literal));
                let query: Vec<_> = query.iter().map(|(name, value)| format!("{}={}", string(name), string(value))).collect();
                let request = format!(
                    "request {} {} {} {} {} {} {}",
                    protocol::encode(method.as_bytes()),
                    string(path),
                    version.as_ref().map_or_else(|| "-".to_owned(), |version| protocol::encode(version.as_bytes())),
                    if query.is_empty() { "-".to_owned() } else { query.join(",") },
                    body.as_ref().map_or_else(|| "-".to_owned(), string),
                    protocol::number(*max_body),
                    protocol::number(*deadline_ms),
                );
                let answer = self.ask(&request)?;
                match (&answer, expect) {
                    (Answer::Response(response), RequestExpect::Response(expected)) => self.response(response, expected),
                    (Answer::Error(error), RequestExpect::Error(expected)) => check_error(error, expected),
                    (_, RequestExpect::Response(expected)) => {
                        mismatch(format!("a response with status {}", expected.status), describe(&answer))
                    }
                    (_, RequestExpect::Error(expected)) => mismatch(expected.error.clone(), describe(&answer)),
                }
            }
            Step::Stats { eventually, expect } => {
                let end = Instant::now() + EVENTUALLY;
                loop {
                    match self.stats(expect) {
                        Err(Stop::Failed { .. }) if *eventually && Instant::now() < end => std::thread::sleep(Duration::from_millis(5)),
                        other => return other,
                    }
                }
            }
            Step::BaseUrl { expect } => self.base_url(expect.as_ref()),
            Step::Sources { expect } => self.sources(expect),
            Step::Advance { ms, only, expect } => {
                if *only != Clocks::Client {
                    self.world.advance(*ms);
                }
                if *only == Clocks::Server {
                    return Ok(());
                }
                self.done(&format!("advance {ms}"), expect.as_ref())?;
                // If the call had to fail, the clock has not moved.
                self.now_ms += if expect.is_some() { 0 } else { *ms };
                Ok(())
            }
            Step::Close { expect } => self.done("close", expect.as_ref()),
            Step::Client { expect } => self.client(expect.as_ref()),
            Step::Server { faults, settings } => self.server(faults.as_ref(), settings.as_ref()),
            Step::Wait { token_requests } => {
                let end = Instant::now() + EVENTUALLY;
                loop {
                    let counted = self.world.counters().token_requests;
                    if counted >= *token_requests {
                        return Ok(());
                    }
                    if Instant::now() > end {
                        return mismatch(format!("at least {token_requests} token requests"), counted.to_string());
                    }
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
            Step::Traffic { expect } => self.traffic(expect),
        }
    }

    fn server(&mut self, faults: Option<&Value>, settings: Option<&Value>) -> Result<(), Stop> {
        if let Some(settings) = settings {
            self.world.set_settings(settings)?;
        }
        if let Some(faults) = faults {
            self.world.set_faults(faults)?;
        }
        Ok(())
    }

    fn client(&mut self, expect: Option<&DoneExpect>) -> Result<(), Stop> {
        let start = self.now_ms.to_string();
        let plain = |value: &str| Some(Literal::Plain(value.to_owned()));
        let mut settings = BTreeMap::from([("manual_clock_ms", plain(&start))]);
        if !self.case.from_environment {
            settings.insert("base_url", plain("{base}"));
            settings.insert("client_id", plain("{client_id}"));
            settings.insert("client_secret", plain("{client_secret}"));
        }
        for (name, value) in &self.case.config {
            settings.insert(name, value.clone());
        }
        let in_environment = self.case.environment.iter().flatten().filter(|(name, _)| name.ends_with("SECRET"));
        self.secrets = in_environment.map(|(_, value)| self.world.fill(value)).collect();
        for (name, value) in settings {
            let Some(value) = value else { continue };
            let value = self.bytes(&value);
            if name == "client_secret" {
                self.secrets.push(String::from_utf8_lossy(&value).into_owned());
            }
            let request = format!("set {} {}", protocol::encode(name.as_bytes()), protocol::encode(&value));
            match self.ask(&request)? {
                Answer::Ok(fields) if fields.is_empty() => {}
                other => return mismatch(format!("`ok` for setting {name}"), describe(&other)),
            }
        }
        // Shorter strings can occur in messages by chance.
        self.secrets.retain(|secret| secret.len() >= 6);
        self.done(&format!("client {}", u8::from(self.case.from_environment)), expect)
    }

    /// Makes a call without a result.
    fn done(&mut self, request: &str, expect: Option<&DoneExpect>) -> Result<(), Stop> {
        let answer = self.ask(request)?;
        match (&answer, expect) {
            (Answer::Ok(fields), None) if fields.is_empty() => Ok(()),
            (Answer::Error(error), Some(DoneExpect(expected))) => check_error(error, expected),
            (_, None) => mismatch("success", describe(&answer)),
            (_, Some(DoneExpect(expected))) => mismatch(expected.error.clone(), describe(&answer)),
        }
    }

    fn one_get(&mut self, answer: &Answer, expect: Option<&GetExpect>, scheme: &str) -> Result<(), Stop> {
        let fields = match (answer, expect) {
            (Answer::Error(error), Some(GetExpect::Error(expected))) => return check_error(error, expected),
            (_, Some(GetExpect::Error(expected))) => return mismatch(expected.error.clone(), describe(answer)),
            (Answer::Ok(fields), _) => fields,
            _ => return mismatch("a token", describe(answer)),
        };
        let wanted_fields = if scheme.is_empty() { 2 } else { 1 };
        if fields.len() != wanted_fields {
            return mismatch(format!("{wanted_fields} fields after `ok`"), describe(answer));
        }
        let header = protocol::decode(&fields[0])?;
        let Some(value) = header.strip_prefix(scheme) else {
            return mismatch(format!("a string that starts with {scheme:?}"), format!("{header:?}"));
        };
        if value.is_empty() {
            return mismatch("a token", "an empty string");
        }
        self.remember_secret(value);
        // The expiry is always checked: a shim must send it even if the case does not expect it.
        let expires_at = fields.get(1).map(|field| field.parse::<i64>().map_err(|_| format!("{field} is not a time"))).transpose()?;
        let Some(GetExpect::Token(expected)) = expect else { return Ok(()) };
        if let Some(exact) = &expected.value {
            let exact = self.bytes(exact);
            if exact != value.as_bytes() {
                return mismatch(format!("the token {:?}", String::from_utf8_lossy(&exact)), format!("{value:?}"));
            }
        }
        if let (Some([min, max]), Some(expires_at)) = (expected.lifetime_ms, expires_at) {
            let left = expires_at - self.clock_ms();
            if !(min..=max).contains(&left) {
                return mismatch(format!("{min} to {max} ms of life"), format!("{left} ms"));
            }
        }
        expected.token.as_ref().map_or(Ok(()), |letter| self.check_same_token(letter, value))
    }

    fn many_gets(&mut self, answer: &Answer, expected: &ManyExpect) -> Result<(), Stop> {
        let Answer::Many(many) = answer else { return mismatch("`many` …", describe(answer)) };
        let wrong = |what: &str, wanted: &dyn std::fmt::Display| mismatch(format!("{wanted} {what}"), describe(answer));
        if many.ok != expected.ok {
            return wrong("tokens", &expected.ok);
        }
        if many.failed != expected.failed.unwrap_or(0) {
            return wrong("failures", &expected.failed.unwrap_or(0));
        }
        if let Some(distinct) = expected.distinct.filter(|distinct| !distinct.contains(many.distinct)) {
            return wrong("distinct tokens", &distinct);
        }
        if expected.error.is_some() && expected.error != many.first_status {
            return wrong("as the first failure", &expected.error.as_deref().unwrap_or_default());
        }
        let Some(first) = &many.first_value else {
            return if many.ok == 0 { Ok(()) } else { wrong("as the first token", &"a string") };
        };
        self.remember_secret(first);
        expected.token.as_ref().map_or(Ok(()), |letter| self.check_same_token(letter, first))
    }

    fn stats(&mut self, expect: &StatsExpect) -> Result<(), Stop> {
        let answer = self.ask("stats")?;
        let Answer::Stats(counters) = &answer else { return mismatch("`stats` …", describe(&answer)) };
        for (name, wanted) in &expect.stats {
            let index = STAT_NAMES.iter().position(|known| known == name);
            let got = index.and_then(|index| counters.get(index)).copied();
            if !got.is_some_and(|got| wanted.contains(got)) {
                return mismatch(format!("{name}={wanted}"), describe(&answer));
            }
        }
        Ok(())
    }

    fn response(&self, got: &Response, expected: &ResponseExpect) -> Result<(), Stop> {
        if got.status != expected.status {
            return mismatch(format!("status {}", expected.status), format!("status {} with {:?}", got.status, truncated(&got.body)));
        }
        for (name, wanted) in &expected.headers {
            let values: Vec<&str> = got.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect();
            let found = (!values.is_empty()).then(|| values.join(", "));
            if found != *wanted {
                return mismatch(format!("header {name}: {wanted:?}"), format!("{found:?}"));
            }
        }
        if let Some(json) = &expected.json
            && serde_json::from_str::<Value>(&got.body).ok().as_ref() != Some(json)
        {
            return mismatch(format!("the body {json}"), truncated(&got.body));
        }
        if let Some(body) = &expected.body
            && self.bytes(body) != got.body.as_bytes()
        {
            return mismatch("the body of the case", truncated(&got.body));
        }
        Ok(())
    }

    fn base_url(&mut self, expect: Option<&Literal>) -> Result<(), Stop> {
        let answer = self.ask("base_url")?;
        let Answer::Ok(fields) = &answer else { return mismatch("`ok` and the base URL", describe(&answer)) };
        let got = match fields.as_slice() {
            [none] if none == "-" => None,
            [url] => Some(protocol::decode(url)?),
            _ => return mismatch("one field after `ok`", describe(&answer)),
        };
        let wanted = expect.map(|url| String::from_utf8_lossy(&self.bytes(url)).into_owned());
        if got == wanted { Ok(()) } else { mismatch(format!("{wanted:?}"), format!("{got:?}")) }
    }

    fn sources(&mut self, expect: &BTreeMap<String, Option<String>>) -> Result<(), Stop> {
        let answer = self.ask("sources")?;
        let Answer::Sources(sources) = &answer else { return mismatch("`sources` …", describe(&answer)) };
        for (setting, wanted) in expect {
            let wanted = wanted.as_ref().map(|source| self.world.fill(source));
            let got = sources.iter().find(|(name, _)| name == setting).map(|(_, source)| source.clone());
            if got != wanted {
                return mismatch(format!("{setting} from {wanted:?}"), format!("{got:?}"));
            }
        }
        Ok(())
    }

    fn traffic(&mut self, expect: &Traffic) -> Result<(), Stop> {
        let counters = self.world.counters();
        let wanted = [
            ("connections", expect.connections, counters.connections),
            ("requests", expect.requests, counters.requests),
            ("token_requests", expect.token_requests, counters.token_requests),
            ("tokens_minted", expect.tokens_minted, counters.tokens_minted),
            ("revoke_requests", expect.revoke_requests, counters.revoke_requests),
            ("live_tokens", expect.live_tokens, counters.live_tokens),
        ];
        for (name, wanted, got) in wanted {
            if let Some(wanted) = wanted
                && !wanted.contains(got)
            {
                return mismatch(format!("{wanted} {name}"), format!("{counters:?}"));
            }
        }
        expect.sent.iter().try_for_each(|sent| self.sent(sent))
    }

    fn sent(&self, expect: &Sent) -> Result<(), Stop> {
        let request = match self.world.last_request(&expect.path) {
            None if expect.nothing => return Ok(()),
            None => return mismatch(format!("a request at {}", expect.path), "none"),
            Some(_) if expect.nothing => return mismatch(format!("no request at {}", expect.path), "one"),
            Some(request) => request,
        };
        if expect.method.as_ref().is_some_and(|method| *method != request.method) {
            return mismatch(format!("method {:?}", expect.method), request.method);
        }
        if expect.query.as_ref().is_some_and(|query| *query != request.query) {
            return mismatch(format!("query {:?}", expect.query), format!("{:?}", request.query));
        }
        for (name, wanted) in &expect.headers {
            let got = request.headers.get(&name.to_ascii_lowercase()).map(|values| values.join(", "));
            let wanted = wanted.as_ref().map(|wanted| with_base64(&self.world.fill(wanted)));
            if got != wanted {
                return mismatch(format!("header {name}: {wanted:?}"), format!("{got:?}"));
            }
        }
        if let Some(body) = &expect.body
            && *body != request.body
        {
            return mismatch(format!("the body {body:?}"), format!("{:?}", request.body));
        }
        if let Some(form) = &expect.form {
            let wanted: Vec<(String, String)> = form.iter().map(|(name, value)| (name.clone(), self.token_or_filled(value))).collect();
            let mut got: Vec<(String, String)> = url::form_urlencoded::parse(request.body.as_bytes()).into_owned().collect();
            got.sort();
            if got != wanted {
                return mismatch(format!("the form {wanted:?}"), format!("{got:?}"));
            }
        }
        Ok(())
    }

    /// Replaces `{token:A}` with the token of that letter, and the other placeholders.
    fn token_or_filled(&self, template: &str) -> String {
        let letter = template.strip_prefix("{token:").and_then(|rest| rest.strip_suffix('}'));
        letter.and_then(|letter| self.tokens.get(letter)).cloned().unwrap_or_else(|| self.world.fill(template))
    }

    fn check_same_token(&mut self, letter: &str, value: &str) -> Result<(), Stop> {
        if let Some((other, _)) = self.tokens.iter().find(|(other, known)| *other != letter && *known == value) {
            return mismatch(format!("token {letter}"), format!("token {other}"));
        }
        match self.tokens.get(letter) {
            Some(known) if known != value => mismatch(format!("token {letter}, as before"), "a token that was not returned before"),
            Some(_) => Ok(()),
            None => {
                self.tokens.insert(letter.to_owned(), value.to_owned());
                Ok(())
            }
        }
    }

    fn remember_secret(&mut self, value: &str) {
        if value.len() >= 6 && !self.secrets.iter().any(|known| known == value) {
            self.secrets.push(value.to_owned());
        }
    }

    fn ask(&mut self, request: &str) -> Result<Answer, Stop> {
        let line = match self.shim.ask(request) {
            Ok(line) => line,
            Err(problem) => return mismatch(format!("an answer to {}", truncated(request)), problem),
        };
        let answer = match protocol::parse(&line) {
            Ok(answer) => answer,
            Err(problem) => return mismatch(format!("an answer to {}", truncated(request)), format!("{:?}: {problem}", truncated(&line))),
        };
        match &answer {
            Answer::Unimplemented(reason) => return Err(Stop::Unimplemented(reason.clone())),
            Answer::Error(error) => self.check_message_and_hint(error)?,
            _ => {}
        }
        Ok(answer)
    }

    /// Checks the rules for all error messages and hints.
    fn check_message_and_hint(&self, error: &ShimError) -> Result<(), Stop> {
        for (part, line) in [("message", &error.message), ("hint", &error.hint)] {
            if line.trim().is_empty() {
                return mismatch(format!("{} with a {part}", error.name), "an empty string");
            }
            if line.len() > 4000 || line.chars().any(char::is_control) {
                return mismatch(format!("{} with one short printable line as its {part}", error.name), format!("{:?}", truncated(line)));
            }
            if self.secrets.iter().any(|secret| line.contains(secret.as_str())) {
                return mismatch(format!("{} with a {part} without a secret or token", error.name), "one that contains it");
            }
        }
        let theirs = self.strings_of_the_case();
        let theirs: Vec<&str> = theirs.iter().map(String::as_str).collect();
        for (part, line) in [(Part::Message, &error.message), (Part::Hint, &error.hint), (Part::Formatted, &error.formatted)] {
            let faults = faults(&self.prose.words, part, line, &theirs);
            if !faults.is_empty() {
                return mismatch(
                    format!("{} with a {part:?} that reads as prose", error.name),
                    format!("{line:?}, which has {}", faults.join(", ")),
                );
            }
        }
        self.prose.seen.borrow_mut().insert(error.name.clone());
        Ok(())
    }

    /// What the case itself puts into messages: settings, and the words of its server. The longest first.
    fn strings_of_the_case(&self) -> Vec<String> {
        let mut strings = Vec::new();
        for value in [&self.case.server.settings, &self.case.server.faults].into_iter().flatten() {
            string_leaves(value, &mut strings);
        }
        strings.extend(self.case.environment.iter().flatten().map(|(_, value)| value.clone()));
        let settings = self.case.config.values().flatten().map(|literal| String::from_utf8_lossy(&self.bytes(literal)).into_owned());
        strings.extend(settings.collect::<Vec<_>>());
        let mut strings: Vec<_> = strings.iter().map(|template| self.world.fill(template)).filter(|text| text.contains(' ')).collect();
        strings.sort_by_key(|text| std::cmp::Reverse(text.len()));
        strings
    }

    fn bytes(&self, literal: &Literal) -> Vec<u8> {
        match literal {
            Literal::Plain(template) => self.world.fill(template).into_bytes(),
            Literal::Bytes(bytes) => bytes.clone(),
            Literal::Repeat { unit, times } => unit.repeat(*times).into_bytes(),
        }
    }

    fn clock_ms(&self) -> i64 {
        let now = match self.case.config.get("manual_clock_ms") {
            Some(None) => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis()),
            _ => u128::from(self.now_ms),
        };
        i64::try_from(now).unwrap_or(i64::MAX)
    }
}

fn string_leaves(value: &Value, strings: &mut Vec<String>) {
    match value {
        Value::String(text) => strings.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| string_leaves(value, strings)),
        Value::Object(members) => members.values().for_each(|value| string_leaves(value, strings)),
        _ => {}
    }
}

fn check_error(error: &ShimError, expected: &ErrorExpect) -> Result<(), Stop> {
    let got = || describe(&Answer::Error(error.clone()));
    if error.name != expected.error {
        return mismatch(expected.error.clone(), got());
    }
    if let Some(status) = expected.http_status
        && status != error.http_status
    {
        return mismatch(format!("{} with HTTP status {status:?}", error.name), got());
    }
    match (expected.retry_after_ms, error.retry_after_ms) {
        (None, _) | (Some(None), None) => {}
        (Some(Some([min, max])), Some(ms)) if (min..=max).contains(&ms) => {}
        (Some(wanted), _) => return mismatch(format!("{} with retry_after_ms {wanted:?}", error.name), got()),
    }
    if expected.oauth_code.as_ref().is_some_and(|code| *code != error.oauth_code) {
        return mismatch(format!("{} with the code {:?}", error.name, expected.oauth_code), got());
    }
    if expected.is_remembered.is_some_and(|wanted| wanted != error.is_remembered) {
        return mismatch(format!("{} with is_remembered {:?}", error.name, expected.is_remembered), got());
    }
    if expected.age_ms.is_some_and(|[min, max]| !(min..=max).contains(&error.age_ms)) {
        return mismatch(format!("{} with age_ms {:?}", error.name, expected.age_ms), got());
    }
    if expected.attempts.is_some_and(|wanted| wanted != error.attempts) {
        return mismatch(format!("{} with attempts {:?}", error.name, expected.attempts), got());
    }
    let missing = |line: &str, wanted: &[String]| wanted.iter().find(|wanted| !line.contains(wanted.as_str())).cloned();
    if let Some(wanted) = missing(&error.message, &expected.message_has) {
        return mismatch(format!("a message with {wanted:?}"), got());
    }
    if let Some(wanted) = missing(&error.hint, &expected.hint_has) {
        return mismatch(format!("a hint with {wanted:?}"), got());
    }
    if let Some(unwanted) = expected.message_lacks.iter().find(|unwanted| error.message.contains(unwanted.as_str())) {
        return mismatch(format!("a message without {unwanted:?}"), got());
    }
    Ok(())
}

/// Describes an answer for a failure report, without the value of a token.
fn describe(answer: &Answer) -> String {
    match answer {
        Answer::Ok(fields) if fields.is_empty() => "success".to_owned(),
        Answer::Ok(_) => "success with a value".to_owned(),
        Answer::Many(many) => format!(
            "{} tokens, {} distinct; {} failures, the first {}",
            many.ok,
            many.distinct,
            many.failed,
            many.first_status.as_deref().unwrap_or("-")
        ),
        Answer::Stats(counters) => {
            STAT_NAMES.iter().zip(counters).map(|(name, counter)| format!("{name}={counter}")).collect::<Vec<_>>().join(" ")
        }
        Answer::Sources(sources) => format!("{sources:?}"),
        Answer::Error(error) => format!(
            "{} (HTTP status {:?}, retry after {:?} ms, code {:?}, remembered {}, age {} ms, {} attempts): {:?}, hint {:?}",
            error.name,
            error.http_status,
            error.retry_after_ms,
            error.oauth_code,
            error.is_remembered,
            error.age_ms,
            error.attempts,
            error.message,
            error.hint
        ),
        Answer::Response(response) => format!("a response with status {}", response.status),
        Answer::Unimplemented(reason) => format!("unimplemented: {reason}"),
    }
}

fn truncated(line: &str) -> String {
    if line.chars().count() <= 200 { line.to_owned() } else { line.chars().take(200).chain(" …".chars()).collect() }
}

/// Replaces `{base64:…}` with the base64 of its content.
fn with_base64(template: &str) -> String {
    match template.split_once("{base64:").and_then(|(before, rest)| Some((before, rest.rsplit_once('}')?))) {
        Some((before, (inside, after))) => format!("{before}{}{after}", base64::engine::general_purpose::STANDARD.encode(inside)),
        None => template.to_owned(),
    }
}
