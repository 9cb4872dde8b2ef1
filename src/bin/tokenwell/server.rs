//! The server of a token. Another program must get it together with the token: with the token alone
//! it would send the token to the server that its own settings name.

use tokenwell::config::{Endpoint, settings};

/// The variable from which the Terraform provider, the Atlas CLI and MongoDB's tools read the server.
pub(crate) const BASE_URL: &str = "MONGODB_ATLAS_BASE_URL";

pub(crate) struct Server(String);

impl Server {
    pub(crate) fn of(base: &Endpoint) -> Self {
        Self(base.origin())
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.0
    }

    /// Whether a program that reads this process's environment uses another server.
    pub(crate) fn differs_from_environment(&self) -> bool {
        let named = variables().filter_map(|name| std::env::var(name).ok()).find(|value| !value.trim().is_empty());
        named.as_deref().unwrap_or(tokenwell::atlas::CLOUD).trim_end_matches('/') != self.0
    }

    pub(crate) fn is_default(&self) -> bool {
        self.0 == tokenwell::atlas::CLOUD
    }

    /// The variables of other programs that name another server.
    pub(crate) fn other_variables(&self) -> impl Iterator<Item = &'static str> {
        let is_other = |name: &&str| std::env::var(name).is_ok_and(|value| value.trim().trim_end_matches('/') != self.0);
        variables().filter(|name| *name != BASE_URL).filter(is_other)
    }
}

/// The variables of other programs for the server. tokenwell's own are not among them: a child that
/// runs tokenwell again has the account of a profile, or none.
fn variables() -> impl Iterator<Item = &'static str> {
    let base_url = settings().filter(|setting| setting.name() == "base_url");
    base_url.flat_map(|setting| setting.variables()).filter(|name| !name.starts_with("TOKENWELL_"))
}
