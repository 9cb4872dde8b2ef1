//! A case as the JSON files write it. Reading is strict: what this file does not know is an error, never ignored.

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The outcome names in the order of their numbers. Written down here a second time, so that a number that moved turns a case red.
pub const STATUS_NAMES: [&str; 14] = [
    "OK",
    "INVALID_ARGUMENT",
    "NOT_CONFIGURED",
    "CREDENTIAL_REJECTED",
    "TOKEN_LIMIT",
    "RATE_LIMITED",
    "NETWORK",
    "TLS",
    "DEADLINE",
    "SERVER",
    "PROTOCOL",
    "REFUSED",
    "CLOSED",
    "INTERNAL",
];

/// The figures of `stats` in the C header's order.
pub const STAT_NAMES: [&str; 8] =
    ["hits", "waits", "refreshes", "mints", "mint_failures", "stale_served", "cooldown_answers", "invalidations"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    /// Which rule asks for this behaviour.
    pub why: String,
    #[serde(default)]
    pub config: BTreeMap<String, Option<Text>>,
    #[serde(default)]
    pub from_environment: bool,
    pub environment: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub server: Server,
    /// Language to reason.
    #[serde(default)]
    pub unimplemented: BTreeMap<String, String>,
    /// What making the client gives; without it the client must be made.
    pub client: Option<DoneExpect>,
    #[serde(default)]
    pub steps: Vec<Step>,
    #[serde(default)]
    pub expect: Traffic,
    #[serde(skip)]
    pub file: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    pub settings: Option<Value>,
    pub faults: Option<Value>,
}

/// A setting's value: text with placeholders, bytes, or a long run of one text.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub enum Text {
    Plain(String),
    Bytes(Vec<u8>),
    Repeat { text: String, times: usize },
}

#[derive(Debug, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    Token {
        min_ttl_ms: Option<u64>,
        deadline_ms: Option<u64>,
        #[serde(default)]
        force_refresh: bool,
        /// Ask again until the expectation holds: for what a refresh in the background brings.
        #[serde(default)]
        eventually: bool,
        expect: Option<GetExpect>,
    },
    Authorization {
        expect: Option<GetExpect>,
    },
    Together {
        count: u64,
        min_ttl_ms: Option<u64>,
        deadline_ms: Option<u64>,
        #[serde(default)]
        force_refresh: bool,
        expect: ManyExpect,
    },
    Loop {
        count: u64,
        expect: ManyExpect,
    },
    Invalidate {
        /// The letter of a token that was seen before …
        token: Option<String>,
        /// … or a text.
        value: Option<Text>,
        expect: Option<DoneExpect>,
    },
    Revoke {
        deadline_ms: Option<u64>,
        expect: Option<DoneExpect>,
    },
    Stats {
        #[serde(default)]
        eventually: bool,
        expect: StatsExpect,
    },
    Advance {
        ms: u64,
        #[serde(default)]
        only: Clocks,
        expect: Option<DoneExpect>,
    },
    Close {
        expect: Option<DoneExpect>,
    },
    /// A new client of the same configuration; the one before is freed.
    Client {
        expect: Option<DoneExpect>,
    },
    /// New faults or settings of the emulator.
    Server {
        faults: Option<Value>,
        settings: Option<Value>,
    },
    /// Waits until the emulator has counted at least so many token requests.
    Wait {
        token_requests: u64,
    },
    /// What the emulator has seen so far.
    Traffic {
        expect: Traffic,
    },
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Clocks {
    #[default]
    Both,
    Client,
    Server,
}

/// What one get gives: a token or an error.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Value")]
pub enum GetExpect {
    Token(TokenExpect),
    Error(ErrorExpect),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenExpect {
    /// A letter: the same letter is the same token, another letter is another token.
    pub token: Option<String>,
    /// The token's exact text.
    pub value: Option<Text>,
    /// How much life is left, by the clock of the case.
    pub lifetime_ms: Option<[i64; 2]>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorExpect {
    pub error: String,
    /// `null`: there was no reply.
    #[serde(default, deserialize_with = "present")]
    pub http_status: Option<Option<u16>>,
    /// `null`: it must not be known.
    #[serde(default, deserialize_with = "present")]
    pub retry_after_ms: Option<Option<[u64; 2]>>,
    #[serde(default)]
    pub message_has: Vec<String>,
    #[serde(default)]
    pub message_lacks: Vec<String>,
    #[serde(default)]
    pub hint_has: Vec<String>,
}

/// What a call that brings nothing gives when it fails.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct DoneExpect(pub ErrorExpect);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManyExpect {
    pub ok: u64,
    pub distinct: Option<Count>,
    pub token: Option<String>,
    pub failed: Option<u64>,
    pub error: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatsExpect {
    pub stats: BTreeMap<String, Count>,
}

/// What went over the wire.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    pub connections: Option<Count>,
    pub requests: Option<Count>,
    pub token_requests: Option<Count>,
    pub tokens_minted: Option<Count>,
    pub revoke_requests: Option<Count>,
    pub live_tokens: Option<Count>,
    #[serde(default)]
    pub sent: Vec<Sent>,
}

/// The last request at a path.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sent {
    pub path: String,
    /// No request ever came there.
    #[serde(default)]
    pub nothing: bool,
    pub method: Option<String>,
    /// `null`: none.
    #[serde(default, deserialize_with = "present")]
    pub query: Option<Option<String>>,
    /// `null`: the header must be absent. `{base64:…}` stands for the base64 of what follows.
    #[serde(default)]
    pub headers: BTreeMap<String, Option<String>>,
    /// The form's fields, decoded: exactly these, each once.
    pub form: Option<BTreeMap<String, String>>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
pub enum Count {
    Exactly(u64),
    Between([u64; 2]),
}

impl Count {
    pub fn holds(self, got: u64) -> bool {
        match self {
            Self::Exactly(count) => got == count,
            Self::Between([least, most]) => (least..=most).contains(&got),
        }
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exactly(count) => write!(f, "{count}"),
            Self::Between([least, most]) => write!(f, "{least} to {most}"),
        }
    }
}

/// Every case of every `*.json` file in `folder`, in the files' alphabetical order.
pub fn load(folder: &Path) -> Result<Vec<Case>, String> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files: Vec<_> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    files.sort();

    let mut cases = Vec::new();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).map_err(|e| format!("{name}: {e}"))?;
        cases.extend(parse(&name, &text)?);
    }
    check(&cases)?;
    Ok(cases)
}

pub fn parse(file: &str, text: &str) -> Result<Vec<Case>, String> {
    let values: Vec<Value> = serde_json::from_str(text).map_err(|e| format!("{file}: {e}"))?;
    let mut cases = Vec::with_capacity(values.len());
    for (index, value) in values.into_iter().enumerate() {
        let name = value.get("name").and_then(Value::as_str).map_or_else(|| format!("case number {}", index + 1), str::to_owned);
        let mut case: Case = serde_json::from_value(value).map_err(|e| format!("{file}: {name}: {e}"))?;
        file.clone_into(&mut case.file);
        cases.push(case);
    }
    Ok(cases)
}

/// What the types above cannot say.
pub fn check(cases: &[Case]) -> Result<(), String> {
    let mut names = BTreeSet::new();
    for case in cases {
        let refuse = |problem: &str| Err(format!("{}: {}: {problem}", case.file, case.name));
        if !names.insert(&case.name) {
            return refuse("there is another case of this name");
        }
        if case.name.is_empty() || !case.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
            return refuse("a name is lower-case letters, digits and underscores");
        }
        if case.why.trim().is_empty() {
            return refuse("`why` is empty");
        }
        if case.unimplemented.values().any(|reason| reason.trim().is_empty()) {
            return refuse("a language is excused without a reason");
        }
        if case.client.is_some() && !case.steps.is_empty() {
            return refuse("there is no client for its steps");
        }
        if case.client.is_none() && !case.expect.says_something() && !case.steps.iter().any(Step::expects_something) {
            return refuse("it expects nothing, so it cannot fail");
        }
        for (number, step) in case.steps.iter().enumerate() {
            if let Err(problem) = step.check() {
                return refuse(&format!("step {}: {problem}", number + 1));
            }
        }
        if let Some(DoneExpect(error)) = &case.client
            && let Err(problem) = error.check()
        {
            return refuse(&format!("client: {problem}"));
        }
    }
    Ok(())
}

impl Step {
    fn expects_something(&self) -> bool {
        match self {
            Self::Token { expect, .. } | Self::Authorization { expect } => expect.is_some(),
            Self::Together { .. } | Self::Loop { .. } | Self::Stats { .. } | Self::Traffic { .. } => true,
            Self::Invalidate { expect, .. }
            | Self::Revoke { expect, .. }
            | Self::Advance { expect, .. }
            | Self::Close { expect }
            | Self::Client { expect } => expect.is_some(),
            Self::Server { .. } | Self::Wait { .. } => false,
        }
    }

    fn check(&self) -> Result<(), String> {
        match self {
            Self::Token { eventually: true, expect: None, .. } => Err("`eventually` waits for an expectation".into()),
            Self::Token { expect: Some(expect), .. } | Self::Authorization { expect: Some(expect) } => match expect {
                GetExpect::Error(error) => error.check(),
                GetExpect::Token(TokenExpect { token: None, value: None, lifetime_ms: None }) => Err("an empty expectation".into()),
                GetExpect::Token(token) => token.token.as_deref().map_or(Ok(()), check_letter),
            },
            Self::Together { count, expect, .. } | Self::Loop { count, expect } => {
                if expect.ok + expect.failed.unwrap_or(0) != *count {
                    return Err("`ok` and `failed` do not add up to `count`".into());
                }
                if let Some(name) = &expect.error {
                    check_status(name)?;
                }
                expect.token.as_deref().map_or(Ok(()), check_letter)
            }
            Self::Invalidate { token, value, expect } => {
                if token.is_some() == value.is_some() {
                    return Err("name either a `token` or a `value`".into());
                }
                expect.as_ref().map_or(Ok(()), |DoneExpect(error)| error.check())
            }
            Self::Stats { expect, .. } => match expect.stats.keys().find(|name| !STAT_NAMES.contains(&name.as_str())) {
                Some(name) => Err(format!("there is no figure called {name}")),
                None if expect.stats.is_empty() => Err("an empty expectation".into()),
                None => Ok(()),
            },
            Self::Server { faults: None, settings: None } => Err("it changes nothing".into()),
            Self::Traffic { expect } if !expect.says_something() => Err("an empty expectation".into()),
            Self::Revoke { expect: Some(DoneExpect(error)), .. }
            | Self::Advance { expect: Some(DoneExpect(error)), .. }
            | Self::Close { expect: Some(DoneExpect(error)) }
            | Self::Client { expect: Some(DoneExpect(error)) } => error.check(),
            _ => Ok(()),
        }
    }
}

impl ErrorExpect {
    fn check(&self) -> Result<(), String> {
        check_status(&self.error)
    }
}

impl Traffic {
    fn says_something(&self) -> bool {
        let counts = [self.connections, self.requests, self.token_requests, self.tokens_minted, self.revoke_requests, self.live_tokens];
        counts.iter().any(Option::is_some) || !self.sent.is_empty()
    }
}

fn check_status(name: &str) -> Result<(), String> {
    if name != "OK" && STATUS_NAMES.contains(&name) { Ok(()) } else { Err(format!("there is no error called {name}")) }
}

fn check_letter(letter: &str) -> Result<(), String> {
    if letter.len() == 1 && letter.bytes().all(|b| b.is_ascii_uppercase()) {
        Ok(())
    } else {
        Err(format!("{letter} is not a capital letter"))
    }
}

impl TryFrom<Value> for Text {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Hex {
            hex: String,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Repeat {
            repeat: String,
            times: usize,
        }
        match value {
            Value::String(text) => Ok(Self::Plain(text)),
            value if value.get("hex").is_some() => {
                let Hex { hex } = serde_json::from_value(value).map_err(|e| e.to_string())?;
                crate::protocol::unhex(&hex).map(Self::Bytes).ok_or_else(|| format!("{hex} is not hexadecimal"))
            }
            value => {
                let Repeat { repeat, times } = serde_json::from_value(value).map_err(|e| e.to_string())?;
                Ok(Self::Repeat { text: repeat, times })
            }
        }
    }
}

impl TryFrom<Value> for GetExpect {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        if value.get("error").is_some() {
            serde_json::from_value(value).map(Self::Error).map_err(|e| e.to_string())
        } else {
            serde_json::from_value(value).map(Self::Token).map_err(|e| e.to_string())
        }
    }
}

/// Tells `null` from a key that is not there.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
