//! What the API sends and receives. No type has the value of a secret except [`CreatedSecret`], and
//! that one cannot be printed.

use super::network::Network;
use crate::secret::Secret;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// A service account, as the API describes it at one level.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ServiceAccount {
    /// The client id: `mdb_sa_id_` and 24 hexadecimal digits. The only name that is unique.
    pub client_id: String,
    /// The name. Names are not unique.
    #[serde(default, deserialize_with = "null_is_default")]
    pub name: String,
    /// The description.
    #[serde(default, deserialize_with = "null_is_default")]
    pub description: String,
    /// When the account was created (ISO 8601).
    #[serde(default, alias = "created", skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// The roles at the level of the request, a set. Roles that this version does not know are kept.
    #[serde(default, deserialize_with = "null_is_default")]
    pub roles: Vec<String>,
    /// The secrets, without their values. Atlas allows two.
    #[serde(default, deserialize_with = "null_is_default")]
    pub secrets: Vec<SecretDescription>,
    /// Whether Atlas itself manages the account. Older versions of the API do not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_managed: Option<bool>,
    /// The fields that this version does not know, unchanged.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A secret of an account, without its value.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SecretDescription {
    /// The id of the secret.
    pub id: String,
    /// When it was created (ISO 8601).
    #[serde(default, alias = "created", skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// When it expires (ISO 8601).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// When a token was last requested with it. Absent if it was never used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<String>,
    /// The secret with all but its last characters masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked_secret_value: Option<String>,
    /// The fields that this version does not know, unchanged.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// An entry of the API access list of an account, not of the list of a project for its clusters.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct AccessListEntry {
    /// The network in CIDR notation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cidr_block: Option<String>,
    /// The address, if the entry is for one address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
    /// When the entry was added (ISO 8601).
    #[serde(default, alias = "created", skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// When a request was last allowed by this entry.
    #[serde(default, alias = "lastUsed", skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<String>,
    /// The address of that request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_address: Option<String>,
    /// How many requests this entry has allowed.
    #[serde(default, alias = "count", skip_serializing_if = "Option::is_none")]
    pub request_count: Option<u64>,
    /// The fields that this version does not know, unchanged.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl AccessListEntry {
    /// The network of the entry, if it has the form that this version knows.
    #[must_use]
    pub fn network(&self) -> Option<Network> {
        let text = self.cidr_block.as_deref().or(self.ip_address.as_deref())?;
        Network::parse(text).ok()
    }
}

/// A project in which an account of an organization has roles.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ProjectOfAccount {
    /// The id of the project.
    #[serde(alias = "id")]
    pub group_id: String,
    /// The fields that this version does not know, unchanged.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The attributes of an account to create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewServiceAccount {
    /// 1 to 64 letters, digits, spaces and `- _ . , '`.
    pub name: String,
    /// 1 to 250 of the same characters.
    pub description: String,
    /// At least one role of the level at which the account is created.
    pub roles: Vec<String>,
    /// The lifetime of its first secret: 8 to 8760 hours. The organization may allow less.
    pub secret_expires_after_hours: u32,
}

/// The attributes of an account to change. What is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The new name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The new description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// All roles of the account at this level: the list replaces the old one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
}

/// A new account and its secret.
#[derive(Debug)]
#[non_exhaustive]
pub struct CreatedAccount {
    /// The account.
    pub account: ServiceAccount,
    /// Its secret. The API shows the value only this once.
    pub secret: CreatedSecret,
    /// Whether the reply of the first request was lost: the account was found by its id, and its first
    /// secret, which nobody knew, was replaced.
    pub recovered: bool,
}

/// A new secret with its value. `Debug` prints no secret.
#[derive(Debug)]
#[non_exhaustive]
pub struct CreatedSecret {
    /// The secret without its value.
    pub description: SecretDescription,
    /// The value, wiped when dropped.
    pub value: Secret,
    /// The ids of secrets whose reply was lost, and which were therefore deleted.
    pub replaced: Vec<String>,
}

fn null_is_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
