//! A record as bytes and back: data only, and nothing that the reader does not check.
//!
//! ```text
//! length of the description, 4 bytes, big-endian | description, JSON | token, to the end
//! ```
//!
//! The token follows the JSON instead of being part of it, so that no buffer of a JSON parser ever
//! holds it.
//!
//! Members that this version does not know are kept when a record is written again, because old and
//! new versions share one cache (`docs/token-cache.md`).

use super::{Record, RejectedTokens, StoredCooldown, StoredMethods, StoredProxyRejection, StoredToken, UnknownMembers};
use crate::error::{Error, Exchange};
use crate::secret::Secret;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use std::collections::BTreeMap;
use std::time::Duration;
use zeroize::Zeroizing;

/// Encodes `record`, after `ahead` zero bytes for the caller to fill. Returns `None` if its
/// description is longer than a record may be.
pub(super) fn encode(record: &Record, ahead: usize) -> Option<Zeroizing<Vec<u8>>> {
    let description = serde_json::to_vec(&Description::of(record)?).ok()?;
    let length = u32::try_from(description.len()).ok()?;
    let token = record.token.as_ref().map_or("", |token| token.value.expose());
    // Allocated at its final size: a buffer that grows would leave copies of the token in freed
    // memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(ahead + size_of::<u32>() + description.len() + token.len()));
    bytes.resize(ahead, 0);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&description);
    bytes.extend_from_slice(token.as_bytes());
    Some(bytes)
}

/// Decodes a record. Returns `None` if `bytes` do not encode one.
pub(super) fn decode(bytes: &[u8]) -> Option<Record> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (description, token) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    let description: Description = serde_json::from_slice(description).ok()?;
    let value = std::str::from_utf8(token).ok()?;
    if description.token.is_none() && !value.is_empty() {
        return None;
    }
    let token = match description.token {
        Some(described) => Some(serde_json::from_str::<TokenDescription>(described.get()).ok()?.token(value)),
        None => None,
    };
    let (cooldown, unknown_cooldown) = match description.cooldown {
        Some(described) => match serde_json::from_str::<Cooldown>(described.get()).ok()?.stored() {
            Some(cooldown) => (Some(cooldown), None),
            None => (None, Some(described)),
        },
        None => (None, None),
    };
    let mut unknown = description.unknown;
    let last_mint_ms = take_if_known(&mut unknown, "last_mint_ms");
    let rejected_tokens = take_if_known::<Rejections>(&mut unknown, "rejected_tokens").map(Rejections::tokens);
    let proxy_rejection = unknown.get(PROXY_REJECTION).and_then(|described| ProxyRejection::parse(described));
    if proxy_rejection.is_some() {
        unknown.remove(PROXY_REJECTION);
    }
    let proxy_rejection = proxy_rejection.map(Box::new);
    let methods_tried = take_if_known::<Methods>(&mut unknown, METHODS_TRIED).map(Methods::stored);
    let unknown = UnknownMembers(unknown);
    Some(Record { token, cooldown, last_mint_ms, rejected_tokens, proxy_rejection, methods_tried, unknown, unknown_cooldown })
}

/// All of a record except the token itself.
#[derive(Serialize)]
struct Description {
    token: Option<Box<RawValue>>,
    cooldown: Option<Box<RawValue>>,
    #[serde(flatten)]
    unknown: Members,
}

/// The members of a JSON object as they were written. `serde(flatten)` on its own would parse and
/// reformat the values that are only carried along.
type Members = BTreeMap<String, Box<RawValue>>;

#[derive(Serialize)]
struct TokenDescription {
    scope: Option<String>,
    obtained_at_ms: u64,
    expires_at_ms: u64,
    refresh_at_ms: u64,
    #[serde(flatten)]
    unknown: Members,
}

#[derive(Serialize)]
struct Cooldown {
    refusal: Refusal,
    since_ms: u64,
    until_ms: u64,
    failures: u32,
    /// The requests that led to the refusal. Absent in the records of earlier versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    /// The error code that the server sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    oauth_code: Option<String>,
    #[serde(flatten)]
    unknown: Members,
}

#[derive(Serialize)]
struct Rejections {
    since_ms: u64,
    until_ms: u64,
    count: u32,
    last: String,
    #[serde(flatten)]
    unknown: Members,
}

/// The member of a record that contains the rejected log-in. A version that does not know it keeps it.
const PROXY_REJECTION: &str = "proxy_rejection";

#[derive(Serialize, Deserialize)]
struct ProxyRejection {
    login: String,
    since_ms: u64,
    until_ms: u64,
}

/// The member of a record about authentication methods. A version that does not know it keeps it.
const METHODS_TRIED: &str = "auth_method";

#[derive(Serialize, Deserialize)]
struct Methods {
    accepted: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rejected: Option<String>,
    tried_at_ms: u64,
}

impl Methods {
    fn of(tried: &StoredMethods) -> Self {
        Self { accepted: tried.accepted.clone(), rejected: tried.rejected.clone(), tried_at_ms: tried.tried_at_ms }
    }

    fn stored(self) -> StoredMethods {
        StoredMethods { accepted: self.accepted, rejected: self.rejected, tried_at_ms: self.tried_at_ms }
    }
}

impl ProxyRejection {
    fn of(rejection: &StoredProxyRejection) -> Self {
        Self { login: rejection.login.clone(), since_ms: rejection.since_ms, until_ms: rejection.until_ms }
    }

    fn parse(described: &RawValue) -> Option<StoredProxyRejection> {
        let Self { login, since_ms, until_ms } = serde_json::from_str(described.get()).ok()?;
        Some(StoredProxyRejection { login, since_ms, until_ms })
    }
}

impl<'de> Deserialize<'de> for Description {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut members = Members::deserialize(deserializer)?;
        let mut present = |name| members.remove(name).filter(|value| value.get() != "null");
        let (token, cooldown) = (present("token"), present("cooldown"));
        Ok(Self { token, cooldown, unknown: members })
    }
}

impl<'de> Deserialize<'de> for TokenDescription {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut members = Members::deserialize(deserializer)?;
        Ok(Self {
            scope: take(&mut members, "scope")?,
            obtained_at_ms: take(&mut members, "obtained_at_ms")?,
            expires_at_ms: take(&mut members, "expires_at_ms")?,
            refresh_at_ms: take(&mut members, "refresh_at_ms")?,
            unknown: members,
        })
    }
}

impl<'de> Deserialize<'de> for Cooldown {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut members = Members::deserialize(deserializer)?;
        Ok(Self {
            refusal: take(&mut members, "refusal")?,
            since_ms: take(&mut members, "since_ms")?,
            until_ms: take(&mut members, "until_ms")?,
            failures: take(&mut members, "failures")?,
            attempts: take(&mut members, "attempts")?,
            oauth_code: take(&mut members, "oauth_code")?,
            unknown: members,
        })
    }
}

impl<'de> Deserialize<'de> for Rejections {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut members = Members::deserialize(deserializer)?;
        Ok(Self {
            since_ms: take(&mut members, "since_ms")?,
            until_ms: take(&mut members, "until_ms")?,
            count: take(&mut members, "count")?,
            last: take(&mut members, "last")?,
            unknown: members,
        })
    }
}

/// Removes a member of the description and returns it. A value that this version does not understand
/// stays where it is, so that it is kept.
fn take_if_known<T: DeserializeOwned>(members: &mut Members, name: &'static str) -> Option<T> {
    let value = serde_json::from_str(members.get(name)?.get()).ok()?;
    members.remove(name);
    Some(value)
}

/// Removes a known member from `members` and parses it. A missing member counts as `null`.
fn take<T: DeserializeOwned, E: serde::de::Error>(members: &mut Members, name: &'static str) -> Result<T, E> {
    let value = members.remove(name);
    serde_json::from_str(value.as_ref().map_or("null", |value| value.get())).map_err(E::custom)
}

/// The errors that are shared. The representation is separate from [`Error`], which may change
/// without changing the file format.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Refusal {
    RateLimited {
        server: String,
        description: String,
        http_status: u16,
        retry_after_ms: u64,
    },
    TokenLimit {
        server: String,
        description: String,
        http_status: u16,
        retry_after_ms: u64,
    },
    CredentialRejected {
        server: String,
        code: String,
        description: String,
        http_status: u16,
        #[serde(default)]
        advice: String,
    },
    Server {
        server: String,
        description: String,
        http_status: u16,
        retry_after_ms: Option<u64>,
    },
    Network {
        server: String,
        problem: String,
    },
    Protocol {
        server: String,
        problem: String,
        http_status: Option<u16>,
    },
    Refused {
        problem: String,
        hint: String,
        http_status: Option<u16>,
    },
    /// A kind that a later version added.
    #[serde(other)]
    Unknown,
}

impl Description {
    fn of(record: &Record) -> Option<Self> {
        let cooldown = match record.cooldown.as_ref().and_then(Cooldown::of) {
            Some(cooldown) => Some(to_raw_value(&cooldown).ok()?),
            None => record.unknown_cooldown.clone(),
        };
        let token = match &record.token {
            Some(token) => Some(to_raw_value(&TokenDescription::of(token)).ok()?),
            None => None,
        };
        let mut unknown = record.unknown.0.clone();
        if let Some(ms) = record.last_mint_ms {
            unknown.insert("last_mint_ms".to_owned(), to_raw_value(&ms).ok()?);
        }
        if let Some(rejected) = &record.rejected_tokens {
            unknown.insert("rejected_tokens".to_owned(), to_raw_value(&Rejections::of(rejected)).ok()?);
        }
        if let Some(tried) = &record.methods_tried {
            unknown.insert(METHODS_TRIED.to_owned(), to_raw_value(&Methods::of(tried)).ok()?);
        }
        if let Some(rejection) = &record.proxy_rejection {
            unknown.insert(PROXY_REJECTION.to_owned(), to_raw_value(&ProxyRejection::of(rejection)).ok()?);
        }
        Some(Self { token, cooldown, unknown })
    }
}

impl Rejections {
    fn of(rejected: &RejectedTokens) -> Self {
        let RejectedTokens { since_ms, until_ms, count, last, unknown } = rejected;
        Self { since_ms: *since_ms, until_ms: *until_ms, count: *count, last: last.clone(), unknown: unknown.0.clone() }
    }

    fn tokens(self) -> RejectedTokens {
        let Self { since_ms, until_ms, count, last, unknown } = self;
        RejectedTokens { since_ms, until_ms, count, last, unknown: UnknownMembers(unknown) }
    }
}

impl TokenDescription {
    fn of(token: &StoredToken) -> Self {
        Self {
            scope: token.scope.clone(),
            obtained_at_ms: token.obtained_at_ms,
            expires_at_ms: token.expires_at_ms,
            refresh_at_ms: token.refresh_at_ms,
            unknown: token.unknown.0.clone(),
        }
    }

    fn token(self, value: &str) -> StoredToken {
        StoredToken {
            value: Secret::from(value),
            scope: self.scope,
            obtained_at_ms: self.obtained_at_ms,
            expires_at_ms: self.expires_at_ms,
            refresh_at_ms: self.refresh_at_ms,
            unknown: UnknownMembers(self.unknown),
        }
    }
}

impl Cooldown {
    fn of(cooldown: &StoredCooldown) -> Option<Self> {
        let StoredCooldown { error, since_ms, until_ms, failures, unknown } = cooldown;
        Some(Self {
            refusal: Refusal::of(error)?,
            since_ms: *since_ms,
            until_ms: *until_ms,
            failures: *failures,
            attempts: Some(error.attempts()).filter(|attempts| *attempts != 0),
            oauth_code: error.oauth_code().map(str::to_owned),
            unknown: unknown.0.clone(),
        })
    }

    /// `None` if the refusal is of a kind that only a later version knows.
    fn stored(self) -> Option<StoredCooldown> {
        let Self { refusal, since_ms, until_ms, failures, attempts, oauth_code, unknown } = self;
        let exchange = Exchange::new(attempts.unwrap_or(0), oauth_code.as_deref());
        Some(StoredCooldown {
            error: refusal.error()?.with_exchange(exchange),
            since_ms,
            until_ms,
            failures,
            unknown: UnknownMembers(unknown),
        })
    }
}

impl Refusal {
    /// `None` for errors that concern only the process that met them, which are not shared.
    fn of(error: &Error) -> Option<Self> {
        Some(match error.clone() {
            Error::RateLimited { server, description, http_status, retry_after, .. } => {
                Self::RateLimited { server, description, http_status, retry_after_ms: milliseconds(retry_after) }
            }
            Error::TokenLimit { server, description, http_status, retry_after, .. } => {
                Self::TokenLimit { server, description, http_status, retry_after_ms: milliseconds(retry_after) }
            }
            // Each process names its own client id and where it came from.
            Error::CredentialRejected { server, client: _, code, description, http_status, advice, exchange: _ } => {
                Self::CredentialRejected { server, code: code.into(), description, http_status, advice: advice.into() }
            }
            Error::Server { server, description, http_status, retry_after, .. } => {
                Self::Server { server, description, http_status, retry_after_ms: retry_after.map(milliseconds) }
            }
            Error::Network { server, problem, reached: true, .. } => Self::Network { server, problem },
            Error::Protocol { server, problem, http_status, .. } => Self::Protocol { server, problem, http_status },
            Error::Refused { problem, hint, http_status, .. } => Self::Refused { problem, hint, http_status },
            _ => return None,
        })
    }

    fn error(self) -> Option<Error> {
        Some(match self {
            Self::RateLimited { server, description, http_status, retry_after_ms } => Error::RateLimited {
                server,
                description,
                http_status,
                retry_after: Duration::from_millis(retry_after_ms),
                exchange: Exchange::default(),
            },
            Self::TokenLimit { server, description, http_status, retry_after_ms } => Error::TokenLimit {
                server,
                description,
                http_status,
                retry_after: Duration::from_millis(retry_after_ms),
                exchange: Exchange::default(),
            },
            Self::CredentialRejected { server, code, description, http_status, advice } => Error::CredentialRejected {
                server,
                client: Box::default(),
                code: code.into(),
                description,
                http_status,
                advice: advice.into(),
                exchange: Exchange::default(),
            },
            Self::Server { server, description, http_status, retry_after_ms } => Error::Server {
                server,
                description,
                http_status,
                retry_after: retry_after_ms.map(Duration::from_millis),
                exchange: Exchange::default(),
            },
            Self::Network { server, problem } => {
                Error::Network { server, problem, reached: true, advice: String::new(), source: None, exchange: Exchange::default() }
            }
            Self::Protocol { server, problem, http_status } => {
                Error::Protocol { server, problem, http_status, exchange: Exchange::default() }
            }
            Self::Refused { problem, hint, http_status } => Error::Refused { problem, hint, http_status, exchange: Exchange::default() },
            Self::Unknown => return None,
        })
    }
}

/// Whole milliseconds, rounded up: a pause is never shorter than the server requested.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn cooldown(error: Error) -> Record {
        Record::default().with_cooldown(StoredCooldown { error, since_ms: 5, until_ms: 9, failures: 3, unknown: UnknownMembers::default() })
    }

    fn round_trip(record: &Record) -> Record {
        decode(&encode(record, 0).expect("it fits")).expect("it is a record")
    }

    fn bytes(description: &str, token: &str) -> Vec<u8> {
        let length = u32::try_from(description.len()).unwrap();
        [&length.to_be_bytes(), description.as_bytes(), token.as_bytes()].concat()
    }

    #[test]
    fn what_is_known_about_the_methods_is_shared() {
        let methods = |accepted: Option<&str>, rejected: Option<&str>| StoredMethods {
            accepted: accepted.map(str::to_owned),
            rejected: rejected.map(str::to_owned),
            tried_at_ms: 7,
        };
        for tried in [
            methods(Some("client_secret_post"), None),
            methods(Some("of_a_later_version"), None),
            methods(None, Some("client_secret_basic")),
            methods(None, None),
        ] {
            let read = round_trip(&Record::default().with_methods_tried(Some(tried.clone())));
            assert_eq!((read.methods_tried.as_ref(), read.unknown.names().count()), (Some(&tried), 0));
            assert_eq!(read.with_methods_tried(None).methods_tried, Some(tried));
        }
        let later = decode(&bytes(r#"{"auth_method":["something", "new"]}"#, "")).unwrap();
        assert_eq!(later.methods_tried, None);
        assert_eq!(round_trip(&later).unknown.names().collect::<Vec<_>>(), ["auth_method"]);
    }

    #[test]
    fn r28_the_attempts_and_the_code_of_the_server_are_shared() {
        let error = |exchange| Error::RateLimited {
            server: "https://cloud.mongodb.com".into(),
            description: String::new(),
            http_status: 429,
            retry_after: Duration::from_secs(1),
            exchange,
        };

        let shared = round_trip(&cooldown(error(Exchange::new(3, Some("slow_down"))))).cooldown.unwrap();
        assert_eq!((shared.error.attempts(), shared.error.oauth_code()), (3, Some("slow_down")));
        assert_eq!(shared.unknown.names().count(), 0);

        // A record of an earlier version has neither.
        let earlier = round_trip(&cooldown(error(Exchange::default()))).cooldown.unwrap();
        assert_eq!((earlier.error.attempts(), earlier.error.oauth_code()), (0, None));
    }

    #[test]
    fn every_error_that_is_remembered_comes_back_as_it_was() {
        let (server, text) = ("https://cloud.mongodb.com".to_owned(), "slow \"down\"".to_owned());
        let errors = [
            Error::RateLimited {
                server: server.clone(),
                description: text.clone(),
                http_status: 429,
                retry_after: Duration::from_millis(30_001),
                exchange: Exchange::default(),
            },
            Error::TokenLimit {
                server: server.clone(),
                description: text.clone(),
                http_status: 403,
                retry_after: Duration::from_secs(60),
                exchange: Exchange::default(),
            },
            Error::CredentialRejected {
                server: server.clone(),
                client: Box::default(),
                code: "invalid_client".into(),
                description: text.clone(),
                http_status: 401,
                advice: text.as_str().into(),
                exchange: Exchange::default(),
            },
            Error::Server {
                server: server.clone(),
                description: text.clone(),
                http_status: 503,
                retry_after: Some(Duration::from_secs(2)),
                exchange: Exchange::default(),
            },
            Error::Server {
                server: server.clone(),
                description: String::new(),
                http_status: 500,
                retry_after: None,
                exchange: Exchange::default(),
            },
            Error::Network {
                server: server.clone(),
                problem: text.clone(),
                reached: true,
                advice: String::new(),
                source: None,
                exchange: Exchange::default(),
            },
            Error::Protocol { server, problem: text.clone(), http_status: Some(200), exchange: Exchange::default() },
            Error::Refused { problem: text.clone(), hint: "look elsewhere".into(), http_status: Some(302), exchange: Exchange::default() },
        ];

        for error in errors {
            let recalled = round_trip(&cooldown(error.clone())).cooldown.expect("a cooldown");

            assert_eq!(format!("{:?}", recalled.error), format!("{error:?}"));
            assert_eq!((recalled.since_ms, recalled.until_ms, recalled.failures), (5, 9, 3));
        }
    }

    #[test]
    fn a_rejected_log_in_comes_back_as_it_was_beside_the_rest() {
        let rejection = StoredProxyRejection { login: "0badcafe".into(), since_ms: 5, until_ms: 9 };
        let record = decode(&bytes(LATER, "canary")).expect("a record").with_proxy_rejection(rejection);

        let recalled = round_trip(&record).proxy_rejection.expect("a rejected log-in");

        assert_eq!((recalled.login.as_str(), recalled.since_ms, recalled.until_ms), ("0badcafe", 5, 9));
        assert_eq!(rewritten(&record)["proxy_rejection"]["until_ms"], 9);
        assert_eq!(record.unknown.names().collect::<Vec<_>>(), ["auth_method", "lock_counter"]);
    }

    #[test]
    fn a_pause_is_never_made_shorter() {
        let error = Error::RateLimited {
            server: String::new(),
            description: String::new(),
            http_status: 429,
            retry_after: Duration::from_nanos(1_000_001),
            exchange: Exchange::default(),
        };

        let recalled = round_trip(&cooldown(error)).cooldown.expect("a cooldown");

        assert_eq!(recalled.error.retry_after(), Some(Duration::from_millis(2)));
    }

    #[test]
    fn an_error_of_the_caller_is_not_shared() {
        assert!(round_trip(&cooldown(Error::Closed)).cooldown.is_none());
    }

    #[test]
    fn a_refusal_of_a_later_version_is_no_cooldown_and_costs_no_token() {
        let record = decode(&bytes(LATER, "canary")).expect("a record");

        assert!(record.cooldown.is_none());
        assert_eq!(record.token.expect("a token").value.expose(), "canary");
    }

    /// As a later version may write it, with numbers that a parser would round.
    const LATER: &str = r#"{"token":{"scope":null,"obtained_at_ms":1,"expires_at_ms":3,"refresh_at_ms":2,"issuer":{"a":[1.10,  2]}},
        "cooldown":{"refusal":{"kind":"quota_of_the_moon","phase":4},"since_ms":1,"until_ms":2,"failures":1},
        "lock_counter":123456789012345678901234567890,"auth_method":null}"#;

    /// The JSON of a record after it was read and written by this version.
    fn rewritten(record: &Record) -> serde_json::Value {
        let bytes = encode(record, 0).expect("it fits");
        let length = u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
        let json = std::str::from_utf8(&bytes[4..4 + length]).unwrap();
        assert!(json.contains("123456789012345678901234567890"), "{json}");
        serde_json::from_str(json).unwrap()
    }

    fn new_token() -> StoredToken {
        let (value, unknown) = (Secret::from("new"), UnknownMembers::default());
        StoredToken { value, scope: None, obtained_at_ms: 4, expires_at_ms: 6, refresh_at_ms: 5, unknown }
    }

    #[test]
    fn members_of_a_later_version_are_kept_byte_for_byte() {
        let record = decode(&bytes(LATER, "canary")).expect("a record");

        let rewritten = rewritten(&record);

        assert_eq!(record.unknown.names().collect::<Vec<_>>(), ["auth_method", "lock_counter"]);
        assert_eq!(rewritten["cooldown"]["refusal"]["phase"], 4);
        let bytes = encode(&record, 0).unwrap();
        let again = decode(&bytes).expect("a record");
        assert_eq!(*encode(&again, 0).unwrap(), *bytes);
        let json = String::from_utf8_lossy(&bytes).into_owned();
        assert!(json.contains(r#""issuer":{"a":[1.10,  2]}"#) && json.contains(r#""auth_method":null"#), "{json}");
    }

    #[test]
    fn a_new_token_keeps_the_records_unknown_members_and_drops_those_of_the_old_token_and_of_the_refusal() {
        let json = rewritten(&decode(&bytes(LATER, "canary")).expect("a record").with_new_token(new_token()));

        assert!(json["token"].get("issuer").is_none(), "{json}");
        assert!(json["cooldown"].is_null(), "{json}");
    }

    #[test]
    fn a_token_that_is_dropped_and_a_refusal_that_is_added_leave_the_rest_as_it_is() {
        let later = || decode(&bytes(LATER, "canary")).expect("a record");

        let json = rewritten(&later().without_token());
        assert!(json["token"].is_null() && json["cooldown"]["refusal"]["kind"] == "quota_of_the_moon", "{json}");

        let known = cooldown(Error::Server {
            server: String::new(),
            description: String::new(),
            http_status: 500,
            retry_after: None,
            exchange: Exchange::default(),
        });
        let json = rewritten(&later().with_cooldown(known.cooldown.unwrap()));
        assert!(json["token"]["issuer"].is_object() && json["cooldown"]["refusal"]["kind"] == "server", "{json}");
    }

    #[test]
    fn bytes_that_are_no_record_are_refused() {
        let empty = r#"{"token":null,"cooldown":null}"#;
        assert!(decode(&bytes(empty, "")).is_some());

        assert!(decode(&bytes(empty, "a token that nothing is known of")).is_none());
        assert!(decode(&[0xff, 0xff, 0xff, 0xff, b'{', b'}']).is_none());
        assert!(decode(&[0, 0]).is_none());
        assert!(decode(&[]).is_none());
        assert!(decode(&bytes("{}extra", "")).is_none());
        let token = r#"{"token":{"scope":null,"obtained_at_ms":1,"expires_at_ms":3,"refresh_at_ms":2},"cooldown":null}"#;
        assert!(decode(&[bytes(token, "").as_slice(), &[0xc3, 0x28]].concat()).is_none());
    }
}
