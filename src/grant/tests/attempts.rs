//! Connections that fail, and which of them are tried again.

use super::*;

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
