//! What is reported about one account.

use crate::style::Style;
use crate::terminal::Cell;
use serde_json::{Value, json};
use std::time::Duration;
use tokenwell::admin::service_accounts::{AccessListEntry, SecretDescription, ServiceAccount, milliseconds};
use tokenwell::error::{duration_text, printable};

const DAY_MS: u64 = 24 * 3600 * 1000;

/// From when on something is reported.
pub(super) struct Limits {
    pub(super) now_ms: u64,
    pub(super) expiring_within: Duration,
    pub(super) unused_for: Duration,
    pub(super) is_list_required: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    SecretExpired,
    SecretExpiring,
    SecretUnused,
    NoSecret,
    AccountUnused,
    Owner,
    OpenAccessList,
    ClosedAccessList,
    Unreadable,
}

impl Kind {
    /// The stable name, for programs.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SecretExpired => "secret_expired",
            Self::SecretExpiring => "secret_expiring",
            Self::SecretUnused => "secret_unused",
            Self::NoSecret => "no_secret",
            Self::AccountUnused => "account_unused",
            Self::Owner => "owner",
            Self::OpenAccessList => "open_access_list",
            Self::ClosedAccessList => "closed_access_list",
            Self::Unreadable => "access_list_unknown",
        }
    }
}

pub(super) struct Finding {
    pub(super) kind: Kind,
    pub(super) detail: String,
}

impl Finding {
    pub(super) fn cell(&self) -> Cell {
        let style = if self.kind == Kind::SecretExpired { Style::Fail } else { Style::Warn };
        Cell::styled(style, self.kind.name())
    }
}

/// An account with its access list, or the role that is needed to read the list.
pub(super) struct Audited {
    pub(super) account: ServiceAccount,
    pub(super) list: Result<Vec<AccessListEntry>, &'static str>,
    pub(super) findings: Vec<Finding>,
}

impl Audited {
    pub(super) fn of(account: ServiceAccount, list: Result<Vec<AccessListEntry>, &'static str>, limits: &Limits) -> Self {
        let mut findings = Vec::new();
        let mut add = |kind, detail: String| findings.push(Finding { kind, detail });
        if account.secrets.is_empty() {
            add(Kind::NoSecret, "it cannot get a token".to_owned());
        }
        for secret in &account.secrets {
            secret_findings(secret, limits, &mut add);
        }
        if let Some(unused) = unused_ms(&account, limits) {
            add(Kind::AccountUnused, format!("not used for {}", days(unused)));
        }
        if let Some(owner) = account.roles.iter().find(|role| ["ORG_OWNER", "GROUP_OWNER"].contains(&role.as_str())) {
            add(Kind::Owner, format!("has the role {}", printable(owner, 80)));
        }
        match &list {
            Ok(list) if list.is_empty() && limits.is_list_required == Some(true) => {
                add(Kind::ClosedAccessList, "empty, and the organization requires a list: no request passes".to_owned());
            }
            Ok(list) if list.is_empty() => add(Kind::OpenAccessList, "empty: every address may use the API".to_owned()),
            Ok(list) => {
                if let Some(everything) = list.iter().filter_map(AccessListEntry::network).find(|network| network.is_everything()) {
                    add(Kind::OpenAccessList, format!("{everything} allows every address"));
                }
            }
            Err(_) => {}
        }
        Self { account, list, findings }
    }

    /// Whether anything needs attention. An owner is only named: an organization needs one.
    pub(super) fn has_problem(&self) -> bool {
        self.findings.iter().any(|finding| finding.kind != Kind::Owner)
    }

    /// Whether something about the account could not be read.
    pub(super) fn is_incomplete(&self) -> bool {
        self.list.is_err()
    }

    pub(super) fn json(&self) -> Value {
        let findings: Vec<_> =
            self.findings.iter().map(|finding| json!({ "kind": finding.kind.name(), "detail": finding.detail })).collect();
        json!({
            "client_id": self.account.client_id,
            "name": self.account.name,
            "roles": self.account.roles,
            "secrets": self.account.secrets,
            // Null is unknown, and an empty array is an empty list.
            "access_list": self.list.as_ref().ok(),
            "access_list_needs_role": self.list.as_ref().err(),
            "findings": findings,
        })
    }
}

fn secret_findings(secret: &SecretDescription, limits: &Limits, add: &mut impl FnMut(Kind, String)) {
    let id = printable(&secret.id, 64);
    let end = secret.expires_at.as_deref().and_then(milliseconds);
    let until_ms = limits.now_ms.saturating_add(ms(limits.expiring_within));
    match end {
        Some(end) if end <= limits.now_ms => add(Kind::SecretExpired, format!("{id} ended {} ago", days(limits.now_ms - end))),
        Some(end) if end <= until_ms => add(Kind::SecretExpiring, format!("{id} ends in {}", days(end - limits.now_ms))),
        _ => {}
    }
    let is_alive = end.is_none_or(|end| end > limits.now_ms);
    let age = secret.created_at.as_deref().and_then(milliseconds).map(|created| limits.now_ms.saturating_sub(created));
    if let Some(age) = age.filter(|age| is_alive && secret.last_used_at.is_none() && *age >= ms(limits.unused_for)) {
        add(Kind::SecretUnused, format!("{id} was never used in {}", days(age)));
    }
}

/// How long the account was not used, if that is long enough. One that was never used counts from its
/// creation, so a new account is not reported.
fn unused_ms(account: &ServiceAccount, limits: &Limits) -> Option<u64> {
    let last_used = account.secrets.iter().filter_map(|secret| milliseconds(secret.last_used_at.as_deref()?)).max();
    let since = last_used.or_else(|| milliseconds(account.created_at.as_deref()?))?;
    Some(limits.now_ms.saturating_sub(since)).filter(|unused| *unused >= ms(limits.unused_for))
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn days(ms: u64) -> String {
    let whole = if ms >= DAY_MS { ms / DAY_MS * DAY_MS } else { ms / 1000 * 1000 };
    duration_text(Duration::from_millis(whole))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn audited(account: &Value, list: Result<Value, &'static str>, is_list_required: Option<bool>) -> Vec<&'static str> {
        let account = serde_json::from_value(account.clone()).unwrap();
        let day = Duration::from_secs(24 * 3600);
        let now_ms = milliseconds("2026-11-28T00:00:00Z").unwrap();
        let limits = Limits { now_ms, expiring_within: 30 * day, unused_for: 90 * day, is_list_required };
        let list = list.map(|list| serde_json::from_value(list).unwrap());
        Audited::of(account, list, &limits).findings.iter().map(|finding| finding.kind.name()).collect()
    }

    fn account(created: &str, secret: &Value) -> Value {
        json!({ "clientId": "a", "createdAt": created, "roles": ["ORG_MEMBER"], "secrets": [secret] })
    }

    const CLOSED: &str = r#"[{"ipAddress":"192.0.2.1"}]"#;

    fn closed() -> Result<Value, &'static str> {
        Ok(serde_json::from_str(CLOSED).unwrap())
    }

    #[test]
    fn l12_a_new_account_that_was_never_used_is_not_reported_and_an_old_one_is() {
        let secret = |created: &str| json!({ "id": "s", "createdAt": created, "expiresAt": "2027-06-01T00:00:00Z" });
        for (created, expected) in [
            ("2026-11-26T00:00:00Z", &[][..]),
            ("2026-08-29T00:00:00Z", &["secret_unused", "account_unused"]),
            ("2026-08-31T00:00:00Z", &[]),
        ] {
            assert_eq!(audited(&account(created, &secret(created)), closed(), None), expected, "{created}");
        }
    }

    #[test]
    fn the_end_and_the_last_use_of_a_secret_are_reported() {
        let used = |end: &str, used: &str| {
            let secret = json!({ "id": "s", "createdAt": "2026-01-01T00:00:00Z", "expiresAt": end, "lastUsedAt": used });
            audited(&account("2026-01-01T00:00:00Z", &secret), closed(), None)
        };
        assert_eq!(used("2026-12-20T00:00:00Z", "2026-11-27T00:00:00Z"), ["secret_expiring"]);
        assert_eq!(used("2026-11-20T00:00:00Z", "2026-11-19T00:00:00Z"), ["secret_expired"]);
        assert_eq!(used("2027-12-20T00:00:00Z", "2026-08-01T00:00:00Z"), ["account_unused"]);
        assert_eq!(used("2027-12-20T00:00:00Z", "2026-11-27T00:00:00Z"), Vec::<&str>::new());
    }

    #[test]
    fn l11_an_unknown_list_is_neither_open_nor_closed() {
        let secret = json!({ "id": "s", "expiresAt": "2027-12-20T00:00:00Z", "lastUsedAt": "2026-11-27T00:00:00Z" });
        let account = account("2026-11-01T00:00:00Z", &secret);
        assert_eq!(audited(&account, Err("a role"), None), Vec::<&str>::new());
        assert_eq!(audited(&account, Ok(json!([])), None), ["open_access_list"]);
        assert_eq!(audited(&account, Ok(json!([])), Some(true)), ["closed_access_list"]);
        assert_eq!(audited(&account, Ok(json!([{ "cidrBlock": "0.0.0.0/0" }])), Some(true)), ["open_access_list"]);
    }
}
