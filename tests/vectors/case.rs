//! The JSON format of a case. Parsing is strict: an unknown key or value is an error.

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The status names in the order of their codes. They are repeated here so that a changed code
/// fails a case.
pub const STATUS_NAMES: [&str; 17] = [
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
    "PENDING",
    "NOT_CACHED",
    "CANNOT_WRITE",
];

/// The counters of `stats` in the order of the C header.
pub const STAT_NAMES: [&str; 8] =
    ["hits", "waits", "refreshes", "mints", "mint_failures", "stale_served", "cooldown_answers", "invalidations"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    /// The rule that requires this behavior.
    pub why: String,
    #[serde(default)]
    pub config: BTreeMap<String, Option<Literal>>,
    #[serde(default)]
    pub from_environment: bool,
    pub environment: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub server: Server,
    /// The reason for each language that cannot express the case.
    #[serde(default)]
    pub unimplemented: BTreeMap<String, String>,
    /// The expected error of the client's creation. If absent, the creation must succeed.
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

/// A value: a string with placeholders, bytes, or a repeated string.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub enum Literal {
    Plain(String),
    Bytes(Vec<u8>),
    Repeat { unit: String, times: usize },
}

#[derive(Debug, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    Token {
        min_ttl_ms: Option<u64>,
        deadline_ms: Option<u64>,
        #[serde(default)]
        force_refresh: bool,
        /// Repeats the request until the expectation holds, for the result of a background refresh.
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
        /// The letter of a token that was returned before …
        token: Option<String>,
        /// … or a string.
        value: Option<Literal>,
        expect: Option<DoneExpect>,
    },
    Revoke {
        deadline_ms: Option<u64>,
        expect: Option<DoneExpect>,
    },
    /// A request to the Admin API.
    Request {
        #[serde(default = "get")]
        method: String,
        path: Literal,
        version: Option<String>,
        /// The parameters in their order.
        #[serde(default)]
        query: Vec<(Literal, Literal)>,
        /// The body as a string, which may be invalid.
        body: Option<Literal>,
        max_body: Option<u64>,
        deadline_ms: Option<u64>,
        expect: RequestExpect,
    },
    Stats {
        #[serde(default)]
        eventually: bool,
        expect: StatsExpect,
    },
    /// The base URL of the API; `null`: none.
    BaseUrl {
        expect: Option<Literal>,
    },
    /// The source of each of these settings; `null`: the setting is not in effect.
    Sources {
        expect: BTreeMap<String, Option<String>>,
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
    /// Creates a new client with the same configuration. The previous one is freed.
    Client {
        expect: Option<DoneExpect>,
    },
    /// Replaces the faults or changes the settings of the emulator.
    Server {
        faults: Option<Value>,
        settings: Option<Value>,
    },
    /// Waits until the emulator has counted at least this number of token requests.
    Wait {
        token_requests: u64,
    },
    /// The traffic that the emulator has received so far.
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

/// The result of one get: a token or an error.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Value")]
pub enum GetExpect {
    Token(TokenExpect),
    Error(ErrorExpect),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenExpect {
    /// A letter. The same letter is the same token; different tokens are different tokens.
    pub token: Option<String>,
    /// The exact value of the token.
    pub value: Option<Literal>,
    /// The range of the remaining lifetime, by the clock of the case.
    pub lifetime_ms: Option<[i64; 2]>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorExpect {
    pub error: String,
    /// `null`: no reply was received.
    #[serde(default, deserialize_with = "present")]
    pub http_status: Option<Option<u16>>,
    /// `null`: must be unknown.
    #[serde(default, deserialize_with = "present")]
    pub retry_after_ms: Option<Option<[u64; 2]>>,
    /// `null`: the server sent none.
    #[serde(default, deserialize_with = "present")]
    pub oauth_code: Option<Option<String>>,
    pub is_remembered: Option<bool>,
    pub age_ms: Option<[u64; 2]>,
    pub attempts: Option<u64>,
    #[serde(default)]
    pub message_has: Vec<String>,
    #[serde(default)]
    pub message_lacks: Vec<String>,
    #[serde(default)]
    pub hint_has: Vec<String>,
}

/// The result of a request to the Admin API: a response or an error.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Value")]
pub enum RequestExpect {
    Response(ResponseExpect),
    Error(ErrorExpect),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseExpect {
    pub status: u16,
    /// `null`: the response has no such header.
    #[serde(default)]
    pub headers: BTreeMap<String, Option<String>>,
    /// The body as JSON …
    pub json: Option<Value>,
    /// … or as it is.
    pub body: Option<Literal>,
}

fn get() -> String {
    "GET".to_owned()
}

/// The expected error of a call without a result.
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

/// The expected network traffic.
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

/// The expected last request to a path.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sent {
    pub path: String,
    /// No request to this path was received.
    #[serde(default)]
    pub nothing: bool,
    pub method: Option<String>,
    /// `null`: no query.
    #[serde(default, deserialize_with = "present")]
    pub query: Option<Option<String>>,
    /// `null`: the header must be absent. `{base64:…}` is replaced with the base64 of its content.
    #[serde(default)]
    pub headers: BTreeMap<String, Option<String>>,
    /// The body as it was sent.
    pub body: Option<String>,
    /// The decoded fields of the form: exactly these, each once.
    pub form: Option<BTreeMap<String, String>>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
pub enum Count {
    Exactly(u64),
    Between([u64; 2]),
}

impl Count {
    pub fn contains(self, got: u64) -> bool {
        match self {
            Self::Exactly(count) => got == count,
            Self::Between([min, max]) => (min..=max).contains(&got),
        }
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exactly(count) => write!(f, "{count}"),
            Self::Between([min, max]) => write!(f, "{min} to {max}"),
        }
    }
}

/// Reads every case of every `*.json` file in `directory`, in the alphabetical order of the files.
pub fn load(directory: &Path) -> Result<Vec<Case>, String> {
    let entries = std::fs::read_dir(directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    let mut files: Vec<_> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    files.sort();

    let mut cases = Vec::new();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let json = std::fs::read_to_string(&file).map_err(|e| format!("{name}: {e}"))?;
        cases.extend(parse(&name, &json)?);
    }
    check(&cases)?;
    Ok(cases)
}

pub fn parse(file: &str, json: &str) -> Result<Vec<Case>, String> {
    let values: Vec<Value> = serde_json::from_str(json).map_err(|e| format!("{file}: {e}"))?;
    let mut cases = Vec::with_capacity(values.len());
    for (index, value) in values.into_iter().enumerate() {
        let name = value.get("name").and_then(Value::as_str).map_or_else(|| format!("case number {}", index + 1), str::to_owned);
        let mut case: Case = serde_json::from_value(value).map_err(|e| format!("{file}: {name}: {e}"))?;
        file.clone_into(&mut case.file);
        cases.push(case);
    }
    Ok(cases)
}

/// Checks the rules that the types above cannot express.
pub fn check(cases: &[Case]) -> Result<(), String> {
    let mut names = BTreeSet::new();
    for case in cases {
        let refuse = |problem: &str| Err(format!("{}: {}: {problem}", case.file, case.name));
        if !names.insert(&case.name) {
            return refuse("another case has this name");
        }
        if case.name.is_empty() || !case.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
            return refuse("a name must consist of lower-case letters, digits and underscores");
        }
        if case.why.trim().is_empty() {
            return refuse("`why` is empty");
        }
        if case.unimplemented.values().any(|reason| reason.trim().is_empty()) {
            return refuse("`unimplemented` has a language without a reason");
        }
        if case.client.is_some() && !case.steps.is_empty() {
            return refuse("a case with `client` cannot have steps");
        }
        if case.client.is_none() && !case.expect.has_expectation() && !case.steps.iter().any(Step::has_expectation) {
            return refuse("the case has no expectation, so it cannot fail");
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
    fn has_expectation(&self) -> bool {
        match self {
            Self::Token { expect, .. } | Self::Authorization { expect } => expect.is_some(),
            Self::Together { .. } | Self::Loop { .. } | Self::Stats { .. } | Self::Traffic { .. } => true,
            Self::BaseUrl { .. } | Self::Sources { .. } | Self::Request { .. } => true,
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
            Self::Token { eventually: true, expect: None, .. } => Err("`eventually` requires an expectation".into()),
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
                    return Err("exactly one of `token` and `value` is required".into());
                }
                expect.as_ref().map_or(Ok(()), |DoneExpect(error)| error.check())
            }
            Self::Stats { expect, .. } => match expect.stats.keys().find(|name| !STAT_NAMES.contains(&name.as_str())) {
                Some(name) => Err(format!("unknown counter {name}")),
                None if expect.stats.is_empty() => Err("an empty expectation".into()),
                None => Ok(()),
            },
            Self::Sources { expect } if expect.is_empty() => Err("an empty expectation".into()),
            Self::Server { faults: None, settings: None } => Err("neither faults nor settings".into()),
            Self::Traffic { expect } if !expect.has_expectation() => Err("an empty expectation".into()),
            Self::Request { expect: RequestExpect::Error(error), .. }
            | Self::Revoke { expect: Some(DoneExpect(error)), .. }
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
    fn has_expectation(&self) -> bool {
        let counts = [self.connections, self.requests, self.token_requests, self.tokens_minted, self.revoke_requests, self.live_tokens];
        counts.iter().any(Option::is_some) || !self.sent.is_empty()
    }
}

fn check_status(name: &str) -> Result<(), String> {
    if name != "OK" && STATUS_NAMES.contains(&name) { Ok(()) } else { Err(format!("unknown error {name}")) }
}

fn check_letter(letter: &str) -> Result<(), String> {
    if letter.len() == 1 && letter.bytes().all(|b| b.is_ascii_uppercase()) {
        Ok(())
    } else {
        Err(format!("{letter} is not a capital letter"))
    }
}

impl TryFrom<Value> for Literal {
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
            Value::String(string) => Ok(Self::Plain(string)),
            value if value.get("hex").is_some() => {
                let Hex { hex } = serde_json::from_value(value).map_err(|e| e.to_string())?;
                crate::protocol::unhex(&hex).map(Self::Bytes).ok_or_else(|| format!("{hex} is not hexadecimal"))
            }
            value => {
                let Repeat { repeat, times } = serde_json::from_value(value).map_err(|e| e.to_string())?;
                Ok(Self::Repeat { unit: repeat, times })
            }
        }
    }
}

impl TryFrom<Value> for RequestExpect {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        if value.get("error").is_some() {
            serde_json::from_value(value).map(Self::Error).map_err(|e| e.to_string())
        } else {
            serde_json::from_value(value).map(Self::Response).map_err(|e| e.to_string())
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

/// Distinguishes `null` from an absent key.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
