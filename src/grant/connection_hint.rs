//! The hint for a server that cannot be reached. It names the setting that the address comes from.

use super::proxy::HttpsProxy;
use crate::config::{Config, Endpoint};
use crate::error::CHECK_CONNECTION;

/// The facts about an endpoint that the hint depends on.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionHint {
    /// The option, environment variable or profile that names the server. `None`: the default,
    /// Atlas.
    source: Option<String>,
    on_loopback: bool,
    /// Whether it is Atlas or the emulator, which a base URL names.
    at_atlas: bool,
    host: String,
    proxy: Option<ProxyHint>,
}

/// The proxy that connections go through.
#[derive(Clone, Debug)]
struct ProxyHint {
    origin: String,
    /// The option, variable or line of a file that sets it.
    location: String,
    /// Where a host can be added that is then reached without it.
    exceptions_name: &'static str,
}

impl ProxyHint {
    fn of(proxy: &HttpsProxy) -> Self {
        Self { origin: proxy.origin(), location: proxy.location().to_owned(), exceptions_name: proxy.exceptions_name() }
    }
}

impl ConnectionHint {
    pub(super) fn for_endpoint(endpoint: &Endpoint, config: &Config, proxy: Option<&HttpsProxy>) -> Self {
        Self {
            source: config.server_named_by(endpoint).map(str::to_owned),
            on_loopback: endpoint.is_loopback(),
            at_atlas: config.api_base().is_some(),
            host: endpoint.url().host_str().unwrap_or_default().to_owned(),
            proxy: proxy.map(ProxyHint::of),
        }
    }

    /// `problem` of a connection that was not established. With a proxy, the connection to it or
    /// through it failed, so the result names the proxy.
    pub(super) fn problem(&self, problem: &str) -> String {
        match &self.proxy {
            Some(ProxyHint { origin, location, .. }) => {
                format!("the connection through the proxy {origin} (set by {location}) failed: {problem}")
            }
            None => problem.to_owned(),
        }
    }

    /// The proxy and what sets it: `the proxy http://p.example:3128 (set by HTTPS_PROXY)`.
    pub(super) fn proxy_name(&self) -> Option<String> {
        self.proxy.as_ref().map(|proxy| format!("the proxy {} (set by {})", proxy.origin, proxy.location))
    }

    /// The hint for a proxy that refused to connect to the server. `status`: none if its response was
    /// not HTTP.
    pub(super) fn proxy_advice(&self, status: Option<u16>, has_login: bool) -> String {
        let Some(ProxyHint { location, exceptions_name, .. }) = &self.proxy else { return String::new() };
        let host = &self.host;
        let without = format!("To connect without a proxy, add {host} to {exceptions_name}.");
        match status {
            Some(407) if has_login => format!(
                "Correct the user and password in {location}. Repeated log-ins could lock the account, so tokenwell waits 30 s before the \
                 next one. After you correct it, you do not have to wait. If the proxy offers only NTLM or Negotiate: tokenwell supports only \
                 Basic, so use a local proxy that can log in to it."
            ),
            Some(407) => format!("Set {location} to http://USER:PASSWORD@HOST:PORT. {without}"),
            Some(404 | 405 | 501) => format!("Check that {location} is the address of a proxy and not of a web server. {without}"),
            Some(400..500) => {
                format!("The proxy does not allow connections to {host}. Have it allowed there, or correct {location}. {without}")
            }
            Some(500..) => {
                format!("The proxy is in trouble or cannot reach {host}. Check the host name, and the log of the proxy. {without}")
            }
            Some(_) => format!("The proxy may require a log-in in a browser, or {location} is not the address of a proxy. {without}"),
            None => format!(
                "Check that {location} is the address of an HTTP proxy, with http:// or https:// as the proxy expects it. {without}"
            ),
        }
    }

    /// The hint for a failed connection. `was_refused`: the host rejected the connection, because
    /// no program listens on the port.
    pub(super) fn message(&self, was_refused: bool) -> String {
        if let Some(ProxyHint { location, exceptions_name, .. }) = &self.proxy {
            return format!(
                "Check that {location} is correct, that the proxy is running, and that it allows connections to {host}. To connect without \
                 a proxy, add {host} to {exceptions_name}.",
                host = self.host
            );
        }
        match &self.source {
            Some(source) if was_refused && self.on_loopback && !self.at_atlas => {
                format!("No program listens at this address, which comes from {source}. Start the server, or correct the URL.")
            }
            Some(source) if was_refused && self.on_loopback => {
                format!(
                    "No program listens at this address, which comes from {source}. If it was the emulator: start it again (`tokenwell emulator`) and load its new \
                     variables, because its port changes. To use Atlas, {}.",
                    removal(source)
                )
            }
            Some(source) => format!("{CHECK_CONNECTION} The server address comes from {source}."),
            None => CHECK_CONNECTION.to_owned(),
        }
    }

    /// The hint for a server that answered, but not with TLS.
    pub(super) fn not_tls(&self) -> String {
        match (&self.source, &self.proxy) {
            (source, _) if self.on_loopback => format!(
                "Check the port. If the server uses plain http on loopback, such as the emulator, use http:// in {}.",
                source.as_deref().map_or("its URL", without_kind)
            ),
            (_, Some(ProxyHint { origin, location, .. })) if origin.starts_with("https:") => {
                format!("Check the port. If the proxy does not use TLS, use http:// in {location}.")
            }
            _ => "Check the port. A proxy or a firewall may have answered instead of the server.".to_owned(),
        }
    }

    /// The hint for a certificate with another host name.
    pub(super) fn use_certificate_name(&self) -> String {
        match &self.source {
            Some(source) => format!("Use the host name that is in the certificate in {}.", without_kind(source)),
            None => format!("Another server may have answered. {CHECK_CONNECTION}"),
        }
    }
}

const VARIABLE: &str = "environment variable ";
const OPTION: &str = "option ";

/// The name of the environment variable or option. A profile is described.
fn without_kind(source: &str) -> &str {
    source.strip_prefix(VARIABLE).or_else(|| source.strip_prefix(OPTION)).unwrap_or(source)
}

/// The end of a sentence: how to remove the setting that names the server.
fn removal(source: &str) -> String {
    match (source.strip_prefix(VARIABLE), source.strip_prefix(OPTION)) {
        (Some(variable), _) => format!("unset {variable}"),
        (None, Some(option)) => format!("leave out {option}"),
        (None, None) => "remove the URL there".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(source: Option<&str>, on_loopback: bool) -> ConnectionHint {
        ConnectionHint { source: source.map(str::to_owned), on_loopback, at_atlas: true, host: "a.example".to_owned(), proxy: None }
    }

    #[test]
    fn a_refused_connection_on_loopback_suggests_the_emulator() {
        let message = hint(Some("option base_url"), true).message(true);

        assert!(message.contains("If it was the emulator") && message.contains("from option base_url"), "{message}");
        assert!(message.ends_with("To use Atlas, leave out base_url."), "{message}");
        let message = hint(Some("environment variable TOKENWELL_BASE_URL"), true).message(true);
        assert!(message.ends_with("To use Atlas, unset TOKENWELL_BASE_URL."), "{message}");
    }

    #[test]
    fn another_server_on_loopback_is_not_taken_for_the_emulator() {
        let message = ConnectionHint { at_atlas: false, ..hint(Some("option token_url"), true) }.message(true);

        assert!(message.contains("comes from option token_url") && !message.contains("mulator") && !message.contains("Atlas"), "{message}");
    }

    #[test]
    fn a_proxy_is_named_instead_of_the_server() {
        let (origin, location) = ("http://p.example:3128".to_owned(), "HTTPS_PROXY".to_owned());
        let proxy = Some(ProxyHint { origin, location, exceptions_name: "NO_PROXY" });
        let hint = ConnectionHint { proxy, ..hint(Some("option base_url"), false) };

        let shown = format!("{} / {}", hint.problem("connection refused"), hint.message(true));

        assert!(shown.contains("the proxy http://p.example:3128 (set by HTTPS_PROXY) failed: connection refused"), "{shown}");
        assert!(shown.contains("Check that HTTPS_PROXY is correct") && shown.contains("add a.example to NO_PROXY"), "{shown}");
        assert!(!shown.contains("base_url"), "{shown}");
    }

    #[test]
    fn every_other_failure_suggests_the_network_and_names_the_source_of_the_address() {
        for (source, on_loopback, was_refused) in
            [(Some("option base_url"), false, true), (Some("option base_url"), true, false), (None, false, true)]
        {
            let message = hint(source, on_loopback).message(was_refused);

            assert!(message.starts_with(CHECK_CONNECTION) && !message.contains("emulator"), "{message}");
            assert_eq!(message.contains("comes from option base_url"), source.is_some(), "{message}");
        }
    }
}
