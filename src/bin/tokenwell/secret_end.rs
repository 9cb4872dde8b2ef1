//! When the secret of the account in use ends. `doctor` and `sa` ask the API and remember the answer;
//! `status` shows what is remembered, and sends no request.

use crate::form::{now_ms, rounded};
use crate::ids::profile_of;
use crate::log;
use crate::sink::file::SinkFile;
use crate::state;
use ring::hmac;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use tokenwell::Config;
use tokenwell::admin::service_accounts::{Level, SecretDescription, ServiceAccount, milliseconds};
use tokenwell::config::profiles::SecretPlace;
use tokenwell::error::{duration_text, printable};
use tokenwell::secret::Secret;

/// How soon the end of a secret is a warning.
pub(crate) const SOON: Duration = Duration::from_secs(30 * 24 * 3600);

/// How long after its end a secret is still remembered.
const KEPT: Duration = SOON;

/// The largest file of this kind.
const LARGEST: u64 = 4096;

/// The end of the secret in use, without the secret.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct SecretEnd {
    secret_id: String,
    /// As the API writes it.
    expires_at: String,
    /// The account has another secret that may be the one in use, and it ends later.
    is_ambiguous: bool,
    is_project: bool,
    level_id: String,
    /// When the API was asked.
    learned_at: String,
}

impl SecretEnd {
    /// The end of the secret `own` of the account. `None` if the API does not say it.
    ///
    /// The API shows the last characters of a secret. If they are those of both secrets, the one that ends
    /// first is assumed.
    pub(crate) fn of(account: &ServiceAccount, level: &Level, own: &Secret) -> Option<Self> {
        let candidates: Vec<_> = account.secrets.iter().filter(|secret| may_be(secret, own)).collect();
        let end = |secret: &&&SecretDescription| secret.expires_at.as_deref().and_then(milliseconds);
        let first = candidates.iter().filter(|secret| end(secret).is_some()).min_by_key(end)?;
        Some(Self {
            secret_id: first.id.clone(),
            expires_at: first.expires_at.clone()?,
            is_ambiguous: candidates.len() > 1,
            is_project: level.is_project(),
            level_id: level.id().to_owned(),
            learned_at: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        })
    }

    /// As the API writes it.
    pub(crate) fn expires_at(&self) -> &str {
        &self.expires_at
    }

    pub(crate) fn learned_at(&self) -> &str {
        &self.learned_at
    }

    /// How long it is still valid; zero after its end.
    pub(crate) fn left(&self) -> Duration {
        Duration::from_millis(milliseconds(&self.expires_at).unwrap_or_default().saturating_sub(now_ms()))
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.left().is_zero()
    }

    pub(crate) fn is_soon(&self) -> bool {
        self.left() < SOON
    }

    /// "ends in 23 h (2026-12-27T02:00:00Z)".
    pub(crate) fn text(&self) -> String {
        let when = printable(&self.expires_at, 40);
        let end =
            if self.has_ended() { format!("ended ({when})") } else { format!("ends in {} ({when})", duration_text(rounded(self.left()))) };
        let doubt = "; the account has two secrets that may be the one in use, and this is the one that ends first";
        end + if self.is_ambiguous { doubt } else { "" }
    }

    /// What to do before the end, with the ids of this account.
    pub(crate) fn advice(&self, config: &Config) -> String {
        let (flag, role) = if self.is_project { ("--project", "Project Owner") } else { ("--org", "Organization Owner") };
        let (target, place) = match profile_of(config) {
            Some(profile) if matches!(profile.secret, SecretPlace::Keyring { .. }) => (format!("keyring:{}", profile.name), ""),
            Some(profile) => (format!("profile:{}", profile.name), ""),
            None => ("TARGET".to_owned(), " TARGET is the place of the secret, for example file:PATH."),
        };
        let (level, id) = (printable(&self.level_id, 64), printable(config.client_id(), 80));
        format!(
            "Create another secret: `tokenwell sa secret add {flag} {level} {id} --to {target}`.{place} It needs {role}; --as selects the profile \
             of an account with this role. The old secret {} then ends within seven days.",
            printable(&self.secret_id, 64)
        )
    }

    /// Remembers it for `status`. With `--no-cache` nothing is written, and a failure is only logged: the next
    /// command asks again.
    pub(crate) fn remember(&self, config: &Config) {
        let Some(path) = path_for(config).filter(|_| config.cache()) else { return };
        let Some(directory) = path.parent() else { return };
        let written = state::create_private_dir(directory)
            .map_err(|error| tokenwell::error::os_reason(&error))
            .and_then(|()| serde_json::to_vec(self).map_err(|problem| problem.to_string()))
            .and_then(|json| {
                SinkFile::at(&path, 0o600).and_then(|mut file| file.replace(&json)).map_err(|failure| failure.message().unwrap_or_default())
            });
        if let Err(problem) = written {
            log::detail(&format!("the end of the secret is not remembered: {problem}"));
        }
        remove_old(directory);
    }

    /// What was remembered of this secret.
    pub(crate) fn remembered(config: &Config) -> Option<Self> {
        read(&path_for(config)?)
    }
}

fn read(path: &std::path::Path) -> Option<SecretEnd> {
    let mut content = Vec::new();
    fs::File::open(path).ok()?.take(LARGEST).read_to_end(&mut content).ok()?;
    serde_json::from_slice(&content).ok().filter(|end: &SecretEnd| milliseconds(&end.expires_at).is_some())
}

/// Removes what is known of secrets that ended long ago.
fn remove_old(directory: &std::path::Path) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let end_ms = read(&path).and_then(|end| milliseconds(&end.expires_at));
        let kept_ms = u64::try_from(KEPT.as_millis()).unwrap_or(u64::MAX);
        if end_ms.is_some_and(|end| end.saturating_add(kept_ms) < now_ms()) {
            // Another process may have removed it.
            let _ = fs::remove_file(path);
        }
    }
}

/// The file of this secret at this server. Its name is derived from the secret, like that of a record in
/// the token cache: another secret of the same account has another file.
fn path_for(config: &Config) -> Option<PathBuf> {
    let (client_id, secret) = config.credential().ok()?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let mut name = hmac::Context::with_key(&key);
    for part in ["tokenwell secret end", &config.api_base()?.origin(), &client_id] {
        name.update(part.as_bytes());
        name.update(b"\0");
    }
    let mut file = String::new();
    for byte in name.sign().as_ref().iter().take(16) {
        // A string cannot fail.
        let _ = write!(file, "{byte:02x}");
    }
    Some(state::directory().ok()?.join("secret-ends").join(file + ".json"))
}

/// Whether this may be the secret `own`, by the characters that the masked value shows.
pub(crate) fn may_be(secret: &SecretDescription, own: &Secret) -> bool {
    let shown = secret.masked_secret_value.as_deref().and_then(|masked| masked.rsplit('*').next()).unwrap_or_default();
    own.expose().ends_with(shown)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;

    fn end(secrets: serde_json::Value) -> Option<SecretEnd> {
        let account = serde_json::from_value(json!({ "clientId": "mdb_sa_id_a", "secrets": secrets })).unwrap();
        SecretEnd::of(&account, &Level::organization("0123456789abcdef01234567").unwrap(), &Secret::from("mdb_sa_sk_canary1234"))
    }

    fn secret(id: &str, masked: &str, end: &str) -> serde_json::Value {
        json!({ "id": id, "maskedSecretValue": masked, "expiresAt": end })
    }

    #[test]
    fn the_secret_in_use_is_the_one_whose_last_characters_are_shown() {
        let found = end(json!([
            secret("a", "mdb_sa_sk_****9999", "2026-01-01T00:00:00Z"),
            secret("b", "mdb_sa_sk_****1234", "2027-01-01T00:00:00Z")
        ]));

        assert_eq!(found.map(|end| (end.secret_id, end.is_ambiguous)), Some(("b".to_owned(), false)));
    }

    #[test]
    fn of_two_secrets_that_may_be_the_one_the_first_to_end_is_assumed_and_said() {
        let found = end(json!([secret("a", "****1234", "2097-01-01T00:00:00Z"), secret("b", "****", "2096-01-01T00:00:00Z")])).unwrap();

        assert!(
            found.secret_id == "b" && found.is_ambiguous && found.text().contains("two secrets that may be the one"),
            "{}",
            found.text()
        );
        assert!(!found.is_soon() && !found.has_ended());
    }

    #[test]
    fn l11_what_the_api_does_not_say_is_unknown() {
        assert_eq!(end(json!([])), None);
        assert_eq!(end(json!([secret("a", "****9999", "2096-01-01T00:00:00Z")])), None);
        assert_eq!(end(json!([{ "id": "a", "maskedSecretValue": "****1234" }])), None);
        assert_eq!(end(json!([secret("a", "****1234", "soon")])), None);
    }
}
