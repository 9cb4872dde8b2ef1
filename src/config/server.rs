//! The server that receives the secret, and the sources that may name its URLs.

use super::ClientAuthentication;
use super::endpoint::{DEFAULT_BASE, Endpoint};
use super::recipient::Recipient;
use super::setting::Key;
use super::sources::{Entry, Source, first};
use crate::error::Error;

/// The server that receives the secret: all its URLs and its default authentication method.
pub(super) struct Server<'a> {
    /// The entry that names the server; `None`: Atlas, by default.
    pub(super) named_by: Option<(&'a Source, &'a Entry)>,
    /// The sources that may set other URLs of this server.
    pub(super) trusted: &'a [Source],
    pub(super) token_endpoint: Endpoint,
    pub(super) revocation_endpoint: Option<Endpoint>,
    pub(super) api_base: Option<Endpoint>,
    pub(super) default_authentication: ClientAuthentication,
}

impl<'a> Server<'a> {
    pub(super) fn recipient(&self) -> Recipient {
        Recipient::new(&self.token_endpoint, self.api_base.is_some(), self.named_by.is_none())
    }

    pub(super) fn find(sources: &'a [Source]) -> Result<Self, Error> {
        let naming = sources.iter().position(|source| source.get(Key::BaseUrl).is_some() || source.get(Key::TokenUrl).is_some());
        // A source with lower precedence cannot send the secret to a second server.
        let trusted = naming.map_or(sources, |index| &sources[..=index]);
        let revocation = first(trusted, Key::RevocationUrl, Endpoint::full)?;

        let Some(source) = naming.map(|index| &sources[index]) else {
            return Ok(Self::atlas(None, trusted, Endpoint::base("base_url", DEFAULT_BASE)?, revocation));
        };
        match (source.get(Key::BaseUrl), source.get(Key::TokenUrl)) {
            (Some(base), Some(token)) => Err(Error::NotConfigured {
                problem: format!("{} and {} are both set, but each of them names the server", base.location, token.location),
                hint: format!("For MongoDB Atlas, remove {}. For another OAuth 2.0 server, remove {}.", token.location, base.location),
            }),
            (Some(base), None) => {
                Ok(Self::atlas(Some((source, base)), trusted, Endpoint::base(&base.location, base.value()?)?, revocation))
            }
            (None, Some(token)) => Ok(Self {
                named_by: Some((source, token)),
                trusted,
                token_endpoint: Endpoint::full(&token.location, token.value()?)?,
                revocation_endpoint: revocation,
                api_base: None,
                default_authentication: ClientAuthentication::Auto,
            }),
            (None, None) => Err(Error::internal("a source named the server and then did not")),
        }
    }

    fn atlas(named_by: Option<(&'a Source, &'a Entry)>, trusted: &'a [Source], base: Endpoint, revocation: Option<Endpoint>) -> Self {
        Self {
            named_by,
            trusted,
            token_endpoint: base.token_endpoint(),
            revocation_endpoint: Some(revocation.unwrap_or_else(|| base.revocation_endpoint())),
            api_base: Some(base),
            default_authentication: ClientAuthentication::BasicRaw,
        }
    }
}
