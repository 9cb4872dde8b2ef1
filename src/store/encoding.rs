//! A record as bytes and back: data only, never code, and nothing that its reader does not check.
//!
//! ```text
//! length of the description, 4 bytes, big-endian | description, JSON | token, to the end
//! ```
//!
//! The token stands beside the JSON and not in it, so that no parser's own buffers ever hold it.

use super::{Record, StoredCooldown, StoredToken};
use crate::error::Error;
use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use zeroize::Zeroizing;

/// The bytes of `record`, behind `ahead` zeroes for the caller to use. `None`: a text in it is longer than any record may be.
pub(super) fn encode(record: &Record, ahead: usize) -> Option<Zeroizing<Vec<u8>>> {
    let description = serde_json::to_vec(&Description::of(record)).ok()?;
    let length = u32::try_from(description.len()).ok()?;
    let token = record.token.as_ref().map_or("", |token| token.value.expose());
    // Of the right size from the start: one that grows would leave copies of the token behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(ahead + size_of::<u32>() + description.len() + token.len()));
    bytes.resize(ahead, 0);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&description);
    bytes.extend_from_slice(token.as_bytes());
    Some(bytes)
}

/// The record that `bytes` are; `None` where they are none.
pub(super) fn decode(bytes: &[u8]) -> Option<Record> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (description, token) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    let description: Description = serde_json::from_slice(description).ok()?;
    let token = std::str::from_utf8(token).ok()?;
    if description.token.is_none() && !token.is_empty() {
        return None;
    }
    Some(Record { token: description.token.map(|about| about.token(token)), cooldown: description.cooldown.and_then(Cooldown::recall) })
}

/// All of a record but the token itself.
#[derive(Serialize, Deserialize)]
struct Description {
    token: Option<AboutToken>,
    cooldown: Option<Cooldown>,
}

#[derive(Serialize, Deserialize)]
struct AboutToken {
    scope: Option<String>,
    obtained_at_ms: u64,
    expires_at_ms: u64,
    refresh_at_ms: u64,
}

#[derive(Serialize, Deserialize)]
struct Cooldown {
    refusal: Refusal,
    since_ms: u64,
    until_ms: u64,
    failures: u32,
}

/// The errors that are remembered, in a form of their own: [`Error`] may change without a change to what is on disks.
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
    /// One of a later version.
    #[serde(other)]
    Unknown,
}

impl Description {
    fn of(record: &Record) -> Self {
        Self { token: record.token.as_ref().map(AboutToken::of), cooldown: record.cooldown.as_ref().and_then(Cooldown::of) }
    }
}

impl AboutToken {
    fn of(token: &StoredToken) -> Self {
        Self {
            scope: token.scope.clone(),
            obtained_at_ms: token.obtained_at_ms,
            expires_at_ms: token.expires_at_ms,
            refresh_at_ms: token.refresh_at_ms,
        }
    }

    fn token(self, value: &str) -> StoredToken {
        StoredToken {
            value: Secret::from(value),
            scope: self.scope,
            obtained_at_ms: self.obtained_at_ms,
            expires_at_ms: self.expires_at_ms,
            refresh_at_ms: self.refresh_at_ms,
        }
    }
}

impl Cooldown {
    fn of(cooldown: &StoredCooldown) -> Option<Self> {
        let StoredCooldown { error, since_ms, until_ms, failures } = cooldown;
        Some(Self { refusal: Refusal::of(error)?, since_ms: *since_ms, until_ms: *until_ms, failures: *failures })
    }

    fn recall(self) -> Option<StoredCooldown> {
        Some(StoredCooldown { error: self.refusal.error()?, since_ms: self.since_ms, until_ms: self.until_ms, failures: self.failures })
    }
}

impl Refusal {
    /// `None` for errors that no other process may take for its own, which the cache does not share.
    fn of(error: &Error) -> Option<Self> {
        Some(match error.clone() {
            Error::RateLimited { server, description, http_status, retry_after } => {
                Self::RateLimited { server, description, http_status, retry_after_ms: milliseconds(retry_after) }
            }
            Error::TokenLimit { server, description, http_status, retry_after } => {
                Self::TokenLimit { server, description, http_status, retry_after_ms: milliseconds(retry_after) }
            }
            // Whose it is, each process says for itself.
            Error::CredentialRejected { server, client: _, code, description, http_status, advice } => {
                Self::CredentialRejected { server, code, description, http_status, advice: advice.into() }
            }
            Error::Server { server, description, http_status, retry_after } => {
                Self::Server { server, description, http_status, retry_after_ms: retry_after.map(milliseconds) }
            }
            Error::Network { server, problem, reached: true, .. } => Self::Network { server, problem },
            Error::Protocol { server, problem, http_status } => Self::Protocol { server, problem, http_status },
            Error::Refused { problem, hint, http_status } => Self::Refused { problem, hint, http_status },
            _ => return None,
        })
    }

    fn error(self) -> Option<Error> {
        Some(match self {
            Self::RateLimited { server, description, http_status, retry_after_ms } => {
                Error::RateLimited { server, description, http_status, retry_after: Duration::from_millis(retry_after_ms) }
            }
            Self::TokenLimit { server, description, http_status, retry_after_ms } => {
                Error::TokenLimit { server, description, http_status, retry_after: Duration::from_millis(retry_after_ms) }
            }
            Self::CredentialRejected { server, code, description, http_status, advice } => {
                Error::CredentialRejected { server, client: Box::default(), code, description, http_status, advice: advice.into() }
            }
            Self::Server { server, description, http_status, retry_after_ms } => {
                Error::Server { server, description, http_status, retry_after: retry_after_ms.map(Duration::from_millis) }
            }
            Self::Network { server, problem } => Error::Network { server, problem, reached: true, advice: String::new(), source: None },
            Self::Protocol { server, problem, http_status } => Error::Protocol { server, problem, http_status },
            Self::Refused { problem, hint, http_status } => Error::Refused { problem, hint, http_status },
            Self::Unknown => return None,
        })
    }
}

/// Whole milliseconds, never fewer than the server asked for.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn cooldown(error: Error) -> Record {
        Record { token: None, cooldown: Some(StoredCooldown { error, since_ms: 5, until_ms: 9, failures: 3 }) }
    }

    fn round_trip(record: &Record) -> Record {
        decode(&encode(record, 0).expect("it fits")).expect("it is a record")
    }

    fn bytes(description: &str, token: &str) -> Vec<u8> {
        let length = u32::try_from(description.len()).unwrap();
        [&length.to_be_bytes(), description.as_bytes(), token.as_bytes()].concat()
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
            },
            Error::TokenLimit { server: server.clone(), description: text.clone(), http_status: 403, retry_after: Duration::from_secs(60) },
            Error::CredentialRejected {
                server: server.clone(),
                client: Box::default(),
                code: "invalid_client".into(),
                description: text.clone(),
                http_status: 401,
                advice: text.as_str().into(),
            },
            Error::Server {
                server: server.clone(),
                description: text.clone(),
                http_status: 503,
                retry_after: Some(Duration::from_secs(2)),
            },
            Error::Server { server: server.clone(), description: String::new(), http_status: 500, retry_after: None },
            Error::Network { server: server.clone(), problem: text.clone(), reached: true, advice: String::new(), source: None },
            Error::Protocol { server, problem: text.clone(), http_status: Some(200) },
            Error::Refused { problem: text.clone(), hint: "look elsewhere".into(), http_status: Some(302) },
        ];

        for error in errors {
            let recalled = round_trip(&cooldown(error.clone())).cooldown.expect("a cooldown");

            assert_eq!(format!("{:?}", recalled.error), format!("{error:?}"));
            assert_eq!((recalled.since_ms, recalled.until_ms, recalled.failures), (5, 9, 3));
        }
    }

    #[test]
    fn a_pause_is_never_made_shorter() {
        let error = Error::RateLimited {
            server: String::new(),
            description: String::new(),
            http_status: 429,
            retry_after: Duration::from_nanos(1_000_001),
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
        let description = r#"{"token":{"scope":null,"obtained_at_ms":1,"expires_at_ms":3,"refresh_at_ms":2,"new":0},
            "cooldown":{"refusal":{"kind":"quota_of_the_moon","phase":4},"since_ms":1,"until_ms":2,"failures":1}}"#;

        let record = decode(&bytes(description, "canary")).expect("a record");

        assert!(record.cooldown.is_none());
        assert_eq!(record.token.expect("a token").value.expose(), "canary");
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
