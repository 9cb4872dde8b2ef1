//! The proxy for a request.
//!
//! The proxy comes from `HTTPS_PROXY` or, if that is not set, `ALL_PROXY`, unless `NO_PROXY` lists
//! the host. The lower-case name of each variable is read if the upper-case one is empty or not
//! set. Other sources are ignored: `HTTP_PROXY`, because a client of a web server can set it for
//! CGI programs (httpoxy), and the operating system's proxy settings. A server on loopback is never
//! reached through a proxy, and plain http is used for loopback only, so no secret passes a proxy
//! unencrypted.

use crate::error::Error;
use std::fmt;
use std::net::IpAddr;
use url::{Host, Url};

/// A proxy for https. `Debug` omits its user and password.
#[derive(Clone)]
pub(super) struct HttpsProxy {
    url: Url,
    /// The environment variable that sets it.
    variable: &'static str,
}

impl HttpsProxy {
    /// The proxy that the environment sets for `target`, if any.
    pub(super) fn for_target(target: &Url, variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, Error> {
        let Some(host) = target.host().filter(|host| target.scheme() == "https" && !is_loopback(host)) else {
            return Ok(None);
        };
        let set = |name: &'static str| variable(name).filter(|value| !value.trim().is_empty()).map(|value| (name, value));
        let Some((name, value)) = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"].into_iter().find_map(set) else {
            return Ok(None);
        };
        let bypass = ["NO_PROXY", "no_proxy"].into_iter().find_map(set).map(|(_, value)| value).unwrap_or_default();
        if is_bypassed(&host, &bypass) {
            return Ok(None);
        }
        parse(value.trim()).map(|url| Some(Self { url, variable: name })).map_err(|problem| Error::NotConfigured {
            problem: format!("the proxy for {host} cannot be used: {name} {problem}"),
            hint: format!("Set {name} to http://host:port, or add {host} to NO_PROXY to connect without a proxy."),
        })
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Scheme, host and port, without user and password.
    pub(super) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    pub(super) fn variable(&self) -> &'static str {
        self.variable
    }
}

impl fmt::Debug for HttpsProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpsProxy({})", self.origin())
    }
}

/// The errors do not repeat the value, because it may contain a password.
fn parse(value: &str) -> Result<Url, &'static str> {
    let url = if value.contains("://") { Url::parse(value) } else { Url::parse(&format!("http://{value}")) };
    let url = url.map_err(|_| "is not a URL")?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        "http" | "https" => Err("has no host"),
        "socks4" | "socks4a" | "socks5" | "socks5h" => Err("is a SOCKS proxy, which tokenwell does not support"),
        _ => Err("is not an http or https URL"),
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// Whether `NO_PROXY` lists the host. Entries are separated by commas or blanks. `*` matches every
/// host. A name, with or without a leading dot, matches itself and all its subdomains. An address
/// matches itself, or a network if it has a `/bits` suffix.
fn is_bypassed(host: &Host<&str>, list: &str) -> bool {
    list.split(|character: char| character == ',' || character.is_whitespace()).filter(|entry| !entry.is_empty()).any(|entry| {
        entry == "*"
            || match host {
                Host::Domain(name) => is_same_or_subdomain(name, entry),
                Host::Ipv4(address) => is_in(IpAddr::V4(*address), entry),
                Host::Ipv6(address) => is_in(IpAddr::V6(*address), entry),
            }
    })
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

    fn chosen(target: &str, environment: &[(&str, &str)]) -> Result<Option<String>, Error> {
        let variable = |name: &str| environment.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
        Ok(HttpsProxy::for_target(&Url::parse(target).unwrap(), &variable)?.map(|proxy| proxy.url().to_string()))
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

            assert_eq!(is_bypassed(&url.host().unwrap(), list), bypassed, "{host} in {list}");
        }
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
        let proxy = HttpsProxy { url: Url::parse("http://user:canary@p.example:3128").unwrap(), variable: "HTTPS_PROXY" };

        assert_eq!(format!("{proxy:?}"), "HttpsProxy(http://p.example:3128)");
    }
}
