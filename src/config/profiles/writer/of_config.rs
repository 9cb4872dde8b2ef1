//! The profile that a configuration would be stored as.

use super::Profile;
use crate::atlas;
use crate::config::authorities::SYSTEM;
use crate::config::proxy::{NONE, parse_proxy};
use crate::config::{Authorities, ClientAuthentication, Config, is_atlas_client_id};

/// The longest certificates that are stored: the whole file is limited to 256 KiB.
const PEM_LIMIT: usize = 64 * 1024;

impl Profile {
    /// Returns the account and the network settings of `config`, without default values, and the
    /// settings that are in effect but not stored: a proxy with a password, and certificates that are
    /// too long. If the profile itself has them already, they remain in it.
    ///
    /// The proxy and the certificates of the machine (`HTTPS_PROXY`, `SSL_CERT_FILE`) are not part of
    /// a profile.
    #[must_use]
    pub fn of(config: &Config) -> (Self, Vec<&'static str>) {
        let is_set = |setting: &str| config.provenance.iter().any(|from| from.setting == setting);
        let base = config.api_base.as_ref().map(|base| base.origin());
        let default_method = if base.is_some() { ClientAuthentication::BasicRaw } else { ClientAuthentication::Auto };
        let mut omitted = Vec::new();
        let (mut ca_file, mut ca_pem) = (None, None);
        match &config.authorities {
            Authorities::File(path) => match path.to_str() {
                Some(path) => ca_file = Some(path.to_owned()),
                None => omitted.push("ca_file"),
            },
            Authorities::System if is_set("ca_file") => ca_file = Some(SYSTEM.to_owned()),
            Authorities::Pem(pem) if pem.len() <= PEM_LIMIT => ca_pem = Some(pem.clone()),
            Authorities::Pem(_) => omitted.push("ca_pem"),
            Authorities::System | Authorities::Environment { .. } => {}
        }
        let proxy = if !is_set("proxy") {
            None
        } else if let Some(url) = &config.proxy.url {
            let has_login = parse_proxy(url.expose()).is_ok_and(|url| !url.username().is_empty() || url.password().is_some());
            if has_login {
                omitted.push("proxy");
            }
            (!has_login).then(|| url.expose().to_owned())
        } else {
            Some(NONE.to_owned())
        };
        let is_in_profile =
            |setting: &&'static str| config.provenance.iter().any(|from| from.setting == *setting && from.source.starts_with("profile "));
        let (unchanged, omitted): (Vec<_>, Vec<_>) = omitted.into_iter().partition(is_in_profile);
        let profile = Self {
            client_id: config.client_id().to_owned(),
            token_url: base.is_none().then(|| config.token_endpoint.as_str().to_owned()),
            revocation_url: config
                .revocation_endpoint
                .as_ref()
                .filter(|_| is_set("revocation_url"))
                .map(|endpoint| endpoint.as_str().to_owned()),
            // Another client id is used at Atlas only if the profile says so.
            base_url: base.filter(|base| base != atlas::CLOUD || !is_atlas_client_id(config.client_id())),
            auth_method: (config.authentication != default_method).then(|| config.authentication.name().to_owned()),
            scope: config.scope.clone(),
            audience: config.audience.clone(),
            resource: config.resource.clone(),
            ca_file,
            ca_pem,
            proxy,
            no_proxy: is_set("no_proxy").then(|| config.proxy.exceptions.clone()),
            unchanged,
        };
        (profile, omitted)
    }

    /// Returns whether both have the same client id and the same server.
    #[must_use]
    pub fn is_same_account(&self, other: &super::super::ProfileEntry) -> bool {
        let same = |name: &str, value: Option<&String>| other.setting(name) == value.map(String::as_str);
        same("client_id", Some(&self.client_id))
            && self.server() == other.server()
            && same("token_url", self.token_url.as_ref())
            && same("revocation_url", self.revocation_url.as_ref())
    }

    /// Returns the base URL or the token endpoint that the secret is sent to.
    #[must_use]
    pub fn server(&self) -> &str {
        self.token_url.as_deref().or(self.base_url.as_deref()).unwrap_or(atlas::CLOUD)
    }
}
