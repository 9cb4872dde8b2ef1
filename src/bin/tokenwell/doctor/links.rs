//! The checks, in the order of a request. A check whose requirement failed is skipped.

use super::builds;
use super::report::Report;
use super::secret;
use crate::cache::store_of;
use crate::form::expiry;
use crate::session::Session;
use crate::settings::Settings;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::mpsc;
use std::time::{Duration, SystemTime};
use tokenwell::admin::{AdminApi, Call, Reply};
use tokenwell::config::{ExposedFile, route_variables, unknown_variables};
use tokenwell::error::{duration_text, os_reason, printable};
use tokenwell::grant::{ProbeReply, ServerRoute};
use tokenwell::store::{Store as _, StoreError};
use tokenwell::{Status, Token, TokenOptions};

/// The timeout of each check.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A cache lock that is held longer than this is reported. A token request takes far less time.
const LOCK_TIME_LIMIT: Duration = Duration::from_secs(2);

/// A larger clock difference makes certificates invalid and log timestamps misleading. It does not
/// affect tokens: their validity is measured from the request.
const MAX_SKEW: Duration = Duration::from_secs(60);

/// Returns the results, and the client id that a bug report must not contain.
pub(super) fn check_all(settings: &Settings, mint: bool, as_profile: Option<&str>) -> (Report, Option<String>) {
    let mut report = Report::default();
    builds::check(&mut report);
    variables(&mut report);
    let Some(session) = configuration(&mut report, settings) else {
        for name in ["files", "cache", "proxy", "name", "connect", "TLS", "clock", "token", "Admin API", "secret"] {
            report.skip(name, "not checked");
        }
        return (report, None);
    };
    report.sources(session.config.provenance().iter().map(|from| format!("{}: {}", from.setting(), from.source())));
    files(&mut report, &session);
    cache(&mut report, &session);
    let reached = connection(&mut report, &session);
    let token = if reached { token(&mut report, &session, mint) } else { None };
    if let Some(token) = token {
        let organization = admin_api(&mut report, &session, &token);
        secret::check(&mut report, settings, &session, as_profile, organization);
    } else {
        if !reached {
            report.skip("token", "not checked");
        }
        report.skip("Admin API", "not checked");
        report.skip("secret", "not checked");
    }
    (report, Some(session.config.client_id().to_owned()))
}

fn configuration(report: &mut Report, settings: &Settings) -> Option<Session> {
    match settings.session() {
        Ok(session) => {
            let config = &session.config;
            report.ok("configuration", format!("{} at {}", config.client_id_to_show(), config.token_endpoint().as_str()));
            Some(session)
        }
        Err(failure) => {
            report.failure("configuration", &failure);
            None
        }
    }
}

/// Warns about variables that look like settings but are not: they are usually misspelled.
fn variables(report: &mut Report) {
    let unknown: Vec<_> = unknown_variables().iter().map(ToString::to_string).collect();
    if !unknown.is_empty() {
        report.warn("variables", unknown.join("; "), "Correct the name or unset the variable: tokenwell does not read it.");
    }
}

fn files(report: &mut Report, session: &Session) {
    let config = &session.config;
    let exposed = config.exposed_files();
    if !exposed.is_empty() {
        let found: Vec<_> = exposed.iter().map(|file| format!("{} {}", file.path(), file.problem())).collect();
        let commands: Vec<_> = exposed.iter().map(ExposedFile::closing_command).collect();
        return report.warn("files", found.join("; "), format!("Remove the permissions of other users: {}", commands.join(" && ")));
    }
    report.ok("files", "no file has unsafe permissions");
}

/// Whether processes can share tokens. Tokens are available without the cache, so a problem is only
/// a warning.
fn cache(report: &mut Report, session: &Session) {
    const UNTIL_THEN: &str = "Until then, each process requests its own token.";
    const WITHOUT_CACHE: &str = "Without the cache each process requests its own token, and Atlas allows 100 valid tokens per account.";
    if !session.config.cache() {
        return report.skip("cache", format!("off. {WITHOUT_CACHE}"));
    }
    let is_set = session.config.provenance().iter().any(|from| from.setting() == "cache_dir");
    let unset = if is_set { ", or unset it" } else { "" };
    let advice = format!("Set TOKENWELL_CACHE_DIR to a directory that you own{unset}. {UNTIL_THEN}");
    let found =
        store_of(&session.config).map_err(|error| (error.to_string(), format!("{} {UNTIL_THEN}", error.hint()))).and_then(|store| {
            let location = store.location();
            let check = move || store.check_writable().and_then(|()| store.locks_held_for(LOCK_TIME_LIMIT));
            let locks = with_timeout("cache", check)
                .unwrap_or_else(|late| Err(StoreError { problem: format!("{location}: {late}"), source: None }));
            locks.map(|locks| (locks, location)).map_err(|error| (error.to_string(), advice))
        });
    match found {
        Err((problem, advice)) => report.warn("cache", format!("the token cache is not used: {problem}"), advice),
        Ok((locks, location)) if locks.is_empty() => report.ok("cache", format!("{location} is writable and not locked by another process")),
        Ok((locks, _)) => report.warn(
            "cache",
            format!("another process has held {} for {} or longer", locks.join(", "), duration_text(LOCK_TIME_LIMIT)),
            format!(
                "The process waits for a slow server, or it was stopped (SIGSTOP). Other processes wait for the lock. Find it with `fuser -v {}` and \
                 resume or end it.",
                locks.join(" ")
            ),
        ),
    }
}

/// Checks DNS, connection, TLS and clock. Returns whether a server answered.
fn connection(report: &mut Report, session: &Session) -> bool {
    let route = match ServerRoute::new(&session.config) {
        Ok(route) => route,
        Err(error) => {
            report.error("proxy", &error);
            for name in ["name", "connect", "TLS", "clock"] {
                report.skip(name, "not checked");
            }
            return false;
        }
    };
    proxy(report, session, &route);
    let (host, port, peer) = first_hop(&route);
    let addresses = match resolve(&host, port) {
        Ok(addresses) => {
            let shown: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
            report.ok(
                "name",
                if host.parse::<IpAddr>().is_ok() {
                    format!("{host} is an address: no DNS lookup")
                } else {
                    format!("{peer} {host} resolves to {}", shown.join(", "))
                },
            );
            addresses
        }
        Err(problem) => {
            report.fail(
                "name",
                Status::Network.exit_code(),
                format!("cannot resolve {peer} {host}: {problem}"),
                "Check the host name, the DNS of this machine and, if a proxy is required, HTTPS_PROXY.",
            );
            for name in ["connect", "TLS", "clock"] {
                report.skip(name, "not checked");
            }
            return false;
        }
    };
    if !connect(report, &route, &addresses, &peer) {
        for name in ["TLS", "clock"] {
            report.skip(name, "not checked");
        }
        return false;
    }
    match route.probe(TIMEOUT) {
        Ok(reply) => {
            match route.authorities() {
                Some(authorities) => report.ok("TLS", format!("the certificate is trusted; authorities: {authorities}")),
                None => report.ok("TLS", "not used: http on loopback"),
            }
            clock(report, reply);
            true
        }
        Err(error) => {
            report.error("TLS", &error);
            report.skip("clock", "not checked");
            false
        }
    }
}

/// Which proxy is used, and what names it.
fn proxy(report: &mut Report, session: &Session, route: &ServerRoute) {
    let setting = session.config.provenance().iter().find(|from| from.setting() == "proxy").map(|from| from.source().to_owned());
    // The names of these variables are in the order of precedence.
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.as_encoded_bytes().trim_ascii().is_empty());
    let variable = || {
        route_variables()
            .filter(|name| name.to_ascii_uppercase().ends_with("S_PROXY") || name.eq_ignore_ascii_case("ALL_PROXY"))
            .find(is_set)
    };
    let is_off = setting.is_some() && route.proxy().is_none();
    let named_by = setting.or_else(|| variable().map(|name| format!("environment variable {name}")));
    match (route.proxy(), named_by) {
        (None, Some(named_by)) if is_off => report.ok("proxy", format!("none (from {named_by})")),
        (Some(proxy), Some(named_by)) => report.ok("proxy", format!("{proxy} (from {named_by})")),
        (Some(proxy), None) => report.ok("proxy", proxy),
        (None, Some(named_by)) => report.ok("proxy", format!("none for this server, although {named_by} is set")),
        (None, None) => report.ok("proxy", "none"),
    }
}

/// The first peer of the connection: the proxy if there is one, otherwise the server.
fn first_hop(route: &ServerRoute) -> (String, u16, String) {
    let (target, peer) = match route.proxy() {
        Some(proxy) => (proxy, "the proxy"),
        None => (route.endpoint().origin(), "the server"),
    };
    let url = url::Url::parse(&target).ok();
    let host = url.as_ref().and_then(url::Url::host_str).unwrap_or(&target).trim_matches(['[', ']']).to_owned();
    let port = url.as_ref().and_then(url::Url::port_or_known_default).unwrap_or(443);
    (host, port, peer.to_owned())
}

fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let name = host.to_owned();
    let found = with_timeout("dns", move || (name.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>))?;
    match found {
        Ok(addresses) if addresses.is_empty() => Err("the DNS lookup returned no address".to_owned()),
        found => found.map_err(|error| os_reason(&error)),
    }
}

/// Runs work that has no timeout, such as DNS lookups and file operations, in a thread. After a
/// timeout the thread is abandoned.
fn with_timeout<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    let (answer, answered) = mpsc::channel();
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            // This fails after the timeout, when the result is no longer needed.
            let _ = answer.send(work());
        })
        .map_err(|error| os_reason(&error))?;
    answered.recv_timeout(TIMEOUT).map_err(|_| format!("no answer within {}", duration_text(TIMEOUT)))
}

fn connect(report: &mut Report, route: &ServerRoute, addresses: &[SocketAddr], peer: &str) -> bool {
    let mut problem = String::new();
    let mut was_refused = false;
    for address in addresses {
        match TcpStream::connect_timeout(address, TIMEOUT) {
            Ok(_) => {
                report.ok("connect", format!("{peer} accepts connections at {address}"));
                return true;
            }
            Err(error) => {
                was_refused = error.kind() == ErrorKind::ConnectionRefused;
                problem = format!("cannot connect to {peer} at {address}: {}", os_reason(&error));
            }
        }
    }
    report.fail("connect", Status::Network.exit_code(), problem, route.hint(was_refused));
    false
}

fn clock(report: &mut Report, reply: ProbeReply) {
    let Some(date) = reply.date else {
        report.skip("clock", "the server sent no date");
        return;
    };
    let now = SystemTime::now();
    let (skew, direction) = match now.duration_since(date) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    if skew > MAX_SKEW {
        report.warn(
            "clock",
            format!("this machine's clock is {} {direction} the server's", duration_text(Duration::from_secs(skew.as_secs()))),
            "Set the clock or use NTP: certificates and log timestamps depend on it.",
        );
    } else if skew.as_secs() == 0 {
        report.ok("clock", "agrees with the server's clock");
    } else {
        report.ok("clock", format!("differs from the server's by {}", duration_text(Duration::from_secs(skew.as_secs()))));
    }
}

/// Returns the token and whether it is from the cache.
fn token(report: &mut Report, session: &Session, mint: bool) -> Option<CheckedToken> {
    let cached = session.cached_state().ok().and_then(|cached| cached.token);
    match session.token(&TokenOptions::default().force_refresh(mint)) {
        Ok(token) => {
            let known = cached.is_some_and(|cached| cached.value() == token.value());
            let origin = if known { "from the cache" } else { "from the server" };
            report.ok("token", format!("{origin}; expires at {}", expiry(&token)));
            if !known {
                report.changed(request_of_token(session));
            }
            Some(CheckedToken { token, is_from_cache: known })
        }
        Err(failure) => {
            report.failure("token", &failure);
            None
        }
    }
}

struct CheckedToken {
    token: Token,
    is_from_cache: bool,
}

/// What a token request changes, for the end of the report.
fn request_of_token(session: &Session) -> String {
    let cached = if session.config.cache() { ", which is in the token cache now" } else { "" };
    format!("requested a token{cached}")
}

/// Reports a token that was in the cache, but that the API has rejected. The call has replaced it.
fn rejected_token(report: &mut Report, session: &Session, checked: &CheckedToken) {
    let current = session.cached_state().ok().and_then(|cached| cached.token).filter(|token| token.value() != checked.token.value());
    let Some(current) = current else { return };
    report.changed(format!("dropped the rejected token from the cache, and {}", request_of_token(session)));
    if checked.is_from_cache {
        let end: String = current.value().chars().rev().take(4).collect::<Vec<_>>().into_iter().rev().collect();
        report.reconsider(
            "token",
            "cached_token_rejected",
            &format!(
                "the API rejected the cached token (HTTP 401), so it was replaced; the new one ends in …{end} and expires at {}",
                expiry(&current)
            ),
            "The old token was revoked at the server, or its service account was changed. Programs that share this cache get the new token; \
             restart a program that has kept the old one.",
        );
    }
}

/// Returns the organization of the account, if the API names only one.
fn admin_api(report: &mut Report, session: &Session, checked: &CheckedToken) -> Option<String> {
    const NAME: &str = "Admin API";
    if session.config.api_base().is_none() {
        report.skip(NAME, "the server is not Atlas");
        return None;
    }
    let rejections = session.client.stats().invalidations;
    let reply = AdminApi::new(&session.config).and_then(|api| api.call(&session.client, &Call::get("/api/atlas/v2/orgs?itemsPerPage=1")));
    let reply = match reply {
        Ok(reply) => reply,
        Err(error) => {
            report.error(NAME, &error);
            return None;
        }
    };
    if session.client.stats().invalidations > rejections {
        rejected_token(report, session, checked);
    }
    let found = format!("GET /api/atlas/v2/orgs: HTTP {}{}", reply.status, server_message(&reply.body));
    match reply.status {
        200..=299 => report.ok(NAME, found),
        401 => report.fail(
            NAME,
            Status::CredentialRejected.exit_code(),
            found,
            "The server did not accept this token. Run `tokenwell doctor --mint`. If it still fails, check that the service account belongs to this \
             server.",
        ),
        403 => report.fail(
            NAME,
            Status::CredentialRejected.exit_code(),
            found,
            "The token is valid. Check the roles of the service account and its IP access list, which applies to API calls but not to token requests.",
        ),
        429 => report.fail(NAME, Status::RateLimited.exit_code(), found, "Too many requests with this account. Wait a minute."),
        _ => report.fail(NAME, Status::Server.exit_code(), found, "Try again later. See https://status.mongodb.com for known outages."),
    }
    only_organization(&reply)
}

/// The id in a list of one organization.
fn only_organization(reply: &Reply) -> Option<String> {
    let list: serde_json::Value = serde_json::from_slice(&reply.body).ok().filter(|_| reply.status == 200)?;
    let is_only = list.get("totalCount").and_then(serde_json::Value::as_u64) == Some(1);
    list.pointer("/results/0/id").and_then(serde_json::Value::as_str).filter(|_| is_only).map(str::to_owned)
}

/// The error code and detail of the response.
fn server_message(body: &[u8]) -> String {
    let members = serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default();
    let member = |name: &str| members.get(name).and_then(serde_json::Value::as_str).map(|value| printable(value, 300));
    match (member("errorCode"), member("detail")) {
        (Some(code), Some(detail)) => format!(" {code}: {detail}"),
        (one, other) => one.or(other).map(|message| format!(" {message}")).unwrap_or_default(),
    }
}
