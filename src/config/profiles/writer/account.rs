//! The account of a profile: its settings, and the file that its secret is written to.

use super::Profile;
use crate::config::setting::by_name;
use crate::error::Error;
use toml_edit::{DocumentMut, Item};

/// The settings of an account by name; `None` for a setting that must be absent.
pub(super) type AccountSettings = Vec<(&'static str, Option<String>)>;

/// Returns the settings of an account after validation.
pub(super) fn validated(profile: &Profile) -> Result<AccountSettings, Error> {
    let settings = [
        ("client_id", Some(&profile.client_id)),
        ("base_url", profile.base_url.as_ref()),
        ("token_url", profile.token_url.as_ref()),
        ("revocation_url", profile.revocation_url.as_ref()),
        ("auth_method", profile.auth_method.as_ref()),
        ("scope", profile.scope.as_ref()),
        ("audience", profile.audience.as_ref()),
        ("resource", profile.resource.as_ref()),
        ("ca_file", profile.ca_file.as_ref()),
        ("ca_pem", profile.ca_pem.as_ref()),
        ("proxy", profile.proxy.as_ref()),
        ("no_proxy", profile.no_proxy.as_ref()),
    ];
    if profile.base_url.is_some() && profile.token_url.is_some() {
        return Err(Error::invalid("base_url", "cannot be combined with token_url", "Set only one of the two."));
    }
    let check = |(name, text): (&'static str, Option<&String>)| {
        if let Some(text) = text {
            by_name(name)?.check(name, text.as_bytes())?;
        }
        Ok((name, text.cloned()))
    };
    settings.into_iter().filter(|(name, _)| !profile.unchanged.contains(name)).map(check).collect()
}

/// The settings that identify the owner of a secret and the servers that it is sent to.
const ACCOUNT_IDENTITY: [&str; 4] = ["client_id", "base_url", "token_url", "revocation_url"];

/// A profile before the change.
pub(super) struct PreviousProfile {
    pub(super) existed: bool,
    /// Its values of [`ACCOUNT_IDENTITY`].
    account: [Option<String>; 4],
    secret_file: Option<String>,
    /// Whether its secret is not in the keyring.
    secret_outside_keyring: bool,
}

impl PreviousProfile {
    pub(super) fn of(document: &DocumentMut, name: &str) -> Self {
        let table = document.get(name).and_then(Item::as_table_like);
        let text = |key| table.and_then(|table| table.get(key)).and_then(Item::as_str).map(str::to_owned);
        let secret_file = text("client_secret_file");
        let secret_outside_keyring = secret_file.is_some() || table.is_some_and(|table| table.contains_key("client_secret"));
        Self { existed: table.is_some(), account: ACCOUNT_IDENTITY.map(text), secret_file, secret_outside_keyring }
    }

    /// Returns the settings that identify its account.
    pub(super) fn account_settings(&self) -> AccountSettings {
        ACCOUNT_IDENTITY.into_iter().zip(self.account.iter().cloned()).collect()
    }

    pub(super) fn secret_is_in_keyring(&self) -> bool {
        self.existed && !self.secret_outside_keyring
    }

    /// Returns whether `account` has the same client id and the same server.
    pub(super) fn is_same_account(&self, account: &AccountSettings) -> bool {
        let new = |name| account.iter().find(|(setting, _)| *setting == name).and_then(|(_, text)| text.as_ref());
        self.account.iter().zip(ACCOUNT_IDENTITY).all(|(old, name)| old.as_ref() == new(name))
    }

    /// Returns the file with its secret, if tokenwell created the file for this profile.
    pub(super) fn our_secret_file(&self, name: &str) -> Option<&str> {
        let ours = |file: &&str| file.strip_prefix("secrets/").is_some_and(|file| is_secret_file(name, file));
        self.secret_file.as_deref().filter(ours)
    }
}

/// Returns the file for the secret of `account`. No other account ever has the same file, not even
/// an earlier account of this profile.
///
/// A running program continues to read the file that its profile named at the start, even after a
/// logout. If the file name contained only the name of the profile, the program would send the
/// secret of the next login to the server of the previous one.
pub(super) fn secret_file_of(name: &str, account: &AccountSettings) -> String {
    let value = |setting| account.iter().find(|(name, _)| *name == setting).and_then(|(_, text)| text.as_deref());
    let mut identity = Vec::new();
    for setting in ACCOUNT_IDENTITY {
        let text = value(setting).unwrap_or_default();
        identity.extend_from_slice(&(text.len() as u64).to_be_bytes());
        identity.extend_from_slice(text.as_bytes());
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, &identity);
    let digits: String = digest.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("secrets/{name}~{digits}")
}

/// Returns whether `file` in `secrets` contains a current or an old secret of the profile `name`.
/// The name of a profile never contains `~`.
pub(super) fn is_secret_file(name: &str, file: &str) -> bool {
    match file.strip_prefix(name) {
        Some("") => true,
        Some(rest) => rest.strip_prefix('~').is_some_and(|random| random.bytes().all(|byte| byte.is_ascii_hexdigit())),
        None => false,
    }
}
