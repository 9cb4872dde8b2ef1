//! Tests of the grant with servers that respond correctly, incorrectly or not at all.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::test_server::{Authority, Duplex, TestServer, authority, body, header};
use super::*;
use crate::clock::{Clock, ManualClock};
use crate::config::{Authorities, ClientAuthentication, Config, CredentialSource, Endpoint, Provenance, ProxySettings};
use crate::error::Status;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Instant;

const ID: &str = "mdb_sa_id_0123456789abcdef01234567";
const SECRET: &str = "mdb_sa_sk_canary-secret_0123456789";
const TOKEN: &str = "canary.token-0123456789_~+/=";

/// Long enough for a loaded machine, short enough to notice a test that uses it up.
pub(super) const ENOUGH: Duration = Duration::from_secs(60);
/// The budget of a request that must fail.
const SHORT: Duration = Duration::from_millis(300);

pub(super) fn credential() -> Credential {
    Credential { client_id: ID.to_owned(), client_secret: Secret::from(SECRET), origin: String::new() }
}

pub(super) fn config(token_url: &str) -> Config {
    Config {
        credentials: CredentialSource::Fixed(credential()),
        token_endpoint: Endpoint::for_tests(token_url),
        revocation_endpoint: None,
        api_base: None,
        authentication: ClientAuthentication::BasicRaw,
        scope: None,
        audience: None,
        resource: None,
        timeout: ENOUGH,
        authorities: Authorities::System,
        proxy: ProxySettings::default(),
        cache: false,
        cache_dir: None,
        user_cache_dir: Err("no test shares tokens"),
        cache_unsafe: false,
        provenance: Vec::new(),
        manual_clock_ms: None,
    }
}

/// A grant with a clock whose sleep returns immediately.
pub(super) fn grant(config: &Config) -> HttpGrant {
    HttpGrant::new(config, Arc::new(ManualClock::new(1_700_000_000_000))).unwrap()
}

fn mint(token_url: &str) -> Result<Minted, Error> {
    grant(&config(token_url)).mint(&credential(), ENOUGH)
}

fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> String {
    let mut head = format!("HTTP/1.1 {status} Whatever\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head + "\r\n" + body
}

fn json(status: u16, body: &str) -> String {
    reply(status, &[("Content-Type", "application/json")], body)
}

pub(super) fn token_reply() -> String {
    json(200, &format!(r#"{{"access_token":"{TOKEN}","expires_in":3600,"token_type":"Bearer"}}"#))
}

#[test]
fn a_token_is_minted_and_the_socket_is_closed() {
    let server = TestServer::replying(vec![token_reply()]);

    let minted = mint(&server.url("/api/oauth/token")).unwrap();

    assert_eq!(minted.value.expose(), TOKEN);
    assert_eq!(minted.lifetime, GrantedLifetime::Stated(Duration::from_secs(3600)));
    assert_eq!(minted.scope, None);
    let seen = server.finish();
    assert_eq!((seen.connections, seen.requests.len(), seen.closed_by_client), (1, 1, 1));
}

#[test]
fn item_1_item_2_the_request_is_exactly_what_atlas_wants() {
    let server = TestServer::replying(vec![token_reply()]);
    let port = server.port();

    mint(&server.url("/api/oauth/token")).unwrap();

    let request = server.finish().requests.remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<&str> = head.lines().collect();
    assert_eq!(lines.remove(0), "POST /api/oauth/token HTTP/1.1");
    lines.sort_unstable();
    let expected = [
        "accept-encoding: identity".to_owned(),
        "accept: application/json".to_owned(),
        format!("authorization: Basic {}", STANDARD.encode(format!("{ID}:{SECRET}"))),
        "content-length: 29".to_owned(),
        "content-type: application/x-www-form-urlencoded".to_owned(),
        format!("host: 127.0.0.1:{port}"),
        format!("user-agent: tokenwell/{}", env!("CARGO_PKG_VERSION")),
    ];
    assert_eq!(lines, expected);
    assert_eq!(body, "grant_type=client_credentials");
}

#[test]
fn item_3_each_method_of_authentication_is_the_only_one_of_its_request() {
    let awkward = Credential { client_id: "an id".to_owned(), client_secret: Secret::from("s&c+e/t€"), origin: String::new() };
    let cases = [
        (ClientAuthentication::BasicRaw, Some("an id:s&c+e/t€"), "grant_type=client_credentials"),
        (ClientAuthentication::Basic, Some("an+id:s%26c%2Be%2Ft%E2%82%AC"), "grant_type=client_credentials"),
        (ClientAuthentication::Post, None, "grant_type=client_credentials&client_id=an+id&client_secret=s%26c%2Be%2Ft%E2%82%AC"),
    ];
    for (method, pair, expected) in cases {
        let server = TestServer::replying(vec![token_reply()]);
        let mut config = config(&server.url("/token"));
        config.authentication = method;

        grant(&config).mint(&awkward, ENOUGH).unwrap();

        let request = server.finish().requests.remove(0);
        let authorization = pair.map(|pair| format!("Basic {}", STANDARD.encode(pair)));
        assert_eq!(header(&request, "authorization"), authorization.as_deref(), "{method:?}");
        assert_eq!(body(&request), expected, "{method:?}");
    }
}

#[test]
fn item_6_parameters_that_are_given_are_sent_and_empty_ones_are_not() {
    let server = TestServer::replying(vec![token_reply()]);
    let mut config = config(&server.url("/token?tenant=a%20b&x="));
    config.scope = Some("read write".to_owned());
    config.audience = Some("https://api.example/?a=b".to_owned());
    config.resource = Some("urn:r".to_owned());
    grant(&config).mint(&credential(), ENOUGH).unwrap();
    config.scope = Some(String::new());
    config.audience = Some(String::new());
    config.resource = Some(String::new());
    grant(&config).mint(&credential(), ENOUGH).unwrap();

    let seen = server.finish();

    assert!(seen.requests.iter().all(|request| request.starts_with("POST /token?tenant=a%20b&x= HTTP/1.1\r\n")), "{seen:?}");
    let full = "grant_type=client_credentials&scope=read+write&audience=https%3A%2F%2Fapi.example%2F%3Fa%3Db&resource=urn%3Ar";
    assert_eq!(seen.requests.iter().map(|request| body(request)).collect::<Vec<_>>(), [full, "grant_type=client_credentials"]);
}

#[test]
fn item_20_no_reply_is_kept_however_long_it_says_it_may_be() {
    let server = TestServer::replying(vec![reply(
        200,
        &[
            ("Content-Type", "application/json"),
            ("Cache-Control", "public, max-age=86400, immutable"),
            ("ETag", "\"1\""),
            ("Last-Modified", "Tue, 14 Nov 2023 00:00:00 GMT"),
            ("Expires", "Thu, 31 Dec 2099 23:59:59 GMT"),
        ],
        &format!(r#"{{"access_token":"{TOKEN}","expires_in":3600,"token_type":"Bearer"}}"#),
    )]);
    let grant = grant(&config(&server.url("/token")));

    grant.mint(&credential(), ENOUGH).unwrap();
    grant.mint(&credential(), ENOUGH).unwrap();

    let requests = server.finish().requests;
    assert_eq!(requests.len(), 2, "each request is sent to the server");
    for name in ["if-none-match", "if-modified-since", "cache-control"] {
        assert_eq!(requests.iter().map(|request| header(request, name)).collect::<Vec<_>>(), [None, None], "{name}");
    }
}

#[test]
fn i7_item_10_no_redirect_is_followed() {
    for status in [301, 302, 303, 307, 308] {
        let other = TestServer::replying(vec![token_reply()]);
        let port = other.port();
        let targets = [
            format!("http://127.0.0.1:{port}/elsewhere?canary=query"),
            format!("http://localhost:{port}/"),
            format!("http://user:canary@127.0.0.1:{port}/"),
            format!("//127.0.0.1:{port}/"),
            "/api/oauth/token".to_owned(),
            "https://cloud.mongodb.com/".to_owned(),
            "javascript:alert(1)".to_owned(),
            "http://[".to_owned(),
        ];
        let replies = targets.iter().map(|target| reply(status, &[("Location", target)], "")).chain([reply(status, &[], "")]).collect();
        let server = TestServer::replying(replies);
        for target in targets.iter().map(String::as_str).chain(["nowhere"]) {
            let error = mint(&server.url("/")).unwrap_err();

            assert_eq!((error.status(), error.http_status()), (Status::Refused, Some(status)), "{target}: {error}");
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("canary"), "{shown}");
        }

        assert_eq!(server.finish().requests.len(), targets.len() + 1, "each request is sent once");
        assert_eq!(other.finish().connections, 0, "{status}");
    }
}

#[test]
fn i7_a_redirect_names_the_origin_that_it_points_to() {
    let server = TestServer::replying(vec![reply(302, &[("Location", "https://login.example:8443/sso?ticket=canary#canary")], "<html>")]);

    let error = mint(&server.url("/")).unwrap_err();

    let message = error.to_string();
    assert!(message.contains("https://login.example:8443,") && !message.contains("canary"), "{message}");
}

#[test]
fn i26_a_reply_that_drips_ends_with_the_budget() {
    let server = TestServer::acting(|_, out| {
        out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")?;
        send_slowly_and_endlessly(out, b" ")
    });

    assert_times_out_with_the_budget(&server.url("/"));
}

#[test]
fn i26_endless_interim_replies_end_with_the_budget() {
    let server = TestServer::acting(|_, out| send_slowly_and_endlessly(out, b"HTTP/1.1 100 Continue\r\n\r\n"));

    assert_times_out_with_the_budget(&server.url("/"));
}

#[test]
fn i26_a_head_that_never_ends_ends_with_the_budget() {
    let server = TestServer::acting(|_, out| {
        out.write_all(b"HTTP/1.1 200 OK\r\n")?;
        send_slowly_and_endlessly(out, b"A: b\r\n")
    });

    assert_times_out_with_the_budget(&server.url("/"));
}

#[test]
fn i26_silence_ends_with_the_budget() {
    let server = TestServer::acting(|_, connection| connection.read(&mut [0]).map(|_| ()));

    assert_times_out_with_the_budget(&server.url("/"));
}

#[test]
fn i26_an_endless_body_is_not_read_to_the_end() {
    let server = TestServer::acting(|_, out| {
        out.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        loop {
            out.write_all(b"400\r\n")?;
            out.write_all(&[b'a'; 0x400])?;
            out.write_all(b"\r\n")?;
        }
    });

    let error = mint(&server.url("/")).unwrap_err();

    assert_eq!(error.status(), Status::Protocol, "{error}");
    assert!(error.to_string().contains("longer than 1 MiB"), "{error}");
    assert_eq!(server.finish().requests.len(), 1);
}

#[test]
fn the_status_of_a_refusal_is_used_although_its_body_is_incomplete() {
    for (status, expected) in [(429, Status::RateLimited), (401, Status::CredentialRejected), (400, Status::Protocol)] {
        let server = TestServer::replying(vec![format!("HTTP/1.1 {status} No\r\nContent-Length: 100000\r\n\r\n{{\"error\":")]);

        let error = mint(&server.url("/")).unwrap_err();

        assert_eq!((error.status(), error.http_status()), (expected, Some(status)), "{error}");
        assert_eq!(server.finish().requests.len(), 1, "{status}");
    }
}

#[test]
fn i26_the_status_of_a_refusal_stands_though_its_body_never_ends() {
    let server = TestServer::acting(|_, out| {
        out.write_all(b"HTTP/1.1 429 No\r\nRetry-After: 7\r\nContent-Length: 60000\r\n\r\n")?;
        send_slowly_and_endlessly(out, b" ")
    });

    // Enough time for the headers to arrive on a loaded machine.
    let error = grant(&config(&server.url("/"))).mint(&credential(), Duration::from_secs(2)).unwrap_err();

    assert_eq!((error.status(), error.retry_after()), (Status::RateLimited, Some(Duration::from_secs(7))), "{error}");
}

#[test]
fn r26_the_body_of_a_refusal_is_waited_for_at_most_a_second() {
    for status in [400, 404] {
        let server = TestServer::acting(move |_, out| {
            out.write_all(format!("HTTP/1.1 {status} No\r\nContent-Length: 60000\r\n\r\n").as_bytes())?;
            send_slowly_and_endlessly(out, b" ")
        });
        let started = Instant::now();

        let error = mint(&server.url("/")).unwrap_err();

        assert_eq!(error.http_status(), Some(status), "{error}");
        assert!(started.elapsed() < ENOUGH / 2, "{:?}", started.elapsed());
    }
}

/// `body` in gzip, made by gzip itself: the name of the file is empty, the time is zero.
fn gzip(body: &str) -> Vec<u8> {
    let mut child =
        Command::new("gzip").arg("-nc").stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    child.wait_with_output().unwrap().stdout
}

fn compressed(status: u16, encoding: &'static str, body: Vec<u8>) -> TestServer {
    TestServer::acting(move |_, out| {
        let head = format!(
            "HTTP/1.1 {status} Whatever\r\nContent-Type: application/json\r\nContent-Encoding: {encoding}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        out.write_all(head.as_bytes())?;
        out.write_all(&body)
    })
}

#[test]
fn a_compressed_response_is_read_although_none_was_requested() {
    let body = format!(r#"{{"access_token":"{TOKEN}","expires_in":3600,"token_type":"Bearer"}}"#);
    let server = compressed(200, "gzip", gzip(&body));

    assert_eq!(mint(&server.url("/")).unwrap().value.expose(), TOKEN);

    assert_eq!(header(&server.finish().requests[0], "accept-encoding"), Some("identity"));
    let refusing = compressed(400, "gzip", gzip(r#"{"error":"invalid_scope"}"#));
    assert!(mint(&refusing.url("/")).unwrap_err().to_string().ends_with(": invalid_scope"));
}

#[test]
fn a_compressed_response_that_is_too_long_or_unknown_is_a_protocol_error() {
    let bomb = gzip(&format!(r#"{{"access_token":"{TOKEN}","token_type":"Bearer"{}}}"#, " ".repeat(4 * 1024 * 1024)));
    for (encoding, body, problem) in [
        ("gzip", bomb, "its body is longer than 1 MiB"),
        ("gzip", b"{}".to_vec(), "its body is not valid gzip"),
        ("br", b"x".to_vec(), "its body is compressed (br), which tokenwell did not request and does not support"),
    ] {
        let server = compressed(200, encoding, body);

        let error = mint(&server.url("/")).unwrap_err();

        assert_eq!((error.status(), error.http_status()), (Status::Protocol, Some(200)), "{error}");
        assert!(error.to_string().ends_with(problem), "{error}");
        assert_eq!(server.finish().requests.len(), 1);
    }
}

#[test]
fn i26_a_head_without_measure_is_not_read() {
    let server = TestServer::acting(|_, out| {
        out.write_all(b"HTTP/1.1 200 OK\r\nA: ")?;
        loop {
            out.write_all(&[b'a'; 1024])?;
        }
    });

    let error = mint(&server.url("/")).unwrap_err();

    assert_eq!(error.status(), Status::Protocol, "{error}");
    assert!(error.to_string().contains("the headers of the response are too long"), "{error}");
}

#[test]
fn a_reply_that_is_not_http_is_a_protocol_error() {
    let server = TestServer::replying(vec!["220 mail.example ESMTP\r\n\r\n".to_owned()]);

    let error = mint(&server.url("/")).unwrap_err();

    assert_eq!((error.status(), error.http_status()), (Status::Protocol, None), "{error}");
    assert!(error.to_string().contains("the response is not HTTP/1.1"), "{error}");
    assert!(error.hint().contains("use https:// in its URL"), "{}", error.hint());
    assert_eq!(server.finish().requests.len(), 1);
}

#[test]
fn the_alert_of_a_tls_server_is_a_reply_that_is_not_http() {
    let server = TestServer::acting(|_, out| out.write_all(b"\x15\x03\x01\x00\x02\x02\x32"));

    let error = mint(&server.url("/")).unwrap_err();

    assert!(error.to_string().contains("the response is not HTTP/1.1"), "{error}");
}

#[test]
fn a_budget_of_zero_sends_nothing() {
    let server = TestServer::replying(vec![token_reply()]);

    let error = grant(&config(&server.url("/"))).mint(&credential(), Duration::ZERO).unwrap_err();

    assert_eq!(error.status(), Status::Network, "{error}");
    assert!(server.finish().requests.is_empty());
}

#[test]
fn i3_a_carriage_return_in_a_header_gives_it_no_other_value() {
    for (name, value) in [
        ("Retry-After", "7\rRetry-After: 1"),
        ("Retry-After", "7\r"),
        ("Retry-After", "\r7"),
        ("WWW-Authenticate", "Basic realm=\"a\rb\", error=\"e\rvil\""),
        ("X-Other", "a\rRetry-After: 1"),
    ] {
        let server =
            TestServer::replying(vec![reply(429, &[("Content-Type", "application/json"), (name, value)], r#"{"error":"rate_limited"}"#)]);

        let error = mint(&server.url("/")).unwrap_err();

        // Either the reply is not valid HTTP, or the header is ignored and the default delay is
        // used.
        let allowed = [(Status::Protocol, None), (Status::RateLimited, Some(Duration::from_secs(60)))];
        assert!(allowed.contains(&(error.status(), error.retry_after())), "{name}: {value:?}: {error} {:?}", error.retry_after());
        assert!(!error.to_string().contains(char::is_control), "{name}: {value:?}: {error:?}");
    }
}

fn send_slowly_and_endlessly(out: &mut dyn Duplex, bytes: &[u8]) -> io::Result<()> {
    // Until the client closes the connection. A client that never does so fails its test by the
    // elapsed time.
    let started = Instant::now();
    while started.elapsed() < ENOUGH {
        out.write_all(bytes)?;
        out.flush()?;
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn assert_times_out_with_the_budget(url: &str) {
    let grant = grant(&config(url));
    let started = Instant::now();

    let error = grant.mint(&credential(), SHORT).unwrap_err();

    assert!(started.elapsed() >= SHORT && started.elapsed() < ENOUGH / 2, "{:?}", started.elapsed());
    assert_eq!(error.status(), Status::Network, "{error}");
    assert!(error.to_string().contains("did not send a complete response within 300 ms"), "{error}");
}

#[test]
fn a_broken_connection_is_retried() {
    let partial = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"access_token\":\"";
    let cases = [
        ("before the reply", TestServer::replying(vec![String::new(), String::new(), token_reply()])),
        ("mid-reply", TestServer::replying(vec![partial.to_owned(), "HTTP/1.1 200".to_owned(), token_reply()])),
    ];
    for (name, server) in cases {
        let minted = mint(&server.url("/"));

        assert_eq!(minted.unwrap().value.expose(), TOKEN, "{name}");
        assert_eq!(server.finish().requests.len(), 3, "{name}");
    }
}

#[test]
fn a_connection_that_keeps_breaking_is_a_network_error_after_three_attempts() {
    let closing = TestServer::replying(vec![String::new()]);
    let closed = mint(&closing.url("/")).unwrap_err();
    let resetting = TestServer::resetting();
    let reset = mint(&resetting.url("/")).unwrap_err();

    assert_eq!((closed.status(), reset.status()), (Status::Network, Status::Network));
    assert!(closed.to_string().contains(" closed the connection before its response was complete"), "{closed}");
    assert!(reset.to_string().contains("the connection before its response was complete"), "{reset}");
    assert_eq!((closing.finish().connections, resetting.finish().connections), (3, 3));
}

#[test]
fn a_closed_port_is_a_network_error() {
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();

    let error = mint(&format!("http://127.0.0.1:{port}/")).unwrap_err();

    assert_eq!(error.status(), Status::Network);
    assert_eq!(error.to_string(), format!("cannot reach http://127.0.0.1:{port}: connection refused"));
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn item_23_a_failing_server_is_asked_three_times_and_a_limiting_one_once() {
    for (status, requests) in [(500, 3), (503, 3), (408, 3), (429, 1), (400, 1), (401, 1), (403, 1), (404, 1)] {
        let server = TestServer::replying(vec![json(status, "{}")]);

        let error = mint(&server.url("/")).unwrap_err();

        assert_eq!(error.http_status(), Some(status), "{error}");
        assert_eq!(server.finish().requests.len(), requests, "{status}");
    }
}

#[test]
fn item_23_a_retry_after_of_an_outage_is_waited_out_and_then_the_token_comes() {
    let server = TestServer::replying(vec![reply(503, &[("Retry-After", "20")], ""), token_reply()]);
    let clock = Arc::new(ManualClock::new(1_000));

    let minted = HttpGrant::new(&config(&server.url("/")), Arc::clone(&clock) as Arc<dyn Clock>).unwrap().mint(&credential(), ENOUGH);

    assert_eq!(minted.unwrap().value.expose(), TOKEN);
    assert!(clock.now().wall_ms >= 21_000, "{:?}", clock.now());
}

#[test]
fn localhost_over_plain_http_is_loopback_without_a_dns_lookup() {
    let server = TestServer::replying(vec![token_reply()]);

    mint(&format!("http://localhost:{}/", server.port())).unwrap();

    assert_eq!(header(&server.finish().requests[0], "host").unwrap().split(':').next(), Some("localhost"));
}

#[test]
fn a_failed_dns_lookup_is_a_network_error_within_the_budget() {
    let (_directory, ca_file) = ca_file(&authority());
    let mut config = config("https://tokenwell.invalid/token");
    config.authorities = Authorities::File(ca_file);
    let started = Instant::now();

    let error = grant(&config).mint(&credential(), Duration::from_secs(2)).unwrap_err();

    assert_eq!(error.status(), Status::Network, "{error}");
    assert!(started.elapsed() < ENOUGH / 2, "{:?}", started.elapsed());
}

#[test]
fn a_server_that_accepts_a_connection_and_never_answers_counts_as_reached_only_without_tls() {
    // The system accepts connections for a program that does not call accept.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let (_directory, ca_file) = ca_file(&authority());
    let within = |url: String| {
        let mut config = config(&url);
        config.authorities = Authorities::File(ca_file.clone());
        grant(&config).mint(&credential(), Duration::from_secs(2)).unwrap_err()
    };

    let in_clear = within(format!("http://{address}/token"));
    assert!(matches!(in_clear, Error::Network { reached: true, .. }), "{in_clear:?}");

    // A peer that does not answer the TLS handshake may be a proxy or a firewall that other
    // processes do not use.
    let over_tls = within(format!("https://{address}/token"));
    assert!(matches!(over_tls, Error::Network { reached: false, .. }), "{over_tls:?}");
    let message = over_tls.to_string();
    assert!(message.contains("no connection within") || message.contains("connection timed out"), "{message}");
}

#[test]
fn a_thread_that_runs_a_tokio_runtime_can_request_a_token() {
    let server = TestServer::replying(vec![token_reply()]);
    let grant = grant(&config(&server.url("/")));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();

    let minted = runtime.block_on(async { grant.mint(&credential(), ENOUGH) });

    assert_eq!(minted.unwrap().value.expose(), TOKEN);
}

fn ca_file(authority: &Authority) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    (directory, file)
}

fn mint_over_tls(signer: &Authority, trusted: &Authority, name: &str, until: i32) -> Result<Minted, Error> {
    let server = TestServer::over_tls(signer.server(name, until), token_reply());
    let (_directory, file) = ca_file(trusted);
    let mut config = config(&format!("https://localhost:{}/token", server.port()));
    config.authorities = Authorities::File(file);
    config.provenance.push(Provenance { setting: "token_url", source: "environment variable TOKENWELL_TOKEN_URL".to_owned() });
    grant(&config).mint(&credential(), ENOUGH)
}

#[test]
fn item_8_a_server_with_a_certificate_of_the_named_authority_is_trusted() {
    let authority = authority();

    let minted = mint_over_tls(&authority, &authority, "localhost", 2400);

    assert_eq!(minted.unwrap().value.expose(), TOKEN);
}

#[test]
fn item_8_a_server_that_cannot_be_trusted_is_a_tls_error_that_says_why() {
    let (one, other) = (authority(), authority());
    let cases = [
        (mint_over_tls(&one, &other, "localhost", 2400), "an authority that is not trusted", "ca_file"),
        (
            mint_over_tls(&one, &one, "evil.example", 2400),
            "for another host name",
            "Use the host name that is in the certificate in TOKENWELL_TOKEN_URL.",
        ),
        (mint_over_tls(&one, &one, "localhost", 2001), "has expired", "Renew the certificate"),
    ];
    for (outcome, reason, advice) in cases {
        let error = outcome.unwrap_err();

        assert_eq!(error.status(), Status::Tls, "{error}");
        assert!(error.to_string().contains(reason), "{error}");
        assert!(error.hint().contains(advice), "{}", error.hint());
    }
}

#[test]
fn item_8_a_server_that_cannot_be_trusted_is_asked_once_and_told_nothing() {
    let server = TestServer::over_tls(authority().server("localhost", 2400), token_reply());
    let (_directory, file) = ca_file(&authority());
    let mut config = config(&format!("https://localhost:{}/token", server.port()));
    config.authorities = Authorities::File(file);

    let error = grant(&config).mint(&credential(), ENOUGH).unwrap_err();

    assert_eq!(error.status(), Status::Tls, "{error}");
    let seen = server.finish();
    assert_eq!((seen.connections, seen.requests.len()), (1, 0));
}

fn mint_from(tls: Arc<rustls::ServerConfig>, authority_pem: &str) -> Error {
    let server = TestServer::over_tls(tls, token_reply());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, authority_pem).unwrap();
    let mut config = config(&format!("https://localhost:{}/token", server.port()));
    config.authorities = Authorities::File(file);
    grant(&config).mint(&credential(), ENOUGH).unwrap_err()
}

#[test]
fn a_server_that_requires_a_client_certificate_is_named() {
    let authority = authority();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let error = mint_from(authority.server_for_clients_with_certificates("localhost", version), authority.pem());

        assert_eq!(error.status(), Status::Tls, "{error}");
        assert!(error.to_string().ends_with("the server requires a client certificate, which tokenwell does not support"), "{error}");
        assert!(!error.hint().contains("ca_file"), "{}", error.hint());
    }
}

#[test]
fn an_authority_that_is_its_own_server_is_named() {
    let (tls, pem) = super::test_server::authority_as_server("localhost");

    let error = mint_from(tls, &pem);

    assert_eq!(error.status(), Status::Tls, "{error}");
    assert!(error.to_string().ends_with("the server uses the certificate of an authority as its own"), "{error}");
    assert!(error.hint().contains("CA:FALSE"), "{}", error.hint());
}

#[test]
fn item_8_plain_http_where_tls_is_wanted_is_a_tls_error() {
    let plain = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = plain.local_addr().unwrap().port();
    let answering = std::thread::spawn(move || {
        use std::io::{Read, Write};

        let (mut connection, _) = plain.accept().unwrap();
        let read = connection.read(&mut [0; 4096]).unwrap();
        connection.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").unwrap();
        read
    });
    let (_directory, file) = ca_file(&authority());
    let mut config = config(&format!("https://localhost:{port}/token"));
    config.authorities = Authorities::File(file);

    let error = grant(&config).mint(&credential(), ENOUGH).unwrap_err();

    assert!(answering.join().unwrap() > 0);
    assert_eq!(error.status(), Status::Tls, "{error}");
    assert!(error.to_string().contains("does not speak TLS: is it http://?"), "{error}");
    assert!(error.hint().contains("use http:// in "), "{}", error.hint());
}

#[test]
fn a_missing_ca_file_is_reported_when_the_grant_is_created() {
    for url in ["https://cloud.example/token", "http://127.0.0.1:1/token"] {
        let mut config = config(url);
        config.authorities = Authorities::File(PathBuf::from("/nonexistent/ca.pem"));

        let error = HttpGrant::new(&config, Arc::new(ManualClock::new(0))).unwrap_err();

        assert_eq!(error.status(), Status::NotConfigured);
        assert!(error.to_string().starts_with("ca_file: `/nonexistent/ca.pem`"), "{error}");
    }
}

#[test]
fn a_ca_file_that_was_deleted_later_fails_the_request_before_it_is_sent() {
    let authority = authority();
    let server = TestServer::over_tls(authority.server("localhost", 2400), token_reply());
    let (directory, file) = ca_file(&authority);
    let mut config = config(&format!("https://localhost:{}/token", server.port()));
    config.authorities = Authorities::File(file);
    let grant = grant(&config);
    directory.close().unwrap();

    let error = grant.mint(&credential(), ENOUGH).unwrap_err();

    assert_eq!(error.status(), Status::NotConfigured, "{error}");
    assert_eq!(server.finish().connections, 0);
}

/// A grant for `https://cloud.example` in an environment with one variable.
fn proxied(variable: &'static str, value: String) -> (tempfile::TempDir, HttpGrant) {
    let (directory, file) = ca_file(&authority());
    let mut config = config("https://cloud.example/token?tenant=query");
    config.authorities = Authorities::File(file);
    let clock = Arc::new(ManualClock::new(0));
    config.proxy = through_proxy(variable, &value);
    (directory, HttpGrant::new(&config, clock).unwrap())
}

/// The settings of a proxy that `variable` sets.
fn through_proxy(variable: &str, url: &str) -> ProxySettings {
    ProxySettings { url: Some(Secret::from(url)), location: variable.to_owned(), exceptions: String::new(), exceptions_name: "NO_PROXY" }
}

#[test]
fn i9_a_proxy_is_asked_for_a_tunnel_and_told_no_secret() {
    for refusal in [reply(407, &[], ""), reply(403, &[], "canary")] {
        let proxy = TestServer::replying(vec![refusal]);
        let (_directory, grant) = proxied("HTTPS_PROXY", format!("http://user:canary@127.0.0.1:{}", proxy.port()));

        let error = grant.mint(&credential(), ENOUGH).unwrap_err();

        assert_eq!(error.status(), Status::Network, "{error}");
        let shown = format!("{error} {error:?} {grant:?}");
        assert!(!shown.contains("canary") && !shown.contains("Y2FuYXJ5"), "{shown}");
        let request = proxy.finish().requests.remove(0);
        assert!(request.starts_with("CONNECT cloud.example:443 HTTP/1.1\r\n"), "{request}");
        assert_eq!(header(&request, "proxy-authorization"), Some(format!("Basic {}", STANDARD.encode("user:canary")).as_str()));
        assert_eq!(header(&request, "authorization"), None);
    }
}

/// Requests a token through a proxy that answers each CONNECT with `answer`. Returns the error and the
/// number of requests that the proxy received.
fn refused_by_proxy(login: &str, answer: String) -> (Error, usize) {
    let proxy = TestServer::replying(vec![answer]);
    let (_directory, grant) = proxied("HTTPS_PROXY", format!("http://{login}127.0.0.1:{}", proxy.port()));

    let error = grant.mint(&credential(), ENOUGH).unwrap_err();

    let name = format!("the proxy http://127.0.0.1:{} (set by HTTPS_PROXY)", proxy.port());
    assert!(error.to_string().contains(&name), "{error}");
    assert_eq!((error.status(), error.http_status()), (Status::Network, None), "{error}");
    (error, proxy.finish().requests.len())
}

#[test]
fn a_log_in_that_a_proxy_rejects_is_sent_once() {
    let (error, requests) = refused_by_proxy("user:canary@", reply(407, &[("Proxy-Authenticate", "Basic realm=\"p\"")], ""));

    assert_eq!(requests, 1);
    assert!(
        error.to_string().ends_with("answered CONNECT with 407 Proxy Authentication Required: it rejected the user and password"),
        "{error}"
    );
    assert!(error.hint().starts_with("Correct the user and password in HTTPS_PROXY."), "{}", error.hint());
    assert!(error.hint().contains("tokenwell supports only Basic"), "{}", error.hint());
}

#[test]
fn a_proxy_that_wants_another_log_in_is_told_apart() {
    let (error, requests) = refused_by_proxy("", reply(407, &[], ""));
    assert_eq!(requests, 1);
    assert!(
        error.to_string().ends_with("answered CONNECT with 407 Proxy Authentication Required: it requires a user and password"),
        "{error}"
    );
    assert!(error.hint().starts_with("Set HTTPS_PROXY to http://USER:PASSWORD@HOST:PORT."), "{}", error.hint());
}

/// A proxy's response with `status` and `reason`, whose body has this type.
fn proxy_answer(status_line: &str, media_type: &str, body: &str) -> String {
    format!("HTTP/1.1 {status_line}\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn a_proxy_that_opens_no_tunnel_is_named_with_its_answer() {
    let html = "<html>canary";
    for (answer, requests, said, advice) in [
        (proxy_answer("302 Found", "text/html", html), 1, "302 Found", "a log-in in a browser"),
        (proxy_answer("403 Forbidden", "text/html", html), 1, "403 Forbidden", "does not allow connections to cloud.example"),
        (proxy_answer("404 Not Found", "text/html", html), 1, "404 Not Found", "HTTPS_PROXY is the address of a proxy and not of a web"),
        (proxy_answer("429 ", "text/html", html), 1, "429 Too Many Requests", "does not allow connections"),
        (proxy_answer("502 Bad Gateway", "text/html", html), 3, "502 Bad Gateway", "cannot reach cloud.example"),
        (proxy_answer("503", "text/plain", html), 3, "503 Service Unavailable", "cannot reach cloud.example"),
        (
            proxy_answer("403 Filtered", "text/plain", "RBAC:\naccess denied"),
            1,
            "403 Filtered; the proxy says: \"RBAC: access denied\"",
            "does not allow",
        ),
        // The status is known, whatever comes after it.
        ("HTTP/1.1 403 Forbidden\r\nContent-Le".to_owned(), 1, "403 Forbidden", "does not allow"),
        ("HTTP/1.0 403 Forbidden\nContent-Length: 50\n\nshort".to_owned(), 1, "403 Forbidden; the proxy says: \"short\"", "does not allow"),
    ] {
        let (error, sent) = refused_by_proxy("", answer);

        assert_eq!(sent, requests, "{error}");
        assert!(error.to_string().ends_with(&format!("answered CONNECT with {said}")), "{error}");
        assert!(error.hint().contains(advice) && error.hint().contains("add cloud.example to NO_PROXY"), "{}", error.hint());
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
}

#[test]
fn a_proxy_that_does_not_speak_http_is_named_and_asked_once() {
    let not_http = ["220 mail.example ESMTP\r\n", "HTTP/1.1 nonsense\r\n\r\n", "HTTP/2 200\r\n\r\n", "\n"].map(str::to_owned);
    let long = reply(200, &[("Padding", &"x".repeat(16 * 1024))], "");
    let long_line = "x".repeat(32 * 1024);
    for answer in not_http.into_iter().chain([long, long_line]) {
        let (error, requests) = refused_by_proxy("", answer);

        assert_eq!(requests, 1, "{error}");
        assert!(matches!(error, Error::Proxy { proxy_status: None, .. }), "{error:?}");
        assert!(error.to_string().ends_with("did not answer CONNECT with an HTTP response"), "{error}");
        assert!(error.hint().contains("add cloud.example to NO_PROXY"), "{}", error.hint());
    }
}

#[test]
fn a_proxy_that_repeats_the_log_in_does_not_reveal_it() {
    let body = format!("user canary, {}", STANDARD.encode("user:canary"));
    let (error, _) = refused_by_proxy("user:canary@", proxy_answer("403 no canary", "text/plain", &body));

    let shown = format!("{error} {error:?}");
    assert!(shown.contains("403 no [redacted]; the proxy says: \"user [redacted], [redacted]"), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn a_proxy_that_accepts_a_connection_and_says_nothing_ends_with_the_time() {
    let proxy = TestServer::acting(|_, out| {
        // Until the client gives up.
        let _ = out.read(&mut [0]);
        Ok(())
    });
    let (_directory, grant) = proxied("HTTPS_PROXY", format!("http://127.0.0.1:{}", proxy.port()));

    let error = grant.mint(&credential(), Duration::from_millis(300)).unwrap_err();

    assert_eq!(error.status(), Status::Network, "{error}");
    assert!(
        error.to_string().contains("(set by HTTPS_PROXY) failed: no connection within") || error.to_string().contains("timed out"),
        "{error}"
    );
}

#[test]
fn a_proxy_that_closes_the_connection_is_named_and_asked_again() {
    let (error, requests) = refused_by_proxy("", String::new());

    assert_eq!(requests, 3);
    assert!(matches!(error, Error::Network { reached: false, .. }), "{error:?}");
    assert!(error.to_string().ends_with("(set by HTTPS_PROXY) failed: the connection was closed"), "{error}");
}

#[test]
fn a_proxy_with_an_untrusted_certificate_is_named() {
    let proxy = TestServer::over_tls(authority().server("localhost", 2400), String::new());
    let (_directory, grant) = proxied("HTTPS_PROXY", format!("https://user:canary@localhost:{}", proxy.port()));

    let error = grant.mint(&credential(), ENOUGH).unwrap_err();

    assert_eq!(error.status(), Status::Tls, "{error}");
    let name = format!("the proxy https://localhost:{} (set by HTTPS_PROXY)", proxy.port());
    assert!(error.to_string().contains(&name) && !format!("{error:?}").contains("canary"), "{error:?}");
    assert!(proxy.finish().requests.is_empty());
}

/// A proxy that opens a tunnel and is also the server at its end, with a certificate for
/// `cloud.example`. `proxy_tls` is the proxy's own certificate, if it speaks TLS.
fn tunneling_proxy(authority: &Authority, proxy_tls: Option<Arc<rustls::ServerConfig>>, answer: String) -> TestServer {
    let tls = authority.server("cloud.example", 2400);
    let act = move |_: usize, out: &mut dyn Duplex| {
        out.write_all(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 p\r\n\r\n")?;
        let mut tls = rustls::StreamOwned::new(rustls::ServerConnection::new(Arc::clone(&tls)).unwrap(), out);
        let mut received = Vec::new();
        while !received.ends_with(b"grant_type=client_credentials") {
            let mut buffer = [0; 1024];
            let read = tls.read(&mut buffer)?;
            received.extend_from_slice(&buffer[..read]);
        }
        tls.write_all(answer.as_bytes())?;
        tls.conn.send_close_notify();
        tls.flush()
    };
    match proxy_tls {
        Some(tls) => TestServer::acting_over_tls(tls, act),
        None => TestServer::acting(act),
    }
}

/// Requests a token through a proxy at whose end `answer` comes back. Returns whether other processes
/// share the error.
fn is_shared_through_proxy(answer: String) -> (bool, Error) {
    let authority = authority();
    let proxy = tunneling_proxy(&authority, None, answer);
    let (_directory, file) = ca_file(&authority);
    let mut config = config("https://cloud.example/token");
    config.authorities = Authorities::File(file);
    config.proxy = through_proxy("HTTPS_PROXY", &proxy.url(""));
    let grant = HttpGrant::new(&config, Arc::new(ManualClock::new(0))).unwrap();

    let error = grant.mint(&credential(), ENOUGH).unwrap_err();

    (grant.is_shared(&error), error)
}

#[test]
fn r29_behind_a_proxy_only_an_answer_of_the_server_is_shared() {
    let of_server = [
        json(400, r#"{"error":"invalid_scope"}"#),
        json(401, r#"{"error":"invalid_client"}"#),
        json(401, r#"{"error":401,"reason":"Unauthorized"}"#),
        json(403, r#"{"error":"access_denied","error_description":"access token limit"}"#),
        reply(429, &[("Retry-After", "1")], "<html>"),
        json(500, r#"{"error":"server_error"}"#),
    ];
    for answer in of_server {
        let (shared, error) = is_shared_through_proxy(answer);
        assert!(shared, "{error:?}");
    }
    let perhaps_of_proxy = [
        reply(302, &[("Location", "https://login.example/")], ""),
        reply(401, &[], ""),
        reply(403, &[("Content-Type", "text/html")], "<html>"),
        reply(404, &[], ""),
        reply(503, &[], "<html>"),
        reply(200, &[], "<html>"),
        String::new(),
    ];
    for answer in perhaps_of_proxy {
        let (shared, error) = is_shared_through_proxy(answer);
        assert!(!shared, "{error:?}");
    }
}

#[test]
fn a_log_in_is_known_again_and_hides_its_password() {
    let id = |url: &str, secret: &str| {
        let credential = Credential { client_secret: Secret::from(secret), ..credential() };
        let (_directory, grant) = proxied("HTTPS_PROXY", url.to_owned());
        let login = grant.proxy_login(&credential).unwrap();
        assert!(matches!(login.rejection, Error::Proxy { proxy_status: Some(407), .. }), "{login:?}");
        assert!(!format!("{login:?}").contains("canary"), "{login:?}");
        login.id
    };
    let url = "http://user:canary@p.example:3128";

    assert_eq!(id(url, SECRET), id(url, SECRET));
    for (other, secret) in [
        ("http://user:canary2@p.example:3128", SECRET),
        ("http://user2:canary@p.example:3128", SECRET),
        ("http://user:canary@p.example:3129", SECRET),
        (url, "another secret"),
    ] {
        assert_ne!(id(url, SECRET), id(other, secret), "{other}");
    }
    assert!(grant(&config("https://cloud.example/")).proxy_login(&credential()).is_none());
}

#[test]
fn a_token_is_minted_through_a_proxy_with_and_without_tls() {
    for scheme in ["http", "https"] {
        let authority = authority();
        let proxy_tls = (scheme == "https").then(|| authority.server("localhost", 2400));
        let proxy = tunneling_proxy(&authority, proxy_tls, token_reply());
        let (_directory, file) = ca_file(&authority);
        let mut config = config("https://cloud.example/token");
        config.authorities = Authorities::File(file);
        config.proxy = through_proxy("HTTPS_PROXY", &format!("{scheme}://us%20er:c%3Anary%zz@localhost:{}", proxy.port()));
        let grant = HttpGrant::new(&config, Arc::new(ManualClock::new(0)));

        let minted = grant.unwrap().mint(&credential(), ENOUGH);

        assert_eq!(minted.unwrap().value.expose(), TOKEN);
        let request = proxy.finish().requests.remove(0);
        assert!(request.starts_with("CONNECT cloud.example:443 HTTP/1.1\r\nHost: cloud.example:443\r\n"), "{request}");
        assert_eq!(header(&request, "proxy-authorization"), Some(format!("Basic {}", STANDARD.encode("us er:c:nary%zz")).as_str()));
    }
}

#[test]
fn i9_a_proxy_that_is_down_is_a_network_error_that_hides_its_password() {
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let (_directory, grant) = proxied("ALL_PROXY", format!("http://user:canary@127.0.0.1:{port}"));

    let error = grant.mint(&credential(), ENOUGH).unwrap_err();

    assert_eq!(error.status(), Status::Network, "{error}");
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("canary") && shown.contains("refused"), "{shown}");
}

const CHILD: &str = "TOKENWELL_TEST_CHILD";

/// Runs the test `name` of this file again in a separate process, with the variable `CHILD` set.
fn in_child_process(name: &str) -> Command {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", &format!("grant::tests::{name}")]).env(CHILD, "1");
    child
}

fn assert_passes(child: &mut Command) {
    let result = child.output().unwrap();

    let output = String::from_utf8_lossy(&result.stdout);
    assert!(result.status.success() && output.contains("1 passed"), "{output}");
}

#[test]
fn i8_i9_neither_netrc_nor_proxy_nor_key_log_settings_change_anything_on_loopback() {
    if std::env::var_os(CHILD).is_some() {
        return mint_over_loopback_and_tls_in_this_environment();
    }
    let home = tempfile::tempdir().unwrap();
    let netrc = home.path().join(".netrc");
    let key_log = home.path().join("keys.log");
    std::fs::write(&netrc, "machine 127.0.0.1 login netrc password netrc\ndefault login netrc password netrc\n").unwrap();
    let dead_proxy = "http://127.0.0.1:1";

    let mut child = in_child_process("i8_i9_neither_netrc_nor_proxy_nor_key_log_settings_change_anything_on_loopback");
    child.env("HOME", home.path()).env("NETRC", &netrc).env("SSLKEYLOGFILE", &key_log).env("REQUEST_METHOD", "POST");
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        child.env(name, dead_proxy);
    }
    assert_passes(child.env_remove("NO_PROXY").env_remove("no_proxy"));

    assert!(!key_log.exists());
}

fn mint_over_loopback_and_tls_in_this_environment() {
    let server = TestServer::replying(vec![token_reply()]);
    mint(&server.url("/token")).unwrap();
    let authority = authority();
    mint_over_tls(&authority, &authority, "localhost", 2400).unwrap();

    let request = server.finish().requests.remove(0);
    assert!(request.starts_with("POST /token HTTP/1.1\r\n"), "{request}");
    assert_eq!(header(&request, "authorization"), Some(format!("Basic {}", STANDARD.encode(format!("{ID}:{SECRET}"))).as_str()));
}

fn revoke(server: &TestServer, authentication: ClientAuthentication, clock: Arc<ManualClock>) -> Result<(), Error> {
    let mut config = config("http://127.0.0.1:1/token");
    config.revocation_endpoint = Some(Endpoint::for_tests(&server.url("/api/oauth/revoke")));
    config.authentication = authentication;
    HttpGrant::new(&config, clock).unwrap().revoke(&credential(), &Secret::from("a+b/c="), ENOUGH)
}

#[test]
fn item_28_a_token_is_revoked_with_the_same_authentication() {
    let basic = format!("Basic {}", STANDARD.encode(format!("{ID}:{SECRET}")));
    let token = "token=a%2Bb%2Fc%3D&token_type_hint=access_token";
    let cases = [
        (ClientAuthentication::BasicRaw, Some(basic.as_str()), token.to_owned()),
        (ClientAuthentication::Post, None, format!("{token}&client_id={ID}&client_secret={SECRET}")),
    ];
    for (method, authorization, expected) in cases {
        let server = TestServer::replying(vec![reply(200, &[("Content-Type", "text/html")], "<anything>")]);

        revoke(&server, method, Arc::new(ManualClock::new(0))).unwrap();

        let request = server.finish().requests.remove(0);
        assert!(request.starts_with("POST /api/oauth/revoke HTTP/1.1\r\n"), "{request}");
        assert_eq!(header(&request, "authorization"), authorization);
        assert_eq!(header(&request, "accept"), Some("application/json"));
        assert_eq!(header(&request, "content-type"), Some("application/x-www-form-urlencoded"));
        assert_eq!(header(&request, "user-agent"), Some(concat!("tokenwell/", env!("CARGO_PKG_VERSION"))));
        assert_eq!(body(&request), expected);
    }
}

#[test]
fn item_28_a_revocation_that_fails_is_told_at_once() {
    let cases = [
        (reply(503, &[("Retry-After", "5")], ""), Status::Server, Some(Duration::from_secs(5))),
        (json(429, r#"{"error":"rate_limited"}"#), Status::RateLimited, Some(Duration::from_secs(60))),
        (json(400, r#"{"error":"unsupported_token_type"}"#), Status::CredentialRejected, None),
        (json(401, r#"{"error":"invalid_client"}"#), Status::CredentialRejected, None),
        (reply(307, &[("Location", "http://127.0.0.1:1/")], ""), Status::Refused, None),
        (reply(204, &[], ""), Status::Protocol, None),
    ];
    for (refusal, status, retry_after) in cases {
        let server = TestServer::replying(vec![refusal]);
        let clock = Arc::new(ManualClock::new(0));

        let error = revoke(&server, ClientAuthentication::BasicRaw, Arc::clone(&clock)).unwrap_err();

        assert_eq!((error.status(), error.retry_after()), (status, retry_after), "{error}");
        assert_eq!(clock.now().wall_ms, 0, "{error}");
        assert_eq!(server.finish().requests.len(), 1, "{error}");
    }
}

#[test]
fn a_revocation_without_an_endpoint_is_an_error() {
    let error = grant(&config("http://127.0.0.1:1/")).revoke(&credential(), &Secret::from(TOKEN), ENOUGH).unwrap_err();

    assert_eq!(error.status(), Status::NotConfigured);
    assert!(error.to_string().contains("revocation_url"), "{error}");
}

/// A log writer that keeps the log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Everything that this process logs while `work` runs, at level TRACE.
fn log_of(work: impl FnOnce()) -> String {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    work();
    String::from_utf8(log.0.lock().unwrap().clone()).unwrap()
}

/// Replies of every kind that repeat `echo`, or contain a token in each member of a token response.
fn indiscreet_replies(echo: &str) -> Vec<String> {
    vec![
        token_reply(),
        json(200, &format!(r#"{{"access_token":"{TOKEN}","token_type":"{TOKEN}"}}"#)),
        json(200, &format!(r#"{{"access_token":["{TOKEN}"],"token_type":"Bearer","expires_in":"{TOKEN}"}}"#)),
        json(200, &format!(r#"{{"access_token":"{TOKEN}","token_type":"Bearer","expires_in":"{TOKEN}"}}"#)),
        json(200, &format!(r#"{{"access_token":"{TOKEN}","token_type":"Bearer","scope":["{TOKEN}"]}}"#)),
        json(200, &format!(r#""{TOKEN}""#)),
        json(200, &format!(r#"{{"access_token":"{TOKEN}" {TOKEN}"#)),
        json(400, &format!(r#"{{"error":"{echo}","error_description":"{echo}"}}"#)),
        json(401, &format!(r#"{{"error":"invalid_client","error_description":"{echo}"}}"#)),
        reply(401, &[("WWW-Authenticate", &format!("Basic realm=\"x\", error=\"invalid_client\", error_description=\"{echo}\""))], ""),
        json(403, &format!(r#"{{"error":"access_denied","error_description":"access token limit: {echo}"}}"#)),
        json(404, &format!(r#"{{"error":404,"errorCode":"{echo}","detail":"{echo}"}}"#)),
        json(429, &format!(r#"{{"error":429,"errorCode":"RATE_LIMITED","detail":"{echo}"}}"#)),
        json(500, &format!(r#"{{"error":"server_error","error_description":"{echo}"}}"#)),
        reply(302, &[("Location", &format!("https://login.example/{SECRET}?{TOKEN}"))], ""),
        format!("{SECRET} {TOKEN}\r\n\r\n"),
        format!("HTTP/1.1 200 {SECRET}\r\nContent-Length: 100\r\n\r\n{TOKEN}"),
        reply(404, &[], echo),
    ]
}

#[test]
fn i21_no_error_and_no_log_holds_a_secret_even_if_the_server_repeats_it() {
    // The first subscriber determines for the whole process which events are logged, so the test
    // needs its own process.
    if std::env::var_os(CHILD).is_none() {
        return assert_passes(&mut in_child_process("i21_no_error_and_no_log_holds_a_secret_even_if_the_server_repeats_it"));
    }
    let encoded = STANDARD.encode(format!("{ID}:{SECRET}"));
    let token_encoded: String = url::form_urlencoded::byte_serialize(TOKEN.as_bytes()).collect();
    let echo = format!("you sent {SECRET} as Basic {encoded}");
    let mut errors = Vec::new();
    let mut debug = String::new();
    let log = log_of(|| {
        for authentication in [ClientAuthentication::BasicRaw, ClientAuthentication::Basic, ClientAuthentication::Post] {
            for reply in indiscreet_replies(&echo) {
                let server = TestServer::replying(vec![reply]);
                let mut config = config(&server.url("/token?key=canary-query"));
                config.authentication = authentication;
                let grant = grant(&config);
                let minted = grant.mint(&credential(), ENOUGH);
                debug.push_str(&format!("{grant:?} {minted:?} {minted:#?} {:?}\n", credential()));
                errors.extend(minted.err());
            }
            for reply in indiscreet_replies(&format!("{echo} for {TOKEN} or {token_encoded}")) {
                let server = TestServer::replying(vec![reply]);
                let mut config = config("http://127.0.0.1:1/");
                config.authentication = authentication;
                config.revocation_endpoint = Some(Endpoint::for_tests(&server.url("/revoke?key=canary-query")));
                errors.extend(grant(&config).revoke(&credential(), &Secret::from(TOKEN), ENOUGH).err());
            }
        }
    });

    let mut shown = String::new();
    for error in &errors {
        shown.push_str(&format!("{error} {error:?} {}\n", error.hint()));
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            shown.push_str(&format!("{cause} {cause:?}\n"));
            source = cause.source();
        }
    }
    assert!(errors.len() > 70 && shown.contains("you sent [redacted] as Basic [redacted]"), "{} errors: {shown}", errors.len());
    assert!(log.contains("http://127.0.0.1:") && log.contains("status=401"), "{log}");
    let reversed: String = SECRET.chars().rev().collect();
    for (name, output) in [("errors", &shown), ("log", &log), ("debug output", &debug)] {
        for canary in [SECRET, TOKEN, &encoded, &token_encoded, &reversed, "canary-secret", "canary.token"] {
            assert!(!output.contains(canary), "{canary} in the {name}: {output}");
        }
    }
    // A query in a configured URL may contain a tenant or a key, so neither a log nor an error may
    // show it.
    assert!(!log.contains("canary-query") && !shown.contains("canary-query"), "{log} {shown}");
}
