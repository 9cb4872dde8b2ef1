//! The log of requests, for tests and people. It has no secret and no complete token.

use super::accounts::Accounts;
use super::clock::system_ms;
use serde::Serialize;
use std::collections::VecDeque;
use std::net::IpAddr;

/// The number of requests that are kept.
const KEPT: usize = 1000;
/// The number of characters of a path or a client id that are kept.
const LONGEST: usize = 256;

/// A request in the log of the emulator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LoggedRequest {
    /// The number of the request since the start or the last reset; the first one is 1.
    pub number: u64,
    /// The time by the emulator's clock, in milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// The time by the system clock.
    pub system_ms: u64,
    /// The client's address.
    pub address: IpAddr,
    /// The method, for example `POST`.
    pub method: String,
    /// The path without the query. A segment that contains a secret or a token is replaced with
    /// `…`, and the end of a long path is cut off.
    pub path: String,
    /// The client id in the credential of the request, or that of its token.
    pub client_id: Option<String>,
    /// The status of the reply; `None` if a fault aborted the connection.
    pub status: Option<u16>,
    /// Whether a fault applied.
    pub fault: bool,
}

/// The last requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RequestLog {
    /// The last requests, oldest first.
    pub requests: VecDeque<LoggedRequest>,
    /// The number of requests that are no longer in the list.
    pub dropped: u64,
}

/// What the log keeps of a request before there is a reply.
pub(super) struct Received {
    pub(super) now_ms: u64,
    pub(super) system_ms: u64,
    pub(super) address: IpAddr,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) client_id: Option<String>,
}

impl RequestLog {
    pub(super) fn add(&mut self, received: Received, status: Option<u16>, fault: bool) {
        let Received { now_ms, system_ms, address, method, path, client_id } = received;
        let number = self.dropped + self.requests.len() as u64 + 1;
        self.requests.push_back(LoggedRequest { number, now_ms, system_ms, address, method, path, client_id, status, fault });
        if self.requests.len() > KEPT {
            self.requests.pop_front();
            self.dropped += 1;
        }
    }
}

impl Received {
    pub(super) fn new(now_ms: u64, address: IpAddr, method: &str, path: &str, client_id: Option<&str>, accounts: &Accounts) -> Self {
        Self {
            now_ms,
            system_ms: system_ms(),
            address,
            method: shortened(method),
            path: shown_path(path, accounts),
            client_id: client_id.map(|id| if is_confidential(id, accounts) { "…".to_owned() } else { shortened(id) }),
        }
    }
}

fn shown_path(path: &str, accounts: &Accounts) -> String {
    let shown: Vec<_> = path.split('/').map(|segment| if is_confidential(segment, accounts) { "…" } else { segment }).collect();
    shortened(&shown.join("/"))
}

/// Returns whether `value` contains a secret or something like a token.
fn is_confidential(value: &str, accounts: &Accounts) -> bool {
    // The decoder replaces `+` too. No secret in the format of Atlas contains one.
    let decoded: String =
        url::form_urlencoded::parse(format!("v={}", value.replace(['&', '='], "%26")).as_bytes()).map(|(_, value)| value).collect();
    [value, &decoded].iter().any(|form| form.contains("mdb_sa_sk_") || form.contains("eyJ") || accounts.has_secret_in(form))
}

fn shortened(value: &str) -> String {
    match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{KEPT, Received, RequestLog, shown_path};
    use crate::emulator::accounts::Accounts;
    use std::net::{IpAddr, Ipv4Addr};

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn the_log_is_bounded_and_counts_what_it_dropped() {
        let mut log = RequestLog::default();
        for _ in 0..KEPT + 5 {
            log.add(Received::new(0, HERE, "GET", &"/a".repeat(10_000), None, &Accounts::empty()), Some(200), false);
        }

        assert_eq!((log.requests.len(), log.dropped), (KEPT, 5));
        assert_eq!(log.requests.front().map(|request| request.number), Some(6));
        assert!(log.requests.iter().all(|request| request.path.chars().count() <= 257));
    }

    #[test]
    fn secrets_and_tokens_are_not_shown() {
        let accounts = Accounts::initial(0);
        for path in ["/a/mdb_sa_sk_x/b", "/a/mdb%5Fsa%5Fsk_x/b", "/a/eyJhbGciOi.x.y/b"] {
            assert_eq!(shown_path(path, &accounts), "/a/…/b", "{path}");
        }
        assert_eq!(shown_path("/api/atlas/v2/orgs", &accounts), "/api/atlas/v2/orgs");
    }
}
