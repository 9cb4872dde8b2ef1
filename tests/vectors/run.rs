//! Plays one case against one shim.

use crate::case::{Case, Clocks, DoneExpect, ErrorExpect, GetExpect, ManyExpect, STAT_NAMES, Sent, StatsExpect, Step, Text, Traffic};
use crate::process::{Shim, ShimCommand};
use crate::protocol::{self, Answer, ShimError};
use crate::world::World;
use base64::Engine as _;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How a case ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    Passed,
    /// The language cannot express it, for this reason.
    Skipped(String),
    Failed(Failure),
}

#[derive(Clone, Debug)]
pub struct Failure {
    /// Where: a step's number or a part of the case.
    pub place: String,
    pub expected: String,
    pub got: String,
    /// What the shim wrote to standard error, where it has been of no use since.
    pub complaints: Option<String>,
}

/// How the cases of one shim ended.
#[derive(Debug, Default)]
pub struct Tally {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

impl Tally {
    /// A run in which nothing ran proves nothing.
    pub fn is_green(&self) -> bool {
        self.failed == 0 && self.passed > 0
    }
}

/// How long a background refresh may take until an `eventually` or a `wait` gives up.
const EVENTUALLY: Duration = Duration::from_secs(30);

/// Plays every case; `report` hears about each one that did not pass.
pub fn run(
    command: &ShimCommand,
    cases: &[&Case],
    world: &World,
    folder: &Path,
    mut report: impl FnMut(&Case, &Outcome),
) -> Result<Tally, String> {
    let mut tally = Tally::default();
    let mut shared: Option<Running> = None;
    for case in cases {
        // A case with an environment of its own gets a process of its own.
        let mut running = match (&case.environment, shared.take()) {
            (None, Some(running)) => running,
            (None, None) => Running::start(command, &BTreeMap::new(), folder)?,
            (Some(environment), other) => {
                shared = other;
                let environment = environment.iter().map(|(name, value)| (name.clone(), world.fill(value))).collect();
                Running::start(command, &environment, folder)?
            }
        };
        let mut outcome = play(case, &mut running, world);
        let usable = matches!(outcome, Outcome::Passed);
        if let Outcome::Failed(failure) = &mut outcome {
            failure.complaints = Some(running.shim.complaints());
        } else if usable && case.environment.is_some() {
            if let Err(problem) = running.shim.quit() {
                outcome =
                    Outcome::Failed(Failure { place: "the end".into(), expected: "a clean end".into(), got: problem, complaints: None });
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
    Ok(tally)
}

struct Running {
    shim: Shim,
    language: String,
}

impl Running {
    fn start(command: &ShimCommand, environment: &BTreeMap<String, String>, folder: &Path) -> Result<Self, String> {
        let mut shim = command.start(environment, folder)?;
        let greeting = shim.ask("hello").and_then(|line| match protocol::parse(&line)? {
            Answer::Ok(fields) if fields.len() == 2 => Ok((protocol::word(&fields[0]), protocol::word(&fields[1]))),
            _ => Err(format!("`hello` was answered by {line:?}")),
        });
        match greeting {
            Ok((language, version)) if version == env!("CARGO_PKG_VERSION") => Ok(Self { shim, language }),
            Ok((_, version)) => Err(format!("{}: its library is version {version}, not {}", command.name, env!("CARGO_PKG_VERSION"))),
            Err(problem) => Err(format!("{}: {problem}\n{}", command.name, shim.complaints())),
        }
    }
}

/// Why a case stopped before its end.
enum Stop {
    Unimplemented(String),
    Failed { expected: String, got: String },
}

impl From<String> for Stop {
    fn from(problem: String) -> Self {
        Self::Failed { expected: "a working shim and emulator".to_owned(), got: problem }
    }
}

fn unmet<T>(expected: impl Into<String>, got: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Failed { expected: expected.into(), got: got.into() })
}

fn play(case: &Case, running: &mut Running, world: &World) -> Outcome {
    let language = running.language.clone();
    let mut player = Player { case, shim: &mut running.shim, world, letters: BTreeMap::new(), secrets: Vec::new(), now_ms: 0 };
    let mut place = "the beginning".to_owned();
    let end = player.all(&mut place);
    match end {
        Ok(()) => Outcome::Passed,
        Err(Stop::Failed { expected, got }) => Outcome::Failed(Failure { place, expected, got, complaints: None }),
        Err(Stop::Unimplemented(reason)) => match case.unimplemented.get(&language) {
            Some(_) if !reason.trim().is_empty() => Outcome::Skipped(reason),
            Some(_) => Outcome::Failed(Failure {
                place,
                expected: "a reason with `unimplemented`".to_owned(),
                got: "none".to_owned(),
                complaints: None,
            }),
            None => Outcome::Failed(Failure {
                place,
                expected: format!("an answer: the case does not excuse {language}"),
                got: format!("unimplemented: {reason}"),
                complaints: None,
            }),
        },
    }
}

struct Player<'a> {
    case: &'a Case,
    shim: &'a mut Shim,
    world: &'a World,
    letters: BTreeMap<String, String>,
    /// What no message may ever show.
    secrets: Vec<String>,
    /// The client's clock, as far as the case has moved it.
    now_ms: u64,
}

impl Player<'_> {
    fn all(&mut self, place: &mut String) -> Result<(), Stop> {
        self.now_ms = self.world.reset();
        self.server(self.case.server.faults.as_ref(), self.case.server.settings.as_ref())?;
        "client".clone_into(place);
        self.client(self.case.client.as_ref())?;
        for (index, step) in self.case.steps.iter().enumerate() {
            *place = format!("step {}", index + 1);
            self.step(step)?;
        }
        "the case's `expect`".clone_into(place);
        self.traffic(&self.case.expect)?;
        match self.world.heard_elsewhere() {
            0 => Ok(()),
            count => unmet("no connection to any server but the emulator", format!("{count} connections elsewhere")),
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
                    (Some(letter), _) => match self.letters.get(letter) {
                        Some(value) => value.clone().into_bytes(),
                        None => return unmet(format!("token {letter}, seen before"), "no such token yet"),
                    },
                    (None, Some(text)) => self.bytes(text),
                    (None, None) => Vec::new(),
                };
                self.done(&format!("invalidate {}", protocol::text(&value)), expect.as_ref())
            }
            Step::Revoke { deadline_ms, expect } => self.done(&format!("revoke {}", protocol::number(*deadline_ms)), expect.as_ref()),
            Step::Stats { eventually, expect } => {
                let end = Instant::now() + EVENTUALLY;
                loop {
                    match self.stats(expect) {
                        Err(Stop::Failed { .. }) if *eventually && Instant::now() < end => std::thread::sleep(Duration::from_millis(5)),
                        other => return other,
                    }
                }
            }
            Step::Advance { ms, only, expect } => {
                if *only != Clocks::Client {
                    self.world.advance(*ms);
                }
                if *only == Clocks::Server {
                    return Ok(());
                }
                self.done(&format!("advance {ms}"), expect.as_ref())?;
                // Where it had to fail, no clock has moved.
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
                        return unmet(format!("at least {token_requests} token requests"), counted.to_string());
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
        let plain = |text: &str| Some(Text::Plain(text.to_owned()));
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
            let request = format!("set {} {}", protocol::text(name.as_bytes()), protocol::text(&value));
            match self.ask(&request)? {
                Answer::Ok(fields) if fields.is_empty() => {}
                other => return unmet(format!("`ok`: setting {name} is only remembered"), shown(&other)),
            }
        }
        // Shorter texts occur in messages by chance.
        self.secrets.retain(|secret| secret.len() >= 6);
        self.done(&format!("client {}", u8::from(self.case.from_environment)), expect)
    }

    /// A call that brings nothing.
    fn done(&mut self, request: &str, expect: Option<&DoneExpect>) -> Result<(), Stop> {
        let answer = self.ask(request)?;
        match (&answer, expect) {
            (Answer::Ok(fields), None) if fields.is_empty() => Ok(()),
            (Answer::Error(error), Some(DoneExpect(expected))) => met(error, expected),
            (_, None) => unmet("success", shown(&answer)),
            (_, Some(DoneExpect(expected))) => unmet(expected.error.clone(), shown(&answer)),
        }
    }

    fn one_get(&mut self, answer: &Answer, expect: Option<&GetExpect>, scheme: &str) -> Result<(), Stop> {
        let fields = match (answer, expect) {
            (Answer::Error(error), Some(GetExpect::Error(expected))) => return met(error, expected),
            (_, Some(GetExpect::Error(expected))) => return unmet(expected.error.clone(), shown(answer)),
            (Answer::Ok(fields), _) => fields,
            _ => return unmet("a token", shown(answer)),
        };
        let wanted_fields = if scheme.is_empty() { 2 } else { 1 };
        if fields.len() != wanted_fields {
            return unmet(format!("{wanted_fields} fields after `ok`"), shown(answer));
        }
        let text = protocol::decode(&fields[0])?;
        let Some(value) = text.strip_prefix(scheme) else {
            return unmet(format!("a text that begins with {scheme:?}"), format!("{text:?}"));
        };
        if value.is_empty() {
            return unmet("a token", "an empty text");
        }
        self.remember_secret(value);
        // Every time is looked at, wanted or not: a shim that sends none is wrong.
        let expires_at = fields.get(1).map(|field| field.parse::<i64>().map_err(|_| format!("{field} is not a time"))).transpose()?;
        let Some(GetExpect::Token(expected)) = expect else { return Ok(()) };
        if let Some(exact) = &expected.value {
            let exact = self.bytes(exact);
            if exact != value.as_bytes() {
                return unmet(format!("the token {:?}", String::from_utf8_lossy(&exact)), format!("{value:?}"));
            }
        }
        if let (Some([least, most]), Some(expires_at)) = (expected.lifetime_ms, expires_at) {
            let left = expires_at - self.clock_ms();
            if !(least..=most).contains(&left) {
                return unmet(format!("{least} to {most} ms of life"), format!("{left} ms"));
            }
        }
        expected.token.as_ref().map_or(Ok(()), |letter| self.same_token(letter, value))
    }

    fn many_gets(&mut self, answer: &Answer, expected: &ManyExpect) -> Result<(), Stop> {
        let Answer::Many(many) = answer else { return unmet("`many` …", shown(answer)) };
        let wrong = |what: &str, wanted: &dyn std::fmt::Display| unmet(format!("{wanted} {what}"), shown(answer));
        if many.ok != expected.ok {
            return wrong("tokens", &expected.ok);
        }
        if many.failed != expected.failed.unwrap_or(0) {
            return wrong("failures", &expected.failed.unwrap_or(0));
        }
        if let Some(distinct) = expected.distinct.filter(|distinct| !distinct.holds(many.distinct)) {
            return wrong("distinct tokens", &distinct);
        }
        if expected.error.is_some() && expected.error != many.first_status {
            return wrong("as the first failure", &expected.error.as_deref().unwrap_or_default());
        }
        let Some(first) = &many.first_value else {
            return if many.ok == 0 { Ok(()) } else { wrong("as the first token", &"a text") };
        };
        self.remember_secret(first);
        expected.token.as_ref().map_or(Ok(()), |letter| self.same_token(letter, first))
    }

    fn stats(&mut self, expect: &StatsExpect) -> Result<(), Stop> {
        let answer = self.ask("stats")?;
        let Answer::Stats(figures) = &answer else { return unmet("`stats` …", shown(&answer)) };
        for (name, wanted) in &expect.stats {
            let index = STAT_NAMES.iter().position(|known| known == name);
            let got = index.and_then(|index| figures.get(index)).copied();
            if !got.is_some_and(|got| wanted.holds(got)) {
                return unmet(format!("{name}={wanted}"), shown(&answer));
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
                && !wanted.holds(got)
            {
                return unmet(format!("{wanted} {name}"), format!("{counters:?}"));
            }
        }
        expect.sent.iter().try_for_each(|sent| self.sent(sent))
    }

    fn sent(&self, expect: &Sent) -> Result<(), Stop> {
        let request = match self.world.last_request(&expect.path) {
            None if expect.nothing => return Ok(()),
            None => return unmet(format!("a request at {}", expect.path), "none"),
            Some(_) if expect.nothing => return unmet(format!("no request at {}", expect.path), "one"),
            Some(request) => request,
        };
        if expect.method.as_ref().is_some_and(|method| *method != request.method) {
            return unmet(format!("method {:?}", expect.method), request.method);
        }
        if expect.query.as_ref().is_some_and(|query| *query != request.query) {
            return unmet(format!("query {:?}", expect.query), format!("{:?}", request.query));
        }
        for (name, wanted) in &expect.headers {
            let got = request.headers.get(&name.to_ascii_lowercase()).map(|values| values.join(", "));
            let wanted = wanted.as_ref().map(|wanted| in_base64(&self.world.fill(wanted)));
            if got != wanted {
                return unmet(format!("header {name}: {wanted:?}"), format!("{got:?}"));
            }
        }
        if let Some(form) = &expect.form {
            let wanted: Vec<(String, String)> = form.iter().map(|(name, value)| (name.clone(), self.letter_or_text(value))).collect();
            let mut got: Vec<(String, String)> = url::form_urlencoded::parse(request.body.as_bytes()).into_owned().collect();
            got.sort();
            if got != wanted {
                return unmet(format!("the form {wanted:?}"), format!("{got:?}"));
            }
        }
        Ok(())
    }

    /// `{token:A}` is the token of that letter.
    fn letter_or_text(&self, text: &str) -> String {
        let letter = text.strip_prefix("{token:").and_then(|rest| rest.strip_suffix('}'));
        letter.and_then(|letter| self.letters.get(letter)).cloned().unwrap_or_else(|| self.world.fill(text))
    }

    fn same_token(&mut self, letter: &str, value: &str) -> Result<(), Stop> {
        if let Some((other, _)) = self.letters.iter().find(|(other, known)| *other != letter && *known == value) {
            return unmet(format!("token {letter}"), format!("token {other}"));
        }
        match self.letters.get(letter) {
            Some(known) if known != value => unmet(format!("token {letter}, as before"), "a token that was not seen before"),
            Some(_) => Ok(()),
            None => {
                self.letters.insert(letter.to_owned(), value.to_owned());
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
            Err(problem) => return unmet(format!("an answer to {}", cut(request)), problem),
        };
        let answer = match protocol::parse(&line) {
            Ok(answer) => answer,
            Err(problem) => return unmet(format!("an answer to {}", cut(request)), format!("{:?}: {problem}", cut(&line))),
        };
        match &answer {
            Answer::Unimplemented(reason) => return Err(Stop::Unimplemented(reason.clone())),
            Answer::Error(error) => self.presentable(error)?,
            _ => {}
        }
        Ok(answer)
    }

    /// What holds for every error in every case.
    fn presentable(&self, error: &ShimError) -> Result<(), Stop> {
        for (what, text) in [("message", &error.message), ("hint", &error.hint)] {
            if text.trim().is_empty() {
                return unmet(format!("{} with a {what}", error.name), "an empty text");
            }
            if text.len() > 4000 || text.chars().any(char::is_control) {
                return unmet(format!("{} with one short printable line as its {what}", error.name), format!("{:?}", cut(text)));
            }
            if self.secrets.iter().any(|secret| text.contains(secret.as_str())) {
                return unmet(format!("{} with a {what} that shows neither secret nor token", error.name), "one that does");
            }
        }
        Ok(())
    }

    fn bytes(&self, text: &Text) -> Vec<u8> {
        match text {
            Text::Plain(text) => self.world.fill(text).into_bytes(),
            Text::Bytes(bytes) => bytes.clone(),
            Text::Repeat { text, times } => text.repeat(*times).into_bytes(),
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

fn met(error: &ShimError, expected: &ErrorExpect) -> Result<(), Stop> {
    let got = || shown(&Answer::Error(error.clone()));
    if error.name != expected.error {
        return unmet(expected.error.clone(), got());
    }
    if let Some(status) = expected.http_status
        && status != error.http_status
    {
        return unmet(format!("{} with HTTP status {status:?}", error.name), got());
    }
    match (expected.retry_after_ms, error.retry_after_ms) {
        (None, _) | (Some(None), None) => {}
        (Some(Some([least, most])), Some(ms)) if (least..=most).contains(&ms) => {}
        (Some(wanted), _) => return unmet(format!("{} with retry_after_ms {wanted:?}", error.name), got()),
    }
    let lacking = |text: &str, wanted: &[String]| wanted.iter().find(|wanted| !text.contains(wanted.as_str())).cloned();
    if let Some(wanted) = lacking(&error.message, &expected.message_has) {
        return unmet(format!("a message with {wanted:?}"), got());
    }
    if let Some(wanted) = lacking(&error.hint, &expected.hint_has) {
        return unmet(format!("a hint with {wanted:?}"), got());
    }
    if let Some(unwanted) = expected.message_lacks.iter().find(|unwanted| error.message.contains(unwanted.as_str())) {
        return unmet(format!("a message without {unwanted:?}"), got());
    }
    Ok(())
}

/// An answer as a failure shows it: no token in clear.
fn shown(answer: &Answer) -> String {
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
        Answer::Stats(figures) => {
            STAT_NAMES.iter().zip(figures).map(|(name, figure)| format!("{name}={figure}")).collect::<Vec<_>>().join(" ")
        }
        Answer::Error(error) => format!(
            "{} (HTTP status {:?}, retry after {:?} ms): {:?}, hint {:?}",
            error.name, error.http_status, error.retry_after_ms, error.message, error.hint
        ),
        Answer::Unimplemented(reason) => format!("unimplemented: {reason}"),
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= 200 { text.to_owned() } else { text.chars().take(200).chain(" …".chars()).collect() }
}

/// Replaces `{base64:…}` by the base64 of its inside.
fn in_base64(text: &str) -> String {
    match text.split_once("{base64:").and_then(|(before, rest)| Some((before, rest.rsplit_once('}')?))) {
        Some((before, (inside, after))) => format!("{before}{}{after}", base64::engine::general_purpose::STANDARD.encode(inside)),
        None => text.to_owned(),
    }
}
