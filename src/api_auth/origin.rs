//! The origin of the API, and which requests are sent to it.

use crate::config::Endpoint;
use crate::error::Error;
use reqwest::header::{HOST, HeaderMap};

const HINT: &str = "Pass the origin of the API, such as https://api.example.com.";

/// A scheme, a host in lower case and a port.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: &'static str,
    host: String,
    port: u16,
}

impl Origin {
    /// Accepts what is accepted as a base URL: https, or http to loopback.
    pub(super) fn new(url: Option<&str>) -> Result<Self, Error> {
        let Some(url) = url else {
            let problem = "is not set, and the client has no base URL, because its server was set by token_url or by custom parts";
            return Err(Error::invalid("origin", problem, HINT));
        };
        let endpoint = Endpoint::base("origin", url).map_err(with_own_hint)?;
        let url = endpoint.url();
        let authority = match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or_default().to_owned(),
        };
        Self::of(url.scheme(), &authority).ok_or_else(|| Error::invalid("origin", "cannot be compared with the URLs of requests", HINT))
    }

    /// Whether a request with this scheme, authority and `Host` header is sent to this origin. False
    /// for every unusual request.
    pub(super) fn is_target(&self, scheme: &str, authority: &str, headers: &HeaderMap) -> bool {
        let is_own = |authority: &str| Self::of(scheme, authority).as_ref() == Some(self);
        // The Host header may select another site on the same server.
        is_own(authority) && headers.get_all(HOST).iter().all(|host| host.to_str().is_ok_and(is_own))
    }

    fn of(scheme: &str, authority: &str) -> Option<Self> {
        let (scheme, default_port) = match scheme {
            "https" => ("https", 443),
            "http" => ("http", 80),
            _ => return None,
        };
        let (host, port) = split(authority)?;
        let port = port.map_or(Some(default_port), plain_number)?;
        Some(Self { scheme, host: host.to_ascii_lowercase(), port })
    }
}

/// Splits host and port. Accepts only the characters of a host name, an IP address and a port, because
/// parsers disagree about others.
fn split(authority: &str) -> Option<(&str, Option<&str>)> {
    let (host, port) = match authority.find(']') {
        Some(end) => authority.split_at(end + 1),
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let in_brackets = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_valid = match in_brackets {
        Some(address) => address.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')),
        None => host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')),
    };
    if !is_valid || in_brackets.unwrap_or(host).is_empty() {
        return None;
    }
    if port.is_empty() { Some((host, None)) } else { port.strip_prefix(':').map(|port| (host, Some(port))) }
}

fn plain_number(port: &str) -> Option<u16> {
    let is_plain = port.bytes().all(|byte| byte.is_ascii_digit()) && !port.starts_with('0');
    if is_plain { port.parse().ok() } else { None }
}

fn with_own_hint(error: Error) -> Error {
    match error {
        Error::InvalidArgument { name, problem, .. } => Error::invalid(name, problem, HINT),
        Error::Refused { problem, http_status, exchange, .. } => Error::Refused { problem, hint: HINT.to_owned(), http_status, exchange },
        other => other,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::error::Status;
    use reqwest::header::HeaderValue;
    use std::collections::BTreeMap;

    /// The table of base URLs, each with the origin or the status that results.
    fn look_alikes() -> BTreeMap<String, String> {
        #[derive(serde::Deserialize)]
        struct Group {
            urls: BTreeMap<String, String>,
        }
        let groups: Vec<Group> = serde_json::from_str(include_str!("../config/look_alikes.json")).unwrap();
        let urls: BTreeMap<_, _> = groups.into_iter().flat_map(|group| group.urls).collect();
        assert!(urls.len() >= 60);
        urls
    }

    fn atlas() -> Origin {
        Origin::new(Some("https://cloud.mongodb.com")).unwrap()
    }

    fn is_target_of_atlas(scheme: &str, authority: &str) -> bool {
        atlas().is_target(scheme, authority, &HeaderMap::new())
    }

    #[test]
    fn i5_an_origin_is_what_the_library_accepts_as_a_base_url() {
        for (raw, expected) in look_alikes() {
            let origin = Origin::new(Some(&raw));

            match expected.as_str() {
                "INVALID_ARGUMENT" => assert_eq!(origin.unwrap_err().status(), Status::InvalidArgument, "{raw:?}"),
                "REFUSED" => assert_eq!(origin.unwrap_err().status(), Status::Refused, "{raw:?}"),
                accepted => assert_eq!(origin.unwrap(), Origin::new(Some(accepted)).unwrap(), "{raw:?}"),
            }
        }
    }

    #[test]
    fn i5_only_the_own_origin_is_a_target() {
        for (scheme, authority) in [("https", "cloud.mongodb.com"), ("https", "CLOUD.mongodb.com"), ("https", "cloud.mongodb.com:443")] {
            assert!(is_target_of_atlas(scheme, authority), "{scheme}://{authority}");
        }
        for (scheme, authority) in [
            ("http", "cloud.mongodb.com"),
            ("http", "cloud.mongodb.com:443"),
            ("HTTPS", "cloud.mongodb.com"),
            ("ftp", "cloud.mongodb.com"),
            ("wss", "cloud.mongodb.com"),
            ("", "cloud.mongodb.com"),
            ("https", ""),
            ("https", ":443"),
            ("https", "[]"),
            ("https", "cloud.mongodb.com:"),
            ("https", "cloud.mongodb.com:80"),
            ("https", "cloud.mongodb.com:0443"),
            ("https", "cloud.mongodb.com:+443"),
            ("https", "cloud.mongodb.com:65979"),
            ("https", "cloud.mongodb.com:443:443"),
            ("https", "cloud.mongodb.com:https"),
            ("https", "cloud.mongodb.com."),
            ("https", ".cloud.mongodb.com"),
            ("https", "cloud..mongodb.com"),
            ("https", "a.cloud.mongodb.com"),
            ("https", "cloud.mongodb.com.evil.example"),
            ("https", "evilcloud.mongodb.com"),
            ("https", "mongodb.com"),
            ("https", "cloud.mongodbgov.com"),
            ("https", "cloud.mongodb.com@evil.example"),
            ("https", "user@cloud.mongodb.com"),
            ("https", "user:password@cloud.mongodb.com"),
            ("https", "cloud.mongodb.com\\evil.example"),
            ("https", "cloud.mongodb.com#evil.example"),
            ("https", "cloud.mongodb.com\t"),
            ("https", " cloud.mongodb.com"),
            ("https", "cloud%2Emongodb.com"),
            ("https", "\u{441}loud.mongodb.com"),
            ("https", "cloud.mongodb.com:\u{ff14}\u{ff14}\u{ff13}"),
            ("https", "[cloud.mongodb.com]"),
            ("https", "[::1]"),
            ("https", "127.0.0.1"),
        ] {
            assert!(!is_target_of_atlas(scheme, authority), "{scheme}://{authority:?}");
        }
    }

    #[test]
    fn i5_loopback_is_a_target_with_its_port_only() {
        for (origin, authority, other) in [
            ("http://127.0.0.1:8080", "127.0.0.1:8080", "127.0.0.1:8081"),
            ("http://[::1]:1234", "[::1]:1234", "[::1]"),
            ("http://localhost", "localhost:80", "localhost:8080"),
        ] {
            let origin = Origin::new(Some(origin)).unwrap();

            assert!(origin.is_target("http", authority, &HeaderMap::new()), "{authority}");
            assert!(!origin.is_target("http", other, &HeaderMap::new()), "{other}");
            assert!(!origin.is_target("https", authority, &HeaderMap::new()), "https://{authority}");
        }
    }

    #[test]
    fn i5_the_host_header_may_not_name_another_site() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("cloud.mongodb.com:443"));
        assert!(atlas().is_target("https", "cloud.mongodb.com", &headers));

        headers.append(HOST, HeaderValue::from_static("evil.example"));
        assert!(!atlas().is_target("https", "cloud.mongodb.com", &headers));

        headers.insert(HOST, HeaderValue::from_bytes(b"cloud.mongodb.com\xff").unwrap());
        assert!(!atlas().is_target("https", "cloud.mongodb.com", &headers));
    }

    #[test]
    fn an_origin_that_is_rejected_is_not_shown_with_its_password() {
        let error = Origin::new(Some("https://user:hunter2@cloud.mongodb.com")).unwrap_err();

        assert_eq!(error.status(), Status::Refused);
        assert!(!format!("{error} {error:?} {}", error.hint()).contains("hunter2"), "{error}");
        assert_eq!(error.hint(), HINT);
    }
}
