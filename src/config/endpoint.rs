//! [`Endpoint`]: the URLs that a secret may be sent to.
//!
//! The rules check the string as it was written, before it is parsed. URL parsers drop tabs and
//! newlines, turn backslashes into slashes and `0x7f.1` into `127.0.0.1`, and they differ from each
//! other. A URL in which two parsers may find two different hosts is rejected, so that the host
//! that a person reads is the host that receives the secret.

use super::rules::first_disallowed;
use crate::atlas;
use crate::error::{Error, Exchange};
use std::fmt;
use url::{Host, Url};

/// Atlas, except its government cloud.
pub(super) const DEFAULT_BASE: &str = atlas::CLOUD;

/// A validated URL: https, or http on loopback only; no userinfo, no fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    /// Returns the URL. An international host name is in its ASCII form (punycode).
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Returns scheme, host and port: `https://cloud.mongodb.com`. The scheme's default port is
    /// omitted.
    #[must_use]
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    #[cfg(test)]
    #[allow(clippy::unwrap_used)]
    pub(crate) fn for_tests(text: &str) -> Self {
        Self(Url::parse(text).unwrap())
    }

    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0
    }

    /// Parses the full URL of an endpoint. Its query is kept (RFC 6749 section 3.2).
    pub(super) fn full(location: &str, raw: &str) -> Result<Self, Error> {
        let parts = Parts::split(location, raw, URL_HINT)?;
        let url = parse_strictly(location, raw, &parts, URL_HINT)?;
        let secret_in_query =
            url.query_pairs().any(|(name, _)| matches!(&*name, "client_secret" | "client_assertion" | "password" | "access_token"));
        if secret_in_query {
            return Err(Error::Refused {
                problem: format!("{location}: the query contains a credential, and URLs are often logged (RFC 6749 section 2.3.1)"),
                hint: "Remove the credential from the URL, and set client_secret or client_secret_file.".to_owned(),
                http_status: None,
                exchange: Exchange::default(),
            });
        }
        Ok(Self(url))
    }

    /// Parses a base URL: scheme, host and port, followed only by slashes.
    pub(crate) fn base(location: &str, raw: &str) -> Result<Self, Error> {
        let parts = Parts::split(location, raw, BASE_HINT)?;
        if parts.query.is_some() {
            return Err(Error::invalid(location, "must not have a query (the part after `?`)", BASE_HINT));
        }
        let mut url = parse_strictly(location, raw, &parts, BASE_HINT)?;
        if parts.path.bytes().any(|byte| byte != b'/') {
            return Err(Error::invalid(location, "must not have a path", PATH_HINT));
        }
        url.set_path("/");
        Ok(Self(url))
    }

    /// Returns the token endpoint of Atlas at this base.
    pub(super) fn token_endpoint(&self) -> Self {
        self.at(atlas::TOKEN_PATH)
    }

    /// Returns the revocation endpoint of Atlas at this base.
    pub(super) fn revocation_endpoint(&self) -> Self {
        self.at(atlas::REVOKE_PATH)
    }

    /// Returns the same origin with another path. Setting a path cannot change host or port;
    /// joining a reference could.
    fn at(&self, path: &str) -> Self {
        let mut url = self.0.clone();
        url.set_path(path);
        Self(url)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

const URL_HINT: &str = "Write the full URL, for example https://login.example.com/oauth/token.";
const BASE_HINT: &str = "Write only scheme and host: https://cloud.mongodb.com, or https://cloud.mongodbgov.com for Atlas for Government.";
const PATH_HINT: &str = "Write only scheme and host, for example https://cloud.mongodb.com. For a server behind a path prefix, set token_url \
     (and revocation_url) to the full URLs instead. If that server is Atlas, also set auth_method to client_secret_basic_raw.";

/// A URL split at its delimiters (RFC 3986 section 3), as it was written.
struct Parts<'a> {
    secure: bool,
    host: &'a str,
    port: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn split(location: &str, raw: &'a str, hint: &str) -> Result<Self, Error> {
        let invalid = |problem: &str| Error::invalid(location, problem, hint);

        let (scheme, rest) = raw.split_once("://").ok_or_else(|| invalid("is not a URL that begins with https://"))?;
        let secure = scheme.eq_ignore_ascii_case("https");
        if !secure && !scheme.eq_ignore_ascii_case("http") {
            return Err(invalid("is not a URL that begins with https://"));
        }
        let authority_end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(authority_end);
        if authority.contains('@') {
            // No part of the URL is shown: the part before the `@` often contains a password.
            return Err(Error::Refused {
                problem: format!("{location} contains a user name or password (the part before `@`)"),
                hint: "Remove that part, and set client_id and client_secret (or client_secret_file) instead.".to_owned(),
                http_status: None,
                exchange: Exchange::default(),
            });
        }
        if raw.contains('#') {
            return Err(invalid("must not have a fragment (the part after `#`; RFC 6749 section 3.2)"));
        }
        let (host, port) = split_authority(authority).ok_or_else(|| invalid("has square brackets that do not enclose an IPv6 address"))?;
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        Ok(Self { secure, host, port, path, query })
    }
}

/// Splits host and port; an IPv6 host keeps its brackets.
fn split_authority(authority: &str) -> Option<(&str, Option<&str>)> {
    if !authority.starts_with('[') {
        return Some(authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))));
    }
    let (host, rest) = authority.split_at(authority.find(']')? + 1);
    if rest.is_empty() { Some((host, None)) } else { rest.strip_prefix(':').map(|port| (host, Some(port))) }
}

/// Parses `raw` and checks that the parser found the parts as they were written.
fn parse_strictly(location: &str, raw: &str, parts: &Parts<'_>, hint: &str) -> Result<Url, Error> {
    let invalid = |problem: String| Error::invalid(location, problem, hint);

    if parts.host.is_empty() {
        return Err(invalid("has no host".to_owned()));
    }
    if !parts.host.is_ascii() {
        return Err(international_host(location, raw, hint));
    }
    if let Some(problem) = uri_syntax_violation(raw) {
        return Err(invalid(problem));
    }
    if let Some(problem) = encoded_control_character(raw) {
        return Err(invalid(problem.to_owned()));
    }
    check_host(parts.host).map_err(invalid)?;
    if let Some(port) = parts.port {
        check_port(port).map_err(|problem| invalid(problem.to_owned()))?;
    }

    let url = Url::parse(raw).map_err(|error| invalid(format!("is not a URL: {error}")))?;
    let read = url.host_str().unwrap_or_default();
    if !read.eq_ignore_ascii_case(parts.host) {
        return Err(Error::invalid(
            location,
            format!("has an ambiguous host, which URL parsers read as {read}"),
            format!("If this is the intended host, write {read}."),
        ));
    }
    if url.query() != parts.query || (url.path() != parts.path && !parts.path.is_empty()) {
        return Err(invalid("has a path or query that URL parsers change, such as `/../`".to_owned()));
    }
    if !parts.secure && !is_loopback(&url) {
        return Err(Error::Refused {
            problem: format!("{location}: plain http to {read} would send the client secret unencrypted"),
            hint: "Use https. Plain http is accepted only on loopback: 127.0.0.0/8, [::1] and localhost.".to_owned(),
            http_status: None,
            exchange: Exchange::default(),
        });
    }
    Ok(url)
}

/// Describes the first violation of the URI syntax of RFC 3986, if any.
pub(super) fn uri_syntax_violation(text: &str) -> Option<String> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(character);
    if let Some(found) = first_disallowed(text, allowed) {
        return Some(format!("contains {found}, which must be percent-encoded in a URL (RFC 3986)"));
    }
    if octets(text).any(|octet| octet.is_none()) {
        return Some("contains a `%` that is not followed by two hexadecimal digits (RFC 3986)".to_owned());
    }
    None
}

fn encoded_control_character(text: &str) -> Option<&'static str> {
    octets(text).flatten().any(|octet| octet.is_ascii_control()).then_some("contains a percent-encoded control character")
}

/// Decodes each percent-encoded octet; `None` for a percent sign without two hexadecimal digits.
fn octets(text: &str) -> impl Iterator<Item = Option<u8>> {
    text.match_indices('%').map(|(index, _)| {
        let digits = text.get(index + 1..index + 3).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        u8::from_str_radix(digits, 16).ok()
    })
}

fn check_host(host: &str) -> Result<(), String> {
    if host.contains('%') {
        return Err("has a host with a percent sign".to_owned());
    }
    if host.starts_with('[') {
        return Ok(());
    }
    if host.ends_with('.') {
        return Err("has a host that ends with a dot".to_owned());
    }
    if host.split('.').any(|label| label.is_empty() || label.len() > 63) || host.len() > 253 {
        return Err("has a host with an empty label, or a label or name that is too long".to_owned());
    }
    if let Some(found) = first_disallowed(host, |character| character.is_ascii_alphanumeric() || matches!(character, '-' | '.' | '_')) {
        return Err(format!("has a host that contains {found}"));
    }
    Ok(())
}

fn check_port(port: &str) -> Result<(), &'static str> {
    let plain = port.bytes().all(|byte| byte.is_ascii_digit()) && !port.starts_with('0');
    if plain && port.parse::<u16>().is_ok() { Ok(()) } else { Err("has a port that is not a number from 1 to 65535") }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        // Subdomains of `localhost` are not accepted: some resolvers send them to other hosts.
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Rejects an international host name. A letter of another alphabet can look like an ASCII letter;
/// only the ASCII form shows the difference.
fn international_host(location: &str, raw: &str, hint: &str) -> Error {
    let problem = "has a host with non-ASCII characters";
    match Url::parse(raw).ok().as_ref().and_then(Url::host_str) {
        Some(ascii) => Error::invalid(
            location,
            format!("{problem}; its ASCII form is {ascii}"),
            format!("If this is the intended host, write {ascii}."),
        ),
        None => Error::invalid(location, problem, hint),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::error::Status;

    fn check_one(raw: &str, expected: &Result<String, Status>, parse: fn(&str, &str) -> Result<Endpoint, Error>) {
        let (got, message) = match parse("base_url", raw) {
            Ok(endpoint) => (Ok(endpoint.origin()), String::new()),
            Err(error) => (Err(error.status()), format!("{error} / {}", error.hint())),
        };

        assert_eq!(&got, expected, "{raw:?}: {message}");
        assert!(
            got.is_ok()
                || message.starts_with("base_url ")
                || message.starts_with("refused: base_url ")
                || message.starts_with("refused: base_url: "),
            "{raw:?}: {message}"
        );
    }

    /// The rules of every URL, which apply to a base URL and to a full URL. Maps a URL to the
    /// origin that receives the secret, or to the status of the rejection. The Go wrapper, which
    /// also pins an origin, is tested with the same table.
    fn look_alikes() -> Vec<(String, String)> {
        #[derive(serde::Deserialize)]
        struct Group {
            urls: std::collections::BTreeMap<String, String>,
        }
        let groups: Vec<Group> = serde_json::from_str(include_str!("look_alikes.json")).unwrap();
        groups.into_iter().flat_map(|group| group.urls).collect()
    }

    fn check_look_alikes(parse: fn(&str, &str) -> Result<Endpoint, Error>) {
        for (raw, expected) in look_alikes() {
            let expected = match expected.as_str() {
                "INVALID_ARGUMENT" => Err(Status::InvalidArgument),
                "REFUSED" => Err(Status::Refused),
                _ => Ok(expected),
            };
            check_one(&raw, &expected, parse);
        }
    }

    #[test]
    fn i5_a_base_url_names_exactly_one_host_or_is_not_accepted() {
        assert!(look_alikes().len() >= 60);

        check_look_alikes(Endpoint::base);
    }

    #[test]
    fn i5_a_token_url_names_exactly_one_host_or_is_not_accepted() {
        check_look_alikes(Endpoint::full);
    }

    #[test]
    fn item_9_no_credential_goes_in_clear_to_another_host() {
        let in_clear: Vec<_> = look_alikes().into_iter().filter(|(raw, _)| raw.to_ascii_lowercase().starts_with("http://")).collect();

        assert!(in_clear.iter().filter(|(_, expected)| expected == "REFUSED").count() >= 10, "hosts in clear are among them");
        for (raw, _) in in_clear.iter().filter(|(_, expected)| expected.starts_with("http")) {
            let host = raw.to_ascii_lowercase();
            assert!(["http://127.", "http://[::1]", "http://localhost"].iter().any(|loopback| host.starts_with(loopback)), "{raw}");
        }
        for host in ["cloud.mongodb.com", "10.0.0.1"] {
            check_one(&format!("http://{host}"), &Err(Status::Refused), Endpoint::base);
            check_one(&format!("http://{host}/token"), &Err(Status::Refused), Endpoint::full);
        }
    }

    #[test]
    fn i6_a_base_url_is_an_origin_and_nothing_more() {
        check_one("https://cloud.mongodb.com//", &Ok("https://cloud.mongodb.com".to_owned()), Endpoint::base);
        for raw in [
            "https://cloud.mongodb.com/atlas",
            "https://cloud.mongodb.com/api/oauth/token",
            "https://cloud.mongodb.com/v2/0123#/overview",
            "https://cloud.mongodb.com?",
            "https://cloud.mongodb.com?a=b",
            "https://cloud.mongodb.com/?next=@evil.example",
            "https://cloud.mongodb.com/@evil.example",
        ] {
            check_one(raw, &Err(Status::InvalidArgument), Endpoint::base);
        }
    }

    #[test]
    fn a_token_url_may_have_a_path_and_a_query_and_both_are_kept() {
        for raw in [
            "https://login.example.com/t/1/oauth2?api-version=1.0&x=%2F",
            "https://login.example.com/?a=b",
            "https://login.example.com/a@b//c;d",
        ] {
            assert_eq!(Endpoint::full("token_url", raw).unwrap().as_str(), raw);
        }
    }

    #[test]
    fn item_5_a_credential_in_the_query_is_refused_and_not_shown() {
        let error = Endpoint::full("token_url", "https://login.example.com/token?client%5Fsecret=canary").unwrap_err();

        assert_eq!(error.status(), Status::Refused);
        assert!(!format!("{error} {error:?}").contains("canary"));
    }

    #[test]
    fn userinfo_is_refused_and_not_shown() {
        let error = Endpoint::full("token_url", "https://user:canary@login.example.com/token").unwrap_err();

        assert_eq!(error.status(), Status::Refused);
        assert!(!format!("{error} {error:?}").contains("canary"));
    }

    #[test]
    fn i5_a_homograph_is_answered_with_its_punycode_form() {
        let error = Endpoint::base("base_url", "https://cloud.mongodb.c\u{43e}m").unwrap_err();

        assert!(error.to_string().contains("cloud.mongodb.xn--cm-fmc"), "{error}");
    }

    #[test]
    fn an_odd_ipv4_form_is_answered_with_the_address_it_means() {
        let error = Endpoint::base("base_url", "http://0x7f.1").unwrap_err();

        assert!(error.hint().contains("127.0.0.1"), "{}", error.hint());
    }

    #[test]
    fn the_endpoints_of_atlas_lie_at_the_base() {
        let base = Endpoint::base("base_url", "https://cloud.mongodbgov.com//").unwrap();

        assert_eq!(base.as_str(), "https://cloud.mongodbgov.com/");
        assert_eq!(base.token_endpoint().as_str(), "https://cloud.mongodbgov.com/api/oauth/token");
        assert_eq!(base.revocation_endpoint().as_str(), "https://cloud.mongodbgov.com/api/oauth/revoke");
    }
}
