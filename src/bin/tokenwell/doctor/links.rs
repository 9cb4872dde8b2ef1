//! The links, in the order in which a request meets them. What rests on a broken one is not tried.

use super::report::Report;
use crate::cache::store_of;
use crate::form::ends_at;
use crate::session::Session;
use crate::settings::Settings;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::mpsc;
use std::time::{Duration, SystemTime};
use tokenwell::admin::{AdminApi, Call};
use tokenwell::config::{ExposedFile, unknown_variables};
use tokenwell::error::printable;
use tokenwell::grant::{ProbeReply, ServerRoute};
use tokenwell::store::Store as _;
use tokenwell::{Status, TokenOptions};

const PATIENCE: Duration = Duration::from_secs(10);

/// How long a lock of the cache may be held until it is worth a word: far longer than a token request takes.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// Clocks that differ by more spoil certificates, and what people read in logs. Tokens do not mind: their life is counted from the request.
const SKEW: Duration = Duration::from_secs(60);

pub(super) fn walk(settings: &Settings, mint: bool) -> Report {
    let mut report = Report::default();
    variables(&mut report);
    let Some(session) = configuration(&mut report, settings) else {
        for name in ["files", "cache", "name", "connect", "TLS", "clock", "token", "Admin API"] {
            report.skip(name, "not tried");
        }
        return report;
    };
    files(&mut report, &session);
    cache(&mut report, &session);
    let reached = way(&mut report, &session);
    if reached && token(&mut report, &session, mint) {
        admin_api(&mut report, &session);
    } else {
        if !reached {
            report.skip("token", "not tried");
        }
        report.skip("Admin API", "not tried");
    }
    report
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

/// A variable that was misspelt is one that does nothing: hardly ever what somebody meant who set it.
fn variables(report: &mut Report) {
    let unknown: Vec<_> = unknown_variables().iter().map(ToString::to_string).collect();
    if !unknown.is_empty() {
        report.warn("variables", unknown.join("; "), "Correct the name, or unset it: nothing reads it.");
    }
}

fn files(report: &mut Report, session: &Session) {
    let config = &session.config;
    let exposed = config.exposed_files();
    if !exposed.is_empty() {
        let found: Vec<_> = exposed.iter().map(|file| format!("{} {}", file.path(), file.problem())).collect();
        let commands: Vec<_> = exposed.iter().map(ExposedFile::closing_command).collect();
        let them = if exposed.len() == 1 { "it" } else { "them" };
        return report.warn("files", found.join("; "), format!("Close {them} to others: {}", commands.join(" && ")));
    }
    report.ok("files", "none is open to other users");
}

/// Whether processes share tokens here. None of it costs anybody a token, so it is never more than a warning.
fn cache(report: &mut Report, session: &Session) {
    const WITHOUT_IT: &str = "Without it each process asks for a token of its own, and Atlas allows 100 an hour.";
    if !session.config.cache() {
        return report.skip("cache", format!("turned off. {WITHOUT_IT}"));
    }
    let found = store_of(&session.config).map_err(|error| format!("{error}. {}", error.hint())).and_then(|store| {
        let place = store.location();
        let tried = move || store.check_writable().and_then(|()| store.locks_held_for(LOCK_PATIENCE));
        let locks = in_time("cache", tried).map_err(|late| format!("{place}: {late}"))?.map_err(|error| error.to_string())?;
        Ok((locks, place))
    });
    match found {
        Err(problem) => report.warn("cache", format!("the token cache is not used: {problem}"), WITHOUT_IT),
        Ok((locks, place)) if locks.is_empty() => report.ok("cache", format!("{place} can be written, and nobody holds a lock in it")),
        Ok((locks, _)) => report.warn(
            "cache",
            format!("another process has held {} for {} s or longer", locks.join(", "), LOCK_PATIENCE.as_secs()),
            format!(
                "It is getting a token from a slow server, or it was stopped while it did, and others wait for it. See which it is (fuser -v {}), and let it \
                 go on or end it.",
                locks.join(" ")
            ),
        ),
    }
}

/// Name, connection, TLS and clock; whether the server, or whatever listens in its place, has answered.
fn way(report: &mut Report, session: &Session) -> bool {
    let way = match ServerRoute::new(&session.config) {
        Ok(way) => way,
        Err(error) => {
            report.error("name", &error);
            return false;
        }
    };
    let (host, port, whose) = first_hop(&way);
    let addresses = match look_up(&host, port) {
        Ok(addresses) => {
            let shown: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
            report.ok("name", format!("{whose} {host} is {}", shown.join(", ")));
            addresses
        }
        Err(problem) => {
            report.fail(
                "name",
                Status::Network.exit_code(),
                format!("{whose} {host} has no address: {problem}"),
                "Check the name, this machine's DNS and, where a proxy is needed, HTTPS_PROXY.",
            );
            for name in ["connect", "TLS", "clock"] {
                report.skip(name, "not tried");
            }
            return false;
        }
    };
    if !connect(report, &way, &addresses, &whose) {
        for name in ["TLS", "clock"] {
            report.skip(name, "not tried");
        }
        return false;
    }
    match way.probe(PATIENCE) {
        Ok(knock) => {
            match way.authorities() {
                Some(authorities) => report.ok("TLS", format!("the certificate is trusted; authorities: {authorities}")),
                None => report.ok("TLS", "not used: http on loopback"),
            }
            clock(report, knock);
            true
        }
        Err(error) => {
            report.error("TLS", &error);
            report.skip("clock", "not tried");
            false
        }
    }
}

/// Where the first packet goes: to the proxy, if there is one.
fn first_hop(way: &ServerRoute) -> (String, u16, String) {
    let (target, whose) = match way.proxy() {
        Some(proxy) => (proxy, "the proxy"),
        None => (way.endpoint().origin(), "the server"),
    };
    let url = url::Url::parse(&target).ok();
    let host = url.as_ref().and_then(url::Url::host_str).unwrap_or(&target).trim_matches(['[', ']']).to_owned();
    let port = url.as_ref().and_then(url::Url::port_or_known_default).unwrap_or(443);
    (host, port, whose.to_owned())
}

fn look_up(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let name = host.to_owned();
    let found = in_time("look-up", move || (name.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>))?;
    match found {
        Ok(addresses) if addresses.is_empty() => Err("the answer is empty".to_owned()),
        found => found.map_err(|error| error.to_string()),
    }
}

/// What knows no deadline, such as the system's resolver and its files, gets a thread, which is left behind when it takes too long.
fn in_time<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    let (answer, answered) = mpsc::channel();
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            // Nobody waits any longer where this fails.
            let _ = answer.send(work());
        })
        .map_err(|error| error.to_string())?;
    answered.recv_timeout(PATIENCE).map_err(|_| format!("no answer within {} s", PATIENCE.as_secs()))
}

fn connect(report: &mut Report, way: &ServerRoute, addresses: &[SocketAddr], whose: &str) -> bool {
    let mut problem = String::new();
    let mut was_refused = false;
    for address in addresses {
        match TcpStream::connect_timeout(address, PATIENCE) {
            Ok(_) => {
                report.ok("connect", format!("{whose} listens at {address}"));
                return true;
            }
            Err(error) => {
                was_refused = error.kind() == ErrorKind::ConnectionRefused;
                problem = format!("{whose} does not answer at {address}: {error}");
            }
        }
    }
    report.fail("connect", Status::Network.exit_code(), problem, way.hint(was_refused));
    false
}

fn clock(report: &mut Report, knock: ProbeReply) {
    let Some(date) = knock.date else {
        report.skip("clock", "the server names no time");
        return;
    };
    let now = SystemTime::now();
    let (skew, direction) = match now.duration_since(date) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    if skew > SKEW {
        report.warn(
            "clock",
            format!("this machine's clock is {} s {direction} the server's", skew.as_secs()),
            "Set it, or have it kept by NTP: certificates and the times in logs depend on it.",
        );
    } else {
        report.ok("clock", format!("{} s off the server's", skew.as_secs()));
    }
}

fn token(report: &mut Report, session: &Session, mint: bool) -> bool {
    let cached = session.at_hand().ok().and_then(|at_hand| at_hand.token);
    match session.token(&TokenOptions::default().force_refresh(mint)) {
        Ok(token) => {
            let known = cached.is_some_and(|cached| cached.value() == token.value());
            let whence = if known { "from the cache" } else { "from the server" };
            report.ok("token", format!("{whence}; ends {}", ends_at(&token)));
            true
        }
        Err(failure) => {
            report.failure("token", &failure);
            false
        }
    }
}

fn admin_api(report: &mut Report, session: &Session) {
    const NAME: &str = "Admin API";
    if session.config.api_base().is_none() {
        return report.skip(NAME, "the server is not Atlas");
    }
    let reply = AdminApi::new(&session.config).and_then(|api| api.call(&session.client, &Call::get("/api/atlas/v2/orgs?itemsPerPage=1")));
    let reply = match reply {
        Ok(reply) => reply,
        Err(error) => return report.error(NAME, &error),
    };
    let found = format!("GET /api/atlas/v2/orgs: HTTP {}{}", reply.status, in_its_words(&reply.body));
    match reply.status {
        200..=299 => report.ok(NAME, found),
        401 | 403 => report.fail(
            NAME,
            Status::CredentialRejected.exit_code(),
            found,
            "The token is good, so this is about its use: check the service account's IP access list (it is looked at here, and not when a token is \
             asked for) and its roles.",
        ),
        429 => report.fail(NAME, Status::RateLimited.exit_code(), found, "Others use up the limit of Admin API calls; wait a minute."),
        _ => report.fail(NAME, Status::Server.exit_code(), found, "Try again later; https://status.mongodb.com tells of known outages."),
    }
}

/// The server's own words for a refusal.
fn in_its_words(body: &[u8]) -> String {
    let members = serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default();
    let text = |name: &str| members.get(name).and_then(serde_json::Value::as_str).map(|text| printable(text, 300));
    match (text("errorCode"), text("detail")) {
        (Some(code), Some(detail)) => format!(" {code}: {detail}"),
        (one, other) => one.or(other).map(|text| format!(" {text}")).unwrap_or_default(),
    }
}
