//! The proxy settings: which proxy connections to https servers go through, and to which servers
//! they do not.

use super::environment::{Environment, NO_PROXY_VARIABLES, PROXY_VARIABLES};
use super::setting::Key;
use super::sources::{Source, winner};
use crate::error::Error;
use crate::secret::Secret;
use std::fmt;
use url::Url;

/// The value of `proxy` for connections without a proxy.
pub(super) const NONE: &str = "none";

/// The proxy settings in effect. `Debug` shows no value: a URL may contain a password.
#[derive(Clone, Default)]
pub(crate) struct ProxySettings {
    /// The URL of the proxy. It is parsed only for a server that is reached through it.
    pub(crate) url: Option<Secret>,
    /// The option, variable or line of a file that sets the URL, for messages.
    pub(crate) location: String,
    /// The hosts that are reached without the proxy.
    pub(crate) exceptions: String,
    /// Where a host can be added to the exceptions, for messages.
    pub(crate) exceptions_name: &'static str,
}

impl ProxySettings {
    /// Finds the proxy in the `sources`, then in the variables of all programs.
    ///
    /// `no_proxy` is ignored in a source with lower precedence than the one that sets `proxy`, and
    /// `NO_PROXY` if a setting sets `proxy`: the exceptions belong to the proxy.
    pub(super) fn find(sources: &[Source], environment: &Environment) -> Result<Self, Error> {
        let naming = sources.iter().position(|source| source.get(Key::Proxy).is_some());
        let trusted = naming.map_or(sources, |index| &sources[..=index]);
        let exceptions = winner(trusted, Key::NoProxy).map(|(_, entry)| entry.value()).transpose()?;

        if let Some((source, entry)) = winner(sources, Key::Proxy) {
            let value = entry.value()?;
            return Ok(Self {
                url: (!value.eq_ignore_ascii_case(NONE)).then(|| Secret::from(value)),
                location: source.named(entry),
                exceptions: exceptions.unwrap_or_default().to_owned(),
                exceptions_name: "no_proxy",
            });
        }
        let Some((name, value)) = environment.first_set(&PROXY_VARIABLES) else { return Ok(Self::default()) };
        let from_variable = || environment.first_set(&NO_PROXY_VARIABLES).map(|(_, list)| list.to_string_lossy().into_owned());
        Ok(Self {
            url: Some(Secret::new(value.to_string_lossy().into_owned())),
            location: name.to_owned(),
            exceptions: exceptions.map(str::to_owned).or_else(from_variable).unwrap_or_default(),
            exceptions_name: if exceptions.is_some() { "no_proxy" } else { "NO_PROXY" },
        })
    }
}

impl fmt::Debug for ProxySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.url {
            Some(_) => write!(f, "a proxy (set by {})", self.location),
            None => f.write_str("no proxy"),
        }
    }
}

/// Parses the URL of a proxy. The errors do not repeat the value, because it may contain a password.
pub(crate) fn parse_proxy(value: &str) -> Result<Url, &'static str> {
    let value = value.trim();
    let url = if value.contains("://") { Url::parse(value) } else { Url::parse(&format!("http://{value}")) };
    let url = url.map_err(|_| "is not a URL")?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        "http" | "https" => Err("has no host"),
        "socks4" | "socks4a" | "socks5" | "socks5h" => Err("is a SOCKS proxy, which tokenwell does not support"),
        _ => Err("is not an http or https URL"),
    }
}

/// Returns the URL of a proxy as it may be shown: scheme, host and port.
pub(super) fn proxy_to_show(value: &str) -> String {
    match parse_proxy(value) {
        _ if value.eq_ignore_ascii_case(NONE) => NONE.to_owned(),
        Ok(url) => url.origin().ascii_serialization(),
        Err(_) => "[not shown]".to_owned(),
    }
}

/// Validates the value of `proxy`.
pub(super) fn proxy(location: &str, value: &str) -> Result<(), Error> {
    if value.eq_ignore_ascii_case(NONE) {
        return Ok(());
    }
    parse_proxy(value).map(drop).map_err(|problem| {
        Error::invalid(location, problem, "Write http://host:port or https://host:port, or none to connect without a proxy.")
    })
}
