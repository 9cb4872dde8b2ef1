//! The proxy for a request.
//!
//! The settings `proxy` and `no_proxy` win. Without them, the proxy comes from `HTTPS_PROXY` or, if
//! that is not set, `ALL_PROXY`, unless `NO_PROXY` lists the host. The lower-case name of each
//! variable is read if the upper-case one is empty or not set. Other sources are ignored:
//! `HTTP_PROXY`, because a client of a web server can set it for CGI programs (httpoxy), and the
//! operating system's proxy settings. A server on loopback is never reached through a proxy, and
//! plain http is used for loopback only, so no secret passes a proxy unencrypted.

use crate::config::{ProxySettings, parse_proxy};
use crate::error::Error;
use std::fmt;
use std::net::IpAddr;
use url::{Host, Url};

/// A proxy for https. `Debug` omits its user and password.
#[derive(Clone)]
pub(super) struct HttpsProxy {
    url: Url,
    /// The option, variable or line of a file that sets it.
    location: String,
    /// Where a host can be added that is then reached without it: `no_proxy` or `NO_PROXY`.
    exceptions_name: &'static str,
}

impl HttpsProxy {
    /// The proxy for `target`, if any.
    pub(super) fn for_target(target: &Url, settings: &ProxySettings) -> Result<Option<Self>, Error> {
        let Some(host) = target.host().filter(|host| target.scheme() == "https" && !is_loopback(host)) else {
            return Ok(None);
        };
        let Some(value) = &settings.url else { return Ok(None) };
        if is_bypassed(&host, target.port_or_known_default(), &settings.exceptions) {
            return Ok(None);
        }
        let (location, exceptions_name) = (settings.location.clone(), settings.exceptions_name);
        match parse_proxy(value.expose()) {
            Ok(url) => Ok(Some(Self { url, location, exceptions_name })),
            Err(problem) => Err(Error::NotConfigured {
                problem: format!("the proxy for {host} cannot be used: {location} {problem}"),
                hint: format!("Set {location} to http://host:port, or add {host} to {exceptions_name} to connect without a proxy."),
            }),
        }
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Scheme, host and port, without user and password.
    pub(super) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// The option, variable or line of a file that sets it.
    pub(super) fn location(&self) -> &str {
        &self.location
    }

    /// Where a host can be added that is then reached without it: `no_proxy` or `NO_PROXY`.
    pub(super) fn exceptions_name(&self) -> &'static str {
        self.exceptions_name
    }
}

impl fmt::Debug for HttpsProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpsProxy({})", self.origin())
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// Whether the list has the host. Entries are separated by commas or blanks. `*` matches every
/// host. A name, with or without a leading dot, matches itself and all its subdomains. An address
/// matches itself, or a network if it has a `/bits` suffix. A name or an address may have a port: it
/// then matches only this port of the server. An IPv6 address with a port is in brackets.
fn is_bypassed(host: &Host<&str>, port: Option<u16>, list: &str) -> bool {
    list.split(|character: char| character == ',' || character.is_whitespace()).filter(|entry| !entry.is_empty()).any(|entry| {
        let (entry, entry_port) = without_port(entry);
        let is_port = entry_port.is_none_or(|entry_port| port.is_some() && entry_port.parse().ok() == port);
        is_port
            && (entry == "*"
                || match host {
                    Host::Domain(name) => is_same_or_subdomain(name, entry),
                    Host::Ipv4(address) => is_in(IpAddr::V4(*address), entry),
                    Host::Ipv6(address) => is_in(IpAddr::V6(*address), entry),
                })
    })
}

/// Splits an entry into its host and its port. In an IPv6 address without brackets, a colon does not
/// separate a port.
fn without_port(entry: &str) -> (&str, Option<&str>) {
    match entry.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
        _ => (entry, None),
    }
}

fn is_same_or_subdomain(name: &str, entry: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let entry = entry.trim_start_matches("*.").trim_matches('.').to_ascii_lowercase();
    name.strip_suffix(entry.as_str()).is_some_and(|rest| !entry.is_empty() && (rest.is_empty() || rest.ends_with('.')))
}

fn is_in(address: IpAddr, entry: &str) -> bool {
    let (network, bits) = match entry.split_once('/') {
        Some((network, bits)) => (network, Some(bits)),
        None => (entry, None),
    };
    let Ok(network) = network.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() else {
        return false;
    };
    match (address, network, bits.map(str::parse::<u32>)) {
        (_, _, None) => address == network,
        (IpAddr::V4(address), IpAddr::V4(network), Some(Ok(bits @ 0..=32))) => {
            same_prefix(u128::from(address.to_bits()) << 96, u128::from(network.to_bits()) << 96, bits)
        }
        (IpAddr::V6(address), IpAddr::V6(network), Some(Ok(bits @ 0..=128))) => same_prefix(address.to_bits(), network.to_bits(), bits),
        _ => false,
    }
}

fn same_prefix(one: u128, other: u128, bits: u32) -> bool {
    bits == 0 || (one ^ other) >> (128 - bits) == 0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::config::{Config, ConfigBuilder};

    /// The proxy in an environment with these variables and no other.
    fn chosen(target: &str, environment: &[(&'static str, &'static str)]) -> Result<Option<String>, Error> {
        let environment = environment.to_vec();
        let lookup = move |name: &str| environment.iter().find(|(set, _)| *set == name).map(|(_, value)| value.into());
        chosen_by(target, Config::builder().environment(lookup).from_environment(false))
    }

    fn chosen_by(target: &str, builder: ConfigBuilder) -> Result<Option<String>, Error> {
        let config = builder.client_id("mdb_sa_id_1").client_secret("secret").build()?;
        Ok(HttpsProxy::for_target(&Url::parse(target).unwrap(), &config.proxy)?.map(|proxy| proxy.url().to_string()))
    }

    #[test]
    fn i9_the_environment_names_the_proxy_of_https() {
        let target = "https://cloud.mongodb.com/api/oauth/token";
        type Environment = &'static [(&'static str, &'static str)];
        let cases: [(Environment, Option<&str>); 9] = [
            (&[], None),
            (&[("HTTPS_PROXY", "http://p.example:3128")], Some("http://p.example:3128/")),
            (&[("https_proxy", "p.example:3128")], Some("http://p.example:3128/")),
            (&[("ALL_PROXY", "https://p.example")], Some("https://p.example/")),
            (&[("all_proxy", "http://p.example")], Some("http://p.example/")),
            (&[("HTTPS_PROXY", "http://first"), ("ALL_PROXY", "http://second")], Some("http://first/")),
            (&[("HTTPS_PROXY", " "), ("ALL_PROXY", "http://second")], Some("http://second/")),
            (&[("HTTPS_PROXY", "http://p"), ("NO_PROXY", "mongodb.com")], None),
            (&[("HTTPS_PROXY", "http://p"), ("no_proxy", "example.com, .mongodb.com")], None),
        ];
        for (environment, proxy) in cases {
            assert_eq!(chosen(target, environment).unwrap().as_deref(), proxy, "{environment:?}");
        }
    }

    #[test]
    fn i9_http_proxy_is_never_looked_at() {
        for target in ["https://cloud.mongodb.com", "http://127.0.0.1:80"] {
            let environment = [("HTTP_PROXY", "http://evil.example"), ("http_proxy", "http://evil.example"), ("REQUEST_METHOD", "GET")];

            assert_eq!(chosen(target, &environment).unwrap(), None, "{target}");
        }
    }

    #[test]
    fn i9_loopback_never_goes_through_a_proxy() {
        for target in
            ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "https://127.8.9.1", "https://localhost", "https://[::1]"]
        {
            let environment = [("HTTPS_PROXY", "http://p.example"), ("ALL_PROXY", "http://p.example")];

            assert_eq!(chosen(target, &environment).unwrap(), None, "{target}");
        }
    }

    #[test]
    fn no_proxy_matches_whole_names_and_networks_only() {
        let cases = [
            ("cloud.mongodb.com", "*", true),
            ("cloud.mongodb.com", "mongodb.com", true),
            ("cloud.mongodb.com", ".MongoDB.com", true),
            ("cloud.mongodb.com", "*.mongodb.com", true),
            ("cloud.mongodb.com", "cloud.mongodb.com", true),
            ("cloud.mongodb.com", "a.example cloud.mongodb.com", true),
            ("cloud.mongodb.com", "ongodb.com", false),
            ("cloud.mongodb.com", "cloud.mongodb.com.evil.example", false),
            ("cloud.mongodb.com", "com.", true),
            ("cloud.mongodb.com", ".", false),
            ("cloud.mongodb.com", "", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.0.0.0/8", true),
            ("10.1.2.3", "10.1.2.0/31", false),
            ("10.1.2.3", "0.0.0.0/0", true),
            ("10.1.2.3", "10.0.0.0/33", false),
            ("10.1.2.3", "2.3", false),
            ("[2001:db8::1]", "2001:db8::/32", true),
            ("[2001:db8::1]", "[2001:db8::1]", true),
            ("[2001:db8::1]", "2001:db9::/32", false),
            ("[2001:db8::1]", "::/0", true),
            ("10.1.2.3", "::/0", false),
        ];
        for (host, list, bypassed) in cases {
            let url = Url::parse(&format!("https://{host}/")).unwrap();

            assert_eq!(is_bypassed(&url.host().unwrap(), Some(443), list), bypassed, "{host} in {list}");
        }
    }

    #[test]
    fn r24_an_entry_of_no_proxy_with_a_port_matches_only_this_port() {
        let cases = [
            ("https://login.example", "login.example:443", true),
            ("https://login.example:443", "login.example:443", true),
            ("https://login.example:8443", "login.example:8443", true),
            ("https://login.example:8443", "login.example:443", false),
            ("https://login.example", "login.example:8443", false),
            ("https://login.example:8443", "login.example", true),
            ("https://a.login.example:8443", "login.example:8443", true),
            ("https://a.login.example:8443", ".login.example:8443", true),
            ("https://login.example", "login.example:", false),
            ("https://login.example", "login.example:https", false),
            ("https://login.example", "other.example:443, login.example:443", true),
            ("https://10.1.2.3:8443", "10.1.2.3:8443", true),
            ("https://10.1.2.3:8443", "10.1.2.3:443", false),
            ("https://[2001:db8::1]:8443", "[2001:db8::1]:8443", true),
            ("https://[2001:db8::1]:8443", "[2001:db8::1]:443", false),
            ("https://[2001:db8::1]:8443", "2001:db8::1", true),
            ("https://[2001:db8::8443]:8443", "2001:db8::8443", true),
            ("https://login.example", "*:443", true),
            ("https://login.example", "*:80", false),
        ];
        for (target, list, bypassed) in cases {
            let url = Url::parse(target).unwrap();

            assert_eq!(is_bypassed(&url.host().unwrap(), url.port_or_known_default(), list), bypassed, "{target} in {list}");
        }
    }

    #[test]
    fn the_settings_of_the_proxy_win_over_the_variables() {
        let target = "https://login.example";
        let environment = |name: &str| match name {
            "HTTPS_PROXY" => Some("http://of-the-environment".into()),
            "NO_PROXY" => Some("login.example".into()),
            _ => None,
        };
        let builder = || Config::builder().environment(environment).from_environment(false);

        assert_eq!(chosen_by(target, builder()).unwrap(), None);
        // The exceptions belong to the proxy of the environment.
        assert_eq!(chosen_by(target, builder().proxy("http://p")).unwrap().as_deref(), Some("http://p/"));
        assert_eq!(chosen_by(target, builder().proxy("http://p").no_proxy("login.example:443")).unwrap(), None);
        assert_eq!(chosen_by(target, builder().no_proxy("other.example")).unwrap().as_deref(), Some("http://of-the-environment/"));
        assert_eq!(chosen_by("https://other.example", builder().without_proxy()).unwrap(), None);
        assert_eq!(chosen_by("https://other.example", builder().proxy("NONE")).unwrap(), None);
        assert_eq!(chosen_by("https://other.example", builder().without_environment()).unwrap(), None);
    }

    #[test]
    fn our_variables_are_read_without_a_request_and_win_over_those_of_all_programs() {
        let target = "https://login.example";
        let variables = [
            ("HTTPS_PROXY", "http://of-all"),
            ("NO_PROXY", "login.example"),
            ("TOKENWELL_PROXY", "ours:3128"),
            ("TOKENWELL_NO_PROXY", "x"),
        ];

        assert_eq!(chosen(target, &variables).unwrap().as_deref(), Some("http://ours:3128/"));
        assert_eq!(chosen(target, &[("TOKENWELL_PROXY", "none"), variables[0]]).unwrap(), None);
        assert_eq!(chosen(target, &[("TOKENWELL_PROXY", ""), variables[0]]).unwrap().as_deref(), Some("http://of-all/"));
        assert_eq!(chosen(target, &[("TOKENWELL_NO_PROXY", "*"), variables[0]]).unwrap(), None);
        // A list below the source of the proxy does not apply to it.
        let lookup = |name: &str| (name == "TOKENWELL_NO_PROXY").then(|| "*".into());
        let builder = Config::builder().environment(lookup).proxy("http://p");
        assert_eq!(chosen_by(target, builder).unwrap().as_deref(), Some("http://p/"));
    }

    #[test]
    fn a_setting_that_is_no_proxy_is_an_error_that_hides_its_password() {
        for value in ["socks5://user:canary@p", "ftp://user:canary@p", "http://user:canary@:99999", "http://"] {
            let error = chosen_by("https://login.example", Config::builder().proxy(value)).unwrap_err();

            let shown = format!("{error} {error:?} {}", error.hint());
            assert!(shown.starts_with("proxy") && !shown.contains("canary"), "{shown}");
        }
        let builder = Config::builder().proxy("http://user:canary@p.example:3128");
        let config = builder.clone().client_id("mdb_sa_id_1").client_secret("secret").build().unwrap();
        let shown = format!("{builder:?} {config:?}");
        assert!(!shown.contains("canary") && shown.contains("http://p.example:3128"), "{shown}");
    }

    #[test]
    fn i9_a_proxy_that_cannot_be_used_is_an_error_that_hides_its_password() {
        for value in
            ["socks5://user:canary@p.example", "ftp://user:canary@p.example", "http://user:canary@:99999", "http://user:canary@p:no"]
        {
            let error = chosen("https://cloud.mongodb.com", &[("HTTPS_PROXY", value)]).unwrap_err();

            let shown = format!("{error} {error:?} {}", error.hint());
            assert!(shown.contains("HTTPS_PROXY") && shown.contains("NO_PROXY"), "{shown}");
            assert!(!shown.contains("canary"), "{shown}");
            assert_eq!(error.status(), crate::error::Status::NotConfigured);
        }
    }

    #[test]
    fn i9_the_debug_text_of_a_proxy_hides_its_password() {
        let proxy = HttpsProxy {
            url: Url::parse("http://user:canary@p.example:3128").unwrap(),
            location: "HTTPS_PROXY".to_owned(),
            exceptions_name: "NO_PROXY",
        };

        assert_eq!(format!("{proxy:?}"), "HttpsProxy(http://p.example:3128)");
    }
}
